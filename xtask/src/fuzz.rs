//! `cargo xtask fuzz`: every target of `tests/fuzz` for a while, with libFuzzer through cargo-fuzz.
//!
//! cargo-fuzz asks for a nightly compiler only for its coverage flags, which the stable one takes as well when
//! RUSTC_BOOTSTRAP is set. No sanitizer: the code fuzzed has no unsafe memory access to find, and runs twice as fast
//! without. Builds go to a folder of their own below the target folder, since every crate is compiled with other flags
//! there. What a run learns (its corpus) and the inputs that crash go there too.
//!
//! A run begins with what earlier runs learned, the seeds and kept cases of the checkout, and, for a parser, pieces of
//! its fixtures.

use crate::process;
use crate::project::Project;
use crate::tool::Tool;
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

const CARGO_FUZZ: Tool = Tool { package: "cargo-fuzz", version: "0.13.2", program: "cargo-fuzz" };

/// The package of the targets, from the root of the checkout.
const FOLDER: &str = "tests/fuzz";
/// An input that takes longer counts as a crash, in seconds.
const INPUT_LIMIT: u32 = 10;
/// As much memory as ingest may take, MiB; more counts as a crash.
const MEMORY_LIMIT: u32 = 512;
/// Longest input, in bytes: a dozen frames of any log type.
const INPUT_LENGTH: usize = 8 << 10;
/// Bytes of a fixture's lines in one input. Short inputs are tried more often.
const PIECE_BYTES: usize = 1 << 10;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The target to fuzz; without it, every one.
    target: Option<String>,
    /// How long to fuzz each target.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    seconds: u32,
    /// Install cargo-fuzz when it is missing.
    #[arg(long)]
    install: bool,
}

/// What one target came to.
struct Outcome {
    target: String,
    /// Inputs executed, where the fuzzer said so.
    runs: Option<u64>,
    /// Files of new crashes.
    crashes: Vec<PathBuf>,
    /// Why the run did not end as it should, where that was no crash.
    failure: Option<String>,
}

/// Fuzzes and prints a table; an error when anything crashed.
pub(crate) fn run(project: &Project, arguments: &Arguments) -> Result<()> {
    if !CARGO_FUZZ.ready(project, arguments.install)? {
        bail!("{}", CARGO_FUZZ.hint("cargo xtask fuzz --install"));
    }
    let targets = targets(project, arguments.target.as_deref())?;
    process::run(&mut cargo_fuzz(project, "build")).context("cannot build the fuzz targets")?;
    let mut outcomes = Vec::new();
    for target in targets {
        println!("fuzzing {target} for {} s", arguments.seconds);
        outcomes.push(fuzz_target(project, target, arguments.seconds)?);
    }
    print(project, &outcomes);
    let bad =
        outcomes.iter().filter(|outcome| !outcome.crashes.is_empty() || outcome.failure.is_some()).count();
    ensure!(bad == 0, "{bad} of {} targets crashed or failed", outcomes.len());
    Ok(())
}

fn cargo_fuzz(project: &Project, command: &str) -> Command {
    let mut cargo = project.cargo(&["fuzz", command, "--fuzz-dir", FOLDER]);
    if command != "list" {
        cargo.args(["--sanitizer", "none", "--codegen-units", "16", "--target-dir"]);
        cargo.arg(project.target.join("fuzz"));
    }
    cargo.env("RUSTC_BOOTSTRAP", "1").env("RUST_BACKTRACE", "0");
    cargo
}

fn targets(project: &Project, wanted: Option<&str>) -> Result<Vec<String>> {
    let list = process::output(&mut cargo_fuzz(project, "list"))?;
    let all: Vec<String> = list.lines().map(|line| line.trim().to_owned()).collect();
    match wanted {
        None => Ok(all),
        Some(wanted) if all.iter().any(|target| target == wanted) => Ok(vec![wanted.to_owned()]),
        Some(wanted) => bail!("there is no fuzz target {wanted}; there are {}", all.join(", ")),
    }
}

fn fuzz_target(project: &Project, target: String, seconds: u32) -> Result<Outcome> {
    let work = project.target.join("fuzz");
    let corpus = work.join("corpus").join(&target);
    let artifacts = work.join("artifacts").join(&target);
    let log_file = work.join("logs").join(format!("{target}.log"));
    for folder in [Some(corpus.as_path()), Some(artifacts.as_path()), log_file.parent()].into_iter().flatten()
    {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let before = files(&artifacts);

    let mut command = cargo_fuzz(project, "run");
    // The first folder takes what is learned, further ones are only read.
    command.arg(&target).arg(&corpus);
    let fuzz = project.root.join(FOLDER);
    let pieces = work.join("fixtures").join(&target);
    cut_fixtures(&project.root.join("parsers-wasm").join(&target), &pieces)?;
    let seeds = [fuzz.join("seeds").join(&target), fuzz.join("cases").join(&target), pieces];
    command.args(seeds.iter().filter(|folder| folder.is_dir()));
    command.arg("--").args([
        format!("-max_total_time={seconds}"),
        format!("-timeout={INPUT_LIMIT}"),
        format!("-rss_limit_mb={MEMORY_LIMIT}"),
        format!("-max_len={INPUT_LENGTH}"),
        // The last of several prefixes counts; cargo-fuzz gives one inside the checkout.
        format!("-artifact_prefix={}/", artifacts.display()),
        "-print_final_stats=1".to_owned(),
    ]);
    let log = File::create(&log_file).with_context(|| format!("cannot write {}", log_file.display()))?;
    let log_too = log.try_clone().context("cannot write the log twice")?;
    command.stdout(log).stderr(log_too);
    let status = command.status().with_context(|| format!("cannot start `{}`", process::show(&command)))?;

    let crashes: Vec<PathBuf> = files(&artifacts).difference(&before).cloned().collect();
    let text = fs::read(&log_file).with_context(|| format!("cannot read {}", log_file.display()))?;
    let runs = runs_in(&String::from_utf8_lossy(&text));
    // A fuzzer that cannot start finds no crash either: that must not look like success.
    let failed = (!status.success() && crashes.is_empty()) || runs.is_none();
    let failure = failed.then(|| format!("{status}, see {}", project.show(&log_file)));
    Ok(Outcome { target, runs, crashes, failure })
}

/// Writes a parser's fixtures to `pieces` as inputs of some lines each; JSON as it is. Does nothing for what is no
/// parser.
fn cut_fixtures(parser: &Path, pieces: &Path) -> Result<()> {
    let fixtures = files(&parser.join("fixtures"));
    if fixtures.is_empty() {
        return Ok(());
    }
    let _ = fs::remove_dir_all(pieces);
    fs::create_dir_all(pieces).with_context(|| format!("cannot create {}", pieces.display()))?;
    let manifest = fs::read_to_string(parser.join("parser.toml")).unwrap_or_default();
    let has_header = manifest.lines().any(|line| line.trim() == "kind = \"header\"");
    for fixture in fixtures {
        let name = fixture.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let content = || fs::read(&fixture).with_context(|| format!("cannot read {}", fixture.display()));
        let inputs = if name.ends_with(".log") {
            cut(&content()?, has_header)
        } else if name.ends_with(".json") && !name.ends_with(".expected.json") {
            vec![content()?]
        } else {
            continue;
        };
        for (number, input) in inputs.iter().enumerate() {
            let path = pieces.join(format!("{name}-{number}"));
            fs::write(&path, input).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(())
}

/// Whole lines in pieces of about [`PIECE_BYTES`], each with the first line when that is a header.
fn cut(content: &[u8], has_header: bool) -> Vec<Vec<u8>> {
    let mut lines = content.split_inclusive(|byte| *byte == b'\n').peekable();
    let header = if has_header { lines.next().unwrap_or_default() } else { b"" };
    let mut pieces = Vec::new();
    while lines.peek().is_some() {
        let mut piece = header.to_vec();
        while piece.len() < header.len() + PIECE_BYTES
            && let Some(line) = lines.next()
        {
            piece.extend_from_slice(line);
        }
        pieces.push(piece);
    }
    pieces
}

fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeSet::new() };
    entries.flatten().map(|entry| entry.path()).collect()
}

/// How many inputs libFuzzer executed: its final statistics, printed also after a crash.
fn runs_in(log: &str) -> Option<u64> {
    log.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:")?.trim().parse().ok())
}

fn print(project: &Project, outcomes: &[Outcome]) {
    let width = outcomes.iter().map(|outcome| outcome.target.len()).max().unwrap_or_default().max(6);
    println!("{:width$}  {:>12}  new crashes", "target", "runs");
    for outcome in outcomes {
        let runs = outcome.runs.map_or_else(|| "-".to_owned(), |runs| runs.to_string());
        println!("{:width$}  {runs:>12}  {}", outcome.target, outcome.crashes.len());
    }
    for outcome in outcomes {
        let target = &outcome.target;
        for crash in &outcome.crashes {
            println!(
                "{target}: {0}; once mended, keep it: cp {0} {FOLDER}/cases/{target}/ (see {FOLDER}/README.md)",
                project.show(crash)
            );
        }
        if let Some(failure) = &outcome.failure {
            println!("{target}: failed: {failure}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixtures_are_cut_at_line_ends() {
        let line = [vec![b'x'; 600], b"\n".to_vec()].concat();
        let content = [b"a b\n".to_vec(), line.repeat(3), b"last".to_vec()].concat();
        let pieces = cut(&content, false);
        assert_eq!(pieces.concat(), content);
        assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [4 + 2 * 601, 601 + 4]);
        let pieces = cut(&content, true);
        assert_eq!(
            pieces,
            [[&b"a b\n"[..], &line, &line].concat(), [&b"a b\n"[..], &line, b"last"].concat()]
        );
    }

    #[test]
    fn runs_are_read_from_the_statistics() {
        let log = "#2\tINITED cov: 15\nDone 1851012 runs in 6 second(s)\nstat::number_of_executed_units: 1851012\n\
                   stat::average_exec_per_sec:     308502\n";
        assert_eq!(runs_in(log), Some(1_851_012));
        assert_eq!(runs_in("error: could not compile"), None);
    }
}
