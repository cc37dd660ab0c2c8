//! The one error of the crate: what happened, what to do about it, and what is known about the record.
//!
//! Java: `common/KafkaException.java` and everything below it.
//! Differs: a kind with predicates instead of a class tree; says whether the record may have been written, which
//! attempts were made and which time limit ran out.
//! Threads: cheap to clone and shared freely. Locks: none.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::common::error_kind::ErrorKind;

/// Whether a record that failed may be in the log all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Persisted {
    /// No broker has the record: sending it again cannot duplicate it.
    No,
    /// A broker may have written the record before the failure: sending it again may duplicate it.
    Maybe,
}

/// Which time limit ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TimeLimit {
    /// `max.block.ms`, or the limit given to the call: waiting for metadata or buffer memory.
    MaxBlock,
    /// `delivery.timeout.ms`: from the creation of the batch to its outcome.
    DeliveryTimeout,
    /// `request.timeout.ms`: one request to one broker.
    RequestTimeout,
    /// The limit given to `get_timeout`, `flush_timeout` or `close`.
    Call,
}

/// One try to deliver a record: to which broker, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// The broker's node id.
    pub node: i32,
    /// How long after the batch was created the try ended.
    pub after: Duration,
    /// How it ended: the error's name, and the broker's message where there was one.
    pub outcome: String,
}

impl Attempt {
    pub(crate) fn new(node: i32, after: Duration, outcome: String) -> Self {
        Self {
            node,
            after,
            outcome,
        }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "node {} after {} ms: {}",
            self.node,
            self.after.as_millis(),
            self.outcome
        )
    }
}

/// Why a call or a record failed.
///
/// Decide by the predicates ([`is_retriable`](Self::is_retriable), [`is_fatal`](Self::is_fatal),
/// [`is_abortable`](Self::is_abortable), [`persisted`](Self::persisted)); [`kind`](Self::kind) is the name that Java
/// uses. Cloning is cheap: the records of a batch share one error.
#[derive(Clone)]
pub struct KafkaError {
    inner: Arc<Inner>,
}

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    fatal: bool,
    abortable: bool,
    persisted: Persisted,
    broker_message: Option<String>,
    attempts: Vec<Attempt>,
    time_limit: Option<TimeLimit>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl KafkaError {
    /// An error of a kind, with a sentence that names the thing, the value and the limit.
    ///
    /// Applications need this for their own serializers, partitioners and interceptors.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            inner: Arc::new(Inner {
                kind,
                message: message.into(),
                fatal: false,
                abortable: false,
                persisted: Persisted::No,
                broker_message: None,
                attempts: Vec::new(),
                time_limit: None,
                source: None,
            }),
        }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.change(|inner| inner.source = Some(Arc::new(source)))
    }

    /// What went wrong, by Java's name.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// The sentence, without the kind.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// The failure passes by itself. The producer has already retried within its limits; whether the *application* may
    /// send the record again without risking a duplicate is what [`persisted`](Self::persisted) says.
    pub fn is_retriable(&self) -> bool {
        self.inner.kind.is_retriable()
    }

    /// The producer is of no more use: close it.
    pub fn is_fatal(&self) -> bool {
        self.inner.fatal
    }

    /// The open transaction must be aborted; the producer can go on after that.
    pub fn is_abortable(&self) -> bool {
        !self.inner.fatal && (self.inner.abortable || self.inner.kind.is_abortable())
    }

    /// Whether the record may be in the log although it failed.
    pub fn persisted(&self) -> Persisted {
        self.inner.persisted
    }

    /// What the broker said, where it said something.
    pub fn broker_message(&self) -> Option<&str> {
        self.inner.broker_message.as_deref()
    }

    /// The tries that were made, oldest first; empty where nothing was sent.
    pub fn attempts(&self) -> &[Attempt] {
        &self.inner.attempts
    }

    /// The time limit that ran out, for errors of kind [`ErrorKind::Timeout`] and [`ErrorKind::BufferExhausted`].
    pub fn time_limit(&self) -> Option<TimeLimit> {
        self.inner.time_limit
    }

    /// The same error, after which the producer is of no more use.
    #[must_use]
    pub(crate) fn fatal(self) -> Self {
        self.change(|inner| inner.fatal = true)
    }

    /// The same error, after which the open transaction can only be aborted.
    #[must_use]
    pub(crate) fn abortable(self) -> Self {
        self.change(|inner| inner.abortable = true)
    }

    #[must_use]
    pub(crate) fn with_persisted(self, persisted: Persisted) -> Self {
        self.change(|inner| inner.persisted = persisted)
    }

    #[must_use]
    pub(crate) fn with_broker_message(self, message: impl Into<String>) -> Self {
        self.change(|inner| inner.broker_message = Some(message.into()))
    }

    #[must_use]
    pub(crate) fn with_attempts(self, attempts: Vec<Attempt>) -> Self {
        self.change(|inner| inner.attempts = attempts)
    }

    #[must_use]
    pub(crate) fn with_time_limit(self, limit: TimeLimit) -> Self {
        self.change(|inner| inner.time_limit = Some(limit))
    }

    /// A call came at a time when it is not allowed.
    pub(crate) fn illegal_state(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::IllegalState, message)
    }

    /// An argument lies outside its range.
    pub(crate) fn illegal_argument(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::IllegalArgument, message)
    }

    /// A time limit ran out.
    pub(crate) fn timeout(limit: TimeLimit, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Timeout, message).with_time_limit(limit)
    }

    fn change(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.inner));
        self
    }
}

impl fmt::Display for KafkaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.inner;
        write!(f, "{}: {}", inner.kind.name(), inner.message)?;
        if let Some(said) = &inner.broker_message {
            write!(f, "; the broker said: {said}")?;
        }
        if !inner.attempts.is_empty() {
            write!(f, "; attempts: ")?;
            for (n, attempt) in inner.attempts.iter().enumerate() {
                write!(f, "{}{attempt}", if n == 0 { "" } else { ", " })?;
            }
        }
        if inner.persisted == Persisted::Maybe {
            write!(f, "; the record may have been written")?;
        }
        Ok(())
    }
}

impl fmt::Debug for KafkaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for KafkaError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner
            .source
            .as_ref()
            .map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_tells_its_whole_story_in_one_line() {
        let error =
            KafkaError::timeout(TimeLimit::DeliveryTimeout, "1 record for orders-0 expired")
                .with_attempts(vec![Attempt::new(
                    2,
                    Duration::from_millis(30),
                    "NOT_LEADER_OR_FOLLOWER".into(),
                )])
                .with_persisted(Persisted::Maybe);
        assert_eq!(
            error.to_string(),
            "Timeout: 1 record for orders-0 expired; attempts: node 2 after 30 ms: NOT_LEADER_OR_FOLLOWER; \
             the record may have been written"
        );
        assert!(error.is_retriable() && !error.is_fatal() && !error.is_abortable());
    }

    #[test]
    fn a_cause_is_kept() {
        let error =
            KafkaError::new(ErrorKind::Network, "x").with_source(std::io::Error::other("broken"));
        assert_eq!(
            error.source().map(ToString::to_string).as_deref(),
            Some("broken")
        );
    }
}
