//! Brokers that die, stand still and are cut off, in virtual time: who leads then, and what is lost.

use super::replication::{COPY, SESSION, written};
use super::*;
use crate::broker::cluster::brokers::Timings;

const MS: Duration = Duration::from_millis(1);
const EVERY: [i32; 3] = [1, 2, 3];

impl Fixture {
    fn kill(&mut self, broker: i32) {
        let now = self.now.monotonic;
        self.core.broker_killed(NodeId(broker), 0, now);
    }

    fn start(&mut self, broker: i32) {
        let now = self.now.monotonic;
        let host = "127.0.0.1".to_owned();
        self.core.broker_started(NodeId(broker), host, 9000, now);
    }

    fn pause(&mut self, broker: i32) {
        let now = self.now.monotonic;
        self.core.broker_paused(NodeId(broker), now);
    }

    fn resume(&mut self, broker: i32) -> Vec<Reply> {
        let mut replies = Vec::new();
        let now = self.now;
        self.core.broker_resumed(NodeId(broker), now, &mut replies);
        replies
    }

    /// Cuts broker 1 off from the others.
    fn isolate(&mut self) {
        let now = self.now.monotonic;
        let others = [NodeId(2), NodeId(3)];
        self.core.topics.cut(&[NodeId(1)], &others, now);
    }

    fn epoch(&self) -> i32 {
        self.partition().current().epoch.0
    }

    fn offsets(&self, broker: i32) -> Vec<i64> {
        let records = self.replica(broker).log.records();
        records.map(|record| record.offset).collect()
    }

    /// The epochs under which the batches of a replica were written.
    fn epochs(&self, broker: i32) -> Vec<i32> {
        let batches = self.replica(broker).log.batches_from(0);
        batches
            .map(|batch| batch.header().partition_leader_epoch)
            .collect()
    }

    /// What a broker says of partition 0: its error, its leader, and which brokers there are.
    fn metadata(&mut self, broker: i32) -> (i16, i32, Vec<i32>) {
        let topics = Some(vec![MetadataRequestTopic {
            name: Some("t".to_owned()),
            ..Default::default()
        }]);
        let request = MetadataRequest {
            topics,
            ..Default::default()
        };
        let Some(ResponseBody::Metadata(response)) = body(self.ask_at(broker, 12, request)) else {
            panic!("no answer")
        };
        let partition = &response.topics[0].partitions[0];
        let brokers = response.brokers.iter().map(|b| b.node_id).collect();
        (partition.error_code, partition.leader_id, brokers)
    }

    fn write_numbered(&mut self, broker: i32, sequence: i32) -> PartitionProduceResponse {
        let me = ProducerIdAndEpoch {
            producer_id: 7,
            epoch: 0,
        };
        let request = ProduceRequest {
            acks: 1,
            ..produce("t", 0, numbered(me, sequence, false))
        };
        written(self.ask_at(broker, 12, request))
    }
}

#[test]
fn a_killed_leader_takes_along_what_no_follower_had() {
    let mut fixture = Fixture::slow();
    fixture.send(1, 1);
    fixture.pass(COPY);
    assert_eq!(written(fixture.send(1, 1)).error_code, 0);
    fixture.kill(1);
    assert_eq!((fixture.leader(), fixture.epoch()), (Some(2), 1));
    assert_eq!(written(fixture.send(2, 1)).base_offset, 1);
    fixture.start(1);
    fixture.pass(COPY);
    for broker in EVERY {
        assert_eq!(fixture.epochs(broker), [0, 1], "broker {broker}");
    }
    assert_eq!(fixture.isr(), EVERY);
    assert_eq!(fixture.leader(), Some(2), "leadership does not move back");
}

#[test]
fn what_was_acknowledged_with_acks_of_all_outlives_its_leader() {
    let mut fixture = Fixture::slow();
    assert!(fixture.send(1, -1).is_empty());
    assert_eq!(written(fixture.pass(COPY)).error_code, 0);
    fixture.kill(1);
    assert_eq!(fixture.offsets(2), [0]);
}

#[test]
fn a_leader_that_stops_in_order_hands_over_all_that_it_has() {
    let mut fixture = Fixture::slow();
    fixture.send(1, 1);
    let now = fixture.now.monotonic;
    fixture.core.broker_stopped(NodeId(1), now);
    assert_eq!(fixture.leader(), Some(2));
    assert_eq!(fixture.ends(), [1, 1, 1]);
}

#[test]
fn a_request_at_a_dead_broker_gets_no_answer_and_nothing_waits_for_it() {
    let mut fixture = Fixture::slow();
    assert!(fixture.send(1, -1).is_empty());
    fixture.kill(1);
    assert!(fixture.pass(Duration::from_secs(5)).is_empty());
    assert!(fixture.send(1, 1).is_empty());
}

#[test]
fn a_crash_that_is_noticed_late_leaves_the_dead_leader_in_the_metadata() {
    let mut fixture = Fixture::slow();
    fixture.core.topics.set_timings(Timings {
        crash_notice: SESSION,
        ..Timings::default()
    });
    fixture.kill(1);
    assert_eq!(fixture.metadata(2), (0, 1, vec![1, 2, 3]));
    fixture.pass(SESSION);
    assert_eq!(fixture.metadata(2), (0, 2, vec![2, 3]));
}

#[test]
fn nobody_leads_until_one_that_was_in_sync_returns() {
    let mut fixture = Fixture::slow();
    fixture.send(1, 1);
    fixture.pass(COPY);
    fixture.hold_back(3);
    fixture.send(1, 1);
    fixture.pass(COPY);
    fixture.kill(1);
    fixture.kill(2);
    assert_eq!(fixture.isr(), [2]);
    let unavailable = Errors::LeaderNotAvailable.code();
    assert_eq!(fixture.metadata(3), (unavailable, -1, vec![3]));
    fixture.start(1);
    assert_eq!(fixture.leader(), None, "1 was not in sync when 2 died");
    fixture.start(2);
    assert_eq!(fixture.leader(), Some(2));
    assert_eq!(fixture.offsets(2), [0, 1]);
}

#[test]
fn an_unclean_election_loses_what_the_new_leader_lacks_at_every_replica() {
    let mut fixture = Fixture::slow();
    fixture.hold_back(2);
    fixture.hold_back(3);
    for _ in 0..3 {
        assert_eq!(written(fixture.send(1, -1)).error_code, 0);
    }
    fixture.kill(1);
    assert_eq!(fixture.leader(), None);
    fixture.configure(|log| log.unclean_leader_election = true);
    assert_eq!(fixture.leader(), Some(2));
    assert_eq!(written(fixture.send(2, 1)).base_offset, 0);
    let now = fixture.now.monotonic;
    fixture.core.topics.let_go("t", 0, now);
    fixture.start(1);
    fixture.pass(COPY);
    for broker in EVERY {
        assert_eq!(fixture.epochs(broker), [2], "broker {broker}");
    }
}

#[test]
fn a_machine_that_loses_its_last_batches_and_leads_again_has_lost_them_for_all() {
    let mut fixture = Fixture::slow();
    for _ in 0..3 {
        fixture.send(1, 1);
    }
    fixture.pass(COPY);
    fixture.kill(2);
    fixture.kill(3);
    let now = fixture.now.monotonic;
    fixture.core.broker_killed(NodeId(1), 2, now);
    fixture.start(1);
    assert_eq!(fixture.leader(), Some(1));
    fixture.start(2);
    fixture.start(3);
    fixture.pass(COPY);
    assert_eq!(fixture.ends(), [1, 1, 1]);
}

#[test]
fn a_frozen_leader_takes_requests_and_answers_nothing_until_it_goes_on() {
    let mut fixture = Fixture::slow();
    fixture.pause(1);
    assert!(fixture.send(1, 1).is_empty());
    assert!(fixture.pass(SESSION - MS).is_empty());
    assert_eq!(fixture.leader(), Some(1));
    assert_eq!(written(fixture.resume(1)).error_code, 0);
    fixture.pass(SESSION * 5);
    assert_eq!((fixture.leader(), fixture.epoch()), (Some(1), 0));
    assert_eq!(fixture.ends(), [1, 1, 1]);
}

#[test]
fn a_thawed_leader_acknowledges_in_the_old_faith_what_is_lost_when_it_hears_of_the_new_one() {
    let mut fixture = Fixture::slow();
    fixture.pause(1);
    assert!(fixture.send(1, 1).is_empty());
    fixture.pass(SESSION);
    assert_eq!((fixture.leader(), fixture.epoch()), (Some(2), 1));
    assert_eq!(fixture.isr(), [2, 3]);
    assert_eq!(written(fixture.send(2, 1)).base_offset, 0);
    let lie = written(fixture.resume(1));
    assert_eq!((lie.error_code, lie.base_offset), (0, 0));
    let refused = written(fixture.send(1, 1));
    assert_eq!(refused.error_code, Errors::NotLeaderOrFollower.code());
    assert_eq!(refused.current_leader.leader_id, 2);
    fixture.pass(COPY);
    for broker in EVERY {
        assert_eq!(fixture.epochs(broker), [1], "broker {broker}");
    }
    assert_eq!(fixture.isr(), EVERY);
}

#[test]
fn what_a_frozen_leader_has_received_is_written_although_the_client_has_hung_up() {
    let mut fixture = Fixture::slow();
    fixture.pause(1);
    assert!(fixture.send(1, 1).is_empty());
    fixture.core.connection_closed(ConnectionId {
        broker: NodeId(1),
        number: 1,
    });
    fixture.resume(1);
    fixture.pass(COPY);
    assert_eq!(fixture.ends(), [1, 1, 1]);
}

#[test]
fn a_thawed_leader_does_not_acknowledge_what_must_be_in_all_replicas() {
    let mut fixture = Fixture::slow();
    fixture.pause(1);
    assert!(fixture.send(1, -1).is_empty());
    fixture.pass(SESSION);
    let answer = written(fixture.resume(1));
    assert_eq!(answer.error_code, Errors::NotLeaderOrFollower.code());
    fixture.pass(COPY);
    assert_eq!(fixture.ends(), [0, 0, 0]);
}

#[test]
fn a_write_that_waits_when_its_leader_freezes_is_answered_after_it_goes_on() {
    let mut fixture = Fixture::slow();
    assert!(fixture.send(1, -1).is_empty());
    fixture.pause(1);
    assert!(fixture.pass(SESSION / 2).is_empty());
    assert!(fixture.resume(1).is_empty());
    assert_eq!(written(fixture.pass(COPY)).error_code, 0);
}

#[test]
fn an_isolated_leader_acknowledges_nothing_that_must_be_in_all_replicas() {
    let mut fixture = Fixture::slow();
    fixture.isolate();
    assert_eq!(written(fixture.send(1, 1)).base_offset, 0);
    fixture.pass(SESSION);
    assert_eq!(fixture.leader(), Some(2));
    assert_eq!(written(fixture.send(2, 1)).base_offset, 0);
    assert_eq!(
        written(fixture.send(1, 1)).base_offset,
        1,
        "it has not heard"
    );
    assert_eq!(fixture.metadata(1), (0, 1, vec![1, 2, 3]));
    assert!(fixture.send(1, -1).is_empty());
    let answer = written(fixture.pass(Duration::from_secs(1)));
    assert_eq!(answer.error_code, Errors::RequestTimedOut.code());
    let now = fixture.now.monotonic;
    fixture.core.topics.heal(now);
    assert_eq!(fixture.metadata(1), (0, 2, vec![1, 2, 3]));
    fixture.pass(COPY);
    assert_eq!(fixture.ends(), [1, 1, 1]);
    assert_eq!(fixture.epochs(1), [1]);
}

#[test]
fn brokers_hear_of_a_new_leader_later_where_word_takes_time() {
    let mut fixture = Fixture::slow();
    let word = Duration::from_millis(50);
    fixture.core.topics.set_timings(Timings {
        metadata: word,
        ..Timings::default()
    });
    let now = fixture.now.monotonic;
    assert!(fixture.core.topics.move_leader("t", 0, NodeId(2), now));
    assert_eq!(written(fixture.send(1, 1)).error_code, 0, "it still leads");
    let not_led = Errors::NotLeaderOrFollower.code();
    assert_eq!(written(fixture.send(2, 1)).error_code, not_led);
    assert_eq!(fixture.metadata(3).1, 1);
    fixture.pass(word);
    assert_eq!(fixture.metadata(3).1, 2);
    assert_eq!(written(fixture.send(1, 1)).error_code, not_led);
    assert_eq!(written(fixture.send(2, 1)).error_code, 0);
}

#[test]
fn a_new_leader_knows_the_producers_of_its_own_log_and_takes_any_sequence_from_others() {
    let mut fixture = Fixture::slow();
    assert_eq!(fixture.write_numbered(1, 0).base_offset, 0);
    fixture.pass(COPY);
    assert_eq!(fixture.write_numbered(1, 1).base_offset, 1);
    fixture.kill(1);
    assert_eq!(fixture.write_numbered(2, 0).base_offset, 0, "a duplicate");
    let gap = fixture.write_numbered(2, 2);
    assert_eq!(gap.error_code, Errors::OutOfOrderSequenceNumber.code());
    assert_eq!(fixture.write_numbered(2, 1).base_offset, 1);

    let mut fixture = Fixture::slow();
    assert_eq!(fixture.write_numbered(1, 0).base_offset, 0);
    fixture.kill(1);
    let first = fixture.write_numbered(2, 5);
    assert_eq!((first.error_code, first.base_offset), (0, 0));
    let late = fixture.write_numbered(2, 0);
    assert_ne!(late.error_code, Errors::None.code(), "now it is too late");
}

#[test]
fn a_truncated_follower_forgets_the_producers_of_what_it_lost() {
    let mut fixture = Fixture::slow();
    fixture.write_numbered(1, 0);
    fixture.kill(1);
    fixture.start(1);
    fixture.pass(COPY);
    let now = fixture.now.monotonic;
    assert!(fixture.core.topics.elect_preferred("t", 0, now));
    assert_eq!(fixture.leader(), Some(1));
    let first = fixture.write_numbered(1, 5);
    assert_eq!((first.error_code, first.base_offset), (0, 0));
}

#[test]
fn a_new_leader_does_not_say_where_the_log_ends_before_it_knows_what_readers_may_have_seen() {
    let mut fixture = Fixture::slow();
    fixture.send(1, 1);
    fixture.pass(COPY);
    fixture.kill(1);
    assert_eq!(fixture.replica(2).high_watermark(), 0, "it has not heard");
    let latest = |fixture: &mut Fixture, version| {
        let request = ListOffsetsRequest {
            replica_id: -1,
            topics: vec![ListOffsetsTopic {
                name: "t".to_owned(),
                partitions: vec![ListOffsetsPartition {
                    timestamp: -1,
                    ..Default::default()
                }],
            }],
            ..Default::default()
        };
        match body(fixture.ask_at(2, version, request)) {
            Some(ResponseBody::ListOffsets(response)) => {
                let found = &response.topics[0].partitions[0];
                (found.error_code, found.offset)
            }
            other => panic!("{other:?}"),
        }
    };
    let unknown = Errors::OffsetNotAvailable.code();
    assert_eq!(latest(&mut fixture, 5), (unknown, -1));
    let no_leader = Errors::LeaderNotAvailable.code();
    assert_eq!(latest(&mut fixture, 4), (no_leader, -1));
    fixture.pass(COPY);
    assert_eq!(latest(&mut fixture, 5), (0, 1));
}

#[test]
fn a_write_that_waits_ends_with_the_reign_in_which_it_came_though_its_leader_leads_again() {
    let mut fixture = Fixture::slow();
    assert!(fixture.send(1, -1).is_empty());
    let now = fixture.now.monotonic;
    for leader in [2, 1] {
        assert!(fixture.core.topics.move_leader("t", 0, NodeId(leader), now));
    }
    let answer = written(fixture.pass(Duration::ZERO));
    assert_eq!(answer.error_code, Errors::NotLeaderOrFollower.code());
}

#[test]
fn a_frozen_leader_throws_nobody_out_of_the_isr() {
    let mut fixture = Fixture::slow();
    let lag_max = Duration::from_millis(100);
    fixture.core.topics.set_timings(Timings {
        replication: COPY,
        replica_lag_max: lag_max,
        session_timeout: lag_max * 5,
        ..Timings::default()
    });
    fixture.send(1, 1);
    fixture.pause(1);
    fixture.pass(lag_max * 4);
    assert_eq!(fixture.isr(), EVERY);
    fixture.pass(lag_max);
    assert_eq!((fixture.leader(), fixture.isr()), (Some(2), vec![2, 3]));
}

#[test]
fn a_follower_that_the_controller_gave_up_on_is_not_in_sync_before_it_is_taken_in_again() {
    let mut fixture = Fixture::slow();
    let word = Duration::from_millis(50);
    fixture.core.topics.set_timings(Timings {
        replication: COPY,
        session_timeout: SESSION,
        metadata: word,
        ..Timings::default()
    });
    fixture.pause(3);
    fixture.pass(SESSION);
    fixture.pass(word);
    fixture.send(1, 1);
    assert!(fixture.resume(3).is_empty());
    fixture.pass(COPY);
    assert_eq!(fixture.ends()[2], 1, "it copies");
    assert_eq!(fixture.isr(), [1, 2]);
    // The broker hears that it is taken in again, then the leader does.
    fixture.pass(word);
    fixture.pass(word);
    fixture.pass(COPY);
    assert_eq!(fixture.isr(), EVERY);
}
