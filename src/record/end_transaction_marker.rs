//! The control batch that ends a transaction in one partition: committed or aborted.
//!
//! Java: `common/record/EndTransactionMarker.java`, `common/record/ControlRecordType.java`.
//! Differs: markers of transactions only; the other control records belong to Kafka's own metadata log.
//! Threads: plain data. Locks: none.

use crate::common::cluster::ProducerIdAndEpoch;
use crate::common::header::Header;
use crate::record::checksum::BatchChecksum;
use crate::record::default_record::{RecordDeltas, RecordToAppend};
use crate::record::default_record_batch::{BatchHeader, DefaultRecordBatch};
use crate::record::record_batch::{Attributes, NO_PARTITION_LEADER_EPOCH, NO_SEQUENCE};

/// How a transaction ended, as the coordinator of this epoch says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EndTransactionMarker {
    pub(crate) committed: bool,
    pub(crate) coordinator_epoch: i32,
}

impl EndTransactionMarker {
    /// The batch that says it. Key and value each begin with the version 0.
    pub(crate) fn batch(self, producer: ProducerIdAndEpoch, timestamp: i64) -> DefaultRecordBatch {
        let [high, low] = i16::from(self.committed).to_be_bytes();
        let key = [0, 0, high, low];
        let mut value = [0; VALUE_SIZE];
        for (to, from) in value
            .iter_mut()
            .skip(2)
            .zip(self.coordinator_epoch.to_be_bytes())
        {
            *to = from;
        }
        let record = RecordToAppend::<Header>::new(timestamp, Some(&key), Some(&value), &[]);
        let mut body = Vec::new();
        record.at(FIRST).write(&mut body);
        let header = BatchHeader {
            base_offset: 0,
            partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
            attributes: Attributes::marker(),
            last_offset_delta: 0,
            base_timestamp: timestamp,
            max_timestamp: timestamp,
            producer,
            base_sequence: NO_SEQUENCE,
            count: 1,
        };
        let mut bytes = header.encode(&body, &BatchChecksum::default()).to_vec();
        bytes.extend(body);
        DefaultRecordBatch::read(bytes.into()).expect("a batch just written can be read")
    }

    /// What a batch says of the end of a transaction, if it says anything.
    pub(crate) fn of(batch: &DefaultRecordBatch) -> Option<Self> {
        if !batch.header().attributes.is_control() {
            return None;
        }
        let record = batch.records(LARGEST_BODY).ok()?.next()?.ok()?;
        let key = record.key?;
        let (version, kind) = (key.first_chunk::<2>()?, key.get(2..)?.first_chunk::<2>()?);
        let committed = match (i16::from_be_bytes(*version), i16::from_be_bytes(*kind)) {
            (0, 0) => false,
            (0, 1) => true,
            _ => return None,
        };
        let coordinator_epoch = record.value?.get(2..)?.first_chunk().copied()?;
        Some(Self {
            committed,
            coordinator_epoch: i32::from_be_bytes(coordinator_epoch),
        })
    }
}

const FIRST: RecordDeltas = RecordDeltas {
    timestamp: 0,
    offset: 0,
};

/// A version and the coordinator's epoch.
const VALUE_SIZE: usize = 6;

/// A marker has one small record.
const LARGEST_BODY: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::golden;

    #[test]
    fn markers_are_those_of_the_java_broker_byte_for_byte() {
        for (name, committed) in [("control, COMMIT", true), ("control, ABORT", false)] {
            let lines = golden::lines("batches.txt");
            let line = lines.iter().find(|line| line[0] == name).expect("listed");
            let expected = golden::hex(&line[3]);
            let marker = EndTransactionMarker {
                committed,
                coordinator_epoch: 2,
            };
            let producer = ProducerIdAndEpoch {
                producer_id: 4711,
                epoch: 3,
            };
            let batch = marker.batch(producer, 1_700_000_000_000);
            let written: Vec<u8> = batch
                .appended(9, 4, None)
                .iter()
                .flat_map(|part| part.to_vec())
                .collect();
            assert_eq!(written, expected, "{name}");
            let read = DefaultRecordBatch::read(expected.into()).expect("a batch");
            assert_eq!(EndTransactionMarker::of(&read), Some(marker));
        }
    }
}
