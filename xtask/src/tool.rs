//! Tools that a command uses when they are there, and installs only when it is asked to.

use crate::process;
use crate::project::Project;
use anyhow::{Context, Result};

/// A tool that `cargo install` brings.
pub(crate) struct Tool {
    /// The package that holds it.
    pub(crate) package: &'static str,
    /// The version that was tried with this checkout.
    pub(crate) version: &'static str,
    /// The program to start.
    pub(crate) program: &'static str,
}

impl Tool {
    /// Whether the tool is there, after installing it when it was missing and `install` allows it.
    pub(crate) fn ready(&self, project: &Project, install: bool) -> Result<bool> {
        if process::is_installed(self.program) {
            return Ok(true);
        }
        if install {
            let package = format!("{}@{}", self.package, self.version);
            process::run(&mut project.cargo(&["install", "--locked", &package]))
                .with_context(|| format!("cannot install {package}"))?;
        }
        Ok(install)
    }

    /// What to say when it is missing. `with_install` is the command that installs it by itself.
    pub(crate) fn hint(&self, with_install: &str) -> String {
        let (program, package, version) = (self.program, self.package, self.version);
        format!(
            "{program} is not installed: `cargo install --locked {package}@{version}`, or `{with_install}`"
        )
    }
}
