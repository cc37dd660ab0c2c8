//! CRC-32C of a batch whose header changes and whose body does not: a large body is read once, however often it is sent.
//!
//! Java: `common/utils/Crc32C.java`.
//! Differs: Java reads the whole batch again for each change of the header; we combine two checksums.
//! Threads: pure functions. Locks: none.

/// What is known of a body's checksum: enough to extend the checksum of whatever stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyChecksum {
    /// A short body is read again in less time than two checksums are combined in.
    Short,
    /// The checksum of the body alone.
    Long(u32),
}

impl BodyChecksum {
    pub(crate) fn of(body: &[u8]) -> Self {
        if body.len() < LONG {
            Self::Short
        } else {
            Self::Long(crc32c::crc32c(body))
        }
    }

    /// The checksum of `before` followed by the body, which must be the one that this was made of.
    pub(crate) fn after(self, before: &[u8], body: &[u8]) -> u32 {
        let before = crc32c::crc32c(before);
        match self {
            Self::Short => crc32c::crc32c_append(before, body),
            Self::Long(crc) => times(before, power_of_bytes(body.len())) ^ crc,
        }
    }
}

/// Combining takes about as long as reading this many bytes.
const LONG: usize = 4096;

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
        let alone = |body: &[u8]| BodyChecksum::of(body).after(b"", body);
        assert_eq!(alone(b"123456789"), 0xe306_9283);
        assert_eq!(alone(&[0; 32]), 0x8a91_36aa);
        assert_eq!(alone(b""), 0);
        assert_eq!(crc32fast::hash(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_combined_checksum_is_that_of_the_whole() {
        let bytes = Xorshift(1).bytes(70_000);
        for length in [0, 1, 7, 255, 4095, 4096, 4097, 65_537, 69_960] {
            let (before, body) = (&bytes[..40], &bytes[40..40 + length]);
            assert_eq!(
                BodyChecksum::of(body).after(before, body),
                crc32c::crc32c(&bytes[..40 + length]),
                "{length}"
            );
        }
    }
}
