//! The command line: what is asked for, and how it ends.
//!
//! Exit codes: 0 done (damaged input included: it is counted and named); 1 something failed; 2 the command line is
//! wrong; 3 the configuration or a parser is refused; 5 there is no space left. The same for every command but
//! `weir accounts`, which says for itself how it ends.

mod accounts;
mod archive;
mod config;
mod dump;
mod ingest;
mod ledger;
mod parser;
mod quarantine;
mod route;
mod run;
mod search;
mod view;

use crate::config::{Config, ConfigError};
use crate::host::{Host, HostError};
use clap::{CommandFactory, Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Something failed.
pub const FAILED: u8 = 1;
/// The configuration or a parser is refused.
pub const REFUSED: u8 = 3;
/// There is no space left.
pub const NO_SPACE: u8 = 5;

/// Weir: log objects in, sandboxed parsers, normalized events out.
#[derive(Debug, Parser)]
#[command(name = "weir", version, about, propagate_version = true, arg_required_else_help = true)]
#[command(
    after_help = "Examples:\n  weir ingest demo/logs            read a folder of logs into the index\n  weir search 'event.outcome:failure AND source.ip:203.0.113.0/24'\n  weir dump access.log --log-type nginx-access\n  weir route explain AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/15/x.json.gz\n\nExit codes: 0 done, 1 failed, 2 wrong command line, 3 configuration or parser refused, 5 no space left."
)]
struct Arguments {
    /// The configuration; ./weir.toml unless given
    #[arg(long, global = true, value_name = "FILE", env = "WEIR_CONFIG")]
    config: Option<PathBuf>,
    /// Log what happens to standard error (repeat for more)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read files and folders into the index and the archive
    Ingest(ingest::Arguments),
    /// Search the embedded index
    Search(search::Arguments),
    /// Print the normalized events of one file
    Dump(dump::Arguments),
    /// Watch the sources; serve search, metrics and health
    Run(run::Arguments),
    /// Show what became of every object
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// List the archive's partitions, or join their small files
    #[command(subcommand)]
    Archive(archive::Command),
    /// List, show or replay frames that gave no event
    #[command(subcommand)]
    Quarantine(quarantine::Command),
    /// Look at, test and measure parsers
    #[command(subcommand)]
    Parser(parser::Command),
    /// Check or show the configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Say where an object goes and why
    #[command(subcommand)]
    Route(route::Command),
    /// Onboard an AWS Organization: every member's log buckets replicate to the log account
    Accounts(accounts::Arguments),
}

/// Whether the first command on the command line is `accounts`, whose exit codes are its own.
fn is_about_accounts() -> bool {
    let commands = Arguments::command();
    let mut words = std::env::args_os().skip(1);
    words.find(|word| commands.find_subcommand(word).is_some()).is_some_and(|word| word == "accounts")
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if is_about_accounts() => return accounts::usage(&error),
        Err(error) => error.exit(),
    };
    start_logging(arguments.verbose);
    let outcome = match arguments.command {
        Command::Ingest(command) => ingest::run(&command, || open(arguments.config.as_deref())),
        Command::Search(command) => search::run(&command, || configured(arguments.config.as_deref())),
        Command::Run(command) => run::run(&command, || open(arguments.config.as_deref())),
        Command::Quarantine(command) => quarantine::run(&command, || configured(arguments.config.as_deref())),
        Command::Archive(command) => archive::run(&command, || configured(arguments.config.as_deref())),
        Command::Ledger(command) => ledger::run(&command, || configured(arguments.config.as_deref())),
        Command::Dump(command) => dump::run(&command, || open(arguments.config.as_deref())),
        Command::Parser(command) => parser::run(&command, || open(arguments.config.as_deref())),
        Command::Config(command) => config::run(&command, arguments.config.as_deref()),
        Command::Route(command) => route::run(&command, || open(arguments.config.as_deref())),
        // Its exit codes are its own, and its configuration is accounts.toml.
        Command::Accounts(command) => return accounts::run(command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            view::print_error(&error);
            ExitCode::from(exit_code(&error))
        }
    }
}

/// For commands that parse.
fn open(path: Option<&Path>) -> Result<Host, HostError> {
    Host::open(configured(path)?)
}

/// For commands that look at what is there: they need no parser, and go on when one is refused.
fn configured(path: Option<&Path>) -> Result<Config, ConfigError> {
    Config::load(path)
}

fn exit_code(error: &anyhow::Error) -> u8 {
    let refused = |error: &(dyn std::error::Error + 'static)| {
        error.is::<HostError>() || error.is::<ConfigError>() || error.is::<crate::parser::RegistryError>()
    };
    if error.chain().any(refused) {
        REFUSED
    } else if crate::store::is_disk_full(error) {
        NO_SPACE
    } else {
        FAILED
    }
}

/// `weir dump … | head` ends when `head` has enough.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

fn start_logging(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("WEIR_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(format!("{level},tantivy=warn")));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(view::is_coloured())
        .with_target(false)
        .init();
}
