//! Builds a producer: every part, from the wire up to the thread that runs them.
//!
//! Java: the constructor of `clients/producer/KafkaProducer.java`, `newSender`.
//! Differs: named steps; each part gets the few settings it needs.
//! Threads: starts the I/O thread. Locks: none.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::client::api_versions::ApiVersions;
use crate::client::host_resolver::{
    DefaultHostResolver, HostResolver, parse_and_validate_addresses,
};
use crate::client::kafka_client::{ClientWaker, KafkaClient};
use crate::client::metadata::{Metadata, MetadataConfig};
use crate::client::network_client::{NetworkClient, NetworkClientConfig, NetworkClientParts};
use crate::common::error_kind::ErrorKind;
use crate::common::exponential_backoff::ExponentialBackoff;
use crate::common::kafka_error::KafkaError;
use crate::common::kafka_thread;
use crate::common::process::Process;
use crate::common::sync::{Mutex, Rank};
use crate::common::time::{SystemTime, Time};
use crate::network::channel_builder::{ChannelBuilder, ReceiveLimits, SecurityProtocol};
use crate::network::selectable::{ConnectOptions, Selectable};
use crate::network::selector::Selector;
use crate::producer::internals::producer_metadata::ProducerMetadata;
use crate::producer::internals::record_accumulator::{
    AccumulatorConfig, RecordAccumulator, RecordDrainer,
};
use crate::producer::internals::sender::{
    Sender, SenderConfig, SenderControl, SenderParts, SharedSender, Transactions,
};
use crate::producer::internals::transaction_manager::{TransactionManager, TransactionalConfig};
use crate::producer::kafka_producer::close::Closing;
use crate::producer::kafka_producer::plugins::Plugins;
use crate::producer::kafka_producer::record_clock::RecordClock;
use crate::producer::kafka_producer::{Inner, KafkaProducer, Limits};
use crate::producer::producer_config::{ProducerConfig, TransactionSettings};
use crate::record::compression::Compression;
use crate::record::compression_type::CompressionType;

type ProducerClient<S> = NetworkClient<S, Arc<ProducerMetadata>>;
/// The I/O thread's work over one kind of network.
pub(crate) type ProducerSender<S> = Sender<ProducerClient<S>>;

/// Makes a producer and starts its I/O thread. Where that fails the plug-ins are closed.
pub(super) fn start<K: ?Sized, V: ?Sized>(
    config: &ProducerConfig,
    client_id: String,
    plugins: Plugins<K, V>,
) -> Result<KafkaProducer<K, V>, KafkaError> {
    let custom_partitioner = plugins.placement.custom.is_some();
    match start_io(config, &client_id, custom_partitioner) {
        Ok(io) => {
            log_start(config, &client_id);
            Ok(assemble(config, client_id, plugins, io))
        }
        Err(error) => {
            plugins.close();
            Err(error)
        }
    }
}

/// Everything below the plug-ins but the Sender.
pub(super) struct Io {
    pub(super) metadata: Arc<ProducerMetadata>,
    pub(super) accumulator: Arc<RecordAccumulator>,
    pub(super) control: Arc<SenderControl>,
    pub(super) closing: Closing,
    pub(super) time: Arc<dyn Time>,
    /// Exists where the producer has a `transactional.id`.
    pub(super) transactions: Option<Arc<Mutex<TransactionManager>>>,
}

pub(super) fn assemble<K: ?Sized, V: ?Sized>(
    config: &ProducerConfig,
    client_id: String,
    plugins: Plugins<K, V>,
    io: Io,
) -> KafkaProducer<K, V> {
    let inner = Inner {
        limits: Limits {
            client_id,
            max_block: config.delivery.max_block,
            max_request_size: config.batching.max_request_size,
            buffer_memory: config.batching.buffer_memory,
            largest_record: config
                .batching
                .max_request_size
                .min(config.batching.buffer_memory),
            drop_timeout: config.client.drop_timeout,
        },
        plugins,
        metadata: io.metadata,
        accumulator: io.accumulator,
        control: io.control,
        closing: io.closing,
        clock: RecordClock::new(Arc::clone(&io.time)),
        time: io.time,
        transactions: io.transactions,
        process: Process::current(),
    };
    KafkaProducer {
        inner: Arc::new(inner),
    }
}

fn start_io(
    config: &ProducerConfig,
    client_id: &str,
    custom_partitioner: bool,
) -> Result<Io, KafkaError> {
    let time: Arc<dyn Time> = Arc::new(SystemTime);
    let limits = ReceiveLimits {
        authenticated: config.connection.receive_max_bytes,
        ..ReceiveLimits::default()
    };
    let channels = ChannelBuilder::new(SecurityProtocol::Plaintext, limits);
    let selector = Selector::new(channels, config.connection.max_idle, Arc::clone(&time))
        .map_err(|error| no_resources("a poller for sockets", error))?;
    let surroundings = Surroundings {
        selector,
        resolver: Arc::new(DefaultHostResolver),
        time,
    };
    let (mut io, sender) = new_io(config, client_id, custom_partitioner, surroundings)?;
    let sender = SharedSender::lend(sender, longest_spin());
    let thread = kafka_thread::spawn(
        &format!("{THREAD_NAME}{client_id}"),
        move || sender.run(),
        |panic| log::error!("the I/O thread panicked: {panic}"),
    )
    .map_err(|error| no_resources("a thread", error))?;
    io.closing.runs_on(thread);
    Ok(io)
}

/// How long a waiter looks for its answer before it sleeps: never where the broker may need the CPU that this takes.
fn longest_spin() -> Duration {
    match thread::available_parallelism() {
        Ok(cpus) if cpus.get() > 1 => Duration::from_micros(50),
        _ => Duration::ZERO,
    }
}

/// What lies outside of a producer: the network, names, and time.
pub(super) struct Surroundings<S> {
    pub(super) selector: S,
    pub(super) resolver: Arc<dyn HostResolver>,
    pub(super) time: Arc<dyn Time>,
}

/// Everything below the plug-ins, and what the I/O thread is to run.
pub(super) fn new_io<S: Selectable>(
    config: &ProducerConfig,
    client_id: &str,
    custom_partitioner: bool,
    surroundings: Surroundings<S>,
) -> Result<(Io, ProducerSender<S>), KafkaError> {
    let time = Arc::clone(&surroundings.time);
    let metadata = new_metadata(config, surroundings.resolver.as_ref())?;
    let api_versions = Arc::new(ApiVersions::new());
    let client = new_client(config, client_id, &metadata, &api_versions, surroundings);
    let waker = client.waker();
    let accumulator = new_accumulator(config, custom_partitioner, &waker, &time)?;
    let control = Arc::new(SenderControl::new());
    let transaction_manager = new_transaction_manager(config);
    let transactional = config.transactions.id.as_deref();
    let transactions = transactional.map(|id| Transactions {
        id: id.into(),
        api_versions,
    });
    let parts = SenderParts {
        client,
        accumulator: RecordDrainer::new(
            Arc::clone(&accumulator),
            transaction_manager.clone(),
            fastrand::f64,
        ),
        metadata: Arc::clone(&metadata),
        transaction_manager: transaction_manager.clone(),
        time: Arc::clone(&time),
        control: Arc::clone(&control),
    };
    let io = Io {
        metadata,
        accumulator,
        control,
        closing: Closing::new(waker, None),
        time,
        transactions: transaction_manager.filter(|_| transactions.is_some()),
    };
    let sender = Sender::new(sender_config(config), parts).with_transactions(transactions);
    Ok((io, sender))
}

/// A plain producer has none.
pub(super) fn new_transaction_manager(
    config: &ProducerConfig,
) -> Option<Arc<Mutex<TransactionManager>>> {
    let backoff = backoff(config.delivery.retry_backoff);
    let core = match &config.transactions {
        TransactionSettings {
            id: Some(id),
            timeout_ms,
            two_phase_commit,
        } => TransactionManager::transactional(
            TransactionalConfig {
                id: id.as_str().into(),
                timeout_ms: *timeout_ms,
                two_phase_commit: *two_phase_commit,
            },
            backoff,
        ),
        _ if config.delivery.idempotence => TransactionManager::new(backoff),
        _ => return None,
    };
    Some(Arc::new(Mutex::new(Rank::TransactionManager, core)))
}

fn new_metadata(
    config: &ProducerConfig,
    resolver: &dyn HostResolver,
) -> Result<Arc<ProducerMetadata>, KafkaError> {
    let servers = &config.client.bootstrap_servers;
    let nodes = parse_and_validate_addresses(servers, resolver)?;
    let metadata_config = MetadataConfig {
        refresh_backoff: backoff(config.delivery.retry_backoff),
        max_age: config.connection.metadata_max_age,
        max_idle: config.connection.metadata_max_idle,
        random_seed: fastrand::u64(..),
    };
    let core = Metadata::new(&metadata_config, nodes);
    Ok(Arc::new(ProducerMetadata::new(core)))
}

fn new_client<S: Selectable>(
    config: &ProducerConfig,
    client_id: &str,
    metadata: &Arc<ProducerMetadata>,
    api_versions: &Arc<ApiVersions>,
    surroundings: Surroundings<S>,
) -> ProducerClient<S> {
    let connection = &config.connection;
    let client_config = NetworkClientConfig {
        client_id: client_id.into(),
        max_in_flight_requests_per_connection: config.delivery.max_in_flight,
        reconnect_backoff: backoff(connection.reconnect_backoff),
        connection_setup_timeout: backoff(connection.setup_timeout),
        request_timeout: config.delivery.request_timeout,
        connect_options: ConnectOptions {
            send_buffer: connection.send_buffer,
            receive_buffer: connection.receive_buffer,
        },
        discover_broker_versions: true,
        rebootstrap_trigger: connection.rebootstrap_after,
        leader_suspect: connection.leader_suspect,
        random_seed: fastrand::u64(..),
    };
    let parts = NetworkClientParts {
        selector: surroundings.selector,
        metadata: Arc::clone(metadata),
        api_versions: Arc::clone(api_versions),
        resolver: surroundings.resolver,
        time: surroundings.time,
    };
    NetworkClient::new(client_config, parts)
}

fn new_accumulator(
    config: &ProducerConfig,
    custom_partitioner: bool,
    waker: &ClientWaker,
    time: &Arc<dyn Time>,
) -> Result<Arc<RecordAccumulator>, KafkaError> {
    let accumulator_config = accumulator_config(config, custom_partitioner)?;
    let waker = waker.clone();
    Ok(RecordAccumulator::new(
        accumulator_config,
        Arc::clone(time),
        || fastrand::u32(..),
        Box::new(move || waker.wakeup()),
    ))
}

pub(super) fn accumulator_config(
    config: &ProducerConfig,
    custom_partitioner: bool,
) -> Result<AccumulatorConfig, KafkaError> {
    Ok(AccumulatorConfig {
        batch_size: config.batching.batch_size,
        buffer_memory: config.batching.buffer_memory,
        compression: compression(config)?,
        linger: config.batching.linger,
        delivery_timeout: config.delivery.delivery_timeout,
        retry_backoff: backoff(config.delivery.retry_backoff),
        guarantee_message_order: config.delivery.max_in_flight == 1,
        adaptive_partitioning: config.partitioning.adaptive && !custom_partitioner,
        availability_timeout: config.partitioning.availability_timeout,
    })
}

pub(super) fn sender_config(config: &ProducerConfig) -> SenderConfig {
    let delivery = &config.delivery;
    let zstd = config.batching.compression_type == CompressionType::Zstd.name();
    SenderConfig {
        acks: delivery.acks.to_wire(),
        retries: delivery.retries,
        max_request_size: config.batching.max_request_size,
        request_timeout: delivery.request_timeout,
        delivery_timeout: delivery.delivery_timeout,
        retry_backoff: backoff(delivery.retry_backoff),
        guarantee_message_order: delivery.max_in_flight == 1,
        oldest_produce_version: if zstd { PRODUCE_WITH_ZSTD } else { PRODUCE },
    }
}

fn compression(config: &ProducerConfig) -> Result<Compression, KafkaError> {
    let name = &config.batching.compression_type;
    let codec = CompressionType::for_name(name).ok_or_else(|| {
        KafkaError::new(
            ErrorKind::Config,
            format!("compression.type {name} does not exist"),
        )
    })?;
    match config.batching.compression_level {
        Some(level) => Compression::with_level(codec, level),
        None => Compression::of(codec),
    }
}

fn backoff((first, longest): (std::time::Duration, std::time::Duration)) -> ExponentialBackoff {
    ExponentialBackoff::new(first, longest)
}

fn no_resources(what: &str, error: std::io::Error) -> KafkaError {
    KafkaError::new(ErrorKind::Kafka, format!("the system gives no {what}")).with_source(error)
}

fn log_start(config: &ProducerConfig, client_id: &str) {
    let delivery = &config.delivery;
    let kind = match &config.transactions.id {
        Some(_) => "a transactional",
        None if delivery.idempotence => "an idempotent",
        None => "a plain",
    };
    log::info!(
        "started {kind} producer {client_id} for {}",
        config.client.bootstrap_servers.join(",")
    );
    log::debug!("configuration of {client_id}: {config:?}");
}

/// Java's name, so that a thread dump reads alike. Linux cuts it after 15 characters.
const THREAD_NAME: &str = "kafka-producer-network-thread | ";
/// The first version of Produce with record batches of format 2.
const PRODUCE: i16 = 3;
/// The first version of Produce whose brokers take zstd (KIP-110).
const PRODUCE_WITH_ZSTD: i16 = 7;
