//! Reads orders, writes invoices: the position in the orders commits together with the invoices, so each order is
//! invoiced exactly once.
//!
//! `cargo run --features embedded-broker --example consume_transform_produce [-- --bootstrap-server localhost:9092]`

#[path = "support/cluster.rs"]
mod cluster;

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use ottla::{
    ConsumerGroupMetadata, KafkaError, KafkaProducer, OffsetAndMetadata, ProducerRecord,
    TopicPartition,
};

use cluster::Cluster;

const ORDERS: &str = "orders";
const INVOICES: &str = "invoices";
const GROUP: &str = "invoicing";

/// An order and its offset.
type Order = (i64, String);

fn main() -> Result<(), Box<dyn Error>> {
    let cluster = Cluster::from_arguments()?;
    let orders = take_orders(cluster.servers())?;
    let producer = KafkaProducer::<str, str>::from_properties([
        ("bootstrap.servers", cluster.servers()),
        ("transactional.id", "invoicing-1"),
    ])?;
    producer.init_transactions()?;

    let mut position = orders.first().map_or(0, |(offset, _)| *offset);
    for paper_is_there in [true, false, true] {
        let due = poll(&cluster, &orders, position)?;
        match producer.in_transaction(|producer| invoice(producer, &due, paper_is_there)) {
            Ok(next) => position = next,
            Err(error) if error.is::<KafkaError>() => return Err(error),
            // The invoices are undone and the position has not moved: the same orders come again.
            Err(error) => println!("aborted: {error}"),
        }
        println!("next order: {position}");
        if let Some(embedded) = &cluster.embedded {
            let committed = embedded.group_offset(GROUP, ORDERS, 0);
            println!("  the group's offset: {committed:?}");
            for stored in embedded.committed_records(INVOICES, 0)? {
                let text = String::from_utf8(stored.value.unwrap_or_default())?;
                println!("  committed: {text}");
            }
        }
    }
    let _report = producer.close(Duration::from_secs(30))?;
    Ok(())
}

/// Writes an invoice for each order, and the offset behind the last one.
fn invoice(
    producer: &KafkaProducer<str, str>,
    due: &[Order],
    paper_is_there: bool,
) -> Result<i64, Box<dyn Error>> {
    for (_, order) in due {
        let invoice = ProducerRecord::new(INVOICES, "shop", format!("invoice for {order}"));
        let _sent = producer.send(invoice.with_partition(0))?;
    }
    if !paper_is_there {
        // Even what the broker has by now is never seen by a consumer that reads what is committed.
        producer.flush()?;
        return Err("the printer has no paper".into());
    }
    let (last, _) = due.last().ok_or("there is no order")?;
    let next = OffsetAndMetadata::new(last + 1);
    let offsets = BTreeMap::from([(TopicPartition::new(ORDERS, 0), next)]);
    // A consumer tells the metadata of its group, so that a member that was replaced is refused.
    producer.send_offsets_to_transaction(&offsets, &ConsumerGroupMetadata::new(GROUP))?;
    Ok(last + 1)
}

/// The next two orders. In place of a consumer the embedded cluster says what one would read; with a real cluster this
/// program remembers what it wrote.
fn poll(cluster: &Cluster, written: &[Order], position: i64) -> Result<Vec<Order>, Box<dyn Error>> {
    let mut orders = written.to_vec();
    if let Some(embedded) = &cluster.embedded {
        orders.clear();
        for stored in embedded.committed_records(ORDERS, 0)? {
            let text = String::from_utf8(stored.value.unwrap_or_default())?;
            orders.push((stored.offset, text));
        }
    }
    orders.retain(|(offset, _)| *offset >= position);
    orders.truncate(2);
    Ok(orders)
}

/// The input.
fn take_orders(servers: &str) -> Result<Vec<Order>, KafkaError> {
    let shop = KafkaProducer::<str, str>::from_properties([("bootstrap.servers", servers)])?;
    let mut orders = Vec::new();
    for order in ["three pens", "one book", "two lamps", "a chair"] {
        let record = ProducerRecord::new(ORDERS, "shop", order).with_partition(0);
        orders.push((shop.send(record)?.get()?.offset(), order.to_owned()));
    }
    let _report = shop.close(Duration::from_secs(30))?;
    Ok(orders)
}
