//! The WebAssembly target that parsers are compiled for, got in one of three ways: it is installed, rustup adds it, or
//! the standard library is built from source.
//!
//! Contract: [`WasmTarget::get`] prints one line that says which way it was; whatever it had to do is done once for a
//! toolchain, and a second call costs two calls of rustc.

use crate::library_source::SOURCE_IN_SYSROOT;
use crate::process;
use crate::project::Project;
use crate::standard_library::{self, Sysroot};
use anyhow::{Context, Result};
use serde_json::json;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// No clock, files, network or environment by construction: a module for it has nothing to import.
pub(crate) const TRIPLE: &str = "wasm32-unknown-unknown";

/// What every runtime that has components has too; parsers search bytes with SIMD.
pub(crate) const FEATURES: &str = "target-feature=+simd128,+bulk-memory";

/// In the sandbox each call also pays for a check of the epoch, so more is worth inlining than the compiler's default of
/// 225 for other targets. Measured in interleaved rounds against that default, sandbox alone: clb 1.14, apache-error
/// 1.08, nginx-access 1.03, cloudtrail 1.0.
const INLINING: &str = "llvm-args=-inline-threshold=1000";

/// Long enough for some 30 MB on a slow line, short enough where the server cannot be reached.
const RUSTUP_LIMIT: Duration = Duration::from_mins(1);

/// The compiler in use.
pub(crate) struct Rustc {
    /// What `rustc -vV` prints: the compiler's identity.
    pub(crate) identity: String,
    /// For example `1.95.0`.
    pub(crate) release: String,
    /// For example `x86_64-unknown-linux-gnu`.
    pub(crate) host: String,
    /// The hash of the commit it was built from, or `unknown`.
    pub(crate) commit: String,
    /// Where its libraries lie.
    pub(crate) sysroot: PathBuf,
}

impl Rustc {
    /// Asks a compiler who it is.
    pub(crate) fn ask(program: &Path) -> Result<Self> {
        let identity = process::output(Command::new(program).arg("-vV"))?;
        let sysroot = process::output(Command::new(program).args(["--print", "sysroot"]))?;
        let field = |name: &str| {
            field_of_identity(&identity, name)
                .with_context(|| format!("`{} -vV` names no {name}", program.display()))
        };
        Ok(Self {
            release: field("release")?,
            host: field("host")?,
            commit: field("commit-hash").unwrap_or_else(|_| "unknown".to_owned()),
            sysroot: sysroot.trim().into(),
            identity,
        })
    }

    /// The compiler that cargo calls here.
    pub(crate) fn active() -> Result<Self> {
        Self::ask(Path::new(&env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())))
    }

    /// Whether its libraries include those of the wasm target.
    fn has_target(&self) -> bool {
        let libraries = self.sysroot.join("lib/rustlib").join(TRIPLE).join("lib");
        std::fs::read_dir(libraries)
            .is_ok_and(|entries| entries.flatten().any(|entry| is_core(&entry.file_name().to_string_lossy())))
    }

    /// The linker that comes with the compiler, where it has its own.
    fn linker(&self) -> Option<PathBuf> {
        let linker = self.sysroot.join("lib/rustlib").join(&self.host).join("bin/rust-lld");
        linker.is_file().then_some(linker)
    }
}

fn is_core(file: &str) -> bool {
    file.starts_with("libcore-") && Path::new(file).extension().is_some_and(|extension| extension == "rlib")
}

fn field_of_identity(identity: &str, name: &str) -> Option<String> {
    let value = identity.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))?;
    Some(value.trim().to_owned())
}

/// A target that is ready to compile for.
pub(crate) struct WasmTarget {
    /// The standard library that was built from source, where the toolchain has none.
    sysroot: Option<Sysroot>,
    /// The toolchain's own linker, for a compiler that brings none.
    linker: Option<PathBuf>,
}

impl WasmTarget {
    /// Gets the target ready and prints one line that says how.
    pub(crate) fn get(project: &Project) -> Result<Self> {
        let rustc = Rustc::active()?;
        if rustc.has_target() {
            println!("wasm target: installed with rustc {}", rustc.release);
            return Ok(Self { sysroot: None, linker: None });
        }
        let linker = rustc.linker();
        if let Some(sysroot) = Sysroot::remembered(project, &rustc) {
            println!("wasm target: {}", sysroot.way);
            return Ok(Self { sysroot: Some(sysroot), linker });
        }
        let rustup = match add_with_rustup(&rustc) {
            Ok(()) => {
                println!("wasm target: added to rustc {} by rustup", rustc.release);
                return Ok(Self { sysroot: None, linker: None });
            }
            Err(error) => error,
        };
        let sysroot = standard_library::build(project, &rustc, linker.as_deref()).with_context(|| {
            format!(
                "no standard library for {TRIPLE}: not from rustup ({rustup:#}), and not built from source, as follows. \
                 By hand: `rustup target add {TRIPLE}` where rustup's server can be reached, else put the source of the \
                 standard library of rustc {} where {} exists",
                rustc.release,
                rustc.sysroot.join(SOURCE_IN_SYSROOT).join("Cargo.lock").display(),
            )
        })?;
        Ok(Self { sysroot: Some(sysroot), linker })
    }

    /// Makes a cargo command compile for the target with the options that every guest has.
    ///
    /// The options are given for this target alone, so that what is compiled for the host in the same run (build scripts,
    /// procedural macros) keeps its fingerprint and is shared with every other build.
    pub(crate) fn configure(&self, project: &Project, cargo: &mut Command) {
        let mut flags = ["-C", FEATURES, "-C", INLINING].map(str::to_owned).to_vec();
        // The same bytes in every checkout: a parser's digest is written into each document.
        for (from, to) in [(Some(project.root.clone()), "/weir"), (registry(), "/registry")] {
            if let Some(from) = from {
                flags.push(format!("--remap-path-prefix={}={to}", from.display()));
            }
        }
        if let Some(sysroot) = &self.sysroot {
            flags.extend(["--sysroot".to_owned(), sysroot.folder.display().to_string()]);
            if let Some(rustc) = &sysroot.rustc {
                cargo.env("RUSTC", rustc);
                if let Some(linker) = &self.linker {
                    cargo.arg("--config").arg(setting("linker", &json!(linker)));
                }
            }
        }
        // These two would replace the flags of the target.
        cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        cargo.args(["--target", TRIPLE, "--config"]).arg(setting("rustflags", &json!(flags)));
    }
}

/// A setting of the target for cargo's `--config`. What JSON writes for strings and arrays of strings, TOML reads.
pub(crate) fn setting(name: &str, value: &serde_json::Value) -> String {
    format!("target.{TRIPLE}.{name}={value}")
}

/// Where cargo unpacks the crates of registries.
pub(crate) fn registry() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))?;
    Some(home.join("registry/src"))
}

fn add_with_rustup(rustc: &Rustc) -> Result<()> {
    anyhow::ensure!(process::is_installed("rustup"), "rustup is not installed");
    let mut command = Command::new("rustup");
    // A backtrace would push what went wrong out of the message.
    command.args(["target", "add", TRIPLE]).env("RUST_BACKTRACE", "0");
    process::output_within(RUSTUP_LIMIT, &mut command)?;
    anyhow::ensure!(rustc.has_target(), "rustup added it, but not to {}", rustc.sysroot.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: &str = "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\n\
        commit-hash: 59807616e1fa2540724bfbac14d7976d7e4a3860\ncommit-date: 2026-04-14\n\
        host: x86_64-unknown-linux-gnu\nrelease: 1.95.0\nLLVM version: 22.1.2\n";

    #[test]
    fn fields_of_the_identity() {
        assert_eq!(field_of_identity(IDENTITY, "release").as_deref(), Some("1.95.0"));
        assert_eq!(field_of_identity(IDENTITY, "host").as_deref(), Some("x86_64-unknown-linux-gnu"));
        assert_eq!(field_of_identity(IDENTITY, "commit"), None);
        assert_eq!(field_of_identity("release:\n", "release"), None);
    }

    #[test]
    fn core_is_recognised() {
        assert!(is_core("libcore-9f1f3f486b9a9c20.rlib"));
        assert!(!is_core("libcore-9f1f3f486b9a9c20.rmeta"));
        assert!(!is_core("libcoretests-9f1f3f486b9a9c20.rlib"));
    }

    #[test]
    fn settings_are_toml() {
        let text = setting("rustflags", &json!(["-C", "a\\b \"c\" é"]));
        let table: toml::Table = toml::from_str(&text).unwrap();
        let flags = &table["target"][TRIPLE]["rustflags"];
        assert_eq!(flags[1].as_str(), Some("a\\b \"c\" é"));
    }
}
