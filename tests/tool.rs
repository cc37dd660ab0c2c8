//! The tool as a user runs it: arguments and standard input in, lines and an exit code out.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};

use ottla::embedded::{Api, EmbeddedCluster, Fault, StoredRecord};
use ottla::{ErrorKind, KafkaProducer, ProducerRecord};
use serde_json::Value;

fn tool(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs `ottla produce` with these lines on standard input.
fn produce(cluster: &EmbeddedCluster, arguments: &[&str], input: &str) -> Output {
    let servers = cluster.bootstrap_servers();
    let all = [
        &[
            "produce",
            "--topic",
            "t",
            "--timeout",
            "5",
            "--bootstrap-server",
            &servers,
        ],
        arguments,
    ]
    .concat();
    feed(tool(&all).spawn().expect("the tool starts"), input)
}

fn feed(mut child: Child, input: &str) -> Output {
    let mut stdin = child.stdin.take().expect("piped");
    // A tool that has refused its arguments does not read.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("the tool ends")
}

fn cluster() -> EmbeddedCluster {
    EmbeddedCluster::builder()
        .topic("t", 1)
        .start()
        .expect("loopback")
}

fn records(cluster: &EmbeddedCluster) -> Vec<StoredRecord> {
    cluster.records("t", 0).expect("a partition")
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    Some(text.as_bytes().to_vec())
}

fn error_line(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn each_line_becomes_a_record() {
    let cluster = cluster();
    let output = produce(&cluster, &[], "one\ntwo\n\n");
    assert!(output.status.success(), "{output:?}");
    let values: Vec<_> = records(&cluster)
        .into_iter()
        .map(|record| (record.key, record.value))
        .collect();
    assert_eq!(
        values,
        [
            (None, bytes("one")),
            (None, bytes("two")),
            (None, bytes(""))
        ]
    );
}

#[test]
fn reader_properties_make_keys_headers_and_nulls() {
    let cluster = cluster();
    let properties = [
        "--reader-property",
        "parse.key=true",
        "--reader-property",
        "key.separator=|",
        "--reader-property",
        "parse.headers=true",
        "--reader-property",
        "null.marker=NULL",
    ];
    assert!(
        produce(&cluster, &properties, "h1:v1,h2:v2\tk|v\nNULL\tk|NULL\n")
            .status
            .success()
    );
    let stored = records(&cluster);
    assert_eq!(
        (&stored[0].key, &stored[0].value),
        (&bytes("k"), &bytes("v"))
    );
    assert_eq!(
        stored[0].headers,
        [
            ("h1".to_owned(), bytes("v1")),
            ("h2".to_owned(), bytes("v2"))
        ]
    );
    assert_eq!((&stored[1].value, stored[1].headers.len()), (&None, 0));
}

#[test]
fn the_older_spellings_work_alone_and_not_beside_the_newer_ones() {
    let cluster = cluster();
    let old = [
        "--property",
        "parse.key=true",
        "--property",
        "key.separator=:",
        "--producer-property",
        "acks=all",
    ];
    assert!(produce(&cluster, &old, "k:v\n").status.success());
    assert_eq!(records(&cluster)[0].key, bytes("k"));
    let both = [
        "--property",
        "parse.key=true",
        "--reader-property",
        "key.separator=:",
    ];
    assert!(error_line(&produce(&cluster, &both, "")).contains("cannot be used with"));
}

#[test]
fn a_line_without_its_separator_is_named_and_earlier_ones_are_sent() {
    let cluster = cluster();
    let properties = [
        "--reader-property",
        "parse.key=true",
        "--reader-property",
        "key.separator=:",
    ];
    let text = error_line(&produce(&cluster, &properties, "k:v\nnothing\n"));
    assert!(
        text.contains("line 2") && text.contains("\"nothing\""),
        "{text}"
    );
    assert_eq!(records(&cluster).len(), 1);
}

#[test]
fn a_configuration_file_counts_and_single_properties_beat_it() {
    let cluster = cluster();
    let file = std::env::temp_dir().join(format!("ottla-tool-{}.properties", std::process::id()));
    // Java's tools serialize as they see fit, whatever the file says, and so do ours.
    let java = "key.serializer = org.apache.kafka.common.serialization.StringSerializer\n";
    let text = format!("{java}linger.ms = 7\nlinger = 3\n");
    std::fs::write(&file, text).expect("a temporary file");
    let path = file.to_str().expect("a text");
    let text = error_line(&produce(&cluster, &["--command-config", path], "v\n"));
    assert!(text.contains("unknown key linger"), "{text}");
    let relaxed = [
        "--command-config",
        path,
        "--command-property",
        "ottla.unknown.keys=warn",
    ];
    assert!(produce(&cluster, &relaxed, "v\n").status.success());
    std::fs::remove_file(&file).expect("just written");
}

#[test]
fn a_record_that_fails_is_told_on_stderr_and_in_the_exit_code() {
    let cluster = cluster();
    cluster.inject(Fault::on(Api::Produce).error(ErrorKind::PolicyViolation));
    let text = error_line(&produce(&cluster, &[], "v\n"));
    assert!(
        text.contains("PolicyViolation") && text.contains("1 of the records"),
        "{text}"
    );
    let text = error_line(&produce(&cluster, &["--sync"], "v\n"));
    assert!(text.contains("PolicyViolation"), "{text}");
}

#[test]
fn the_verifiable_producer_tells_of_each_record_in_json() {
    let cluster = cluster();
    let servers = cluster.bootstrap_servers();
    let arguments = [
        "verifiable-producer",
        "--topic",
        "t",
        "--max-messages",
        "4",
        "--value-prefix",
        "3",
        "--repeating-keys",
        "2",
    ];
    let output = feed(
        tool(&[&arguments[..], &["--bootstrap-server", &servers]].concat())
            .spawn()
            .expect("starts"),
        "",
    );
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("a text");
    assert!(
        text.lines().all(|line| line.starts_with("{\"timestamp\":")),
        "{text}"
    );
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let names: Vec<_> = lines
        .iter()
        .map(|line| line["name"].as_str().expect("a name"))
        .collect();
    let mut expected = vec!["startup_complete"];
    expected.extend(["producer_send_success"; 4]);
    expected.extend(["shutdown_complete", "tool_data"]);
    assert_eq!(names, expected);
    assert_eq!(
        (&lines[2]["value"], &lines[2]["key"]),
        (&Value::from("3.1"), &Value::from("1"))
    );
    assert_eq!(
        (&lines[4]["topic"], &lines[4]["offset"]),
        (&Value::from("t"), &Value::from(3))
    );
    assert_eq!(
        (&lines[6]["sent"], &lines[6]["acked"]),
        (&Value::from(4), &Value::from(4))
    );
}

#[test]
fn the_verifiable_producer_tells_of_failures_by_javas_names() {
    let cluster = cluster();
    cluster.inject(Fault::on(Api::Produce).error(ErrorKind::InvalidTimestamp));
    let servers = cluster.bootstrap_servers();
    let arguments = [
        "verifiable-producer",
        "--topic",
        "t",
        "--max-messages",
        "1",
        "--bootstrap-server",
        &servers,
    ];
    let output = feed(tool(&arguments).spawn().expect("starts"), "");
    let text = String::from_utf8(output.stdout).expect("a text");
    let line = text
        .lines()
        .find(|line| line.contains("producer_send_error"))
        .expect("an error line");
    let line: Value = serde_json::from_str(line).expect("JSON");
    assert_eq!(
        line["exception"],
        "class org.apache.kafka.common.errors.InvalidTimestampException"
    );
    assert_eq!(
        (&line["value"], &line["key"]),
        (&Value::from("0"), &Value::Null)
    );
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_verifiable_producer_in_good_order() {
    let cluster = cluster();
    let servers = cluster.bootstrap_servers();
    let arguments = [
        "verifiable-producer",
        "--topic",
        "t",
        "--throughput",
        "100",
        "--bootstrap-server",
        &servers,
    ];
    let mut child = tool(&arguments).spawn().expect("starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped"))
        .lines()
        .map_while(Result::ok);
    assert!(
        lines
            .by_ref()
            .any(|line| line.contains("producer_send_success"))
    );
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .expect("kill runs")
            .success()
    );
    let rest: Vec<String> = lines.collect();
    assert!(child.wait().expect("ends").success());
    let summary: Value = serde_json::from_str(rest.last().expect("lines")).expect("JSON");
    assert_eq!(summary["name"], "tool_data");
    assert_eq!(summary["sent"], summary["acked"]);
    assert_eq!(
        records(&cluster).len() as u64,
        summary["acked"].as_u64().expect("a number")
    );
}

#[cfg(unix)]
#[test]
fn the_broker_says_where_it_listens_and_serves() {
    let mut child = tool(&["broker", "--port", "0", "--brokers", "2", "--topic", "t:3"])
        .spawn()
        .expect("starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped"))
        .lines()
        .map_while(Result::ok);
    let line = lines.next().expect("a line");
    let servers = line
        .strip_prefix("bootstrap.servers=")
        .expect("the servers");
    let producer = KafkaProducer::<str, str>::from_properties([("bootstrap.servers", servers)])
        .expect("legal");
    assert_eq!(producer.partitions_for("t").expect("known").len(), 3);
    producer
        .send(ProducerRecord::new("t", "k", "v"))
        .expect("room")
        .get()
        .expect("delivered");
    drop(producer);
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .expect("kill runs")
            .success()
    );
    assert!(child.wait().expect("ends").success());
}

#[test]
fn nobody_to_connect_to_is_one_helpful_line() {
    let arguments = [
        "produce",
        "--topic",
        "t",
        "--bootstrap-server",
        "127.0.0.1:1",
        "--max-block-ms",
        "300",
    ];
    let text = error_line(&feed(tool(&arguments).spawn().expect("starts"), "v\n"));
    assert!(
        text.contains("topic t is not present in the metadata after 300 ms"),
        "{text}"
    );
    assert!(text.contains("127.0.0.1:1"), "{text}");
}
