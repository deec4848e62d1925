//! `cargo xtask bench`: the parsers built, then the package `weir-bench` run with what was asked for.

use crate::project::Project;
use crate::target::WasmTarget;
use crate::{parsers, process};
use anyhow::{Context, Result, ensure};
use std::env;
use std::path::Path;
use std::process::Command;

/// The package that measures, and its program.
const PACKAGE: &str = "weir-bench";

/// Builds the parsers and runs the bench; `json` names the file that its rows go to.
pub(crate) fn run(project: &Project, json: Option<&Path>, arguments: &[String]) -> Result<()> {
    ensure!(project.has(PACKAGE), "this checkout has no package {PACKAGE}: nothing can be measured");
    parsers::build(project, &WasmTarget::get(project)?)?;
    let mut bench = Command::new(project.build_program(PACKAGE)?);
    bench.current_dir(&project.root).env("WEIR_PARSERS_DIR", parsers::folder(project));
    if let Some(file) = json {
        // The bench runs in the root of the checkout, the name was given where the user stands.
        let here = env::current_dir().context("the current folder is gone")?;
        bench.arg("--json").arg(here.join(file));
    }
    process::run(bench.args(arguments))
}
