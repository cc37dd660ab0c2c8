//! Turns keys and values into bytes.
//!
//! Java: `common/serialization/Serializer.java` and the built-in serializers beside it.
//! Differs: a serializer may lend the data's own bytes, so that byte and text records are copied once, into the batch;
//! closures are serializers; the types of a producer name its serializers, so none has to be configured; null has a method
//! of its own, which makes null of it unless a serializer wants something else.
//! Threads: called on the sending threads, many at once. Locks: none.

mod lists;
mod numbers;
mod strings;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::common::error_kind::ErrorKind;
use crate::common::header::Headers;
use crate::common::kafka_error::KafkaError;

pub use lists::ListSerializer;
pub use numbers::{
    BooleanSerializer, DoubleSerializer, FloatSerializer, IntegerSerializer, LongSerializer,
    ShortSerializer,
};
pub use strings::{StringSerializer, UuidSerializer};

/// Turns data of type `T` into the bytes of a key or a value.
///
/// Every closure of the shape `Fn(&T, &mut Vec<u8>) -> Result<(), KafkaError>` is a serializer that appends the bytes to
/// the buffer it gets. Types that have an obvious form ([`DefaultSerializer`]) need none.
///
/// ```
/// use ottla::{Headers, KafkaError, Serializer};
///
/// struct Point { x: i16, y: i16 }
///
/// let serializer = |point: &Point, bytes: &mut Vec<u8>| {
///     bytes.extend_from_slice(&point.x.to_be_bytes());
///     bytes.extend_from_slice(&point.y.to_be_bytes());
///     Ok::<(), KafkaError>(())
/// };
/// let mut buffer = Vec::new();
/// let bytes = serializer.serialize("points", &mut Headers::new(), &Point { x: 1, y: 2 }, &mut buffer)?;
/// assert_eq!(bytes, Some([0, 1, 0, 2].as_slice()));
/// # Ok::<(), KafkaError>(())
/// ```
pub trait Serializer<T: ?Sized>: Send + Sync {
    /// The bytes of `data`: a part of `data` itself, or what was written to `buffer`, which comes empty and is used again
    /// for the next record. `None` is null, which is not the same as no bytes. Headers may be added.
    ///
    /// # Errors
    /// Where the data has no such form; the send fails with this error.
    fn serialize<'a>(
        &self,
        topic: &str,
        headers: &mut Headers,
        data: &'a T,
        buffer: &'a mut Vec<u8>,
    ) -> Result<Option<&'a [u8]>, KafkaError>;

    /// The bytes of a null key or value, which is null unless a serializer knows better. The same rules apply as to
    /// [`serialize`](Self::serialize).
    ///
    /// # Errors
    /// Where null is not allowed; the send fails with this error.
    fn serialize_null<'a>(
        &self,
        _topic: &str,
        _headers: &mut Headers,
        _buffer: &'a mut Vec<u8>,
    ) -> Result<Option<&'a [u8]>, KafkaError> {
        Ok(None)
    }

    /// Called once, before the first record, with the configuration as it was given (without passwords; `client.id` as
    /// it is in use), and whether keys or values are to be serialized.
    ///
    /// # Errors
    /// Where a setting makes no sense; the producer is not made then.
    fn configure(
        &mut self,
        _configs: &BTreeMap<String, String>,
        _is_key: bool,
    ) -> Result<(), KafkaError> {
        Ok(())
    }

    /// Called once, when the producer is closed.
    fn close(&self) {}
}

impl<T, F> Serializer<T> for F
where
    T: ?Sized,
    F: Fn(&T, &mut Vec<u8>) -> Result<(), KafkaError> + Send + Sync,
{
    fn serialize<'a>(
        &self,
        _topic: &str,
        _headers: &mut Headers,
        data: &'a T,
        buffer: &'a mut Vec<u8>,
    ) -> Result<Option<&'a [u8]>, KafkaError> {
        self(data, buffer)?;
        Ok(Some(buffer))
    }
}

/// A type that says by itself how it is serialized.
///
/// Implement it for your own types to make [`KafkaProducer::new`](crate::KafkaProducer::new) take them.
pub trait DefaultSerializer {
    /// The serializer that keys and values of this type get.
    type Serializer: Serializer<Self> + Default + 'static;

    /// The name of Java's class that makes the same bytes, or the empty text: what a `key.serializer` or
    /// `value.serializer` in the configuration is compared with.
    const CLASS: &'static str = "";
}

/// Lends the bytes that the data consists of.
///
/// Java: `ByteArraySerializer`, `BytesSerializer`, `ByteBufferSerializer`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ByteArraySerializer;

impl<T: AsRef<[u8]> + ?Sized> Serializer<T> for ByteArraySerializer {
    fn serialize<'a>(
        &self,
        _topic: &str,
        _headers: &mut Headers,
        data: &'a T,
        _buffer: &'a mut Vec<u8>,
    ) -> Result<Option<&'a [u8]>, KafkaError> {
        Ok(Some(data.as_ref()))
    }
}

/// Makes null of everything.
///
/// Java: `VoidSerializer`.
#[derive(Debug, Clone, Copy, Default)]
pub struct VoidSerializer;

impl<T: ?Sized> Serializer<T> for VoidSerializer {
    fn serialize<'a>(
        &self,
        _topic: &str,
        _headers: &mut Headers,
        _data: &'a T,
        _buffer: &'a mut Vec<u8>,
    ) -> Result<Option<&'a [u8]>, KafkaError> {
        Ok(None)
    }
}

macro_rules! default_serializers {
    ($($data:ty => $serializer:ty, $class:literal;)+) => {
        $(impl DefaultSerializer for $data {
            type Serializer = $serializer;
            const CLASS: &'static str = $class;
        })+
    };
}

default_serializers! {
    [u8] => ByteArraySerializer, "ByteArraySerializer";
    Vec<u8> => ByteArraySerializer, "ByteArraySerializer";
    Box<[u8]> => ByteArraySerializer, "ByteArraySerializer";
    Arc<[u8]> => ByteArraySerializer, "ByteArraySerializer";
    str => StringSerializer, "StringSerializer";
    String => StringSerializer, "StringSerializer";
    Box<str> => StringSerializer, "StringSerializer";
    Arc<str> => StringSerializer, "StringSerializer";
    bool => BooleanSerializer, "BooleanSerializer";
    i16 => ShortSerializer, "ShortSerializer";
    i32 => IntegerSerializer, "IntegerSerializer";
    i64 => LongSerializer, "LongSerializer";
    f32 => FloatSerializer, "FloatSerializer";
    f64 => DoubleSerializer, "DoubleSerializer";
    () => VoidSerializer, "VoidSerializer";
}

impl<const N: usize> DefaultSerializer for [u8; N] {
    type Serializer = ByteArraySerializer;
    const CLASS: &'static str = "ByteArraySerializer";
}

fn serialization_error(message: impl Into<String>) -> KafkaError {
    KafkaError::new(ErrorKind::Serialization, message)
}

#[cfg(test)]
mod tests;
