//! JSON texts read member by member.

use super::*;

fn whole(text: &str) -> Result<Raw<'_>, ParseError> {
    let mut reader = Reader::new(text);
    let value = reader.value();
    reader.end()?;
    Ok(value)
}

#[rustfmt::skip]
const SAMPLES: &[&str] = &[
    "{}", " [ ] ", "{\"a\":1,\"b\":[true,false,null,-0.5e+3,{\"c\":\"d\\n\\u00e9\\\"\"}]}", "\"\"", "0",
    "-1", "1e5", "null", "{\"a\" : [1, {\"b\":2}] , \"c\":\"x\"}\n", "[[[[1]]]]",
    "\"\u{e9}\u{1F600} long enough for several words\"", "", "{", "[", "{\"a\"}", "{\"a\":}",
    "{\"a\":1,}", "{,}", "[1,]", "[,1]", "{\"a\":1 \"b\":2}", "01", "1.", "tru", "nul", "\"\\x\"",
    "\"\\u12g4\"", "\"\n\"", "\"abcdefghijkl\u{1}\"", "{\"a\":[1}", "{}{}", "-", "\"abc", "{a:1}", "+1",
    "[}", "\"\\", "\"\\u12", "]", "1 2", "--1", "1-2", "1e", "[1 2]", "{\"a\":1]", "\u{a0}1", "\u{c}1",
];

#[test]
fn accepts_what_serde_json_accepts() {
    for text in SAMPLES {
        assert_eq!(whole(text).is_ok(), serde_json::from_str::<serde_json::Value>(text).is_ok(), "{text}");
    }
}

/// Every text made of a sample with one byte replaced, removed or doubled.
#[test]
fn accepts_what_serde_json_accepts_after_any_small_damage() {
    let mut checked = 0;
    for sample in SAMPLES {
        for index in 0..sample.len() {
            for byte in b"\"\\{}[],:0-.eEtn u\n\x01a" {
                for kind in 0..3 {
                    let mut bytes = sample.as_bytes().to_vec();
                    match kind {
                        0 => bytes[index] = *byte,
                        1 => bytes.insert(index, *byte),
                        _ => drop(bytes.remove(index)),
                    }
                    let Ok(text) = String::from_utf8(bytes) else { continue };
                    let theirs = serde_json::from_str::<serde_json::Value>(&text);
                    let lone = theirs.as_ref().is_err_and(|e| {
                        e.to_string().contains("surrogate")
                            || e.to_string().contains("hex escape")
                            || e.to_string().contains("out of range")
                    });
                    if !lone {
                        assert_eq!(whole(&text).is_ok(), theirs.is_ok(), "{text}");
                        checked += 1;
                    }
                }
            }
        }
    }
    assert!(checked > 10_000);
}

#[test]
fn walks_objects_and_arrays() {
    let text = " {\"a\" : \"x\\ty\", \"b\":{\"c\":[1,[2,{}]]},\"d\":[] , \"e\":[\"f\",7]} ";
    let mut reader = Reader::new(text);
    reader.object();
    let mut seen = Vec::new();
    while let Some(key) = reader.key() {
        let start = reader.member_start();
        if key.raw() == "e" {
            reader.array();
            while reader.element() {
                seen.push(reader.value().text.to_owned());
            }
        } else {
            let value = reader.value();
            seen.push(format!(
                "{} {:?} {} {} {}",
                value.text,
                value.shape,
                value.fields,
                value.depth,
                &text[start..reader.position()]
            ));
        }
    }
    reader.end().unwrap();
    assert_eq!(
        seen,
        [
            "\"x\\ty\" String 0 0 \"a\" : \"x\\ty\"",
            "{\"c\":[1,[2,{}]]} Object 5 4 \"b\":{\"c\":[1,[2,{}]]}",
            "[] Array 0 1 \"d\":[]",
            "\"f\"",
            "7"
        ]
    );
}

#[test]
fn strings_mean_what_serde_json_says() {
    for text in [
        "\"plain\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\u0041\\u00e9\\ud83d\\ude00z\"",
        "\"\u{e9}\\n\u{1F600}\"",
    ] {
        let expected: String = serde_json::from_str(text).unwrap();
        assert_eq!(whole(text).unwrap().string().unwrap().unescape(), expected);
    }
    for (text, expected) in [
        ("\"\\ud800x\"", "\u{fffd}x"),
        ("\"\\udc00\\ud800\"", "\u{fffd}\u{fffd}"),
        ("\"\\ud800\\u0041\"", "\u{fffd}A"),
    ] {
        assert_eq!(whole(text).unwrap().string().unwrap().unescape(), expected);
    }
}

#[test]
fn parts_of_texts_are_texts() {
    let text = JsonText::from_raw("a\\/b\\\\/c");
    let (first, rest) = text.raw().split_once('/').unwrap();
    assert_eq!(text.part(first).unescape(), "a");
    let (second, third) = rest.split_once('/').unwrap();
    assert_eq!((text.part(second).unescape(), text.part(third).unescape()), ("b\\".into(), "c".into()));
}

#[test]
fn depth_is_bounded_without_recursion() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(whole(&nested(64)).unwrap().depth, 64);
    assert!(whole(&nested(65)).is_err());
    assert!(whole(&nested(1_000_000)).is_err());
}
