//! `docs/config.md` is written from the key table: `OTTLA_REGENERATE=1 cargo test config_page` writes it anew.

use std::fmt::Write;
use std::path::Path;

use crate::producer::producer_config::{ConfigKey, ProducerConfig};

#[test]
fn the_configuration_page_agrees_with_the_key_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/config.md");
    let page = page();
    if std::env::var_os("OTTLA_REGENERATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "docs/config.md is out of date: run OTTLA_REGENERATE=1 cargo test config_page"
    );
}

fn page() -> String {
    let mut page = String::from(INTRODUCTION);
    type Belongs = fn(&ConfigKey) -> bool;
    let groups: [(&str, Belongs); 4] = [
        ("Keys that work", |key| key.is_supported() && !key.is_own()),
        (
            "Keys that Java's own table does not have",
            ConfigKey::is_own,
        ),
        ("Keys whose feature is still to come", |key| {
            key.note().starts_with("not supported yet")
        }),
        ("Keys that make sense in a JVM only", |key| {
            key.note().starts_with("JVM only")
        }),
    ];
    for (title, belongs) in groups {
        let mut keys: Vec<&ConfigKey> = ProducerConfig::keys().filter(|key| belongs(key)).collect();
        keys.sort_by_key(|key| key.name());
        write!(page, "\n## {title}\n\n{HEAD}").unwrap();
        for key in keys {
            writeln!(page, "{}", row(key)).unwrap();
        }
    }
    page
}

fn row(key: &ConfigKey) -> String {
    let code = |text: String| {
        if text.is_empty() {
            text
        } else {
            format!("`{text}`")
        }
    };
    let note = match key.note() {
        note if note.is_empty() => String::new(),
        note => format!(" *{}{}.*", note[..1].to_uppercase(), &note[1..]),
    };
    format!(
        "| `{}` | {} | {} | {} | {} | {}{note} |",
        key.name(),
        key.type_name().to_lowercase(),
        code(key.default_value()),
        code(key.valid_values()),
        key.importance().to_lowercase(),
        key.documentation(),
    )
}

const INTRODUCTION: &str = "# Configuration

Every key that the Java producer of Kafka 4.3 knows, by its Java name, with Java's type, default and range, and the keys
that only `ottla` has. This page is written from the table in the source.

There are three ways to one checked `ProducerConfig`:

```rust
use ottla::{Acks, ProducerConfig};
use std::time::Duration;

let typed = ProducerConfig::builder(\"localhost:9092\")
    .acks(Acks::All)
    .linger(Duration::from_millis(20))
    .set(\"metadata.max.age.ms\", 60_000)
    .build()?;

let pairs = ProducerConfig::from_properties([
    (\"bootstrap.servers\", \"localhost:9092\"),
    (\"linger.ms\", \"20\"),
])?;

// The crate feature `properties` reads Java's files.
let file = ProducerConfig::from_properties_file(\"no/such/file.properties\");
assert!(file.is_err());
# Ok::<(), ottla::KafkaError>(())
```

What is different from Java:

* An unknown key is an error that names the nearest known key; names that librdkafka uses for the same setting are
  translated. `ottla.unknown.keys=warn` logs them instead.
* A key whose feature does not exist yet, or that makes sense in a JVM only, may be given with its default; any other
  value is an error that says what to use.
* Where Java changes a setting without being asked, the conflict is an error: `acks`, `retries` or in-flight limits
  that idempotence cannot live with, a `delivery.timeout.ms` shorter than `linger.ms` and `request.timeout.ms` together, a
  first back-off above the longest.
* `batch.size` above `buffer.memory` is an error: no batch would ever fit.
* `key.serializer` and `value.serializer` may be left out, because the types of the producer say it. A class name of
  Java is accepted where it means the same bytes, so that a Java file works as it is.
* Keys and values are trimmed. Of a key that is given twice the last value counts.
";

const HEAD: &str = "| key | type | default | range | importance | what it does |\n| --- | --- | --- | --- | --- | --- |\n";
