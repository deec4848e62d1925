//! `weir-bench`: what Weir does in a second on one core.
//!
//! Rows: every parser through the sandbox and native (the same crate, the same batches, rounds of the two in turn, the
//! median), plain `serde_json` beside those that read JSON, and whole objects from compressed
//! bytes to a bulk body and into the embedded index. The
//! figures of one run compare with each other; those of two runs only on a machine that does nothing else.
//!
//! "Through the sandbox" is the guest's call: the batch copied in, parsed, the answer copied out. That the host also
//! checks every answer is in the rows from object to bulk body, and in `checked_mb_per_s`.

mod index;
mod measure;
mod objects;
mod parsers;
mod plain;
mod random;
mod samples;
mod table;
mod varied;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use weir::config::Config;
use weir::host::Host;

/// Measures the parsers, through the sandbox and native, and the whole path.
#[derive(Parser)]
#[command(name = "weir-bench")]
struct Arguments {
    /// Write the rows to this file as a JSON array of objects.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Rounds, of which the median counts.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Measure only rows whose name contains this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Measure the parsers alone, not the whole path.
    #[arg(long)]
    parsers: bool,
}

/// Set for the run that is bound to one core.
const PINNED: &str = "WEIR_BENCH_PINNED";

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode> {
    if let Some(code) = on_one_core()? {
        return Ok(code);
    }
    let folder =
        env::var_os("WEIR_PARSERS_DIR").map_or_else(|| PathBuf::from("target/parsers"), PathBuf::from);
    let host = open_host(&folder)?;
    let entries = parsers::all();
    let without: Vec<String> = host
        .registry
        .parsers()
        .keys()
        .filter(|name| !entries.iter().any(|entry| entry.name == **name))
        .cloned()
        .collect();
    if !without.is_empty() {
        bail!("no entry for {}: add them to tests/bench/src/parsers.rs", without.join(", "));
    }
    let wanted = |name: &str| arguments.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    let mut rows = Vec::new();
    for entry in entries.iter().filter(|entry| wanted(entry.name)) {
        eprintln!("{} ...", entry.name);
        let sample = entry.sample(&host).with_context(|| format!("no sample for {}", entry.name))?;
        rows.push(parsers::measure(entry, &sample, &host, arguments.rounds)?);
        if sample.is_json() {
            rows.extend(plain::measure(entry.name, &sample, arguments.rounds)?);
        }
    }
    let whole = |name: &str| !arguments.parsers && wanted(name);
    for name in objects::LOG_TYPES.iter().filter(|name| whole(&objects::row_name(name))) {
        eprintln!("{} ...", objects::row_name(name));
        rows.push(objects::measure(name, &host, arguments.rounds)?);
    }
    for name in index::LOG_TYPES.iter().filter(|name| whole(&index::row_name(name))) {
        eprintln!("{} ...", index::row_name(name));
        rows.extend(index::measure(name, &host, arguments.rounds)?);
    }
    ensure!(!rows.is_empty(), "no row has the name asked for");
    print!("{}", table::text(&rows));
    if let Some(path) = &arguments.json {
        let rows: Vec<_> = rows.iter().map(table::Row::to_json).collect();
        let text = serde_json::to_string_pretty(&rows)? + "\n";
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The host over the parsers of `folder`, with the settings that it has without a configuration.
fn open_host(folder: &Path) -> Result<Host> {
    ensure!(folder.is_dir(), "{} does not exist: run `cargo xtask build-parsers`", folder.display());
    let folder = folder.canonicalize()?;
    let setting = ("WEIR__PARSERS__FOLDER".to_owned(), folder.to_string_lossy().into_owned());
    Ok(Host::open(Config::from_text(Path::new("weir.toml"), "", [setting])?)?)
}

/// Starts this program again on one core, where the machine has the means; none if that is where it runs already.
fn on_one_core() -> Result<Option<ExitCode>> {
    if env::var_os(PINNED).is_some() {
        return Ok(None);
    }
    let program = env::current_exe().context("this program has no path")?;
    let again = Command::new("taskset")
        .args(["-c", "0"])
        .arg(program)
        .args(env::args_os().skip(1))
        .env(PINNED, "1")
        .status();
    if let Ok(status) = again {
        Ok(Some(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
    } else {
        eprintln!("taskset is missing: threads may move between cores");
        Ok(None)
    }
}
