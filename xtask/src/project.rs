//! The checkout: where it is, where it builds to, and which packages it has.
//!
//! Everything comes from `cargo metadata`, so that a target folder set elsewhere (`CARGO_TARGET_DIR`, the user's
//! configuration) is honoured.

use crate::process;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The host program, as cargo names it.
pub(crate) const HOST: &str = "weir";

/// The checkout that xtask was started in.
pub(crate) struct Project {
    /// The folder of the workspace's Cargo.toml, absolute.
    pub(crate) root: PathBuf,
    /// Cargo's target folder, absolute.
    pub(crate) target: PathBuf,
    /// The members of the workspace.
    packages: Vec<Package>,
}

/// A member of the workspace.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Its Cargo.toml, absolute.
    pub(crate) manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    workspace_root: PathBuf,
    target_directory: PathBuf,
    packages: Vec<Package>,
}

impl Project {
    /// The workspace that this xtask belongs to, else the one of the current folder.
    pub(crate) fn find() -> Result<Self> {
        let mut command = cargo();
        command.args(["metadata", "--no-deps", "--format-version", "1"]);
        if let Some(xtask) = env::var_os("CARGO_MANIFEST_DIR") {
            command.arg("--manifest-path").arg(Path::new(&xtask).join("Cargo.toml"));
        }
        let metadata: Metadata = serde_json::from_str(&process::output(&mut command)?)
            .context("cannot read what `cargo metadata` printed")?;
        Ok(Self {
            root: metadata.workspace_root,
            target: metadata.target_directory,
            packages: metadata.packages,
        })
    }

    /// Cargo, run in the root of the checkout.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = cargo();
        command.args(arguments).current_dir(&self.root);
        command
    }

    /// The member whose Cargo.toml lies in `folder`.
    pub(crate) fn member_in(&self, folder: &Path) -> Option<&Package> {
        self.packages.iter().find(|package| package.manifest_path.parent() == Some(folder))
    }

    /// Whether the workspace has a member of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.packages.iter().any(|package| package.name == name)
    }

    /// Builds a program of the workspace and returns its file.
    ///
    /// Cargo unites the features of dependencies over the packages that a run selects, and adds those of development
    /// dependencies when it selects examples or tests. So that the demo, the bench and the tests share what they compile
    /// instead of each compiling wasmtime and tantivy with a slightly different set, all of them select everything that
    /// `cargo test --workspace` does, and build one binary of it.
    pub(crate) fn build_program(&self, name: &str) -> Result<PathBuf> {
        let selection = ["build", "--release", "--workspace", "--examples", "--bin", name];
        process::run(&mut self.cargo(&selection))?;
        Ok(self.target.join("release").join(format!("{name}{}", env::consts::EXE_SUFFIX)))
    }

    /// A path as a person names it: relative to the root of the checkout where it lies inside.
    pub(crate) fn show<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}

/// Cargo as the user started it, without what `cargo run` adds to the environment of xtask: build scripts ask to be run
/// again when a variable they name changes, and a build inside xtask must not differ from one outside.
fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        if is_added_by_cargo_run(&name) {
            command.env_remove(name);
        }
    }
    command
}

fn is_added_by_cargo_run(name: &OsString) -> bool {
    name.to_str().is_some_and(|name| {
        name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "CARGO_CRATE_NAME"
    })
}
