//! Planted faults, which the checker must find.

use super::*;

/// A true history of 300 records in three partitions.
fn history() -> (Sent, Stored) {
    let records: Vec<TestRecord> = (0..300)
        .map(|number| TestRecord::number(number, 3))
        .collect();
    let mut stored = Stored::new();
    for record in &records {
        let partition = stored.entry(record.expected_partition(3)).or_default();
        partition.push(StoredRecord {
            offset: partition.len() as i64,
            timestamp: record.timestamp.unwrap_or(1000),
            log_append_time: false,
            key: record.key.clone(),
            value: record.value.clone(),
            headers: record.headers.clone(),
        });
    }
    (
        Sent {
            records,
            partitions: 3,
            during: 990..=1010,
            with_headers: true,
        },
        stored,
    )
}

/// What the checker says after somebody tampered with partition 1; offsets are set right again.
fn findings_after(tamper: impl FnOnce(&mut Stored)) -> Vec<Anomaly> {
    let (sent, mut stored) = history();
    tamper(&mut stored);
    for records in stored.values_mut() {
        for (at, record) in records.iter_mut().enumerate() {
            record.offset = at as i64;
        }
    }
    sent.check(&stored)
        .into_iter()
        .map(|(anomaly, ..)| anomaly)
        .collect()
}

fn partition(stored: &mut Stored, number: u32) -> &mut Vec<StoredRecord> {
    stored
        .get_mut(&number)
        .expect("the history has this partition")
}

#[test]
fn a_true_history_has_no_findings() {
    assert_eq!(findings_after(|_| ()), []);
}

#[test]
fn a_lost_record_is_found() {
    assert_eq!(
        findings_after(|stored| drop(partition(stored, 1).remove(17))),
        [Anomaly::Lost]
    );
}

#[test]
fn the_loss_of_a_whole_partition_is_found() {
    let findings = findings_after(|stored| drop(stored.remove(&2)));
    assert!(!findings.is_empty() && findings.iter().all(|anomaly| *anomaly == Anomaly::Lost));
}

#[test]
fn a_duplicated_record_is_found() {
    let twice = |stored: &mut Stored| {
        let record = partition(stored, 1)[5].clone();
        partition(stored, 1).push(record);
    };
    assert_eq!(findings_after(twice), [Anomaly::Duplicated]);
}

#[test]
fn swapped_records_are_found() {
    assert_eq!(
        findings_after(|stored| partition(stored, 1).swap(20, 21)),
        [Anomaly::Reordered]
    );
}

#[test]
fn a_record_in_another_partition_is_found() {
    let moved = |stored: &mut Stored| {
        let record = partition(stored, 1).remove(8);
        partition(stored, 0).push(record);
    };
    assert_eq!(findings_after(moved), [Anomaly::Misplaced, Anomaly::Lost]);
}

#[test]
fn a_flipped_bit_in_key_value_or_header_is_found() {
    let changes: [fn(&mut StoredRecord); 3] = [
        |record| record.key = Some(b"other key".to_vec()),
        |record| record.value = Some(b"other value".to_vec()),
        |record| record.headers.push(("more".to_owned(), None)),
    ];
    for change in changes {
        let mut findings = findings_after(|stored| change(&mut partition(stored, 1)[30]));
        findings.sort_by_key(|anomaly| format!("{anomaly:?}"));
        assert_eq!(findings, [Anomaly::Lost, Anomaly::Unknown]);
    }
}

#[test]
fn null_and_empty_are_not_the_same() {
    let findings = findings_after(|stored| {
        let records = partition(stored, 1);
        let empty = records
            .iter_mut()
            .find(|record| record.value.as_deref() == Some(b""))
            .expect("an empty value");
        empty.value = None;
    });
    assert_eq!(findings.len(), 2);
}

#[test]
fn a_wrong_timestamp_is_found() {
    assert_eq!(
        findings_after(|stored| partition(stored, 1)[2].timestamp = 5),
        [Anomaly::WrongTimestamp]
    );
}

#[test]
fn a_gap_in_the_offsets_is_found() {
    let (sent, mut stored) = history();
    partition(&mut stored, 0)[4].offset += 1;
    assert_eq!(sent.check(&stored).len(), 1);
}
