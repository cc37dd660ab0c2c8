//! A request on its way to a node, its response, and why a response is missing.
//!
//! Java: `clients/ClientRequest.java`, `clients/ClientResponse.java`, `common/requests/AbstractRequest.java` (`Builder`).
//! Differs: no callback inside: who sends a request finds its own by the correlation id; the ways to fail are an enum.
//! Threads: plain data. Locks: none.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::cluster::NodeId;
use crate::common::kafka_error::KafkaError;
use crate::protocol::ApiKeys;
use crate::protocol::requests::{RequestBody, ResponseBody};

/// A request that is not sent yet.
#[derive(Debug)]
pub(crate) struct ClientRequest {
    /// Unique among the requests of this client for as long as any of them is without a response.
    pub(crate) correlation_id: i32,
    pub(crate) destination: NodeId,
    pub(crate) builder: RequestBuilder,
    pub(crate) created: Instant,
    /// False for Produce with `acks=0`, which the broker does not answer.
    pub(crate) expects_response: bool,
    /// How long to wait for the response, counted from the send.
    pub(crate) timeout: Duration,
}

impl ClientRequest {
    pub(crate) fn api_key(&self) -> ApiKeys {
        self.builder.api_key()
    }
}

/// Makes the body of a request when the version is known, which is when it is sent.
pub(crate) struct RequestBuilder {
    api_key: ApiKeys,
    versions: RangeInclusive<i16>,
    body: Body,
}

enum Body {
    Same(RequestBody),
    OfVersion(Box<dyn FnOnce(i16) -> Result<RequestBody, KafkaError> + Send>),
}

impl RequestBuilder {
    /// A request whose body depends on the version. An error of `build` fails the request before it is sent, as
    /// [`RequestFailure::VersionMismatch`].
    pub(crate) fn new(
        api_key: ApiKeys,
        build: impl FnOnce(i16) -> Result<RequestBody, KafkaError> + Send + 'static,
    ) -> Self {
        Self {
            api_key,
            versions: api_key.client_versions(),
            body: Body::OfVersion(Box::new(build)),
        }
    }

    /// A request with the same body at every version.
    pub(crate) fn of(body: impl Into<RequestBody>) -> Self {
        let body = body.into();
        Self {
            api_key: body.api_key(),
            versions: body.api_key().client_versions(),
            body: Body::Same(body),
        }
    }

    /// Never uses a version above `version`.
    #[must_use]
    pub(crate) fn at_most(self, version: i16) -> Self {
        let latest = (*self.versions.end()).min(version);
        Self {
            versions: *self.versions.start()..=latest,
            ..self
        }
    }

    /// Never uses a version below `version`.
    #[must_use]
    pub(crate) fn at_least(self, version: i16) -> Self {
        let oldest = (*self.versions.start()).max(version);
        Self {
            versions: oldest..=*self.versions.end(),
            ..self
        }
    }

    pub(crate) fn api_key(&self) -> ApiKeys {
        self.api_key
    }

    pub(crate) fn oldest_allowed_version(&self) -> i16 {
        *self.versions.start()
    }

    pub(crate) fn latest_allowed_version(&self) -> i16 {
        *self.versions.end()
    }

    /// The body at `version`.
    ///
    /// # Errors
    /// Where the request says something that this version cannot say.
    pub(crate) fn build(self, version: i16) -> Result<RequestBody, KafkaError> {
        match self.body {
            Body::Same(body) => Ok(body),
            Body::OfVersion(build) => build(version),
        }
    }
}

impl fmt::Debug for RequestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} v{}-{}",
            self.api_key,
            self.oldest_allowed_version(),
            self.latest_allowed_version()
        )
    }
}

/// How a request ended.
#[derive(Debug)]
pub(crate) struct ClientResponse {
    pub(crate) correlation_id: i32,
    pub(crate) destination: NodeId,
    pub(crate) outcome: Outcome,
    /// From the request's creation to its end.
    pub(crate) latency: Duration,
}

/// What came of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The broker answered.
    Answered(ResponseBody),
    /// The last byte of a request that expects no response went out; nobody knows what became of it.
    Written,
    /// There will be no response.
    Failed(RequestFailure),
}

/// Why there will be no response.
#[derive(Debug, Clone)]
pub(crate) enum RequestFailure {
    /// The connection ended first; the broker may have taken the request all the same.
    Disconnected {
        /// What ended the connection, in words for people.
        reason: Arc<str>,
    },
    /// The connection was lost before the first byte of the request left this process: the broker has nothing of it.
    NotSent {
        /// What ended the connection, in words for people.
        reason: Arc<str>,
    },
    /// No response within the limit; the connection was closed, and the broker may have taken the request all the same.
    TimedOut {
        /// The limit of the request that was overdue: this one, or another one on the same connection.
        limit: Duration,
    },
    /// There is no version that both sides speak, or none that can say this: nothing was sent.
    VersionMismatch(KafkaError),
    /// The connection ended because the broker refused the login.
    AuthenticationFailed(KafkaError),
}

impl fmt::Display for RequestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected { reason } | Self::NotSent { reason } => f.write_str(reason),
            Self::TimedOut { limit } => write!(f, "no response within {} ms", limit.as_millis()),
            Self::VersionMismatch(error) | Self::AuthenticationFailed(error) => error.fmt(f),
        }
    }
}
