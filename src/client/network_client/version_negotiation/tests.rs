//! What the exchange of versions promises.

use super::*;

/// Java: `ApiVersionsRequestTest.testValidVersions` (the rule). Scenario: P19.
#[test]
fn names_that_brokers_refuse_are_cleaned() {
    assert_eq!(sanitized("ottla"), "ottla");
    assert_eq!(sanitized("0.1.0"), "0.1.0");
    assert_eq!(sanitized("0.1.0-rc.1+build_7"), "0.1.0-rc.1-build-7");
    assert_eq!(sanitized("-a b-"), "a-b");
    assert_eq!(sanitized("+++"), "unknown");
    assert_eq!(sanitized(""), "unknown");
}

#[test]
fn the_version_to_fall_back_to_is_always_lower() {
    use crate::protocol::messages::api_versions::ApiVersion;
    let listing = |max_version| ApiVersionsResponse {
        api_keys: vec![ApiVersion {
            api_key: ApiKeys::ApiVersions.id(),
            min_version: 0,
            max_version,
        }],
        ..ApiVersionsResponse::default()
    };
    assert_eq!(version_to_fall_back_to(4, &listing(3)), 3);
    assert_eq!(version_to_fall_back_to(4, &listing(4)), 3);
    assert_eq!(version_to_fall_back_to(1, &listing(9)), 0);
    assert_eq!(version_to_fall_back_to(4, &listing(-9)), 0);
    let silent = ApiVersionsResponse::default();
    assert_eq!(version_to_fall_back_to(4, &silent), 0);
}
