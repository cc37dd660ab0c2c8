//! Tests of the frame cutter, without sockets.

use super::*;

fn framed(frames: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for frame in frames {
        let size = i32::try_from(frame.len()).expect("small");
        bytes.extend(size.to_be_bytes());
        bytes.extend(*frame);
    }
    bytes
}

/// Reads everything in pieces of at most `piece` bytes through a scratch buffer of `scratch` bytes.
fn read_all(
    buffer: &mut ReceiveBuffer,
    bytes: &[u8],
    piece: usize,
    scratch: usize,
) -> Vec<Vec<u8>> {
    let mut scratch = vec![0; scratch];
    let mut frames = Vec::new();
    for mut part in bytes.chunks(piece) {
        while !part.is_empty() {
            buffer.read_from(&mut part, &mut scratch).expect("valid");
            while let Some(frame) = buffer.take_frame() {
                frames.push(frame.to_vec());
            }
        }
    }
    frames
}

/// Scenario: S05, S06, S16 (reads, without sockets).
#[test]
fn frames_come_out_whole_however_the_bytes_arrive() {
    let large = vec![7; 300];
    let frames: [&[u8]; 7] = [b"", b"a", b"bc", &large, b"", b"def", &[9; 31]];
    let bytes = framed(&frames);
    for piece in 1..bytes.len() + 1 {
        for scratch in [1, 3, 4, 5, 16, 64, 512] {
            let mut buffer = ReceiveBuffer::new(300);
            let got = read_all(&mut buffer, &bytes, piece, scratch);
            assert_eq!(got, frames, "pieces of {piece}, scratch of {scratch}");
        }
    }
}

/// Scenario: S16 (without sockets).
#[test]
fn a_size_outside_the_limit_is_refused_after_the_frames_before_it() {
    for size in [-1, i32::MIN, i32::MAX, 11] {
        let mut bytes = framed(&[b"good"]);
        bytes.extend(size.to_be_bytes());
        for piece in 1..=bytes.len() {
            let mut buffer = ReceiveBuffer::new(10);
            let mut outcome = Ok(());
            for mut part in bytes.chunks(piece) {
                outcome = buffer.read_from(&mut part, &mut [0; 64]).map(|_| ());
            }
            let Err(ReadError::Invalid(invalid)) = outcome else {
                panic!("{size} accepted");
            };
            assert_eq!(invalid.prefix, size.to_be_bytes());
            assert_eq!(buffer.take_frame().as_deref(), Some(&b"good"[..]));
        }
    }
}

/// Scenario: S16 (without sockets).
#[test]
fn a_frame_of_exactly_the_limit_is_accepted() {
    let mut buffer = ReceiveBuffer::new(10);
    let bytes = framed(&[&[5; 10]]);
    assert_eq!(read_all(&mut buffer, &bytes, 3, 64), [vec![5; 10]]);
}

/// Scenario: S16 (without sockets).
#[test]
fn a_size_alone_allocates_no_more_than_the_first_room() {
    let limit = 100 * 1024 * 1024;
    let mut buffer = ReceiveBuffer::new(limit);
    let size = i32::try_from(limit).expect("fits");
    let mut bytes = &size.to_be_bytes()[..];
    buffer.read_from(&mut bytes, &mut [0; 64]).expect("allowed");
    let mut arrived = 0;
    for _ in 0..10 {
        let room = buffer.room_in_large_frame(64).expect("large").len();
        assert!(room <= arrived.max(FIRST_ROOM), "{room} after {arrived}");
        let bytes = vec![0; 4000];
        let progress = buffer.read_from(&mut &bytes[..], &mut [0; 64]);
        assert!(!progress.expect("reads").filled_the_room);
        arrived += bytes.len();
    }
}

#[test]
fn the_bulk_of_a_large_frame_is_read_in_place() {
    let mut buffer = ReceiveBuffer::new(1 << 20);
    let frame: Vec<u8> = (0..=u8::MAX).cycle().take(1 << 20).collect();
    let bytes = framed(&[&frame, b"next"]);
    assert_eq!(
        read_all(&mut buffer, &bytes, usize::MAX, 4096),
        [&frame[..], b"next"]
    );
}

#[test]
fn the_end_of_the_stream_is_an_error_and_a_partial_frame_is_not_delivered() {
    let mut buffer = ReceiveBuffer::new(100);
    let bytes = framed(&[b"whole", b"cut off"]);
    let mut cut = &bytes[..12];
    buffer.read_from(&mut cut, &mut [0; 64]).expect("reads");
    let error = buffer.read_from(&mut cut, &mut [0; 64]).expect_err("end");
    assert!(matches!(error, ReadError::Io(e) if e.kind() == io::ErrorKind::UnexpectedEof));
    assert_eq!(buffer.take_frame().as_deref(), Some(&b"whole"[..]));
    assert!(buffer.take_frame().is_none());
}

#[test]
fn a_raised_limit_holds_for_the_next_frame() {
    let mut buffer = ReceiveBuffer::new(3);
    assert_eq!(read_all(&mut buffer, &framed(&[b"abc"]), 9, 64), [b"abc"]);
    buffer.set_limit(4);
    assert_eq!(read_all(&mut buffer, &framed(&[b"abcd"]), 9, 64), [b"abcd"]);
}
