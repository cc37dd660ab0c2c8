//! The value of every key, given or default, after reading and range checks.
//!
//! Java: `common/config/AbstractConfig.java`.
//! Differs: refuses unknown keys.
//! Threads: plain data. Locks: none.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::common::kafka_error::KafkaError;
use crate::producer::producer_config::Acks;
use crate::producer::producer_config::config_def::{
    ConfigKey, Type, Value, config_error, find, keys,
};
use crate::producer::producer_config::spelling;

/// What was given, read; keys that were not given have their defaults.
#[derive(Debug, Clone)]
pub(super) struct Values {
    given: BTreeMap<&'static str, Given>,
}

#[derive(Debug, Clone)]
struct Given {
    text: String,
    value: Value,
}

impl Values {
    /// Reads keys and values; of a key that comes twice the last value counts.
    pub(super) fn read<K: AsRef<str>, V: AsRef<str>>(
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, KafkaError> {
        let mut known: BTreeMap<&'static str, (&'static ConfigKey, String)> = BTreeMap::new();
        let mut unknown = Vec::new();
        for (name, text) in properties {
            let text = text.as_ref().trim().to_owned();
            match find(name.as_ref().trim()) {
                Some(key) => {
                    known.insert(key.name, (key, text));
                }
                None => unknown.push(spelling::advice(name.as_ref().trim())),
            }
        }
        let mut given = BTreeMap::new();
        for (name, (key, text)) in known {
            let value = key.parse(&text)?;
            given.insert(name, Given { text, value });
        }
        let values = Self { given };
        values.judge_unknown(&unknown)?;
        for key in keys() {
            // The key and value types name the serializers, so Java's two required class names may be left out.
            if key.default_parsed().is_none()
                && key.kind != Type::Class
                && !values.is_given(key.name)
            {
                return Err(config_error(format!("{} must be given", key.name)));
            }
        }
        Ok(values)
    }

    /// Whether the key was given, be it with its default.
    pub(super) fn is_given(&self, key: &str) -> bool {
        self.given.contains_key(key)
    }

    pub(super) fn boolean(&self, key: &str) -> bool {
        self.value(key) == Value::Boolean(true)
    }

    pub(super) fn number(&self, key: &str) -> i64 {
        match self.value(key) {
            Value::Number(number) => number,
            _ => 0,
        }
    }

    /// A count of bytes or things; the range of the key keeps it from being negative.
    pub(super) fn size(&self, key: &str) -> usize {
        usize::try_from(self.number(key)).unwrap_or_default()
    }

    /// A key in milliseconds; negative values, which some keys allow, are no time at all.
    pub(super) fn duration(&self, key: &str) -> Duration {
        Duration::from_millis(u64::try_from(self.number(key)).unwrap_or_default())
    }

    /// A text, or nothing where it is null.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        match self.value(key) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn list(&self, key: &str) -> Vec<String> {
        match self.value(key) {
            Value::List(list) => list,
            _ => Vec::new(),
        }
    }

    pub(super) fn acks(&self) -> Acks {
        match self.text("acks").as_deref() {
            Some("0") => Acks::None,
            Some("1") => Acks::Leader,
            _ => Acks::All,
        }
    }

    /// The value of a key as a log may show it.
    pub(super) fn shown(&self, name: &str) -> Option<String> {
        let key = find(name)?;
        if key.kind == Type::Password && self.is_given(name) {
            return Some("[hidden]".to_owned());
        }
        match self.given.get(name) {
            Some(given) => Some(given.text.clone()),
            None => Some(key.default_parsed().unwrap_or(Value::Null).to_string()),
        }
    }

    /// What was given, without passwords.
    pub(super) fn originals(&self) -> BTreeMap<String, String> {
        self.given
            .iter()
            .filter(|(name, _)| find(name).is_some_and(|key| key.kind != Type::Password))
            .map(|(name, given)| ((*name).to_owned(), given.text.clone()))
            .collect()
    }

    fn value(&self, name: &str) -> Value {
        match self.given.get(name) {
            Some(given) => given.value.clone(),
            None => find(name)
                .and_then(ConfigKey::default_parsed)
                .unwrap_or(Value::Null),
        }
    }

    fn judge_unknown(&self, unknown: &[String]) -> Result<(), KafkaError> {
        if unknown.is_empty() {
            return Ok(());
        }
        if self.text("ottla.unknown.keys").as_deref() == Some("warn") {
            for advice in unknown {
                log::warn!("ignored: {advice}");
            }
            return Ok(());
        }
        Err(config_error(unknown.join("; ")))
    }
}
