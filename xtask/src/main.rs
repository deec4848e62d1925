//! What developers of Weir run: `cargo xtask demo | test | build-parsers | bench | faults | fuzz | check`.
//!
//! Contract: every command starts from a fresh clone, gets what it needs by itself, says in one line what it took, and
//! does nothing the second time. One profile (`release`) and one target folder serve them all, so that what one command
//! built the others reuse. Nothing outside the target folder is written, but by `rustup target add` and by an explicit
//! `--install`.

mod bench;
mod check;
mod component;
mod debian;
mod demo;
mod faults;
mod fuzz;
mod guests;
mod library_source;
mod log_format;
mod parsers;
mod process;
mod project;
mod standard_library;
mod target;
mod test;
mod tool;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// What developers of Weir run.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
#[command(after_help = "Examples:
  cargo xtask demo                      build everything and walk through a day of logs
  cargo xtask test                      all tests, as continuous integration runs them
  cargo xtask test ledger               some of them: what follows goes to cargo test
  cargo xtask build-parsers             compile the parsers to target/parsers/NAME.wasm
  cargo xtask bench --json bench.json   measure, and keep the rows
  cargo xtask faults                    kill at every write, a thousand accounts; half an hour
  cargo xtask fuzz framing --seconds 60 look for crashes in one target
  cargo xtask check                     format, lints, documents, licences, spelling")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build everything, ingest the demo's logs and show what to do with them.
    Demo,
    /// Compile every parser to a component in target/parsers.
    #[command(after_help = "Examples:
  cargo xtask build-parsers             every folder of parsers-wasm that has a parser.toml
  target/release/weir parser list       what the host makes of them")]
    BuildParsers,
    /// Run all tests: unit, golden, end to end with hostile guests, documentation.
    #[command(after_help = "Examples:
  cargo xtask test                      everything
  cargo xtask test -p weir-parser-alb   one package
  cargo xtask test -- --nocapture       with what the tests print

Tests find the components through WEIR_PARSERS_DIR and WEIR_GUESTS_DIR, and the program through WEIR_BIN.")]
    Test {
        /// Passed on to cargo test; without any, the whole workspace is tested.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "CARGO TEST ARGUMENTS")]
        arguments: Vec<String>,
    },
    /// Measure the parsers, through the sandbox and native, and the whole path.
    #[command(after_help = "Examples:
  cargo xtask bench                     print the table
  cargo xtask bench --json bench.json   and write its rows as a JSON array")]
    Bench {
        /// Write the rows to this file as a JSON array of objects.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Passed on to the bench.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "BENCH ARGUMENTS")]
        arguments: Vec<String>,
    },
    /// Run the tests that take too long for `test`: kill -9 at every write of an onboarding, a thousand accounts.
    #[command(after_help = "Examples:
  cargo xtask faults                    every group, with a line that says what it came to
  cargo xtask faults kills              only tests whose names contain this
  cargo xtask faults scale")]
    Faults {
        /// Part of the names of the tests to run; all without.
        filter: Option<String>,
    },
    /// Fuzz every target of tests/fuzz, or one; exits with 1 when a crash is found.
    #[command(after_help = "Examples:
  cargo xtask fuzz                      every target for a minute
  cargo xtask fuzz framing --seconds 600
  cargo xtask fuzz --install            install cargo-fuzz first, when it is missing")]
    Fuzz(fuzz::Arguments),
    /// Format, lints, documents, log messages, licences and advisories, spelling.
    #[command(after_help = "Examples:
  cargo xtask check
  cargo xtask check --install           install cargo-deny and typos first, when they are missing")]
    Check {
        /// Install the tools that are missing with `cargo install`.
        #[arg(long)]
        install: bool,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not as `Result` would print it, which adds a backtrace where the environment asks for those of panics.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    let project = project::Project::find()?;
    match arguments.command {
        Command::Demo => demo::run(&project),
        Command::BuildParsers => parsers::build(&project, &target::WasmTarget::get(&project)?),
        Command::Test { arguments } => test::run(&project, &arguments),
        Command::Bench { json, arguments } => bench::run(&project, json.as_deref(), &arguments),
        Command::Faults { filter } => faults::run(&project, filter.as_deref()),
        Command::Fuzz(arguments) => fuzz::run(&project, &arguments),
        Command::Check { install } => check::run(&project, install),
    }
}
