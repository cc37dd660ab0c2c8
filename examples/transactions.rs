//! Moves money between accounts: both records of a transfer become visible together, or none does.
//!
//! `cargo run --features embedded-broker --example transactions [-- --bootstrap-server localhost:9092]`

#[path = "support/cluster.rs"]
mod cluster;

use std::collections::BTreeMap;
use std::time::Duration;

use ottla::{
    ConsumerGroupMetadata, KafkaError, KafkaProducer, OffsetAndMetadata, ProducerRecord,
    TopicPartition,
};

const ACCOUNTS: &str = "accounts";
const ORDERS: &str = "transfers";

fn main() -> Result<(), KafkaError> {
    let cluster = cluster::Cluster::from_arguments()?;
    let producer = KafkaProducer::<str, str>::from_properties([
        ("bootstrap.servers", cluster.servers()),
        ("transactional.id", "bank-1"),
        ("transaction.timeout.ms", "30000"),
    ])?;

    // Takes over from an earlier run of this program: whatever that left open is aborted first.
    producer.init_transactions()?;

    // The calls one by one, with the decision that every application has to take after an error.
    producer.begin_transaction()?;
    match transfer(&producer, "alice", "bob", 10).and_then(|()| producer.commit_transaction()) {
        Ok(()) => println!("alice paid bob"),
        Err(error) if error.is_fatal() => return Err(error),
        Err(error) => {
            eprintln!("the transfer failed: {error}");
            producer.abort_transaction()?;
        }
    }

    // The same in one call: commits on `Ok`, aborts on `Err` and on a panic.
    producer.in_transaction(|transaction| transfer(transaction, "bob", "carol", 7))?;
    println!("bob paid carol");

    let refused = producer.in_transaction(|transaction| {
        transfer(transaction, "carol", "alice", 1_000_000)?;
        Err::<(), Error>(Error::Overdrawn("carol"))
    });
    println!("carol did not pay alice: {refused:?}");

    // Consume, transform, produce: the position in the input commits with the output. (Here nobody consumes; a consumer
    // tells the metadata of its group.)
    let order = producer.in_transaction(|transaction| {
        transaction.send(ProducerRecord::new(ORDERS, "alice", "carol"))
    })?;
    let order = order.get()?;
    producer.in_transaction(|transaction| {
        transfer(transaction, "alice", "carol", 1)?;
        let input = TopicPartition::new(ORDERS, order.partition());
        let next = BTreeMap::from([(input, OffsetAndMetadata::new(order.offset() + 1))]);
        let group = ConsumerGroupMetadata::new("bank");
        transaction.send_offsets_to_transaction(&next, &group)
    })?;
    println!("alice paid carol, and her order is done");

    let _report = producer.close(Duration::from_secs(30))?;
    Ok(())
}

fn transfer(
    producer: &KafkaProducer<str, str>,
    from: &str,
    to: &str,
    amount: i64,
) -> Result<(), KafkaError> {
    // Nobody has to wait for the records: a commit fails if one of them has failed.
    let _sent = producer.send(ProducerRecord::new(ACCOUNTS, from, (-amount).to_string()))?;
    let _sent = producer.send(ProducerRecord::new(ACCOUNTS, to, amount.to_string()))?;
    Ok(())
}

/// What can go wrong in a bank.
#[derive(Debug)]
enum Error {
    Kafka(KafkaError),
    Overdrawn(&'static str),
}

impl From<KafkaError> for Error {
    fn from(error: KafkaError) -> Self {
        Error::Kafka(error)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Kafka(error) => error.fmt(f),
            Error::Overdrawn(account) => write!(f, "{account} has not that much"),
        }
    }
}
