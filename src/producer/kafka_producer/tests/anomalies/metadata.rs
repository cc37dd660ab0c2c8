//! Odd answers to Metadata.

use super::*;

/// The first three answers to Metadata are changed like this.
fn changed(change: impl Fn(&mut MetadataResponse) + 'static) -> World {
    World::new(&[]).odd(ApiKeys::Metadata, 3, move |header, answer| {
        let ResponseBody::Metadata(mut body) = answer else {
            panic!("{answer:?}");
        };
        change(&mut body);
        vec![frame(header, body)]
    })
}

fn partitions(body: &mut MetadataResponse) -> &mut Vec<MetadataResponsePartition> {
    &mut body.topics[0].partitions
}

/// Catalogue C9.
#[test]
fn odd_brokers_are_survived() {
    changed(|body| body.brokers.clear()).ends_with("no brokers", End::Acked);
    changed(|body| {
        let again = body.brokers[0].clone();
        body.brokers.push(again);
    })
    .ends_with("the same broker twice", End::Acked);
    changed(|body| body.brokers.insert(0, broker(0, "10.0.0.9", 1)))
        .ends_with("one id twice", End::Acked);
    for node_id in [-1, i32::MIN, i32::MAX] {
        let add =
            move |body: &mut MetadataResponse| body.brokers.push(broker(node_id, "10.0.0.0", 9092));
        changed(add).ends_with("an odd id", End::Acked);
    }
    for port in [-1, 0, 70_000, i32::MIN] {
        let add = move |body: &mut MetadataResponse| body.brokers.push(broker(3, "10.0.0.3", port));
        changed(add).ends_with("an odd port", End::Acked);
    }
    changed(|body| body.controller_id = 77).ends_with("an unknown controller", End::Acked);
    changed(|body| body.cluster_id = None).ends_with("no cluster id", End::Acked);
}

#[test]
fn odd_topics_are_survived() {
    changed(|body| body.topics.clear()).ends_with("no topics", End::Acked);
    changed(|body| body.topics[0].name = None).ends_with("no name", End::Acked);
    changed(|body| body.topics[0].name = Some("other".to_owned()))
        .ends_with("another name", End::Acked);
    changed(|body| {
        let again = body.topics[0].clone();
        body.topics.push(again);
    })
    .ends_with("a topic twice", End::Acked);
    changed(|body| {
        let mut again = body.topics[0].clone();
        again.error_code = Errors::UnknownTopicOrPartition.code();
        body.topics.push(again);
    })
    .ends_with("a topic and its error", End::Acked);
    changed(|body| body.topics[0].error_code = 4711).ends_with("an unknown code", End::Acked);
    changed(|body| body.topics[0].topic_id = Uuid::ZERO).ends_with("no id", End::Acked);
}

/// A topic without partitions is not known yet: nothing may be divided by their number, and nothing sent.
#[test]
fn a_topic_without_partitions_is_waited_for() {
    let world = changed(|body| partitions(body).clear()).ends_with("no partitions", End::Acked);
    assert!(world.time.elapsed() < Duration::from_secs(5));
}

#[test]
fn odd_partitions_are_survived() {
    for leader in [-1, 5, -7, i32::MIN, i32::MAX] {
        let lead = move |body: &mut MetadataResponse| partitions(body)[0].leader_id = leader;
        changed(lead).ends_with(&format!("leader {leader}"), End::Acked);
    }
    for epoch in [-1, 0, -5, i32::MIN] {
        let lead = move |body: &mut MetadataResponse| partitions(body)[0].leader_epoch = epoch;
        changed(lead).ends_with(&format!("epoch {epoch}"), End::Acked);
    }
    for index in [-1, 1, 2, i32::MAX, i32::MIN] {
        let number = move |body: &mut MetadataResponse| partitions(body)[0].partition_index = index;
        changed(number).ends_with(&format!("partition {index} for 0"), End::Acked);
    }
    changed(|body| {
        let again = partitions(body)[0].clone();
        partitions(body).push(again);
    })
    .ends_with("a partition twice", End::Acked);
    changed(|body| partitions(body)[0].error_code = 4711).ends_with("an unknown code", End::Acked);
    changed(|body| partitions(body)[0].replica_nodes = vec![-1, 9, 9])
        .ends_with("odd replicas", End::Acked);
}

#[test]
fn a_frame_that_is_not_metadata_costs_a_connection() {
    let cut = |header: &RequestHeader, answer| {
        let whole = frame(header, answer);
        vec![whole[..whole.len() / 2].to_vec()]
    };
    let world = World::new(&[]).odd(ApiKeys::Metadata, 3, cut);
    world.ends_with("half a frame", End::Acked);
    let world = World::new(&[]).odd(ApiKeys::Metadata, 3, |header, answer| {
        vec![frame_to(
            header.correlation_id + 1,
            header.api_version,
            answer,
        )]
    });
    world.ends_with("wrong correlation id", End::Acked);
    let world = World::new(&[]).odd(ApiKeys::Metadata, 3, |header, _| {
        vec![frame_to(header.correlation_id, 4, honest_versions())]
    });
    world.ends_with("another API", End::Acked);
}

#[test]
fn throttle_times_of_metadata_do_not_stop_the_client_for_good() {
    for throttle in [-1, i32::MIN, 50] {
        let world = changed(move |body| body.throttle_time_ms = throttle);
        world.ends_with(&format!("throttle {throttle}"), End::Acked);
    }
}
