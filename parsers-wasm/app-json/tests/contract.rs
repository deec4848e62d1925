//! What fixtures cannot show: the wrapper's time, members in any order, and the host's limits.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use serde_json::Value;
use std::fs;
use std::path::Path;
use weir_parser_app_json::AppJson;
use weir_parser_sdk::{Batch, FrameOutcome, FramingKind, Origin, TimeZone, Wrapped, parse_batch};

fn parse(frame: &str, wrapper_time: Option<i64>) -> (Vec<Value>, Vec<FrameOutcome>) {
    parse_from(None, frame, wrapper_time)
}

fn parse_from(
    log_group: Option<&str>,
    frame: &str,
    wrapper_time: Option<i64>,
) -> (Vec<Value>, Vec<FrameOutcome>) {
    let batch = Batch {
        origin: Origin {
            account: None,
            region: None,
            bucket: "logs".to_owned(),
            key: "app/log".to_owned(),
            version_id: None,
            archive_member: None,
            log_type: "app-json".to_owned(),
            team: None,
            log_group: log_group.map(str::to_owned),
            log_stream: None,
            container: None,
            host: None,
            attributes: Vec::new(),
        },
        reference_time: 0,
        time_zone: TimeZone { name: "+01:00".to_owned(), initial_offset: 3600, transitions: Vec::new() },
        framing: FramingKind::Json,
        header: None,
        frames: frame.as_bytes().to_vec(),
        ends: vec![frame.len() as u32],
        wrapped: wrapper_time
            .map(|time| Wrapped { id: None, time: Some(time), attributes: Vec::new() })
            .into_iter()
            .collect(),
    };
    let parsed = parse_batch::<AppJson>(&batch);
    let mut start = 0;
    let documents = parsed.ends.iter().map(|end| {
        let document = serde_json::from_slice(&parsed.documents[start..*end as usize]).unwrap();
        start = *end as usize;
        document
    });
    (documents.collect(), parsed.outcomes)
}

#[test]
fn times_without_an_offset_are_in_the_sources_zone() {
    let (events, _) = parse(r#"{"time":"2026-01-15 10:00:00,123","msg":"a"}"#, None);
    assert_eq!(events[0]["@timestamp"], "2026-01-15T09:00:00.123Z");
}

#[test]
fn the_wrappers_time_is_second_choice() {
    let wrapper = Some(1_768_471_200_000_000_000);
    assert_eq!(parse(r#"{"msg":"a"}"#, wrapper).0[0]["@timestamp"], "2026-01-15T10:00:00.000Z");
    assert_eq!(
        parse(r#"{"ts":1768471201,"msg":"a"}"#, wrapper).0[0]["@timestamp"],
        "2026-01-15T10:00:01.000Z"
    );
}

#[test]
fn values_that_are_no_objects_are_messages_or_nothing() {
    for (frame, message) in [
        ("\"a string\"", "a string"),
        ("42", "42"),
        ("true", "true"),
        ("\"{\\\"msg\\\":\\\"an object in a string\\\"}\"", "an object in a string"),
        (" \"blanks \" ", "blanks"),
    ] {
        assert_eq!(parse(frame, None).0[0]["message"], message, "{frame}");
    }
    for frame in ["null", "\"\"", "", " \n", "{}", "\"  \""] {
        assert!(matches!(parse(frame, None).1[..], [FrameOutcome::Skipped(_)]), "{frame}");
    }
    assert!(matches!(parse("[1,2]", None).1[..], [FrameOutcome::Malformed(_)]));
}

#[test]
fn lines_of_text_are_messages_only_in_a_wrappers_stream() {
    for frame in
        ["plain text", "[INFO] a bracket", "{\"message\":\"cut", "2026-01-15 a number first", "\"not closed"]
    {
        assert!(matches!(parse(frame, None).1[..], [FrameOutcome::Malformed(_)]), "{frame}");
        assert_eq!(parse_from(Some("/ecs/shop"), frame, None).0[0]["message"], frame);
    }
}

fn fixture_events() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut events = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with(".expected.json") {
            let expected: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            events.extend(expected["events"].as_array().unwrap().iter().cloned());
        }
    }
    events
}

/// Records whose members mean different things give the same event in any order of theirs.
#[test]
fn the_order_of_members_does_not_matter() {
    for record in include_str!("../fixtures/web.json")
        .lines()
        .chain(include_str!("../fixtures/ecs.json").lines().take(2))
    {
        let (expected, _) = parse(record, None);
        let record: Value = serde_json::from_str(record).unwrap();
        let members: Vec<(&String, &Value)> = record.as_object().unwrap().iter().collect();
        for shift in 0..members.len() {
            let order = members.iter().cycle().skip(shift).take(members.len());
            let text: Vec<String> = order.map(|(key, value)| format!("{key:?} : {value}")).collect();
            let (events, _) = parse(&format!("{{ {} }}", text.join(" ,")), None);
            assert_eq!(events, expected);
        }
    }
}

fn measure(value: &Value) -> (usize, usize) {
    let inside: Vec<(usize, usize)> = match value {
        Value::Array(items) => items.iter().map(measure).collect(),
        Value::Object(members) => members.values().map(measure).collect(),
        _ => return (0, 0),
    };
    let fields = inside.len() + inside.iter().map(|(fields, _)| fields).sum::<usize>();
    (fields, 1 + inside.iter().map(|(_, depth)| *depth).max().unwrap_or(0))
}

/// The host refuses an event with more than 1,000 fields or 20 levels.
#[test]
fn every_event_is_within_the_hosts_limits() {
    let mut events = fixture_events();
    assert!(events.len() > 50);
    let nested = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    for levels in 10..25 {
        for path in [
            "{\"tree\":@}",
            "{\"http\":@}",
            "{\"http\":{\"request\":{\"body\":@}}}",
            "{\"http\":{\"request\":{\"method\":@}}}",
            "[[@]]",
        ] {
            let record =
                format!("{{\"message\":\"a\",\"x\":1,\"http\":{}}}", path.replace('@', &nested(levels)));
            events.extend(parse(&record, None).0);
            events.extend(parse(&path.replace('@', &nested(levels)), None).0);
        }
    }
    for count in [700, 799, 800, 801, 5000] {
        let members: Vec<String> = (0..count).map(|number| format!("\"m{number}\":{number}")).collect();
        events.extend(parse(&format!("{{{}}}", members.join(",")), None).0);
        events.extend(
            parse(
                &format!(
                    "{{\"http\":{{{}}},\"tags\":[{}]}}",
                    members.join(","),
                    vec!["\"t\""; count].join(",")
                ),
                None,
            )
            .0,
        );
    }
    for event in &events {
        let (fields, depth) = measure(event);
        assert!(fields <= 1000 && depth <= 20, "{fields} fields, {depth} levels: {event}");
    }
}
