//! Every frame that the Java client printed, of every version, read and written again.

use super::*;
use crate::protocol::api_keys::ApiKeys;

const FRAMES: &str = include_str!("../../../../tests/golden/frames.txt");

/// A line of the golden file.
struct Golden {
    api: ApiKeys,
    is_request: bool,
    version: i16,
    variant: &'static str,
    json: &'static str,
    frame: Vec<u8>,
}

fn golden() -> impl Iterator<Item = Golden> {
    let lines = FRAMES.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        let api = ApiKeys::ALL
            .iter()
            .find(|api| format!("{api:?}") == columns[0]);
        Golden {
            api: *api.expect("an API that we speak"),
            is_request: columns[1] == "request",
            version: columns[2].parse().expect("a version"),
            variant: columns[4],
            json: columns[5],
            frame: hex(columns[6]),
        }
    })
}

/// What the frame says, and the frame that says it in our words.
fn read_and_write(golden: &Golden) -> (String, Vec<u8>) {
    let frame = Payload::new(golden.frame.clone());
    let (said, segments) = if golden.is_request {
        let (header, body) = decode_request(&frame).expect("valid");
        assert_eq!(
            (header.api, header.api_version),
            (golden.api, golden.version)
        );
        assert_eq!(
            (header.correlation_id, header.client_id.as_deref()),
            (305_419_896, Some("golden"))
        );
        (
            format!("{body:?}"),
            encode_request(&header, &body, &mut Payload::default()),
        )
    } else {
        let (header, body) = decode_response(&frame, golden.api, golden.version).expect("valid");
        assert_eq!(header.correlation_id, 305_419_896);
        (
            format!("{body:?}"),
            encode_response(header, golden.version, &body),
        )
    };
    (
        said,
        without_size(&joined(&segments.expect("valid"))).to_vec(),
    )
}

#[test]
fn every_frame_of_the_java_client_is_read_and_written_byte_for_byte() {
    let mut frames = 0;
    for golden in golden() {
        let what = format!(
            "{:?} v{} {} request={}",
            golden.api, golden.version, golden.variant, golden.is_request
        );
        let (said, again) = read_and_write(&golden);
        assert_eq!(again, golden.frame, "{what}: {said}");
        frames += 1;
    }
    assert_eq!(frames, 654);
}

/// All names and numbers in Java's own view of a message, as far as they are unmistakable, are in ours.
#[test]
fn every_filled_value_of_the_java_client_arrives() {
    for golden in golden().filter(|golden| golden.variant == "filled") {
        let (said, _) = read_and_write(&golden);
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
        for value in golden.json.split(|c: char| !is_part(c)) {
            let unmistakable =
                value.starts_with("text-") || value.parse().is_ok_and(|number: i64| number > 1000);
            assert!(
                !unmistakable || said.contains(value),
                "{:?} v{}: {value} is missing in {said}",
                golden.api,
                golden.version
            );
        }
    }
}
