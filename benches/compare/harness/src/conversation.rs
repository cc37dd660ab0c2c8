//! The client's half of the conversation with the runner.

use std::io::{BufRead, Write};
use std::time::Instant;

use crate::workload::Workload;
use crate::{Producer, Settings};

/// Runs the workload whenever the runner asks, until it hangs up.
pub fn converse(settings: &Settings, version: &str, producer: &impl Producer) {
    // A thread that panics ends the program: the runner sees that at once.
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}");
        std::process::exit(101);
    }));
    let mut workload = Workload::new(settings);
    say(&format!("ready {version}"));
    for line in std::io::stdin().lock().lines() {
        match line.expect("the runner writes text").as_str() {
            "run" => {
                let start = Instant::now();
                workload.run(producer);
                say(&format!("done {}", start.elapsed().as_nanos()));
            }
            "report" => say(&workload.report()),
            other => panic!("the runner said {other}"),
        }
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .expect("the runner listens");
}
