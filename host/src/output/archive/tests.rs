use super::*;
use crate::ledger::{Intent, Ledger, LedgerError, ObjectId, ObjectRecord, StagingError};
use jiff::civil::{Date, date};
use std::collections::BTreeMap;
use std::fs;

const DAY: Date = date(2026, 3, 1);
const FOLDER: &str = "archive/log_type=vpcflow/account=111122223333/region=eu-west-1/date=2026-03-01";
const TIME: i64 = 1_772_323_200_123_456_789;

fn partition(account: &str) -> Partition<'_> {
    Partition { log_type: "vpcflow", account: Some(account), region: Some("eu-west-1"), day: DAY }
}

fn object(number: u8) -> RowObject<'static> {
    RowObject { id: [number; 16], bucket: "logs", key: "AWSLogs/flow.log.gz", version: "v1" }
}

fn limits() -> ArchiveLimits {
    ArchiveLimits { reserve_bytes: 0, ..ArchiveLimits::default() }
}

fn id(object: u8, number: u32) -> [u8; 16] {
    let mut id = [object; 16];
    id[12..].copy_from_slice(&number.to_be_bytes());
    id
}

/// A row unlike its neighbours: every third one lacks what may be absent.
fn row(object: u8, number: u32, document: &[u8]) -> Row<'_> {
    let some = |text| (!number.is_multiple_of(3)).then_some(text);
    Row {
        document_id: id(object, number),
        frame_id: id(object, number / 2),
        event_number: number % 2,
        timestamp: TIME + i64::from(number) * 1_000_000,
        fields: CommonFields {
            source_ip: some("192.0.2.1"),
            event_action: some("accept"),
            user_name: None,
            ..CommonFields::default()
        },
        decision: if number.is_multiple_of(5) { RowDecision::ArchivedOnly } else { RowDecision::Indexed },
        member: some("inner/a.log"),
        frame_offset: u64::from(number) * 100,
        parser: RowParser { name: "vpcflow", version: "1.0.0", digest: "abc" },
        reference_time: -1,
        context: some(r#"{"bucket":"logs"}"#),
        event_original: some("raw \u{fffd} text").map(str::as_bytes),
        document,
    }
}

fn document(number: u32) -> Vec<u8> {
    format!(r#"{{"@timestamp":"2026-03-01T00:00:00.123456789Z","number":{number}}}"#).into_bytes()
}

/// Archives `count` rows of an object under one account.
fn write(archive: &Archive, number: u8, generation: u32, count: u32) -> ArchivedObject {
    let mut writer = archive.begin(&object(number), generation).unwrap();
    for event in 0..count {
        let document = document(event);
        writer.add(&partition("111122223333"), &row(number, event, &document)).unwrap();
    }
    writer.finish().unwrap()
}

fn read(root: &Path, file: &str) -> Vec<ArchivedRow> {
    rows(&root.join(file)).unwrap().map(Result::unwrap).collect()
}

/// The rows that count in a partition: how often each document is there.
fn counted(root: &Path) -> BTreeMap<[u8; 16], u32> {
    let mut counted = BTreeMap::new();
    for folder in partitions(root).unwrap() {
        for file in files(root, &folder).unwrap() {
            for row in read(root, &file) {
                *counted.entry(row.document_id).or_default() += 1;
            }
        }
    }
    counted
}

fn expected(objects: &[(u8, u32)]) -> BTreeMap<[u8; 16], u32> {
    objects.iter().flat_map(|(object, count)| (0..*count).map(|event| (id(*object, event), 1))).collect()
}

/// What Athena reads: all Parquet files whose names begin with neither `_` nor `.`.
fn parquet_files(root: &Path) -> Vec<String> {
    let folder = fs::read_dir(root.join(FOLDER)).unwrap();
    let mut names: Vec<String> =
        folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".parquet"));
    names.sort();
    names
}

#[test]
fn rows_are_read_as_they_were_written() {
    let root = tempfile::tempdir().unwrap();
    let archive = Archive::open(root.path(), limits()).unwrap();
    let done = write(&archive, 1, 0, 10);
    assert_eq!((done.rows, done.indexed, done.archived_only), (10, 8, 2));
    let file = format!("{FOLDER}/{}.parquet", ObjectId([1; 16]));
    assert_eq!(done.files.iter().map(StagedFile::file).collect::<Vec<_>>(), [file.as_str()]);
    assert!(done.files[0].bytes() > 1000);
    assert!(!root.path().join(&file).exists());
    archive.publish(done.files).unwrap();

    let read = read(root.path(), &file);
    assert_eq!(read.len(), 10);
    for (number, read) in (0..).zip(&read) {
        let document = document(number);
        let written = row(1, number, &document);
        assert_eq!(read.object_id, [1; 16]);
        let object = (read.bucket.as_str(), read.key.as_str(), read.version.as_str());
        assert_eq!(object, ("logs", "AWSLogs/flow.log.gz", "v1"));
        // Microseconds are kept; times before 1970 round down as others do.
        assert_eq!(read.timestamp, written.timestamp / 1000 * 1000);
        assert_eq!(read.reference_time, -1000);
        let truncated = Row { timestamp: read.timestamp, reference_time: -1000, ..written };
        assert_eq!(format!("{:?}", read.row()), format!("{truncated:?}"));
    }
}

#[test]
fn the_same_rows_give_the_same_bytes() {
    let bytes = || {
        let root = tempfile::tempdir().unwrap();
        let archive =
            Archive::open(root.path(), ArchiveLimits { row_group_bytes: 20_000, ..limits() }).unwrap();
        archive.publish(write(&archive, 1, 0, 500).files).unwrap();
        fs::read(root.path().join(format!("{FOLDER}/{}.parquet", ObjectId([1; 16])))).unwrap()
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn many_partitions_share_one_buffer_and_lose_nothing() {
    let root = tempfile::tempdir().unwrap();
    let small = ArchiveLimits { buffer_bytes: 10_000, partitions: 20, ..limits() };
    let archive = Archive::open(root.path(), small).unwrap();
    let mut writer = archive.begin(&object(1), 0).unwrap();
    for event in 0..2000 {
        let (account, document) = (format!("{:012}", event % 30), document(event));
        writer.add(&partition(&account), &row(1, event, &document)).unwrap();
    }
    let done = writer.finish().unwrap();
    // Twenty of their own, the other ten together.
    assert_eq!((done.rows, done.files.len()), (2000, 21));
    assert!(done.files.iter().any(|file| file.file().contains("account=unknown/region=unknown")));
    archive.publish(done.files).unwrap();
    assert_eq!(counted(root.path()), expected(&[(1, 2000)]));
}

#[test]
fn a_large_row_is_a_row_group_of_its_own() {
    let root = tempfile::tempdir().unwrap();
    let archive = Archive::open(root.path(), limits()).unwrap();
    let mut writer = archive.begin(&object(1), 0).unwrap();
    let large: Vec<u8> =
        (0..9_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for event in 0..4 {
        let small = document(event);
        let original = if event % 2 == 0 { &large } else { &small };
        let row = Row { event_original: Some(original), ..row(1, event, &small) };
        writer.add(&partition("111122223333"), &row).unwrap();
    }
    let done = writer.finish().unwrap();
    archive.publish(done.files).unwrap();
    let read = read(root.path(), &format!("{FOLDER}/{}.parquet", ObjectId([1; 16])));
    let lengths: Vec<usize> = read.iter().map(|row| row.event_original.as_ref().unwrap().len()).collect();
    assert_eq!(lengths, [large.len(), document(1).len(), large.len(), document(3).len()]);
    assert_eq!(read[2].event_original.as_deref(), Some(large.as_slice()));
}

#[test]
fn what_is_not_finished_or_not_published_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let archive = Archive::open(root.path(), limits()).unwrap();
    drop(write(&archive, 1, 0, 10));
    let mut writer = archive.begin(&object(2), 0).unwrap();
    writer.add(&partition("111122223333"), &row(2, 0, b"{}")).unwrap();
    drop(writer);
    assert_eq!(fs::read_dir(root.path().join("archive/.staging")).unwrap().count(), 0);
    assert_eq!(partitions(root.path()).unwrap(), [""; 0]);
    assert_eq!(archive.begin(&object(3), 0).unwrap().finish().unwrap().files.len(), 0);
}

#[test]
fn a_full_disk_ends_writing_with_an_error_that_says_what_to_do() {
    let root = tempfile::tempdir().unwrap();
    let full = Archive::open(root.path(), ArchiveLimits { reserve_bytes: u64::MAX, ..limits() }).unwrap();
    let error = full.begin(&object(1), 0).unwrap_err();
    assert!(error.is_disk_full(), "{error}");
    assert!(matches!(error, ArchiveError::Files(StagingError::DiskFull { .. })));
}

/// Commits objects as a pipeline does.
fn commit(ledger: &Ledger, archive: &Archive, objects: &[(u8, u32, u32)]) {
    let (mut intents, mut records, mut files) = (vec![], vec![], vec![]);
    for (number, generation, count) in objects {
        let done = write(archive, *number, *generation, *count);
        let names: Vec<String> = done.files.iter().map(|file| file.file().to_owned()).collect();
        let object = ObjectId([*number; 16]);
        intents.push(Intent { object, day: DAY, files: names.clone() });
        let mut record = ObjectRecord::new(object, "logs", "AWSLogs/flow.log.gz", "v1", DAY);
        (record.generation, record.files, record.archive.handed) = (*generation, names, u64::from(*count));
        record.archive.rows = done.rows;
        records.push(record);
        files.extend(done.files);
    }
    ledger.begin(&intents).unwrap();
    archive.publish(files).unwrap();
    ledger.commit(&records).unwrap();
    ledger.sweep(|files| archive.remove(files)).unwrap();
}

const JOIN: JoinOptions = JoinOptions { up_to: DAY, small_bytes: 1 << 20, target_bytes: 1 << 30, files: 2 };

fn join(ledger: &Ledger, archive: &Archive, options: &JoinOptions) -> Joined {
    let counts = |object, file: &str| Ok::<_, ArchiveError>(ledger.holds(object, file)?);
    archive.join(options, counts).unwrap()
}

#[test]
fn small_files_are_joined_and_their_objects_can_still_be_replaced() {
    let root = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(root.path()).unwrap();
    let archive = Archive::open(root.path(), ArchiveLimits { row_group_bytes: 5000, ..limits() }).unwrap();
    commit(&ledger, &archive, &[(1, 0, 10), (2, 0, 20), (3, 0, 30)]);
    assert_eq!(join(&ledger, &archive, &JoinOptions { up_to: date(2026, 2, 28), ..JOIN }), Joined::default());
    assert_eq!(join(&ledger, &archive, &JoinOptions { files: 4, ..JOIN }), Joined::default());
    assert_eq!(join(&ledger, &archive, &JOIN), Joined { partitions: 1, from: 3, to: 1, rows: 60 });
    assert_eq!(parquet_files(root.path()).len(), 1);
    assert_eq!(counted(root.path()), expected(&[(1, 10), (2, 20), (3, 30)]));
    assert_eq!(join(&ledger, &archive, &JOIN), Joined::default());

    // Object 2 is processed again and has fewer rows; object 4 is new.
    commit(&ledger, &archive, &[(2, 1, 5), (4, 0, 7)]);
    let now = expected(&[(1, 10), (2, 5), (3, 30), (4, 7)]);
    assert_eq!(counted(root.path()), now);
    assert_eq!(parquet_files(root.path()).len(), 3);

    // Joined again, with the file that was joined before.
    assert_eq!(join(&ledger, &archive, &JOIN), Joined { partitions: 1, from: 3, to: 1, rows: 52 });
    assert_eq!(counted(root.path()), now);
    let order: Vec<u8> = read(root.path(), &files(root.path(), FOLDER).unwrap()[0])
        .iter()
        .map(|row| row.object_id[0])
        .collect();
    assert!(
        order.windows(2).filter(|pair| pair[0] != pair[1]).count() == 3,
        "rows of an object stay together"
    );

    // All that is left of the objects goes, and so does the joined file.
    let files: Vec<String> = [1, 2, 3, 4]
        .iter()
        .flat_map(|number| ledger.record(ObjectId([*number; 16])).unwrap().unwrap().files)
        .collect();
    archive.remove(&files).unwrap();
    assert_eq!(parquet_files(root.path()), [""; 0]);
}

#[test]
fn joined_files_are_closed_at_their_size_and_unfinished_objects_are_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(root.path()).unwrap();
    let archive = Archive::open(root.path(), limits()).unwrap();
    commit(&ledger, &archive, &[(1, 0, 10), (2, 0, 10), (3, 0, 10), (4, 0, 10), (5, 0, 10), (6, 0, 10)]);
    ledger.begin(&[Intent { object: ObjectId([6; 16]), day: DAY, files: vec![] }]).unwrap();
    let joined = join(&ledger, &archive, &JoinOptions { target_bytes: 1, ..JOIN });
    assert_eq!(joined, Joined::default(), "each would be a file of its own");
    let bytes = fs::metadata(root.path().join(&files(root.path(), FOLDER).unwrap()[0])).unwrap().len();
    let joined = join(&ledger, &archive, &JoinOptions { target_bytes: bytes * 2 - bytes / 2, ..JOIN });
    assert_eq!(joined, Joined { partitions: 1, from: 4, to: 2, rows: 40 });
    assert_eq!(parquet_files(root.path()).len(), 4);
    let all = [(1, 10), (2, 10), (3, 10), (4, 10), (5, 10), (6, 10)];
    assert_eq!(counted(root.path()), expected(&all));
}

#[test]
fn a_kill_while_joining_neither_loses_nor_doubles_rows() {
    let root = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(root.path()).unwrap();
    let archive = Archive::open(root.path(), limits()).unwrap();
    commit(&ledger, &archive, &[(1, 0, 10), (2, 0, 20)]);
    let all = expected(&[(1, 10), (2, 20)]);
    let folder = root.path().join(FOLDER);
    let contents = || -> Vec<(String, Vec<u8>)> {
        parquet_files(root.path())
            .into_iter()
            .map(|name| (name.clone(), fs::read(folder.join(name)).unwrap()))
            .collect()
    };
    let before = contents();
    join(&ledger, &archive, &JOIN);
    let after = contents();
    let restore = |files: &[(String, Vec<u8>)]| {
        for (name, bytes) in files {
            fs::write(folder.join(name), bytes).unwrap();
        }
    };
    let mark = || fs::write(root.path().join("archive/.joining"), FOLDER).unwrap();
    drop(archive);

    // Killed after the manifest was switched: the parts are still there and count no more.
    restore(&before);
    mark();
    let archive = Archive::open(root.path(), limits()).unwrap();
    assert_eq!(contents(), after);
    assert_eq!(counted(root.path()), all);
    assert!(!root.path().join("archive/.joining").exists());
    drop(archive);

    // Killed before: the joined file is there and does not count yet.
    fs::remove_file(folder.join("_manifest.json")).unwrap();
    restore(&before);
    mark();
    let archive = Archive::open(root.path(), limits()).unwrap();
    assert_eq!(contents(), before);
    assert_eq!(counted(root.path()), all);

    // And it can be joined again, to the same bytes.
    join(&ledger, &archive, &JOIN);
    assert_eq!(contents(), after);
}

#[test]
fn without_the_ledger_that_accounted_for_them_objects_take_their_rows_back() {
    let root = tempfile::tempdir().unwrap();
    let archive = Archive::open(root.path(), limits()).unwrap();
    {
        let ledger = Ledger::open(root.path()).unwrap();
        commit(&ledger, &archive, &[(1, 0, 10), (2, 0, 20)]);
        join(&ledger, &archive, &JOIN);
    }
    fs::remove_dir_all(root.path().join("ledger")).unwrap();
    let ledger = Ledger::open(root.path()).unwrap();
    commit(&ledger, &archive, &[(1, 0, 10)]);
    assert_eq!(counted(root.path()), expected(&[(1, 10), (2, 20)]));
}

#[test]
fn damaged_files_are_named_and_nothing_is_made_up_from_them() {
    let root = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(root.path()).unwrap();
    let archive = Archive::open(root.path(), limits()).unwrap();
    commit(&ledger, &archive, &[(1, 0, 10), (2, 0, 20)]);
    let name = format!("{FOLDER}/{}.parquet", ObjectId([1; 16]));
    fs::write(root.path().join(&name), "not parquet").unwrap();
    let counts = |object, file: &str| Ok::<_, ArchiveError>(ledger.holds(object, file)?);
    let error = archive.join(&JOIN, counts).unwrap_err();
    assert!(error.to_string().contains(&name), "{error}");
    fs::write(root.path().join(FOLDER).join("_manifest.json"), "{").unwrap();
    assert!(matches!(files(root.path(), FOLDER), Err(ArchiveError::Manifest { .. })));
    assert!(matches!(ArchiveError::from(LedgerError::ReadOnly), ArchiveError::Ledger(_)));
}
