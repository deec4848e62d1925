//! Compiled code is native code: it is used again, and only from where nobody else can have put it.
//!
//! Whether code from the cache ran shows in what it does: the cached code of one component is exchanged for that of
//! another.

use crate::support::component::{manifest, with_manifest};
use crate::support::guest;
use crate::support::host::TestHost;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Traps on `TRAP`.
fn trapping() -> Vec<u8> {
    guest("hostile")
}

/// Under the same name; parses every line.
fn calm() -> Vec<u8> {
    with_manifest(&guest("no-manifest"), &manifest("hostile", "0.2.0", "0.1.0"))
}

/// Lines of `TRAP\nhonest` that were parsed: 1 by the code of `trapping`, 2 by that of `calm`.
fn parsed_by(component: Vec<u8>, cache: &Path) -> u64 {
    let host = TestHost::open(&[("hostile", component)], "", cache).unwrap();
    host.pass("hostile", b"TRAP\nhonest\n").counts.parsed
}

/// The compiled code in a folder; of the engine that counts time, then perhaps that of the one that counts fuel.
fn code_in(cache: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "cwasm"));
    files.sort();
    files
}

/// A cache that holds the calm parser's code under the trapping parser's name, for each of the engines.
fn exchanged() -> TempDir {
    let cache = tempfile::tempdir().unwrap();
    let of = |component: Vec<u8>| {
        let folder = tempfile::tempdir().unwrap();
        // A line that traps has both engines compile; the calm one needs to be told to.
        parsed_by(component, folder.path());
        folder
    };
    let (trapping, calm) = (of(trapping()), of(calm()));
    let engine =
        |path: &Path| path.file_stem().unwrap().to_str().unwrap().rsplit_once('-').unwrap().1.to_owned();
    for code in code_in(calm.path()) {
        let same_engine = |path: &PathBuf| engine(path) == engine(&code);
        let name = code_in(trapping.path()).into_iter().find(same_engine).unwrap();
        fs::copy(&code, cache.path().join(name.file_name().unwrap())).unwrap();
    }
    assert!(!code_in(cache.path()).is_empty());
    fs::set_permissions(cache.path(), fs::Permissions::from_mode(0o700)).unwrap();
    cache
}

#[test]
fn compiled_code_is_kept_and_used_again() {
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("made/when/needed");
    assert_eq!(parsed_by(trapping(), &folder), 1);
    let made = code_in(&folder);
    assert_eq!(made.len(), 2, "of the engine for batches and the one for suspects");
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    let dates: Vec<_> = made.iter().map(|path| fs::metadata(path).unwrap().modified().unwrap()).collect();
    assert_eq!(parsed_by(trapping(), &folder), 1);
    let again: Vec<_> =
        code_in(&folder).iter().map(|path| fs::metadata(path).unwrap().modified().unwrap()).collect();
    assert_eq!(again, dates, "nothing was compiled again");

    // That it is used, and not only kept.
    assert_eq!(parsed_by(trapping(), exchanged().path()), 2);
}

#[test]
fn a_folder_that_others_can_write_is_not_trusted() {
    for mode in [0o770, 0o707, 0o777] {
        let cache = exchanged();
        fs::set_permissions(cache.path(), fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(parsed_by(trapping(), cache.path()), 1, "{mode:o}");
    }
}

#[test]
fn what_lay_in_a_folder_while_others_could_write_it_is_never_trusted() {
    let cache = exchanged();
    fs::set_permissions(cache.path(), fs::Permissions::from_mode(0o777)).unwrap();
    // Another component is loaded first, which may make the folder private.
    parsed_by(guest_called_other(), cache.path());
    assert_eq!(parsed_by(trapping(), cache.path()), 1);
}

fn guest_called_other() -> Vec<u8> {
    with_manifest(&guest("no-manifest"), &manifest("hostile", "0.9.0", "0.1.0"))
}

#[test]
fn damaged_code_is_made_again() {
    let cache = tempfile::tempdir().unwrap();
    assert_eq!(parsed_by(trapping(), cache.path()), 1);
    for damage in [0, 1, 100, 5000] {
        for code in code_in(cache.path()) {
            let whole = fs::read(&code).unwrap();
            fs::write(&code, &whole[..damage.min(whole.len())]).unwrap();
        }
        assert_eq!(parsed_by(trapping(), cache.path()), 1, "cut to {damage} bytes");
        assert!(
            code_in(cache.path()).iter().all(|code| fs::metadata(code).unwrap().len() > 5000),
            "made again"
        );
    }
    for code in code_in(cache.path()) {
        fs::write(&code, b"not code at all".repeat(1000)).unwrap();
    }
    assert_eq!(parsed_by(trapping(), cache.path()), 1);
}

#[test]
fn without_a_place_for_it_code_is_compiled_each_time() {
    let cache = tempfile::tempdir().unwrap();
    let file = cache.path().join("a-file");
    fs::write(&file, b"in the way").unwrap();
    assert_eq!(parsed_by(trapping(), &file.join("folder")), 1);
}
