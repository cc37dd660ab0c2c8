//! FindCoordinator (10): which broker looks after a group or a transactional id.
//!
//! Java: `common/message/FindCoordinatorRequest.json`, `common/message/FindCoordinatorResponse.json`.
//! Differs: nothing; up to version 3 one key stands by itself, from 4 on keys and answers come in lists.
//! Threads: plain data. Locks: none.

use crate::protocol::message::prelude::*;

message! {
    /// Asks for coordinators. The key type is 0 for groups, 1 for transactions, 2 for share groups.
    struct FindCoordinatorRequest versions 0..=6 flexible 3.. {
        key: String, between(0, 3);
        key_type: i8, since(1);
        coordinator_keys: Vec<String>, since(4);
    }
}

message! {
    /// The coordinator, or the coordinators in any order.
    struct FindCoordinatorResponse versions 0..=6 flexible 3.. {
        throttle_time_ms: i32, since(1).ignorable();
        error_code: i16, between(0, 3);
        error_message: Option<String>, between(1, 3).nullable_between(1, 3).ignorable();
        node_id: i32, between(0, 3);
        host: String, between(0, 3);
        port: i32, between(0, 3);
        coordinators: Vec<Coordinator>, since(4);
    }

    /// The coordinator of one key, or why there is none.
    struct Coordinator {
        key: String, since(4);
        node_id: i32, since(4);
        host: String, since(4);
        port: i32, since(4);
        error_code: i16, since(4);
        error_message: Option<String>, since(4).nullable_since(4).ignorable();
    }
}
