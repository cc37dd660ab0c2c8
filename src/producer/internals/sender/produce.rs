//! From ready batches to Produce requests.
//!
//! Java: `clients/producer/internals/Sender.java` (`sendProducerData`, `sendProduceRequest`).
//! Differs: expires first, then drains; fills each node's connection in one pass; no wait of zero where nothing was sent.
//! Threads: the I/O thread. Locks: TransactionManager.

use std::sync::Arc;
use std::time::Instant;

use crate::client::client_request::RequestBuilder;
use crate::client::kafka_client::KafkaClient;
use crate::client::metadata_snapshot::MetadataSnapshot;
use crate::common::cluster::{Node, NodeId, ProducerIdAndEpoch, Uuid};
use crate::common::few::Few;
use crate::common::kafka_error::KafkaError;
use crate::common::time::earlier;
use crate::producer::internals::producer_batch::ProducerBatch;
use crate::producer::internals::sender::in_flight_batches::InFlightRequest;
use crate::producer::internals::sender::{Sender, errors};
use crate::producer::internals::sender_metrics::SentBatch;
use crate::protocol::Records;
use crate::protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};

impl<C: KafkaClient> Sender<C> {
    /// Gives up what is too old, sends what can go, and says when there is something to do again without news from
    /// elsewhere.
    pub(super) fn send_producer_data(
        &mut self,
        snapshot: &Arc<MetadataSnapshot>,
        now: Instant,
    ) -> Option<Instant> {
        if !self.config.guarantee_message_order {
            for tp in self.leader_moves.newly_held(snapshot, &self.in_flight) {
                self.accumulator.mute(&tp);
            }
        }
        self.give_up_frozen_leaders(snapshot, now);
        let mut ready = self.accumulator.ready(snapshot, now);
        if self.expire(now) {
            // What expired in a queue stood before what may be ready now.
            ready = self.accumulator.ready(snapshot, now);
        }
        self.ask_for_leaders(&ready.topics_without_leader, now);
        let mut deadline = ready.next_check;
        for id in ready.ready_nodes {
            if let Some(node) = snapshot.node(id) {
                deadline = earlier(deadline, self.send_to(node, snapshot, now));
            }
        }
        let in_flight = self.in_flight.next_expiry(self.config.delivery_timeout);
        let queued = self.accumulator.next_expiry();
        earlier(deadline, earlier(in_flight, queued))
    }

    /// Fails batches whose time is up, those in flight first: they are older than what is queued behind them. Returns
    /// whether any was queued. One in flight makes nothing ready: its request goes on.
    fn expire(&mut self, now: Instant) -> bool {
        let limit = self.config.delivery_timeout;
        let in_flight = self.in_flight.take_expired(limit, now);
        let queued = self.accumulator.expired(now);
        let any_queued = !queued.is_empty();
        for mut batch in in_flight {
            self.abandon(&mut batch, now);
            let error = self.expired(&batch, now);
            self.fail_transaction(&error, true);
            self.finish_failed(batch, error, Vec::new(), now);
        }
        for batch in queued {
            let error = self.expired(&batch, now);
            self.fail_batch(batch, error, now);
        }
        self.tell_held();
        any_queued
    }

    fn expired(&self, batch: &ProducerBatch, now: Instant) -> KafkaError {
        let age = now.saturating_duration_since(batch.created());
        let limit = self.config.delivery_timeout;
        errors::expired(batch.topic_partition(), batch.record_count(), age, limit)
    }

    /// A topic may have been forgotten because nobody used it for a while, or its leader may be gone.
    fn ask_for_leaders(&self, topics: &[Arc<str>], now: Instant) {
        if topics.is_empty() {
            return;
        }
        for topic in topics {
            self.metadata.add(topic, now);
        }
        self.metadata.request_update();
    }

    /// Sends to one node as much as it takes. Returns when to come again where it takes nothing now.
    fn send_to(
        &mut self,
        node: &Node,
        snapshot: &MetadataSnapshot,
        now: Instant,
    ) -> Option<Instant> {
        let id = node.node_id();
        let is_ready = self.client.ready(node, now);
        let accumulator = self.accumulator.accumulator();
        accumulator.update_node_latency_stats(id, now, is_ready);
        if !is_ready {
            return now.checked_add(self.client.poll_delay(node, now));
        }
        loop {
            let limit = self.config.max_request_size;
            self.accumulator
                .drain(id, limit, now, &mut self.scratch.drained);
            if self.scratch.drained.is_empty() {
                return None;
            }
            self.send_produce_request(id, snapshot, now);
            if !self.accumulator.may_drain(id) || !self.client.is_ready(node, now) {
                return None;
            }
        }
    }

    /// Sends what was drained.
    fn send_produce_request(&mut self, node: NodeId, snapshot: &MetadataSnapshot, now: Instant) {
        let batches = &mut self.scratch.drained;
        batches.sort_unstable_by(|a, b| a.topic_partition().cmp(b.topic_partition()));
        let topics = topics(batches, snapshot, self.transactions.is_some());
        for batch in batches {
            batch.handed_to(node);
            self.control.metrics().batch_sent(SentBatch {
                bytes: batch.size_in_bytes(),
                records: batch.record_count(),
                queued: now.saturating_duration_since(batch.created()),
            });
        }
        let topic_names = topics
            .iter()
            .filter(|topic| !topic.topic_id.is_zero())
            .map(|topic| (topic.topic_id, Arc::clone(&topic.name)))
            .collect();
        let builder = self.builder(topics);
        let expects_response = self.config.acks != 0;
        let request = self
            .client
            .new_client_request(node, builder, now, expects_response);
        let in_flight = InFlightRequest::new(node, self.scratch.drained.drain(..), topic_names);
        self.in_flight.add(request.correlation_id, in_flight);
        self.client.send(request, now);
    }

    fn builder(&self, topics: Few<TopicProduceData>) -> RequestBuilder {
        // From version 13 on topics have ids instead of names, so a single topic without an id rules it out for all.
        let all_have_ids = topics.iter().all(|topic| !topic.topic_id.is_zero());
        let newest = if all_have_ids {
            i16::MAX
        } else {
            NEWEST_VERSION_WITH_NAMES
        };
        let (transactional_id, newest) = match &self.transactions {
            Some(transactions) => (
                Some(transactions.id.to_string()),
                newest.min(self.newest_produce_version()),
            ),
            None => (None, newest),
        };
        let body = ProduceRequest {
            transactional_id,
            acks: self.config.acks,
            timeout_ms: i32::try_from(self.config.request_timeout.as_millis()).unwrap_or(i32::MAX),
            topic_data: topics,
        };
        RequestBuilder::of(body)
            .at_most(newest)
            .at_least(self.config.oldest_produce_version)
    }
}

/// Batches that are sorted by topic, by topic.
fn topics(
    batches: &mut [ProducerBatch],
    snapshot: &MetadataSnapshot,
    is_transactional: bool,
) -> Few<TopicProduceData> {
    let mut topics: Few<TopicProduceData> = Few::new();
    for batch in batches {
        let tp = batch.topic_partition();
        let data = PartitionProduceData {
            index: tp.partition(),
            records: records(batch, is_transactional),
        };
        let id = match topics.last_mut() {
            Some(last) if *last.name == *tp.topic() => {
                last.partition_data.push(data);
                last.topic_id
            }
            _ => {
                let topic_id = snapshot.topic(tp.topic()).map_or(Uuid::ZERO, |t| t.id);
                topics.push(TopicProduceData {
                    name: Arc::clone(tp.shared_topic()),
                    topic_id,
                    partition_data: Few::from_buf([data]),
                });
                topic_id
            }
        };
        batch.goes_to_topic(id);
    }
    topics
}

/// The bytes of a batch: a header made for this attempt, and the body that never changes.
fn records(batch: &ProducerBatch, is_transactional: bool) -> Option<Records> {
    let sealed = batch.sealed()?;
    let (producer, first) = match batch.identity() {
        Some((identity, first)) => (identity, Some(first)),
        None => (ProducerIdAndEpoch::NONE, None),
    };
    let header = sealed.header(producer, first, is_transactional);
    Some(Records::with_head(&header, sealed.body().clone()))
}

const NEWEST_VERSION_WITH_NAMES: i16 = 12;
