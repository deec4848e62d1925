use super::*;
use jiff::civil::{Date, date};
use proptest::prelude::*;
use std::fs;
use std::path::Path;

const DAY: Date = date(2026, 3, 1);

fn id(number: u8) -> ObjectId {
    ObjectId([number; 16])
}

fn record(number: u8) -> ObjectRecord {
    let mut record = ObjectRecord::new(id(number), "logs", &format!("AWSLogs/{number}.gz"), "v1", DAY);
    record.log_types = vec!["vpcflow".to_owned()];
    record.frames = FrameCounts { total: 3, parsed: 2, quarantined: 1, ..FrameCounts::default() };
    record.events = EventCounts { total: 2, indexed: 2, ..EventCounts::default() };
    record
}

fn intent(number: u8, files: &[&str]) -> Intent {
    Intent { object: id(number), day: DAY, files: files.iter().map(|file| (*file).to_owned()).collect() }
}

fn put(folder: &Path, file: &str) {
    let path = folder.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "contents").unwrap();
}

fn sweep(ledger: &Ledger) -> usize {
    ledger.sweep::<LedgerError>(|files| Ok(remove_files(ledger.folder(), files)?)).unwrap()
}

/// The data folder as a killed process would leave it: its files as they are now, the ledger not closed.
fn killed(folder: &Path) -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            let target = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                copy(&entry.path(), &target);
            } else {
                fs::copy(entry.path(), target).unwrap();
            }
        }
    }
    let copied = tempfile::tempdir().unwrap();
    copy(folder, copied.path());
    copied
}

#[test]
fn a_ledger_that_was_cut_short_is_called_damaged() {
    let folder = tempfile::tempdir().unwrap();
    Ledger::open(folder.path()).unwrap().commit(&[record(1)]).unwrap();
    let path = folder.path().join("ledger/ledger.redb");
    fs::File::options().write(true).open(path).unwrap().set_len(4096).unwrap();
    for opened in [Ledger::open_read_only(folder.path()), Ledger::open(folder.path())] {
        let error = opened.err().unwrap();
        assert!(matches!(error, LedgerError::Damaged { .. }), "{error:?}");
    }
}

#[test]
fn a_record_is_there_after_the_commit_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path()).unwrap();
    assert_eq!(ledger.status(id(1)).unwrap(), Status::New);
    ledger.begin(&[intent(1, &["archive/a"])]).unwrap();
    assert!(matches!(ledger.status(id(1)).unwrap(), Status::Unfinished { record: None, .. }));
    let mut committed = record(1);
    committed.files = vec!["archive/a".to_owned()];
    ledger.commit(std::slice::from_ref(&committed)).unwrap();
    assert_eq!(ledger.status(id(1)).unwrap(), Status::Done(Box::new(committed.clone())));
    drop(ledger);
    let again = Ledger::open(folder.path()).unwrap();
    assert_eq!(again.record(id(1)).unwrap(), Some(committed));
    assert_eq!(again.totals(RecordFilter::default()).unwrap().frames, 3);
}

#[test]
fn a_kill_at_any_step_leaves_the_record_before_or_the_record_after_and_no_orphans() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path()).unwrap();
    let mut first = record(1);
    first.files = vec!["archive/p/1".to_owned(), "archive/q/1".to_owned()];
    ledger.begin(&[intent(1, &["archive/p/1", "archive/q/1"])]).unwrap();
    put(folder.path(), "archive/p/1");
    put(folder.path(), "archive/q/1");

    // Killed with both files in place and no record: they count for nothing, the day is remembered.
    let copy = killed(folder.path());
    let after = Ledger::open(copy.path()).unwrap();
    assert_eq!(sweep(&after), 2);
    assert!(!copy.path().join("archive/p/1").exists() && !copy.path().join("archive/q/1").exists());
    assert_eq!(after.remembered_day(id(1)).unwrap(), Some(DAY));
    assert_eq!(after.unfinished().unwrap(), [intent(1, &[])]);
    assert_eq!(after.generation(id(1)).unwrap(), 0);

    // Processed again under other rules, killed before the commit: the first record and its files hold.
    ledger.commit(&[first.clone()]).unwrap();
    assert_eq!(sweep(&ledger), 0);
    assert_eq!(ledger.generation(id(1)).unwrap(), 1);
    ledger.begin(&[intent(1, &["archive/p/1.1"])]).unwrap();
    put(folder.path(), "archive/p/1.1");
    let copy = killed(folder.path());
    let after = Ledger::open(copy.path()).unwrap();
    assert_eq!(sweep(&after), 1);
    assert!(copy.path().join("archive/p/1").exists() && !copy.path().join("archive/p/1.1").exists());
    assert!(matches!(after.status(id(1)).unwrap(), Status::Unfinished { record: Some(_), .. }));
    assert_eq!(after.record(id(1)).unwrap(), Some(first));

    // Killed after the commit and before the sweep: the second record and its file hold, the old files go.
    let mut second = record(1);
    second.generation = 1;
    second.files = vec!["archive/p/1.1".to_owned()];
    ledger.commit(&[second.clone()]).unwrap();
    let copy = killed(folder.path());
    let after = Ledger::open(copy.path()).unwrap();
    assert_eq!(sweep(&after), 2);
    assert!(copy.path().join("archive/p/1.1").exists() && !copy.path().join("archive/p/1").exists());
    assert_eq!(after.status(id(1)).unwrap(), Status::Done(Box::new(second)));
    assert_eq!(after.totals(RecordFilter::default()).unwrap().objects, 1);
}

#[test]
fn files_of_an_attempt_that_failed_go_when_the_next_one_has_others() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path()).unwrap();
    ledger.begin(&[intent(1, &["archive/a", "archive/b"])]).unwrap();
    put(folder.path(), "archive/a");
    put(folder.path(), "archive/b");
    ledger.begin(&[intent(1, &["archive/b", "archive/c"])]).unwrap();
    assert_eq!(sweep(&ledger), 1);
    assert!(!folder.path().join("archive/a").exists() && folder.path().join("archive/b").exists());
    ledger.abandon(id(1)).unwrap();
    assert_eq!(sweep(&ledger), 2);
    assert_eq!(ledger.status(id(1)).unwrap(), Status::New);
    assert!(!folder.path().join("archive/b").exists());
}

#[test]
fn what_cannot_be_removed_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path()).unwrap();
    ledger.begin(&[intent(1, &["archive/a"])]).unwrap();
    ledger.abandon(id(1)).unwrap();
    let refused = ledger.sweep(|_| Err(LedgerError::ReadOnly));
    assert!(refused.is_err());
    assert_eq!(sweep(&ledger), 1);
    assert_eq!(sweep(&ledger), 0);
}

#[test]
fn one_writes_and_others_read() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Ledger::open_read_only(folder.path()), Err(LedgerError::Missing { .. })));
    let ledger = Ledger::open(folder.path()).unwrap();
    let refused = Ledger::open(folder.path()).unwrap_err();
    assert!(matches!(refused, LedgerError::InUse { .. }), "{refused}");
    assert!(refused.to_string().contains(&folder.path().display().to_string()), "{refused}");

    let reader = Ledger::open_read_only(folder.path()).unwrap();
    ledger.commit(&[record(1)]).unwrap();
    assert_eq!(reader.totals(RecordFilter::default()).unwrap().objects, 1);
    assert!(matches!(reader.begin(&[intent(2, &[])]), Err(LedgerError::ReadOnly)));

    let copy = killed(folder.path());
    assert_eq!(
        Ledger::open_read_only(copy.path()).unwrap().totals(RecordFilter::default()).unwrap().objects,
        1
    );
}

#[test]
fn a_ledger_of_a_newer_weir_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(Ledger::open(folder.path()).unwrap());
    let database = redb::Database::open(folder.path().join("ledger/ledger.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta: redb::TableDefinition<'_, &str, u32> = redb::TableDefinition::new("meta");
    transaction.open_table(meta).unwrap().insert("format", 99).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(matches!(Ledger::open(folder.path()), Err(LedgerError::Newer { found: 99, .. })));
    assert!(matches!(Ledger::open_read_only(folder.path()), Err(LedgerError::Newer { found: 99, .. })));
}

#[test]
fn records_are_found_by_type_key_day_and_balance() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path()).unwrap();
    let mut records: Vec<_> = (1..=5).map(record).collect();
    records[1].day = date(2026, 3, 2);
    records[2].log_types = vec!["alb".to_owned(), "waf".to_owned()];
    records[3].key = "other/4".to_owned();
    records[4].day = date(2025, 12, 31);
    records[4].frames.total += 1;
    ledger.commit(&records).unwrap();
    let found = |filter: RecordFilter| -> Vec<u8> {
        ledger.records(filter).unwrap().map(|record| record.unwrap().id.0[0]).collect()
    };
    let all = RecordFilter::default;
    assert_eq!(found(all()), [5, 1, 3, 4, 2]);
    assert_eq!(found(RecordFilter { log_type: Some("waf".to_owned()), ..all() }), [3]);
    assert_eq!(found(RecordFilter { key_prefix: Some("other/".to_owned()), ..all() }), [4]);
    assert_eq!(found(RecordFilter { from: Some(DAY), to: Some(DAY), ..all() }), [1, 3, 4]);
    assert_eq!(found(RecordFilter { from: Some(date(2026, 3, 2)), ..all() }), [2]);
    assert_eq!(found(RecordFilter { from: Some(DAY), to: Some(date(2026, 1, 1)), ..all() }), [0_u8; 0]);
    assert_eq!(found(RecordFilter { unbalanced: true, ..all() }), [5]);
    let totals = ledger.totals(all()).unwrap();
    assert_eq!((totals.objects, totals.frames, totals.quarantined, totals.unexplained), (5, 16, 5, 1));

    // A record that moves to another day is listed once.
    records[0].day = date(2026, 4, 1);
    ledger.commit(&records[..1]).unwrap();
    assert_eq!(found(all()), [5, 3, 4, 2, 1]);
}

#[test]
fn followed_files_move_with_their_record_and_rotate_in_one_step() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path()).unwrap();
    let state = |path: &str, offset| Followed {
        path: path.to_owned(),
        fingerprint: "f1".to_owned(),
        offset,
        size: offset,
    };
    let mut grown = record(1);
    grown.followed = Some(state("app.log", 100));
    ledger.commit(&[grown.clone()]).unwrap();
    assert_eq!(ledger.followed("app.log").unwrap().unwrap().state.offset, 100);

    let mut piece = record(1);
    piece.followed = Some(state("app.log", 150));
    piece.files = vec!["archive/x".to_owned()];
    grown.add_piece(piece);
    ledger.commit(&[grown.clone()]).unwrap();
    let stored = ledger.record(id(1)).unwrap().unwrap();
    assert_eq!((stored.frames.total, stored.events.indexed, stored.unexplained()), (6, 4, 0));
    assert_eq!(stored.files, ["archive/x"]);
    assert_eq!(ledger.followed("app.log").unwrap().unwrap().state.offset, 150);

    // app.log becomes app.log.1; another file takes its path.
    let old = FollowedFile { object: id(1), state: state("app.log.1", 150) };
    let new = FollowedFile { object: id(2), state: state("app.log", 0) };
    ledger.follow(&[old.clone(), new.clone()], &["app.log"]).unwrap();
    assert_eq!(ledger.followed_files().unwrap(), [new.clone(), old]);
    // The rest of the rotated file arrives: the path that another file has now stays that file's.
    grown.followed = Some(state("app.log.1", 160));
    ledger.commit(&[grown]).unwrap();
    assert_eq!(ledger.followed("app.log").unwrap(), Some(new));
    assert_eq!(ledger.followed("app.log.1").unwrap().unwrap().state.offset, 160);
}

#[test]
fn a_replay_moves_and_never_adds() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path()).unwrap();
    let mut before = record(1);
    before.frames =
        FrameCounts { total: 10, parsed: 4, quarantined: 4, waiting: 2, ..FrameCounts::default() };
    before.events = EventCounts { total: 5, indexed: 3, dead_lettered: 2, ..EventCounts::default() };
    before.files = vec!["quarantine/1".to_owned()];
    ledger.commit(&[before.clone()]).unwrap();
    let moved = |from, to, frames| FrameMove { from, to, frames };
    let replay = Replay {
        frames: vec![
            moved(FrameState::Quarantined, FrameState::Parsed, 3),
            moved(FrameState::Waiting, FrameState::Skipped, 2),
        ],
        events: EventCounts { total: 6, indexed: 5, reduced: 1, ..EventCounts::default() },
        archive: ArchiveCounts { handed: 6, rows: 6 },
        redriven: EventMove { indexed: 2, ..EventMove::default() },
        files_added: vec!["quarantine/1.1".to_owned()],
        files_removed: vec!["quarantine/1".to_owned()],
        generation: 1,
    };
    let after = ledger.replayed(id(1), &replay).unwrap();
    let frames = FrameCounts { total: 10, parsed: 7, skipped: 2, quarantined: 1, ..FrameCounts::default() };
    assert_eq!(after.frames, frames);
    assert_eq!(after.events, EventCounts { total: 11, indexed: 10, reduced: 1, ..EventCounts::default() });
    assert_eq!((after.unexplained(), after.generation), (0, 1));
    assert_eq!(sweep(&ledger), 1);

    // More than there are: nothing changes.
    let refused = ledger.replayed(id(1), &replay).unwrap_err();
    assert!(matches!(refused, LedgerError::NotSoMany { have: 1, asked: 3, .. }), "{refused}");
    assert_eq!(ledger.record(id(1)).unwrap(), Some(after));
    assert!(matches!(ledger.replayed(id(9), &replay), Err(LedgerError::NoRecord { .. })));
}

#[test]
fn an_older_record_without_newer_fields_is_read() {
    let text =
        format!(r#"{{"id":"{}","bucket":"b","key":"k","version":"v","day":"2026-03-01","later":1}}"#, id(7));
    let read: ObjectRecord = serde_json::from_str(&text).unwrap();
    assert_eq!(read, ObjectRecord::new(id(7), "b", "k", "v", DAY));
}

prop_compose! {
    fn balanced()(
        bytes in prop::array::uniform3(0_u64..1 << 40),
        rows in prop::array::uniform2(0_u64..1 << 30),
        frames in prop::array::uniform5(0_u64..1 << 30),
        events in prop::array::uniform4(0_u64..1 << 30),
        archived in 0_u64..1 << 30,
        duplicates in 0.0_f64..=1.0,
    ) -> ObjectRecord {
        let mut record = ObjectRecord::new(id(1), "b", "k", "v", DAY);
        let [framed, framing, damaged] = bytes;
        record.bytes = ByteCounts { read: bytes.iter().sum(), frames: framed, framing, damaged };
        record.rows = RowCounts { expected: rows.iter().sum(), read: rows[0], damaged: rows[1] };
        let [parsed, skipped, quarantined, waiting, unrouted] = frames;
        record.frames =
            FrameCounts { total: frames.iter().sum(), parsed, skipped, quarantined, waiting, unrouted };
        let [indexed, archived_only, reduced, dead_lettered] = events;
        let duplicates = (indexed as f64 * duplicates) as u64;
        let total = events.iter().sum();
        record.events = EventCounts { total, indexed, archived_only, reduced, dead_lettered, duplicates };
        record.archive = ArchiveCounts { handed: archived, rows: archived };
        record
    }
}

/// Every count that an equation holds, so that one can be changed alone.
fn counts(record: &mut ObjectRecord) -> Vec<&mut u64> {
    let ObjectRecord { bytes, rows, frames, events, archive, .. } = record;
    vec![
        &mut bytes.read,
        &mut bytes.frames,
        &mut bytes.framing,
        &mut bytes.damaged,
        &mut rows.expected,
        &mut rows.read,
        &mut rows.damaged,
        &mut frames.total,
        &mut frames.parsed,
        &mut frames.skipped,
        &mut frames.quarantined,
        &mut frames.waiting,
        &mut frames.unrouted,
        &mut events.total,
        &mut events.indexed,
        &mut events.archived_only,
        &mut events.reduced,
        &mut events.dead_lettered,
        &mut archive.handed,
        &mut archive.rows,
    ]
}

proptest! {
    #[test]
    fn a_balanced_record_explains_all_and_one_thing_lost_or_made_up_shows(
        record in balanced(),
        which in 0_usize..20,
        amount in 1_u64..1000,
    ) {
        prop_assert_eq!(record.unexplained(), 0);
        for lost in [true, false] {
            let mut wrong = record.clone();
            wrong.events.duplicates = 0;
            let mut all = counts(&mut wrong);
            let before = *all[which];
            *all[which] = if lost { before.saturating_sub(amount) } else { before + amount };
            let change = before.abs_diff(*all[which]);
            prop_assert_eq!(wrong.unexplained(), change);
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written(record in balanced()) {
        let text = serde_json::to_vec(&record).unwrap();
        prop_assert_eq!(serde_json::from_slice::<ObjectRecord>(&text).unwrap(), record);
    }

    #[test]
    fn differences_of_two_records_never_cancel_out(mut one in balanced(), mut other in balanced()) {
        one.frames.total += 5;
        other.frames.parsed += 5;
        let mut totals = Totals::default();
        totals.add(&one);
        totals.add(&other);
        prop_assert_eq!(totals.unexplained, 10);
    }
}
