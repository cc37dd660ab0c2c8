//! What every producing subcommand takes: the servers, a file of configuration, and single values of it.

use std::path::{Path, PathBuf};

use clap::Args;
use ottla::{ErrorKind, KafkaError, ProducerConfig};

/// `--bootstrap-server`, `--command-config`, `--command-property`, and their older spellings.
#[derive(Debug, Args)]
pub(crate) struct ClientOptions {
    /// The servers to begin with, as HOST1:PORT1,HOST2:PORT2.
    #[arg(long, alias = "broker-list")]
    bootstrap_server: Option<String>,
    /// A file with producer configuration.
    #[arg(long, value_name = "FILE", conflicts_with = "producer_config")]
    command_config: Option<PathBuf>,
    /// A producer configuration, KEY=VALUE; beats the file. May be repeated.
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "producer_property")]
    command_property: Vec<String>,
    /// The older spelling of --command-config.
    #[arg(
        long = "producer.config",
        id = "producer_config",
        value_name = "FILE",
        hide = true
    )]
    producer_config: Option<PathBuf>,
    /// The older spelling of --command-property.
    #[arg(long, value_name = "KEY=VALUE", hide = true)]
    producer_property: Vec<String>,
}

/// Configuration as pairs; later ones beat earlier ones.
pub(crate) type Pairs = Vec<(String, String)>;

impl ClientOptions {
    /// The file's pairs, then the single ones, then the servers.
    pub(crate) fn pairs(&self) -> Result<Pairs, KafkaError> {
        let file = self
            .command_config
            .as_deref()
            .or(self.producer_config.as_deref());
        let mut pairs = file.map(read_file).transpose()?.unwrap_or_default();
        for text in self.command_property.iter().chain(&self.producer_property) {
            set(&mut pairs, split_pair("--command-property", text)?);
        }
        if let Some(servers) = &self.bootstrap_server {
            set(
                &mut pairs,
                ("bootstrap.servers".to_owned(), servers.clone()),
            );
        }
        Ok(pairs)
    }
}

/// Sets a key that nothing else has set.
pub(crate) fn set_default(pairs: &mut Pairs, key: &str, value: impl ToString) {
    if !pairs.iter().any(|(known, _)| known == key) {
        pairs.push((key.to_owned(), value.to_string()));
    }
}

/// Sets a key, whatever it was before.
pub(crate) fn set(pairs: &mut Pairs, (key, value): (String, String)) {
    pairs.retain(|(known, _)| *known != key);
    pairs.push((key, value));
}

/// Checks the pairs as a whole. As Java's tools do, the subcommands know their serializers better than the file.
pub(crate) fn config(mut pairs: Pairs) -> Result<ProducerConfig, KafkaError> {
    pairs.retain(|(key, _)| !matches!(key.as_str(), "key.serializer" | "value.serializer"));
    ProducerConfig::from_properties(pairs)
}

/// Splits `KEY=VALUE` at the first `=`.
pub(crate) fn split_pair(option: &str, text: &str) -> Result<(String, String), KafkaError> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.to_owned()))
        }
        _ => {
            let text = format!("{option} takes KEY=VALUE, not {text:?}");
            Err(KafkaError::new(ErrorKind::Config, text))
        }
    }
}

/// Reads a Java properties file.
pub(crate) fn read_file(path: &Path) -> Result<Pairs, KafkaError> {
    let name = path.display();
    let unreadable = |reason: String| {
        KafkaError::new(ErrorKind::Config, format!("cannot read {name}: {reason}"))
    };
    let file = std::fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut pairs = Pairs::new();
    let add = |key, value| set(&mut pairs, (key, value));
    java_properties::PropertiesIter::new(std::io::BufReader::new(file))
        .read_into(add)
        .map_err(|error| unreadable(error.to_string()))?;
    Ok(pairs)
}
