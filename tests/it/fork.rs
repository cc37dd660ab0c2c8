//! A process that was forked off has the producer's memory and not its thread: it is told so and never waits.

use std::time::Duration;

use fork::Fork;
use ottla::{ErrorKind, KafkaError, ProducerRecord};

use crate::setup::{TOPIC, cluster, producer};

#[test]
fn a_child_process_is_told_that_the_producer_is_its_parents() {
    let cluster = cluster();
    let producer = producer(&cluster, &[("linger.ms", "60000")]);
    let record = || ProducerRecord::new(TOPIC, *b"k", *b"v");
    // A batch is open when the process forks, and somebody waits for it in the child.
    let before = producer.send(record()).unwrap();
    let report = std::env::temp_dir().join(format!("ottla-fork-{}", std::process::id()));
    match fork::fork().unwrap() {
        Fork::Child => {
            let kind = |error: KafkaError| error.kind();
            let calls = [
                before.get().map_err(kind).map(|_| ()),
                producer.flush().map_err(kind),
                producer
                    .partitions_for("elsewhere")
                    .map_err(kind)
                    .map(|_| ()),
                producer
                    .close(Duration::from_secs(60))
                    .map_err(kind)
                    .map(|_| ()),
                // Into the batch that the parent had opened: what counts is that waiting for it ends.
                producer
                    .send(record())
                    .and_then(|sent| sent.get())
                    .map_err(kind)
                    .map(|_| ()),
            ];
            let all_forked = calls.iter().all(|call| *call == Err(ErrorKind::Forked));
            drop(producer);
            let text = if all_forked {
                "forked".to_owned()
            } else {
                format!("{calls:?}")
            };
            std::fs::write(&report, text).unwrap();
            std::process::exit(0);
        }
        Fork::Parent(child) => {
            fork::waitpid(child).unwrap();
            let said = std::fs::read_to_string(&report).unwrap_or_default();
            let _removed = std::fs::remove_file(&report);
            assert_eq!(said, "forked");
            assert!(before.get().is_ok(), "the parent goes on");
        }
    }
}
