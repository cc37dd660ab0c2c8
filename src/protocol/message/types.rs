//! The types a field can have, and their two forms: classic, and compact in flexible versions.
//!
//! Java: `common/protocol/types/Type.java`.
//! Differs: a type is a Rust type; what is null is an `Option`.
//! Threads: plain data. Locks: none.

use std::sync::Arc;

#[cfg(test)]
use super::Shape;
use super::{Nullable, Version, Wire};
use crate::common::cluster::Uuid;
use crate::common::few::Few;
use crate::protocol::protocol_error::ProtocolError;
use crate::protocol::readable::Readable;
use crate::protocol::records::Records;
use crate::protocol::writable::Writable;

macro_rules! integer_on_the_wire {
    ($($type:ty, $name:literal, $zero:expr, $read:ident, $write:ident, $random:expr;)+) => {$(
        impl Wire for $type {
            fn schema_default() -> Self {
                $zero
            }

            fn min_size(_: Version) -> usize {
                size_of::<$type>()
            }

            fn write(&self, w: &mut Writable, _: Version) -> Result<(), ProtocolError> {
                w.$write(*self);
                Ok(())
            }

            fn read(r: &mut Readable<'_>, _: Version) -> Result<Self, ProtocolError> {
                r.$read()
            }

            #[cfg(test)]
            fn shape() -> Shape {
                Shape::Primitive($name)
            }

            #[cfg(test)]
            fn arbitrary(random: &mut fastrand::Rng, _: Version) -> Self {
                let random_value: fn(&mut fastrand::Rng) -> Self = $random;
                random_value(random)
            }
        }
    )+};
}

integer_on_the_wire! {
    bool, "bool", false, read_bool, write_bool, |random| random.bool();
    i8, "int8", 0, read_i8, write_i8, |random| random.i8(..);
    i16, "int16", 0, read_i16, write_i16, |random| random.i16(..);
    i32, "int32", 0, read_i32, write_i32, |random| random.i32(..);
    i64, "int64", 0, read_i64, write_i64, |random| random.i64(..);
    Uuid, "uuid", Uuid::ZERO, read_uuid, write_uuid, |random| Uuid(random.u128(..).to_be_bytes());
}

macro_rules! nullable_on_the_wire {
    ($type:ty) => {
        fn read(r: &mut Readable<'_>, at: Version) -> Result<Self, ProtocolError> {
            <$type>::read_nullable(r, at)?.ok_or(ProtocolError::UnexpectedNull(stringify!($type)))
        }
    };
}

impl Wire for String {
    fn schema_default() -> Self {
        String::new()
    }

    fn min_size(at: Version) -> usize {
        if at.flexible { 1 } else { 2 }
    }

    fn write(&self, w: &mut Writable, at: Version) -> Result<(), ProtocolError> {
        w.write_string(self, at.flexible)
    }

    nullable_on_the_wire!(String);

    #[cfg(test)]
    fn shape() -> Shape {
        Shape::Primitive("string")
    }

    #[cfg(test)]
    fn arbitrary(random: &mut fastrand::Rng, _: Version) -> Self {
        // Now and then a length that takes two bytes as a varint.
        let length = if random.u8(..16) == 0 {
            random.usize(100..300)
        } else {
            random.usize(..24)
        };
        (0..length)
            .map(|_| {
                if random.u8(..8) == 0 {
                    random.char(..)
                } else {
                    random.alphanumeric()
                }
            })
            .collect()
    }
}

impl Nullable for String {
    fn write_null(w: &mut Writable, at: Version) {
        w.write_null_string(at.flexible);
    }

    fn read_nullable(r: &mut Readable<'_>, at: Version) -> Result<Option<Self>, ProtocolError> {
        r.read_string(at.flexible)
    }
}

impl Wire for Arc<str> {
    fn schema_default() -> Self {
        Arc::default()
    }

    fn min_size(at: Version) -> usize {
        String::min_size(at)
    }

    fn write(&self, w: &mut Writable, at: Version) -> Result<(), ProtocolError> {
        w.write_string(self, at.flexible)
    }

    fn read(r: &mut Readable<'_>, at: Version) -> Result<Self, ProtocolError> {
        String::read(r, at).map(Arc::from)
    }

    #[cfg(test)]
    fn shape() -> Shape {
        String::shape()
    }

    #[cfg(test)]
    fn arbitrary(random: &mut fastrand::Rng, at: Version) -> Self {
        String::arbitrary(random, at).into()
    }
}

impl Wire for Records {
    fn schema_default() -> Self {
        Records::default()
    }

    fn min_size(at: Version) -> usize {
        if at.flexible { 1 } else { 4 }
    }

    fn write(&self, w: &mut Writable, at: Version) -> Result<(), ProtocolError> {
        w.write_records(self, at.flexible)
    }

    nullable_on_the_wire!(Records);

    #[cfg(test)]
    fn shape() -> Shape {
        Shape::Primitive("records")
    }

    #[cfg(test)]
    fn arbitrary(random: &mut fastrand::Rng, _: Version) -> Self {
        let mut segment = || {
            (0..random.usize(..200))
                .map(|_| random.u8(..))
                .collect::<Vec<u8>>()
                .into()
        };
        Records::new(vec![segment(), segment()])
    }
}

impl Nullable for Records {
    fn write_null(w: &mut Writable, at: Version) {
        w.write_null(at.flexible);
    }

    fn read_nullable(r: &mut Readable<'_>, at: Version) -> Result<Option<Self>, ProtocolError> {
        r.read_records(at.flexible)
    }
}

/// Lists: arrays on the wire, however they are kept in memory.
macro_rules! array_on_the_wire {
    ($list:ty) => {
        impl<T: Wire> Wire for $list {
            fn schema_default() -> Self {
                <$list>::new()
            }

            fn min_size(at: Version) -> usize {
                if at.flexible { 1 } else { 4 }
            }

            fn write(&self, w: &mut Writable, at: Version) -> Result<(), ProtocolError> {
                w.write_length(self.len(), at.flexible)?;
                self.iter().try_for_each(|element| element.write(w, at))
            }

            nullable_on_the_wire!($list);

            #[cfg(test)]
            fn shape() -> Shape {
                Shape::Array(Box::new(T::shape()))
            }

            #[cfg(test)]
            fn arbitrary(random: &mut fastrand::Rng, at: Version) -> Self {
                (0..random.usize(..4))
                    .map(|_| T::arbitrary(random, at))
                    .collect()
            }
        }

        impl<T: Wire> Nullable for $list {
            fn write_null(w: &mut Writable, at: Version) {
                w.write_null(at.flexible);
            }

            fn read_nullable(
                r: &mut Readable<'_>,
                at: Version,
            ) -> Result<Option<Self>, ProtocolError> {
                let Some(count) = r.read_array_len(at.flexible, T::min_size(at))? else {
                    return Ok(None);
                };
                // The count is only a claim: it may reserve what the bytes left would pay for, the rest must be earned.
                let affordable = r.remaining() / size_of::<T>().max(1);
                let mut elements = <$list>::with_capacity(count.min(affordable));
                for read in 0..count {
                    if read == elements.capacity() {
                        elements.reserve_exact(read.clamp(1, count - read));
                    }
                    r.charge(size_of::<T>())?;
                    elements.push(T::read(r, at)?);
                }
                Ok(Some(elements))
            }
        }
    };
}

array_on_the_wire!(Vec<T>);
array_on_the_wire!(Few<T>);

impl<T: Nullable> Wire for Option<T> {
    /// A field that may be null is still present and empty by default; where null is the default the table says so.
    fn schema_default() -> Self {
        Some(T::schema_default())
    }

    fn min_size(at: Version) -> usize {
        T::min_size(at)
    }

    fn write(&self, w: &mut Writable, at: Version) -> Result<(), ProtocolError> {
        match self {
            Some(value) => value.write(w, at),
            None => {
                T::write_null(w, at);
                Ok(())
            }
        }
    }

    fn read(r: &mut Readable<'_>, at: Version) -> Result<Self, ProtocolError> {
        T::read_nullable(r, at)
    }

    fn is_null(&self) -> bool {
        self.is_none()
    }

    #[cfg(test)]
    fn shape() -> Shape {
        T::shape()
    }

    #[cfg(test)]
    fn arbitrary(random: &mut fastrand::Rng, at: Version) -> Self {
        (random.u8(..4) > 0).then(|| T::arbitrary(random, at))
    }
}
