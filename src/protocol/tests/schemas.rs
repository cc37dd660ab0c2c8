//! Our tables against the schemas inside the real Kafka jar, field by field at every version.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::protocol::api_keys::ApiKeys;
use crate::protocol::message::{FieldShape, Message, Shape, Versions};
use crate::protocol::requests::{MessageVisitor, visit_messages};

/// Every message, every field, every version: name, order, type, nullability, tag, default, ignorable or not.
#[test]
fn every_declared_message_equals_the_schema_in_the_kafka_jar() {
    let Some(folder) = schemas() else {
        return;
    };
    let mut comparison = Comparison {
        folder,
        messages: BTreeSet::new(),
        common_structs: Vec::new(),
        fields: 0,
        wrong: Vec::new(),
    };
    visit_messages(&mut comparison);
    assert_eq!(comparison.wrong, Vec::<String>::new());
    assert_eq!(comparison.messages.len(), 2 * ApiKeys::ALL.len());
    assert!(
        comparison.fields > 1000,
        "{} fields compared",
        comparison.fields
    );
}

#[test]
fn the_headers_are_those_of_the_kafka_jar() {
    let Some(folder) = schemas() else {
        return;
    };
    let request = schema(&folder, "RequestHeader");
    assert_eq!(
        field_lines(&request),
        [
            "RequestApiKey int16",
            "RequestApiVersion int16",
            "CorrelationId int32",
            "ClientId string"
        ]
    );
    assert_eq!(
        (
            text(&request, "validVersions"),
            text(&request, "flexibleVersions")
        ),
        ("1-2", "2+")
    );
    let response = schema(&folder, "ResponseHeader");
    assert_eq!(field_lines(&response), ["CorrelationId int32"]);
    assert_eq!(
        (
            text(&response, "validVersions"),
            text(&response, "flexibleVersions")
        ),
        ("0-1", "1+")
    );
}

struct Comparison {
    folder: PathBuf,
    messages: BTreeSet<&'static str>,
    /// Structs that the message at hand declares once and uses in several places.
    common_structs: Vec<Value>,
    /// How many fields were compared, each counted at each version.
    fields: usize,
    wrong: Vec<String>,
}

impl MessageVisitor for Comparison {
    fn visit<M: Message + Debug>(&mut self, api: ApiKeys) {
        self.messages.insert(M::NAME);
        let schema = schema(&self.folder, M::NAME);
        let common_structs = schema["commonStructs"].as_array();
        self.common_structs = common_structs.cloned().unwrap_or_default();
        let declared = Versions {
            first: M::FIRST_VERSION,
            last: M::LAST_VERSION,
        };
        self.equal(
            M::NAME,
            "api key",
            schema["apiKey"].as_i64(),
            Some(i64::from(api.id())),
        );
        self.equal(
            M::NAME,
            "versions",
            self.stable_versions(&schema, M::NAME),
            declared,
        );
        let flexible = versions(&schema, "flexibleVersions").first;
        self.equal(
            M::NAME,
            "first flexible version",
            flexible,
            M::FIRST_FLEXIBLE_VERSION,
        );
        let Shape::Struct(_, fields) = M::shape() else {
            panic!("{} is a struct", M::NAME);
        };
        for version in M::FIRST_VERSION..=M::LAST_VERSION {
            self.compare_struct(M::NAME, &fields, &schema, version);
        }
    }
}

impl Comparison {
    /// The newest version of an API may be unstable, which only the request's schema says.
    fn stable_versions(&self, schema_of_message: &Value, name: &str) -> Versions {
        let valid = versions(schema_of_message, "validVersions");
        let request = schema(&self.folder, &name.replace("Response", "Request"));
        let unstable = request["latestVersionUnstable"].as_bool() == Some(true)
            && !UNSTABLE_BUT_SPOKEN.contains(&text(&request, "name"));
        Versions {
            last: valid.last - i16::from(unstable),
            ..valid
        }
    }

    fn compare_struct(&mut self, path: &str, ours: &[FieldShape], theirs: &Value, version: i16) {
        let ours: Vec<_> = ours
            .iter()
            .filter(|field| field.spec.versions.contains(version))
            .collect();
        let theirs: Vec<_> = theirs["fields"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|field| versions(field, "versions").contains(version))
            .collect();
        let our_names: Vec<_> = ours.iter().map(|field| field.name.to_owned()).collect();
        let their_names: Vec<_> = theirs
            .iter()
            .map(|field| snake_case(text(field, "name")))
            .collect();
        self.equal(
            path,
            &format!("fields at version {version}"),
            &our_names,
            &their_names,
        );
        // Tags are written in the order of the table, and must rise on the wire.
        let tags: Vec<_> = ours.iter().filter_map(|field| field.spec.tag).collect();
        self.equal(path, "rising tags", tags.is_sorted_by(|a, b| a < b), true);
        if our_names == their_names {
            for (ours, theirs) in ours.into_iter().zip(theirs) {
                self.compare_field(&format!("{path}.{}", ours.name), ours, theirs, version);
            }
        }
    }

    fn compare_field(&mut self, path: &str, ours: &FieldShape, theirs: &Value, version: i16) {
        self.fields += 1;
        let spec = &ours.spec;
        self.equal(
            path,
            "type",
            type_name(&ours.shape).as_str(),
            text(theirs, "type"),
        );
        let nullable = versions(theirs, "nullableVersions").contains(version);
        self.equal(path, "nullable", spec.nullable.contains(version), nullable);
        let tagged = versions(theirs, "taggedVersions").contains(version);
        let tag = theirs["tag"].as_u64().filter(|_| tagged);
        self.equal(path, "tag", spec.tag.map(u64::from), tag);
        let ignorable = theirs["ignorable"].as_bool() == Some(true);
        self.equal(path, "ignorable", spec.ignorable, ignorable);
        if let Some(default) = default(theirs) {
            self.equal(path, "default", ours.default.as_str(), &default);
        }
        let mut shape = &ours.shape;
        while let Shape::Array(element) = shape {
            shape = element;
        }
        if let Shape::Struct(name, fields) = shape {
            let is_shared = |common: &&Value| text(common, "name") == *name;
            let shared = self.common_structs.iter().find(is_shared).cloned();
            let theirs = shared.as_ref().unwrap_or(theirs);
            self.compare_struct(&format!("{path}.{name}"), fields, theirs, version);
        }
    }

    fn equal<T: PartialEq + Debug>(&mut self, path: &str, what: &str, ours: T, theirs: T) {
        if ours != theirs {
            self.wrong
                .push(format!("{path}: {what} {ours:?}, in Kafka {theirs:?}"));
        }
    }
}

/// The default of a field as Rust prints it; nothing for a struct, whose fields are compared one by one.
fn default(field: &Value) -> Option<String> {
    let given = match &field["default"] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        number => Some(number.to_string()),
    };
    if given.as_deref() == Some("null") {
        return Some("None".to_owned());
    }
    let bare = match text(field, "type") {
        "bool" => given.unwrap_or_else(|| "false".to_owned()),
        "int8" | "int16" | "int32" | "int64" => integer(given.as_deref().unwrap_or("0")),
        "string" => format!("{:?}", given.unwrap_or_default()),
        "uuid" => "0".repeat(32),
        // Java's generator lets records be null whatever the schema says.
        "records" => return Some("None".to_owned()),
        array if array.starts_with("[]") => "[]".to_owned(),
        _ => return None,
    };
    let nullable = !field["nullableVersions"].is_null();
    Some(if nullable {
        format!("Some({bare})")
    } else {
        bare
    })
}

fn integer(text: &str) -> String {
    match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16)
            .expect("hex digits")
            .to_string(),
        None => text.to_owned(),
    }
}

fn type_name(shape: &Shape) -> String {
    match shape {
        Shape::Primitive(name) | Shape::Struct(name, _) => (*name).to_owned(),
        Shape::Array(element) => format!("[]{}", type_name(element)),
    }
}

/// `3+`, `0-12`, `7` or `none`, or nothing at all.
fn versions(schema: &Value, key: &str) -> Versions {
    let text = schema[key].as_str().unwrap_or("none");
    let number = |text: &str| text.parse().expect("a version");
    let (first, last) = match (text.strip_suffix('+'), text.split_once('-')) {
        _ if text == "none" => (0, -1),
        (Some(first), _) => (number(first), i16::MAX),
        (None, Some((first, last))) => (number(first), number(last)),
        (None, None) => (number(text), number(text)),
    };
    Versions { first, last }
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    let mut before = None;
    for letter in name.chars() {
        let digit_after_a_word = letter.is_ascii_digit() && before.is_some_and(char::is_lowercase);
        if (letter.is_uppercase() || digit_after_a_word) && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
        before = Some(letter);
    }
    snake
}

fn field_lines(schema: &Value) -> Vec<String> {
    let fields = schema["fields"].as_array().into_iter().flatten();
    fields
        .map(|field| format!("{} {}", text(field, "name"), text(field, "type")))
        .collect()
}

fn text<'a>(schema: &'a Value, key: &str) -> &'a str {
    schema[key].as_str().unwrap_or_default()
}

/// A schema of the jar, which is JSON with comment lines.
fn schema(folder: &Path, name: &str) -> Value {
    let path = folder.join(format!("{name}.json"));
    let source = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let without_comments: Vec<_> = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    serde_json::from_str(&without_comments.join("\n")).expect("JSON")
}

/// The folder with the schemas. In CI the launcher of real Kafka fetches the jar; elsewhere a test must not download
/// anything, so only a jar that is already there is used.
fn schemas() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os(FOLDER_KEY) {
        return Some(folder.into());
    }
    if std::env::var_os("CI").is_some() {
        let launcher = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka/cluster");
        let output = Command::new(launcher)
            .args(["schemas", "--version", KAFKA])
            .output()
            .expect("the launcher runs");
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "no schemas of Kafka {KAFKA}: {why}"
        );
        return Some(String::from_utf8_lossy(&output.stdout).trim().into());
    }
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache")))?;
    let folder = cache.join(format!("ottla/kafka/{KAFKA}/message"));
    if folder.is_dir() {
        return Some(folder);
    }
    let reason = format!(
        "schemas not compared: no Kafka {KAFKA} here; set {FOLDER_KEY} or run tests/kafka/cluster schemas\n"
    );
    std::io::stderr()
        .write_all(reason.as_bytes())
        .expect("stderr");
    None
}

const KAFKA: &str = "4.3.1";
const FOLDER_KEY: &str = "OTTLA_KAFKA_SCHEMAS";
/// Two-phase commit (KIP-939) is spoken before it is stable.
const UNSTABLE_BUT_SPOKEN: [&str; 1] = ["InitProducerIdRequest"];
