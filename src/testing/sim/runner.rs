//! Runs seeds: a few with every test run, as many as one likes on demand; says how a failure can be had again.
//!
//! Java: none.
//! Differs: exists for the simulator only; what to do comes from the environment, see `docs/testing.md`.
//! Threads: as many as the environment says, each with seeds of its own. Locks: a leaf around the totals.

use std::env;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::common::kafka_thread::panic_text;
use crate::common::sync::{Condvar, Mutex, Rank};
use crate::common::time::{SystemTime, Time};
use crate::testing::sim::plan::Plan;
use crate::testing::sim::shrink::{Kept, shrink};
use crate::testing::sim::situations::Situation;
use crate::testing::sim::world::{Outcome, World};

/// What many seeds came to.
struct Totals {
    seeds: u64,
    records: u64,
    acknowledged: u64,
    requests: u64,
    faults: u64,
    events: u64,
    virtual_seconds: u64,
    /// How many seeds had each situation.
    situations: Vec<u64>,
    failures: Vec<(u64, Vec<String>)>,
    /// All hashes, in no order: the sum does not depend on which thread ran what.
    hash: u64,
}

impl Totals {
    fn new() -> Self {
        Self {
            seeds: 0,
            records: 0,
            acknowledged: 0,
            requests: 0,
            faults: 0,
            events: 0,
            virtual_seconds: 0,
            situations: vec![0; Situation::ALL.len()],
            failures: Vec::new(),
            hash: 0,
        }
    }

    fn add(&mut self, seed: u64, outcome: Outcome) {
        self.seeds += 1;
        self.records += outcome.records;
        self.acknowledged += outcome.acknowledged;
        self.requests += outcome.requests;
        self.faults += outcome.faults;
        self.events += outcome.events;
        self.virtual_seconds += outcome.virtual_time / 1_000_000;
        self.hash = self.hash.wrapping_add(outcome.hash ^ seed);
        for (count, situation) in self.situations.iter_mut().zip(Situation::ALL) {
            *count += u64::from(outcome.situations.has(*situation));
        }
        if !outcome.violations.is_empty() {
            self.failures.push((seed, outcome.violations));
        }
    }

    fn summary(&self) -> String {
        format!(
            "{} seeds: {} records ({} acknowledged), {} requests, {} faults, {} events, {} virtual seconds, hash {:016x}",
            self.seeds,
            self.records,
            self.acknowledged,
            self.requests,
            self.faults,
            self.events,
            self.virtual_seconds,
            self.hash
        )
    }

    fn missing(&self) -> Vec<&'static str> {
        let all = Situation::ALL.iter().zip(&self.situations);
        all.filter(|(_, count)| **count == 0)
            .map(|(situation, _)| situation.text())
            .collect()
    }
}

/// Runs a plan; a panic is a violation like any other.
fn run(plan: &Plan, tell: bool) -> Outcome {
    let mut outcome = Outcome::default();
    // There are tests that count what they allocate, and all pay for that.
    allocation_counter::opt_out(|| {
        let ran = catch_unwind(AssertUnwindSafe(|| World::run(plan, tell)));
        outcome = ran.unwrap_or_else(|panic| Outcome {
            violations: vec![format!("I20: panic: {}", panic_text(panic.as_ref()))],
            ..Outcome::default()
        });
    });
    outcome
}

fn run_all(first: u64, count: u64, threads: usize) -> Totals {
    let step = number("OTTLA_SIM_STEP", 1);
    let stop_at_failure = env::var("OTTLA_SIM_STOP").is_ok();
    let next = AtomicU64::new(0);
    let totals = Mutex::new(Rank::Leaf, Totals::new());
    let watch = Watch::new(threads);
    std::thread::scope(|scope| {
        scope.spawn(|| watch.watch());
        for thread in 0..threads {
            let (watch, next, totals) = (&watch, &next, &totals);
            scope.spawn(move || {
                loop {
                    // Only that nobody else gets the number matters, hence `Relaxed`.
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        watch.ends(thread);
                        return;
                    }
                    let seed = first + number * step;
                    watch.begins(thread, seed);
                    let outcome = run(&Plan::draw(seed), false);
                    if stop_at_failure && !outcome.violations.is_empty() {
                        next.store(count, Ordering::Relaxed);
                    }
                    totals.lock().add(seed, outcome);
                }
            });
        }
    });
    let mut taken = Totals::new();
    std::mem::swap(&mut taken, &mut totals.lock());
    taken.failures.sort_by_key(|(seed, _)| *seed);
    taken
}

/// Which seed each thread runs, for one that sees whether any of them never ends.
struct Watch {
    seeds: Mutex<Vec<Option<u64>>>,
    over: Condvar,
}

impl Watch {
    fn new(threads: usize) -> Self {
        Self {
            // No seed is the last one, so that nobody is done before it began.
            seeds: Mutex::new(Rank::Leaf, vec![Some(u64::MAX); threads]),
            over: Condvar::new(),
        }
    }

    fn begins(&self, thread: usize, seed: u64) {
        self.seeds.lock()[thread] = Some(seed);
    }

    fn ends(&self, thread: usize) {
        self.seeds.lock()[thread] = None;
        self.over.notify_all();
    }

    /// Ends the process where a seed is seen twice in a row.
    fn watch(&self) {
        let mut seeds = self.seeds.lock();
        let mut before = Vec::new();
        while seeds.iter().any(Option::is_some) {
            let until = SystemTime.now() + LONGEST_SEED;
            if !self.over.wait_until(&mut seeds, until) {
                continue;
            }
            let stuck = seeds.iter().zip(&before);
            let mut stuck = stuck.filter(|(now, before)| now == before);
            if let Some((Some(seed), _)) = stuck.find(|(now, _)| now.is_some()) {
                say(&format!("seed {seed}: I20: does not end"));
                std::process::exit(101);
            }
            before.clone_from(&seeds);
        }
    }
}

/// How a failing seed can be had again, and what its smallest failing part is.
fn explain(seed: u64, violations: &[String]) -> String {
    let plan = Plan::draw(seed);
    let kind = kind_of(violations);
    let kept = shrink(&plan, RUNS_TO_SHRINK, |plan| {
        kind_of(&run(plan, false).violations) == kind
    });
    let small = run(&kept.of(&plan), false);
    format!(
        "seed {seed}: {}\n  replay: OTTLA_SIM_SEED={seed} OTTLA_SIM_KEEP='{}' {COMMAND}",
        small
            .violations
            .first()
            .or(violations.first())
            .map_or("", |text| text.as_str()),
        kept.to_text()
    )
}

/// The invariant that is broken, without the details.
fn kind_of(violations: &[String]) -> Option<String> {
    let first = violations.first()?;
    Some(first.split(':').next().unwrap_or_default().to_owned())
}

fn say(text: &str) {
    // Nobody reads what cannot be written.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn number(name: &str, otherwise: u64) -> u64 {
    let text = env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn check(totals: &Totals) {
    say(&totals.summary());
    if env::var("OTTLA_SIM_SITUATIONS").is_ok() {
        for (situation, count) in Situation::ALL.iter().zip(&totals.situations) {
            say(&format!("{count:>8} {}", situation.text()));
        }
    }
    let is_hunt = env::var("OTTLA_SIM_STOP").is_ok() || env::var("OTTLA_SIM_BRIEFLY").is_ok();
    let explained = if is_hunt { 0 } else { MOST_EXPLAINED };
    let shown = totals.failures.iter().take(explained);
    let texts: Vec<_> = shown.map(|(seed, what)| explain(*seed, what)).collect();
    for (seed, violations) in totals.failures.iter().skip(explained).take(50) {
        say(&format!("seed {seed}: {}", violations[0]));
    }
    assert!(
        totals.failures.is_empty(),
        "{} of {} seeds fail:\n{}",
        totals.failures.len(),
        totals.seeds,
        texts.join("\n")
    );
}

/// `OTTLA_SIM_SEEDS` seeds from `OTTLA_SIM_FIRST` on, on `OTTLA_SIM_THREADS` threads. With `OTTLA_SIM_SITUATIONS` the
/// table of situations is printed, and each must have come up.
#[test]
fn every_seed_keeps_every_promise() {
    if env::var("OTTLA_SIM_SEED").is_ok() {
        return;
    }
    let first = number("OTTLA_SIM_FIRST", 0);
    let threads = usize::try_from(number("OTTLA_SIM_THREADS", 2)).unwrap_or(2);
    let totals = run_all(first, number("OTTLA_SIM_SEEDS", SEEDS), threads);
    check(&totals);
    if env::var("OTTLA_SIM_SITUATIONS").is_ok() {
        assert_eq!(totals.missing(), Vec::<&str>::new(), "never came up");
    }
}

/// `OTTLA_SIM_TWICE` seeds, each run a second time.
#[test]
fn a_seed_always_tells_the_same_story() {
    let seeds = number("OTTLA_SIM_TWICE", SEEDS_TWICE);
    let different = (0..seeds).filter(|seed| {
        let plan = Plan::draw(*seed);
        run(&plan, false).hash != run(&plan, false).hash
    });
    let different: Vec<_> = different.collect();
    assert_eq!(different, Vec::<u64>::new(), "told another story");
}

/// `OTTLA_SIM_SEED`, the parts of it that `OTTLA_SIM_KEEP` names, told line by line.
#[test]
fn one_seed_is_replayed_on_demand() {
    let Some(seed) = env::var("OTTLA_SIM_SEED").ok().and_then(|s| s.parse().ok()) else {
        return;
    };
    let mut plan = Plan::draw(seed);
    if let Ok(text) = env::var("OTTLA_SIM_KEEP") {
        let kept = Kept::from_text(&text, &plan).expect("OTTLA_SIM_KEEP as it was printed");
        plan = kept.of(&plan);
    }
    let outcome = run(&plan, true);
    for (number, producer) in plan.producers.iter().enumerate() {
        say(&format!("producer {number}: {:?}", producer.settings));
    }
    outcome.story.iter().for_each(|line| say(line));
    assert_eq!(outcome.violations, Vec::<String>::new(), "seed {seed}");
}

/// Seeds that failed once, whole and as small as they were made.
#[test]
fn what_failed_once_does_not_fail_again() {
    for line in include_str!("regressions.txt").lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let (seed, kept) = line.split_once(' ').unwrap_or((line, ""));
        let Ok(seed) = seed.parse() else {
            assert!(line.is_empty(), "regressions.txt: {line}");
            continue;
        };
        let plan = Plan::draw(seed);
        let kept = Kept::from_text(kept, &plan).expect("as it was printed");
        for plan in [kept.of(&plan), plan] {
            let outcome = run(&plan, false);
            assert_eq!(outcome.violations, Vec::<String>::new(), "seed {seed}");
        }
    }
}

const COMMAND: &str = "cargo test --profile sim --all-features --lib sim::runner -- --nocapture";
const SEEDS: u64 = 24;
const SEEDS_TWICE: u64 = 10;
/// By the real clock, also on a machine with much else to do; most take a hundredth of a second.
const LONGEST_SEED: Duration = Duration::from_secs(120);
const RUNS_TO_SHRINK: usize = 300;
const MOST_EXPLAINED: usize = 3;
