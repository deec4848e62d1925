//! `cargo xtask faults`: what takes too long for `cargo xtask test`.
//!
//! kill -9 at every write of an onboarding, the waits of a minute that AWS's services ask for, and a thousand accounts.
//! Those are tests like the others, ignored in a run of everything; this builds them once, runs them group by group and
//! says in a line what each came to. An ignored test that no group has is an error, so that none is forgotten.

use crate::process;
use crate::project::Project;
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

/// The test program that holds them, as cargo names it, and its folder.
const PROGRAM: &str = "onboarding";
const FOLDER: &str = "tests/onboarding";
/// A line that a test prints for whoever reads the outcome begins so.
const FIGURES: &str = "figures: ";

/// Tests that are told of in one line.
struct Group {
    title: &'static str,
    /// How the names of its tests begin.
    prefixes: &'static [&'static str],
}

const GROUPS: &[Group] = &[
    Group { title: "waits of a minute: what stays throttled", prefixes: &["cases::"] },
    Group { title: "kill -9 at every write of an apply", prefixes: &["kills::"] },
    Group { title: "a thousand accounts in four Regions", prefixes: &["scale::"] },
];

/// What cargo says of a program that it built.
#[derive(Deserialize)]
struct Artifact {
    executable: Option<PathBuf>,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    #[serde(default)]
    kind: Vec<String>,
}

/// Builds the tests and runs every group, or those whose tests' names contain `filter`.
pub(crate) fn run(project: &Project, filter: Option<&str>) -> Result<()> {
    let program = build(project)?;
    let folder = project.root.join(FOLDER);
    let names = list(&program, &folder)?;
    for name in &names {
        ensure!(
            groups_of(name).count() == 1,
            "{name} is ignored, and not in one group of xtask/src/faults.rs"
        );
    }
    let wanted: Vec<&String> =
        names.iter().filter(|name| filter.is_none_or(|text| name.contains(text))).collect();
    ensure!(
        !wanted.is_empty(),
        "no test's name contains `{}`; there are: {}",
        filter.unwrap_or_default(),
        names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    );
    let mut failed = BTreeSet::new();
    for group in GROUPS {
        let tests: Vec<&str> =
            wanted.iter().map(|name| name.as_str()).filter(|name| group.has(name)).collect();
        if tests.is_empty() {
            continue;
        }
        println!("{}: {} of the ignored tests …", group.title, tests.len());
        let began = Instant::now();
        let output = Command::new(&program)
            .args(&tests)
            .args(["--exact", "--ignored", "--show-output"])
            .current_dir(&folder)
            .output()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let said = String::from_utf8_lossy(&output.stdout);
        for line in said.lines().filter_map(|line| line.strip_prefix(FIGURES)) {
            println!("  {line}");
        }
        let passed = passed(&said);
        println!("  {passed} of {} passed in {} s", tests.len(), began.elapsed().as_secs());
        if !output.status.success() || passed != tests.len() {
            show(&output);
            failed.insert(group.title);
        }
    }
    if !failed.is_empty() {
        bail!("failed: {}; what the tests said is above", failed.into_iter().collect::<Vec<_>>().join("; "));
    }
    Ok(())
}

impl Group {
    fn has(&self, name: &str) -> bool {
        self.prefixes.iter().any(|prefix| name.starts_with(prefix))
    }
}

fn groups_of(name: &str) -> impl Iterator<Item = &'static Group> {
    GROUPS.iter().filter(move |group| group.has(name))
}

/// Builds as `cargo test --release --workspace` does, so that nothing is compiled for this alone.
fn build(project: &Project) -> Result<PathBuf> {
    let arguments = [
        "test",
        "--release",
        "--workspace",
        "--test",
        PROGRAM,
        "--no-run",
        "--message-format=json-render-diagnostics",
    ];
    let output = project
        .cargo(&arguments)
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    ensure!(output.status.success(), "the tests do not build; cargo's messages are above");
    let said = String::from_utf8(output.stdout).context("cargo printed no UTF-8")?;
    program_in(&said).with_context(|| format!("cargo built no test program {PROGRAM}"))
}

fn program_in(messages: &str) -> Option<PathBuf> {
    messages.lines().filter_map(|line| serde_json::from_str::<Artifact>(line).ok()).find_map(|artifact| {
        let target = artifact.target?;
        (target.name == PROGRAM && target.kind == ["test"]).then_some(artifact.executable)?
    })
}

/// The names of the ignored tests.
fn list(program: &Path, folder: &Path) -> Result<Vec<String>> {
    let mut command = Command::new(program);
    let said =
        process::output(command.args(["--list", "--ignored", "--format", "terse"]).current_dir(folder))?;
    Ok(said.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
}

/// How many tests passed, as the test program sums it up.
fn passed(said: &str) -> usize {
    let summary = said.lines().rev().find_map(|line| line.strip_prefix("test result: "));
    let counts = summary.and_then(|line| line.split_once(". ")).map_or("", |(_, counts)| counts);
    counts.split("; ").find_map(|count| count.strip_suffix(" passed")?.parse().ok()).unwrap_or(0)
}

fn show(output: &Output) {
    eprintln!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_of_a_test_program_is_read() {
        let said = "running 2 tests\ntest a ... ok\n\n\
                    test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 58 filtered out; finished in 61.02s\n";
        assert_eq!(passed(said), 2);
        assert_eq!(passed("test result: FAILED. 1 passed; 1 failed; 0 ignored"), 1);
        assert_eq!(passed("killed"), 0);
    }

    #[test]
    fn the_program_is_found_in_what_cargo_prints() {
        let said = r#"{"reason":"compiler-artifact","target":{"name":"onboarding","kind":["test"]},"executable":"/t/onboarding-1"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(program_in(said), Some(PathBuf::from("/t/onboarding-1")));
        assert_eq!(program_in("{\"reason\":\"build-finished\",\"success\":true}"), None);
    }

    #[test]
    fn groups_do_not_overlap() {
        for name in ["cases::access::one", "kills::every", "scale::thousand"] {
            assert_eq!(groups_of(name).count(), 1, "{name}");
        }
        assert_eq!(groups_of("organization::two").count(), 0);
    }
}
