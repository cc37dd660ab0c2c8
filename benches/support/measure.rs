//! What the benchmarks measure with: clocks, the CPU time of threads, medians.

use std::fs;
use std::time::{Duration, Instant};

/// The clock.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The middle one of several figures.
pub(crate) fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// CPU time of the calling thread so far, by Linux' own count in nanoseconds.
pub(crate) fn thread_cpu_time() -> Duration {
    schedstat("/proc/thread-self/schedstat").unwrap_or_default()
}

/// CPU time of all threads of this process so far.
pub(crate) fn process_cpu_time() -> Duration {
    let threads = fs::read_dir("/proc/self/task").expect("Linux");
    let times = threads.flatten().filter_map(|thread| {
        let path = thread.path().join("schedstat");
        schedstat(path.to_str()?)
    });
    times.sum()
}

fn schedstat(path: &str) -> Option<Duration> {
    let text = fs::read_to_string(path).ok()?;
    let nanos = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

/// Whether everything, the broker too, runs on one CPU: only then do CPU times and latencies compare.
pub(crate) fn is_pinned() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let allowed = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    allowed.is_some_and(|cpus| cpus.trim().parse::<u32>().is_ok())
}
