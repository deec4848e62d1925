//! `weir parser`: which parsers there are, whether they pass their own fixtures, how fast they are.

use super::view;
use crate::host::{Host, HostError};
use crate::parser::Parser;
use crate::parser::fixtures::{self, FixtureReport};
use anyhow::{Context, ensure};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{Write, stdout};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Look at, test and measure parsers.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the parsers in force
    #[command(after_help = "Example:\n  weir parser list --json")]
    List {
        /// One JSON object a line instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Run parsers' own fixtures through the sandbox
    #[command(
        after_help = "Examples:\n  weir parser test\n  weir parser test cloudtrail\n  weir parser test ./my-parser.wasm"
    )]
    Test {
        /// Parsers by name, or component files; all parsers unless given
        names: Vec<String>,
        /// One JSON object a line instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Measure parsers on their own fixtures, repeated
    #[command(after_help = "Example:\n  weir parser bench vpcflow --seconds 3")]
    Bench {
        /// Parsers by name, or component files; all parsers unless given
        names: Vec<String>,
        /// How long each is measured
        #[arg(long, default_value_t = 1.0)]
        seconds: f64,
        /// One JSON object a line instead of a table
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub(super) fn run(command: &Command, open: impl FnOnce() -> Result<Host, HostError>) -> anyhow::Result<()> {
    let host = open()?;
    match command {
        Command::List { json } => list(&host, *json),
        Command::Test { names, json } => test(&host, names, *json),
        Command::Bench { names, seconds, json } => bench(&host, names, *seconds, *json),
    }
}

/// Each parser once, by name.
fn by_name(host: &Host) -> BTreeMap<String, Arc<Parser>> {
    host.registry.parsers().values().map(|parser| (parser.manifest().name.clone(), parser.clone())).collect()
}

fn select(host: &Host, names: &[String]) -> anyhow::Result<Vec<Arc<Parser>>> {
    let all = by_name(host);
    if names.is_empty() {
        return Ok(all.into_values().collect());
    }
    names
        .iter()
        .map(|name| match all.get(name) {
            Some(parser) => Ok(parser.clone()),
            None if name.ends_with(".wasm") => Ok(host.registry.load_file(Path::new(name))?),
            None => {
                let known = all.keys().cloned().collect::<Vec<_>>().join(", ");
                Err(anyhow::anyhow!(
                    "there is no parser `{name}`; known: {known}; or give a component file (.wasm)"
                ))
            }
        })
        .collect()
}

fn list(host: &Host, json: bool) -> anyhow::Result<()> {
    let parsers = by_name(host);
    if json {
        for parser in parsers.values() {
            let manifest = parser.manifest();
            writeln!(
                stdout(),
                "{}",
                json!({
                    "name": manifest.name, "version": manifest.version, "team": manifest.team,
                    "log_types": manifest.log_types, "framing": manifest.framing_kind, "digest": parser.digest(),
                    "bytes": parser.file().bytes.len(), "fixtures": parser.file().fixtures.len(),
                    "description": manifest.description, "waiting": parser.is_tripped(),
                })
            )?;
        }
        return Ok(());
    }
    let rows = parsers.values().map(|parser| {
        let manifest = parser.manifest();
        let size = format!("{} KiB", parser.file().bytes.len() / 1024);
        let digest = parser.digest().get(..12).unwrap_or_default().to_owned();
        let framing = manifest.framing_kind.to_owned();
        [
            manifest.name.clone(),
            manifest.version.clone(),
            manifest.team.clone(),
            framing,
            size,
            digest,
            manifest.description.clone(),
        ]
    });
    writeln!(
        stdout(),
        "{}",
        view::table(["parser", "version", "team", "framing", "size", "digest", "reads"], rows)
    )?;
    Ok(())
}

fn test(host: &Host, names: &[String], json: bool) -> anyhow::Result<()> {
    let mut failed = 0;
    let mut rows = Vec::new();
    for parser in select(host, names)? {
        let reports = fixtures::test(&parser);
        let name = &parser.manifest().name;
        ensure!(
            !reports.is_empty(),
            "the parser {name} carries no fixtures; add fixtures/NAME.log and NAME.expected.json"
        );
        for report in reports {
            failed += usize::from(report.problem.is_some());
            let FixtureReport { name: fixture, frames, events, problem } = report;
            if json {
                writeln!(
                    stdout(),
                    "{}",
                    json!({ "parser": name, "fixture": fixture, "frames": frames, "events": events, "problem": problem })
                )?;
            } else {
                let verdict = problem.unwrap_or_else(|| "ok".to_owned());
                rows.push([name.clone(), fixture, frames.to_string(), events.to_string(), verdict]);
            }
        }
    }
    if !json {
        writeln!(stdout(), "{}", view::table(["parser", "fixture", "frames", "events", "result"], rows))?;
    }
    ensure!(failed == 0, "{failed} fixtures failed; the table says where each first differs");
    Ok(())
}

fn bench(host: &Host, names: &[String], seconds: f64, json: bool) -> anyhow::Result<()> {
    let time = Duration::try_from_secs_f64(seconds).context("--seconds must be a positive number")?;
    let mut rows = Vec::new();
    for parser in select(host, names)? {
        let (started, mut rounds, mut frames, mut events) = (Instant::now(), 0_u64, 0_usize, 0_usize);
        while started.elapsed() < time || rounds == 0 {
            for report in fixtures::test(&parser) {
                frames += report.frames;
                events += report.events;
            }
            rounds += 1;
        }
        // Each fixture is parsed whole and in four splits.
        let elapsed = started.elapsed().as_secs_f64() / 5.0;
        let name = parser.manifest().name.clone();
        let (frame_rate, event_rate) = (frames as f64 / elapsed, events as f64 / elapsed);
        if json {
            writeln!(
                stdout(),
                "{}",
                json!({ "parser": name, "rounds": rounds, "frames_per_s": frame_rate, "events_per_s": event_rate })
            )?;
        } else {
            rows.push([name, rounds.to_string(), format!("{frame_rate:.0}"), format!("{event_rate:.0}")]);
        }
    }
    if !json {
        writeln!(stdout(), "{}", view::table(["parser", "rounds", "frames/s", "events/s"], rows))?;
        writeln!(
            stdout(),
            "on small fixtures, framing and comparing included; `cargo xtask bench` measures throughput"
        )?;
    }
    Ok(())
}
