//! Which request versions each node takes, and which features the cluster runs.
//!
//! Java: `clients/ApiVersions.java`, `clients/NodeApiVersions.java`.
//! Differs: knows nothing of message formats, since every broker that takes Produce 3 takes format 2.
//! Threads: written by the I/O thread, read by any. Locks: one leaf.

use std::sync::Arc;

use crate::common::cluster::NodeId;
use crate::common::error_kind::ErrorKind;
use crate::common::fast_hash::FastMap;
use crate::common::kafka_error::KafkaError;
use crate::common::sync::{Mutex, Rank};
use crate::protocol::ApiKeys;
use crate::protocol::messages::api_versions::ApiVersionsResponse;

/// The tables of all nodes that are connected.
#[derive(Debug)]
pub(crate) struct ApiVersions {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    nodes: FastMap<NodeId, Arc<NodeApiVersions>>,
    /// The set with the highest epoch that any node reported; outlives the connection to that node.
    finalized_features: FinalizedFeatures,
}

#[derive(Debug, Default)]
struct FinalizedFeatures {
    epoch: Option<i64>,
    levels: Vec<(String, i16)>,
}

impl ApiVersions {
    pub(crate) fn new() -> Self {
        Self {
            known: Mutex::new(Rank::Leaf, Known::default()),
        }
    }

    /// Takes over what `node` said about itself and about the cluster.
    pub(crate) fn update(&self, node: NodeId, response: &ApiVersionsResponse) {
        let mut known = self.known.lock();
        let versions = Arc::new(NodeApiVersions::new(response));
        known.nodes.insert(node, versions);
        let epoch = response.finalized_features_epoch;
        if epoch >= 0 && known.finalized_features.epoch.is_none_or(|old| epoch > old) {
            let features = response.finalized_features.iter();
            known.finalized_features = FinalizedFeatures {
                epoch: Some(epoch),
                levels: features
                    .map(|feature| (feature.name.clone(), feature.max_version_level))
                    .collect(),
            };
        }
    }

    /// The connection is gone; the broker may come back with other versions.
    pub(crate) fn remove(&self, node: NodeId) {
        self.known.lock().nodes.remove(&node);
    }

    pub(crate) fn get(&self, node: NodeId) -> Option<Arc<NodeApiVersions>> {
        self.known.lock().nodes.get(&node).cloned()
    }

    /// The level at which the cluster runs a feature; 0 where it does not run it.
    pub(crate) fn finalized_feature_level(&self, feature: &str) -> i16 {
        let known = self.known.lock();
        let mut levels = known.finalized_features.levels.iter();
        levels
            .find(|(name, _)| name == feature)
            .map_or(0, |(_, level)| *level)
    }
}

/// The request versions that one node takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct NodeApiVersions {
    /// Number of the API, first and last version; requests that we do not know are kept too. Sorted.
    ranges: Vec<(i16, i16, i16)>,
}

impl NodeApiVersions {
    pub(crate) fn new(response: &ApiVersionsResponse) -> Self {
        let entries = response.api_keys.iter();
        let mut ranges: Vec<_> = entries
            .map(|entry| (entry.api_key, entry.min_version, entry.max_version))
            .collect();
        ranges.sort_unstable();
        Self { ranges }
    }

    /// First and last version of an API, where the node takes it at all.
    pub(crate) fn range(&self, api: ApiKeys) -> Option<(i16, i16)> {
        let at = self.ranges.binary_search_by_key(&api.id(), |entry| entry.0);
        let (_, min, max) = self.ranges.get(at.ok()?)?;
        Some((*min, *max))
    }

    /// The highest version that both sides speak, of those from `oldest` to `latest`.
    ///
    /// # Errors
    /// Where there is none.
    pub(crate) fn latest_usable_version(
        &self,
        api: ApiKeys,
        oldest: i16,
        latest: i16,
    ) -> Result<i16, KafkaError> {
        let unsupported = |message| KafkaError::new(ErrorKind::UnsupportedVersion, message);
        let Some((min, max)) = self.range(api) else {
            return Err(unsupported(format!("the broker does not take {api}")));
        };
        let usable = latest.min(max);
        if usable < oldest.max(min) {
            return Err(unsupported(format!(
                "no common version of {api}: the broker speaks {min} to {max}, this request needs {oldest} to {latest}"
            )));
        }
        Ok(usable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::messages::api_versions::{ApiVersion, FinalizedFeatureKey};

    fn table(ranges: &[(i16, i16, i16)]) -> ApiVersionsResponse {
        let entry = |&(api_key, min_version, max_version)| ApiVersion {
            api_key,
            min_version,
            max_version,
        };
        ApiVersionsResponse {
            api_keys: ranges.iter().map(entry).collect(),
            ..ApiVersionsResponse::default()
        }
    }

    fn usable(min: i16, max: i16, oldest: i16, latest: i16) -> Option<i16> {
        NodeApiVersions::new(&table(&[(0, min, max)]))
            .latest_usable_version(ApiKeys::Produce, oldest, latest)
            .ok()
    }

    /// Java: `NodeApiVersionsTest.testLatestUsableVersion`, `testLatestUsableVersionOutOfRangeLow`,
    /// `testLatestUsableVersionOutOfRangeHigh`. Scenario: P11.
    #[test]
    fn the_highest_common_version_is_used() {
        assert_eq!(usable(3, 10, 3, 13), Some(10), "overlap");
        assert_eq!(usable(3, 20, 3, 13), Some(13), "broker newer than client");
        assert_eq!(usable(5, 5, 3, 5), Some(5), "touching at one version");
        assert_eq!(usable(0, 2, 3, 13), None, "broker older than client");
        assert_eq!(usable(14, 20, 3, 13), None, "client older than broker");
    }

    #[test]
    fn an_error_names_both_ranges() {
        let node = NodeApiVersions::new(&table(&[(0, 0, 2)]));
        let error = node.latest_usable_version(ApiKeys::Produce, 3, 13);
        assert_eq!(
            error.expect_err("too old").message(),
            "no common version of Produce: the broker speaks 0 to 2, this request needs 3 to 13"
        );
    }

    /// Java: `NodeApiVersionsTest.testUnknownApiVersionsToString`, `testUnsupportedVersionsToString`. Scenario: P12.
    #[test]
    fn unknown_requests_are_kept_and_missing_ones_fail_alone() {
        let node = NodeApiVersions::new(&table(&[(10_000, 0, 1), (3, 0, 12)]));
        assert_eq!(node.range(ApiKeys::Metadata), Some((0, 12)));
        assert!(node.ranges.contains(&(10_000, 0, 1)));
        let error = node.latest_usable_version(ApiKeys::Produce, 3, 13);
        assert_eq!(
            error.expect_err("missing").message(),
            "the broker does not take Produce"
        );
        assert!(node.latest_usable_version(ApiKeys::Metadata, 4, 13).is_ok());
    }

    /// Scenario: P13.
    #[test]
    fn produce_0_to_2_is_never_used_though_brokers_list_it() {
        assert_eq!(usable(0, 12, 3, 13), Some(12));
        assert_eq!(usable(0, 3, 3, 13), Some(3));
    }

    /// Java: `ApiVersionsTest.testFinalizedFeaturesUpdate`. Scenario: P15.
    #[test]
    fn the_features_of_the_highest_epoch_count() {
        let versions = ApiVersions::new();
        let with_epoch = |epoch, level| ApiVersionsResponse {
            finalized_features_epoch: epoch,
            finalized_features: vec![FinalizedFeatureKey {
                name: "transaction.version".to_owned(),
                max_version_level: level,
                min_version_level: level,
            }],
            ..ApiVersionsResponse::default()
        };
        let level = || versions.finalized_feature_level("transaction.version");
        assert_eq!(level(), 0);
        versions.update(NodeId(1), &with_epoch(-1, 9));
        assert_eq!(level(), 0, "an epoch below zero means that there is none");
        versions.update(NodeId(1), &with_epoch(5, 2));
        versions.update(NodeId(2), &with_epoch(4, 1));
        assert_eq!(level(), 2, "an older epoch is ignored");
        versions.remove(NodeId(1));
        assert_eq!(level(), 2, "features belong to the cluster");
        versions.update(NodeId(2), &with_epoch(6, 1));
        assert_eq!(level(), 1, "a newer epoch replaces");
        assert_eq!(versions.finalized_feature_level("kraft.version"), 0);
    }
}
