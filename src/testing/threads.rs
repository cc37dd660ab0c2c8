//! Runs a scenario of several threads under thousands of schedules; exists in builds with `--cfg shuttle` only.
//!
//! Java: none; Java's concurrency tests are left to luck.
//! Differs: half of the schedules are random, half give way at a few adversarial points (PCT); one that fails is printed
//! and runs again with `OTTLA_REPLAY`.
//! Threads: shuttle's. Locks: none.

use std::io::Write;
use std::time::Instant;

use parking_lot::Mutex as Plain;
use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler, Scheduler};
use shuttle::{Config, MaxSteps, Runner};

use crate::common::sync::model::{Deadlines, set_deadlines};

pub(crate) mod latch;
pub(crate) mod model_client;
pub(crate) mod model_coordinator;
pub(crate) mod pool;
pub(crate) mod sleep;
pub(crate) mod transaction_latch;

/// Runs `scenario` under as many schedules as `OTTLA_SCHEDULES` says.
pub(crate) fn explore(
    name: &str,
    deadlines: Deadlines,
    scenario: impl Fn() + Send + Sync + Clone + 'static,
) {
    let scenario = move || {
        set_deadlines(deadlines);
        scenario();
    };
    if let Ok(schedule) = std::env::var("OTTLA_REPLAY") {
        run(ReplayScheduler::new_from_encoded(&schedule), scenario);
        return;
    }
    let schedules = number("OTTLA_SCHEDULES").unwrap_or(2000);
    let seed = number("OTTLA_SEED").unwrap_or(1);
    let half = usize::try_from(schedules.div_ceil(2)).expect("fits");
    let began = now();
    let mut tried = 0;
    for depth in PCT_DEPTHS {
        let scheduler = PctScheduler::new_from_seed(seed, depth, half / PCT_DEPTHS.len());
        tried += run(scheduler, scenario.clone());
    }
    tried += run(
        RandomScheduler::new_from_seed(seed, half.max(1)),
        scenario.clone(),
    );
    let took = now().duration_since(began);
    let seconds = took.as_secs_f64();
    let line = format!("{name}: {tried} schedules from seed {seed}, none failed, {seconds:.1} s\n");
    // Straight to standard output: CI shows how many there were without all else that tests print.
    std::io::stdout()
        .write_all(line.as_bytes())
        .expect("standard output");
}

/// How many adversarial points a schedule has: most bugs need two or three.
const PCT_DEPTHS: [usize; 2] = [2, 4];

fn run(scheduler: impl Scheduler + 'static, scenario: impl Fn() + Send + Sync + 'static) -> usize {
    let mut config = Config::new();
    config.stack_size = 256 * 1024;
    config.max_steps = MaxSteps::FailAfter(200_000);
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(scenario)
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number of schedules or a seed"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long the exploration took, for its reader; nothing depends on it"
)]
fn now() -> Instant {
    Instant::now()
}

/// What threads note down for the end of a scenario, without a step of the schedule.
#[derive(Debug, Default)]
pub(crate) struct Notes<T>(Plain<Vec<T>>);

impl<T> Notes<T> {
    pub(crate) const fn new() -> Self {
        Self(Plain::new(Vec::new()))
    }

    pub(crate) fn add(&self, note: T) {
        self.0.lock().push(note);
    }

    pub(crate) fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.0.lock())
    }

    pub(crate) fn all(&self) -> Vec<T>
    where
        T: Clone,
    {
        self.0.lock().clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }
}
