//! The command line tool: `ottla produce`, `ottla verifiable-producer`, `ottla broker`.
//!
//! Java: `tools/ConsoleProducer.java`, `tools/VerifiableProducer.java`.
//! Differs: one binary with subcommands; knows only the public API of the library.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod broker;
mod client_options;
mod line_reader;
mod produce;
mod stop;
mod verifiable_producer;

/// A Kafka producer for the command line, and an embedded cluster to try it on.
#[derive(Debug, Parser)]
#[command(name = "ottla", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sends each line of standard input to a topic (Java: kafka-console-producer).
    Produce(Box<produce::Options>),
    /// Sends counted records and prints one JSON line for each (Java: kafka-verifiable-producer).
    VerifiableProducer(verifiable_producer::Options),
    /// Runs the embedded cluster in the foreground.
    Broker(broker::Options),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Produce(options) => produce::run(&options),
        Command::VerifiableProducer(options) => verifiable_producer::run(&options),
        Command::Broker(options) => broker::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ottla: {error}");
            ExitCode::FAILURE
        }
    }
}
