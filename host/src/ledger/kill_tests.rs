//! The whole protocol under `kill -9`: ledger, archive and quarantine in a process that is killed at random moments.

use super::*;
use crate::output::archive::{
    Archive, ArchiveError, ArchiveLimits, CommonFields, JoinOptions, Partition, Row, RowDecision, RowObject,
    RowParser, files as archived, partitions, rows,
};
use crate::quarantine::{
    Entry, EntryFilter, EntryKind, FrameContext, Quarantine, QuarantineError, files_of, visit,
};
use jiff::civil::{Date, date};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

const FOLDER: &str = "WEIR_TEST_KILL_FOLDER";
const DAY: Date = date(2026, 3, 1);
const OBJECTS: u8 = 12;

/// How many events an object has in a generation: another number each time.
fn events(object: u8, generation: u32) -> u32 {
    5 + (u32::from(object) * 7 + generation * 13) % 40
}

/// How many bad frames it has then; sometimes none.
fn bad_frames(object: u8, generation: u32) -> u32 {
    (u32::from(object) + generation) % 4
}

fn document_id(object: u8, event: u32) -> [u8; 16] {
    let mut id = [object; 16];
    id[..4].copy_from_slice(&event.to_be_bytes());
    id
}

struct Store {
    ledger: Ledger,
    archive: Archive,
    quarantine: Quarantine,
}

impl Store {
    fn open(folder: &Path) -> Self {
        let ledger = Ledger::open(folder).unwrap();
        let archive =
            Archive::open(folder, ArchiveLimits { reserve_bytes: 0, ..ArchiveLimits::default() }).unwrap();
        let quarantine = Quarantine::open(folder, 0).unwrap();
        ledger.sweep(|files| archive.remove(files)).unwrap();
        Self { ledger, archive, quarantine }
    }

    /// Processes a group of objects as a pipeline does.
    fn process(&self, group: &[u8]) {
        let (mut intents, mut records, mut staged) = (vec![], vec![], vec![]);
        for &object in group {
            let id = ObjectId([object; 16]);
            let generation = self.ledger.generation(id).unwrap();
            let source = RowObject { id: id.0, bucket: "b", key: "k", version: "v" };
            let mut writer = self.archive.begin(&source, generation).unwrap();
            let count = events(object, generation);
            for event in 0..count {
                let account = if event % 2 == 0 { "111122223333" } else { "444455556666" };
                let partition = Partition { log_type: "t", account: Some(account), region: None, day: DAY };
                let row = Row {
                    document_id: document_id(object, event),
                    frame_id: document_id(object, event),
                    event_number: 0,
                    timestamp: 0,
                    fields: CommonFields::default(),
                    decision: RowDecision::Indexed,
                    member: None,
                    frame_offset: 0,
                    parser: RowParser::default(),
                    reference_time: 0,
                    context: None,
                    event_original: None,
                    document: b"{}",
                };
                writer.add(&partition, &row).unwrap();
            }
            let archived = writer.finish().unwrap();
            let mut aside = self.quarantine.begin(id, DAY, generation);
            for frame in 0..bad_frames(object, generation) {
                aside.add(&bad_frame(object, frame), b"raw").unwrap();
            }
            let (file, counts) = aside.finish().unwrap();

            let mut record = ObjectRecord::new(id, "b", "k", "v", DAY);
            let files = || archived.files.iter().chain(&file).map(|file| file.file().to_owned());
            record.files = files().collect();
            record.generation = generation;
            record.frames.total = u64::from(count) + counts.quarantined();
            record.frames.parsed = u64::from(count);
            record.frames.quarantined = counts.quarantined();
            record.archive = ArchiveCounts { handed: u64::from(count), rows: archived.rows };
            intents.push(Intent { object: id, day: DAY, files: record.files.clone() });
            staged.extend(archived.files.into_iter().chain(file));
            records.push(record);
        }
        self.ledger.begin(&intents).unwrap();
        self.archive.publish(staged).unwrap();
        self.ledger.commit(&records).unwrap();
        self.ledger.sweep(|files| self.archive.remove(files)).unwrap();
    }

    fn join(&self) {
        let options = JoinOptions { up_to: DAY, small_bytes: 1 << 20, target_bytes: 1 << 30, files: 4 };
        let counts = |object, file: &str| Ok::<_, ArchiveError>(self.ledger.holds(object, file)?);
        self.archive.join(&options, counts).unwrap();
    }

    /// Checks every file and every row against the records; gives the sum of the generations.
    fn check(&self) -> u32 {
        let mut expected_rows = BTreeMap::new();
        let (mut files, mut generations, mut bad) = (BTreeSet::new(), 0, 0);
        for record in self.ledger.records(RecordFilter::default()).unwrap().map(Result::unwrap) {
            assert_eq!(record.unexplained(), 0);
            let object = record.id.0[0];
            for event in 0..events(object, record.generation) {
                expected_rows.insert(document_id(object, event), 1);
            }
            bad += bad_frames(object, record.generation);
            files.extend(record.files);
            generations += record.generation + 1;
        }
        let folder = self.ledger.folder();
        let mut found_rows: BTreeMap<[u8; 16], u32> = BTreeMap::new();
        let mut there = BTreeSet::new();
        for partition in partitions(folder).unwrap() {
            let counting = archived(folder, &partition).unwrap();
            let every =
                fs::read_dir(folder.join(&partition)).unwrap().map(|entry| entry.unwrap().file_name());
            let every = every.filter(|name| name.to_string_lossy().ends_with(".parquet")).count();
            assert_eq!(every, counting.len(), "readers that know no manifest read the same files");
            for file in counting {
                for row in rows(&folder.join(&file)).unwrap() {
                    *found_rows.entry(row.unwrap().document_id).or_default() += 1;
                }
                if !file.contains("/joined-") {
                    there.insert(file);
                }
            }
        }
        assert_eq!(found_rows, expected_rows);
        let filter = EntryFilter::default();
        let mut found_bad = 0;
        let visitor = |_: &Entry, _: &crate::quarantine::Raw<'_>| {
            found_bad += 1;
            Ok::<_, QuarantineError>(ControlFlow::Continue(()))
        };
        visit(folder, &files_of(&self.ledger, &filter).unwrap(), &filter, visitor).unwrap();
        assert_eq!(found_bad, bad);
        if let Ok(listing) = fs::read_dir(folder.join("quarantine").join(DAY.to_string())) {
            let name =
                |entry: fs::DirEntry| format!("quarantine/{DAY}/{}", entry.file_name().to_string_lossy());
            there.extend(listing.map(|entry| name(entry.unwrap())));
        }
        assert!(there.is_subset(&files), "orphans: {:?}", there.difference(&files));
        generations
    }
}

fn bad_frame(object: u8, frame: u32) -> Entry {
    Entry {
        frame_id: document_id(object, 1000 + frame),
        object: ObjectId([object; 16]),
        bucket: "b".to_owned(),
        key: "k".to_owned(),
        version: "v".to_owned(),
        member: None,
        offset: 0,
        length: 3,
        complete: true,
        kind: EntryKind::Malformed,
        reason: "no match".to_owned(),
        log_type: None,
        parser: None,
        context: FrameContext::default(),
    }
}

/// No test of its own: what the killed process does, when the test below runs this binary again.
#[test]
fn process_objects_until_killed() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let store = Store::open(Path::new(&folder));
    loop {
        for first in (0..OBJECTS).step_by(3) {
            store.process(&[first, first + 1, first + 2]);
        }
        store.join();
    }
}

#[test]
fn a_process_killed_at_random_moments_leaves_exact_counts() {
    let folder = tempfile::tempdir().unwrap();
    let (_, module) = module_path!().split_once("::").unwrap();
    let name = format!("{module}::process_objects_until_killed");
    let mut seed = 0x2545_f491_u32;
    let mut generations = 0;
    for round in 0..200 {
        // On a busy machine a process gets less far before it is killed.
        if round >= 25 && generations >= 20 {
            break;
        }
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", &name])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        thread::sleep(Duration::from_millis(u64::from(seed >> 25) + 10));
        assert!(child.try_wait().unwrap().is_none(), "the process ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
        generations = Store::open(folder.path()).check();
    }
    assert!(generations >= 20, "hardly anything was ever committed");
}
