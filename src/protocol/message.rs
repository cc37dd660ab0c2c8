//! Messages as tables: a field per line with its type, default and versions, in the order of the wire.
//!
//! Java: the message generator (`generator/`), which turns `common/message/*.json` into classes at build time.
//! Differs: the table *is* the source, in Rust's syntax; nullable types are `Option`; unknown tags are skipped, not kept.
//! Threads: plain data. Locks: none.
//!
//! `message!` makes of each table a plain struct, its `Default` (the defaults of the schema), and [`Wire`], which reads and
//! writes it at any version. The rules of versions, nulls and tags are the functions of [`FieldSpec`]; the macro only calls
//! them once per field.

use crate::protocol::protocol_error::ProtocolError;
use crate::protocol::readable::Readable;
use crate::protocol::writable::Writable;

mod types;

/// A request or a response: a struct that knows its versions.
pub(crate) trait Message: Wire {
    const NAME: &'static str;
    const FIRST_VERSION: i16;
    const LAST_VERSION: i16;
    const FIRST_FLEXIBLE_VERSION: i16;

    fn encode(&self, version: i16, w: &mut Writable) -> Result<(), ProtocolError> {
        self.write(w, Self::at(version)?)
    }

    fn decode(version: i16, r: &mut Readable<'_>) -> Result<Self, ProtocolError> {
        Self::read(r, Self::at(version)?)
    }

    fn at(version: i16) -> Result<Version, ProtocolError> {
        if !(Self::FIRST_VERSION..=Self::LAST_VERSION).contains(&version) {
            let message = Self::NAME;
            return Err(ProtocolError::UnsupportedVersion { message, version });
        }
        Ok(Version {
            number: version,
            flexible: version >= Self::FIRST_FLEXIBLE_VERSION,
        })
    }
}

/// The version at which a message is read or written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Version {
    pub(crate) number: i16,
    /// Lengths are varints and every struct ends with tagged fields (KIP-482).
    pub(crate) flexible: bool,
}

/// A value that stands in messages.
pub(crate) trait Wire: Sized + PartialEq {
    /// What a field holds whose schema names no default.
    fn schema_default() -> Self;

    /// The fewest bytes a value takes, so that a count of elements can be checked before they are read.
    fn min_size(at: Version) -> usize;

    fn write(&self, w: &mut Writable, at: Version) -> Result<(), ProtocolError>;

    fn read(r: &mut Readable<'_>, at: Version) -> Result<Self, ProtocolError>;

    fn is_null(&self) -> bool {
        false
    }

    /// The type as data, to be compared with Kafka's own schema.
    #[cfg(test)]
    fn shape() -> Shape;

    /// Some value that can be written at this version.
    #[cfg(test)]
    fn arbitrary(random: &mut fastrand::Rng, at: Version) -> Self;
}

/// A value that can be null in messages; as a field it is an `Option`.
pub(crate) trait Nullable: Wire {
    fn write_null(w: &mut Writable, at: Version);

    fn read_nullable(r: &mut Readable<'_>, at: Version) -> Result<Option<Self>, ProtocolError>;
}

/// What the schema says about a field beside its type and default.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FieldSpec {
    pub(crate) versions: Versions,
    pub(crate) nullable: Versions,
    pub(crate) tag: Option<u32>,
    pub(crate) ignorable: bool,
}

/// The field exists from this version on.
pub(crate) const fn since(first: i16) -> FieldSpec {
    between(first, i16::MAX)
}

/// The field exists from the first version to the last.
pub(crate) const fn between(first: i16, last: i16) -> FieldSpec {
    FieldSpec {
        versions: Versions { first, last },
        nullable: Versions { first: 0, last: -1 },
        tag: None,
        ignorable: false,
    }
}

impl FieldSpec {
    /// The field may be null from this version on.
    pub(crate) const fn nullable_since(self, first: i16) -> Self {
        self.nullable_between(first, i16::MAX)
    }

    /// The field may be null from the first version to the last.
    pub(crate) const fn nullable_between(mut self, first: i16, last: i16) -> Self {
        self.nullable = Versions { first, last };
        self
    }

    /// The field stands among the tagged fields, under this number.
    pub(crate) const fn tagged(mut self, tag: u32) -> Self {
        self.tag = Some(tag);
        self
    }

    /// A value is dropped silently at versions that lack the field.
    pub(crate) const fn ignorable(mut self) -> Self {
        self.ignorable = true;
        self
    }

    pub(crate) fn min_size<T: Wire>(&self, at: Version) -> usize {
        if self.is_inline(at) {
            T::min_size(at)
        } else {
            0
        }
    }

    /// Writes the field where it stands in the order of the schema, unless it is tagged.
    pub(crate) fn write<T: Wire>(
        &self,
        field: Field<'_, T>,
        w: &mut Writable,
        at: Version,
    ) -> Result<(), ProtocolError> {
        if !self.versions.contains(at.number) && !self.ignorable && !field.is_default() {
            return Err(ProtocolError::UnsupportedField {
                field: field.name,
                version: at.number,
            });
        }
        if !self.is_inline(at) {
            return Ok(());
        }
        self.check_null(field.value, field.name, at)?;
        field.value.write(w, at)
    }

    /// Collects the field if it is tagged and does not hold its default.
    pub(crate) fn write_tag<T: Wire>(
        &self,
        field: Field<'_, T>,
        tags: &mut Tags,
        at: Version,
    ) -> Result<(), ProtocolError> {
        let Some(tag) = self.tag.filter(|_| self.versions.contains(at.number)) else {
            return Ok(());
        };
        if field.is_default() {
            return Ok(());
        }
        self.check_null(field.value, field.name, at)?;
        let mut value = Writable::new();
        field.value.write(&mut value, at)?;
        tags.push(tag, value)
    }

    /// Reads the field where it stands in the order of the schema; leaves it alone if it is tagged or does not exist.
    pub(crate) fn read<T: Wire>(
        &self,
        field: &mut T,
        name: &'static str,
        r: &mut Readable<'_>,
        at: Version,
    ) -> Result<(), ProtocolError> {
        if self.is_inline(at) {
            *field = T::read(r, at)?;
            self.check_null(field, name, at)?;
        }
        Ok(())
    }

    pub(crate) fn has_tag(&self, tag: u32, at: Version) -> bool {
        self.tag == Some(tag) && self.versions.contains(at.number)
    }

    pub(crate) fn check_null<T: Wire>(
        &self,
        value: &T,
        name: &'static str,
        at: Version,
    ) -> Result<(), ProtocolError> {
        if value.is_null() && !self.nullable.contains(at.number) {
            return Err(ProtocolError::UnexpectedNull(name));
        }
        Ok(())
    }

    /// Gives the field some value, if it exists at this version.
    #[cfg(test)]
    pub(crate) fn randomize<T: Wire>(
        &self,
        field: &mut T,
        random: &mut fastrand::Rng,
        at: Version,
    ) {
        // Defaults matter: a tagged field that holds one is not written at all.
        if self.versions.contains(at.number) && random.u8(..4) > 0 {
            *field = T::arbitrary(random, at);
            while field.is_null() && !self.nullable.contains(at.number) {
                *field = T::arbitrary(random, at);
            }
        }
    }

    fn is_inline(&self, at: Version) -> bool {
        self.tag.is_none() && self.versions.contains(at.number)
    }
}

/// A field on its way out.
#[derive(Debug)]
pub(crate) struct Field<'a, T> {
    pub(crate) name: &'static str,
    pub(crate) value: &'a T,
    pub(crate) default: fn() -> T,
}

impl<T: Wire> Field<'_, T> {
    fn is_default(&self) -> bool {
        *self.value == (self.default)()
    }
}

/// The tagged fields of one struct, in rising order of their tags.
#[derive(Debug, Default)]
pub(crate) struct Tags {
    count: u32,
    collected: Writable,
}

impl Tags {
    pub(crate) fn write(self, w: &mut Writable) {
        w.write_unsigned_varint(self.count);
        w.append(self.collected);
    }

    fn push(&mut self, tag: u32, value: Writable) -> Result<(), ProtocolError> {
        self.count += 1;
        self.collected.write_unsigned_varint(tag);
        let size = u32::try_from(value.len()).map_err(|_| ProtocolError::TooLong {
            length: value.len(),
            max: u32::MAX as usize,
        })?;
        self.collected.write_unsigned_varint(size);
        self.collected.append(value);
        Ok(())
    }
}

/// The first and the last version of something, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Versions {
    pub(crate) first: i16,
    pub(crate) last: i16,
}

impl Versions {
    pub(crate) fn contains(self, version: i16) -> bool {
        (self.first..=self.last).contains(&version)
    }
}

/// Declares messages. The first struct of a file's table is the message, with its versions; the others are its parts.
///
/// A line is `name: Type = default, versions;` where the default may be left out, and the versions are the words
/// [`since`], [`between`] and the methods of [`FieldSpec`].
macro_rules! message {
    ($(
        $(#[$doc:meta])*
        struct $name:ident $(versions $first:literal..=$last:literal flexible $flexible:literal..)? {
            $($(#[$field_doc:meta])* $field:ident: $type:ty $(= $default:expr)?, $spec:expr;)*
        }
    )+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq)]
            pub(crate) struct $name {
                $($(#[$field_doc])* pub(crate) $field: $type,)*
            }

            impl Default for $name {
                fn default() -> Self {
                    Self { $($field: message!(@default $type $(, $default)?),)* }
                }
            }

            $(impl $crate::protocol::message::Message for $name {
                const NAME: &'static str = stringify!($name);
                const FIRST_VERSION: i16 = $first;
                const LAST_VERSION: i16 = $last;
                const FIRST_FLEXIBLE_VERSION: i16 = $flexible;
            })?

            impl Wire for $name {
                fn schema_default() -> Self {
                    Self::default()
                }

                fn min_size(at: Version) -> usize {
                    usize::from(at.flexible) $(+ const { $spec }.min_size::<$type>(at))*
                }

                fn write(&self, w: &mut Writable, at: Version) -> Result<(), ProtocolError> {
                    $(const { $spec }.write(message!(@field self $name $field $type $(, $default)?), w, at)?;)*
                    if at.flexible {
                        let mut tags = Tags::default();
                        $(const { $spec }.write_tag(message!(@field self $name $field $type $(, $default)?), &mut tags, at)?;)*
                        tags.write(w);
                    }
                    Ok(())
                }

                fn read(r: &mut Readable<'_>, at: Version) -> Result<Self, ProtocolError> {
                    let mut value = Self::default();
                    $(const { $spec }.read(&mut value.$field, message!(@name $name $field), r, at)?;)*
                    if at.flexible {
                        r.read_tags(|tag, r| {
                            $(if const { $spec }.has_tag(tag, at) {
                                value.$field = Wire::read(r, at)?;
                                const { $spec }.check_null(&value.$field, message!(@name $name $field), at)?;
                                return Ok(true);
                            })*
                            Ok(false)
                        })?;
                    }
                    Ok(value)
                }

                #[cfg(test)]
                fn shape() -> Shape {
                    Shape::Struct(stringify!($name), vec![$(FieldShape {
                        name: stringify!($field),
                        shape: <$type as Wire>::shape(),
                        default: format!("{:?}", { let default: $type = message!(@default $type $(, $default)?); default }),
                        spec: $spec,
                    },)*])
                }

                #[cfg(test)]
                fn arbitrary(random: &mut fastrand::Rng, at: Version) -> Self {
                    let mut value = Self::default();
                    $(const { $spec }.randomize(&mut value.$field, random, at);)*
                    value
                }
            }
        )+
    };
    (@default $type:ty) => { <$type as Wire>::schema_default() };
    (@default $type:ty, $default:expr) => { $default };
    (@name $name:ident $field:ident) => { concat!(stringify!($name), ".", stringify!($field)) };
    (@field $self:ident $name:ident $field:ident $type:ty $(, $default:expr)?) => {
        Field { name: message!(@name $name $field), value: &$self.$field, default: || message!(@default $type $(, $default)?) }
    };
}
pub(crate) use message;

/// What a file with a `message!` table needs.
pub(crate) mod prelude {
    pub(crate) use super::{Field, Tags, Version, Wire, between, message, since};
    #[cfg(test)]
    pub(crate) use super::{FieldShape, Shape};
    pub(crate) use crate::common::cluster::Uuid;
    pub(crate) use crate::protocol::protocol_error::ProtocolError;
    pub(crate) use crate::protocol::readable::Readable;
    pub(crate) use crate::protocol::records::Records;
    pub(crate) use crate::protocol::writable::Writable;
}

/// A type of the wire as data.
#[cfg(test)]
#[derive(Debug)]
pub(crate) enum Shape {
    Primitive(&'static str),
    Array(Box<Shape>),
    Struct(&'static str, Vec<FieldShape>),
}

/// A line of a table as data.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct FieldShape {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) default: String,
    pub(crate) spec: FieldSpec,
}
