//! Serves a strict fake of the AWS services that onboarding calls on one port of 127.0.0.1.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tokio::net::TcpListener;
use weir_aws_fake::builder::Blueprint;
use weir_aws_fake::{Fake, World, WorldError};

/// A strict fake of AWS. Its first line of output is `listening on http://127.0.0.1:PORT`.
#[derive(Debug, Parser)]
struct Arguments {
    /// The port of 127.0.0.1; 0 for a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The world to begin with, as JSON; the README has its form.
    #[arg(long)]
    world: Option<PathBuf>,
    /// Generate an organization of this many members instead; the README has what is in it.
    #[arg(long, conflicts_with = "world")]
    accounts: Option<usize>,
    /// Units of the generated organization.
    #[arg(long, default_value_t = 3, requires = "accounts")]
    units: usize,
    /// Regions of the generated organization; may be repeated.
    #[arg(long = "region", default_value = "eu-west-1", requires = "accounts")]
    regions: Vec<String>,
    /// Print the generated organization and end.
    #[arg(long, requires = "accounts")]
    print: bool,
    /// Mixed into every generated id, and the seed of faults and latencies; overrides the world's.
    #[arg(long)]
    seed: Option<u64>,
    /// Stop the clock at this time (RFC 3339), so that only the control endpoint moves it.
    #[arg(long)]
    stopped_at: Option<jiff::Timestamp>,
}

#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("cannot read {path}; give a readable file to --world")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("cannot load {path}")]
    Load { path: PathBuf, source: WorldError },
    #[error("cannot generate the organization; check --accounts, --units and --region")]
    Generate { source: WorldError },
    #[error("cannot print the organization; give the output somewhere to go")]
    Print { source: std::io::Error },
    #[error("cannot listen on 127.0.0.1:{port}; choose another --port")]
    Listen { port: u16, source: std::io::Error },
    #[error("serving ended; start the fake again")]
    Serve { source: std::io::Error },
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                eprintln!("  caused by: {cause}");
                source = cause.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), StartError> {
    let mut world = match (arguments.world, arguments.accounts) {
        (None, None) => World::default(),
        (None, Some(accounts)) => Blueprint {
            regions: arguments.regions,
            seed: arguments.seed.unwrap_or(0),
            ..Blueprint::varied(accounts, arguments.units)
        }
        .build()
        .map_err(|source| StartError::Generate { source })?,
        (Some(path), _) => {
            let json =
                std::fs::read(&path).map_err(|source| StartError::Read { path: path.clone(), source })?;
            World::from_json(&json).map_err(|source| StartError::Load { path, source })?
        }
    };
    if let Some(seed) = arguments.seed {
        world.settings.seed = seed;
    }
    if arguments.print {
        let json = world.to_json().map_err(|source| StartError::Generate { source })?;
        return writeln!(std::io::stdout(), "{json}").map_err(|source| StartError::Print { source });
    }
    let port = arguments.port;
    let listener =
        TcpListener::bind(("127.0.0.1", port)).await.map_err(|source| StartError::Listen { port, source })?;
    let address = listener.local_addr().map_err(|source| StartError::Listen { port, source })?;
    let fake = Fake::new(world);
    if let Some(time) = arguments.stopped_at {
        fake.stop_clock(time.as_millisecond());
    }
    println!("listening on http://{address}");
    fake.serve(listener).await.map_err(|source| StartError::Serve { source })
}
