//! Hits in order, counts by value and by time.

use super::*;

fn ids(found: &Found) -> Vec<[u8; 16]> {
    found.hits.iter().map(|hit| hit.id).collect()
}

fn nanoseconds(text: &str) -> i64 {
    instant_from_text(text).unwrap()
}

#[test]
fn hits_come_newest_first_and_then_by_id() {
    let dir = tempfile::tempdir().unwrap();
    let index = EmbeddedIndex::open(dir.path(), settings()).unwrap();
    let writer = index.writer().unwrap();
    // Three events at each of forty instants, over several segments and days.
    let events: Vec<Event> = (0..120_u64)
        .map(|number| {
            let json =
                json!({"@timestamp": format!("2026-11-23T10:00:{:02}.25Z", number * 7 % 40), "n": number});
            Event::new(number, 1, &json)
        })
        .collect();
    for (part, events) in events.chunks(25).enumerate() {
        add(&writer, date(2026, 11, 20 + (part % 3) as i8), events);
        writer.commit().unwrap();
    }
    let mut expected: Vec<(i64, [u8; 16])> =
        events.iter().map(|event| (event.reference().timestamp_ns, event.reference().id)).collect();
    expected.sort_unstable_by(|left, right| right.0.cmp(&left.0).then(left.1.cmp(&right.1)));
    let expected: Vec<[u8; 16]> = expected.into_iter().map(|(_, id)| id).collect();
    for (offset, limit) in [(0, 10), (0, 1000), (5, 3), (119, 5), (120, 5), (0, 0), (33, 50)] {
        let found = index.search(&SearchRequest { limit, offset, ..request("*") }).unwrap();
        assert_eq!(found.total, 120);
        assert_eq!(ids(&found), expected[offset.min(120)..(offset + limit).min(120)], "{offset} {limit}");
    }
    let hit = &index.search(&SearchRequest { limit: 1, ..request("n:39") }).unwrap().hits[0];
    let event = &events[39];
    assert_eq!((hit.id, hit.frame), (event.reference().id, event.reference().frame));
    assert_eq!(
        (hit.timestamp_ns, hit.json.as_slice()),
        (event.reference().timestamp_ns, event.json.as_bytes())
    );
    let by_id = format!("_id:{:032x}", u128::from_be_bytes(event.reference().id));
    assert_eq!(ids(&index.search(&request(&by_id)).unwrap()), [event.reference().id]);
    assert!(matches!(
        index.search(&SearchRequest { limit: usize::MAX, ..request("*") }),
        Err(IndexError::TooManyHits { .. })
    ));
}

#[test]
fn an_object_day_is_not_the_day_of_its_events() {
    let dir = tempfile::tempdir().unwrap();
    let index = EmbeddedIndex::open(dir.path(), settings()).unwrap();
    let writer = index.writer().unwrap();
    let times = [
        "2026-11-22T23:59:59.999999999Z",
        "2026-11-23T00:00:00Z",
        "2026-11-23T12:00:00Z",
        "2026-11-24T00:00:00Z",
    ];
    for (time, number) in times.into_iter().zip(0..) {
        let event = Event::new(number, 1, &json!({"@timestamp": time}));
        // An object delivered late, and one from a machine whose clock is off.
        add(&writer, date(2026, 12, 1 + number as i8), &[event]);
    }
    writer.commit().unwrap();
    let between = |from: Option<&str>, to: Option<&str>| {
        let request = SearchRequest { from: from.map(nanoseconds), to: to.map(nanoseconds), ..request("*") };
        index.search(&request).unwrap().total
    };
    assert_eq!(between(None, None), 4);
    assert_eq!(between(Some("2026-11-23T00:00:00Z"), Some("2026-11-24T00:00:00Z")), 2);
    assert_eq!(between(Some("2026-11-23T00:00:00Z"), None), 3);
    assert_eq!(between(None, Some("2026-11-23T00:00:00Z")), 1);
    assert_eq!(between(Some("2026-11-24T00:00:00Z"), Some("2026-11-23T00:00:00Z")), 0);
    assert_eq!(between(Some("2027"), None), 0);
    assert_eq!(total(&index, "@timestamp:2026-11-23"), 2);
    assert_eq!(total(&index, "@timestamp:[* TO 2026-11-23T00:00:00Z}"), 1);
    assert_eq!(total(&index, "NOT @timestamp:2026-11-23"), 2);
    let nothing = SearchRequest { to: Some(i64::MIN), ..request("*") };
    assert_eq!(index.search(&nothing).unwrap(), Found::default());
}

#[test]
fn a_search_sees_what_another_handle_commits() {
    let dir = tempfile::tempdir().unwrap();
    let index = EmbeddedIndex::open(dir.path(), settings()).unwrap();
    let reader = EmbeddedIndex::open(dir.path(), settings()).unwrap();
    let writer = index.writer().unwrap();
    for turn in 1..=20 {
        add(&writer, DAY, &events(turn, 100 * turn..100 * turn + 1));
        assert_eq!(total(&reader, "*"), turn - 1);
        writer.commit().unwrap();
        assert_eq!(total(&reader, "*"), turn);
    }
}

fn mixed() -> (tempfile::TempDir, EmbeddedIndex) {
    let dir = tempfile::tempdir().unwrap();
    let index = EmbeddedIndex::open(dir.path(), settings()).unwrap();
    let writer = index.writer().unwrap();
    for (number, json) in (0..).zip([
        json!({"@timestamp": "2026-11-23T10:00:00Z", "source": {"ip": "10.0.0.1"}, "user": {"name": "ann"}, "app": {"n": 1}}),
        json!({"@timestamp": "2026-11-23T10:00:30Z", "source": {"ip": "10.0.0.1"}, "user": {"name": "Ann"}, "app": {"n": "1"}}),
        json!({"@timestamp": "2026-11-23T10:02:00Z", "source": {"ip": ["10.0.0.1", "2001:db8::1"]}, "user": {"name": "ann"}}),
        json!({"@timestamp": "2026-11-23T10:59:59Z", "source": {"ip": "?"}, "user": {"name": ["bob", "ann", "bob"]}, "app": {"n": 2.5}}),
        json!({"@timestamp": "2026-11-23T11:00:00Z", "event": {"created": "2026-11-23"}, "app": {"n": true}, "message": "hi"}),
    ]) {
        add(&writer, if number < 3 { DAY } else { date(2026, 11, 24) }, &[Event::new(number, 1, &json)]);
        writer.commit().unwrap();
    }
    (dir, index)
}

#[test]
fn values_are_counted_exactly() {
    let (_dir, index) = mixed();
    let top = |query: &str, field: &str, count: usize| {
        let top = index.top(&request(query), field, count).unwrap();
        assert!(!top.approximate);
        let values: Vec<String> =
            top.values.into_iter().map(|value| format!("{}={}", value.value, value.documents)).collect();
        format!("{} of {}", values.join(" "), top.total)
    };
    assert_eq!(top("*", "user.name", 5), r#""ann"=3 "Ann"=1 "bob"=1 of 5"#);
    assert_eq!(top("*", "user.name", 1), r#""ann"=3 of 5"#);
    assert_eq!(top("source.ip:10.0.0.0/8", "user.name", 5), r#""ann"=2 "Ann"=1 of 3"#);
    assert_eq!(top("*", "source.ip", 5), r#""10.0.0.1"=3 "2001:db8::1"=1 "?"=1 of 5"#);
    assert_eq!(top("*", "app.n", 9).matches("=1").count(), 4);
    assert_eq!(top("app.n:2.5", "app.n", 9), "2.5=1 of 1");
    assert_eq!(top("*", "event.created", 9), r#""2026-11-23T00:00:00Z"=1 of 5"#);
    assert_eq!(top("*", "no.such.field", 9), " of 5");
    assert_eq!(top("user.name:nobody", "user.name", 9), " of 0");
    for field in ["message", "@timestamp", "_id"] {
        let error = index.top(&request("*"), field, 5).unwrap_err();
        assert!(matches!(error, IndexError::Field { .. }), "{error}");
    }
}

#[test]
fn hits_spread_over_time() {
    let (_dir, index) = mixed();
    let histogram = |query: &str, seconds: Option<i64>| {
        let histogram =
            index.histogram(&request(query), seconds.map(|seconds| seconds * 1_000_000_000)).unwrap();
        let buckets: Vec<String> = histogram
            .buckets
            .iter()
            .map(|bucket| {
                let start = jiff::Timestamp::from_nanosecond(bucket.start_ns.into()).unwrap();
                format!("{}={}", start.strftime("%H:%M:%S"), bucket.documents)
            })
            .collect();
        format!("{}s {}", histogram.interval_ns / 1_000_000_000, buckets.join(" "))
    };
    assert_eq!(histogram("*", Some(3600)), "3600s 10:00:00=4 11:00:00=1");
    assert_eq!(histogram("user.name:ann", Some(60)), "60s 10:00:00=1 10:02:00=1 10:59:00=1");
    assert_eq!(histogram("*", None), "300s 10:00:00=3 10:55:00=1 11:00:00=1");
    assert_eq!(histogram("user.name:Ann", None), "1s 10:00:30=1");
    assert_eq!(index.histogram(&request("nothing"), None).unwrap(), Histogram::default());
}

#[test]
fn a_wildcard_phrase_of_too_many_words_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let index = EmbeddedIndex::open(dir.path(), settings()).unwrap();
    let writer = index.writer().unwrap();
    let words: Vec<String> = (0..5000).map(|number| format!("w{number}")).collect();
    add(&writer, DAY, &[Event::new(1, 1, &json!({"message": words.join(" ")}))]);
    writer.commit().unwrap();
    assert_eq!(total(&index, "w49*-w50"), 1);
    let error = index.search(&request("w*-w50")).unwrap_err();
    assert!(matches!(error, IndexError::TooManyWords { .. }), "{error}");
}
