//! Waits until a process has nothing more to do: whatever it does next, somebody else gave the cause.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// How often the threads of the process had gone to sleep when it was last found asleep.
#[derive(Default)]
pub(crate) struct LastSleep(AtomicU64);

impl LastSleep {
    /// Returns once all threads of the process sleep at the same time and one has been awake since the last time; or it is gone.
    pub(crate) fn wait_for_next(&self, process: &str) {
        let mut before = None;
        while let Ok(now) = sleeps(process) {
            // Who sleeps in two looks, and has not gone to sleep between them, slept all the time from one to the other.
            if now.is_some() && now == before && self.is_new(now.as_deref().unwrap_or_default()) {
                return;
            }
            if now.is_none() || now == before {
                super::sleep(Duration::from_micros(20));
            }
            before = now;
        }
    }

    /// To one caller only, however many wait for the same sleep.
    fn is_new(&self, sleeps: &[(String, u64)]) -> bool {
        let sum = sleeps.iter().map(|(_, count)| count).sum();
        self.0.swap(sum, Relaxed) != sum
    }
}

/// Each thread with how often it has gone to sleep; `None` while one is awake, an error when the process is gone.
fn sleeps(process: &str) -> io::Result<Option<Vec<(String, u64)>>> {
    let mut threads = Vec::new();
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let path = thread?.path();
        let Ok(status) = fs::read_to_string(path.join("status")) else {
            return Ok(None);
        };
        let field = |name| status.lines().find_map(|line| line.strip_prefix(name));
        if !field("State:").is_some_and(|state| state.trim().starts_with('S')) {
            return Ok(None);
        }
        let count = field("voluntary_ctxt_switches:").and_then(|count| count.trim().parse().ok());
        threads.push((path.display().to_string(), count.unwrap_or(0)));
    }
    Ok(Some(threads))
}
