//! The standard library for the wasm target, built from source where no binary of it is to be had.
//!
//! It is built once for a compiler, into a sysroot of our own under the target folder, and parsers are then compiled
//! against that sysroot by an ordinary cargo. The toolchain is left as it is, and cargo's unstable `build-std` and
//! `RUSTC_BOOTSTRAP` are confined to this one build: with them in every build, build scripts that look at the variable
//! would run again, and their dependents with them, at each change between a build for the host and one for parsers.

use crate::debian::{self, Apt, Archive};
use crate::process;
use crate::project::Project;
use crate::target::{FEATURES, Rustc, TRIPLE, setting};
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Where rustup's component rust-src and Debian's package of that name put the source.
pub(crate) const SOURCE_IN_SYSROOT: &str = "lib/rustlib/src/rust/library";

/// The suites that carry newer compilers than a stable Debian, the smaller index first.
const SUITES: [&str; 2] = ["trixie-backports", "sid"];

/// The oldest compiler that the workspace accepts (`rust-version`).
const OLDEST: (u32, u32) = (1, 95);

/// SHA-256 of packages that were checked by hand, beside apt's own check of each download against the signed index.
const PINNED: [(&str, &str, &str); 1] = [(
    "rust-src",
    "1.95.0+dfsg1-2~bpo13+1",
    "7b76db5b880a77f9e52975d2baa6209d2f76d2c9c2789515c3088cb960e2c83b",
)];

/// The last file written into a sysroot: where it exists, the sysroot is whole.
const MARKER: &str = "built.json";

/// Raise it when the way a sysroot is built changes, so that older ones are not taken.
const LAYOUT: &str = "1";

/// A sysroot of our own, which holds the standard library for the wasm target and nothing else.
#[derive(Serialize, Deserialize)]
pub(crate) struct Sysroot {
    /// Absolute.
    #[serde(skip)]
    pub(crate) folder: PathBuf,
    /// What it was built from, in words.
    pub(crate) way: String,
    /// The compiler to use it with, when it is not the toolchain's.
    pub(crate) rustc: Option<PathBuf>,
}

impl Sysroot {
    /// The sysroot that an earlier run built for this compiler.
    pub(crate) fn remembered(project: &Project, rustc: &Rustc) -> Option<Self> {
        let folder = folder_of(project, rustc);
        let sysroot: Self = serde_json::from_slice(&fs::read(folder.join(MARKER)).ok()?).ok()?;
        let compiler_is_there = sysroot.rustc.as_ref().is_none_or(|rustc| rustc.is_file());
        compiler_is_there.then_some(Self { folder, ..sysroot })
    }
}

fn folder_of(project: &Project, rustc: &Rustc) -> PathBuf {
    let identity = format!("{LAYOUT}\n{FEATURES}\n{}", rustc.identity);
    project.target.join("wasm-sysroot").join(&sha256(identity.as_bytes())[..16])
}

/// A source of the standard library and the compiler that it belongs to.
struct Source {
    /// The folder `library` of the compiler's source.
    library: PathBuf,
    /// In words.
    name: String,
    /// The compiler, when it is not the toolchain's.
    rustc: Option<PathBuf>,
}

/// Builds the standard library, from the first source that is to be had, and prints one line that says which.
pub(crate) fn build(project: &Project, rustc: &Rustc, linker: Option<&Path>) -> Result<Sysroot> {
    let downloads = project.target.join("rust-src");
    let source = find_source(&downloads, rustc)?;
    let way = format!("standard library built from source ({})", source.name);
    println!("wasm target: {way}, once, in about a minute");

    let folder = folder_of(project, rustc);
    let work = folder.with_extension("building");
    remove(&work)?;
    compile(project, rustc, &source, linker, &work)?;
    let whole = work.join("sysroot");
    let sysroot = Sysroot { folder: folder.clone(), way, rustc: source.rustc };
    write(&whole.join(MARKER), &serde_json::to_string(&sysroot)?)?;
    remove(&folder)?;
    fs::rename(&whole, &folder).with_context(|| format!("cannot move {} into place", whole.display()))?;
    remove(&work)?;
    if sysroot.rustc.is_none() {
        // What was downloaded has done its work; a compiler that was downloaded is still needed.
        remove(&downloads)?;
    }
    Ok(sysroot)
}

fn find_source(downloads: &Path, rustc: &Rustc) -> Result<Source> {
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
            "{} does not exist; a package rust-src of version {}: {packaged:#}; a compiler with its source, packages \
             rustc-web and rust-web-src: {error:#}",
            library.display(),
            rustc.release
        )
    })
}

fn is_library(folder: &Path) -> bool {
    folder.join("Cargo.lock").is_file() && folder.join("core/src/lib.rs").is_file()
}

/// First choice: the source of the toolchain's own version, from Debian's package.
fn packaged_source(downloads: &Path, release: &str) -> Result<Source> {
    let archives = machine_archives()?;
    let main = archives.iter().find(|archive| archive.is_main()).context(
        "the machine's apt sources name no main archive of Debian, which is where the package would come from",
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
            seen.push(format!("{suite} has versions {}", versions.join(", ")));
            continue;
        };
        let unpacked = folder.join("unpacked");
        fetch(&apt, "rust-src", version, &unpacked)?;
        let library = library_in(&unpacked)?;
        return Ok(Source {
            library,
            name: format!("package rust-src {version}, signature checked"),
            rustc: None,
        });
    }
    bail!("{}", seen.join("; "))
}

/// Second choice: another compiler that the machine's own archives carry together with its source.
fn packaged_compiler(downloads: &Path) -> Result<Source> {
    let mut archives = machine_archives()?;
    archives.retain(|archive| archive.components.iter().any(|component| component == "main"));
    let folder = downloads.join("web");
    let apt = Apt::new(&folder, &archives)?;
    let sources = apt.versions("rust-web-src")?;
    let compilers = apt.versions("rustc-web")?;
    let version =
        compilers.iter().find(|&version| sources.contains(version) && is_new_enough(version)).with_context(
            || format!("no version of at least {}.{} has both, of {compilers:?}", OLDEST.0, OLDEST.1),
        )?;
    let (major, minor) = major_and_minor(version).context("a version that was new enough has numbers")?;
    let unpacked = folder.join("unpacked");
    let library_package = format!("libstd-rust-web-{major}.{minor}");
    for package in ["rustc-web", &library_package, "libstd-rust-web-dev", "rust-web-src"] {
        fetch(&apt, package, version, &unpacked)?;
    }
    let rustc = unpacked.join("usr/bin/rustc");
    process::output(std::process::Command::new(&rustc).arg("-vV"))
        .context("the unpacked compiler does not run")?;
    let name = format!("packages rustc-web and rust-web-src {version}, signatures checked");
    Ok(Source { library: library_in(&unpacked)?, name, rustc: Some(rustc) })
}

fn machine_archives() -> Result<Vec<Archive>> {
    ensure!(process::is_installed("apt-get"), "apt-get is not installed");
    debian::machine_archives(Path::new("/etc/apt"))
}

fn major_and_minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = debian::upstream(version).split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn is_new_enough(version: &str) -> bool {
    major_and_minor(version).is_some_and(|numbers| numbers >= OLDEST)
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
        let library = entry?.path().join("library");
        if is_library(&library) {
            return Ok(library);
        }
    }
    bail!("no folder of {} holds the source of the standard library", sources.display())
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
    let flags = json!([
        "-C",
        FEATURES,
        // Parsers may ask for link-time optimization.
        "-C",
        "embed-bitcode=yes",
        // As in the libraries that are distributed; and no path of this machine in any parser.
        format!("--remap-path-prefix={}=/rustc/{}/library", source.library.display(), rustc.commit),
    ]);
    cargo.args(["--target", TRIPLE, "--config"]).arg(setting("rustflags", &flags));
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
    let libraries = work.join("sysroot/lib/rustlib").join(TRIPLE).join("lib");
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

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
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
}
