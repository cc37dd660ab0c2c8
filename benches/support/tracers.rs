//! Runs this program again under a tool that counts what it does.

use std::path::PathBuf;
use std::process::Command;

/// What a run did, minus what another did.
pub(crate) trait Difference {
    fn minus(&self, other: &Self) -> Self;
}

/// All threads together.
pub(crate) struct Callgrind {
    pub(crate) instructions: f64,
    pub(crate) allocations: f64,
    /// Zero in a release build, which takes locks without a call.
    pub(crate) locks: f64,
}

impl Difference for Callgrind {
    fn minus(&self, other: &Self) -> Self {
        Self {
            instructions: self.instructions - other.instructions,
            allocations: self.allocations - other.allocations,
            locks: self.locks - other.locks,
        }
    }
}

/// This program with these arguments, its instructions and calls counted.
pub(crate) fn callgrind(arguments: &[&str]) -> Callgrind {
    let file = scratch("callgrind");
    let out = format!("--callgrind-out-file={}", file.display());
    // Threads take turns fairly, as they do without valgrind.
    let options = [
        "--tool=callgrind",
        "--compress-strings=no",
        "--fair-sched=yes",
        &out,
    ];
    run(Command::new("valgrind").args(options), arguments);
    let text = std::fs::read_to_string(&file).expect("valgrind wrote its file");
    let _ = std::fs::remove_file(&file);
    let mut counts = Callgrind {
        instructions: 0.0,
        allocations: 0.0,
        locks: 0.0,
    };
    let mut callee = "";
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("cfn=") {
            callee = name;
        } else if let Some(calls) = line.strip_prefix("calls=") {
            let calls = calls.split(' ').next().and_then(|calls| calls.parse().ok());
            let calls: f64 = calls.expect("callgrind writes numbers");
            if ["malloc", "calloc", "realloc", "posix_memalign"].contains(&callee) {
                counts.allocations += calls;
            } else if callee.ends_with("sync::held::enter") {
                counts.locks += calls;
            }
        } else if let Some(total) = line.strip_prefix("totals: ") {
            counts.instructions = total.trim().parse().expect("callgrind writes numbers");
        }
    }
    counts
}

pub(crate) struct SystemCalls {
    pub(crate) all: f64,
    /// Writes of eight bytes to an event's descriptor, which is how the poller is woken.
    pub(crate) wakes: f64,
}

impl Difference for SystemCalls {
    fn minus(&self, other: &Self) -> Self {
        Self {
            all: self.all - other.all,
            wakes: self.wakes - other.wakes,
        }
    }
}

/// This program with these arguments, the system calls of all its threads counted.
pub(crate) fn system_calls(arguments: &[&str]) -> SystemCalls {
    let file = scratch("strace");
    let path = file.to_str().expect("a plain path");
    run(
        Command::new("strace").args(["-f", "-c", "-o", path]),
        arguments,
    );
    let text = std::fs::read_to_string(&file).expect("strace wrote its file");
    let _ = std::fs::remove_file(&file);
    // Share, seconds, microseconds a call, calls, errors if there were any, name.
    let count = |wanted: &str| {
        let rows = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        let mut rows = rows.filter(|row| row.len() >= 5 && row.last() == Some(&wanted));
        rows.next()
            .and_then(|row| row[3].parse().ok())
            .unwrap_or(0.0)
    };
    SystemCalls {
        all: count("total"),
        wakes: count("write"),
    }
}

fn run(tool: &mut Command, arguments: &[&str]) {
    let program = std::env::current_exe().expect("this program");
    let output = tool.arg(program).args(arguments).output();
    let output = output.expect("valgrind and strace are installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool:?}: {said}");
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("ottla-counts-{name}-{}", std::process::id()))
}
