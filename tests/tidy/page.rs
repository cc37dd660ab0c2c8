//! Pages of `docs/` that a test writes.

use std::fs;
use std::path::Path;

/// Fails where the page is not what the sources say; writes it anew with `OTTLA_REGENERATE=1`.
pub(crate) fn check(name: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("OTTLA_REGENERATE").is_some() {
        fs::write(&path, expected).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{name} is stale: OTTLA_REGENERATE=1 cargo test --test tidy"
    );
}
