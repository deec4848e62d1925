//! A process killed at any moment leaves an index that opens, and in which every object is there as a whole or not.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;

/// Where the killed process writes; without it, the test below does what that process does and checks the result.
const FOLDER: &str = "WEIR_TEST_INDEX";
const OBJECTS: u64 = 40;
const DOCUMENTS: u64 = 150;

fn ingest(index: &EmbeddedIndex) {
    let small = index.writer().unwrap();
    for object in 0..OBJECTS {
        let day = date(2026, 11, 20 + (object % 3) as i8);
        small.delete_object(Some(day), id(object)).unwrap();
        let events = events(object, object * DOCUMENTS..(object + 1) * DOCUMENTS);
        for part in events.chunks(60) {
            add(&small, day, part);
        }
        if object % 2 == 1 {
            small.commit().unwrap();
        }
    }
    small.commit().unwrap();
}

fn open(dir: &Path) -> EmbeddedIndex {
    EmbeddedIndex::open(dir, Settings { writer_memory: 1 << 20, ..settings() }).unwrap()
}

fn counts(index: &EmbeddedIndex) -> Vec<u64> {
    (0..OBJECTS).map(|object| index.count_object(id(object)).unwrap()).collect()
}

#[test]
fn ingesting_twice_adds_nothing() {
    let own = tempfile::tempdir().unwrap();
    let given = std::env::var_os(FOLDER).map(PathBuf::from);
    let index = open(given.as_deref().unwrap_or(own.path()));
    ingest(&index);
    ingest(&index);
    assert_eq!(counts(&index), vec![DOCUMENTS; OBJECTS as usize]);
    assert_eq!(total(&index, "*"), OBJECTS * DOCUMENTS);
}

#[test]
fn a_killed_process_leaves_every_object_whole_or_absent() {
    let dir = tempfile::tempdir().unwrap();
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut killed = 0;
    for round in 0..12_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([&format!("{module}::ingesting_twice_adds_nothing"), "--exact", "--test-threads=1"])
            .env(FOLDER, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Long enough to be in the middle of something, different each time.
        std::thread::sleep(Duration::from_millis(30 + round * 53 % 400));
        child.kill().unwrap();
        killed += u32::from(!child.wait().unwrap().success());
        let index = open(dir.path());
        for (object, count) in counts(&index).into_iter().enumerate() {
            assert!(count == 0 || count == DOCUMENTS, "round {round}, object {object}: {count} documents");
        }
    }
    assert!(killed > 0, "the process was never killed in time");
    let index = open(dir.path());
    ingest(&index);
    assert_eq!(counts(&index), vec![DOCUMENTS; OBJECTS as usize]);
    assert_eq!(total(&index, "*"), OBJECTS * DOCUMENTS);
}

#[test]
fn deletions_that_a_killed_process_did_not_commit_are_no_obstacle() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(dir.path());
    let writer = index.writer().unwrap();
    add(&writer, DAY, &events(1, 0..10));
    writer.commit().unwrap();
    add(&writer, DAY, &events(2, 10..20));
    writer.commit().unwrap();
    drop(writer);
    // What a process leaves that is killed between writing the list and naming it: every name the next commits may use.
    let day = dir.path().join(DAY.to_string());
    let stores =
        std::fs::read_dir(&day).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let segments: Vec<_> = stores.filter_map(|name| name.strip_suffix(".store").map(str::to_owned)).collect();
    for (segment, stamp) in segments.iter().flat_map(|segment| (0..100).map(move |stamp| (segment, stamp))) {
        std::fs::write(day.join(format!("{segment}.{stamp}.del")), "").unwrap();
    }
    let index = open(dir.path());
    let writer = index.writer().unwrap();
    writer.delete_object(Some(DAY), id(1)).unwrap();
    add(&writer, DAY, &events(1, 0..3));
    writer.commit().unwrap();
    assert_eq!((total(&index, "*"), index.count_object(id(1)).unwrap()), (13, 3));
}
