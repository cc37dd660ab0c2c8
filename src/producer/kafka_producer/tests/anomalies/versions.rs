//! Odd answers to ApiVersions and InitProducerId.

use super::*;

/// The first `times` answers to ApiVersions are changed like this.
fn changed(times: usize, change: impl Fn(&mut ApiVersionsResponse) + 'static) -> World {
    World::new(&[]).odd(ApiKeys::ApiVersions, times, move |header, answer| {
        let ResponseBody::ApiVersions(mut body) = answer else {
            panic!("{answer:?}");
        };
        change(&mut body);
        let is_refusal = body.error_code == Errors::UnsupportedVersion.code();
        let version = if is_refusal { 0 } else { header.api_version };
        vec![frame_to(header.correlation_id, version, body)]
    })
}

fn range(body: &mut ApiVersionsResponse, api: ApiKeys) -> &mut ApiVersion {
    let mut ranges = body.api_keys.iter_mut();
    ranges
        .find(|range| range.api_key == api.id())
        .expect("listed")
}

/// Catalogue C12: a broker that refuses every version, for ever.
#[test]
fn a_broker_that_refuses_every_version_is_asked_twice_per_connection() {
    let mut world = changed(usize::MAX, |body| {
        body.error_code = Errors::UnsupportedVersion.code();
    });
    while world.time.elapsed() < Duration::from_secs(30) {
        world.step();
    }
    // The back-off has grown to a second by then.
    let connections = world.connections();
    assert!((20..=60).contains(&connections), "{connections}");
}

#[test]
fn a_broker_that_comes_to_its_senses_is_used() {
    for code in [
        Errors::UnsupportedVersion,
        Errors::InvalidRequest,
        Errors::UnknownServerError,
    ] {
        let world = changed(7, move |body| body.error_code = code.code());
        world.ends_with(code.name(), End::Acked);
    }
    let world = changed(5, |body| {
        body.error_code = Errors::UnsupportedVersion.code();
        // Lists the very version that it refuses.
        range(body, ApiKeys::ApiVersions).max_version = i16::MAX;
    });
    world.ends_with("refuses what it lists", End::Acked);
}

#[test]
fn ranges_that_make_no_sense_are_no_common_version() {
    let metadata = |change: fn(&mut ApiVersion)| {
        changed(1, move |body| change(range(body, ApiKeys::Metadata)))
    };
    let inverted = metadata(|range| (range.min_version, range.max_version) = (9, 3));
    // The waiting call hears of it; the producer asks again on the next connection only.
    let mut world = inverted;
    for _ in 0..50 {
        world.step();
    }
    let refused = world.stepped.producer.try_send(record()).unwrap_err();
    let kind = refused.error().kind();
    assert!(
        matches!(kind, ErrorKind::UnsupportedVersion | ErrorKind::Timeout),
        "{refused}"
    );
    for (min, max) in [(9, 3), (-5, -1), (i16::MAX, i16::MIN), (100, 200)] {
        let mut world = changed(usize::MAX, move |body| {
            let produce = range(body, ApiKeys::Produce);
            (produce.min_version, produce.max_version) = (min, max);
        });
        let sent = world.send(0);
        let end = End::Failed(ErrorKind::UnsupportedVersion, Persisted::No);
        assert_eq!(world.end_of(&sent), end, "{min} to {max}");
        assert!(world.log.is_empty());
    }
}

#[test]
fn odd_lists_of_versions_are_survived() {
    let strangers = |body: &mut ApiVersionsResponse| {
        let stranger = |api_key| ApiVersion {
            api_key,
            min_version: 5,
            max_version: -5,
        };
        body.api_keys
            .extend([-1, 999, i16::MIN, i16::MAX].map(stranger));
    };
    changed(usize::MAX, strangers).ends_with("strangers", End::Acked);
    let twice = |body: &mut ApiVersionsResponse| {
        let all = body.api_keys.clone();
        body.api_keys.extend(all);
    };
    changed(usize::MAX, twice).ends_with("twice", End::Acked);
    for throttle in [-1, i32::MIN] {
        let world = changed(usize::MAX, move |body| body.throttle_time_ms = throttle);
        world.ends_with("throttle", End::Acked);
    }
    for epoch in [-2, i64::MIN, i64::MAX] {
        let world = changed(usize::MAX, move |body| {
            body.finalized_features_epoch = epoch
        });
        world.ends_with("features", End::Acked);
    }
}

/// A producer id that no broker gives.
#[test]
fn odd_producer_ids_do_not_stop_the_producer() {
    for (producer_id, producer_epoch) in [(0, 0), (i64::MAX, i16::MAX)] {
        let world = World::new(&[]).odd(ApiKeys::InitProducerId, 1, move |header, _| {
            let body = InitProducerIdResponse {
                producer_id,
                producer_epoch,
                ..Default::default()
            };
            vec![frame(header, body)]
        });
        world.ends_with(&format!("{producer_id}/{producer_epoch}"), End::Acked);
    }
    for (producer_id, producer_epoch) in [(-1, 0), (-1, -1), (5, -1), (i64::MIN, i16::MIN)] {
        let world = World::new(&[]).odd(ApiKeys::InitProducerId, 1, move |header, _| {
            let body = InitProducerIdResponse {
                producer_id,
                producer_epoch,
                ..Default::default()
            };
            vec![frame(header, body)]
        });
        let world = world.ends_with(&format!("{producer_id}/{producer_epoch}"), End::Acked);
        assert!(
            world
                .log
                .values()
                .flatten()
                .all(|batch| batch.0 == 4711 && batch.1 >= 0)
        );
    }
}
