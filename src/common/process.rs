//! Notices that the process was forked: the child has every byte of the producer and no thread to send them.
//!
//! Java: none; a JVM does not fork.
//! Differs: the question costs a system call, so it is asked only where a call waits, opens a batch, or wakes the I/O
//! thread. A record that a child adds to a batch of its parent is refused at the next such call.
//! Threads: any. Locks: none.

use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::KafkaError;

/// The process in which the producer was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    id: u32,
}

impl Process {
    pub(crate) fn current() -> Self {
        Self {
            id: std::process::id(),
        }
    }

    /// A process that is not this one.
    #[cfg(test)]
    pub(crate) fn parent_of_this() -> Self {
        Self { id: 0 }
    }

    pub(crate) fn is_another(self) -> bool {
        std::process::id() != self.id
    }

    pub(crate) fn check(self) -> Result<(), KafkaError> {
        if self.is_another() {
            return Err(KafkaError::new(
                ErrorKind::Forked,
                format!(
                    "the producer belongs to process {}, and its I/O thread did not come along into process {}: make a \
                     producer after the fork",
                    self.id,
                    std::process::id()
                ),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_process_is_told_to_make_its_own_producer() {
        assert!(Process::current().check().is_ok());
        let parent = Process::parent_of_this();
        let error = parent.check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forked);
        assert!(
            error
                .message()
                .starts_with("the producer belongs to process 0")
        );
    }
}
