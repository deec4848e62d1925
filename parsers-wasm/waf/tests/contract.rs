//! What fixtures cannot show: that no credential is left anywhere, and that events stay within the host's limits.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use serde_json::Value;
use std::fs;
use std::path::Path;

fn expectations() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let paths =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().to_string_lossy().into_owned());
    let expected = paths.filter(|path| path.ends_with(".expected.json"));
    expected.map(|path| (fs::read_to_string(&path).unwrap(), path)).map(|(text, path)| (path, text)).collect()
}

#[test]
fn credentials_are_nowhere_in_the_events() {
    let mut fixtures_with_credentials = 0;
    for (path, text) in expectations() {
        let input = fs::read_to_string(path.replace(".expected.json", ".json")).unwrap_or_default();
        fixtures_with_credentials += usize::from(input.contains("not-a-token"));
        assert!(!text.contains("not-a-token") && !text.contains("bm90OmhlcmU"), "{path}");
    }
    assert!(fixtures_with_credentials >= 2);
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
    let mut count = 0;
    for (path, text) in expectations() {
        let expected: Value = serde_json::from_str(&text).unwrap();
        for event in expected["events"].as_array().unwrap() {
            let (fields, depth) = measure(event);
            assert!(fields <= 1000 && depth <= 20, "{path}: {fields} fields, {depth} levels");
            count += 1;
        }
    }
    assert!(count > 25);
}
