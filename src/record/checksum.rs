//! CRC-32C of a batch whose header changes and whose body does not: the body is read once, however often it is sent.
//!
//! Java: `common/utils/Crc32C.java`.
//! Differs: Java reads the whole batch again for each change of the header; we work the change out.
//! Threads: plain data. Locks: none.

use std::cell::OnceCell;

use crc_fast::{CrcAlgorithm, Digest};

/// CRC-32C.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    crc32c_append(0, bytes)
}

/// The checksum of bytes with this checksum, followed by these.
fn crc32c_append(before: u32, bytes: &[u8]) -> u32 {
    let state = u64::from(!before);
    let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, state);
    digest.update(bytes);
    u32::try_from(digest.finalize()).expect("the checksum has 32 bits")
}

/// What the first checksum of a batch says about every later one, whose header is another and whose body is the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct BatchChecksum {
    first: OnceCell<First>,
}

#[derive(Debug, Clone)]
struct First {
    /// The checksum of what stood before the body.
    before: u32,
    whole: u32,
}

impl BatchChecksum {
    /// The checksum of `before` followed by the body, which must be the same one every time.
    pub(crate) fn of(&self, before: &[u8], body: &[u8]) -> u32 {
        let before = crc32c(before);
        let first = self.first.get_or_init(|| First {
            before,
            whole: crc32c_append(before, body),
        });
        if first.before == before {
            return first.whole;
        }
        first.whole ^ times(first.before ^ before, power_of_bytes(body.len()))
    }
}

/// The polynomial of Castagnoli, bits reversed: the highest bit is the coefficient of 1, as in all numbers here.
const POLYNOMIAL: u32 = 0x82f6_3b78;
const ONE: u32 = 1 << 31;

/// `x^(8 * 2^n)`: what `2^n` zero bytes multiply a checksum by.
const POWERS: [u32; usize::BITS as usize] = {
    let mut powers = [0; usize::BITS as usize];
    let mut power = ONE >> 8;
    let mut rest: &mut [u32] = &mut powers;
    while let [next, after @ ..] = rest {
        *next = power;
        power = times(power, power);
        rest = after;
    }
    powers
};

/// What `length` zero bytes multiply a checksum by.
fn power_of_bytes(length: usize) -> u32 {
    POWERS
        .iter()
        .enumerate()
        .filter(|(n, _)| length >> n & 1 == 1)
        .fold(ONE, |product, (_, power)| times(product, *power))
}

/// The product of two polynomials over GF(2), reduced.
const fn times(a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    let mut bit = ONE;
    while bit != 0 {
        // Without branches, since the bits of a checksum cannot be predicted.
        product ^= b & 0_u32.wrapping_sub((a & bit != 0) as u32);
        b = (b >> 1) ^ (POLYNOMIAL & 0_u32.wrapping_sub(b & 1));
        bit >>= 1;
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::golden::Xorshift;

    #[test]
    fn the_checksum_is_castagnoli() {
        let alone = |body: &[u8]| BatchChecksum::default().of(b"", body);
        assert_eq!(alone(b"123456789"), 0xe306_9283);
        assert_eq!(alone(&[0; 32]), 0x8a91_36aa);
        assert_eq!(alone(b""), 0);
        assert_eq!(crc32fast::hash(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_changed_header_is_worked_into_the_checksum() {
        let bytes = Xorshift(1).bytes(70_000);
        for length in [0, 1, 7, 255, 4096, 4097, 65_537, 69_900] {
            let (headers, body) = bytes.split_at(100);
            let body = &body[..length];
            let checksum = BatchChecksum::default();
            for header in [&headers[..40], &headers[..40], &headers[40..80]] {
                let whole = [header, body].concat();
                assert_eq!(checksum.of(header, body), crc32c(&whole), "{length}");
            }
        }
    }
}
