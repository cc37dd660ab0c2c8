//! Who consumes: what a producer tells the broker about the consumer whose offsets it commits.
//!
//! Java: `clients/consumer/ConsumerGroupMetadata.java`.
//! Differs: a consumer is not part of this crate, so the fields are set by the application.
//! Threads: plain data. Locks: none.

use crate::common::kafka_error::KafkaError;

/// The consumer group, and the member of it, whose offsets go into a transaction.
///
/// With no more than the group's name nothing fences a consumer that has lost its partitions meanwhile; with generation
/// and member id the group's coordinator does (KIP-447, brokers from 2.5 on).
///
/// ```
/// use ottla::ConsumerGroupMetadata;
///
/// let group = ConsumerGroupMetadata::new("billing").with_member(7, "billing-1-4711");
/// assert_eq!((group.group_id(), group.generation_id()), ("billing", 7));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConsumerGroupMetadata {
    group_id: String,
    generation_id: i32,
    member_id: String,
    group_instance_id: Option<String>,
}

impl ConsumerGroupMetadata {
    /// A group of which nothing but the name is known.
    pub fn new(group_id: impl Into<String>) -> Self {
        Self {
            group_id: group_id.into(),
            generation_id: UNKNOWN_GENERATION,
            member_id: String::new(),
            group_instance_id: None,
        }
    }

    /// The same group with the consumer's generation (its member epoch, in the newer protocol) and member id.
    #[must_use]
    pub fn with_member(self, generation_id: i32, member_id: impl Into<String>) -> Self {
        Self {
            generation_id,
            member_id: member_id.into(),
            ..self
        }
    }

    /// The same group with the consumer's `group.instance.id`.
    #[must_use]
    pub fn with_group_instance_id(self, group_instance_id: impl Into<String>) -> Self {
        Self {
            group_instance_id: Some(group_instance_id.into()),
            ..self
        }
    }

    /// `group.id`.
    pub fn group_id(&self) -> &str {
        &self.group_id
    }

    /// The generation of the group; -1 where it is not known.
    pub fn generation_id(&self) -> i32 {
        self.generation_id
    }

    /// The member id; empty where it is not known.
    pub fn member_id(&self) -> &str {
        &self.member_id
    }

    /// `group.instance.id`, where the consumer has one.
    pub fn group_instance_id(&self) -> Option<&str> {
        self.group_instance_id.as_deref()
    }

    /// Whether a broker must understand more than the group's name.
    pub(crate) fn names_a_member(&self) -> bool {
        self.generation_id > UNKNOWN_GENERATION
            || !self.member_id.is_empty()
            || self.group_instance_id.is_some()
    }

    /// Java: `throwIfInvalidGroupMetadata`.
    pub(crate) fn validate(&self) -> Result<(), KafkaError> {
        if self.group_id.is_empty() {
            return Err(KafkaError::illegal_argument(
                "the consumer group has no name",
            ));
        }
        if self.generation_id > 0 && self.member_id.is_empty() {
            return Err(KafkaError::illegal_argument(format!(
                "generation {} of group {} without a member id",
                self.generation_id, self.group_id
            )));
        }
        Ok(())
    }
}

const UNKNOWN_GENERATION: i32 = -1;

#[cfg(test)]
mod tests {
    use super::*;

    /// Java: `KafkaProducerTest.testNullGroupMetadataInSendOffsets`, `testInvalidGenerationIdAndMemberIdCombinedInSendOffsets`.
    /// Scenario: TX19.
    #[test]
    fn a_generation_needs_a_member() {
        let group = ConsumerGroupMetadata::new("g");
        assert!(group.validate().is_ok() && !group.names_a_member());
        let group = group.with_member(2, "");
        assert!(group.validate().is_err() && group.names_a_member());
        assert!(group.with_member(2, "m").validate().is_ok());
        assert!(ConsumerGroupMetadata::new("").validate().is_err());
    }
}
