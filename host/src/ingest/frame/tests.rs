//! JSON framing through the whole reader; lines and headers are tested with the reader itself.

use proptest::prelude::*;

use crate::ingest::frame::PreparedFraming;
use crate::ingest::stream::testing::{
    Dribble, Outcome, Synthetic, from_bytes, gzip, prepared, read, read_with, routed,
};
use crate::ingest::stream::{FrameKind, FrameLimits, Input, SourceOptions};

fn records() -> PreparedFraming {
    prepared(r#"{"kind": "json", "pointers": ["/Records", "/detail/findings"]}"#)
}

fn json(text: &str) -> Outcome {
    read(text.as_bytes(), records())
}

fn limited(text: &[u8], frame_bytes: usize) -> Outcome {
    let limits = FrameLimits { frame_bytes, damage_head: 32, ..FrameLimits::default() };
    read_with(from_bytes(text), &routed(records()), SourceOptions::default(), limits)
}

#[test]
fn elements_of_a_pointer_are_frames() {
    let text =
        r#"{"before": [1], "Records": [{"a": "]}"},{"b":[{}]} , 3, "x\"y", null], "behind": {"Records": 1}}"#;
    let outcome = json(text);
    assert_eq!(outcome.texts(), [r#"{"a": "]}"}"#, r#"{"b":[{}]}"#, "3", r#""x\"y""#, "null"]);
    assert_eq!(outcome.frames[0].offset, 28);
    assert_eq!(outcome.frames[0].kind, FrameKind::Json);
    assert!(outcome.damage.is_empty());
    assert_eq!(json(r#"{"Records":[]}"#).ledger.frame_count, 0);
    assert_eq!(
        json(r#"{"detail-type": "x", "detail": {"a": {"findings": [1]}, "findings": [{"id": 1}, 2]}}"#)
            .texts(),
        [r#"{"id": 1}"#, "2"]
    );
}

#[test]
fn an_object_without_the_pointer_is_one_frame() {
    for text in [
        r#"{"records":[{}]}"#,
        r#"{"Records":{"a":[1]}}"#,
        r#"{"a":{"Records":[1]}}"#,
        r#"{"detail":{"findings":"none"}}"#,
        "{}",
    ] {
        assert_eq!(json(text).texts(), [text]);
    }
}

#[test]
fn values_come_in_any_way_they_were_written() {
    let (first, second) = (r#"{"a":{"b":"c"}}"#, r#"{"d":["e","}{"]}"#);
    for separator in ["", "\n", "\r\n", " ", ",", ",\n", "\n\n  ", "\u{1e}"] {
        let outcome = json(&format!("{first}{separator}{second}{separator}"));
        assert_eq!(outcome.texts(), [first, second], "{separator:?}");
        assert_eq!(outcome.damage.len(), 0);
    }
    assert_eq!(json(&format!("\u{feff}[{first},\n{second}\n]")).texts(), [first, second]);
    let pretty = "{\n  \"a\": [\n    {\n      \"b\": 1\n    }\n  ]\n}";
    assert_eq!(json(&format!("{pretty}\n{pretty}\n")).texts(), [pretty, pretty]);
    let flat = "{\n\"a\":\n[\n{\n\"b\":\n[\n]\n},\n[\n]\n]\n}";
    assert_eq!(json(&format!("{flat}\n{flat}")).texts(), [flat, flat], "brackets at the beginning of lines");
    assert_eq!(
        json(&format!("{{\"Records\":[\n{first},\n{second}\n]}}\n[{first}]")).texts(),
        [first, second, first]
    );
}

#[test]
fn a_bad_line_costs_no_other() {
    for bad in [
        r#"{"a": 1"#,
        r#"{"a": "never closed}"#,
        r#"{"a": [1, 2}"#,
        r#"{"a": {"b": 1},"#,
        r#"{"a""#,
        r#"{"a" 1}"#,
        r#"{"a": }"#,
        r#"{"a":"#,
        r#"{"a":[{"b":"#,
        "plain text",
        "]",
        r#""a string""#,
        "17",
        "\0\0\0",
        "{",
        r#"{"Records": [{"#,
    ] {
        for ending in ["\n", "\r\n"] {
            let outcome =
                json(&format!("{{\"n\":1}}{ending}{bad}{ending}{{\"n\":2}}{ending}{{\"n\":3}}{ending}"));
            assert_eq!(outcome.texts(), [r#"{"n":1}"#, r#"{"n":2}"#, r#"{"n":3}"#], "{bad}");
            assert_eq!(outcome.codes(), ["bad-json"], "{bad}");
            if bad != r#"{"Records": [{"# {
                assert_eq!(
                    outcome.damage[0].head,
                    format!("{bad}{}", ending.trim_end_matches('\n')).as_bytes()
                );
            }
        }
    }
}

#[test]
fn text_that_is_not_json_is_damage_line_by_line() {
    let outcome = json("no\njson at all\n\nhere");
    assert_eq!(outcome.codes(), ["bad-json"; 3]);
    assert_eq!(outcome.damage.iter().map(|damage| damage.offset).collect::<Vec<_>>(), [0, 3, 16]);
    assert_eq!(outcome.ledger.framing, 3);
    let outcome = json("{\"a\":1} trailing\n{\"b\":2}");
    assert_eq!((outcome.texts().len(), outcome.codes().len()), (2, 1));
}

#[test]
fn a_document_cut_short_keeps_what_stands_before_the_cut() {
    let outcome = json(r#"{"Records":[{"a":1},{"b":2},{"c"#);
    assert_eq!(outcome.texts(), [r#"{"a":1}"#, r#"{"b":2}"#]);
    assert_eq!(outcome.codes(), ["unexpected-end"]);
    assert_eq!((outcome.damage[0].offset, outcome.damage[0].length), (28, 3));
    for text in [
        r#"{"Records":[{"a":1},{"b":2}"#,
        r#"{"Records":[{"a":1},{"b":2}]"#,
        r#"{"Records":[{"a":1},{"b":2}],"x"#,
    ] {
        let outcome = json(text);
        assert_eq!((outcome.frames.len(), outcome.codes()), (2, vec!["unexpected-end"]), "{text}");
    }
    // In gzip it is one damage with the carrier's reason.
    let text = format!(r#"{{"Records":[{}]}}"#, vec![r#"{"eventName":"GetObject"}"#; 3_000].join(","));
    let packed = gzip(text.as_bytes());
    let outcome = read(&packed[..packed.len() - 12], records());
    assert_eq!(outcome.codes(), ["truncated"]);
    assert!(outcome.frames.len() > 1_000);
    // A next document on a line of its own ends one that was not closed.
    let outcome = json("{\"Records\":[{\"a\":1}\n{\"Records\":[{\"b\":2}]}\n");
    assert_eq!(outcome.texts(), [r#"{"a":1}"#, r#"{"b":2}"#]);
    assert_eq!(outcome.codes(), ["bad-json"]);
}

#[test]
fn a_broken_element_of_a_printed_array_costs_no_other() {
    let element = |n: usize| {
        format!(
            "{{\n      \"n\": {n},\n      \"in\": [\n        {{\n          \"x\": {n}\n        }}\n      ]\n    }}"
        )
    };
    let (one, four) = (element(1), element(4));
    let bracketless = element(2).replace("        }\n      ]", "        }");
    for (broken, head) in [
        // A brace too few, inside and at the end; one too many; a bracket too few; a string not closed; cut in a line.
        ("{\n      \"a\": {\n        \"b\": 1\n    },", None),
        ("{\n      \"a\": 1,", None),
        ("{\n      \"a\": 1\n    }},", Some("},")),
        (&*format!("{bracketless},"), None),
        ("{\n      \"a\": \"b\n    },", None),
        ("{\n      \"a\": [{\"b\": \"c", None),
        ("{ \"a\": bro\"ken }},", None),
    ] {
        for line_end in ["\n", "\r\n"] {
            for (before, behind) in [(true, true), (false, true), (true, false)] {
                let before = if before { format!("\n    {one},") } else { String::new() };
                let behind = if behind { format!("\n    {four},\n    {four}") } else { String::new() };
                let text = format!(
                    "{{\"Records\": [{before}\n    {broken}{behind}\n  ],\n  \"x\": 1\n}}\n{{\"next\": 1}}\n"
                );
                let text = text.replace('\n', line_end);
                let outcome = json(&text);
                let mut expected = Vec::new();
                expected.extend((!before.is_empty()).then(|| one.replace('\n', line_end)));
                expected.extend(head.map(|_| broken.strip_suffix("},").unwrap().replace('\n', line_end)));
                expected.extend(vec![four.replace('\n', line_end); if behind.is_empty() { 0 } else { 2 }]);
                expected.push("{\"next\": 1}".to_owned());
                assert_eq!(outcome.texts(), expected, "{text}");
                assert_eq!(outcome.codes(), ["bad-json"], "{text}");
                let lost = head.unwrap_or(broken).replace('\n', line_end) + line_end.trim_end_matches('\n');
                assert_eq!(String::from_utf8_lossy(&outcome.damage[0].head), lost);
            }
        }
    }
}

#[test]
fn an_array_that_is_valid_in_an_odd_layout_is_no_damage() {
    // What an element holds begins its lines as the element does.
    let element = "{\n  \"a\":\n  {\n  },\n  \"b\": [\n  {\n  },\n  [\n  ]\n  ]\n  }";
    let outcome = json(&format!("[\n  {element},\n  {element}\n]"));
    assert_eq!(outcome.texts(), [element, element]);
    assert!(outcome.damage.is_empty());
}

#[test]
fn an_object_below_its_key_is_no_damage_unless_one_line_was_cut_there() {
    let below = "{\n\"a\":\n{\n\"b\":\n{\n}\n}\n}";
    let blank = "{\n  \"a\": \n\n\n{\n  \"b\": [1]\n}\n}";
    let cut = "{\"a\":1,\"b\":";
    let inner = format!("{{\"x\":{cut}");
    for text in [below, blank] {
        let outcome = json(&format!("{text}\n{text}\n"));
        assert_eq!(outcome.texts(), [text, text]);
        assert!(outcome.damage.is_empty(), "{text}");
        // The same inside a value that is not looked into.
        let array = format!("{{\"Records\":[\n{text},\n{text}\n]}}");
        assert_eq!(json(&array).texts(), [text, text]);
    }
    for cut in [cut, &inner] {
        let outcome = json(&format!("{{\"z\":0}}\n{cut}\n{{\"c\":2}}\n{{\"d\":3}}\n"));
        assert_eq!(outcome.texts(), ["{\"z\":0}", "{\"c\":2}", "{\"d\":3}"]);
        assert_eq!(outcome.damage.len(), 1, "{cut}");
    }
}

#[test]
fn a_value_too_long_costs_no_other() {
    for long in [format!(r#"{{"a":"{}"}}"#, "x".repeat(400_000)), format!("[{}]", "[],".repeat(100_000))] {
        let text = format!(r#"{{"Records":[{{"n":1}},{long},{{"n":2}}]}}"#);
        let outcome = limited(text.as_bytes(), 1_000);
        assert_eq!(outcome.texts(), [r#"{"n":1}"#, r#"{"n":2}"#]);
        assert_eq!(outcome.codes(), ["frame-too-long"]);
        assert_eq!((outcome.damage[0].offset, outcome.damage[0].length), (20, long.len() as u64));
    }
    // The same as a document, and the framing before an array may be of any length.
    let long = format!("{{\"k\":\"{}\"}}\n{{\"n\":1}}", "x".repeat(5_000));
    let outcome = limited(long.as_bytes(), 1_000);
    assert_eq!((outcome.texts(), outcome.codes()), (vec![r#"{"n":1}"#.to_owned()], vec!["frame-too-long"]));
    let long = format!(r#"{{"k":"{}","Records":[{{"n":1}}]}}"#, "x".repeat(900_000));
    let outcome = limited(long.as_bytes(), 1_000);
    assert_eq!((outcome.texts(), outcome.codes().len()), (vec![r#"{"n":1}"#.to_owned()], 0));
}

#[test]
fn nothing_without_end_costs_memory() {
    for (prefix, fill) in [
        (&br#"{"Records":["#[..], &b"[[[[{\"a\":1},"[..]),
        (br#"{"a":""#, b"xxxxxxx"),
        (b"", b"{\"a\":"),
        (b"", b" "),
        (b"", b"no json "),
        (br#"{""#, b"key"),
        (br#"{"a""#, b" "),
        (br#"{"Records":[{}],"b":{"c":"#, b"[1,2],"),
    ] {
        let (prefix, fill) = (prefix.to_vec(), fill.to_vec());
        let mut made = 0;
        let stream = Synthetic {
            left: 40 << 20,
            make: move |out: &mut [u8]| {
                for byte in out {
                    let behind = made % fill.len();
                    *byte = prefix.get(made).copied().unwrap_or(fill[behind]);
                    made += 1;
                }
            },
        };
        let bytes = Input::Reader { reader: Box::new(stream), length: None };
        let limits = FrameLimits { frame_bytes: 1 << 20, ..FrameLimits::default() };
        let outcome = read_with(bytes, &routed(records()), SourceOptions::default(), limits);
        assert!(outcome.most_buffered < 8 << 20, "{}", outcome.most_buffered);
        assert!(outcome.frames.len() < 3);
    }
}

/// JSON values of every kind, deep and with odd strings.
fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        "[a-z\\\\\"{}\\[\\]:,\n é]{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            proptest::collection::btree_map("[a-z\\\\\"]{0,4}|Records|detail", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = serde_json::Value> {
    // `detail` and `Records` would make it a document of elements.
    proptest::collection::btree_map("[a-z\\\\\"]{0,4}", value(), 0..4).prop_map(|map| {
        serde_json::Value::Object(map.into_iter().filter(|(key, _)| key != "detail").collect())
    })
}

/// A piece of an object, and the frames it must give.
fn piece() -> impl Strategy<Value = (String, Vec<String>)> {
    let text = |value: &serde_json::Value, pretty: bool| {
        if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) }.unwrap()
    };
    prop_oneof![
        (object(), any::<bool>()).prop_map(move |(object, pretty)| {
            let text = text(&object, pretty);
            (text.clone(), vec![text])
        }),
        (
            proptest::collection::vec(value(), 0..6),
            any::<bool>(),
            0usize..3,
            prop_oneof![Just(","), Just(",\n"), Just(" ,\r\n  ")]
        )
            .prop_map(move |(elements, pretty, shape, separator)| {
                let frames: Vec<_> = elements.iter().map(|element| text(element, pretty)).collect();
                let joined = frames.join(separator);
                let document = match shape {
                    0 => format!("[{joined}]"),
                    1 => format!(r#"{{"x": [[]], "Records" : [ {joined} ], "y": "Records"}}"#),
                    _ => format!("{{\"detail\":{{\"a\":1,\"findings\":[\n{joined}\n]}}}}"),
                };
                (document, frames)
            }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_was_written_is_found(
        pieces in proptest::collection::vec(piece(), 0..6),
        separator in prop_oneof![Just(""), Just("\n"), Just("\r\n"), Just(" ")],
        sizes in proptest::collection::vec(1usize..90, 1..6),
    ) {
        let text: String = pieces.iter().map(|(text, _)| text.clone() + separator).collect();
        let expected: Vec<_> = pieces.iter().flat_map(|(_, frames)| frames.clone()).collect();
        let outcome = read_with(Dribble::input(text.as_bytes(), &sizes), &routed(records()), SourceOptions::default(), FrameLimits::default());
        prop_assert_eq!(outcome.texts(), expected);
        prop_assert!(outcome.damage.is_empty());
        for frame in &outcome.frames {
            let start = frame.offset as usize;
            prop_assert_eq!(&frame.bytes[..], &text.as_bytes()[start..start + frame.carrier as usize]);
        }
    }

    #[test]
    fn damage_is_counted_and_read_sizes_change_nothing(
        pieces in proptest::collection::vec(piece(), 0..6),
        printed in proptest::collection::vec(proptest::collection::vec(object(), 0..4), 0..3),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), prop::sample::select(&b"{}[]\",:\n\\x\0"[..]), 0usize..3), 0..6),
        frame_bytes in prop_oneof![16usize..200, Just(8 << 20)],
        batch_bytes in 1usize..200,
        sizes in proptest::collection::vec(1usize..90, 1..6),
        packed in any::<bool>(),
    ) {
        let mut text: String = pieces.iter().map(|(text, _)| text.clone() + "\n").collect();
        for array in printed {
            text += &serde_json::to_string_pretty(&serde_json::json!({ "Records": array })).unwrap();
            text += "\n";
        }
        let mut bytes = text.into_bytes();
        for (place, byte, edit) in edits {
            if bytes.is_empty() { break; }
            let place = place.index(bytes.len());
            match edit {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                _ => bytes.truncate(place),
            }
        }
        if packed {
            let half = bytes.len() / 2;
            bytes = [gzip(&bytes[..half]), b"junk".to_vec(), gzip(&bytes[half..])].concat();
        }
        let limits = FrameLimits { frame_bytes, batch_bytes, ..FrameLimits::default() };
        let whole = read_with(from_bytes(&bytes), &routed(records()), SourceOptions::default(), limits);
        let dribbled = read_with(Dribble::input(&bytes, &sizes), &routed(records()), SourceOptions::default(), limits);
        prop_assert_eq!(&whole.frames, &dribbled.frames);
        prop_assert_eq!(whole.ledger, dribbled.ledger);
        let damage = |outcome: &Outcome| outcome.damage.iter().map(|damage| (damage.offset, damage.length, damage.reason.code())).collect::<Vec<_>>();
        prop_assert_eq!(damage(&whole), damage(&dribbled));
    }
}
