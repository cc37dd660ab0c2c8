//! Requests in words, for those who read the story of a seed.
//!
//! Java: none.
//! Differs: exists for the simulator only.
//! Threads: plain data. Locks: none.

use crate::protocol::requests::RequestBody;
use crate::testing::sim::observer::{Identity, RECORDS_AT, identity_of};

/// A request in a few words.
pub(super) fn describe(body: &RequestBody) -> String {
    let RequestBody::Produce(produce) = body else {
        return String::new();
    };
    let mut text = String::new();
    for topic in &produce.topic_data {
        for data in &topic.partition_data {
            let bytes = data
                .records
                .as_ref()
                .map(crate::protocol::Records::contiguous);
            let bytes = bytes.unwrap_or_default();
            let Identity {
                producer_id,
                epoch,
                sequence,
                ..
            } = identity_of(&bytes, topic.topic_id);
            let count = bytes.get(57..).and_then(|b| b.first_chunk());
            let count = count.map_or(-1, |b| i32::from_be_bytes(*b));
            text.push_str(&format!(
                " {}-{}[{producer_id}/{epoch}/{sequence}+{count}: {}]",
                topic.name,
                data.index,
                ids_in(bytes.get(RECORDS_AT..).unwrap_or_default())
            ));
        }
    }
    text
}

/// The ids of the first records, where nothing compresses them: an id is followed by the dots of its value.
fn ids_in(records: &[u8]) -> String {
    let ids = records.windows(16).filter_map(|window| {
        let (id, dots) = window.split_first_chunk()?;
        let id = u64::from_be_bytes(*id);
        (dots == b"........" && id >> 56 == 0 && id > 0).then(|| format!("{id:x}"))
    });
    ids.take(5).collect::<Vec<_>>().join(" ")
}
