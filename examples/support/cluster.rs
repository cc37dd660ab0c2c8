//! Where an example sends its records: the servers given by `--bootstrap-server`, else a cluster inside the process.

use ottla::KafkaError;
use ottla::embedded::EmbeddedCluster;

pub(crate) struct Cluster {
    servers: String,
    /// The cluster inside the process, where it is that.
    pub(crate) embedded: Option<EmbeddedCluster>,
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
                embedded: None,
            });
        }
        // Topics are made on demand with one partition; one example needs more.
        let embedded = EmbeddedCluster::builder()
            .topic("orders-by-customer", 4)
            .start()?;
        let mut cluster = Self {
            servers: String::new(),
            embedded: Some(embedded),
        };
        if let Some(embedded) = &cluster.embedded {
            cluster.servers = embedded.bootstrap_servers();
        }
        Ok(cluster)
    }

    /// What goes into `bootstrap.servers`.
    pub(crate) fn servers(&self) -> &str {
        &self.servers
    }
}
