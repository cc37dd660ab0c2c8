//! `discard-broker PARTITIONS BROKERS`: the broker of `benches/support` as a program. It ends with its standard input.

#[path = "../../../support/discarding.rs"]
mod discarding;

fn main() {
    let numbers = std::env::args().skip(1).map(|word| word.parse());
    let numbers: Result<Vec<i32>, _> = numbers.collect();
    let [partitions, brokers] = numbers.expect("numbers")[..] else {
        panic!("discard-broker PARTITIONS BROKERS")
    };
    let brokers = usize::try_from(brokers).expect("some brokers");
    discarding::serve(partitions, brokers).expect("loopback works");
}
