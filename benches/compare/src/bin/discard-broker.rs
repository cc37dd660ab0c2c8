//! `discard-broker PARTITIONS`: the broker of `benches/support` as a program. It ends with its standard input.

#[path = "../../../support/discarding.rs"]
mod discarding;

fn main() {
    let partitions = std::env::args().nth(1).and_then(|count| count.parse().ok());
    discarding::serve(partitions.expect("a number of partitions")).expect("loopback works");
}
