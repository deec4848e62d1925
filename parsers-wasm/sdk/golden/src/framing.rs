//! The host's framings, as far as fixtures need them: small files, well formed.

use regex::bytes::Regex;
use serde_json::value::RawValue;
use weir_parser_sdk::FramingKind;

/// The header in force, the frames and their kind, as `[framing]` in the manifest says.
pub(crate) fn split(
    raw: &[u8],
    manifest: &toml::Table,
    parquet: bool,
    header: Option<String>,
) -> (Option<String>, Vec<Vec<u8>>, FramingKind) {
    let framing = manifest.get("framing").and_then(toml::Value::as_table);
    let setting = |name: &str| framing.and_then(|table| table.get(name));
    let text = |name: &str| setting(name).and_then(toml::Value::as_str).unwrap_or_default();
    if parquet {
        return (header, lines(raw), FramingKind::ParquetRow);
    }
    match text("kind") {
        "header" => {
            let mut frames = lines(raw);
            let pattern = Regex::new(text("pattern")).unwrap_or_else(|e| crate::fail(&e.to_string()));
            let first = frames.first().filter(|line| pattern.is_match(line)).cloned();
            match first {
                Some(line) => {
                    frames.remove(0);
                    (Some(String::from_utf8_lossy(&line).into_owned()), frames, FramingKind::Text)
                }
                None => (header, frames, FramingKind::Text),
            }
        }
        "json" => {
            let pointers = setting("pointers").and_then(toml::Value::as_array).cloned().unwrap_or_default();
            let pointers: Vec<&str> = pointers.iter().filter_map(toml::Value::as_str).collect();
            (header, json(raw, &pointers), FramingKind::Json)
        }
        "multi-line" => {
            let start = Regex::new(text("start")).unwrap_or_else(|e| crate::fail(&e.to_string()));
            let mut frames: Vec<Vec<u8>> = Vec::new();
            for line in lines(raw) {
                match frames.last_mut().filter(|_| !start.is_match(&line)) {
                    Some(frame) => {
                        frame.push(b'\n');
                        frame.extend_from_slice(&line);
                    }
                    None => frames.push(line),
                }
            }
            (header, frames, FramingKind::Text)
        }
        _ => (header, lines(raw), FramingKind::Text),
    }
}

fn lines(raw: &[u8]) -> Vec<Vec<u8>> {
    raw.split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec())
        .filter(|line| !line.is_empty())
        .collect()
}

/// The elements under a pointer, else the elements of a top-level array, else the values one after the other. A line
/// that is not JSON is a frame as it stands, so that fixtures can hold malformed records.
fn json(raw: &[u8], pointers: &[&str]) -> Vec<Vec<u8>> {
    let values: Result<Vec<&RawValue>, _> = serde_json::Deserializer::from_slice(raw).into_iter().collect();
    let Ok(values) = values else { return lines(raw) };
    let mut frames = Vec::new();
    for value in values {
        let tree: serde_json::Value = serde_json::from_str(value.get()).unwrap_or_default();
        let pointed =
            pointers.iter().any(|pointer| tree.pointer(pointer).is_some_and(serde_json::Value::is_array));
        if pointed || tree.is_array() {
            frames.extend(elements(value.get(), pointers));
        } else {
            frames.push(value.get().as_bytes().to_vec());
        }
    }
    frames
}

/// The elements as they stand, byte for byte, which a `Value` would not keep.
fn elements(text: &str, pointers: &[&str]) -> Vec<Vec<u8>> {
    if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text) {
        return items.iter().map(|item| item.get().as_bytes().to_vec()).collect();
    }
    for pointer in pointers {
        let mut at = text;
        let mut found = true;
        for part in pointer.split('/').skip(1) {
            match serde_json::from_str::<std::collections::HashMap<String, &RawValue>>(at) {
                Ok(members) => match members.get(part) {
                    Some(value) => at = value.get(),
                    None => found = false,
                },
                Err(_) => found = false,
            }
        }
        if found && let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(at) {
            return items.iter().map(|item| item.get().as_bytes().to_vec()).collect();
        }
    }
    Vec::new()
}
