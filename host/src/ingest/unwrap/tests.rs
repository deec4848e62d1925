//! Wrappers through the whole reader.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use crate::ingest::frame::PreparedFraming;
use crate::ingest::stream::testing::{
    Dribble, OneRoute, Outcome, from_bytes, gzip, prepared, read, read_with, routed,
};
use crate::ingest::stream::{
    EnvelopePosition, FrameKind, FrameLimits, RouteDecision, SourceOptions, StreamKey, StreamRouter,
    UnparsedReason,
};

fn lines(text: impl AsRef<[u8]>) -> Outcome {
    read(text.as_ref(), PreparedFraming::Lines)
}

fn envelope(group: &str, stream: &str, messages: &[&str]) -> String {
    let events: Vec<_> = messages
        .iter()
        .enumerate()
        .map(|(index, message)| json!({"id": format!("id-{index}"), "timestamp": 1_700_000_000_000_i64 + index as i64, "message": message}))
        .collect();
    let head = json!({
        "messageType": "DATA_MESSAGE",
        "owner": "111122223333",
        "logGroup": group,
        "logStream": stream,
        "subscriptionFilters": ["to-archive"],
    })
    .to_string();
    // The order that the service writes: the events come last.
    format!("{},\"logEvents\":{}}}", head.strip_suffix('}').unwrap(), serde_json::Value::from(events))
}

const CONTROL: &str = r#"{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logGroup":"","logStream":"","subscriptionFilters":[],"logEvents":[{"id":"","timestamp":1700000000000,"message":"CWL CONTROL MESSAGE: Checking health of destination"}]}"#;

#[test]
fn messages_are_frames_of_their_stream() {
    let text =
        envelope("/vpc/flow", "eni-1", &["2 192.0.2.1 ACCEPT", "with \"quotes\"\tand é\n", "two\n\n", ""]);
    let outcome = lines(&text);
    assert_eq!(outcome.texts(), ["2 192.0.2.1 ACCEPT", "with \"quotes\"\tand é", "two\n", ""]);
    let frame = &outcome.frames[1];
    assert_eq!(frame.kind, FrameKind::Text);
    assert_eq!(
        frame.stream,
        StreamKey {
            account: Some("111122223333".into()),
            log_group: Some("/vpc/flow".into()),
            log_stream: Some("eni-1".into()),
            attributes: vec![("subscriptionFilter".into(), "to-archive".into())],
            ..StreamKey::default()
        }
    );
    let wrapped = frame.wrapped.as_ref().unwrap();
    assert_eq!(wrapped.id.as_deref(), Some("id-1"));
    assert_eq!(wrapped.time_ns, Some(1_700_000_000_001_000_000));
    assert_eq!(wrapped.envelope, Some(EnvelopePosition { offset: 0, index: 1 }));
    let element = &text[frame.offset as usize..][..frame.carrier as usize];
    assert!(element.starts_with('{') && element.contains("id-1") && element.ends_with('}'), "{element}");
}

#[test]
fn envelopes_come_one_behind_the_other() {
    let (first, second) = (envelope("/a", "s", &["1", "2"]), envelope("/a", "s", &["3"]));
    let other = envelope("/b", "s", &["4"]);
    for separator in ["", "\n", "\r\n"] {
        let text =
            [first.clone(), second.clone(), CONTROL.to_owned(), other.clone(), first.clone()].join(separator);
        let outcome = lines(&text);
        let mut texts = outcome.texts();
        texts.sort();
        assert_eq!(texts, ["1", "1", "2", "2", "3", "4"]);
        assert_eq!(outcome.batches, 2, "frames of one stream share a batch");
        assert_eq!(outcome.unparsed.len(), 1);
        assert_eq!(outcome.unparsed[0].reason, UnparsedReason::Control);
        assert!(outcome.damage.is_empty());
        let third = outcome.frames.iter().find(|frame| frame.bytes == b"3").unwrap();
        let envelope = third.wrapped.as_ref().unwrap().envelope.unwrap();
        assert_eq!(envelope.offset as usize, first.len() + separator.len());
    }
    // As Firehose delivers: gzip of gzip members.
    let members = [gzip(first.as_bytes()), gzip(second.as_bytes()), gzip(other.as_bytes())].concat();
    assert_eq!(lines(gzip(&members)).frames.len(), 4);
    assert_eq!(lines(members).frames.len(), 4);
}

#[test]
fn a_control_message_first_or_without_events_is_counted() {
    let text = format!("{CONTROL}{}", envelope("/a", "s", &["1"]));
    assert_eq!((lines(&text).frames.len(), lines(&text).unparsed.len()), (1, 1));
    let empty =
        r#"{"messageType":"CONTROL_MESSAGE","owner":"x","logGroup":"","logStream":"","logEvents":[]}"#;
    assert_eq!(lines(empty).unparsed.len(), 1);
}

#[test]
fn keys_may_be_in_any_order() {
    let sorted = serde_json::from_str::<serde_json::Value>(&envelope("/a", "s", &["1", "2"])).unwrap();
    let pretty = serde_json::to_string_pretty(&sorted).unwrap();
    let text = format!("{sorted}\n{pretty}");
    assert!(text.starts_with(r#"{"logEvents"#));
    let outcome = lines(&text);
    assert_eq!(outcome.texts(), ["1", "2", "1", "2"]);
    assert!(outcome.frames.iter().all(|frame| frame.stream.log_group.as_deref() == Some("/a")));
    assert_eq!(outcome.frames[0].wrapped.as_ref().unwrap().id.as_deref(), Some("id-0"));
}

#[test]
fn a_broken_envelope_costs_no_other() {
    let good = envelope("/a", "s", &["1"]);
    for bad in [r#"{"messageType":"DATA_MESSAGE","logGroup":"#, r#"{"other": 1}"#, "no json"] {
        let outcome = lines(format!("{good}\n{bad}\n{good}\n"));
        assert_eq!(outcome.texts(), ["1", "1"], "{bad}");
        assert_eq!(outcome.damage.len(), 1, "{bad}");
    }
    // One event that is none.
    let text = good.replace("[{", "[{\"id\": 7, \"message\": \"x\"},{\"id\":\"no message\"},{");
    let outcome = lines(&text);
    assert_eq!((outcome.texts(), outcome.codes()), (vec!["1".to_owned()], vec!["bad-envelope"; 2]));
    assert_eq!(outcome.damage[0].stream.log_group.as_deref(), Some("/a"));
    // Cut short.
    let text = envelope("/a", "s", &["1", "2", "3"]);
    let outcome = lines(&text[..text.len() - 20]);
    assert_eq!(
        (outcome.texts(), outcome.codes()),
        (vec!["1".to_owned(), "2".to_owned()], vec!["unexpected-end"])
    );
}

#[test]
fn an_envelope_of_any_size_streams() {
    let message = "x".repeat(900);
    let messages = vec![message.as_str(); 20_000];
    let limits = FrameLimits { frame_bytes: 64 << 10, ..FrameLimits::default() };
    let text = envelope("/a", "s", &messages);
    let outcome = read_with(
        from_bytes(text.as_bytes()),
        &routed(PreparedFraming::Lines),
        SourceOptions::default(),
        limits,
    );
    assert_eq!(outcome.frames.len(), 20_000);
    assert!(outcome.most_buffered < 6 << 20);
}

#[test]
fn extracted_fields_are_attributes() {
    let text = envelope("/a", "s", &["1"]).replace(
        r#""message":"1""#,
        r#""message":"1","extractedFields":{"eni":"eni-1","bytes":17,"odd\"key":{"a":[]}}"#,
    );
    let outcome = lines(&text);
    let attributes = &outcome.frames[0].wrapped.as_ref().unwrap().attributes;
    let expected = [("eni", "eni-1"), ("bytes", "17"), ("odd\"key", r#"{"a":[]}"#)];
    assert_eq!(*attributes, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn objects_that_only_look_alike_are_not_unwrapped() {
    for text in [
        r#"{"logGroup":"x","logStream":"y","events":[]}"#,
        r#"{"logEvents":[{"level":"info"}],"service":"shop"}"#,
        r#"{"logEvents":"many","logGroup":"x","logStream":"y"}"#,
        r#"{"message":"\"logEvents\":[]"}"#,
        "{",
        "",
    ] {
        let outcome = read(text.as_bytes(), prepared(r#"{"kind": "json"}"#));
        assert!(outcome.frames.iter().all(|frame| frame.wrapped.is_none() && frame.bytes == text.as_bytes()));
    }
}

/// Routes by log group, and everything else nowhere.
struct ByGroup;

impl StreamRouter for ByGroup {
    fn route(&self, stream: &StreamKey, _: Option<&str>) -> RouteDecision {
        let framing = match stream.log_group.as_deref() {
            Some("/json") => prepared(r#"{"kind": "json"}"#),
            Some("/java") => prepared(r#"{"kind": "multi-line", "start": "^\\d"}"#),
            Some("/flow") => PreparedFraming::Lines,
            _ => return RouteDecision::unrouted(),
        };
        let header = (stream.log_group.as_deref() == Some("/flow")).then(|| "version action".into());
        RouteDecision { route: Some(1), framing: Arc::new(framing), header, unwrap_firelens: false }
    }
}

#[test]
fn the_router_is_asked_for_each_stream() {
    let text = [
        envelope("/json", "s", &[r#"{"a": 1}"#]),
        envelope("/java", "s", &["1 first", "  at x", "  at y", "2 second"]),
        envelope("/flow", "s", &["2 ACCEPT"]),
        envelope("/java", "s", &["  at z", "3 third"]),
        envelope("/else", "s", &["nobody's"]),
    ]
    .concat();
    let outcome =
        read_with(from_bytes(text.as_bytes()), &ByGroup, SourceOptions::default(), FrameLimits::default());
    let of = |group: &str| -> Vec<_> {
        outcome.frames.iter().filter(|frame| frame.stream.log_group.as_deref() == Some(group)).collect()
    };
    assert_eq!(of("/json")[0].kind, FrameKind::Json);
    assert_eq!(of("/flow")[0].header.as_deref(), Some("version action"));
    let java: Vec<_> =
        of("/java").iter().map(|frame| String::from_utf8(frame.bytes.clone()).unwrap()).collect();
    assert_eq!(java, ["1 first\n  at x\n  at y", "2 second\n  at z", "3 third"]);
    assert_eq!(of("/else").len(), 1);
}

fn firelens(container: &str, source: &str, log: &str) -> String {
    json!({
        "container_id": format!("{container}-0123456789"),
        "container_name": container,
        "date": 1_700_000_000.25,
        "ecs_cluster": "shop",
        "ecs_task_arn": "arn:aws:ecs:eu-west-1:111122223333:task/shop/0123",
        "level": "info",
        "log": log,
        "source": source,
    })
    .to_string()
}

fn unwrapping() -> OneRoute {
    OneRoute(RouteDecision {
        route: Some(3),
        framing: Arc::new(prepared(r#"{"kind": "json"}"#)),
        header: None,
        unwrap_firelens: true,
    })
}

fn containers(text: &str, limits: FrameLimits) -> Outcome {
    read_with(from_bytes(text.as_bytes()), &unwrapping(), SourceOptions::default(), limits)
}

#[test]
fn container_lines_are_frames_of_their_container() {
    let mut text = String::new();
    for line in 0..300 {
        let source = if line % 3 == 0 { "stderr" } else { "stdout" };
        text += &firelens(["/web", "/cart"][line % 2], source, &format!("{{\"n\":{line}}}\n"));
        text += "\n";
    }
    let outcome = containers(&text, FrameLimits::default());
    assert_eq!(outcome.frames.len(), 300);
    assert_eq!(outcome.batches, 4, "two containers with two outputs each");
    let frame = &outcome.frames[0];
    assert_eq!(frame.stream.container.as_deref(), Some("/web"));
    assert_eq!(frame.bytes, br#"{"n":0}"#);
    let names: Vec<_> = frame.stream.attributes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["container_id", "container_name", "source", "ecs_cluster", "ecs_task_arn"]);
    let wrapped = frame.wrapped.as_ref().unwrap();
    assert_eq!(wrapped.time_ns, Some(1_700_000_000_250_000_000));
    let level = ("level".to_owned(), "info".to_owned());
    assert!(wrapped.attributes.contains(&level));
}

#[test]
fn a_parser_of_text_gets_container_lines_without_asking() {
    let decision = |framing: &str| {
        let framing = Arc::new(prepared(framing));
        OneRoute(RouteDecision { route: Some(3), framing, header: None, unwrap_firelens: false })
    };
    let read = |text: &str, framing: &str| {
        read_with(
            from_bytes(text.as_bytes()),
            &decision(framing),
            SourceOptions::default(),
            FrameLimits::default(),
        )
    };
    let records = [firelens("/web", "stdout", "GET /"), firelens("/web", "stderr", "[error] x")].join("\n");
    let mut texts = read(&records, r#"{"kind": "lines"}"#).texts();
    texts.sort();
    assert_eq!(texts, ["GET /", "[error] x"]);
    // A parser of JSON that did not ask for lines wants the records.
    assert_eq!(read(&records, r#"{"kind": "json"}"#).texts(), records.lines().collect::<Vec<_>>());
    // Other JSON is not for opening, whoever gets it.
    let other = r#"{"log": "x", "level": "info"}"#;
    assert_eq!(read(other, r#"{"kind": "lines"}"#).texts(), [other]);
}

#[test]
fn what_is_no_container_line_stays_as_it_is() {
    let plain = r#"{"log": "x", "level": "info"}"#;
    let text = format!("{plain}\n{}\n{{\"a\":1}}\nbad\n", firelens("/web", "stdout", "y"));
    let outcome = containers(&text, FrameLimits::default());
    let mut texts = outcome.texts();
    texts.sort();
    assert_eq!(texts, ["y", "{\"a\":1}", plain]);
    assert_eq!(outcome.codes(), ["bad-json"]);
    let wrapped = outcome.frames.iter().filter(|frame| frame.wrapped.is_some()).count();
    assert_eq!(wrapped, 1);
}

/// A part of a line that Docker split.
fn part(id: &str, ordinal: usize, last: bool, log: &str) -> String {
    let mut record: serde_json::Value = serde_json::from_str(&firelens("/web", "stdout", log)).unwrap();
    record["partial_message"] = json!("true");
    record["partial_id"] = json!(id);
    record["partial_ordinal"] = json!(ordinal.to_string());
    record["partial_last"] = json!(last.to_string());
    record.to_string() + "\n"
}

#[test]
fn parts_of_a_line_are_one_frame() {
    let (whole, other) = (firelens("/web", "stdout", "whole\n") + "\n", part("b", 1, false, "{\"b\":"));
    let parts =
        [part("a", 1, false, "{\"a\":\"é\r"), part("a", 2, false, "\\n"), part("a", 3, true, "\"}\n")];
    let text = [&parts[0], &other, &whole, &parts[1], &parts[2], &part("b", 2, true, "1}")]
        .map(String::as_str)
        .concat();
    let outcome = containers(&text, FrameLimits::default());
    assert_eq!(outcome.texts(), ["whole", "{\"a\":\"é\r\\n\"}", "{\"b\":1}"]);
    let joined = &outcome.frames[1];
    assert_eq!(joined.offset, 0);
    assert_eq!(joined.carrier as usize, parts.iter().map(|part| part.len() - 1).sum::<usize>());
    assert!(joined.wrapped.as_ref().unwrap().attributes.iter().all(|(name, _)| !name.starts_with("partial")));
    assert_eq!(outcome.ledger.frame_count, 3);
    // A parser that wants the records gets one record.
    let decision = RouteDecision {
        route: Some(3),
        framing: Arc::new(prepared(r#"{"kind": "json"}"#)),
        header: None,
        unwrap_firelens: false,
    };
    let outcome = read_with(
        from_bytes(text.as_bytes()),
        &OneRoute(decision),
        SourceOptions::default(),
        FrameLimits::default(),
    );
    let record: serde_json::Value = serde_json::from_slice(&outcome.frames[1].bytes).unwrap();
    let expected: serde_json::Value =
        serde_json::from_str(&firelens("/web", "stdout", "{\"a\":\"é\r\\n\"}\n")).unwrap();
    assert_eq!(record, expected);
    assert_eq!(outcome.frames.len(), 3);
}

#[test]
fn parts_that_cannot_be_joined_are_frames_of_their_own() {
    let long = "x".repeat(700);
    for (parts, texts) in [
        // The first is missing, one in the middle, the last; one is there twice; another output's.
        (vec![part("a", 2, false, "2"), part("a", 3, true, "3")], vec!["2", "3"]),
        (vec![part("a", 1, false, "1"), part("a", 3, true, "3")], vec!["1", "3"]),
        (vec![part("a", 1, false, "1"), part("a", 2, false, "2")], vec!["1", "2"]),
        (
            vec![part("a", 1, false, "1"), part("a", 1, false, "1"), part("a", 2, true, "2")],
            vec!["1", "1", "2"],
        ),
        (vec![part("a", 1, false, "1"), part("b", 2, true, "2")], vec!["1", "2"]),
        (vec![part("a", 0, false, "0"), part("a", 1, true, "1")], vec!["0", "1"]),
        // Too long together.
        (vec![part("a", 1, false, &long), part("a", 2, true, &long)], vec![&long, &long]),
    ] {
        let text = parts.concat();
        let outcome = containers(&text, FrameLimits { frame_bytes: 1_500, ..FrameLimits::default() });
        let mut found = outcome.texts();
        found.sort();
        assert_eq!(found, texts, "{text}");
        assert!(outcome.damage.is_empty());
        let marked = outcome.frames.iter().filter(|frame| {
            frame
                .wrapped
                .as_ref()
                .is_some_and(|wrapped| wrapped.attributes.iter().any(|(name, _)| name == "partial_id"))
        });
        assert_eq!(marked.count() + usize::from(texts[0] == "0"), texts.len());
    }
    // In another order they are joined; more lines than are held at a time lose nothing.
    let swapped = [part("a", 2, true, "2"), part("a", 1, false, "1")].concat();
    assert_eq!(containers(&swapped, FrameLimits::default()).texts(), ["12"]);
    let many: String = (0..500).map(|line| part(&line.to_string(), 1, false, "x")).collect();
    assert_eq!(containers(&many, FrameLimits::default()).frames.len(), 500);
}

#[test]
fn many_containers_do_not_cost_memory() {
    let text: String =
        (0..5_000).map(|container| firelens(&format!("/c{container}"), "stdout", "x") + "\n").collect();
    let outcome = containers(&text, FrameLimits::default());
    assert_eq!(outcome.frames.len(), 5_000);
    assert!(outcome.most_buffered < 4 << 20, "{}", outcome.most_buffered);
    // A time in words, and one that is none.
    let text = firelens("/web", "stdout", "x").replace("1700000000.25", "\"2026-11-01T10:00:00.123456789Z\"");
    let time = containers(&text, FrameLimits::default()).frames[0].wrapped.as_ref().unwrap().time_ns;
    assert_eq!(time, Some(1_793_527_200_123_456_789));
    let text = firelens("/web", "stdout", "x").replace("1700000000.25", "\"soon\"");
    assert_eq!(containers(&text, FrameLimits::default()).frames[0].wrapped.as_ref().unwrap().time_ns, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damage_is_counted_and_read_sizes_change_nothing(
        envelopes in proptest::collection::vec((0usize..3, proptest::collection::vec("[a-z\"\\\\{}\n é]{0,20}", 0..4), any::<bool>()), 0..5),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), prop::sample::select(&b"{}[]\",:\n\\x\0"[..]), 0usize..3), 0..5),
        frame_bytes in prop_oneof![16usize..300, Just(8 << 20)],
        batch_bytes in 1usize..200,
        open_streams in 2usize..4,
        sizes in proptest::collection::vec(1usize..90, 1..6),
    ) {
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for (group, messages, sorted) in &envelopes {
            let messages: Vec<_> = messages.iter().map(String::as_str).collect();
            let text = envelope(&format!("/{group}"), "s", &messages);
            let text = if *sorted { serde_json::from_str::<serde_json::Value>(&text).unwrap().to_string() } else { text };
            bytes.extend(text.as_bytes());
            expected.extend(messages.iter().map(|message| message.strip_suffix('\n').unwrap_or(message).to_owned()));
        }
        let clean = edits.is_empty() && frame_bytes > 1 << 20;
        for (place, byte, edit) in edits {
            if bytes.is_empty() { break; }
            let place = place.index(bytes.len());
            match edit {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                _ => bytes.truncate(place),
            }
        }
        let limits = FrameLimits { frame_bytes, batch_bytes, open_streams, ..FrameLimits::default() };
        let router = routed(PreparedFraming::Lines);
        let whole = read_with(from_bytes(&bytes), &router, SourceOptions::default(), limits);
        let dribbled = read_with(Dribble::input(&bytes, &sizes), &router, SourceOptions::default(), limits);
        prop_assert_eq!(&whole.frames, &dribbled.frames);
        prop_assert_eq!(whole.ledger, dribbled.ledger);
        if clean && envelopes.first().is_some_and(|first| !first.2 || !first.1.is_empty()) {
            let mut texts = whole.texts();
            texts.sort();
            expected.sort();
            prop_assert_eq!(texts, expected);
            prop_assert!(whole.damage.is_empty());
        }
    }
}
