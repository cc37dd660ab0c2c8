//! FindCoordinator (10), versions 0 to 6: who looks after a group or a transactional id.
//!
//! Version 4 asks for several keys at once and gets one answer for each.
//!
//! Java: `core/server/KafkaApis.scala`, `handleFindCoordinatorRequest`.
//! Differs: no share groups.
//! Threads: plain function. Locks: none.

use crate::broker::broker_core::BrokerCore;
use crate::broker::coordinator::coordinators::KeyType;
use crate::protocol::errors::Errors;
use crate::protocol::messages::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};

pub(crate) fn handle(
    core: &BrokerCore,
    version: i16,
    request: &FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    answer(version, request, |key| find(core, request.key_type, key))
}

pub(crate) fn failed(
    version: i16,
    request: &FindCoordinatorRequest,
    error: Errors,
) -> FindCoordinatorResponse {
    answer(version, request, |key| refused(key, error))
}

fn answer(
    version: i16,
    request: &FindCoordinatorRequest,
    one: impl Fn(&str) -> Coordinator,
) -> FindCoordinatorResponse {
    if version >= FIRST_VERSION_WITH_SEVERAL_KEYS {
        let keys = request.coordinator_keys.iter();
        return FindCoordinatorResponse {
            coordinators: keys.map(|key| one(key)).collect(),
            ..FindCoordinatorResponse::default()
        };
    }
    let found = one(&request.key);
    let well = found.error_code == Errors::None.code();
    FindCoordinatorResponse {
        error_code: found.error_code,
        error_message: well.then(|| Errors::None.name().to_owned()),
        node_id: found.node_id,
        host: found.host,
        port: found.port,
        ..FindCoordinatorResponse::default()
    }
}

fn find(core: &BrokerCore, key_type: i8, key: &str) -> Coordinator {
    let kind = match key_type {
        0 => KeyType::Group,
        1 => KeyType::Transaction,
        _ => return refused(key, Errors::InvalidRequest),
    };
    let owner = core.coordinators.owners(kind).owner(key);
    let broker = owner.and_then(|id| Some((id, core.topics.brokers().get(id)?)));
    let Some((id, broker)) = broker else {
        return refused(key, Errors::CoordinatorNotAvailable);
    };
    Coordinator {
        key: key.to_owned(),
        node_id: id.0,
        host: broker.host.clone(),
        port: i32::from(broker.port),
        ..Coordinator::default()
    }
}

fn refused(key: &str, error: Errors) -> Coordinator {
    Coordinator {
        key: key.to_owned(),
        node_id: -1,
        port: -1,
        error_code: error.code(),
        ..Coordinator::default()
    }
}

const FIRST_VERSION_WITH_SEVERAL_KEYS: i16 = 4;
