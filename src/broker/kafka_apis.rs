//! Which handler answers which request.
//!
//! Java: `core/server/KafkaApis.scala`.
//! Differs: each handler is a file of its own; a handler returns its answer instead of sending it.
//! Threads: plain functions over the core. Locks: none.

use std::time::Duration;

use crate::broker::broker_core::{BrokerCore, Incoming, Now};
use crate::broker::handlers::{
    At, DelayedProduce, add_offsets_to_txn, add_partitions_to_txn, api_versions, create_topics,
    end_txn, fetch, find_coordinator, init_producer_id, list_offsets, metadata, offset_fetch,
    produce, txn_offset_commit,
};
use crate::common::error_kind::ErrorKind;
use crate::protocol::errors::Errors;
use crate::protocol::requests::{RequestBody, ResponseBody};

/// What a handler decided.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Send this.
    Now(ResponseBody),
    /// Send nothing.
    Nothing,
    /// Close the connection.
    Close,
    /// A fetch that found too little: ask again when there is more, until this much time has gone.
    WhenData(Duration),
    /// A write that waits for its followers: ask again when they have copied, until this much time has gone.
    WhenReplicated(DelayedProduce, Duration),
}

/// Answers a request.
pub(crate) fn handle(core: &mut BrokerCore, request: &Incoming, now: Now) -> Answer {
    let broker = request.connection.broker;
    let version = request.header.api_version;
    let at = At {
        broker,
        version,
        now,
    };
    match &request.body {
        RequestBody::ApiVersions(body) => {
            Answer::Now(api_versions::handle(core, version, body).into())
        }
        RequestBody::Metadata(body) => Answer::Now(metadata::handle(core, broker, body).into()),
        RequestBody::CreateTopics(body) => Answer::Now(create_topics::handle(core, body).into()),
        RequestBody::InitProducerId(_)
            if version > core.coordinators.settings.last_init_producer_id() =>
        {
            Answer::Close
        }
        RequestBody::InitProducerId(body) => {
            Answer::Now(init_producer_id::handle(core, at, body).into())
        }
        RequestBody::FindCoordinator(body) => {
            Answer::Now(find_coordinator::handle(core, version, body).into())
        }
        RequestBody::ListOffsets(body) => {
            Answer::Now(list_offsets::handle(core, broker, version, body).into())
        }
        RequestBody::AddPartitionsToTxn(body) => {
            Answer::Now(add_partitions_to_txn::handle(core, at, body).into())
        }
        RequestBody::AddOffsetsToTxn(body) => {
            Answer::Now(add_offsets_to_txn::handle(core, at, body).into())
        }
        RequestBody::EndTxn(body) => Answer::Now(end_txn::handle(core, at, body).into()),
        RequestBody::TxnOffsetCommit(body) => {
            Answer::Now(txn_offset_commit::handle(core, at, body).into())
        }
        RequestBody::OffsetFetch(body) => Answer::Now(offset_fetch::handle(core, at, body).into()),
        RequestBody::Produce(body) => produce::handle(core, broker, version, body, now),
        RequestBody::Fetch(body) => fetch::handle(core, broker, version, body),
    }
}

/// Asks again for a fetch that waits; nothing where it goes on waiting.
pub(crate) fn fetch_again(
    core: &BrokerCore,
    request: &Incoming,
    in_time: bool,
) -> Option<ResponseBody> {
    let RequestBody::Fetch(body) = &request.body else {
        return None;
    };
    let version = request.header.api_version;
    fetch::again(core, request.connection.broker, version, body, in_time).map(Into::into)
}

/// An answer in which everything has failed with an error of a kind.
pub(crate) fn error_response(request: &Incoming, kind: ErrorKind) -> ResponseBody {
    let with_kind = Errors::ALL.iter().find(|error| error.kind() == Some(kind));
    let error = with_kind.copied().unwrap_or(Errors::UnknownServerError);
    match &request.body {
        RequestBody::ApiVersions(_) => api_versions::failed(error).into(),
        RequestBody::Metadata(body) => metadata::failed(body, error).into(),
        RequestBody::CreateTopics(body) => create_topics::failed(body, error).into(),
        RequestBody::InitProducerId(_) => init_producer_id::failed(error).into(),
        RequestBody::FindCoordinator(body) => {
            find_coordinator::failed(request.header.api_version, body, error).into()
        }
        RequestBody::AddPartitionsToTxn(body) => add_partitions_to_txn::failed(body, error).into(),
        RequestBody::AddOffsetsToTxn(_) => add_offsets_to_txn::failed(error).into(),
        RequestBody::EndTxn(_) => end_txn::failed(error).into(),
        RequestBody::TxnOffsetCommit(body) => txn_offset_commit::failed(body, error).into(),
        RequestBody::OffsetFetch(body) => {
            offset_fetch::failed(request.header.api_version, body, error).into()
        }
        RequestBody::ListOffsets(body) => list_offsets::failed(body, error).into(),
        RequestBody::Produce(body) => produce::failed(body, error).into(),
        RequestBody::Fetch(body) => fetch::failed(body, error).into(),
    }
}
