//! Seeds, kept failures and the parsers' fixtures through the fuzz targets' oracles, as ordinary tests.
//!
//! `seeds/TARGET` are inputs to begin from; `cases/TARGET` once failed and must never again.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use weir_fuzz_oracles::TARGETS;

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The files of a folder, which need not be there.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// Runs every file of each target's folder; the number of files, or which of them failed.
fn replay(folder_of: impl Fn(&str) -> PathBuf, wanted: impl Fn(&Path) -> bool) -> usize {
    let (mut count, mut failed) = (0, Vec::new());
    for (name, target) in TARGETS {
        for file in files(&folder_of(name)).into_iter().filter(|file| wanted(file)) {
            let input = fs::read(&file).unwrap();
            count += 1;
            if catch_unwind(AssertUnwindSafe(|| target(&input))).is_err() {
                failed.push(format!("{name}: {}", file.display()));
            }
        }
    }
    assert!(failed.is_empty(), "inputs that fail, their messages above:\n{}", failed.join("\n"));
    count
}

#[test]
fn kept_failures_stay_mended() {
    replay(|target| fuzz_folder().join("cases").join(target), |_| true);
}

#[test]
fn seeds_hold() {
    let count = replay(|target| fuzz_folder().join("seeds").join(target), |_| true);
    assert!(count > 20, "{count} seeds");
}

#[test]
fn fixtures_hold() {
    let parsers = fuzz_folder().join("../../parsers-wasm");
    let is_input = |file: &Path| {
        let name = file.to_string_lossy();
        name.ends_with(".log") || name.ends_with(".json") && !name.ends_with(".expected.json")
    };
    let count = replay(|target| parsers.join(target).join("fixtures"), is_input);
    assert!(count > 50, "{count} fixtures");
}

/// A folder that belongs to no target would never be run.
#[test]
fn every_folder_is_a_targets() {
    let known: BTreeSet<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    for folder in ["seeds", "cases"] {
        for entry in fs::read_dir(fuzz_folder().join(folder)).into_iter().flatten() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(known.contains(name.as_str()), "{folder}/{name} belongs to no target");
        }
    }
    let programs: BTreeSet<String> = files(&fuzz_folder().join("targets"))
        .iter()
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(programs.iter().map(String::as_str).eq(known), "targets/ and TARGETS differ: {programs:?}");
}
