//! The table of every configuration key, and how one value is read and checked.
//!
//! Java: `common/config/ConfigDef.java`, `clients/producer/ProducerConfig.java`, `clients/CommonClientConfigs.java`.
//! Differs: a constant table; each key says whether this crate has what it configures, and what to use where not.
//! Threads: constants. Locks: none.

mod connection;
mod core;
mod own;
mod sasl;
mod tls;

use std::fmt;

use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::KafkaError;

/// One configuration key: its name in Java, default, range, importance and meaning.
///
/// [`ProducerConfig::keys`](crate::ProducerConfig::keys) lists them all.
#[derive(Debug)]
pub struct ConfigKey {
    pub(super) name: &'static str,
    pub(super) kind: Type,
    pub(super) default: Default,
    pub(super) valid: Valid,
    pub(super) importance: Importance,
    pub(super) support: Support,
    pub(super) doc: &'static str,
}

impl ConfigKey {
    /// The key, as it is written in Java.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The type, by Java's name: `STRING`, `INT`, `LIST` ..
    pub fn type_name(&self) -> &'static str {
        self.kind.name()
    }

    /// The default as Java prints it, or `<required>`, or `null`.
    pub fn default_value(&self) -> String {
        match self.default {
            Default::Required => "<required>".to_owned(),
            Default::Null => "null".to_owned(),
            Default::Value(text) if self.kind == Type::List => {
                format!("[{}]", split_list(text).join(", "))
            }
            Default::Value(text) => text.to_owned(),
        }
    }

    /// The range as Java prints it; empty where every value of the type is allowed.
    pub fn valid_values(&self) -> String {
        self.valid.to_string()
    }

    /// `HIGH`, `MEDIUM` or `LOW`: how often a user needs to know the key.
    pub fn importance(&self) -> &'static str {
        match self.importance {
            Importance::High => "HIGH",
            Importance::Medium => "MEDIUM",
            Importance::Low => "LOW",
        }
    }

    /// One sentence about what the key does.
    pub fn documentation(&self) -> &'static str {
        self.doc
    }

    /// Whether a value other than the default has an effect here.
    pub fn is_supported(&self) -> bool {
        matches!(self.support, Support::Supported | Support::NoEffect(_))
    }

    /// Why the key cannot be used, or what to use in its place; empty for keys that just work.
    pub fn note(&self) -> String {
        match self.support {
            Support::Supported => String::new(),
            Support::NotYet(what) => format!("not supported yet: {what}"),
            Support::JvmOnly(instead) => format!("JVM only: {instead}"),
            Support::NoEffect(why) => format!("accepted without effect: {why}"),
        }
    }

    /// Whether Java's own table lacks the key: the keys of this crate, and those which only Java's serializers know.
    pub fn is_own(&self) -> bool {
        self.name.starts_with("ottla.") || self.name.ends_with("serializer.encoding")
    }

    /// Reads a value, checks its range, and refuses what has no effect here.
    pub(super) fn parse(&self, text: &str) -> Result<Value, KafkaError> {
        let value = self.kind.parse(text).map_err(|wanted| {
            config_error(format!(
                "invalid value {} for {}: {wanted}",
                self.shown(text),
                self.name
            ))
        })?;
        if !self.valid.allows(&value) {
            return Err(config_error(format!(
                "invalid value {} for {}: must be {}",
                self.shown(text),
                self.name,
                self.valid.in_words()
            )));
        }
        if !self.is_supported() && !self.is_default(&value) {
            return Err(config_error(format!(
                "{} cannot be set: {}",
                self.name,
                self.note()
            )));
        }
        Ok(value)
    }

    fn is_default(&self, value: &Value) -> bool {
        match (self.default_parsed(), value, self.valid) {
            (Some(Value::Text(default)), Value::Text(text), Valid::OneOfAnyCase(_)) => {
                default.eq_ignore_ascii_case(text)
            }
            (default, value, _) => default.as_ref() == Some(value),
        }
    }

    /// The default as a value, or nothing where the key must be given.
    pub(super) fn default_parsed(&self) -> Option<Value> {
        match self.default {
            Default::Required => None,
            Default::Null => Some(Value::Null),
            Default::Value(text) => self.kind.parse(text).ok(),
        }
    }

    /// A value as messages and logs may show it.
    pub(super) fn shown(&self, text: &str) -> String {
        if self.kind == Type::Password {
            "[hidden]".to_owned()
        } else {
            format!("\"{text}\"")
        }
    }
}

/// Every key, group by group.
pub(super) fn keys() -> impl Iterator<Item = &'static ConfigKey> {
    [
        core::KEYS,
        connection::KEYS,
        tls::KEYS,
        sasl::KEYS,
        own::KEYS,
    ]
    .into_iter()
    .flatten()
}

/// The key of this name; names are case-sensitive.
pub(super) fn find(name: &str) -> Option<&'static ConfigKey> {
    keys().find(|key| key.name == name)
}

pub(super) fn config_error(message: impl Into<String>) -> KafkaError {
    KafkaError::new(ErrorKind::Config, message)
}

/// A value after reading.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Boolean(bool),
    Number(i64),
    Double(f64),
    Text(String),
    List(Vec<String>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Boolean(value) => value.fmt(f),
            Value::Number(value) => value.fmt(f),
            Value::Double(value) => value.fmt(f),
            Value::Text(value) => value.fmt(f),
            Value::List(values) => write!(f, "[{}]", values.join(", ")),
        }
    }
}

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Boolean,
    Short,
    Int,
    Long,
    Double,
    String,
    Password,
    Class,
    List,
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Type::Boolean => "BOOLEAN",
            Type::Short => "SHORT",
            Type::Int => "INT",
            Type::Long => "LONG",
            Type::Double => "DOUBLE",
            Type::String => "STRING",
            Type::Password => "PASSWORD",
            Type::Class => "CLASS",
            Type::List => "LIST",
        }
    }

    /// Reads a value, or says what was wanted.
    fn parse(self, text: &str) -> Result<Value, &'static str> {
        let text = text.trim();
        match self {
            Type::Boolean if text.eq_ignore_ascii_case("true") => Ok(Value::Boolean(true)),
            Type::Boolean if text.eq_ignore_ascii_case("false") => Ok(Value::Boolean(false)),
            Type::Boolean => Err("must be true or false"),
            Type::Short => number::<i16>(text, "must be a whole number of 16 bits"),
            Type::Int => number::<i32>(text, "must be a whole number of 32 bits"),
            Type::Long => number::<i64>(text, "must be a whole number of 64 bits"),
            Type::Double => text
                .parse()
                .map(Value::Double)
                .map_err(|_| "must be a number"),
            Type::String | Type::Password | Type::Class => Ok(Value::Text(text.to_owned())),
            Type::List => Ok(Value::List(split_list(text))),
        }
    }
}

fn number<N: std::str::FromStr + Into<i64>>(
    text: &str,
    wanted: &'static str,
) -> Result<Value, &'static str> {
    text.parse::<N>()
        .map(|number| Value::Number(number.into()))
        .map_err(|_| wanted)
}

fn split_list(text: &str) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',').map(|item| item.trim().to_owned()).collect()
}

/// What a key has when it is not given.
#[derive(Debug, Clone, Copy)]
pub(super) enum Default {
    Required,
    Null,
    Value(&'static str),
}

/// Which values of the type are allowed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Valid {
    Any,
    AtLeast(i64),
    Between(i64, i64),
    /// A range, and one value outside it.
    BetweenOr(i64, i64, i64),
    Fraction(f64, f64),
    OneOf(&'static [&'static str]),
    OneOfAnyCase(&'static [&'static str]),
    NonEmpty,
    NonEmptyList,
}

impl Valid {
    fn allows(self, value: &Value) -> bool {
        match (self, value) {
            (Valid::AtLeast(low), Value::Number(n)) => *n >= low,
            (Valid::Between(low, high), Value::Number(n)) => (low..=high).contains(n),
            (Valid::BetweenOr(low, high, other), Value::Number(n)) => {
                (low..=high).contains(n) || *n == other
            }
            (Valid::Fraction(low, high), Value::Double(x)) => (low..=high).contains(x),
            (Valid::OneOf(allowed), Value::Text(text)) => allowed.contains(&text.as_str()),
            (Valid::OneOfAnyCase(allowed), Value::Text(text)) => allowed
                .iter()
                .any(|allowed| allowed.eq_ignore_ascii_case(text)),
            (Valid::NonEmpty, Value::Text(text)) => !text.is_empty(),
            (Valid::NonEmptyList, Value::List(list)) => {
                !list.is_empty() && list.iter().all(|item| !item.is_empty())
            }
            _ => true,
        }
    }

    fn in_words(self) -> String {
        match self {
            Valid::AtLeast(low) => format!("at least {low}"),
            Valid::Between(low, high) => format!("between {low} and {high}"),
            Valid::BetweenOr(low, high, other) => {
                format!("between {low} and {high}, or {other}")
            }
            Valid::Fraction(low, high) => format!("between {low:?} and {high:?}"),
            Valid::OneOf(allowed) | Valid::OneOfAnyCase(allowed) => {
                format!("one of {}", allowed.join(", "))
            }
            Valid::NonEmpty => "a text that is not empty".to_owned(),
            Valid::NonEmptyList => "a list with no empty entry and at least one entry".to_owned(),
            Valid::Any => "any value".to_owned(),
        }
    }
}

impl fmt::Display for Valid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Valid::Any | Valid::NonEmptyList => Ok(()),
            Valid::AtLeast(low) => write!(f, "[{low},...]"),
            Valid::Between(low, high) => write!(f, "[{low},...,{high}]"),
            Valid::BetweenOr(low, high, other) => write!(f, "[{low},...,{high}] or {other}"),
            Valid::Fraction(low, high) => write!(f, "[{low:?},...,{high:?}]"),
            Valid::OneOf(allowed) => write!(f, "[{}]", allowed.join(", ")),
            Valid::OneOfAnyCase(allowed) => {
                write!(f, "(case insensitive) [{}]", allowed.join(", "))
            }
            Valid::NonEmpty => f.write_str("non-empty string"),
        }
    }
}

/// How often a user needs to know a key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Importance {
    High,
    Medium,
    Low,
}

/// Whether the crate has what a key configures.
#[derive(Debug, Clone, Copy)]
pub(super) enum Support {
    /// It does what it does in Java.
    Supported,
    /// Planned: a value other than the default is refused with this sentence.
    NotYet(&'static str),
    /// Makes sense in a JVM only: refused with what to use in its place.
    JvmOnly(&'static str),
    /// Every legal value is taken, and none changes anything.
    NoEffect(&'static str),
}

/// Writes a group of keys as a table: name, type, default, range, importance, support; then the sentence.
macro_rules! key_table {
    ($($name:literal, $kind:ident, $default:expr, $valid:expr, $importance:ident, $support:expr; $doc:literal)+) => {
        pub(super) const KEYS: &[ConfigKey] = &[$(ConfigKey {
            name: $name,
            kind: Type::$kind,
            default: $default,
            valid: $valid,
            importance: Importance::$importance,
            support: $support,
            doc: $doc,
        },)+];
    };
}
use key_table;

#[cfg(test)]
mod tests;
