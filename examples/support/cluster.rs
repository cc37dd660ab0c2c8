//! Where an example sends its records: the servers given by `--bootstrap-server`, else a cluster inside the process.

use ottla::KafkaError;
use ottla::embedded::EmbeddedCluster;

/// Keeps the embedded cluster alive, where there is one.
pub(crate) struct Cluster {
    servers: String,
    _embedded: Option<EmbeddedCluster>,
}

impl Cluster {
    /// `--bootstrap-server HOST:PORT` on the command line, or a fresh embedded cluster.
    pub(crate) fn from_arguments() -> Result<Self, KafkaError> {
        let mut arguments = std::env::args()
            .skip_while(|argument| argument != "--bootstrap-server")
            .skip(1);
        if let Some(servers) = arguments.next() {
            return Ok(Self {
                servers,
                _embedded: None,
            });
        }
        // Topics are made on demand with one partition; one example needs more.
        let embedded = EmbeddedCluster::builder()
            .topic("orders-by-customer", 4)
            .start()?;
        Ok(Self {
            servers: embedded.bootstrap_servers(),
            _embedded: Some(embedded),
        })
    }

    /// What goes into `bootstrap.servers`.
    pub(crate) fn servers(&self) -> &str {
        &self.servers
    }
}
