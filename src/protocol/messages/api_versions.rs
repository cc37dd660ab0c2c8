//! ApiVersions (18): a client asks a broker which requests it takes.
//!
//! Java: `common/message/ApiVersionsRequest.json`, `common/message/ApiVersionsResponse.json`.
//! Differs: nothing; the response's header is that of version 0 at every version, see `headers`.
//! Threads: plain data. Locks: none.

use crate::protocol::message::prelude::*;

message! {
    /// Asks for the table of versions and says who asks (KIP-511).
    struct ApiVersionsRequest versions 0..=4 flexible 3.. {
        client_software_name: String, since(3).ignorable();
        client_software_version: String, since(3).ignorable();
    }
}

message! {
    /// The requests and the cluster's features, each with its versions.
    struct ApiVersionsResponse versions 0..=4 flexible 3.. {
        error_code: i16, since(0);
        api_keys: Vec<ApiVersion>, since(0);
        throttle_time_ms: i32, since(1).ignorable();
        supported_features: Vec<SupportedFeatureKey>, since(3).tagged(0).ignorable();
        finalized_features_epoch: i64 = -1, since(3).tagged(1).ignorable();
        finalized_features: Vec<FinalizedFeatureKey>, since(3).tagged(2).ignorable();
        zk_migration_ready: bool, since(3).tagged(3).ignorable();
    }

    /// The versions of one request, both ends included.
    struct ApiVersion {
        api_key: i16, since(0);
        min_version: i16, since(0);
        max_version: i16, since(0);
    }

    /// The levels of a feature that this broker could run at.
    struct SupportedFeatureKey {
        name: String, since(3);
        min_version: i16, since(3);
        max_version: i16, since(3);
    }

    /// The level at which the whole cluster runs a feature.
    struct FinalizedFeatureKey {
        name: String, since(3);
        max_version_level: i16, since(3);
        min_version_level: i16, since(3);
    }
}
