//! The table of moves as a model: every state with every step.

use super::*;
use crate::producer::internals::transaction_manager::state::TransactionVersion;

fn error() -> KafkaError {
    KafkaError::new(ErrorKind::Timeout, "late")
}

/// One of each, built by steps alone.
fn states() -> Vec<State> {
    let ready = || State::Ready(ID);
    let open = || {
        ready()
            .after(Step::Begin(TransactionVersion::V1))
            .expect("begin")
    };
    let then = |state: State, step| state.after(step).expect("a legal step");
    vec![
        State::Uninitialized,
        State::Initializing,
        ready(),
        open(),
        then(open(), Step::Commit),
        then(open(), Step::Abort),
        then(open(), Step::SetBack(error())),
        then(State::Initializing, resume()),
        State::Failed(error()),
    ]
}

fn resume() -> Step {
    Step::Resume {
        identity: NEXT_EPOCH,
        prepared: ID,
        version: TransactionVersion::V2,
    }
}

fn steps() -> Vec<Step> {
    vec![
        Step::Initialize,
        Step::Identify(NEXT_EPOCH),
        Step::Forget,
        Step::Begin(TransactionVersion::V2),
        Step::Commit,
        Step::Abort,
        Step::SetBack(error()),
        Step::End(NEXT_EPOCH),
        Step::Renew,
        resume(),
        Step::Fail(error()),
    ]
}

/// Row: state; column: step, in the order above. `-` is refused.
const TABLE: [(&str, [&str; 11]); 9] = [
    ("U", ["I", "-", "-", "-", "-", "-", "-", "-", "-", "-", "F"]),
    ("I", ["-", "R", "U", "-", "-", "-", "-", "-", "-", "P", "F"]),
    ("R", ["-", "R", "U", "T", "-", "-", "-", "-", "-", "-", "F"]),
    ("T", ["-", "-", "-", "-", "C", "A", "E", "-", "-", "-", "F"]),
    ("C", ["-", "-", "-", "-", "-", "-", "E", "R", "I", "-", "F"]),
    ("A", ["-", "-", "-", "-", "-", "-", "A", "R", "I", "-", "F"]),
    ("E", ["-", "-", "-", "-", "-", "A", "E", "-", "-", "-", "F"]),
    ("P", ["-", "-", "-", "-", "C", "A", "-", "-", "-", "-", "F"]),
    ("F", ["-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-"]),
];

fn letter(state: &State) -> &'static str {
    match state {
        State::Uninitialized => "U",
        State::Initializing => "I",
        State::Ready(_) => "R",
        State::InTransaction(_) => "T",
        State::Committing(_) => "C",
        State::Aborting(_) => "A",
        State::Abortable(..) => "E",
        State::Prepared(..) => "P",
        State::Failed(_) => "F",
    }
}

/// Java: `TransactionManagerTest.testInvalidTransitions`, `State.isTransitionValid`. Scenario: TX2.
#[test]
fn every_state_takes_the_steps_of_the_table_and_no_others() {
    for (row, (from, cells)) in TABLE.iter().enumerate() {
        for (step, to) in steps().into_iter().zip(cells) {
            let state = states().remove(row);
            assert_eq!(letter(&state), *from);
            let name = step.name();
            let found = match state.after(step) {
                Ok(next) => letter(&next),
                Err((kept, _)) => {
                    assert_eq!(
                        letter(&kept),
                        *from,
                        "{name}: a refused step changes nothing"
                    );
                    "-"
                }
            };
            assert_eq!(found, *to, "from {from}: {name}");
        }
    }
}

#[test]
fn an_epoch_never_goes_down_and_never_changes_its_id() {
    let other = ProducerIdAndEpoch {
        producer_id: 8,
        epoch: 5,
    };
    for to in [ID, other] {
        let ready = State::Ready(NEXT_EPOCH);
        assert!(ready.after(Step::Identify(to)).is_err());
    }
}

/// Java: `TransactionManagerTest.testRaiseErrorWhenNoPartitionsPendingOnDrain` (KAFKA-14831). Scenario: TX2.
#[test]
fn a_bad_move_of_the_io_thread_is_fatal_and_one_of_the_application_is_not() {
    let mut manager = with_id(ID);
    let by_application = manager.transition(Step::Commit, Caller::Application);
    assert_eq!(
        by_application.expect_err("refused").kind(),
        ErrorKind::IllegalState
    );
    assert!(manager.fatal_error().is_none());
    manager.advance(Step::Commit);
    let fatal = manager.fatal_error().expect("poisoned");
    assert!(fatal.is_fatal() && fatal.kind() == ErrorKind::IllegalState);
}

#[test]
fn the_first_reason_to_abort_stays() {
    let open = State::Ready(ID)
        .after(Step::Begin(TransactionVersion::V1))
        .expect("begin");
    let first = KafkaError::new(ErrorKind::RecordTooLarge, "first");
    let state = open.after(Step::SetBack(first)).expect("set back");
    let state = state.after(Step::SetBack(error())).expect("again");
    let State::Abortable(_, kept) = state else {
        panic!("not abortable");
    };
    assert_eq!(kept.message(), "first");
}
