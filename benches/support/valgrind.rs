//! Runs this program again under valgrind, which counts what it does: instructions, calls of functions, system calls.

use std::ops::Sub;
use std::path::PathBuf;
use std::process::Command;

/// What a run did, all its threads together.
pub(crate) struct Counted {
    pub(crate) instructions: f64,
    pub(crate) allocations: f64,
    /// Zero in a release build, which takes locks without a call.
    pub(crate) locks: f64,
    /// Those that reach the kernel without valgrind too, and not what a timer that ran out costs.
    pub(crate) system_calls: f64,
    /// How often a thread that waits for sockets was woken, by whatever but the end of its time.
    pub(crate) wake_ups: f64,
    /// Writes to an event's descriptor, which is how such a thread is woken; sockets are written to by another call.
    pub(crate) wakers: f64,
}

/// What a long run did beyond a short one.
impl Sub for Counted {
    type Output = Self;

    fn sub(self, less: Self) -> Self {
        Self {
            instructions: self.instructions - less.instructions,
            allocations: self.allocations - less.allocations,
            locks: self.locks - less.locks,
            system_calls: self.system_calls - less.system_calls,
            wake_ups: self.wake_ups - less.wake_ups,
            wakers: self.wakers - less.wakers,
        }
    }
}

/// This program with these arguments.
pub(crate) fn count(arguments: &[&str]) -> Counted {
    let (calls, log) = (scratch("calls"), scratch("log"));
    let output = Command::new("valgrind")
        // Threads take turns in the order in which they ask for theirs.
        .args(["--tool=callgrind", "--fair-sched=yes", "--vgdb=no"])
        .args(["--compress-strings=no", "--trace-syscalls=yes"])
        .arg(format!("--callgrind-out-file={}", calls.display()))
        .arg(format!("--log-file={}", log.display()))
        .arg(std::env::current_exe().expect("this program"))
        .args(arguments)
        .output()
        .expect("valgrind is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    let counted = read(&take(&calls), &take(&log));
    assert!(counted.instructions > 0.0, "callgrind counts instructions");
    counted
}

/// `calls` is callgrind's file: who called whom how often. `log` has a line for each system call.
fn read(calls: &str, log: &str) -> Counted {
    let mut instructions = 0.0;
    let (mut allocations, mut locks) = (0.0, 0.0);
    let mut callee = "";
    for line in calls.lines() {
        if let Some(name) = line.strip_prefix("cfn=") {
            callee = name;
        } else if let Some(count) = line.strip_prefix("calls=") {
            let count = number(count.split(' ').next());
            if ["malloc", "calloc", "realloc", "posix_memalign"].contains(&callee) {
                allocations += count;
            } else if callee.ends_with("sync::held::enter") {
                locks += count;
            }
        } else if let Some(total) = line.strip_prefix("totals: ") {
            instructions = number(Some(total.trim()));
        }
    }
    let calls = SystemCalls::read(log);
    Counted {
        instructions,
        allocations,
        locks,
        system_calls: calls.all - calls.clocks - calls.timeouts,
        wake_ups: calls.polls - calls.timeouts,
        wakers: calls.wakers,
    }
}

#[derive(Default)]
struct SystemCalls {
    all: f64,
    /// Answered without the kernel where valgrind does not hide its page from the program.
    clocks: f64,
    polls: f64,
    /// Polls that ended because their time was up.
    timeouts: f64,
    wakers: f64,
}

impl SystemCalls {
    /// `SYSCALL[process,thread](number) sys_name ( arguments ) --> ..`, or without the name for how one that waits has ended.
    fn read(log: &str) -> Self {
        let mut calls = Self::default();
        for line in log.lines().filter(|line| line.starts_with("SYSCALL[")) {
            let Some((head, tail)) = line.split_once(") ") else {
                continue;
            };
            if tail.starts_with("...") {
                let is_poll = head.ends_with(&format!("({}", libc::SYS_epoll_wait));
                calls.timeouts += f64::from(is_poll && tail.contains("Success(0x0)"));
                continue;
            }
            calls.all += 1.0;
            match tail.split(['(', ' ']).next() {
                Some("sys_clock_gettime") => calls.clocks += 1.0,
                Some("sys_epoll_wait") => calls.polls += 1.0,
                Some("sys_write") => calls.wakers += 1.0,
                _ => {}
            }
        }
        calls
    }
}

fn number(text: Option<&str>) -> f64 {
    let number = text.and_then(|text| text.parse().ok());
    number.expect("callgrind writes numbers")
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("ottla-counts-{name}-{}", std::process::id()))
}

fn take(file: &PathBuf) -> String {
    let text = std::fs::read(file).expect("valgrind wrote its file");
    let _ = std::fs::remove_file(file);
    String::from_utf8_lossy(&text).into_owned()
}
