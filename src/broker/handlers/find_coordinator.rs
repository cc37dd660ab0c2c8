//! FindCoordinator (10), versions 0 to 6: there is no coordinator yet, and the answer says so.
//!
//! Version 4 asks for several keys at once and gets one answer for each.
//!
//! Java: `core/server/KafkaApis.scala`, `handleFindCoordinatorRequest`.
//! Differs: always COORDINATOR_NOT_AVAILABLE until the embedded cluster has coordinators.
//! Threads: plain function. Locks: none.

use crate::protocol::errors::Errors;
use crate::protocol::messages::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};

pub(crate) fn handle(version: i16, request: &FindCoordinatorRequest) -> FindCoordinatorResponse {
    failed(version, request, Errors::CoordinatorNotAvailable)
}

pub(crate) fn failed(
    version: i16,
    request: &FindCoordinatorRequest,
    error: Errors,
) -> FindCoordinatorResponse {
    if version < FIRST_VERSION_WITH_SEVERAL_KEYS {
        return FindCoordinatorResponse {
            error_code: error.code(),
            node_id: -1,
            port: -1,
            ..FindCoordinatorResponse::default()
        };
    }
    let one = |key: &String| Coordinator {
        key: key.clone(),
        node_id: -1,
        port: -1,
        error_code: error.code(),
        ..Coordinator::default()
    };
    FindCoordinatorResponse {
        coordinators: request.coordinator_keys.iter().map(one).collect(),
        ..FindCoordinatorResponse::default()
    }
}

const FIRST_VERSION_WITH_SEVERAL_KEYS: i16 = 4;
