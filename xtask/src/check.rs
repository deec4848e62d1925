//! `cargo xtask check`: what a change must pass besides its tests.
//!
//! Every step runs even when one before it failed, so that one run shows everything; a table at the end says which
//! failed. A step whose tool is not installed is named, with the command that installs it, and fails nothing.

use crate::log_format;
use crate::process;
use crate::project::Project;
use crate::tool::Tool;
use anyhow::{Result, bail, ensure};

const CARGO_DENY: Tool = Tool { package: "cargo-deny", version: "0.20.2", program: "cargo-deny" };
const TYPOS: Tool = Tool { package: "typos-cli", version: "1.52.0", program: "typos" };

/// Workspaces and packages beside the one of the root that rustfmt must be told of.
const OTHER_MANIFESTS: [&str; 3] =
    ["tests/guests/Cargo.toml", "parsers-wasm/template/Cargo.toml", "tests/fuzz/Cargo.toml"];

/// How a step ended.
enum Verdict {
    Passed,
    Failed(String),
    /// Not run, and why.
    Skipped(String),
}

/// A step: its name and what it does.
type Step = (&'static str, fn(&Project, bool) -> Result<Verdict>);

const STEPS: [Step; 6] = [
    ("format", format),
    ("lints", lints),
    ("documents", documents),
    ("log messages", log_messages),
    ("licences and advisories", dependencies),
    ("spelling", spelling),
];

/// Runs every step; an error when any failed.
pub(crate) fn run(project: &Project, install: bool) -> Result<()> {
    let mut verdicts = Vec::new();
    for (name, step) in STEPS {
        println!("check: {name}");
        verdicts.push((
            name,
            step(project, install).unwrap_or_else(|error| Verdict::Failed(format!("{error:#}"))),
        ));
    }
    println!();
    let mut failed = 0;
    for (name, verdict) in &verdicts {
        let said = match verdict {
            Verdict::Passed => "passed".to_owned(),
            Verdict::Failed(why) => {
                failed += 1;
                format!("FAILED: {why}")
            }
            Verdict::Skipped(why) => format!("skipped: {why}"),
        };
        println!("{name:24}{said}");
    }
    ensure!(failed == 0, "{failed} of {} checks failed", verdicts.len());
    Ok(())
}

fn format(project: &Project, _install: bool) -> Result<Verdict> {
    let mut failed = Vec::new();
    let others = OTHER_MANIFESTS.into_iter().filter(|manifest| project.root.join(manifest).is_file());
    for manifest in ["Cargo.toml"].into_iter().chain(others) {
        let arguments = ["fmt", "--all", "--manifest-path", manifest, "--", "--check"];
        if process::run(&mut project.cargo(&arguments)).is_err() {
            failed.push(format!("`cargo fmt --all --manifest-path {manifest}`"));
        }
    }
    ensure!(failed.is_empty(), "run {}", failed.join(" and "));
    Ok(Verdict::Passed)
}

fn lints(project: &Project, _install: bool) -> Result<Verdict> {
    let arguments = ["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"];
    process::run(&mut project.cargo(&arguments))?;
    Ok(Verdict::Passed)
}

fn documents(project: &Project, _install: bool) -> Result<Verdict> {
    let mut cargo =
        project.cargo(&["doc", "--release", "--workspace", "--no-deps", "--document-private-items"]);
    process::run(cargo.env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(Verdict::Passed)
}

fn log_messages(project: &Project, _install: bool) -> Result<Verdict> {
    let violations = log_format::violations(project)?;
    for violation in &violations {
        println!("{violation}");
    }
    Ok(match violations.len() {
        0 => Verdict::Passed,
        count => Verdict::Failed(format!("{count} messages, see above")),
    })
}

fn dependencies(project: &Project, install: bool) -> Result<Verdict> {
    if !CARGO_DENY.ready(project, install)? {
        return Ok(Verdict::Skipped(CARGO_DENY.hint("cargo xtask check --install")));
    }
    process::run(&mut project.cargo(&[
        "deny",
        "--workspace",
        "check",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ]))?;
    // The advisories come over the network. Where that fails nothing is known, which is not the same as a failure.
    let mut fetch = project.cargo(&["deny", "fetch", "db"]);
    if let Err(error) = process::output(&mut fetch) {
        return Ok(Verdict::Skipped(format!("licences passed, but the advisories cannot be had: {error:#}")));
    }
    process::run(&mut project.cargo(&["deny", "--offline", "--workspace", "check", "advisories"]))?;
    Ok(Verdict::Passed)
}

fn spelling(project: &Project, install: bool) -> Result<Verdict> {
    if !TYPOS.ready(project, install)? {
        return Ok(Verdict::Skipped(TYPOS.hint("cargo xtask check --install")));
    }
    let mut command = std::process::Command::new(TYPOS.program);
    if process::run(command.current_dir(&project.root)).is_err() {
        bail!("see above; a word that is right belongs into typos.toml");
    }
    Ok(Verdict::Passed)
}
