//! Adding, deleting, committing, forgetting; and a disk that fills up.

use super::*;

fn count(index: &EmbeddedIndex, object: u64) -> u64 {
    index.count_object(id(object)).unwrap()
}

#[test]
fn a_commit_makes_documents_visible_and_acknowledges_them() {
    let dir = tempfile::tempdir().unwrap();
    let index = EmbeddedIndex::open(dir.path().join("index"), settings()).unwrap();
    assert_eq!(total(&index, "*"), 0, "a folder that does not exist is an empty index");
    let writer = index.writer().unwrap();
    let added = add(&writer, DAY, &events(1, 0..10));
    assert_eq!((added.documents, added.refused.len()), (10, 0));
    add(&writer, DAY, &events(2, 10..13));
    assert_eq!(total(&index, "*"), 0);
    let report = writer.commit().unwrap();
    assert_eq!(report.acknowledged, BTreeMap::from([(id(1), 10), (id(2), 3)]));
    assert_eq!((total(&index, "*"), count(&index, 1), count(&index, 2)), (13, 10, 3));
    assert_eq!(writer.commit().unwrap(), CommitReport::default());
    add(&writer, DAY, &events(2, 20..21));
    assert_eq!(writer.commit().unwrap().acknowledged, BTreeMap::from([(id(2), 1)]));
    assert_eq!(count(&index, 2), 4);
}

#[test]
fn deleting_and_adding_again_in_one_commit_leaves_the_new_documents() {
    let dir = tempfile::tempdir().unwrap();
    let index = EmbeddedIndex::open(dir.path(), settings()).unwrap();
    let writer = index.writer().unwrap();
    add(&writer, DAY, &events(1, 0..10));
    add(&writer, DAY, &events(2, 10..20));
    writer.commit().unwrap();
    // Committed documents, documents in memory, and those that come after the deletion.
    add(&writer, DAY, &events(1, 20..25));
    writer.delete_object(Some(DAY), id(1)).unwrap();
    add(&writer, DAY, &events(1, 30..33));
    assert_eq!(count(&index, 1), 10, "nothing changes before the commit");
    assert_eq!(writer.commit().unwrap().acknowledged, BTreeMap::from([(id(1), 3)]));
    assert_eq!((count(&index, 1), count(&index, 2), total(&index, "*")), (3, 10, 13));
    // Twice, in all days, and of an object that is nowhere.
    writer.delete_object(None, id(1)).unwrap();
    add(&writer, DAY, &events(1, 40..42));
    writer.delete_object(None, id(1)).unwrap();
    add(&writer, DAY, &events(1, 50..51));
    writer.delete_object(None, id(9)).unwrap();
    assert_eq!(writer.commit().unwrap().acknowledged, BTreeMap::from([(id(1), 1)]));
    writer.delete_object(Some(date(2020, 1, 1)), id(1)).unwrap();
    writer.commit().unwrap();
    assert_eq!((count(&index, 1), total(&index, "*")), (1, 11));
    assert_eq!(index.days().unwrap(), [DAY], "asking for a day does not make it");
}

#[test]
fn a_frame_is_replaced_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let index = EmbeddedIndex::open(dir.path(), settings()).unwrap();
    let writer = index.writer().unwrap();
    add(&writer, DAY, &events(1, 0..100));
    writer.commit().unwrap();
    let again = events(1, 0..50);
    let frames: Vec<[u8; 16]> = again.iter().map(|event| event.reference().frame).collect();
    for (event, frame) in again.iter().zip(&frames).take(20) {
        writer.delete_frames(Some(DAY), &[*frame]).unwrap();
        writer.add(DAY, &[event.reference(), event.reference()]).unwrap();
    }
    // And once more, while the first replacement is not committed yet.
    writer.delete_frames(None, &frames).unwrap();
    add(&writer, DAY, &again[..40]);
    assert_eq!(writer.commit().unwrap().acknowledged, BTreeMap::from([(id(1), 40)]));
    assert_eq!((count(&index, 1), total(&index, "message:\"event number 45\"")), (90, 0));
}

#[test]
fn threads_add_at_once_to_many_days_in_little_memory() {
    let dir = tempfile::tempdir().unwrap();
    let small = Settings { writer_memory: 2 << 20, max_open_writers: 2, ..settings() };
    let index = EmbeddedIndex::open(dir.path(), small).unwrap();
    let writer = index.writer().unwrap();
    let first = date(2026, 1, 1);
    std::thread::scope(|scope| {
        for thread in 0..3_u64 {
            let writer = &writer;
            scope.spawn(move || {
                for turn in 0..4_u64 {
                    for day in 0..40_u64 {
                        let object = 1000 * thread + day;
                        let start = thread * 100_000 + turn * 10_000 + day * 100;
                        let day = first.checked_add(jiff::Span::new().days(day as i64)).unwrap();
                        add(writer, day, &events(object, start..start + 20));
                    }
                }
            });
        }
    });
    let report = writer.commit().unwrap();
    assert_eq!(report.acknowledged.len(), 3 * 40);
    assert!(report.acknowledged.values().all(|documents| *documents == 4 * 20));
    assert_eq!((total(&index, "*"), index.days().unwrap().len()), (3 * 4 * 40 * 20, 40));
    assert_eq!(count(&index, 1005), 80);
}

#[test]
fn there_is_one_writer() {
    let dir = tempfile::tempdir().unwrap();
    let index = EmbeddedIndex::open(dir.path(), settings()).unwrap();
    let writer = index.writer().unwrap();
    let other = EmbeddedIndex::open(dir.path(), settings()).unwrap();
    assert!(matches!(other.writer(), Err(IndexError::Busy { .. })));
    drop(writer);
    add(&other.writer().unwrap(), DAY, &events(1, 0..1));
}

#[test]
fn nothing_that_is_an_object_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let index = EmbeddedIndex::open(dir.path(), settings()).unwrap();
    let writer = index.writer().unwrap();
    let deep = format!("{{\"deep\":{}\"end\"{}}}", "[{\"a\":".repeat(5_000), "}]".repeat(5_000));
    let long = format!("{{\"long\":\"{}\",\"{}\":1}}", "z".repeat(200_000), "k".repeat(200_000));
    let odd = [
        "{}",
        " { \"a\" : 1 , \"a\" : \"text\" , \"a\" : { \"b\" : [ null , true ] } } ",
        r#"{"huge":1e999,"big":123456789012345678901234567890,"tiny":-1e-300,"":"","a.b..c":{"":{".":1}}}"#,
        "{\"\\u0000\\u0001\":\"\\u0000\",\"control\":\"\u{1}\u{1f}\",\"\\ud800\":\"\\udfff\"}",
        r#"{"source":{"ip":["not an address",5,{"x":1}],"port":"https"},"message":{"not":"text"},"event":{"created":"never"}}"#,
        &deep,
        &long,
    ];
    let documents: Vec<DocumentRef<'_>> = odd
        .iter()
        .zip(0..)
        .map(|(json, number)| DocumentRef {
            id: id(number),
            object: id(1),
            frame: id(number),
            timestamp_ns: i64::try_from(number).unwrap(),
            json: json.as_bytes(),
        })
        .collect();
    assert_eq!(writer.add(DAY, &documents).unwrap(), Added { documents: 7, refused: Vec::new() });
    writer.commit().unwrap();
    let found = index.search(&request("*")).unwrap();
    let returned: Vec<&[u8]> = found.hits.iter().rev().map(|hit| hit.json.as_slice()).collect();
    assert_eq!(returned, odd.iter().map(|json| json.as_bytes()).collect::<Vec<_>>(), "byte for byte");
    for query in [
        "a:1",
        "a:text",
        "a.b:true",
        "huge:1e999",
        "big:>1e29",
        "tiny:<0",
        "source.ip:*",
        "source.port:*",
        "message.not:text",
        "\"not an address\"",
        "end",
        "control:*",
        "long:zzz*",
    ] {
        assert_eq!(total(&index, query), 1, "{query}");
    }
}

#[test]
fn what_is_no_object_is_named_and_the_rest_goes_in() {
    let dir = tempfile::tempdir().unwrap();
    let index = EmbeddedIndex::open(dir.path(), settings()).unwrap();
    let writer = index.writer().unwrap();
    let good = events(1, 0..100);
    let mut documents: Vec<DocumentRef<'_>> = good.iter().map(Event::reference).collect();
    documents[3].json = b"[1]";
    documents[70].json = b"{\"a\":\"\xff\"}";
    let added = writer.add(DAY, &documents).unwrap();
    assert_eq!(added.documents, 98);
    let refused: Vec<(usize, [u8; 16])> =
        added.refused.iter().map(|refused| (refused.position, refused.id)).collect();
    assert_eq!(refused, [(3, id(3)), (70, id(70))]);
    assert!(added.refused[1].reason.contains("UTF-8 at byte 6"), "{}", added.refused[1].reason);
    assert_eq!(writer.commit().unwrap().acknowledged, BTreeMap::from([(id(1), 98)]));
}

#[test]
fn a_disk_below_its_reserve_takes_nothing_more() {
    let dir = tempfile::tempdir().unwrap();
    let index = EmbeddedIndex::open(dir.path(), settings()).unwrap();
    let writer = index.writer().unwrap();
    add(&writer, DAY, &events(1, 0..10));
    writer.commit().unwrap();
    drop(writer);
    let full =
        EmbeddedIndex::open(dir.path(), Settings { min_free_bytes: u64::MAX / 2, ..settings() }).unwrap();
    let writer = full.writer().unwrap();
    let events = events(2, 10..20);
    for _ in 0..2 {
        let error = writer.add(DAY, &[events[0].reference()]).unwrap_err();
        assert!(matches!(&error, IndexError::DiskFull { needed, free, .. } if needed > free), "{error}");
        assert!(matches!(writer.commit(), Err(IndexError::DiskFull { .. })));
    }
    assert_eq!(total(&full, "*"), 10);
}

#[test]
fn a_disk_that_fills_up_loses_nothing_committed() {
    let mut failures = 0;
    for budget in [0, 100, 1_000, 5_000, 20_000, 60_000, 100_000, 140_000, 1 << 40] {
        let dir = tempfile::tempdir().unwrap();
        let index = EmbeddedIndex::open(dir.path(), settings()).unwrap();
        let writer = index.writer().unwrap();
        add(&writer, DAY, &events(1, 0..200));
        writer.commit().unwrap();
        drop(writer);

        let fault = Fault::new(budget);
        let faulty = EmbeddedIndex::open(dir.path(), Settings { fault: Some(fault), ..settings() }).unwrap();
        let writer = faulty.writer().unwrap();
        let more = events(2, 200..900);
        let replace = || {
            writer.delete_object(Some(DAY), id(1))?;
            writer.add(DAY, &more.iter().map(Event::reference).collect::<Vec<_>>())?;
            writer.commit()
        };
        match replace() {
            Ok(report) => assert_eq!(report.acknowledged, BTreeMap::from([(id(2), 700)])),
            Err(error) => {
                failures += 1;
                assert!(matches!(error, IndexError::DiskFull { .. }), "{budget}: {error:?}");
                assert!(matches!(writer.commit(), Err(IndexError::Stopped { .. })), "{budget}");
                assert_eq!(
                    (count(&index, 1), count(&index, 2), total(&index, "*")),
                    (200, 0, 200),
                    "{budget}"
                );
            }
        }
        drop(writer);

        // With room again, a new writer goes on from what was committed.
        let writer = index.writer().unwrap();
        writer.delete_object(None, id(1)).unwrap();
        writer.delete_object(None, id(2)).unwrap();
        add(&writer, DAY, &more);
        writer.commit().unwrap();
        assert_eq!((count(&index, 1), count(&index, 2), total(&index, "*")), (0, 700, 700), "{budget}");
    }
    assert!((4..9).contains(&failures), "{failures} budgets were too small");
}

#[test]
fn small_segments_are_merged_and_nothing_changes() {
    let dir = tempfile::tempdir().unwrap();
    let index = EmbeddedIndex::open(dir.path(), settings()).unwrap();
    let writer = index.writer().unwrap();
    for turn in 0..30 {
        add(&writer, DAY, &events(turn, 100 * turn..100 * turn + 20));
        if turn % 5 == 4 {
            writer.delete_object(Some(DAY), id(turn - 1)).unwrap();
        }
        writer.commit().unwrap();
    }
    writer.wait_for_merges();
    let segments = std::fs::read_dir(dir.path().join(DAY.to_string()))
        .unwrap()
        .filter(|entry| {
            entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "store")
        })
        .count();
    assert!(segments < 12, "{segments} segments are left of 30");
    assert_eq!((total(&index, "*"), count(&index, 3), count(&index, 5)), (24 * 20, 0, 20));
    // A merge keeps what was recorded about the day.
    drop(writer);
    let again = EmbeddedIndex::open(dir.path(), settings()).unwrap();
    let late = SearchRequest { from: Some(i64::MAX - 1), ..request("*") };
    assert_eq!((again.search(&late).unwrap().total, total(&again, "*")), (0, 24 * 20));
}

#[test]
fn retention_is_off_until_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let today = date(2026, 11, 30);
    let days = [date(2026, 10, 1), date(2026, 11, 22), date(2026, 11, 23), today];
    let index = EmbeddedIndex::open(dir.path(), settings()).unwrap();
    let writer = index.writer().unwrap();
    for (day, number) in days.into_iter().zip(0..) {
        add(&writer, day, &events(number, 10 * number..10 * number + 2));
    }
    writer.commit().unwrap();
    assert_eq!(writer.apply_retention(today).unwrap(), []);
    assert_eq!(index.days().unwrap(), days);
    drop(writer);
    std::fs::create_dir(dir.path().join(".removed-2020-01-01")).unwrap();
    let keeping =
        EmbeddedIndex::open(dir.path(), Settings { retention_days: Some(7), ..settings() }).unwrap();
    assert_eq!(total(&keeping, "*"), 8);
    let writer = keeping.writer().unwrap();
    assert_eq!(writer.apply_retention(today).unwrap(), days[..2]);
    assert_eq!((total(&keeping, "*"), total(&index, "*")), (4, 4));
    assert!(!dir.path().join(".removed-2020-01-01").exists(), "a removal cut short is finished");
    // The day can come back.
    add(&writer, days[0], &events(9, 90..91));
    writer.commit().unwrap();
    assert_eq!(total(&index, "*"), 5);
}

#[test]
fn an_index_of_another_version_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(VERSION_FILE), "0\n").unwrap();
    let error = EmbeddedIndex::open(dir.path(), settings()).unwrap_err().to_string();
    assert!(error.contains("has schema version 0, and this program reads version 1"), "{error}");
    assert!(error.contains("move the folder away and run `weir ingest --again`"), "{error}");
    std::fs::remove_file(dir.path().join(VERSION_FILE)).unwrap();
    std::fs::create_dir(dir.path().join("2026-11-23")).unwrap();
    assert!(matches!(EmbeddedIndex::open(dir.path(), settings()), Err(IndexError::SchemaVersion { .. })));
}
