//! Every decoder against truncated and mutated bytes: it must answer, not panic, and not allocate what it cannot back.

use std::fmt::Debug;

use allocation_counter::measure;
use fastrand::Rng;

use crate::common::payload::Payload;
use crate::protocol::api_keys::ApiKeys;
use crate::protocol::message::Message;
use crate::protocol::messages::metadata::MetadataRequest;
use crate::protocol::protocol_error::ProtocolError;
use crate::protocol::readable::Readable;
use crate::protocol::requests::{MessageVisitor, decode_request, decode_response, visit_messages};
use crate::protocol::writable::Writable;

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

fn decoded<M: Message>(bytes: Vec<u8>, version: i16) -> Option<M> {
    let frame = Payload::new(bytes);
    M::decode(version, &mut Readable::new(&frame)).ok()
}

/// A value whose bytes are neither trivial nor so many that every cut takes long.
fn arbitrary<M: Message>(random: &mut Rng, version: i16) -> (M, Vec<u8>) {
    let at = M::at(version).expect("declared");
    loop {
        let value = M::arbitrary(random, at);
        let bytes = encoded(&value, version);
        if bytes.len() < 2000 {
            return (value, bytes);
        }
    }
}

/// Scenario: P10.
#[test]
fn every_message_cut_short_anywhere_is_an_error() {
    struct Cuts(Rng);
    impl MessageVisitor for Cuts {
        fn visit<M: Message + Debug>(&mut self, _: ApiKeys) {
            for version in M::FIRST_VERSION..=M::LAST_VERSION {
                let (value, bytes) = arbitrary::<M>(&mut self.0, version);
                for length in 0..bytes.len() {
                    let cut = bytes[..length].to_vec();
                    assert_eq!(
                        decoded::<M>(cut, version),
                        None,
                        "{} v{version} cut to {length}",
                        M::NAME
                    );
                }
                assert_eq!(
                    decoded::<M>(bytes, version),
                    Some(value),
                    "{} v{version}",
                    M::NAME
                );
            }
        }
    }
    visit_messages(&mut Cuts(Rng::with_seed(1)));
}

fn mutate(bytes: &mut [u8], random: &mut Rng) {
    for _ in 0..random.usize(1..4) {
        let Some(last) = bytes.len().checked_sub(1) else {
            return;
        };
        let at = random.usize(..=last);
        bytes[at] = match random.u8(..6) {
            0 => 0,
            1 => 0xff,
            2 => 0x7f,
            3 => bytes[at].wrapping_add(1),
            4 => bytes[at] ^ (1 << random.u8(..8)),
            _ => random.u8(..),
        };
    }
}

/// What decoding these bytes allocates in total, and whether they were accepted.
fn allocated<M: Message>(frame: &Payload, version: i16) -> (u64, bool) {
    let mut accepted = false;
    let memory = measure(|| accepted = M::decode(version, &mut Readable::new(frame)).is_ok());
    (memory.bytes_total, accepted)
}

/// No mutation may cost more than what the frame holds anyway plus twice its length.
///
/// A decoded value takes more memory than its bytes (an empty string of one byte becomes three words), so the genuine value
/// is the base line. The constant pays for the first element of an array in a frame of a few bytes.
///
/// Scenario: P10.
#[test]
fn ten_thousand_mutations_of_every_message_allocate_at_most_twice_their_length() {
    struct Mutations(Rng);
    impl MessageVisitor for Mutations {
        fn visit<M: Message + Debug>(&mut self, _: ApiKeys) {
            for _ in 0..MUTATIONS {
                let version = self.0.i16(M::FIRST_VERSION..=M::LAST_VERSION);
                let bytes = arbitrary::<M>(&mut self.0, version).1;
                let (genuine, accepted) = allocated::<M>(&Payload::new(bytes.clone()), version);
                assert!(accepted, "{} v{version}", M::NAME);
                for _ in 0..MUTATIONS_OF_ONE_FRAME {
                    let mut mutated = bytes.clone();
                    mutate(&mut mutated, &mut self.0);
                    let (memory, _) = allocated::<M>(&Payload::new(mutated), version);
                    let allowed = genuine + 2 * bytes.len() as u64 + FIRST_ELEMENT;
                    assert!(
                        memory <= allowed,
                        "{} v{version}: {memory} bytes for {}",
                        M::NAME,
                        bytes.len()
                    );
                }
            }
        }
    }
    visit_messages(&mut Mutations(Rng::with_seed(2)));
}

#[test]
fn mutated_frames_and_noise_are_answered_at_every_version() {
    struct Frames(Rng);
    impl MessageVisitor for Frames {
        fn visit<M: Message + Debug>(&mut self, api: ApiKeys) {
            for version in M::FIRST_VERSION..=M::LAST_VERSION {
                let body = arbitrary::<M>(&mut self.0, version).1;
                let mut header = [api.id().to_be_bytes(), version.to_be_bytes()].concat();
                header.extend([0, 0, 0, 1, 0, 1, b'x', 0]);
                for _ in 0..50 {
                    let mut request = [header.as_slice(), &body].concat();
                    mutate(&mut request, &mut self.0);
                    let _ = decode_request(&Payload::new(request));
                    let mut response = [&[0, 0, 0, 1, 0], body.as_slice()].concat();
                    mutate(&mut response, &mut self.0);
                    let _ = decode_response(&Payload::new(response), api, version);
                    let noise: Vec<u8> = (0..64).map(|_| self.0.u8(..)).collect();
                    let _ = decode_response(&Payload::new(noise), api, version);
                }
            }
        }
    }
    visit_messages(&mut Frames(Rng::with_seed(4)));
}

/// Scenario: P09.
#[test]
fn a_count_that_the_bytes_cannot_hold_allocates_nothing() {
    let mut body = i32::MAX.to_be_bytes().to_vec();
    body.resize(20, 0);
    let (memory, accepted) = allocated::<MetadataRequest>(&Payload::new(body), 4);
    assert_eq!((memory, accepted), (0, false));
}

#[test]
fn a_large_frame_of_nothing_but_empty_names_is_refused() {
    let count = 2_000_000_i32;
    let mut body = count.to_be_bytes().to_vec();
    body.resize(4 + 2 * count as usize, 0);
    let frame = Payload::new(body);
    let error = MetadataRequest::decode(0, &mut Readable::new(&frame));
    assert!(
        matches!(error, Err(ProtocolError::TooMuchMemory { .. })),
        "{error:?}"
    );
}

/// For each message, spread over its versions.
const MUTATIONS: usize = 10_000 / MUTATIONS_OF_ONE_FRAME;
const MUTATIONS_OF_ONE_FRAME: usize = 10;
/// The largest struct that stands in an array, its own empty arrays included.
const FIRST_ELEMENT: u64 = 512;
