//! Compares what was sent with what an independent reader found, and names what is wrong.

use crate::reader::{Stored, StoredRecord};
use crate::records::TestRecord;
use std::collections::HashMap;
use std::ops::RangeInclusive;

/// Something that must not happen to a record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Anomaly {
    /// Sent, and nowhere in the topic.
    Lost,
    /// Stored more often than it was sent.
    Duplicated,
    /// Stored in another partition than it belongs to.
    Misplaced,
    /// Stored, and nobody sent anything like it.
    Unknown,
    /// All records of the partition are there, in another order.
    Reordered,
    /// The right record with a timestamp that is neither its own nor the time of the send.
    WrongTimestamp,
    /// Offsets are not 0, 1, 2 and so on.
    WrongOffset,
}

/// An anomaly, its partition, and the position or the record in words.
pub(crate) type Finding = (Anomaly, u32, String);

/// What was sent to one topic.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) records: Vec<TestRecord>,
    pub(crate) partitions: u32,
    /// Milliseconds of the epoch, which bound the timestamps that the producer chose.
    pub(crate) during: RangeInclusive<i64>,
    /// The reader shows headers exactly.
    pub(crate) with_headers: bool,
}

impl Sent {
    /// The findings, in the order of partitions; empty when all is well.
    pub(crate) fn check(&self, stored: &Stored) -> Vec<Finding> {
        let mut expected: HashMap<u32, Vec<&TestRecord>> = HashMap::new();
        for record in &self.records {
            expected
                .entry(record.expected_partition(self.partitions))
                .or_default()
                .push(record);
        }
        let none = Vec::new();
        let mut findings = Vec::new();
        let mut partitions: Vec<u32> = expected.keys().chain(stored.keys()).copied().collect();
        partitions.sort_unstable();
        partitions.dedup();
        for partition in partitions {
            let sent = expected.get(&partition).map_or(&[][..], Vec::as_slice);
            let found = stored.get(&partition).unwrap_or(&none);
            self.check_partition(partition, sent, found, &expected, &mut findings);
        }
        findings
    }

    /// Panics with the first findings, if there are any.
    pub(crate) fn assert_stored(&self, stored: &Stored, what: &str) {
        let findings = self.check(stored);
        let first: Vec<String> = findings
            .iter()
            .take(5)
            .map(|finding| format!("{finding:?}").chars().take(300).collect())
            .collect();
        assert!(
            findings.is_empty(),
            "{what}: {} findings, the first are {first:#?}",
            findings.len()
        );
    }

    fn check_partition(
        &self,
        partition: u32,
        sent: &[&TestRecord],
        found: &[StoredRecord],
        everywhere: &HashMap<u32, Vec<&TestRecord>>,
        findings: &mut Vec<Finding>,
    ) {
        let mut report = |anomaly, what: String| findings.push((anomaly, partition, what));
        let mut positions = found.iter().enumerate();
        if let Some((at, record)) = positions.find(|(at, record)| record.offset != *at as i64) {
            let what = format!("offset {} at position {at}", record.offset);
            report(Anomaly::WrongOffset, what);
        }
        let mut pairs = sent.iter().zip(found);
        if sent.len() == found.len() && pairs.all(|(sent, found)| self.same(sent, found)) {
            self.check_timestamps(sent, found, &mut report);
        } else {
            self.check_contents(sent, found, everywhere, &mut report);
        }
    }

    /// The records are the right ones in the right order: each has its own timestamp, or that of the send.
    fn check_timestamps(
        &self,
        sent: &[&TestRecord],
        found: &[StoredRecord],
        report: &mut impl FnMut(Anomaly, String),
    ) {
        for (sent, found) in sent.iter().zip(found) {
            let right = match sent.timestamp {
                Some(own) => own == found.timestamp,
                None => self.during.contains(&found.timestamp),
            };
            if !right && !found.log_append_time {
                let what = format!("offset {}: {}", found.offset, found.timestamp);
                report(Anomaly::WrongTimestamp, what);
            }
        }
    }

    /// The partition does not hold what was sent in that order: counts each content to say what is different.
    fn check_contents(
        &self,
        sent: &[&TestRecord],
        found: &[StoredRecord],
        everywhere: &HashMap<u32, Vec<&TestRecord>>,
        report: &mut impl FnMut(Anomaly, String),
    ) {
        let mut counts: HashMap<Content<'_>, (i64, &TestRecord)> = HashMap::new();
        for record in sent {
            let count = counts.entry(self.content_sent(record));
            count.or_insert((0, record)).0 += 1;
        }
        let mut whole = true;
        for record in found {
            let content = self.content_stored(record);
            if let Some((count, _)) = counts.get_mut(&content) {
                *count -= 1;
                continue;
            }
            let mut all = everywhere.values().flatten();
            let anomaly = match all.any(|sent| self.content_sent(sent) == content) {
                true => Anomaly::Misplaced,
                false => Anomaly::Unknown,
            };
            report(anomaly, format!("offset {}", record.offset));
            whole = false;
        }
        for (count, record) in counts.values().filter(|(count, _)| *count != 0) {
            let anomaly = match *count > 0 {
                true => Anomaly::Lost,
                false => Anomaly::Duplicated,
            };
            report(anomaly, format!("{} times: {record:?}", count.abs()));
            whole = false;
        }
        if whole {
            report(Anomaly::Reordered, format!("{} records", sent.len()));
        }
    }

    fn same(&self, sent: &TestRecord, found: &StoredRecord) -> bool {
        sent.key == found.key
            && sent.value == found.value
            && (!self.with_headers || sent.headers == found.headers)
    }

    fn content_sent<'a>(&self, record: &'a TestRecord) -> Content<'a> {
        (
            record.key.as_deref(),
            record.value.as_deref(),
            if self.with_headers {
                &record.headers
            } else {
                &[]
            },
        )
    }

    fn content_stored<'a>(&self, record: &'a StoredRecord) -> Content<'a> {
        (
            record.key.as_deref(),
            record.value.as_deref(),
            if self.with_headers {
                &record.headers
            } else {
                &[]
            },
        )
    }
}

/// Key, value and headers.
type Content<'a> = (
    Option<&'a [u8]>,
    Option<&'a [u8]>,
    &'a [(String, Option<Vec<u8>>)],
);

#[cfg(test)]
mod tests;
