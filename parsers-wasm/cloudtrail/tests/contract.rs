//! What fixtures cannot show: frames that hold several records, the wrapper's time, types over all fixtures, and the
//! host's limits.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use weir_parser_cloudtrail::CloudTrail;
use weir_parser_sdk::{Batch, FrameOutcome, FramingKind, Origin, TimeZone, Wrapped, parse_batch};

fn parse(frames: &[&str], wrapper_time: Option<i64>) -> (Vec<Value>, Vec<FrameOutcome>) {
    let mut batch = Batch {
        origin: Origin {
            account: Some("999988887777".to_owned()),
            region: Some("eu-north-1".to_owned()),
            bucket: "trail".to_owned(),
            key: "key".to_owned(),
            version_id: None,
            archive_member: None,
            log_type: "cloudtrail".to_owned(),
            team: None,
            log_group: None,
            log_stream: None,
            container: None,
            host: None,
            attributes: Vec::new(),
        },
        reference_time: 0,
        time_zone: TimeZone { name: "UTC".to_owned(), initial_offset: 0, transitions: Vec::new() },
        framing: FramingKind::Json,
        header: None,
        frames: Vec::new(),
        ends: Vec::new(),
        wrapped: Vec::new(),
    };
    for frame in frames {
        batch.frames.extend_from_slice(frame.as_bytes());
        batch.ends.push(batch.frames.len() as u32);
        if wrapper_time.is_some() {
            batch.wrapped.push(Wrapped { id: None, time: wrapper_time, attributes: Vec::new() });
        }
    }
    let parsed = parse_batch::<CloudTrail>(&batch);
    let mut start = 0;
    let documents = parsed.ends.iter().map(|end| {
        let document = serde_json::from_slice(&parsed.documents[start..*end as usize]).unwrap();
        start = *end as usize;
        document
    });
    (documents.collect(), parsed.outcomes)
}

#[test]
fn a_whole_file_in_one_frame_gives_an_event_for_each_record() {
    let (events, outcomes) =
        parse(&[r#"{"Records":[{"eventName":"A"},{"eventName":"B"}]}"#, r#"{"Records":[]}"#], None);
    assert_eq!(
        events.iter().map(|event| event["event"]["action"].as_str().unwrap()).collect::<Vec<_>>(),
        ["A", "B"]
    );
    assert!(matches!(outcomes[..], [FrameOutcome::Events(2), FrameOutcome::Skipped(_)]), "{outcomes:?}");
}

#[test]
fn one_bad_record_condemns_the_whole_frame() {
    let (events, outcomes) = parse(&[r#"{"Records":[{"eventName":"A"},{"eventID":"B"}]}"#], None);
    assert!(events.is_empty() && matches!(outcomes[..], [FrameOutcome::Malformed(_)]));
}

/// What no framing would cut out of an object, but a wrapper may hold.
#[test]
fn broken_frames_are_malformed_and_empty_ones_skipped() {
    for frame in [
        "{\"eventName\":\"A\"",
        "{\"eventName\":\"A\"} x",
        "plain text",
        "\"text\"",
        "[1]",
        "{\"eventName\":\"A",
        "{",
    ] {
        let (events, outcomes) = parse(&[frame, "{\"eventName\":\"B\"}"], None);
        assert!(
            matches!(outcomes[..], [FrameOutcome::Malformed(_), FrameOutcome::Events(1)]),
            "{frame}: {outcomes:?}"
        );
        assert_eq!(events[0]["event"]["action"], "B");
    }
    assert!(matches!(parse(&["", " \n"], None).1[..], [FrameOutcome::Skipped(_), FrameOutcome::Skipped(_)]));
}

#[test]
fn the_wrapper_tells_the_time_and_the_origin_the_account_where_the_record_does_not() {
    let (events, _) = parse(&[r#"{"eventName":"A"}"#], Some(1_768_471_200_000_000_000));
    assert_eq!(events[0]["@timestamp"], "2026-01-15T10:00:00.000Z");
    assert_eq!(events[0]["cloud"]["account"]["id"], "999988887777");
    assert_eq!(events[0]["cloud"]["region"], "eu-north-1");
    assert!(events[0].get("tags").is_none());
}

fn fixtures() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut events = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with(".expected.json") {
            let expected: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            events.extend(expected["events"].as_array().unwrap().iter().cloned());
        }
    }
    assert!(events.len() > 50);
    events
}

/// Whatever the order of the members, the tree is the record without what is `null`.
#[test]
fn the_vendor_tree_is_the_record_in_any_order() {
    let file = include_str!("../fixtures/management.json");
    let file: Value = serde_json::from_str(file).unwrap();
    let records = file["Records"].as_array().unwrap();
    for record in records {
        let members: Vec<(&String, &Value)> = record.as_object().unwrap().iter().collect();
        let expected: serde_json::Map<String, Value> = members
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| ((*key).clone(), (*value).clone()))
            .collect();
        for shift in 0..members.len() {
            let order = members.iter().cycle().skip(shift).take(members.len());
            let text: Vec<String> = order.map(|(key, value)| format!("{key:?} : {value}")).collect();
            let (events, outcomes) = parse(&[&format!(" {{ {} }} ", text.join(" ,"))], None);
            assert_eq!(events[0]["aws"]["cloudtrail"], Value::Object(expected.clone()), "{outcomes:?}");
        }
    }
}

/// Objects that an index takes as flat ones, by the README's rule.
const FREE: [&str; 6] = [
    "requestParameters",
    "responseElements",
    "additionalEventData",
    "serviceEventDetails",
    "addendum",
    "eventContext",
];

fn types(path: &str, value: &Value, seen: &mut BTreeMap<String, &'static str>) {
    let kind = match value {
        Value::Null => return,
        Value::Array(items) => return items.iter().for_each(|item| types(path, item, seen)),
        Value::Object(members) => {
            if !FREE.iter().any(|name| path == format!("/aws/cloudtrail/{name}")) {
                for (key, member) in members {
                    types(&format!("{path}/{key}"), member, seen);
                }
            }
            "object"
        }
        Value::String(_) => "text",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
    };
    assert_eq!(*seen.entry(path.to_owned()).or_insert(kind), kind, "{path} has two types");
}

#[test]
fn no_field_has_two_types_whatever_the_records_hold() {
    let mut seen = BTreeMap::new();
    for event in fixtures() {
        types("", &event, &mut seen);
    }
    assert_eq!(seen["/aws/cloudtrail/requestParameters"], "object");
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
    let mut events = fixtures();
    // As deep and as wide as a record may be without becoming text.
    let tree = format!("{}1{}", "{\"a\":".repeat(16), "}".repeat(16));
    let list = vec!["0"; 700].join(",");
    let record = format!(
        r#"{{"eventName":"A","requestParameters":{tree},"responseElements":{{"b":[{list}]}},"addendum":[[[]]]}}"#
    );
    events.extend(parse(&[&record], None).0);
    assert!(events.last().unwrap()["aws"]["cloudtrail"]["requestParameters"]["a"].is_object());
    assert!(events.last().unwrap()["aws"]["cloudtrail"]["responseElements"]["b"].is_array());
    for event in &events {
        let (fields, depth) = measure(event);
        assert!(fields <= 1000 && depth <= 20, "{fields} fields, {depth} levels: {event}");
    }
}
