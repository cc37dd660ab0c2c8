//! Numbers, big-endian, and truth values.
//!
//! Java: `common/serialization/{Boolean,Short,Integer,Long,Float,Double}Serializer.java`.
//! Differs: nothing; `NaN` of 64 bits loses its payload and `NaN` of 32 bits keeps it, as in Java.
//! Threads: any. Locks: none.

use crate::common::header::Headers;
use crate::common::kafka_error::KafkaError;
use crate::common::serialization::Serializer;

macro_rules! fixed_width {
    ($($name:ident, $data:ty, $sentence:literal, $bytes:expr;)+) => {
        $(
            #[doc = $sentence]
            #[derive(Debug, Clone, Copy, Default)]
            pub struct $name;

            impl Serializer<$data> for $name {
                fn serialize<'a>(
                    &self,
                    _topic: &str,
                    _headers: &mut Headers,
                    data: &'a $data,
                    buffer: &'a mut Vec<u8>,
                ) -> Result<Option<&'a [u8]>, KafkaError> {
                    let bytes: fn(&$data) -> [u8; size_of::<$data>()] = $bytes;
                    buffer.extend_from_slice(&bytes(data));
                    Ok(Some(buffer))
                }
            }
        )+
    };
}

fixed_width! {
    BooleanSerializer, bool, "One byte, 1 for true and 0 for false.", |data| [u8::from(*data)];
    ShortSerializer, i16, "Two bytes, big-endian.", |data| data.to_be_bytes();
    IntegerSerializer, i32, "Four bytes, big-endian.", |data| data.to_be_bytes();
    LongSerializer, i64, "Eight bytes, big-endian.", |data| data.to_be_bytes();
    FloatSerializer, f32, "Four bytes of IEEE 754, big-endian.", |data| data.to_bits().to_be_bytes();
    DoubleSerializer, f64, "Eight bytes of IEEE 754, big-endian; every `NaN` is the same one.", |data| {
        let bits = if data.is_nan() { JAVA_NAN } else { data.to_bits() };
        bits.to_be_bytes()
    };
}

const JAVA_NAN: u64 = 0x7ff8_0000_0000_0000;
