//! The standard library for the wasm target, built from source where no binary of it is to be had.
//!
//! It is built once for a compiler, into a sysroot of our own under the target folder, and parsers are then compiled
//! against that sysroot by an ordinary cargo. The toolchain is left as it is, and cargo's unstable `build-std` and
//! `RUSTC_BOOTSTRAP` are confined to this one build: with them in every build, build scripts that look at the variable
//! would run again, and their dependents with them, at each change between a build for the host and one for parsers.

use crate::library_source::{self, Source, sha256};
use crate::process;
use crate::project::Project;
use crate::target::{FEATURES, Rustc, TRIPLE, registry, setting};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// Raise it when the way a sysroot is built changes, so that older ones are not taken.
const LAYOUT: &str = "2";

/// A sysroot of our own, which holds the standard library for the wasm target and nothing else.
pub(crate) struct Sysroot {
    /// Absolute.
    pub(crate) folder: PathBuf,
    /// What it was built from, in words.
    pub(crate) way: String,
    /// The compiler to use it with, when it is not the toolchain's.
    pub(crate) rustc: Option<PathBuf>,
}

/// What is remembered of a sysroot. Its file is written last: where it exists, the sysroot is whole.
#[derive(Serialize, Deserialize)]
struct Record {
    /// The name of the sysroot's folder.
    folder: String,
    way: String,
    rustc: Option<PathBuf>,
}

impl Sysroot {
    /// The sysroot that an earlier run built for this compiler.
    pub(crate) fn remembered(project: &Project, rustc: &Rustc) -> Option<Self> {
        let all = folder_of_all(project);
        let record = fs::read(all.join(format!("{}.json", identity(rustc)))).ok()?;
        let Record { folder, way, rustc } = serde_json::from_slice(&record).ok()?;
        let folder = all.join(folder);
        let is_whole = folder.is_dir() && rustc.as_ref().is_none_or(|rustc| rustc.is_file());
        is_whole.then_some(Self { folder, way, rustc })
    }
}

fn folder_of_all(project: &Project) -> PathBuf {
    project.target.join("wasm-sysroot")
}

/// Stands for a compiler and the way that sysroots are built for it.
fn identity(rustc: &Rustc) -> String {
    let identity = format!("{LAYOUT}\n{FEATURES}\n{}", rustc.identity);
    sha256(identity.as_bytes())[..16].to_owned()
}

/// Builds the standard library, from the first source that is to be had, and prints one line that says which.
pub(crate) fn build(project: &Project, rustc: &Rustc, linker: Option<&Path>) -> Result<Sysroot> {
    let downloads = project.target.join("rust-src");
    let source = library_source::find(&downloads, rustc)?;
    let way = format!("standard library built from source ({})", source.name);
    println!("wasm target: {way}, once, in about a minute");

    let all = folder_of_all(project);
    let work = all.join("building");
    remove(&work)?;
    compile(project, rustc, &source, linker, &work)?;
    // Named by its content: cargo takes what was compiled against another standard library for stale only when the path
    // of the sysroot, a compiler flag, differs.
    let built = work.join("sysroot");
    let name = format!("{}-{}", identity(rustc), digest(&libraries(&built))?);
    let folder = all.join(&name);
    remove(&folder)?;
    fs::rename(&built, &folder).with_context(|| format!("cannot move {} into place", folder.display()))?;
    let record = Record { folder: name, way: way.clone(), rustc: source.rustc.clone() };
    let record = serde_json::to_string(&record).context("cannot write the record of a sysroot")?;
    write(&all.join(format!("{}.json", identity(rustc))), &record)?;
    remove(&work)?;
    if source.rustc.is_none() {
        // What was downloaded has done its work; a compiler that was downloaded is still needed.
        remove(&downloads)?;
    }
    Ok(Sysroot { folder, way, rustc: source.rustc })
}

/// Where a sysroot holds its libraries.
fn libraries(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib").join(TRIPLE).join("lib")
}

/// Of the names and contents of all files of a folder.
fn digest(folder: &Path) -> Result<String> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        lines.push(format!("{name} {}", sha256(&bytes)));
    }
    lines.sort();
    Ok(sha256(lines.join("\n").as_bytes())[..16].to_owned())
}

/// Compiles the standard library in `work` and lays it out as `work/sysroot`.
fn compile(
    project: &Project,
    rustc: &Rustc,
    source: &Source,
    linker: Option<&Path>,
    work: &Path,
) -> Result<()> {
    let package = work.join("package");
    // Cargo builds the standard library only for a package; this one is empty.
    write(
        &package.join("Cargo.toml"),
        "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [profile.release]\npanic = \"abort\"\n",
    )?;
    write(&package.join("src/lib.rs"), "#![no_std]\n")?;
    let target = work.join("target");
    let mut cargo = project.cargo(&["build", "--release", "--quiet", "-Z", "build-std=std,panic_abort"]);
    // Parsers may ask for link-time optimization, which needs bitcode.
    let mut flags =
        vec!["-C".to_owned(), FEATURES.to_owned(), "-C".to_owned(), "embed-bitcode=yes".to_owned()];
    // The paths of the libraries that are distributed; and no path of this machine in any parser.
    let sources = format!("/rustc/{}/library", rustc.commit);
    flags.push(format!("--remap-path-prefix={}={sources}", source.library.display()));
    if let Some(registry) = registry() {
        flags.push(format!("--remap-path-prefix={}=/registry", registry.display()));
    }
    cargo.args(["--target", TRIPLE, "--config"]).arg(setting("rustflags", &json!(flags)));
    if let Some(compiler) = &source.rustc {
        cargo.env("RUSTC", compiler);
        if let Some(linker) = linker {
            cargo.arg("--config").arg(setting("linker", &json!(linker)));
        }
    }
    cargo
        .current_dir(&package)
        .arg("--target-dir")
        .arg(&target)
        .env("RUSTC_BOOTSTRAP", "1")
        // Where cargo looks for the source instead of the toolchain's folder. Setting it is gentler than linking the
        // source into the toolchain, which may not be ours to write to, and where rustup would stumble over it.
        .env("__CARGO_TESTS_ONLY_SRC_ROOT", &source.library)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_TARGET_DIR");
    process::run(&mut cargo).context("cannot build the standard library")?;

    let built = target.join(TRIPLE).join("release/deps");
    let libraries = libraries(&work.join("sysroot"));
    fs::create_dir_all(&libraries).with_context(|| format!("cannot create {}", libraries.display()))?;
    for entry in fs::read_dir(&built).with_context(|| format!("cannot list {}", built.display()))? {
        let path = entry?.path();
        let Some(name) = path.file_name().filter(|_| path.extension().is_some_and(|end| end == "rlib"))
        else {
            continue;
        };
        if !name.to_string_lossy().starts_with("libempty-") {
            let to = libraries.join(name);
            fs::rename(&path, &to).with_context(|| format!("cannot move {} into place", to.display()))?;
        }
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_stands_for_names_and_contents() {
        let folder = std::env::temp_dir().join(format!("weir-xtask-digest-{}", std::process::id()));
        let digest_of = |files: &[(&str, &str)]| {
            remove(&folder).unwrap();
            for (name, text) in files {
                write(&folder.join(name), text).unwrap();
            }
            digest(&folder).unwrap()
        };
        let first = digest_of(&[("a.rlib", "1"), ("b.rlib", "2")]);
        assert_eq!(first, digest_of(&[("b.rlib", "2"), ("a.rlib", "1")]));
        assert_ne!(first, digest_of(&[("a.rlib", "2"), ("b.rlib", "1")]));
        assert_ne!(first, digest_of(&[("a.rlib", "1"), ("c.rlib", "2")]));
        remove(&folder).unwrap();
        assert!(digest(&folder).is_err());
    }
}
