//! What each example prints, and how to run one.

use std::path::PathBuf;
use std::process::Command;

/// An example and the lines that it prints; `*` stands for whatever differs from run to run, once in a line.
pub(crate) type Example = (&'static str, &'static [&'static str]);

/// The examples that print the same wherever their records go.
pub(crate) const ANYWHERE: &[Example] = &[
    (
        "quickstart",
        &[
            "Sent message: (1, Message_1)",
            "Sent message: (2, Message_2)",
            "Sent message: (3, Message_3)",
            "Sent message: (4, Message_4)",
            "Sent message: (5, Message_5)",
            "message(1, Message_1) sent to partition(0), offset(5) in * ms",
            "message(2, Message_2) sent to partition(0), offset(6) in * ms",
            "message(3, Message_3) sent to partition(0), offset(7) in * ms",
            "message(4, Message_4) sent to partition(0), offset(8) in * ms",
            "message(5, Message_5) sent to partition(0), offset(9) in * ms",
        ],
    ),
    (
        "callbacks",
        &[
            "1000 of 1000 records delivered",
            "in a callback: IllegalState: flush was called on the I/O thread *",
        ],
    ),
    (
        "backpressure",
        &[
            "partitions: 1",
            "* of 32768 bytes (buffer.memory) are free",
            "the refused record is backpressure-0@* after all",
            "on close: CloseReport { * complete: true }",
        ],
    ),
    ("many_threads", &["80000 of 80000 records acknowledged"]),
    (
        "custom_partitioner",
        &[
            "vip-7 went to partition 0",
            "guest-1 went to partition 2",
            "guest-2 went to partition 3",
            "vip-9 went to partition 0",
        ],
    ),
    (
        "interceptor",
        &[
            "as expected: RecordTooLarge: record of 2000123 bytes is larger than max.request.size 1048576 (topic audited)",
            "sent 101, acknowledged 100, failed 1",
        ],
    ),
    (
        "awaiting",
        &[
            "awaited 1: awaited-0@0",
            "awaited 2: awaited-0@1",
            "awaited 3: awaited-0@2",
        ],
    ),
    (
        "transactions",
        &[
            "alice paid bob",
            "bob paid carol",
            "carol did not pay alice: Err(Overdrawn(\"carol\"))",
            "alice paid carol, and her order is done",
        ],
    ),
];

/// The one that needs the feature `properties`.
#[cfg(feature = "properties")]
pub(crate) const PROPERTIES_FILE: Example = (
    "properties_file",
    &[
        "acks = all",
        "compression.type = gzip",
        "linger.ms = 20",
        "batch.size = 16384",
        "sent: from-a-file-0@0",
        "refused: Config: unknown key linger: did you mean linger.ms?",
    ],
);

/// Runs an example to its end and checks what it printed. Without `servers` it brings its own cluster.
pub(crate) fn check((name, expected): Example, servers: Option<&str>) {
    let mut command = Command::new(program(name));
    if let Some(servers) = servers {
        command.args(["--bootstrap-server", servers]);
    }
    let output = command.output().expect("the example starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<_> = said.lines().collect();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {said}\n{complaints}");
    let fits =
        expected.len() == lines.len() && expected.iter().zip(&lines).all(|(e, line)| fits(e, line));
    assert!(fits, "{name}: {said}\n{complaints}");
    assert_eq!(complaints, "", "{name}");
}

fn fits(expected: &str, line: &str) -> bool {
    match expected.split_once('*') {
        None => line == expected,
        Some((before, behind)) => line.starts_with(before) && line.ends_with(behind),
    }
}

/// A whole `cargo test` builds the examples; one that names its test does not.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test");
    let folder = test.ancestors().nth(2).expect("the profile's folder");
    let path = folder
        .join("examples")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if !path.exists() {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--locked", "--all-features", "--example", name]);
        let built = cargo.status().expect("cargo starts");
        assert!(built.success(), "{name} cannot be built");
    }
    path
}
