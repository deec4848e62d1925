//! Parsers: crates of `parsers-wasm` to component files in `target/parsers`.
//!
//! A parser is a folder with a parser.toml and a Cargo.toml. Those of the workspace are compiled in one run of cargo; a
//! team's parser (`parsers-wasm/teams/TEAM/LOG_TYPE`) is a package by itself and is compiled in a run of its own, into
//! the same target folder. A parser that cannot be built is named, and keeps no other from being built.

use crate::component::{self, Fixture};
use crate::process;
use crate::project::Project;
use crate::target::WasmTarget;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A parser's folder, before it is compiled.
struct Parser {
    /// Its manifest's name, which names its file.
    name: String,
    /// Absolute.
    folder: PathBuf,
    /// The bytes of parser.toml.
    manifest: Vec<u8>,
}

/// What xtask reads of parser.toml. The host reads, and checks, all of it.
#[derive(Deserialize)]
struct Manifest {
    name: String,
}

/// Where the components of parsers lie.
pub(crate) fn folder(project: &Project) -> PathBuf {
    project.target.join("parsers")
}

/// Compiles every parser to `target/parsers/NAME.wasm`, removes the files of parsers that are gone, and prints one line
/// for each.
pub(crate) fn build(project: &Project, target: &WasmTarget) -> Result<()> {
    let parsers = find(&project.root.join("parsers-wasm"))?;
    let modules = compile(project, target, &parsers)?;
    let folder = folder(project);
    let width = parsers.iter().map(|parser| parser.name.len()).max().unwrap_or_default();
    let mut failed = Vec::new();
    for parser in &parsers {
        let module = modules.get(&parser.folder);
        match package(parser, module).and_then(|bytes| write(&folder, &parser.name, &bytes)) {
            Ok(line) => println!("  {:width$}  {line}", parser.name),
            Err(error) => {
                eprintln!("  {:width$}  failed: {error:#}", parser.name);
                failed.push(parser.name.as_str());
            }
        }
    }
    let names = parsers.iter().map(|parser| format!("{}.wasm", parser.name)).collect();
    for file in remove_others(&folder, &names)? {
        println!("  {}  removed, its parser is gone", project.show(&file));
    }
    if parsers.is_empty() {
        println!("  no folder of parsers-wasm has a parser.toml: nothing to build");
    }
    ensure!(failed.is_empty(), "no component of {}: see above", failed.join(", "));
    Ok(())
}

/// Writes a component and says in a few words what it came to.
pub(crate) fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<String> {
    let written = component::write_if_changed(&folder.join(format!("{name}.wasm")), bytes)?;
    let done = if written { "built" } else { "unchanged" };
    Ok(format!("{:>8.1} KiB  {done}", bytes.len() as f64 / 1024.0))
}

/// Removes every component of a folder, and what an interrupted run left, that `keep` does not name.
pub(crate) fn remove_others(folder: &Path, keep: &BTreeSet<String>) -> Result<Vec<PathBuf>> {
    let mut removed = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return Ok(removed) };
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        let is_ours = path.extension().is_some_and(|extension| extension == "wasm" || extension == "tmp");
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if is_ours && !keep.contains(name) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            removed.push(path);
        }
    }
    removed.sort();
    Ok(removed)
}

/// The parsers under `root`, sorted by name.
fn find(root: &Path) -> Result<Vec<Parser>> {
    let mut folders = folders_in(root)?;
    for team in folders_in(&root.join("teams"))? {
        folders.extend(folders_in(&team)?);
    }
    folders.retain(|folder| folder.join("parser.toml").is_file() && folder.join("Cargo.toml").is_file());
    // What a new parser is copied from is no parser.
    folders.retain(|folder| *folder != root.join("template"));
    let mut parsers: Vec<Parser> = folders.into_iter().map(read).collect::<Result<_>>()?;
    parsers.sort_by(|one, other| one.name.cmp(&other.name));
    for pair in parsers.windows(2) {
        if let [one, other] = pair {
            ensure!(
                one.name != other.name,
                "{} and {} are both named {}: change `name` in the parser.toml of one",
                one.folder.display(),
                other.folder.display(),
                one.name
            );
        }
    }
    Ok(parsers)
}

fn folders_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return Ok(folders) };
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    Ok(folders)
}

fn read(folder: PathBuf) -> Result<Parser> {
    let file = folder.join("parser.toml");
    let manifest = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let name = name_in(&manifest).with_context(|| format!("cannot use {}", file.display()))?;
    Ok(Parser { name, folder, manifest })
}

/// The name in a manifest, which must be fit for a file name.
fn name_in(manifest: &[u8]) -> Result<String> {
    let Manifest { name } = toml::from_slice(manifest).context("not TOML with a `name`")?;
    let is_fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    ensure!(
        !name.is_empty() && name.bytes().all(is_fit),
        "the name `{name}` must be made of the letters a to z, digits and `-`"
    );
    Ok(name)
}

/// Compiles all parsers and returns the core modules, by the parser's folder. A parser that does not compile has none.
fn compile(project: &Project, target: &WasmTarget, parsers: &[Parser]) -> Result<BTreeMap<PathBuf, PathBuf>> {
    let mut members = project.cargo(&["build", "--release", "--keep-going"]);
    let mut runs = Vec::new();
    let mut has_members = false;
    for parser in parsers {
        if let Some(package) = project.member_in(&parser.folder) {
            members.args(["--package", &package.name]);
            has_members = true;
        } else {
            let mut cargo = project.cargo(&["build", "--release", "--manifest-path"]);
            cargo.arg(parser.folder.join("Cargo.toml")).arg("--target-dir").arg(&project.target);
            runs.push(cargo);
        }
    }
    if has_members {
        runs.insert(0, members);
    }
    let mut modules = BTreeMap::new();
    for mut cargo in runs {
        target.configure(project, &mut cargo);
        modules.extend(core_modules(&mut cargo)?.made);
    }
    Ok(modules)
}

/// A line of cargo's `--message-format json`.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// What a `cargo build` for WebAssembly came to.
pub(crate) struct CoreModules {
    /// The modules that it made, or found made, by the folder of their package.
    pub(crate) made: BTreeMap<PathBuf, PathBuf>,
    /// Whether everything compiled; what did not is on standard error.
    pub(crate) complete: bool,
}

/// Runs a `cargo build` of libraries.
pub(crate) fn core_modules(cargo: &mut Command) -> Result<CoreModules> {
    cargo.args(["--lib", "--message-format", "json-render-diagnostics"]).stdout(Stdio::piped());
    let mut child = cargo.spawn().with_context(|| format!("cannot start `{}`", process::show(cargo)))?;
    let mut made = BTreeMap::new();
    let stdout = child.stdout.take().context("cargo has no standard output")?;
    for line in BufReader::new(stdout).lines() {
        let line = line.context("cannot read what cargo prints")?;
        let Ok(message) = serde_json::from_str::<Message>(&line) else { continue };
        let is_module = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "wasm");
        if message.reason == "compiler-artifact"
            && let Some(module) = message.filenames.into_iter().find(is_module)
            && let Some(folder) = message.manifest_path.parent()
        {
            made.insert(folder.to_owned(), module);
        }
    }
    let status = child.wait().context("cannot wait for cargo")?;
    Ok(CoreModules { made, complete: status.success() })
}

/// The bytes of a parser's component: refused with the import's name when it has any.
fn package(parser: &Parser, module: Option<&PathBuf>) -> Result<Vec<u8>> {
    let module = module.context(
        "it did not compile (see above), or its Cargo.toml has no crate-type = [\"cdylib\", \"rlib\"] under [lib]",
    )?;
    let module = fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
    let mut bytes =
        component::encode(&module).context("it cannot be made a component, which imports nothing")?;
    let imports = component::imports(&bytes)?;
    ensure!(
        imports.is_empty(),
        "it imports {}, but a parser imports nothing: remove the code, or the dependency, that asks for it",
        imports.join(", ")
    );
    let fixtures: Vec<Fixture> = component::read_fixtures(&parser.folder.join("fixtures"))?;
    component::append_package(&mut bytes, &parser.manifest, &fixtures)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_fit_for_files() {
        assert_eq!(name_in(b"name = \"nginx-access\"\nversion = \"0.1.0\"\n").unwrap(), "nginx-access");
        for name in ["../x", "", "a b", "Upper", "a/b", "."] {
            assert!(name_in(format!("name = {name:?}").as_bytes()).is_err(), "{name}");
        }
        assert!(name_in(b"version = \"0.1.0\"").is_err());
    }

    #[test]
    fn components_of_parsers_that_are_gone_are_removed() {
        let folder = std::env::temp_dir().join(format!("weir-xtask-parsers-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for name in ["kept.wasm", "gone.wasm", "kept.wasm.77.tmp", "notes.txt"] {
            fs::write(folder.join(name), name).unwrap();
        }
        let removed = remove_others(&folder, &BTreeSet::from(["kept.wasm".to_owned()])).unwrap();
        assert_eq!(removed, [folder.join("gone.wasm"), folder.join("kept.wasm.77.tmp")]);
        assert!(folder.join("kept.wasm").is_file() && folder.join("notes.txt").is_file());
        fs::remove_dir_all(&folder).unwrap();
        assert!(remove_others(&folder, &BTreeSet::new()).unwrap().is_empty());
    }

    #[test]
    fn two_parsers_of_one_name_are_refused() {
        let root = std::env::temp_dir().join(format!("weir-xtask-names-{}", std::process::id()));
        for folder in ["alb", "template", "sdk", "teams/search/alb"] {
            fs::create_dir_all(root.join(folder)).unwrap();
            fs::write(root.join(folder).join("Cargo.toml"), "").unwrap();
        }
        for folder in ["alb", "template"] {
            fs::write(root.join(folder).join("parser.toml"), "name = \"alb\"").unwrap();
        }
        assert_eq!(find(&root).unwrap().len(), 1);
        fs::write(root.join("teams/search/alb/parser.toml"), "name = \"alb\"").unwrap();
        let error = find(&root).err().unwrap().to_string();
        assert!(error.contains("both named alb"), "{error}");
        fs::remove_dir_all(&root).unwrap();
    }
}
