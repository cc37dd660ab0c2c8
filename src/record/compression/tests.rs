//! Tests of the codecs.

use super::*;
use crate::testing::golden::{Xorshift, hex};

const LIMIT: usize = 1 << 20;
const RECORD: &str = "10000000026b027600";

fn built() -> impl Iterator<Item = CompressionType> {
    CompressionType::ALL
        .into_iter()
        .filter(|codec| codec.is_built())
}

fn compressed(pool: &mut CompressorPool, codec: CompressionType, plain: &[u8]) -> Vec<u8> {
    let compression = Compression::of(codec).expect("built");
    pool.compress(compression, plain)
        .expect("compresses")
        .to_vec()
}

/// Empty, small, exactly a block, more than a block; repetitive and random.
fn samples() -> Vec<Vec<u8>> {
    let mut random = Xorshift(3);
    let mut samples = vec![Vec::new(), hex(RECORD)];
    for size in [100, 32_768, 65_535, 65_536, 65_537, 200_000] {
        samples.push(
            b"a line that repeats "
                .iter()
                .copied()
                .cycle()
                .take(size)
                .collect(),
        );
        samples.push(random.bytes(size));
    }
    samples
}

/// Java: `CompressionTypeTest`, `Lz4CompressionTest.testCompressionDecompression`. Scenario: RF6.
#[test]
fn every_codec_gives_back_what_it_was_given_batch_after_batch() {
    let mut pool = CompressorPool::new();
    for codec in built() {
        for plain in samples() {
            let bytes = compressed(&mut pool, codec, &plain);
            assert!(decompress(codec, &bytes, plain.len()).expect("readable") == plain);
            assert_eq!(bytes, compressed(&mut pool, codec, &plain), "{codec}");
        }
    }
}

#[test]
fn output_beyond_the_limit_is_refused() {
    let mut pool = CompressorPool::new();
    for codec in built() {
        let bytes = compressed(&mut pool, codec, &vec![0; 100_000]);
        let error = decompress(codec, &bytes, 99_999).expect_err("too large");
        assert_eq!(
            error,
            RecordError::TooLarge {
                codec,
                limit: 99_999
            }
        );
    }
}

#[test]
fn broken_and_cut_off_input_is_an_error_and_never_a_panic() {
    let mut pool = CompressorPool::new();
    let mut random = Xorshift(5);
    let plain: Vec<u8> = b"some text ".repeat(50);
    for codec in built().filter(|codec| *codec != CompressionType::None) {
        let whole = compressed(&mut pool, codec, &plain);
        for length in 0..whole.len() {
            let cut = decompress(codec, &whole[..length], LIMIT);
            assert_ne!(cut.ok().as_deref(), Some(&plain[..]), "{codec}, {length}");
        }
        for _ in 0..3000 {
            let mut broken = whole.clone();
            let at = random.below(broken.len());
            broken[at] = random.byte();
            let _ = decompress(codec, &broken, LIMIT);
            let _ = decompress(codec, &random.bytes(40), LIMIT);
        }
    }
}

/// Java: `GzipCompressionTest.testCompressionLevels`, `ZstdCompressionTest`, `Lz4CompressionTest`. Scenario: RF6.
#[test]
fn levels_outside_of_javas_ranges_are_refused() {
    for (codec, good, bad) in [
        (CompressionType::Gzip, &[-1, 1, 9][..], &[-2, 0, 10][..]),
        (CompressionType::Lz4, &[1, 9, 17], &[0, -1, 18]),
        (
            CompressionType::Zstd,
            &[-131_072, 0, 3, 22],
            &[-131_073, 23],
        ),
    ] {
        if !codec.is_built() {
            continue;
        }
        let mut pool = CompressorPool::new();
        for level in good {
            let compression = Compression::with_level(codec, *level).expect("in range");
            let bytes = pool.compress(compression, b"text").expect("compresses");
            assert_eq!(decompress(codec, bytes, LIMIT).expect("readable"), b"text");
        }
        for level in bad {
            let error = Compression::with_level(codec, *level).expect_err("out of range");
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(
                error
                    .message()
                    .starts_with(&format!("compression.{codec}.level of {level} "))
            );
        }
    }
}

#[cfg(not(feature = "zstd"))]
#[test]
fn a_codec_that_is_not_built_says_how_to_get_it() {
    let error = Compression::of(CompressionType::Zstd).expect_err("not built");
    assert_eq!(
        error.message(),
        "compression codec zstd is not part of this build: enable the cargo feature zstd"
    );
    let error = decompress(CompressionType::Zstd, b"x", LIMIT).expect_err("not built");
    assert_eq!(error, RecordError::CodecNotBuilt(CompressionType::Zstd));
}

/// Scenario: RF7.
#[cfg(feature = "lz4")]
#[test]
fn lz4_frames_are_javas_and_incompressible_blocks_are_stored() {
    let mut pool = CompressorPool::new();
    assert_eq!(
        compressed(&mut pool, CompressionType::Lz4, &hex(RECORD)),
        hex("04224d186040820900008010000000026b02760000000000")
    );
    let random = Xorshift(9).bytes(70_000);
    let bytes = compressed(&mut pool, CompressionType::Lz4, &random);
    assert_eq!(bytes[..11], hex("04224d1860408200000180"));
    assert_eq!(bytes.len(), 7 + 4 + 65_536 + 4 + 4464 + 4);
}

/// Java: `Lz4CompressionTest.testBadFrameChecksum` and KAFKA-3160. Scenario: RF7.
#[cfg(feature = "lz4")]
#[test]
fn the_wrong_lz4_header_checksum_is_read_in_format_0_only() {
    let wrong = hex("04224d1860401a0900008010000000026b02760000000000");
    assert_eq!(
        decompress_magic_0(CompressionType::Lz4, &wrong, LIMIT).expect("readable"),
        hex(RECORD)
    );
    let error = decompress(CompressionType::Lz4, &wrong, LIMIT).expect_err("wrong");
    assert_eq!(
        error.to_string(),
        "lz4 data cannot be decompressed: header checksum is 0x82 but 0x1a is stored"
    );
}

/// Java: `Lz4CompressionTest.testUnsupportedVersion`, `testNotSupported`.
#[cfg(feature = "lz4")]
#[test]
fn lz4_frames_that_java_refuses_are_refused() {
    for (frame, reason) in [
        ("05224d18604082", "no LZ4 frame starts here"),
        ("04224d18a04082", "frame version 2 is not 1"),
        ("04224d18404082", "blocks depend on each other"),
        (
            "04224d18604083",
            "header checksum is 0x82 but 0x83 is stored",
        ),
    ] {
        let error = decompress(CompressionType::Lz4, &hex(frame), LIMIT).expect_err("refused");
        assert_eq!(
            error.to_string(),
            format!("lz4 data cannot be decompressed: {reason}")
        );
    }
}

/// Java: `SnappyCompressionTest`. Scenario: RF6.
#[cfg(feature = "snappy")]
#[test]
fn snappy_streams_are_javas_and_hold_blocks_of_32_kib() {
    let mut pool = CompressorPool::new();
    let header = "82534e41505059000000000100000001";
    let one = compressed(&mut pool, CompressionType::Snappy, &hex(RECORD));
    assert_eq!(one, hex(&format!("{header}0000000b092010000000026b027600")));
    assert_eq!(
        compressed(&mut pool, CompressionType::Snappy, b""),
        hex(header)
    );
    let random = Xorshift(9).bytes(32_769);
    let two = compressed(&mut pool, CompressionType::Snappy, &random);
    let first = u32::from_be_bytes(two[16..20].try_into().expect("4 bytes")) as usize;
    assert_eq!(two[20..23], hex("808002"), "a block of 32768 bytes");
    assert_eq!(two[20 + first + 4], 1, "a block of 1 byte");
}

#[cfg(feature = "snappy")]
#[test]
fn snappy_streams_may_follow_each_other_and_raw_blocks_may_stand_alone() {
    let mut pool = CompressorPool::new();
    let stream = compressed(&mut pool, CompressionType::Snappy, b"text");
    let twice = decompress(CompressionType::Snappy, &stream.repeat(2), LIMIT);
    assert_eq!(twice.expect("readable"), b"texttext");
    let raw = decompress(CompressionType::Snappy, &stream[20..], LIMIT);
    assert_eq!(raw.expect("readable"), b"text");
}

#[cfg(feature = "snappy")]
#[test]
fn snappy_allocates_no_more_than_a_block_can_hold() {
    let says_1_mib = hex("82534e41505059000000000100000001000000048080400000");
    let error = decompress(CompressionType::Snappy, &says_1_mib[..24], LIMIT).expect_err("lies");
    assert_eq!(
        error.to_string(),
        "snappy data cannot be decompressed: block of 4 bytes says that it holds 1048576"
    );
}

#[cfg(feature = "gzip")]
#[test]
fn gzip_members_may_follow_each_other() {
    let mut pool = CompressorPool::new();
    let member = compressed(&mut pool, CompressionType::Gzip, b"text");
    assert_eq!(member[..4], hex("1f8b0800"));
    let twice = decompress(CompressionType::Gzip, &member.repeat(2), LIMIT);
    assert_eq!(twice.expect("readable"), b"texttext");
}

#[cfg(feature = "zstd")]
#[test]
fn zstd_frames_do_not_say_the_size_of_their_content() {
    let mut pool = CompressorPool::new();
    let frame = compressed(&mut pool, CompressionType::Zstd, &[7; 5000]);
    assert_eq!(frame[..4], hex("28b52ffd"));
    assert_eq!(frame[4] & 0b1110_0000, 0, "no size and no single segment");
}
