//! When to ask, and for what.

use super::*;
use crate::common::error_kind::ErrorKind;

/// Java: `MetadataTest.testMetadataUpdateAfterClose`. Scenario: M01.
#[test]
fn no_update_is_taken_after_close_and_one_is_due_at_the_beginning() {
    let mut fixture = Fixture::new(&[TOPIC]);
    assert_eq!(fixture.time_to_next_update(), Duration::ZERO);
    let request = fixture.request();
    let version = fixture.metadata.version();
    fixture.metadata.close();
    assert!(fixture.metadata.is_closed());
    assert!(fixture.metadata.version() > version, "waiters wake");
    let answer = response([topic(TOPIC, &[(0, 1)])]);
    let refused = fixture
        .metadata
        .update(request.version, &answer, LATEST, fixture.now);
    assert_eq!(refused.expect_err("closed").kind(), ErrorKind::IllegalState);
}

/// Java: `MetadataTest.testTimeToNextUpdate`, `testTimeToNextUpdateRetryBackoff`,
/// `testTimeToNextUpdateOverwriteBackoff`. Scenario: M02.
#[test]
fn an_answer_is_good_until_it_is_old_or_more_is_wanted() {
    let mut fixture = Fixture::new(&[TOPIC]);
    fixture.answer(&response([topic(TOPIC, &[(0, 1)])]));
    assert_eq!(fixture.time_to_next_update(), MAX_AGE);
    fixture.now += ms(1000);
    assert_eq!(fixture.time_to_next_update(), MAX_AGE - ms(1000));
    fixture.metadata.request_update(true);
    assert_eq!(fixture.time_to_next_update(), Duration::ZERO);
    fixture.answer(&response([topic(TOPIC, &[(0, 1)])]));
    fixture.metadata.request_update(true);
    let wait = fixture.time_to_next_update();
    assert!((ms(80)..=ms(120)).contains(&wait), "{wait:?}");
    fixture.now += wait;
    assert_eq!(fixture.time_to_next_update(), Duration::ZERO);
    fixture.answer(&response([topic(TOPIC, &[(0, 1)])]));
    fixture.now += MAX_AGE;
    assert_eq!(fixture.time_to_next_update(), Duration::ZERO);
}

/// Java: `MetadataTest.testFailedUpdate`, `testExponentialBackoff*` (idea). Scenario: M03.
#[test]
fn failures_are_retried_ever_more_rarely_until_one_succeeds() {
    let mut fixture = Fixture::new(&[TOPIC]);
    let version = fixture.metadata.version();
    for base in [100, 200, 400, 800, 1000, 1000] {
        fixture.metadata.failed_update(fixture.now);
        let wait = fixture.time_to_next_update();
        let range = ms(base * 4 / 5)..=ms((base * 6 / 5).min(1000));
        assert!(range.contains(&wait), "{wait:?} around {base}");
        fixture.now += wait;
    }
    assert_eq!(fixture.metadata.version(), version);
    fixture.answer(&response([topic(TOPIC, &[(0, 1)])]));
    fixture.metadata.failed_update(fixture.now);
    fixture.metadata.request_update(true);
    let wait = fixture.time_to_next_update();
    assert!((ms(80)..=ms(120)).contains(&wait), "{wait:?}");
}

/// Java: `MetadataTest.testEquivalentResponseBackoff*`. Scenario: M04, MD5.
#[test]
fn answers_that_bring_nothing_new_are_asked_for_ever_more_rarely() {
    let mut fixture = Fixture::new(&[TOPIC]);
    fixture.answer(&response([topic(TOPIC, &[(-1, 1)])]));
    let mut bases = vec![100, 100, 200, 400, 800, 1000, 1000].into_iter();
    let wait_for = |fixture: &mut Fixture, base: u64| {
        fixture.metadata.request_update(false);
        let wait = fixture.time_to_next_update();
        let range = ms(base * 4 / 5)..=ms((base * 6 / 5).min(1000));
        assert!(range.contains(&wait), "{wait:?} around {base}");
        fixture.now += wait;
    };
    for base in bases.by_ref() {
        wait_for(&mut fixture, base);
        fixture.answer(&response([topic(TOPIC, &[(-1, 1)])]));
    }
    // A newer epoch is progress.
    wait_for(&mut fixture, 1000);
    fixture.answer(&response([topic(TOPIC, &[(0, 2)])]));
    wait_for(&mut fixture, 100);
    fixture.answer(&response([topic(TOPIC, &[(0, 2)])]));
    wait_for(&mut fixture, 100);
    fixture.answer(&response([topic(TOPIC, &[(0, 2)])]));
    wait_for(&mut fixture, 200);
    // So is a topic id that was not known.
    fixture.answer(&response([with_id(1, topic(TOPIC, &[(0, 2)]))]));
    wait_for(&mut fixture, 100);
    for base in [100, 200] {
        fixture.answer(&response([with_id(1, topic(TOPIC, &[(0, 2)]))]));
        wait_for(&mut fixture, base);
    }
    // A reason of its own starts anew.
    fixture.answer(&response([with_id(1, topic(TOPIC, &[(0, 2)]))]));
    fixture.metadata.request_update(true);
    wait_for(&mut fixture, 100);
}

/// Java: `MetadataTest.testEquivalentResponseBackoffPeriodic..` (idea). Scenario: M04 (age).
#[test]
fn periodic_updates_are_not_held_back() {
    let mut fixture = Fixture::new(&[TOPIC]);
    for _ in 0..10 {
        fixture.answer(&response([topic(TOPIC, &[(0, 1)])]));
        assert_eq!(fixture.time_to_next_update(), MAX_AGE);
        fixture.now += MAX_AGE;
        assert_eq!(fixture.time_to_next_update(), Duration::ZERO);
    }
}

/// Java: `ProducerMetadataTest.testRequestUpdateForTopic`, `MetadataTest.testPartialMetadataUpdate`. Scenario: MD1, M21.
#[test]
fn a_new_topic_is_asked_for_alone_and_at_once() {
    let mut fixture = Fixture::new(&[TOPIC]);
    fixture.answer(&response([topic(TOPIC, &[(0, 1)])]));
    let version = fixture.metadata.version();
    fixture.metadata.add("invoices", fixture.now);
    assert_eq!(fixture.time_to_next_update(), Duration::ZERO);
    let asked = fixture.metadata.request_update_for_topic("invoices");
    assert_eq!(asked, version);
    let request = fixture.request();
    assert!(request.version.is_partial);
    assert_eq!(names(&request.request), ["invoices"]);
    assert!(request.request.allow_auto_topic_creation);
    fixture.answer(&response([topic("invoices", &[(1, 1)])]));
    fixture.metadata.request_update_for_topic("invoices");
    assert!(fixture.time_to_next_update() > Duration::ZERO);
    let request = fixture.request();
    assert!(!request.version.is_partial, "a known one means all");
    assert_eq!(names(&request.request), ["invoices", TOPIC]);
}

/// Java: `ProducerMetadataTest.testTopicExpiryDuringUpdate` (idea), `MetadataTest.testRequestVersion`.
/// Scenario: M11, M21 (two topics within one fetch).
#[test]
fn a_topic_added_while_a_request_is_under_way_is_asked_for_right_after_it() {
    let mut fixture = Fixture::new(&[TOPIC]);
    let first = fixture.request();
    fixture.metadata.add("invoices", fixture.now);
    fixture.metadata.add("returns", fixture.now);
    let answer = response([topic(TOPIC, &[(0, 1)])]);
    fixture.answer_request(first.version, LATEST, &answer);
    assert_eq!(fixture.time_to_next_update(), Duration::ZERO);
    let second = fixture.request();
    assert!(second.version.is_partial);
    assert_eq!(names(&second.request), ["invoices", "returns"]);
    let answer = response([topic("invoices", &[(0, 1)]), topic("returns", &[(0, 1)])]);
    fixture.answer_request(second.version, LATEST, &answer);
    assert_eq!(fixture.time_to_next_update(), MAX_AGE);
}

/// Java: `MetadataTest.testPartialMetadataUpdate`. Scenario: M13.
#[test]
fn everything_is_asked_for_where_everything_is_wanted_or_old() {
    let mut fixture = Fixture::new(&[TOPIC]);
    assert!(!fixture.request().version.is_partial, "never asked before");
    fixture.answer(&response([topic(TOPIC, &[(0, 1)])]));
    fixture.metadata.request_update(true);
    fixture.metadata.add("invoices", fixture.now);
    assert!(!fixture.request().version.is_partial);
    fixture.answer(&response([topic(TOPIC, &[(0, 1)])]));
    fixture.now += MAX_AGE;
    fixture.metadata.add("returns", fixture.now);
    assert!(!fixture.request().version.is_partial);
}

/// Java: `MetadataTest.testPartialMetadataUpdate`. Scenario: M12 (full wanted), MD2.
#[test]
fn a_partial_answer_does_not_satisfy_the_wish_for_everything() {
    let mut fixture = Fixture::new(&[TOPIC]);
    fixture.answer(&response([topic(TOPIC, &[(0, 1)])]));
    fixture.now += ms(1000);
    fixture.metadata.add("invoices", fixture.now);
    let partial = fixture.request();
    assert!(partial.version.is_partial);
    fixture.metadata.request_update(true);
    let answer = response([topic("invoices", &[(0, 1)])]);
    fixture.answer_request(partial.version, LATEST, &answer);
    assert!(fixture.metadata.full_update_requested());
    assert!(fixture.time_to_next_update() <= ms(120));
    assert_eq!(fixture.leader(0), Some(0), "the other topic is kept");
    fixture.now += ms(200);
    fixture.answer(&response([topic(TOPIC, &[(1, 2)])]));
    assert_eq!(fixture.time_to_next_update(), MAX_AGE);
}

/// Scenario: M12 (age).
#[test]
fn a_partial_answer_does_not_make_the_rest_younger() {
    let mut fixture = Fixture::new(&[TOPIC]);
    fixture.answer(&response([topic(TOPIC, &[(0, 1)])]));
    fixture.now += MAX_AGE - ms(1000);
    fixture.metadata.add("invoices", fixture.now);
    fixture.answer(&response([topic("invoices", &[(0, 1)])]));
    assert_eq!(fixture.time_to_next_update(), ms(1000));
}

/// Java: none: there a broker that leaves the topic out is asked again at the speed of the network.
#[test]
fn a_topic_that_the_answer_leaves_out_is_asked_for_with_backoff() {
    let mut fixture = Fixture::new(&[TOPIC]);
    fixture.answer(&response([topic(TOPIC, &[(0, 1)])]));
    fixture.metadata.add("invoices", fixture.now);
    fixture.answer(&response([]));
    fixture.metadata.request_update_for_topic("invoices");
    assert!(fixture.time_to_next_update() >= ms(80));
    let request = fixture.request();
    assert_eq!(names(&request.request), ["invoices", TOPIC]);
}

/// Java: none: there such a name breaks every request for metadata.
#[test]
fn a_name_that_no_request_can_carry_disturbs_nobody() {
    let mut fixture = Fixture::new(&[TOPIC]);
    fixture.answer(&response([topic(TOPIC, &[(0, 1)])]));
    let endless = "x".repeat(40_000);
    fixture.metadata.add(&endless, fixture.now);
    assert_eq!(fixture.time_to_next_update(), MAX_AGE);
    fixture.metadata.request_update_for_topic(&endless);
    assert!(fixture.time_to_next_update() >= ms(80));
    assert_eq!(names(&fixture.request().request), [TOPIC]);
}

#[test]
fn a_fatal_error_is_part_of_the_snapshot_until_the_next_answer() {
    let mut fixture = Fixture::new(&[TOPIC]);
    let version = fixture.metadata.version();
    let error = KafkaError::new(ErrorKind::SaslAuthentication, "no");
    fixture.metadata.fatal_error(error);
    let snapshot = Arc::clone(fixture.metadata.snapshot());
    assert!(snapshot.version > version);
    assert!(snapshot.fatal_error.is_some());
    fixture.metadata.connection_failed("refused".into());
    let reason = fixture.metadata.last_connection_error();
    assert_eq!(reason.map(|r| &**r), Some("refused"));
    fixture.answer(&response([topic(TOPIC, &[(0, 1)])]));
    assert!(fixture.metadata.snapshot().fatal_error.is_none());
    assert!(fixture.metadata.last_connection_error().is_none());
    assert!(
        snapshot.fatal_error.is_some(),
        "for whoever was woken by it"
    );
}
