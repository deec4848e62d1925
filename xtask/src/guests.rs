//! Hostile guests: the crates of `tests/guests`, one workspace of their own, to component files in `target/guests`.
//!
//! They are what tests set on the host. Some ask for imports or break the contract on purpose, so nothing is refused
//! here; a parser.toml and fixtures are embedded when a guest has them.

use crate::component;
use crate::parsers::{core_modules, remove_others, write};
use crate::project::Project;
use crate::target::WasmTarget;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the components of guests lie.
pub(crate) fn folder(project: &Project) -> PathBuf {
    project.target.join("guests")
}

/// Compiles every guest to `target/guests/NAME.wasm`, where NAME is the name of its folder; does nothing where the
/// checkout has no guests.
pub(crate) fn build(project: &Project, target: &WasmTarget) -> Result<()> {
    let manifest = project.root.join("tests/guests/Cargo.toml");
    let mut names = BTreeSet::new();
    if manifest.is_file() {
        let mut cargo = project.cargo(&["build", "--release", "--workspace", "--manifest-path"]);
        cargo.arg(&manifest).arg("--target-dir").arg(&project.target);
        target.configure(project, &mut cargo);
        let modules = core_modules(&mut cargo)?;
        ensure!(modules.complete, "not every guest of tests/guests compiles: see above");
        let guests: Vec<(String, &PathBuf, &PathBuf)> = modules
            .made
            .iter()
            .filter(|(guest, _)| guest.starts_with(project.root.join("tests/guests")))
            .filter_map(|(guest, module)| Some((guest.file_name()?.to_str()?.to_owned(), guest, module)))
            .collect();
        let width = guests.iter().map(|(name, ..)| name.len()).max().unwrap_or_default();
        for (name, guest, module) in guests {
            let bytes = package(guest, module).with_context(|| format!("cannot build the guest {name}"))?;
            println!("  {name:width$}  {}", write(&folder(project), &name, &bytes)?);
            names.insert(format!("{name}.wasm"));
        }
    }
    remove_others(&folder(project), &names)?;
    Ok(())
}

fn package(guest: &Path, module: &Path) -> Result<Vec<u8>> {
    let module = fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
    let mut bytes = component::encode(&module).context("cannot be made a component")?;
    let manifest = guest.join("parser.toml");
    if manifest.is_file() {
        let manifest = fs::read(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
        component::append_package(
            &mut bytes,
            &manifest,
            &component::read_fixtures(&guest.join("fixtures"))?,
        )?;
    }
    Ok(bytes)
}
