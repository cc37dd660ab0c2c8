//! Followers in virtual time: what an acknowledgement waits for, and what readers see.

use super::*;
use crate::broker::cluster::brokers::Timings;
use crate::broker::cluster::partition::Partition;
use crate::broker::cluster::replica::Replica;
use crate::protocol::messages::fetch::PartitionData;
use crate::protocol::messages::list_offsets::ListOffsetsPartitionResponse;

/// How long followers take to copy.
pub(super) const COPY: Duration = Duration::from_millis(5);
/// How long a follower may lack something.
const LAG_MAX: Duration = Duration::from_millis(300);
/// How long a broker may be silent.
pub(super) const SESSION: Duration = Duration::from_millis(200);
const MS: Duration = Duration::from_millis(1);

impl Fixture {
    /// Followers take a while to copy.
    pub(super) fn slow() -> Self {
        let mut fixture = Self::new();
        fixture.core.topics.set_timings(Timings {
            replication: COPY,
            replica_lag_max: LAG_MAX,
            session_timeout: SESSION,
            ..Timings::default()
        });
        fixture
    }

    /// As `slow`, with `min.insync.replicas` 2.
    fn careful() -> Self {
        let mut fixture = Self::slow();
        fixture.configure(|log| log.min_insync_replicas = 2);
        fixture
    }

    pub(super) fn configure(&mut self, change: impl Fn(&mut LogConfig)) {
        let now = self.now.monotonic;
        assert!(self.core.topics.configure("t", change, now));
    }

    /// Writes one record to partition 0 of `t`, whose first leader is broker 1.
    pub(super) fn send(&mut self, broker: i32, acks: i16) -> Vec<Reply> {
        let request = ProduceRequest {
            acks,
            ..produce("t", 0, batch())
        };
        self.ask_at(broker, 12, request)
    }

    pub(super) fn partition(&self) -> &Partition {
        self.core.topics.partition("t", 0).expect("made")
    }

    pub(super) fn replica(&self, broker: i32) -> &Replica {
        self.partition().replica(NodeId(broker)).expect("a replica")
    }

    /// The log's end at each of the three brokers.
    pub(super) fn ends(&self) -> [i64; 3] {
        [1, 2, 3].map(|broker| self.replica(broker).log.end_offset())
    }

    pub(super) fn isr(&self) -> Vec<i32> {
        let mut isr: Vec<i32> = self.partition().current().isr.iter().map(|n| n.0).collect();
        isr.sort_unstable();
        isr
    }

    pub(super) fn leader(&self) -> Option<i32> {
        self.partition().current().leader.map(|node| node.0)
    }

    pub(super) fn read(&mut self, broker: i32, offset: i64, epoch: i32) -> PartitionData {
        let mut request = fetch(0, offset, 0);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        let mut response = fetched(self.ask_at(broker, 12, request));
        response.responses.remove(0).partitions.remove(0)
    }

    fn latest(&mut self, broker: i32, epoch: i32) -> ListOffsetsPartitionResponse {
        let partition = ListOffsetsPartition {
            partition_index: 0,
            current_leader_epoch: epoch,
            timestamp: -1,
        };
        let request = ListOffsetsRequest {
            replica_id: -1,
            topics: vec![ListOffsetsTopic {
                name: "t".to_owned(),
                partitions: vec![partition],
            }],
            ..Default::default()
        };
        let Some(ResponseBody::ListOffsets(mut response)) = body(self.ask_at(broker, 7, request))
        else {
            panic!("no answer")
        };
        response.topics.remove(0).partitions.remove(0)
    }

    pub(super) fn hold_back(&mut self, broker: i32) {
        let now = self.now.monotonic;
        let held = self.core.topics.hold_back("t", 0, NodeId(broker), now);
        assert!(held, "broker {broker} is a follower");
    }
}

/// The one answer, which is to a write.
pub(super) fn written(replies: Vec<Reply>) -> PartitionProduceResponse {
    assert_eq!(replies.len(), 1, "{replies:?}");
    match body(replies) {
        Some(ResponseBody::Produce(mut response)) => {
            response.responses.remove(0).partition_responses.remove(0)
        }
        other => panic!("no answer to a write: {other:?}"),
    }
}

#[test]
fn acks_of_all_waits_for_every_replica_in_sync_and_acks_of_one_for_none() {
    let mut fixture = Fixture::slow();
    assert_eq!(written(fixture.send(1, 1)).base_offset, 0);
    assert_eq!(fixture.ends(), [1, 0, 0]);
    assert!(fixture.send(1, -1).is_empty());
    assert!(fixture.pass(COPY - MS).is_empty());
    let answer = written(fixture.pass(MS));
    assert_eq!((answer.error_code, answer.base_offset), (0, 1));
    assert_eq!(fixture.ends(), [2, 2, 2]);
}

#[test]
fn a_settled_cluster_has_nothing_to_do() {
    let mut fixture = Fixture::slow();
    fixture.send(1, 1);
    while let Some(next) = fixture.core.next_timeout() {
        let until = next.saturating_duration_since(fixture.now.monotonic);
        assert!(until <= COPY, "followers only copy, and learn of it");
        fixture.pass(until);
    }
    let marks = [1, 2, 3].map(|broker| fixture.replica(broker).high_watermark());
    assert_eq!(marks, [1, 1, 1], "followers know what all have");
}

#[test]
fn readers_see_no_further_than_the_high_watermark() {
    let mut fixture = Fixture::slow();
    fixture.send(1, 1);
    let before = fixture.read(1, 0, -1);
    assert_eq!(before.high_watermark, 0);
    assert_eq!(before.records.map_or(0, |records| records.size()), 0);
    assert_eq!(fixture.latest(1, -1).offset, 0);
    fixture.pass(COPY);
    let after = fixture.read(1, 0, -1);
    assert_eq!(after.high_watermark, 1);
    assert_eq!(after.records.map_or(0, |records| records.size()), 70);
    assert_eq!(fixture.latest(1, -1).offset, 1);
}

#[test]
fn a_reader_that_waits_is_answered_when_followers_have_copied() {
    let mut fixture = Fixture::slow();
    assert!(fixture.ask_at(1, 12, fetch(0, 0, 500)).is_empty());
    assert_eq!(fixture.send(1, 1).len(), 1, "only the write");
    assert_eq!(bytes_fetched(&fetched(fixture.pass(COPY))), 70);
}

#[test]
fn a_write_that_is_not_copied_in_time_is_answered_so_and_stays_in_the_log() {
    let mut fixture = Fixture::slow();
    let very_slow = Duration::from_secs(10);
    fixture.core.topics.set_timings(Timings {
        replication: very_slow,
        replica_lag_max: very_slow * 2,
        ..Timings::default()
    });
    assert!(fixture.send(1, -1).is_empty());
    assert!(fixture.pass(Duration::from_millis(999)).is_empty());
    let answer = written(fixture.pass(MS));
    assert_eq!(answer.error_code, Errors::RequestTimedOut.code());
    assert_eq!(fixture.ends(), [1, 0, 0]);
    fixture.pass(very_slow);
    assert_eq!(fixture.ends(), [1, 1, 1]);
}

#[test]
fn too_few_replicas_in_sync_refuse_a_write_with_acks_of_all_and_write_nothing() {
    let mut fixture = Fixture::careful();
    fixture.hold_back(2);
    assert!(fixture.send(1, -1).is_empty(), "two are enough");
    fixture.hold_back(3);
    let refused = written(fixture.send(1, -1));
    assert_eq!(refused.error_code, Errors::NotEnoughReplicas.code());
    assert_eq!(fixture.ends()[0], 1);
    assert_eq!(written(fixture.send(1, 1)).error_code, 0);
}

#[test]
fn a_write_whose_followers_leave_the_isr_is_not_acknowledged() {
    for old in [false, true] {
        let mut fixture = Fixture::careful();
        fixture.configure(|log| log.high_watermark_below_min_isr = old);
        assert!(fixture.send(1, -1).is_empty());
        fixture.hold_back(2);
        fixture.hold_back(3);
        let (after, error) = if old {
            (Duration::ZERO, Errors::NotEnoughReplicasAfterAppend)
        } else {
            (Duration::from_secs(1), Errors::RequestTimedOut)
        };
        let answer = written(fixture.pass(after));
        assert_eq!(answer.error_code, error.code());
        assert_eq!(fixture.ends(), [1, 0, 0], "it was written all the same");
        let seen = i64::from(old);
        assert_eq!(fixture.read(1, 0, -1).high_watermark, seen, "KIP-966");
    }
}

#[test]
fn a_follower_that_lags_too_long_leaves_the_isr_and_comes_back_when_it_has_caught_up() {
    let mut fixture = Fixture::slow();
    let now = fixture.now.monotonic;
    fixture
        .core
        .topics
        .set_replication_delay(Some(NodeId(3)), LAG_MAX * 2);
    fixture.core.topics.poll(now);
    assert!(fixture.send(1, -1).is_empty());
    assert!(fixture.pass(LAG_MAX - MS).is_empty());
    assert_eq!(fixture.isr(), [1, 2, 3]);
    assert_eq!(written(fixture.pass(MS)).error_code, 0);
    assert_eq!(fixture.isr(), [1, 2]);
    fixture.pass(LAG_MAX);
    assert_eq!(fixture.isr(), [1, 2, 3]);
    assert_eq!(fixture.ends(), [1, 1, 1]);
}

#[test]
fn a_follower_that_is_cut_off_leaves_the_isr_only_when_it_lacks_something() {
    let mut fixture = Fixture::slow();
    let now = fixture.now.monotonic;
    fixture.core.topics.cut(&[NodeId(1)], &[NodeId(3)], now);
    fixture.pass(LAG_MAX * 3);
    assert_eq!(fixture.isr(), [1, 2, 3]);
    fixture.send(1, 1);
    fixture.pass(LAG_MAX);
    assert_eq!(fixture.isr(), [1, 2]);
    let now = fixture.now.monotonic;
    fixture.core.topics.heal(now);
    fixture.pass(COPY);
    assert_eq!(fixture.isr(), [1, 2, 3]);
}

#[test]
fn a_reader_of_another_epoch_than_the_leaders_is_told_which_of_the_two_is_old() {
    let mut fixture = Fixture::slow();
    let now = fixture.now.monotonic;
    assert!(fixture.core.topics.move_leader("t", 0, NodeId(2), now));
    let cases = [
        (0, Errors::FencedLeaderEpoch),
        (1, Errors::None),
        (2, Errors::UnknownLeaderEpoch),
    ];
    for (epoch, error) in cases {
        assert_eq!(fixture.read(2, 0, epoch).error_code, error.code());
        assert_eq!(fixture.latest(2, epoch).error_code, error.code());
    }
    let not_led = Errors::NotLeaderOrFollower.code();
    assert_eq!(fixture.read(1, 0, 0).error_code, not_led);
}

#[test]
fn a_write_that_waits_while_its_topic_is_deleted_ends() {
    let mut fixture = Fixture::slow();
    assert!(fixture.send(1, -1).is_empty());
    assert!(fixture.core.topics.delete("t"));
    fixture
        .core
        .topics
        .create("t", &TopicPlan::DEFAULT)
        .expect("a legal plan");
    let answer = written(fixture.pass(Duration::ZERO));
    assert_eq!(answer.error_code, Errors::UnknownTopicOrPartition.code());
}

#[test]
fn the_id_of_a_deleted_topic_is_not_the_one_that_was_made_again() {
    let mut fixture = Fixture::new();
    let old = fixture.core.topics.get("t").expect("made").id;
    assert!(fixture.core.topics.delete("t"));
    let plan = TopicPlan::DEFAULT;
    fixture.core.topics.create("t", &plan).expect("legal");
    let mut request = produce("", 0, batch());
    request.topic_data[0].topic_id = old;
    let answer = written(fixture.ask_at(1, 13, request));
    assert_eq!(answer.error_code, Errors::UnknownTopicId.code());
}

#[test]
fn deleted_records_are_gone_at_every_replica_and_the_answers_say_where_the_log_begins() {
    let mut fixture = Fixture::slow();
    for _ in 0..4 {
        fixture.send(1, 1);
    }
    fixture.pass(COPY);
    fixture.send(1, 1);
    let now = fixture.now.monotonic;
    let start = fixture.core.topics.delete_records("t", 0, 9, now);
    assert_eq!(start, Some(4), "not beyond the high watermark");
    fixture.pass(COPY);
    let starts = [1, 2, 3].map(|broker| fixture.replica(broker).log.start_offset());
    assert_eq!(starts, [4, 4, 4]);
    let out_of_range = Errors::OffsetOutOfRange.code();
    assert_eq!(fixture.read(1, 3, -1).error_code, out_of_range);
    assert_eq!(written(fixture.send(1, 1)).log_start_offset, 4);
}

/// Whoever had heard of the deletion keeps to it.
#[test]
fn a_leader_that_missed_a_deletion_has_followers_whose_logs_begin_later() {
    let mut fixture = Fixture::slow();
    for _ in 0..3 {
        fixture.send(1, 1);
    }
    fixture.pass(COPY);
    (fixture.core.topics).set_replication_delay(Some(NodeId(3)), Duration::from_secs(3600));
    let now = fixture.now.monotonic;
    fixture.core.topics.delete_records("t", 0, 2, now);
    fixture.pass(COPY);
    let now = fixture.now.monotonic;
    assert!(fixture.core.topics.move_leader("t", 0, NodeId(3), now));
    fixture.send(3, 1);
    fixture.pass(COPY);
    let starts = [1, 2, 3].map(|broker| fixture.replica(broker).log.start_offset());
    assert_eq!(starts, [2, 2, 0]);
    assert_eq!(fixture.ends(), [4, 4, 4]);
}

#[test]
fn a_topic_is_placed_and_configured_as_its_request_says() {
    let mut fixture = Fixture::new();
    let mut topic = CreatableTopic {
        name: "placed".to_owned(),
        num_partitions: -1,
        replication_factor: -1,
        ..Default::default()
    };
    topic.assignments.push(CreatableReplicaAssignment {
        partition_index: 0,
        broker_ids: vec![3, 1],
    });
    topic.configs.push(CreatableTopicConfig {
        name: "min.insync.replicas".to_owned(),
        value: Some("3".to_owned()),
    });
    let mut create = |topic: &CreatableTopic| {
        let request = CreateTopicsRequest {
            topics: vec![topic.clone()],
            ..Default::default()
        };
        match body(fixture.ask(7, request)) {
            Some(ResponseBody::CreateTopics(mut response)) => response.topics.remove(0).error_code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(create(&topic), Errors::None.code());
    topic.name = "badly-placed".to_owned();
    topic.assignments[0].broker_ids = vec![3, 3];
    assert_eq!(create(&topic), Errors::InvalidReplicaAssignment.code());
    let placed = fixture.core.topics.partition("placed", 0).expect("made");
    assert_eq!(placed.current().leader, Some(NodeId(3)));
    assert_eq!(placed.replicas, [NodeId(3), NodeId(1)]);
    assert_eq!(placed.min_isr(), 2, "there are no more than two replicas");
}
