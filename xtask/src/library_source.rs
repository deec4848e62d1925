//! Where the source of the standard library comes from: the toolchain, else a package of Debian's archive.
//!
//! Nothing is installed. Packages are unpacked under the target folder, after apt checked each against the signed index
//! of the archive that the machine itself uses.

use crate::debian::{self, Apt, Archive};
use crate::process;
use crate::target::Rustc;
use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where rustup's component rust-src and Debian's package of that name put the source.
pub(crate) const SOURCE_IN_SYSROOT: &str = "lib/rustlib/src/rust/library";

/// The suites that carry newer compilers than a stable Debian, the smaller index first.
const SUITES: [&str; 2] = ["trixie-backports", "sid"];

/// The oldest compiler that the workspace accepts (`rust-version`).
const OLDEST: (u32, u32) = (1, 95);

/// Package, version and SHA-256 of what was checked by hand, beside apt's own check of each download.
const PINNED: [(&str, &str, &str); 1] = [(
    "rust-src",
    "1.95.0+dfsg1-2~bpo13+1",
    "7b76db5b880a77f9e52975d2baa6209d2f76d2c9c2789515c3088cb960e2c83b",
)];

/// A source of the standard library and the compiler that it belongs to.
pub(crate) struct Source {
    /// The folder `library` of the compiler's source.
    pub(crate) library: PathBuf,
    /// In words.
    pub(crate) name: String,
    /// The compiler, when it is not the toolchain's.
    pub(crate) rustc: Option<PathBuf>,
}

/// The first source that is to be had. What has to be downloaded lies beneath `downloads` afterwards.
pub(crate) fn find(downloads: &Path, rustc: &Rustc) -> Result<Source> {
    let library = rustc.sysroot.join(SOURCE_IN_SYSROOT);
    if is_library(&library) {
        return Ok(Source { library, name: "the toolchain's own rust-src".to_owned(), rustc: None });
    }
    let packaged = match packaged_source(downloads, &rustc.release) {
        Ok(source) => return Ok(source),
        Err(error) => error,
    };
    packaged_compiler(downloads).map_err(|error| {
        anyhow::anyhow!(
            "no source of the standard library.\n  The toolchain: {} does not exist.\n  Debian's package rust-src of \
             version {}: {packaged:#}.\n  Another compiler with its source, Debian's packages rustc-web and \
             rust-web-src: {error:#}",
            library.display(),
            rustc.release
        )
    })
}

fn is_library(folder: &Path) -> bool {
    folder.join("Cargo.lock").is_file() && folder.join("core/src/lib.rs").is_file()
}

/// First choice: the source of the toolchain's own version.
fn packaged_source(downloads: &Path, release: &str) -> Result<Source> {
    let archives = machine_archives()?;
    let main = archives.iter().find(|archive| archive.is_main()).context(
        "the machine's apt sources name no main archive of Debian, which is where it would come from",
    )?;
    let mut seen = Vec::new();
    for suite in SUITES {
        let folder = downloads.join(suite);
        let apt = match Apt::new(&folder, &[main.with_suite(suite)]) {
            Ok(apt) => apt,
            Err(error) => {
                seen.push(format!("{suite}: {error:#}"));
                continue;
            }
        };
        let versions = apt.versions("rust-src")?;
        let Some(version) = debian::version_of_release(&versions, release) else {
            seen.push(format!("{suite} has {}", versions.join(", ")));
            continue;
        };
        let unpacked = folder.join("unpacked");
        fetch(&apt, "rust-src", version, &unpacked)?;
        let name = format!("package rust-src {version}, signature checked");
        return Ok(Source { library: library_in(&unpacked)?, name, rustc: None });
    }
    bail!("{}", seen.join("; "))
}

/// Second choice: another compiler that the machine's own archives carry together with its source.
fn packaged_compiler(downloads: &Path) -> Result<Source> {
    let mut archives = machine_archives()?;
    archives.retain(|archive| archive.components.iter().any(|component| component == "main"));
    let folder = downloads.join("compiler");
    let apt = Apt::new(&folder, &archives)?;
    let sources = apt.versions("rust-web-src")?;
    let compilers = apt.versions("rustc-web")?;
    let version = compilers
        .iter()
        .find(|&version| sources.contains(version) && is_new_enough(version))
        .with_context(|| format!("none is at least {}.{}; there are {compilers:?}", OLDEST.0, OLDEST.1))?;
    let unpacked = folder.join("unpacked");
    fetch(&apt, "rust-web-src", version, &unpacked)?;
    for (package, version) in apt.needed_for("rustc-web", version)? {
        fetch(&apt, &package, &version, &unpacked)?;
    }
    let rustc = startable(&unpacked)?;
    process::output(Command::new(&rustc).arg("-vV")).context("the unpacked compiler does not run")?;
    let name = format!("packages rustc-web and rust-web-src {version}, signatures checked");
    Ok(Source { library: library_in(&unpacked)?, name, rustc: Some(rustc) })
}

/// A way to start the unpacked compiler, which looks for its libraries where they would be installed.
fn startable(unpacked: &Path) -> Result<PathBuf> {
    let mut folders = BTreeSet::new();
    find_libraries(&unpacked.join("usr/lib"), 3, &mut folders)?;
    let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    let starter = unpacked.join("rustc");
    let compiler = unpacked.join("usr/bin/rustc");
    let script =
        format!("#!/bin/sh\nLD_LIBRARY_PATH='{}' exec '{}' \"$@\"\n", folders.join(":"), compiler.display());
    fs::write(&starter, script).with_context(|| format!("cannot write {}", starter.display()))?;
    fs::set_permissions(&starter, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} executable", starter.display()))?;
    Ok(starter)
}

/// Folders that hold shared libraries, down to `depth` levels.
fn find_libraries(folder: &Path, depth: usize, found: &mut BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if name.contains(".so") {
            found.insert(folder.to_owned());
        } else if depth > 0 && path.is_dir() && name != "rustlib" {
            find_libraries(&path, depth - 1, found)?;
        }
    }
    Ok(())
}

fn machine_archives() -> Result<Vec<Archive>> {
    ensure!(process::is_installed("apt-get"), "apt-get is not installed");
    debian::machine_archives(Path::new("/etc/apt"))
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = debian::upstream(version).split('.').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= OLDEST,
        _ => false,
    }
}

/// Downloads a package, checks it and unpacks it.
fn fetch(apt: &Apt, package: &str, version: &str, into: &Path) -> Result<()> {
    let file = apt.download(package, version)?;
    if let Some((_, _, pinned)) = PINNED.iter().find(|pin| (pin.0, pin.1) == (package, version)) {
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let found = sha256(&bytes);
        ensure!(
            found == *pinned,
            "{} is not the package that was checked before: its SHA-256 is {found}, not {pinned}. Do not use it; find \
             out who serves it",
            file.display()
        );
    }
    debian::unpack(&file, into)
}

/// The one folder `usr/src/NAME/library` of an unpacked package.
fn library_in(unpacked: &Path) -> Result<PathBuf> {
    let sources = unpacked.join("usr/src");
    for entry in fs::read_dir(&sources).with_context(|| format!("cannot list {}", sources.display()))? {
        let library =
            entry.with_context(|| format!("cannot list {}", sources.display()))?.path().join("library");
        if is_library(&library) {
            return Ok(library);
        }
    }
    bail!("no folder of {} holds the source of the standard library", sources.display())
}

/// In hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_of_the_standard_example() {
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), expected);
    }

    #[test]
    fn compilers_are_compared_as_numbers() {
        assert!(is_new_enough("1.96.0+dfsg1-1~deb12u2"));
        assert!(is_new_enough("1.100.0+dfsg1-1"));
        assert!(is_new_enough("2.0.0-1"));
        assert!(!is_new_enough("1.85.0+dfsg3-1~deb12u3"));
        assert!(!is_new_enough("garbage"));
    }

    #[test]
    fn pins_are_digests() {
        for (package, version, digest) in PINNED {
            assert!(
                digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{package} {version}"
            );
        }
    }

    #[test]
    fn folders_of_libraries_are_found() {
        let folder = std::env::temp_dir().join(format!("weir-xtask-libraries-{}", std::process::id()));
        for file in ["a/libx.so", "a/b/liby.so.22.1", "rustlib/libz.so", "c/readme"] {
            let file = folder.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        let mut found = BTreeSet::new();
        find_libraries(&folder, 3, &mut found).unwrap();
        assert_eq!(found, BTreeSet::from([folder.join("a"), folder.join("a/b")]));
        fs::remove_dir_all(&folder).unwrap();
    }
}
