use super::*;
use crate::ledger::{
    FrameCounts, FrameMove, FrameState, Intent, Ledger, ObjectId, ObjectRecord, Replay, StagingError,
    publish, remove_files,
};
use jiff::civil::{Date, date};
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

const DAY: Date = date(2026, 3, 1);

fn entry(object: u8, number: u8, kind: EntryKind) -> Entry {
    let mut frame_id = [object; 16];
    frame_id[0] = number;
    Entry {
        frame_id,
        object: ObjectId([object; 16]),
        bucket: "logs".to_owned(),
        key: format!("AWSLogs/{object}.gz"),
        version: "v1".to_owned(),
        member: number.is_multiple_of(2).then(|| "inner.log".to_owned()),
        offset: u64::from(number) * 10,
        length: 9,
        complete: kind != EntryKind::Damaged,
        kind,
        reason: format!("no match: \"{number}\"\n"),
        log_type: Some("vpcflow".to_owned()),
        parser: Some(EntryParser {
            name: "vpcflow".to_owned(),
            version: "1".to_owned(),
            digest: "d".to_owned(),
        }),
        context: FrameContext {
            framing: Framing::ParquetRow,
            reference_time: -7,
            time_zone: "Europe/Berlin".to_owned(),
            account: Some("111122223333".to_owned()),
            attributes: vec![("b".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())],
            header: Some("version account-id".to_owned()),
            wrapped: Some(WrappedContext { id: Some("i".to_owned()), time: Some(5), attributes: vec![] }),
            ..FrameContext::default()
        },
    }
}

/// Bytes that are no UTF-8 and hold line ends.
fn raw(number: u8) -> Vec<u8> {
    vec![0xff, b'\n', b'"', number, 0]
}

/// Sets `count` frames of an object aside, every third of them waiting, and commits them.
fn commit(ledger: &Ledger, quarantine: &Quarantine, object: u8, count: u8) -> ObjectRecord {
    let id = ObjectId([object; 16]);
    let mut aside = quarantine.begin(id, DAY, 0);
    for number in 0..count {
        let kind = if number % 3 == 0 { EntryKind::Waiting } else { EntryKind::Malformed };
        aside.add(&entry(object, number, kind), &raw(number)).unwrap();
    }
    let (file, counts) = aside.finish().unwrap();
    let files: Vec<String> = file.iter().map(|file| file.file().to_owned()).collect();
    ledger.begin(&[Intent { object: id, day: DAY, files: files.clone() }]).unwrap();
    publish(ledger.folder(), file.into_iter().collect()).unwrap();
    let mut record = ObjectRecord::new(id, "logs", &format!("AWSLogs/{object}.gz"), "v1", DAY);
    record.files = files;
    record.frames = FrameCounts {
        total: u64::from(count),
        quarantined: counts.quarantined(),
        waiting: counts.waiting,
        ..FrameCounts::default()
    };
    assert_eq!(record.unexplained(), 0);
    ledger.commit(std::slice::from_ref(&record)).unwrap();
    record
}

fn all(root: &Path, files: &[String], filter: &EntryFilter) -> Vec<(Entry, Vec<u8>)> {
    let mut found = Vec::new();
    visit(root, files, filter, |entry, raw| {
        found.push((entry.clone(), raw.decode()?));
        Ok::<_, QuarantineError>(ControlFlow::Continue(()))
    })
    .unwrap();
    found
}

#[test]
fn frames_come_back_byte_for_byte_with_their_context() {
    let root = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(root.path()).unwrap();
    let quarantine = Quarantine::open(root.path(), 0).unwrap();
    let record = commit(&ledger, &quarantine, 1, 5);
    assert_eq!(record.files, [format!("quarantine/2026-03-01/{}.ndjson.zst", record.id)]);
    assert_eq!((record.frames.quarantined, record.frames.waiting), (3, 2));
    let found = all(root.path(), &record.files, &EntryFilter::default());
    assert_eq!(found.len(), 5);
    for (number, (read, bytes)) in (0..).zip(found) {
        assert_eq!(read, entry(1, number, read.kind));
        assert_eq!(bytes, raw(number));
    }
}

#[test]
fn an_object_without_bad_frames_has_no_file_and_a_dropped_one_neither() {
    let root = tempfile::tempdir().unwrap();
    let quarantine = Quarantine::open(root.path(), 0).unwrap();
    let (file, counts) = quarantine.begin(ObjectId([1; 16]), DAY, 0).finish().unwrap();
    assert!(file.is_none());
    assert_eq!(counts, SetAsideCounts::default());
    let mut dropped = quarantine.begin(ObjectId([2; 16]), DAY, 0);
    dropped.add(&entry(2, 1, EntryKind::Damaged), b"x").unwrap();
    assert_eq!(dropped.counts().quarantined(), 1);
    drop(dropped);
    assert_eq!(fs::read_dir(root.path().join("quarantine/.staging")).unwrap().count(), 0);
}

#[test]
fn the_same_frames_give_the_same_bytes() {
    let bytes = || {
        let root = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(root.path()).unwrap();
        let record = commit(&ledger, &Quarantine::open(root.path(), 0).unwrap(), 1, 100);
        fs::read(root.path().join(&record.files[0])).unwrap()
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn frames_are_found_by_type_kind_key_parser_and_id() {
    let root = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(root.path()).unwrap();
    let quarantine = Quarantine::open(root.path(), 0).unwrap();
    commit(&ledger, &quarantine, 1, 4);
    commit(&ledger, &quarantine, 2, 8);
    let count = |filter: EntryFilter| all(root.path(), &files_of(&ledger, &filter).unwrap(), &filter).len();
    let any = EntryFilter::default;
    assert_eq!(count(any()), 12);
    assert_eq!(count(EntryFilter { kind: Some(EntryKind::Waiting), ..any() }), 5);
    assert_eq!(count(EntryFilter { key_prefix: Some("AWSLogs/2".to_owned()), ..any() }), 8);
    assert_eq!(count(EntryFilter { log_type: Some("alb".to_owned()), ..any() }), 0);
    assert_eq!(count(EntryFilter { log_type: Some("vpcflow".to_owned()), ..any() }), 12);
    assert_eq!(count(EntryFilter { parser: Some("vpcflow".to_owned()), ..any() }), 12);
    assert_eq!(count(EntryFilter { parser: Some("other".to_owned()), ..any() }), 0);

    let found = find(&ledger, "0302", 10).unwrap();
    assert_eq!(found, [(entry(2, 3, EntryKind::Waiting), raw(3))]);
    assert_eq!(find(&ledger, "03", 10).unwrap().len(), 2);
    assert_eq!(find(&ledger, "03", 1).unwrap().len(), 1);
    assert_eq!(find(&ledger, "0E", 10).unwrap(), []);
}

#[test]
fn a_replay_leaves_what_it_did_not_take_and_its_counts() {
    let root = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(root.path()).unwrap();
    let quarantine = Quarantine::open(root.path(), 0).unwrap();
    let record = commit(&ledger, &quarantine, 1, 9);
    let replay = |take: &dyn Fn(&Entry) -> Fate, moves: Vec<FrameMove>| {
        let record = ledger.record(record.id).unwrap().unwrap();
        let generation = ledger.generation(record.id).unwrap();
        let left = quarantine.rewrite(&record, &record.files[0], generation, take).unwrap();
        let files: Vec<String> = left.iter().map(|file| file.file().to_owned()).collect();
        ledger.begin(&[Intent { object: record.id, day: record.day, files: files.clone() }]).unwrap();
        publish(root.path(), left.into_iter().collect()).unwrap();
        let change = Replay {
            frames: moves,
            files_added: files,
            files_removed: record.files,
            generation,
            ..Replay::default()
        };
        let after = ledger.replayed(record.id, &change).unwrap();
        ledger.sweep(|files| remove_files(root.path(), files).map_err(QuarantineError::from)).unwrap();
        assert_eq!(after.unexplained(), 0);
        after
    };
    // The waiting ones are parsed but for one, which turns out to be malformed.
    let malformed = Entry {
        kind: EntryKind::Malformed,
        reason: "bad field".to_owned(),
        ..entry(1, 6, EntryKind::Waiting)
    };
    let fate = |entry: &Entry| match (entry.kind, entry.frame_id[0]) {
        (EntryKind::Waiting, 6) => Fate::Changes(Box::new(malformed.clone())),
        (EntryKind::Waiting, _) => Fate::Goes,
        _ => Fate::Stays,
    };
    let moved = |to, frames| FrameMove { from: FrameState::Waiting, to, frames };
    let after = replay(&fate, vec![moved(FrameState::Parsed, 2), moved(FrameState::Quarantined, 1)]);
    assert_eq!(after.files, [format!("quarantine/2026-03-01/{}.1.ndjson.zst", record.id)]);
    assert!(!root.path().join(&record.files[0]).exists());
    let left = all(root.path(), &after.files, &EntryFilter::default());
    let numbers: Vec<u8> = left.iter().map(|(entry, _)| entry.frame_id[0]).collect();
    assert_eq!(numbers, [1, 2, 4, 5, 6, 7, 8]);
    assert_eq!(left[4], (malformed, raw(6)));
    assert_eq!((after.frames.total, after.frames.parsed, after.frames.quarantined), (9, 2, 7));

    // All others: nothing is left, no file either.
    let all_parsed = FrameMove { from: FrameState::Quarantined, to: FrameState::Parsed, frames: 7 };
    let after = replay(&|_| Fate::Goes, vec![all_parsed]);
    assert_eq!(after.files, [""; 0]);
    assert_eq!(fs::read_dir(root.path().join("quarantine/2026-03-01")).unwrap().count(), 0);
}

#[test]
fn a_frame_of_many_megabytes_is_one_line() {
    let root = tempfile::tempdir().unwrap();
    let quarantine = Quarantine::open(root.path(), 0).unwrap();
    let large: Vec<u8> =
        (0..8_u32 << 20).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut aside = quarantine.begin(ObjectId([1; 16]), DAY, 0);
    aside.add(&entry(1, 1, EntryKind::Condemned), &large).unwrap();
    aside.add(&entry(1, 2, EntryKind::Condemned), b"").unwrap();
    let file = aside.finish().unwrap().0.unwrap();
    let name = file.file().to_owned();
    publish(root.path(), vec![file]).unwrap();
    let found = all(root.path(), &[name], &EntryFilter::default());
    assert!(found[0].1 == large && found[1].1.is_empty());
}

#[test]
fn damage_and_a_full_disk_are_named() {
    let root = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(root.path()).unwrap();
    let record = commit(&ledger, &Quarantine::open(root.path(), 0).unwrap(), 1, 50);
    let path = root.path().join(&record.files[0]);
    let whole = fs::read(&path).unwrap();
    for damaged in [&whole[..whole.len() / 2], &whole[..whole.len() - 1], b"not zstd"] {
        fs::write(&path, damaged).unwrap();
        let ends = |_: &Entry, _: &Raw<'_>| Ok::<_, QuarantineError>(ControlFlow::Continue(()));
        let error = visit(root.path(), &record.files, &EntryFilter::default(), ends).unwrap_err();
        assert!(error.to_string().contains(&record.files[0]), "{error}");
    }
    let full = Quarantine::open(root.path(), u64::MAX).unwrap();
    let error = full.begin(record.id, DAY, 0).add(&entry(1, 1, EntryKind::Damaged), b"x").unwrap_err();
    assert!(matches!(error, QuarantineError::Files(StagingError::DiskFull { .. })), "{error}");
}

#[test]
fn a_context_for_the_archive_is_read_back_from_its_json() {
    let context = entry(1, 1, EntryKind::Waiting).context;
    assert_eq!(serde_json::from_str::<FrameContext>(&context.to_json()).unwrap(), context);
    assert_eq!(FrameContext::default().to_json(), r#"{"framing":"text","reference_time":0,"time_zone":""}"#);
}
