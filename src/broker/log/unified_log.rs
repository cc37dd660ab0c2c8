//! The batches of one partition, in memory, by offset.
//!
//! Java: `storage/internals/log/UnifiedLog.java`, `LogValidator.java`.
//! Differs: one list instead of segments and indexes until there is a disk; the oldest batches go on demand only.
//! Threads: plain data. Locks: none.

use crate::broker::log::producer_state::Claim;
use crate::common::cluster::{LeaderEpoch, ProducerIdAndEpoch};
use crate::common::payload::Payload;
use crate::protocol::Records;
use crate::protocol::errors::Errors;
use crate::record::compression_type::CompressionType;
use crate::record::default_record::Record;
use crate::record::default_record_batch::{BatchHeader, DefaultRecordBatch};
use crate::record::end_transaction_marker::EndTransactionMarker;
use crate::record::memory_records::{MemoryRecords, RecordBatch};
use crate::record::record_error::RecordError;

/// The topic configurations that change what a log does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogConfig {
    /// `max.message.bytes`
    pub(crate) max_message_bytes: usize,
    /// `message.timestamp.type`
    pub(crate) log_append_time: bool,
    /// `min.insync.replicas`
    pub(crate) min_insync_replicas: usize,
    /// Readers see what all in sync have, even while those are fewer than `min.insync.replicas`; so it was before 3.7
    /// (KIP-966).
    pub(crate) high_watermark_below_min_isr: bool,
    /// `unclean.leader.election.enable`
    pub(crate) unclean_leader_election: bool,
    /// A producer is forgotten with its last batch, and then only its first one is taken; so it was before 2.5 (KIP-360).
    pub(crate) forgets_deleted_producers: bool,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            max_message_bytes: 1_048_588,
            log_append_time: false,
            min_insync_replicas: 1,
            high_watermark_below_min_isr: false,
            unclean_leader_election: false,
            forgets_deleted_producers: false,
        }
    }
}

/// A partition's batches.
#[derive(Debug)]
pub(crate) struct UnifiedLog {
    config: LogConfig,
    /// By rising offset, without gaps.
    batches: Vec<StoredBatch>,
    start_offset: i64,
    end_offset: i64,
}

/// A batch in the log; a copy shares its bytes.
#[derive(Debug, Clone)]
pub(crate) struct StoredBatch {
    header: BatchHeader,
    /// What a control batch says.
    marker: Option<EndTransactionMarker>,
    log_append_time: i64,
    /// The header as appended, and the body as it came.
    segments: [Payload; 2],
}

impl StoredBatch {
    /// The header as appended.
    pub(crate) fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// What a control batch says; nothing for records.
    pub(crate) fn marker(&self) -> Option<EndTransactionMarker> {
        self.marker
    }

    /// -1 where records keep their own timestamps.
    pub(crate) fn log_append_time(&self) -> i64 {
        self.log_append_time
    }

    fn last_offset(&self) -> i64 {
        self.header.base_offset + i64::from(self.header.last_offset_delta)
    }
}

/// A batch that may be appended.
#[derive(Debug)]
pub(crate) struct IncomingBatch {
    batch: DefaultRecordBatch,
    max_timestamp: i64,
}

/// Where a batch was appended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Appended {
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
    /// -1 where records keep their own timestamps.
    pub(crate) log_append_time: i64,
}

/// Why a batch may not be appended.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) error: Errors,
    pub(crate) message: String,
}

impl IncomingBatch {
    /// What a coordinator writes where a transaction ends.
    pub(crate) fn marker(
        marker: EndTransactionMarker,
        producer: ProducerIdAndEpoch,
        wall_clock_ms: i64,
    ) -> Self {
        Self {
            batch: marker.batch(producer, wall_clock_ms),
            max_timestamp: wall_clock_ms,
        }
    }

    pub(crate) fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    /// What an idempotent producer says of the batch.
    pub(crate) fn claim(&self) -> Option<Claim> {
        Claim::of(self.batch.header())
    }

    pub(crate) fn last_offset_delta(&self) -> i32 {
        self.batch.header().last_offset_delta
    }

    /// zstd may come with Produce 7 or later only (KIP-110).
    pub(crate) fn is_zstd(&self) -> bool {
        matches!(
            self.batch.header().attributes.codec(),
            Ok(CompressionType::Zstd)
        )
    }
}

impl UnifiedLog {
    pub(crate) fn new(config: LogConfig) -> Self {
        Self {
            config,
            batches: Vec::new(),
            start_offset: 0,
            end_offset: 0,
        }
    }

    pub(crate) fn config(&self) -> &LogConfig {
        &self.config
    }

    /// From now on this holds.
    pub(crate) fn configure(&mut self, config: LogConfig) {
        self.config = config;
    }

    /// The offset of the first record that is kept.
    pub(crate) fn start_offset(&self) -> i64 {
        self.start_offset
    }

    /// The offset of the next record.
    pub(crate) fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// Checks what a producer wants to append: exactly one batch of format 2, whole and consistent.
    pub(crate) fn validate(&self, records: Option<&Records>) -> Result<IncomingBatch, Refusal> {
        let Some(records) = records.filter(|records| !records.is_empty()) else {
            return Err(refuse(
                Errors::InvalidRecord,
                "no batch came for the partition",
            ));
        };
        let limit = self.config.max_message_bytes;
        if records.size() > limit {
            let text = format!(
                "a batch of {} bytes is larger than max.message.bytes {limit}",
                records.size()
            );
            return Err(refuse(Errors::MessageTooLarge, text));
        }
        let batch = only_batch(records)?;
        batch.ensure_valid().map_err(unreadable)?;
        let max_timestamp = check_records(&batch)?;
        Ok(IncomingBatch {
            batch,
            max_timestamp,
        })
    }

    /// Appends a batch at the end.
    pub(crate) fn append(
        &mut self,
        incoming: IncomingBatch,
        epoch: LeaderEpoch,
        wall_clock_ms: i64,
    ) -> Appended {
        let base_offset = self.end_offset;
        let log_append_time = self.config.log_append_time.then_some(wall_clock_ms);
        let segments = incoming
            .batch
            .appended(base_offset, epoch.0, log_append_time);
        let stored = StoredBatch {
            header: BatchHeader {
                base_offset,
                partition_leader_epoch: epoch.0,
                max_timestamp: log_append_time.unwrap_or(incoming.max_timestamp),
                ..*incoming.batch.header()
            },
            marker: EndTransactionMarker::of(&incoming.batch),
            log_append_time: log_append_time.unwrap_or(-1),
            segments,
        };
        let appended = Appended {
            base_offset,
            last_offset: stored.last_offset(),
            log_append_time: stored.log_append_time,
        };
        self.append_copy(stored);
        appended
    }

    /// Appends a batch as another replica has it.
    pub(crate) fn append_copy(&mut self, batch: StoredBatch) {
        self.end_offset = batch.last_offset() + 1;
        self.batches.push(batch);
    }

    /// Removes the batches from `end` on, which is where one of them begins.
    pub(crate) fn truncate_to(&mut self, end: i64) {
        self.batches.truncate(self.position_of(end));
        self.end_offset = end;
        self.start_offset = self.start_offset.min(end);
    }

    /// Removes everything; the next record gets `offset`.
    pub(crate) fn restart_at(&mut self, offset: i64) {
        self.batches.clear();
        self.start_offset = offset;
        self.end_offset = offset;
    }

    /// Removes the batches that lie wholly before `to`, at most all of them.
    pub(crate) fn raise_start_offset(&mut self, to: i64) {
        let to = to.min(self.end_offset);
        if to > self.start_offset {
            self.start_offset = to;
            self.batches.drain(..self.position_of(to));
        }
    }

    /// Where the log would end without its last batches.
    pub(crate) fn end_without_last(&self, count: usize) -> i64 {
        let left = self.batches.len().saturating_sub(count);
        self.batches
            .get(left)
            .map_or(self.end_offset, |batch| batch.header.base_offset)
    }

    pub(crate) fn last_batch(&self) -> Option<&StoredBatch> {
        self.batches.last()
    }

    /// The batches from the one that holds `offset` on.
    pub(crate) fn batches_from(&self, offset: i64) -> impl Iterator<Item = &StoredBatch> {
        self.batches.iter().skip(self.position_of(offset))
    }

    /// The batches from the one that holds `offset` on that lie before `up_to`, as many as fit into `limit`; the first
    /// one in any case where `always_one` says so.
    pub(crate) fn read(&self, offset: i64, up_to: i64, limit: usize, always_one: bool) -> Records {
        let mut segments = Vec::new();
        let mut size = 0;
        for batch in self.batches_from(offset) {
            size += batch
                .segments
                .iter()
                .map(|segment| segment.len())
                .sum::<usize>();
            let too_much = size > limit && !(always_one && segments.is_empty());
            if too_much || batch.last_offset() >= up_to {
                break;
            }
            segments.extend(batch.segments.iter().cloned());
        }
        Records::new(segments)
    }

    /// The first record before `up_to` with at least this timestamp: its offset and its own timestamp.
    pub(crate) fn first_offset_at(&self, timestamp: i64, up_to: i64) -> Option<(i64, i64)> {
        let batches = self
            .before(up_to)
            .filter(|batch| batch.header.max_timestamp >= timestamp);
        let mut records = batches
            .flat_map(decode)
            .map(|record| (record.offset, record.timestamp));
        records.find(|(_, own)| *own >= timestamp)
    }

    /// The first record before `up_to` with the largest timestamp: its offset and the timestamp.
    pub(crate) fn largest_timestamp(&self, up_to: i64) -> Option<(i64, i64)> {
        let largest = self
            .before(up_to)
            .map(|batch| batch.header.max_timestamp)
            .max()?;
        self.first_offset_at(largest, up_to)
    }

    /// Every record, decoded; markers are none.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record> {
        self.records_where(self.end_offset, |_| true)
    }

    /// The records before `up_to` in the batches that are wanted, decoded; markers are none.
    pub(crate) fn records_where(
        &self,
        up_to: i64,
        wanted: impl Fn(&BatchHeader) -> bool,
    ) -> impl Iterator<Item = Record> {
        let start = self.start_offset;
        let data = self
            .before(up_to)
            .filter(move |batch| batch.marker.is_none() && wanted(&batch.header));
        let records = data.flat_map(decode);
        records.filter(move |record| record.offset >= start)
    }

    /// Where the batch is that holds `offset`, or would be.
    fn position_of(&self, offset: i64) -> usize {
        self.batches
            .partition_point(|batch| batch.last_offset() < offset)
    }

    fn before(&self, up_to: i64) -> impl Iterator<Item = &StoredBatch> {
        self.batches
            .iter()
            .take_while(move |batch| batch.last_offset() < up_to)
    }
}

/// The records of a batch; they were readable when it was appended.
fn decode(stored: &StoredBatch) -> Vec<Record> {
    let bytes = Records::new(stored.segments.to_vec()).contiguous();
    let batch =
        DefaultRecordBatch::read(bytes).and_then(|batch| batch.records(LARGEST_BODY)?.collect());
    batch.unwrap_or_default()
}

/// The one batch of format 2 that a Produce request may bring for a partition.
fn only_batch(records: &Records) -> Result<DefaultRecordBatch, Refusal> {
    let mut batches = MemoryRecords::new(records.contiguous()).batches();
    let first = batches.next().transpose().map_err(unreadable)?;
    match first {
        Some(RecordBatch::Default(batch)) if batches.position() == records.size() => Ok(batch),
        Some(RecordBatch::Legacy(_)) => Err(refuse(
            Errors::InvalidRecord,
            "only batches of format 2 may be produced",
        )),
        Some(_) => Err(refuse(
            Errors::InvalidRecord,
            "exactly one batch may be produced for a partition",
        )),
        None => Err(refuse(Errors::CorruptMessage, "the batch is cut off")),
    }
}

/// Reads every record as the broker does; returns the largest timestamp.
fn check_records(batch: &DefaultRecordBatch) -> Result<i64, Refusal> {
    let header = batch.header();
    if header.attributes.is_control() {
        return Err(refuse(
            Errors::InvalidRecord,
            "producers may not write control batches",
        ));
    }
    if header.count < 1 || header.last_offset_delta != header.count - 1 {
        let (count, delta) = (header.count, header.last_offset_delta);
        let text = format!("a batch of {count} records cannot have the last offset delta {delta}");
        return Err(refuse(Errors::InvalidRecord, text));
    }
    let mut largest = i64::MIN;
    let records = batch.records(LARGEST_BODY).map_err(unreadable)?;
    for (expected, record) in (header.base_offset..).zip(records) {
        let record = record.map_err(unreadable)?;
        if record.offset != expected {
            let text = format!(
                "a record has the offset {} where {expected} should come",
                record.offset
            );
            return Err(refuse(Errors::InvalidRecord, text));
        }
        largest = largest.max(record.timestamp);
    }
    Ok(largest)
}

fn unreadable(error: RecordError) -> Refusal {
    let code = match error {
        RecordError::UnknownCodec(_) | RecordError::CodecNotBuilt(_) => {
            Errors::UnsupportedCompressionType
        }
        RecordError::Record { .. } => Errors::InvalidRecord,
        _ => Errors::CorruptMessage,
    };
    refuse(code, error.to_string())
}

fn refuse(error: Errors, message: impl Into<String>) -> Refusal {
    Refusal {
        error,
        message: message.into(),
    }
}

/// What a batch may become when it is decompressed: far more than any real one, far less than memory.
const LARGEST_BODY: usize = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::golden::hex;

    const FORMAT_0: &str = "0000000000000000000000101fecd70a0000000000016b0000000176";
    const FORMAT_2: &str = concat!(
        "00000000000000000000003affffffff02e99b8dd80000000000000000018bcfe568000000018bcfe56800",
        "ffffffffffffffffffffffffffff0000000110000000026b027600"
    );

    fn refusal(text: &str) -> Option<Errors> {
        let records = Records::from(Payload::new(hex(text)));
        let log = UnifiedLog::new(LogConfig::default());
        log.validate(Some(&records))
            .err()
            .map(|refusal| refusal.error)
    }

    /// Java: `ProduceRequestTest.testV3AndAboveCannotHaveMultipleRecordBatches` and its neighbours.
    #[test]
    fn exactly_one_batch_of_format_2_may_be_produced() {
        assert_eq!(refusal(FORMAT_2), None);
        assert_eq!(refusal(""), Some(Errors::InvalidRecord));
        assert_eq!(refusal(FORMAT_0), Some(Errors::InvalidRecord));
        let two = FORMAT_2.repeat(2);
        assert_eq!(refusal(&two), Some(Errors::InvalidRecord));
        assert_eq!(refusal(&FORMAT_2[..130]), Some(Errors::CorruptMessage));
    }
}
