//! The commands: `weir accounts init | discover | plan | apply | verify | status | offboard | backfill | render`.
//!
//! Exit codes, the same for every command: 0 converged; 2 the plan has changes, or the world has drifted; 3 some
//! accounts failed or are unverified; 4 stopped before anything was written.

mod apply;
mod backfill;
mod context;
mod discover;
mod init;
mod offboard;
mod plan;
mod render;
mod status;
mod verify;
mod view;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Everything is as accounts.toml says.
pub const CONVERGED: u8 = 0;
/// The plan has changes, or the world has drifted.
pub const CHANGES: u8 = 2;
/// Some accounts failed, wait, or are unverified.
pub const FAILED: u8 = 3;
/// Stopped before anything was written.
pub const STOPPED: u8 = 4;

/// What every command knows.
#[derive(Clone, Debug, Args)]
pub struct Shared {
    /// What the organization should look like; ./accounts.toml unless given
    #[arg(short, long, global = true, value_name = "FILE", env = "WEIR_ACCOUNTS")]
    file: Option<PathBuf>,
    /// A profile of the AWS configuration
    #[arg(long, global = true)]
    profile: Option<String>,
    /// The AWS Region of the caller's own calls
    #[arg(long, global = true)]
    region: Option<crate::ids::Region>,
    /// Where journal, audit log and snapshots are kept
    #[arg(long, global = true, value_name = "FOLDER", default_value = "data/accounts")]
    data: PathBuf,
}

/// Onboard an AWS Organization: every member's log buckets replicate to the log account
#[derive(Clone, Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  weir accounts init                 write a commented accounts.toml\n  weir accounts plan -o plan.json    show what would change, and keep it\n  weir accounts apply plan.json      do just that, after asking\n  weir accounts verify               prove that logs arrive, account by account\n\nExit codes: 0 converged, 2 changes or drift, 3 some accounts failed or unverified, 4 stopped before writing."
)]
pub struct Arguments {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Write a commented accounts.toml
    Init(init::Arguments),
    /// Read the organization, its members and the log account
    Discover(discover::Arguments),
    /// Show what would change
    Plan(plan::Arguments),
    /// Change it, after asking
    Apply(apply::Arguments),
    /// Prove that every log bucket replicates, and show what has arrived
    Verify(verify::Arguments),
    /// Compare the world with accounts.toml, for schedules
    Status(status::Arguments),
    /// Plan S3 Batch Replication jobs for objects from before, with their cost
    Backfill(backfill::Arguments),
    /// Take our rules, roles and statements away again
    Offboard(offboard::Arguments),
    /// Write CloudFormation or Terraform that does the same, and change nothing
    Render(render::Arguments),
}

/// Runs a command.
pub fn run(arguments: Arguments) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(dispatch(arguments)),
        Err(error) => Err(anyhow::Error::new(error).context("cannot start the runtime")),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) if view::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            view::print_error(&error);
            ExitCode::from(exit_code(&error))
        }
    }
}

async fn dispatch(arguments: Arguments) -> anyhow::Result<u8> {
    let Arguments { shared, command } = arguments;
    match command {
        Command::Init(command) => init::run(&command, &shared),
        Command::Discover(command) => discover::run(&command, &shared).await,
        Command::Plan(command) => plan::run(&command, &shared).await,
        Command::Apply(command) => apply::run(&command, &shared).await,
        Command::Verify(command) => verify::run(&command, &shared).await,
        Command::Status(command) => status::run(&command, &shared).await,
        Command::Backfill(command) => backfill::run(&command, &shared).await,
        Command::Offboard(command) => offboard::run(&command, &shared).await,
        Command::Render(command) => render::run(&command, &shared).await,
    }
}

/// Whether anything may have been written.
fn exit_code(error: &anyhow::Error) -> u8 {
    use crate::apply::ApplyError;
    let after_writing = error.chain().filter_map(|cause| cause.downcast_ref::<ApplyError>()).any(|error| {
        matches!(error, ApplyError::LogAccountStep(_) | ApplyError::Lines(_) | ApplyError::Discover(_))
    });
    if after_writing { FAILED } else { STOPPED }
}

/// The commands as a program of their own.
#[derive(Debug, Parser)]
#[command(name = "weir-accounts", version, about)]
struct Program {
    /// Log what happens to standard error (repeat for more)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(flatten)]
    arguments: Arguments,
}

/// Prints what is wrong with a command line. clap ends with 2, which says here that the world has drifted.
pub fn usage(error: &clap::Error) -> ExitCode {
    // Whoever closed the output knows.
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { STOPPED } else { CONVERGED })
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let program = match Program::try_parse() {
        Ok(program) => program,
        Err(error) => return usage(&error),
    };
    let level = match program.verbose {
        0 => "error",
        1 => "weir_accounts=info,warn",
        2 => "weir_accounts=debug,info",
        _ => "debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("WEIR_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
    run(program.arguments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// A program with options of its own that hold for every command, as `weir` has them.
    #[derive(Debug, Parser)]
    struct Host {
        #[arg(long, global = true)]
        config: Option<PathBuf>,
        #[arg(short, long, global = true, action = clap::ArgAction::Count)]
        verbose: u8,
        #[command(subcommand)]
        command: HostCommand,
    }

    #[derive(Debug, Subcommand)]
    enum HostCommand {
        Accounts(Arguments),
    }

    #[test]
    fn the_commands_stand_by_themselves_and_within_another_program() {
        Program::command().debug_assert();
        Host::command().debug_assert();
        let host =
            Host::try_parse_from(["weir", "-v", "accounts", "--file", "a.toml", "plan", "--json"]).unwrap();
        let HostCommand::Accounts(arguments) = host.command;
        assert_eq!(arguments.shared.file, Some(PathBuf::from("a.toml")));
        assert!(matches!(arguments.command, Command::Plan(_)) && host.verbose == 1 && host.config.is_none());
        for wrong in [
            &["weir", "accounts"][..],
            &["weir", "accounts", "offboard"],
            &["weir", "accounts", "apply", "--rollback", "12"],
        ] {
            assert!(Host::try_parse_from(wrong).is_err(), "{wrong:?}");
        }
    }
}
