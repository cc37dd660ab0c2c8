//! Lists of things that have a serializer of their own.
//!
//! Java: `common/serialization/ListSerializer.java`.
//! Differs: the inner serializer is given by value, and says by its type whether its bytes have a fixed size.
//! Threads: any. Locks: none.

use std::marker::PhantomData;

use crate::common::header::Headers;
use crate::common::kafka_error::KafkaError;
use crate::common::serialization::{
    DoubleSerializer, FloatSerializer, IntegerSerializer, LongSerializer, Serializer,
    ShortSerializer, UuidSerializer, serialization_error,
};

/// A list of items, some of which may be null.
///
/// Items of a fixed size (16, 32 and 64 bit numbers, identifiers) stand back to back behind the indexes of the nulls; all
/// others carry their length.
pub struct ListSerializer<T, S> {
    inner: S,
    fixed_size: bool,
    items: PhantomData<fn(&T)>,
}

impl<T, S: Serializer<T> + 'static> ListSerializer<T, S> {
    /// Serializes each item with `inner`.
    pub fn new(inner: S) -> Self {
        let inner_any: &dyn std::any::Any = &inner;
        let fixed_size = inner_any.is::<ShortSerializer>()
            || inner_any.is::<IntegerSerializer>()
            || inner_any.is::<LongSerializer>()
            || inner_any.is::<FloatSerializer>()
            || inner_any.is::<DoubleSerializer>()
            || inner_any.is::<UuidSerializer>();
        Self {
            inner,
            fixed_size,
            items: PhantomData,
        }
    }

    fn write_items(
        &self,
        topic: &str,
        headers: &mut Headers,
        items: &[Option<T>],
        buffer: &mut Vec<u8>,
    ) -> Result<(), KafkaError> {
        let mut scratch = Vec::new();
        for item in items {
            scratch.clear();
            let bytes = match item {
                Some(item) => self.inner.serialize(topic, headers, item, &mut scratch)?,
                None => None,
            };
            match bytes {
                Some(bytes) => {
                    if !self.fixed_size {
                        write_count(bytes.len(), buffer)?;
                    }
                    buffer.extend_from_slice(bytes);
                }
                None if self.fixed_size => {}
                None => buffer.extend_from_slice(&(-1_i32).to_be_bytes()),
            }
        }
        Ok(())
    }
}

impl<T, S, D> Serializer<D> for ListSerializer<T, S>
where
    S: Serializer<T> + 'static,
    D: AsRef<[Option<T>]> + ?Sized,
{
    fn serialize<'a>(
        &self,
        topic: &str,
        headers: &mut Headers,
        data: &'a D,
        buffer: &'a mut Vec<u8>,
    ) -> Result<Option<&'a [u8]>, KafkaError> {
        let items = data.as_ref();
        if self.fixed_size {
            buffer.push(FIXED_SIZE);
            let nulls = || (0..).zip(items).filter(|(_, item)| item.is_none());
            write_count(nulls().count(), buffer)?;
            for (index, _) in nulls() {
                write_count(index, buffer)?;
            }
        } else {
            buffer.push(VARIABLE_SIZE);
        }
        write_count(items.len(), buffer)?;
        self.write_items(topic, headers, items, buffer)?;
        Ok(Some(buffer))
    }

    fn configure(
        &mut self,
        configs: &std::collections::BTreeMap<String, String>,
        is_key: bool,
    ) -> Result<(), KafkaError> {
        self.inner.configure(configs, is_key)
    }

    fn close(&self) {
        self.inner.close();
    }
}

impl<T, S: std::fmt::Debug> std::fmt::Debug for ListSerializer<T, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ListSerializer").field(&self.inner).finish()
    }
}

fn write_count(count: usize, buffer: &mut Vec<u8>) -> Result<(), KafkaError> {
    let count = i32::try_from(count).map_err(|_| {
        serialization_error(format!("a list of {count} items or bytes is too long"))
    })?;
    buffer.extend_from_slice(&count.to_be_bytes());
    Ok(())
}

const FIXED_SIZE: u8 = 0;
const VARIABLE_SIZE: u8 = 1;
