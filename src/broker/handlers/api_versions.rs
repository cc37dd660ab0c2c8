//! ApiVersions (18), versions 0 to 4: what the broker speaks.
//!
//! A version that is not known is answered in the form of version 0 with UNSUPPORTED_VERSION and the range of
//! ApiVersions itself, from which the client picks again (KIP-511).
//!
//! Java: `server/ApiVersionManager.java`.
//! Differs: the range of every API that has a handler; `transaction.version` is the only feature.
//! Threads: plain function. Locks: none.

use crate::broker::broker_core::BrokerCore;
use crate::broker::coordinator::coordinators::NEWEST_TRANSACTION_VERSION;
use crate::protocol::api_keys::ApiKeys;
use crate::protocol::errors::Errors;
use crate::protocol::messages::api_versions::{
    ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};

pub(crate) fn handle(
    core: &BrokerCore,
    version: i16,
    request: &ApiVersionsRequest,
) -> ApiVersionsResponse {
    if !ApiKeys::ApiVersions.versions().contains(&version) {
        return unsupported();
    }
    if version >= 3
        && !(is_legal(&request.client_software_name) && is_legal(&request.client_software_version))
    {
        return failed(Errors::InvalidRequest);
    }
    let settings = &core.coordinators.settings;
    // A range that begins at 0 cannot be told before version 4 (KAFKA-17011).
    let supported = (version >= FIRST_VERSION_WITH_LEVEL_0).then(|| SupportedFeatureKey {
        name: TRANSACTION_VERSION.to_owned(),
        min_version: 0,
        max_version: NEWEST_TRANSACTION_VERSION,
    });
    let api_keys = ApiKeys::ALL.iter().map(|api| match api {
        // Its newest version is unstable in Kafka 4.3 (KIP-939).
        ApiKeys::InitProducerId => ApiVersion {
            max_version: settings.last_init_producer_id(),
            ..range(*api)
        },
        _ => range(*api),
    });
    let level = settings.transaction_version;
    let finalized = (level > 0).then(|| FinalizedFeatureKey {
        name: TRANSACTION_VERSION.to_owned(),
        max_version_level: level,
        min_version_level: level,
    });
    ApiVersionsResponse {
        api_keys: api_keys.collect(),
        supported_features: supported.into_iter().collect(),
        finalized_features_epoch: settings.features_epoch,
        finalized_features: finalized.into_iter().collect(),
        ..ApiVersionsResponse::default()
    }
}

pub(crate) fn failed(error: Errors) -> ApiVersionsResponse {
    ApiVersionsResponse {
        error_code: error.code(),
        ..ApiVersionsResponse::default()
    }
}

/// The answer to an ApiVersions request of a version that is not known.
pub(crate) fn unsupported() -> ApiVersionsResponse {
    ApiVersionsResponse {
        api_keys: vec![range(ApiKeys::ApiVersions)],
        ..failed(Errors::UnsupportedVersion)
    }
}

fn range(api: ApiKeys) -> ApiVersion {
    let versions = api.versions();
    let (min_version, max_version) = (*versions.start(), *versions.end());
    ApiVersion {
        api_key: api.id(),
        min_version,
        max_version,
    }
}

/// KIP-511: letters and digits, with `.` and `-` between them.
fn is_legal(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    edge(text.chars().next()) && edge(text.chars().next_back()) && text.chars().all(inside)
}

const TRANSACTION_VERSION: &str = "transaction.version";
const FIRST_VERSION_WITH_LEVEL_0: i16 = 4;
