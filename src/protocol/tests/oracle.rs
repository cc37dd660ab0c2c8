//! Our bytes against those of `kafka-protocol`, a codec made by others from the same schemas.

mod broker_side;
mod producer_side;
mod transactions;

use std::fmt::Debug;
use std::str::FromStr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use fastrand::Rng;
use kafka_protocol::messages::{BrokerId, GroupId, ProducerId, TopicName, TransactionalId};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

use crate::common::cluster::Uuid;
use crate::common::few::Few;
use crate::common::payload::Payload;
use crate::protocol::message::Message;
use crate::protocol::readable::Readable;
use crate::protocol::records::Records;
use crate::protocol::writable::Writable;

/// A value of ours as one of theirs.
trait Oracle<T> {
    fn oracle(&self) -> T;
}

/// Random values at every version: both codecs write the same bytes, and each reads what the other wrote.
fn agree<Ours, Theirs>()
where
    Ours: Message + Debug + Oracle<Theirs>,
    Theirs: kafka_protocol::protocol::Message + Encodable + Decodable + PartialEq + Debug,
{
    let mut random = Rng::with_seed(3);
    for version in Ours::FIRST_VERSION..=Ours::LAST_VERSION {
        if !(Theirs::VERSIONS.min..=Theirs::VERSIONS.max).contains(&version) {
            assert!(
                LACKING.contains(&(Ours::NAME, version)),
                "{} v{version}",
                Ours::NAME
            );
            continue;
        }
        for round in 0..VALUES_PER_VERSION {
            let case = format!("{} v{version}, value {round}", Ours::NAME);
            let ours = Ours::arbitrary(&mut random, Ours::at(version).expect("declared"));
            let theirs: Theirs = ours.oracle();
            let our_bytes = encoded(&ours, version);
            let mut their_bytes = BytesMut::new();
            theirs.encode(&mut their_bytes, version).expect(&case);
            assert_eq!(our_bytes, their_bytes, "{case}: {ours:?}");

            let frame = Payload::new(their_bytes.to_vec());
            let mut r = Readable::new(&frame);
            assert_eq!(Ours::decode(version, &mut r).as_ref(), Ok(&ours), "{case}");
            assert_eq!(r.remaining(), 0, "{case}");
            let mut cursor = Bytes::from(our_bytes);
            assert_eq!(
                Theirs::decode(&mut cursor, version).expect(&case),
                theirs,
                "{case}"
            );
            assert!(cursor.is_empty(), "{case}");
        }
    }
}

fn encoded<M: Message>(value: &M, version: i16) -> Vec<u8> {
    let mut w = Writable::new();
    value
        .encode(version, &mut w)
        .expect("arbitrary values fit their version");
    w.into_segments()
        .iter()
        .flat_map(|segment| segment.to_vec())
        .collect()
}

/// The structs whose fields have the same names on both sides, which is all of them.
macro_rules! same_fields {
    ($($ours:path => $theirs:path { $($field:ident),* })+) => {
        $(impl $crate::protocol::tests::oracle::Oracle<$theirs> for $ours {
            fn oracle(&self) -> $theirs {
                let mut theirs = <$theirs>::default();
                $(theirs.$field = self.$field.oracle();)*
                theirs
            }
        })+
    };
}
use same_fields;

macro_rules! same_value {
    ($($ours:ty => $theirs:ty: $convert:expr;)+) => {
        $(impl Oracle<$theirs> for $ours {
            fn oracle(&self) -> $theirs {
                let convert: fn(&$ours) -> $theirs = $convert;
                convert(self)
            }
        })+
    };
}

same_value! {
    bool => bool: |value| *value;
    i8 => i8: |value| *value;
    i16 => i16: |value| *value;
    i32 => i32: |value| *value;
    i64 => i64: |value| *value;
    i32 => BrokerId: |value| BrokerId(*value);
    i64 => ProducerId: |value| ProducerId(*value);
    String => StrBytes: |value| StrBytes::from_string(value.clone());
    String => TopicName: |value| TopicName(StrBytes::from_string(value.clone()));
    Arc<str> => TopicName: |value| TopicName(StrBytes::from_string(value.to_string()));
    String => TransactionalId: |value| TransactionalId(StrBytes::from_string(value.clone()));
    String => GroupId: |value| GroupId(StrBytes::from_string(value.clone()));
    Records => Bytes: |value| Bytes::copy_from_slice(&value.contiguous());
}

/// Their crate's type is not named by its re-exports, but it can be read from hex digits.
impl<T: FromStr<Err: Debug>> Oracle<T> for Uuid {
    fn oracle(&self) -> T {
        format!("{self:?}").parse().expect("32 hex digits")
    }
}

impl<T: Oracle<U>, U> Oracle<Vec<U>> for Vec<T> {
    fn oracle(&self) -> Vec<U> {
        self.iter().map(T::oracle).collect()
    }
}

impl<T: Oracle<U>, U> Oracle<Vec<U>> for Few<T> {
    fn oracle(&self) -> Vec<U> {
        self.iter().map(T::oracle).collect()
    }
}

impl<T: Oracle<U>, U> Oracle<Option<U>> for Option<T> {
    fn oracle(&self) -> Option<U> {
        self.as_ref().map(T::oracle)
    }
}

const VALUES_PER_VERSION: usize = 200;

/// What `kafka-protocol` 0.18 does not have of Kafka 4.3. Only the comparison with the schemas of the jar holds these.
const LACKING: [(&str, i16); 4] = [
    ("ListOffsetsRequest", 11),
    ("ListOffsetsResponse", 11),
    ("InitProducerIdRequest", 6),
    ("OffsetFetchRequest", 10),
];
