//! The configuration as a whole.

mod config_page;

use super::*;
use crate::common::error_kind::ErrorKind;

fn with(properties: &[(&str, &str)]) -> Result<ProducerConfig, KafkaError> {
    let base = [("bootstrap.servers", "localhost:9092")];
    ProducerConfig::from_properties(base.iter().chain(properties).copied())
}

fn refused(properties: &[(&str, &str)]) -> String {
    let error = with(properties).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    error.message().to_owned()
}

#[test]
fn defaults_are_those_of_kafka_4_3() {
    let config = with(&[]).unwrap();
    assert_eq!(config.delivery.acks, Acks::All);
    assert!(config.delivery.idempotence);
    assert_eq!(config.delivery.retries, 2_147_483_647);
    assert_eq!(config.batching.linger, Duration::from_millis(5));
    assert_eq!(config.batching.batch_size, 16384);
    assert_eq!(config.batching.buffer_memory, 33_554_432);
    assert_eq!(config.connection.send_buffer, Some(131_072));
    assert_eq!(
        config.connection.rebootstrap_after,
        Some(Duration::from_secs(300))
    );
    assert_eq!(config.partitioning.hash, "murmur2");
}

#[test]
fn the_servers_must_be_given() {
    let nothing: [(&str, &str); 0] = [];
    let error = ProducerConfig::from_properties(nothing).unwrap_err();
    assert_eq!(error.message(), "bootstrap.servers must be given");
    assert!(refused(&[("bootstrap.servers", " ")]).contains("bootstrap.servers"));
}

#[test]
fn keys_and_values_are_trimmed_and_the_last_one_counts() {
    let config = with(&[(" linger.ms ", " 7 "), ("linger.ms", "9\t")]).unwrap();
    assert_eq!(config.batching.linger, Duration::from_millis(9));
}

#[test]
fn a_unit_left_out_is_suggested() {
    let error = with(&[("linger", "1")]).expect_err("no such key");
    assert_eq!(
        error.message(),
        "unknown key linger: did you mean linger.ms?"
    );
}

#[test]
fn an_unknown_key_is_refused_unless_one_key_relaxes_it() {
    assert_eq!(
        refused(&[("lingr.ms", "1"), ("queue.buffering.max.ms", "5")]),
        "unknown key lingr.ms: did you mean linger.ms?; queue.buffering.max.ms is librdkafka's name: did you mean \
         linger.ms?"
    );
    assert!(with(&[("lingr.ms", "1"), ("ottla.unknown.keys", "warn")]).is_ok());
}

/// Java: `KafkaProducerTest.testAcksAndIdempotenceForIdempotentProducers`, `testRetriesAndIdempotence..`,
/// `testInflightRequestsAndIdempotence..`. Scenario: CF1.
#[test]
fn settings_that_idempotence_cannot_live_with_are_refused_also_where_it_is_on_by_default() {
    let conflicts = [
        (("acks", "1"), "acks=all, not acks=1"),
        (("acks", "0"), "acks=all, not acks=0"),
        (("retries", "0"), "retries above 0, not retries=0"),
        (
            ("max.in.flight.requests.per.connection", "6"),
            "at most 5 requests in flight, not max.in.flight.requests.per.connection=6",
        ),
    ];
    for (setting, text) in conflicts {
        assert_eq!(
            refused(&[setting]),
            format!(
                "idempotence, which is on by default, needs {text}; set enable.idempotence=false to do without it"
            )
        );
        let explicit = refused(&[setting, ("enable.idempotence", "true")]);
        assert!(
            explicit.starts_with("enable.idempotence=true needs"),
            "{explicit}"
        );
        let off = with(&[setting, ("enable.idempotence", "false")]).unwrap();
        assert!(!off.delivery.idempotence);
    }
    assert!(with(&[("acks", "-1")]).unwrap().delivery.idempotence);
}

/// Java: `ProducerConfigTest.testTwoPhaseCommitIncompatibleWithTransactionTimeout`, `KafkaProducerTest` (idempotence and
/// transactions). Scenario: CF2.
#[test]
fn a_transactional_id_needs_idempotence_and_prepared_transactions_have_no_timeout() {
    let id = ("transactional.id", "t");
    let text = refused(&[id, ("enable.idempotence", "false")]);
    assert_eq!(text, "transactional.id needs enable.idempotence=true");
    assert!(refused(&[id, ("acks", "1")]).contains("needs acks=all"));
    let prepared = ("transaction.two.phase.commit.enable", "true");
    let text = refused(&[id, prepared, ("transaction.timeout.ms", "60000")]);
    assert!(text.starts_with("transaction.timeout.ms cannot be set with"));
    let transactions = with(&[id]).unwrap().transactions;
    assert_eq!(
        (transactions.id.as_deref(), transactions.timeout_ms),
        (Some("t"), 60_000)
    );
    assert_eq!(
        with(&[id, prepared]).unwrap().transactions.timeout_ms,
        i32::MAX
    );
}

/// Java: `KafkaProducerTest.testDeliveryTimeoutAndLingerMsConfig`. Where Java raises a delivery timeout that was not
/// given, this is an error as well. Scenario: CF3.
#[test]
fn a_delivery_timeout_shorter_than_linger_and_request_together_is_refused() {
    assert_eq!(
        refused(&[("delivery.timeout.ms", "30000")]),
        "delivery.timeout.ms 30000 is shorter than linger.ms 5 and request.timeout.ms 30000 together"
    );
    assert!(refused(&[("request.timeout.ms", "120000")]).contains("delivery.timeout.ms 120000"));
    assert!(with(&[("delivery.timeout.ms", "30005")]).is_ok());
}

/// Scenario: CF6.
#[test]
fn a_batch_larger_than_the_memory_is_refused_and_a_batch_size_of_0_is_1() {
    assert_eq!(
        refused(&[("buffer.memory", "16383")]),
        "batch.size 16384 is larger than buffer.memory 16383: no batch would ever fit"
    );
    assert_eq!(with(&[("batch.size", "0")]).unwrap().batching.batch_size, 1);
}

#[test]
fn a_first_backoff_above_the_longest_is_refused() {
    assert_eq!(
        refused(&[("reconnect.backoff.ms", "2000")]),
        "reconnect.backoff.ms 2000 is longer than reconnect.backoff.max.ms 1000: raise the latter as well"
    );
}

#[test]
fn plug_ins_go_by_code_and_javas_own_by_name() {
    let round_robin = "org.apache.kafka.clients.producer.RoundRobinPartitioner";
    let config = with(&[("partitioner.class", round_robin)]).unwrap();
    assert!(config.partitioning.round_robin);
    assert!(refused(&[("partitioner.class", "com.example.Mine")]).contains("KafkaProducerBuilder"));
    let text = refused(&[("interceptor.classes", "com.example.Mine")]);
    assert_eq!(
        text,
        "interceptor.classes cannot be set: JVM only: give interceptors to KafkaProducerBuilder::interceptor"
    );
}

#[test]
fn canonical_bootstrap_names_are_refused_with_what_to_do_instead() {
    let canonical = "resolve_canonical_bootstrap_servers_only";
    let text = refused(&[("client.dns.lookup", canonical)]);
    assert!(text.contains("is not supported yet: give the canonical names"));
    assert!(refused(&[("client.dns.lookup", "default")]).contains("client.dns.lookup"));
}

#[test]
fn debug_and_get_show_effective_values() {
    let config = with(&[("ssl.protocol", "TLSv1.3"), ("acks", "all")]).unwrap();
    assert_eq!(config.get("linger.ms").as_deref(), Some("5"));
    assert_eq!(config.get("interceptor.classes").as_deref(), Some("[]"));
    assert_eq!(config.get("nonsense"), None);
    assert!(format!("{config:?}").contains("\"acks\": \"all\""));
}

#[cfg(feature = "properties")]
#[test]
fn a_properties_file_is_read_as_java_reads_it() {
    let path = std::env::temp_dir().join(format!("ottla-config-{}.properties", std::process::id()));
    std::fs::write(
        &path,
        "# a comment\nbootstrap.servers: one:9092,\\\n    two:9092\nclient.id = caf\\u00e9\n",
    )
    .unwrap();
    let config = ProducerConfig::from_properties_file(&path);
    std::fs::remove_file(&path).unwrap();
    let config = config.unwrap();
    assert_eq!(config.client.bootstrap_servers, ["one:9092", "two:9092"]);
    assert_eq!(config.client.client_id, "café");
    let error = ProducerConfig::from_properties_file("/nowhere/at.all").unwrap_err();
    assert!(
        error
            .message()
            .starts_with("cannot read the properties file /nowhere/at.all")
    );
}
