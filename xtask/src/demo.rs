//! `cargo xtask demo`: everything built, then a day of a company's logs taken in.

use crate::parsers;
use crate::process;
use crate::project::{HOST, Project};
use crate::target::WasmTarget;
use anyhow::Result;
use std::process::Command;

/// Builds the parsers and the host, then takes in the logs of `demo/logs`, where the checkout has them.
pub(crate) fn run(project: &Project) -> Result<()> {
    parsers::build(project, &WasmTarget::get(project)?)?;
    let program = project.build_program(HOST)?;
    let logs = project.root.join("demo/logs");
    if !logs.is_dir() {
        println!("demo: {} does not exist, so there is nothing to take in", project.show(&logs));
        return Ok(());
    }
    process::run(Command::new(program).args(["ingest", "demo/logs"]).current_dir(&project.root))
}
