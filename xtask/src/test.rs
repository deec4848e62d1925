//! `cargo xtask test`: all tests, with everything they need built first.
//!
//! The same profile and target folder as the demo's, so that what one built the other reuses. Tests find what was built
//! through the environment: WEIR_PARSERS_DIR and WEIR_GUESTS_DIR (components), WEIR_BIN (the host program), each an
//! absolute path. The templates of `infra/` are checked by Python's tools, which go into an environment of their own below
//! the target folder.

use crate::project::{HOST, Project};
use crate::target::WasmTarget;
use crate::{guests, parsers, process};
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// Builds parsers, guests and the host, then runs `cargo test` with `arguments`; without any package named there, on the
/// whole workspace, documentation tests included. A run of everything ends with the checks of `infra/`.
pub(crate) fn run(project: &Project, arguments: &[String]) -> Result<()> {
    let target = WasmTarget::get(project)?;
    parsers::build(project, &target)?;
    guests::build(project, &target)?;
    let program = project.build_program(HOST)?;
    let mut cargo = project.cargo(&["test", "--release"]);
    if !names_packages(arguments) {
        cargo.arg("--workspace");
    }
    cargo
        .args(arguments)
        .env("WEIR_PARSERS_DIR", parsers::folder(project))
        .env("WEIR_GUESTS_DIR", guests::folder(project))
        .env("WEIR_BIN", &program);
    process::run(&mut cargo)?;
    if arguments.is_empty() { infrastructure(project, &program) } else { Ok(()) }
}

/// The checks of the templates and of `weir accounts`: linters, and an AWS emulator.
fn infrastructure(project: &Project, program: &Path) -> Result<()> {
    let mut python = Command::new("python3");
    python.arg(project.root.join("tests/infra/run")).current_dir(&project.root);
    python.env("CARGO_TARGET_DIR", &project.target).env("WEIR_BIN", program);
    process::run(&mut python).context("the checks of infra/ need Python 3 with its module venv, and PyPI")
}

/// Whether the arguments for cargo, which end at `--`, choose packages themselves.
fn names_packages(arguments: &[String]) -> bool {
    let for_cargo = arguments.iter().take_while(|argument| *argument != "--");
    for_cargo.into_iter().any(|argument| {
        argument.starts_with("-p") || argument.starts_with("--package") || argument == "--workspace"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_chosen_before_the_double_dash() {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert!(names_packages(&words("-p weir")));
        assert!(names_packages(&words("-pweir ledger")));
        assert!(names_packages(&words("--no-fail-fast --package=weir")));
        assert!(!names_packages(&words("ledger -- -p weir")));
        assert!(!names_packages(&words("")));
    }
}
