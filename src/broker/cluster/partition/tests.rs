//! Elections of one partition.

use super::*;
use crate::common::time::{SystemTime, Time};

fn nodes(ids: &[i32]) -> Vec<NodeId> {
    ids.iter().copied().map(NodeId).collect()
}

fn three_brokers() -> Brokers {
    let now = SystemTime.now();
    let mut brokers = Brokers::new(Default::default());
    for id in 1..=3 {
        brokers.started(NodeId(id), "127.0.0.1".to_owned(), 9000, now);
        while brokers.next_to_hear(now).is_some() {}
        brokers.set_fenced(NodeId(id), false);
    }
    brokers
}

#[test]
fn a_dead_leader_is_replaced_by_the_first_replica_in_sync_under_a_new_epoch() {
    let mut brokers = three_brokers();
    let mut partition = Partition::new(nodes(&[1, 2, 3]), LogConfig::default(), &brokers);
    partition.leave_isr(NodeId(2), &brokers);
    brokers.set_fenced(NodeId(1), true);
    partition.fence(NodeId(1), &brokers);
    let expected = Leadership {
        leader: Some(NodeId(3)),
        epoch: LeaderEpoch(1),
        isr: nodes(&[3]),
    };
    assert_eq!(partition.current(), &expected);
    brokers.set_fenced(NodeId(1), false);
    partition.elect(&brokers);
    assert_eq!(partition.current(), &expected, "a live leader stays");
}

#[test]
fn nobody_leads_while_nobody_in_sync_is_alive_unless_unclean_election_is_allowed() {
    for unclean in [false, true] {
        let config = LogConfig {
            unclean_leader_election: unclean,
            ..LogConfig::default()
        };
        let mut brokers = three_brokers();
        let mut partition = Partition::new(nodes(&[1, 2]), config, &brokers);
        partition.leave_isr(NodeId(2), &brokers);
        brokers.set_fenced(NodeId(1), true);
        partition.fence(NodeId(1), &brokers);
        let expected = if unclean {
            (Some(NodeId(2)), nodes(&[2]))
        } else {
            (None, nodes(&[1]))
        };
        let current = partition.current();
        assert_eq!((current.leader, current.isr.clone()), expected);
        assert_eq!(current.epoch, LeaderEpoch(1));
    }
}
