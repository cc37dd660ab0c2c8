//! Which nodes let others wait longer than they usually do, and when to ask the rest of the cluster because of that.
//!
//! Java: none; there a frozen broker is noticed when `request.timeout.ms` is over.
//! Differs: does not exist in Java. A suspicion closes nothing: a slow broker is slow, and only a newer leader epoch
//! elsewhere tells a frozen one from it.
//! Threads: the I/O thread. Locks: none.

use std::time::{Duration, Instant};

use crate::client::kafka_client::QUESTION_INTERVAL;
use crate::common::cluster::NodeId;
use crate::common::fast_hash::FastMap;
use crate::common::planted::planted;
use crate::common::time::{deadline, earlier};

/// What is usual for each node, and who is overdue.
#[derive(Debug)]
pub(super) struct Suspicion {
    /// `ottla.leader.suspect.ms`: nobody is overdue before; nothing where nobody is ever suspected.
    floor: Option<Duration>,
    nodes: FastMap<NodeId, RoundTrips>,
    suspects: Vec<NodeId>,
    /// Nobody becomes overdue before this moment; nothing while nothing is awaited.
    next_look: Option<Instant>,
    last_question: Option<Instant>,
}

/// How long a node takes to answer the oldest request that it has: a moving average and the mean deviation from it, as in
/// RFC 6298.
#[derive(Debug, Default)]
struct RoundTrips {
    usual: Option<Usual>,
    /// The last sign of life on this connection: what was sent before it is the oldest since then only.
    last_heard: Option<Instant>,
}

/// In nanoseconds, since every answer costs some divisions, which are slow for a `Duration`.
#[derive(Debug, Clone, Copy)]
struct Usual {
    smoothed: u64,
    deviation: u64,
}

impl Suspicion {
    pub(super) fn new(floor: Option<Duration>) -> Self {
        Self {
            floor,
            nodes: FastMap::default(),
            suspects: Vec::new(),
            next_look: None,
            last_question: None,
        }
    }

    /// Something begins to be awaited: an answer, or a connection.
    pub(super) fn begins_to_wait(&mut self, now: Instant) {
        let first = self.floor.map(|floor| deadline(now, floor));
        self.next_look = earlier(self.next_look, first);
    }

    /// A node answered its oldest request, which was sent at `sent`.
    pub(super) fn answered(&mut self, node: NodeId, sent: Instant, now: Instant) {
        let Some(floor) = self.floor else {
            return;
        };
        let round_trips = self.nodes.entry(node).or_default();
        let took = now.saturating_duration_since(round_trips.waits_since(sent));
        // One freeze must not make the next one look usual, yet a node that grows slow must come to look so.
        let most = match planted!("freeze-hides-the-next") {
            true => Duration::MAX,
            false => round_trips.limit(floor).saturating_mul(2),
        };
        round_trips.usual = Some(Usual::with(round_trips.usual, took.min(most)));
        round_trips.last_heard = Some(now);
        self.suspects.retain(|suspect| *suspect != node);
    }

    /// The connection to a node is made or lost: what was awaited on the old one is not awaited any more.
    pub(super) fn begins_anew(&mut self, node: NodeId) {
        if let Some(round_trips) = self.nodes.get_mut(&node) {
            round_trips.last_heard = None;
        }
        self.suspects.retain(|suspect| *suspect != node);
    }

    /// Looks at the oldest thing that is awaited of each node, and since when. Returns whether anybody is newly suspected.
    pub(super) fn look(
        &mut self,
        awaited: impl Iterator<Item = (NodeId, Instant)>,
        now: Instant,
    ) -> bool {
        self.next_look = None;
        let Some(floor) = self.floor else {
            return false;
        };
        let mut found = false;
        for (node, sent) in awaited {
            let known = self.nodes.get(&node);
            let since = known.map_or(sent, |known| known.waits_since(sent));
            let limit = known.map_or(floor, |known| known.limit(floor));
            let overdue = deadline(since, limit);
            if overdue > now {
                self.next_look = earlier(self.next_look, Some(overdue));
            } else if !self.suspects.contains(&node) {
                log::debug!("node {node} is overdue after {} ms", limit.as_millis());
                self.suspects.push(node);
                found = true;
            }
        }
        if !self.suspects.is_empty() {
            self.next_look = earlier(self.next_look, self.next_question());
        }
        found
    }

    /// Whether the cluster is to be asked now who leads what; says yes at most once a second.
    pub(super) fn takes_question(&mut self, now: Instant) -> bool {
        let is_time = self.next_question().is_none_or(|at| at <= now) || planted!("question-storm");
        if self.suspects.is_empty() || !is_time {
            return false;
        }
        self.last_question = Some(now);
        self.next_look = earlier(self.next_look, self.next_question());
        true
    }

    /// Those that are overdue.
    pub(super) fn suspects(&self) -> &[NodeId] {
        &self.suspects
    }

    pub(super) fn is_suspect(&self, node: NodeId) -> bool {
        self.suspects.contains(&node)
    }

    /// When to look; nothing while nothing is awaited.
    pub(super) fn next_look(&self) -> Option<Instant> {
        self.next_look
    }

    /// Nothing is awaited of anybody.
    pub(super) fn rest(&mut self) {
        self.next_look = None;
    }

    fn next_question(&self) -> Option<Instant> {
        self.last_question.map(|at| at + QUESTION_INTERVAL)
    }
}

impl RoundTrips {
    /// Since when a request that was sent then has been the oldest one. Brokers work on one request of a connection at a
    /// time, so what waits behind another one is not late yet.
    fn waits_since(&self, sent: Instant) -> Instant {
        if planted!("pipeline-looks-late") {
            return sent;
        }
        self.last_heard.map_or(sent, |heard| heard.max(sent))
    }

    fn limit(&self, floor: Duration) -> Duration {
        self.usual.map_or(floor, |usual| usual.limit().max(floor))
    }
}

impl Usual {
    fn with(known: Option<Self>, took: Duration) -> Self {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let took = took.min(LONGEST);
        let Some(known) = known else {
            return Self {
                smoothed: took,
                deviation: took / 2,
            };
        };
        let off = known.smoothed.abs_diff(took);
        Self {
            smoothed: (known.smoothed * 7 + took) / 8,
            deviation: (known.deviation * 3 + off) / 4,
        }
    }

    /// At least half as long again as usual: a node that is always slow, and always alike, is not late for a little more.
    fn limit(self) -> Duration {
        Duration::from_nanos(self.smoothed + (self.deviation * 4).max(self.smoothed / 2))
    }
}

/// Decades, so that nothing overflows.
const LONGEST: u64 = u64::MAX / 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::time::{SystemTime, Time};

    const NODE: NodeId = NodeId(1);

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    struct Fixture {
        suspicion: Suspicion,
        now: Instant,
    }

    impl Fixture {
        fn new() -> Self {
            Self {
                suspicion: Suspicion::new(Some(ms(1000))),
                now: SystemTime.now(),
            }
        }

        /// The node answers the only request that it has after `took`. Returns whether it was suspected before.
        fn round_trip(&mut self, took: Duration) -> bool {
            let sent = self.now;
            self.suspicion.begins_to_wait(sent);
            self.now += took;
            let found = self.look(sent);
            self.suspicion.answered(NODE, sent, self.now);
            found
        }

        fn look(&mut self, sent: Instant) -> bool {
            self.suspicion.look([(NODE, sent)].into_iter(), self.now)
        }
    }

    #[test]
    fn a_node_is_overdue_after_the_floor_and_no_longer_when_it_answers() {
        let mut fixture = Fixture::new();
        let sent = fixture.now;
        fixture.suspicion.begins_to_wait(sent);
        assert_eq!(fixture.suspicion.next_look(), Some(sent + ms(1000)));
        fixture.now += ms(999);
        assert!(!fixture.look(sent));
        fixture.now += ms(1);
        assert!(fixture.look(sent));
        assert!(fixture.suspicion.is_suspect(NODE));
        assert!(!fixture.look(sent), "that is known");
        fixture.suspicion.answered(NODE, sent, fixture.now);
        assert!(!fixture.suspicion.is_suspect(NODE));
    }

    #[test]
    fn a_node_that_is_always_slow_comes_to_be_trusted() {
        let mut fixture = Fixture::new();
        let suspected = (0..100).filter(|n| fixture.round_trip(ms(3000 + n % 7 * 100)));
        let suspected = suspected.count();
        assert!(suspected <= 3, "suspected {suspected} times");
    }

    #[test]
    fn one_freeze_does_not_hide_the_next() {
        let mut fixture = Fixture::new();
        for _ in 0..20 {
            fixture.round_trip(ms(2));
        }
        let limit = |fixture: &Fixture| fixture.suspicion.nodes[&NODE].limit(ms(1000));
        for _ in 0..5 {
            assert!(fixture.round_trip(ms(8000)));
            assert!(limit(&fixture) < ms(2500), "{:?}", limit(&fixture));
            for _ in 0..20 {
                fixture.round_trip(ms(2));
            }
            assert_eq!(limit(&fixture), ms(1000));
        }
    }

    #[test]
    fn what_waits_behind_another_request_is_not_late() {
        let mut fixture = Fixture::new();
        let sent = fixture.now;
        for _ in 0..5 {
            fixture.now += ms(900);
            assert!(
                !fixture.look(sent),
                "each takes its time, one after another"
            );
            fixture.suspicion.answered(NODE, sent, fixture.now);
        }
        let limit = fixture.suspicion.nodes[&NODE].limit(ms(1000));
        assert!(limit < ms(2800), "{limit:?}");
    }

    #[test]
    fn questions_come_once_a_second_while_anybody_is_suspected() {
        let mut fixture = Fixture::new();
        let sent = fixture.now;
        assert!(!fixture.suspicion.takes_question(fixture.now), "no suspect");
        fixture.now += ms(1000);
        fixture.look(sent);
        let mut asked = Vec::new();
        for step in 0..40 {
            fixture.look(sent);
            if fixture.suspicion.takes_question(fixture.now) {
                asked.push(step);
            }
            fixture.now += ms(100);
        }
        assert_eq!(asked, [0, 10, 20, 30]);
        let next = fixture.suspicion.next_look();
        assert!(next.is_some_and(|at| at <= fixture.now), "asks again then");
    }

    #[test]
    fn a_new_connection_begins_without_suspicion_and_keeps_what_is_usual() {
        let mut fixture = Fixture::new();
        for _ in 0..50 {
            fixture.round_trip(ms(3000));
        }
        let sent = fixture.now;
        fixture.now += ms(20_000);
        assert!(fixture.look(sent));
        fixture.suspicion.begins_anew(NODE);
        assert!(!fixture.suspicion.is_suspect(NODE));
        let sent = fixture.now;
        fixture.now += ms(2500);
        assert!(!fixture.look(sent), "slow as ever");
    }

    #[test]
    fn without_a_floor_nobody_is_ever_suspected() {
        let mut suspicion = Suspicion::new(None);
        let now = SystemTime.now();
        suspicion.begins_to_wait(now);
        assert_eq!(suspicion.next_look(), None);
        assert!(!suspicion.look([(NODE, now)].into_iter(), now + ms(100_000)));
        assert!(!suspicion.takes_question(now + ms(100_000)));
    }
}
