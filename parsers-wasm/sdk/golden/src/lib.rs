//! Golden tests for parsers: `fixtures/NAME.log` or `NAME.json` beside `NAME.expected.json`.
//!
//! An expectation holds the events as the parser writes them, before the host adds anything, and the outcome of every
//! frame that gave none:
//! `{"events": [...], "not_parsed": [{"frame": 3, "skipped": "empty"}, {"frame": 4, "malformed": "bad-json: ..."}]}`.
//! `NAME.context.toml`, if there, sets what the host would know: `key`, `bucket`, `account`, `region`, `header`,
//! `reference-time` (RFC 3339), `offset` (seconds east of UTC), `log-group`, `container`, `[attributes]`,
//! `parquet = true` (each line is a row).
//!
//! Every event has the fields that parser.toml promises, and types that ECS expects in its categories.
//!
//! Each fixture is parsed in one batch, one frame a batch, and in batches of 2, 3 and 7 frames: the events must be
//! the same bytes. `WEIR_BLESS=1` writes the expectations; read the difference before you commit it. The host runs
//! the same fixtures through the sandbox (`weir parser test`).

pub mod categories;
mod framing;

use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use weir_parser_sdk::{
    Batch, FrameOutcome, FramingKind, MalformedReason, Origin, Parsed, Parser, SkipReason, TimeZone,
};

/// What a fixture's `NAME.context.toml` may set.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct FixtureContext {
    key: Option<String>,
    bucket: Option<String>,
    account: Option<String>,
    region: Option<String>,
    header: Option<String>,
    reference_time: Option<String>,
    offset: i32,
    log_group: Option<String>,
    log_stream: Option<String>,
    container: Option<String>,
    host: Option<String>,
    parquet: bool,
    attributes: BTreeMap<String, String>,
}

/// Checks every fixture of the parser whose folder is `directory`.
///
/// # Panics
/// When a fixture's events differ from its expectation, or depend on how the frames are split; that is what fails the
/// test.
pub fn check<P: Parser>(directory: &str) {
    let directory = Path::new(directory);
    let manifest = fs::read_to_string(directory.join("parser.toml"))
        .unwrap_or_else(|e| fail(&format!("parser.toml: {e}")));
    let manifest: toml::Table = manifest.parse().unwrap_or_else(|e| fail(&format!("parser.toml: {e}")));
    let fixtures = list(&directory.join("fixtures"));
    assert!(!fixtures.is_empty(), "{} has no fixtures", directory.display());
    let mut failures = Vec::new();
    for path in fixtures {
        if let Err(difference) = check_one::<P>(&path, &manifest) {
            failures.push(format!("{}: {difference}", path.display()));
        }
    }
    assert!(failures.is_empty(), "{}\nWEIR_BLESS=1 writes new expectations", failures.join("\n"));
}

fn fail(message: &str) -> ! {
    #[expect(clippy::panic, reason = "this crate is a test harness: a panic is how a test fails")]
    {
        panic!("{message}")
    }
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.to_string_lossy();
            name.ends_with(".log") || (name.ends_with(".json") && !name.ends_with(".expected.json"))
        })
        .collect();
    paths.sort();
    paths
}

fn check_one<P: Parser>(path: &Path, manifest: &toml::Table) -> Result<(), String> {
    let raw = fs::read(path).map_err(|e| e.to_string())?;
    let context = match fs::read_to_string(path.with_extension("context.toml")) {
        Ok(text) => toml::from_str(&text).map_err(|e| e.to_string())?,
        Err(_) => FixtureContext::default(),
    };
    let (header, frames, kind) = framing::split(&raw, manifest, context.parquet, context.header.clone());
    let batch = batch_of(path, manifest, &context, header, kind)?;

    let whole = parse::<P>(&batch, &frames, frames.len().max(1));
    for size in [1, 2, 3, 7] {
        let split = parse::<P>(&batch, &frames, size);
        if split.0 != whole.0 || split.1 != whole.1 {
            return Err(format!("the events of batches of {size} frames differ from those of one batch"));
        }
    }
    let actual = json!({ "events": whole.0.iter().map(|text| as_value(text)).collect::<Vec<_>>(), "not_parsed": whole.1 });
    for event in actual["events"].as_array().into_iter().flatten() {
        if let Some(problem) = missing_field(event, manifest).or_else(|| categories::problem(event)) {
            return Err(problem);
        }
    }
    let expected_path = path.with_extension("expected.json");
    if std::env::var_os("WEIR_BLESS").is_some() {
        let text = serde_json::to_string_pretty(&actual).map_err(|e| e.to_string())?;
        return fs::write(&expected_path, text + "\n").map_err(|e| e.to_string());
    }
    let text = fs::read_to_string(&expected_path).map_err(|e| format!("{}: {e}", expected_path.display()))?;
    let expected: Value =
        serde_json::from_str(&text).map_err(|e| format!("{}: {e}", expected_path.display()))?;
    first_difference("", &expected, &actual).map_or(Ok(()), Err)
}

/// The first field that the manifest promises for every event and this one lacks.
fn missing_field(event: &Value, manifest: &toml::Table) -> Option<String> {
    let fields = manifest.get("fields")?.as_array()?;
    fields.iter().filter_map(toml::Value::as_str).find_map(|name| {
        let found =
            event.get(name).is_some() || event.pointer(&format!("/{}", name.replace('.', "/"))).is_some();
        (!found).then(|| format!("an event lacks {name}, which parser.toml promises: {event}"))
    })
}

fn as_value(text: &str) -> Value {
    serde_json::from_str(text)
        .unwrap_or_else(|e| fail(&format!("the parser wrote what is not JSON ({e}): {text}")))
}

fn batch_of(
    path: &Path,
    manifest: &toml::Table,
    context: &FixtureContext,
    header: Option<String>,
    framing: FramingKind,
) -> Result<Batch, String> {
    let reference = context.reference_time.as_deref().unwrap_or("2026-01-15T00:00:00Z");
    let reference_time = weir_parser_sdk::time::parse_iso(reference, &weir_parser_sdk::time::Zone::UTC)
        .ok_or_else(|| format!("reference-time {reference:?} is no RFC 3339 time"))?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let log_type = manifest
        .get("log-types")
        .and_then(|types| types.get(0))
        .and_then(toml::Value::as_str)
        .unwrap_or_default();
    Ok(Batch {
        origin: Origin {
            account: context.account.clone(),
            region: context.region.clone(),
            bucket: context.bucket.clone().unwrap_or_else(|| "fixtures".to_owned()),
            key: context.key.clone().unwrap_or(name),
            version_id: None,
            archive_member: None,
            log_type: log_type.to_owned(),
            team: None,
            log_group: context.log_group.clone(),
            log_stream: context.log_stream.clone(),
            container: context.container.clone(),
            host: context.host.clone(),
            attributes: context.attributes.clone().into_iter().collect(),
        },
        reference_time,
        time_zone: TimeZone {
            name: "fixture".to_owned(),
            initial_offset: context.offset,
            transitions: Vec::new(),
        },
        framing,
        header,
        frames: Vec::new(),
        ends: Vec::new(),
        wrapped: Vec::new(),
    })
}

/// The documents and the outcomes that are not events, parsed in batches of `size` frames.
fn parse<P: Parser>(batch: &Batch, frames: &[Vec<u8>], size: usize) -> (Vec<String>, Vec<Value>) {
    let (mut documents, mut others) = (Vec::new(), Vec::new());
    for (number, chunk) in frames.chunks(size).enumerate() {
        let mut batch = batch.clone();
        for frame in chunk {
            batch.frames.extend_from_slice(frame);
            batch.ends.push(batch.frames.len() as u32);
        }
        let parsed = weir_parser_sdk::parse_batch::<P>(&batch);
        check_shape(&parsed, chunk.len());
        let mut start = 0;
        for &end in &parsed.ends {
            let text = parsed.documents.get(start..end as usize).unwrap_or_default();
            documents
                .push(String::from_utf8(text.to_vec()).unwrap_or_else(|e| fail(&format!("not UTF-8: {e}"))));
            start = end as usize;
        }
        for (index, outcome) in parsed.outcomes.iter().enumerate() {
            let frame = number * size + index;
            match outcome {
                FrameOutcome::Events(_) => {}
                FrameOutcome::Skipped(reason) => {
                    others.push(json!({ "frame": frame, "skipped": skip_text(reason) }));
                }
                FrameOutcome::Malformed(reason) => {
                    others.push(json!({ "frame": frame, "malformed": malformed_text(reason) }));
                }
            }
        }
    }
    (documents, others)
}

/// The promises of the contract that the host checks too.
fn check_shape(parsed: &Parsed, frames: usize) {
    assert_eq!(parsed.outcomes.len(), frames, "an outcome for every frame");
    assert_eq!(parsed.ends.len(), parsed.frames.len(), "a frame for every document");
    assert_eq!(parsed.ends.len(), parsed.timestamps.len(), "a time for every document");
    assert!(parsed.ends.is_sorted() && parsed.frames.is_sorted(), "offsets ascend");
    assert_eq!(
        parsed.ends.last().copied().unwrap_or(0) as usize,
        parsed.documents.len(),
        "nothing behind the last document"
    );
    for (index, outcome) in parsed.outcomes.iter().enumerate() {
        let count = parsed.frames.iter().filter(|frame| **frame as usize == index).count();
        let told = if let FrameOutcome::Events(told) = outcome { *told as usize } else { 0 };
        assert_eq!(count, told, "frame {index} has as many documents as its outcome says");
    }
}

fn skip_text(reason: &SkipReason) -> String {
    match reason {
        SkipReason::Empty => "empty".to_owned(),
        SkipReason::Comment => "comment".to_owned(),
        SkipReason::Control => "control".to_owned(),
        SkipReason::Other(why) => why.clone(),
    }
}

fn malformed_text(reason: &MalformedReason) -> String {
    match reason {
        MalformedReason::NoMatch(why) => format!("no-match: {why}"),
        MalformedReason::BadJson(why) => format!("bad-json: {why}"),
        MalformedReason::MissingField(why) => format!("missing-field: {why}"),
        MalformedReason::BadField(why) => format!("bad-field: {why}"),
        MalformedReason::UnknownLayout(why) => format!("unknown-layout: {why}"),
        MalformedReason::TooLarge(why) => format!("too-large: {why}"),
        MalformedReason::Other(why) => format!("other: {why}"),
    }
}

/// Where two values first differ, as `path: expected ..., found ...`.
fn first_difference(path: &str, expected: &Value, actual: &Value) -> Option<String> {
    match (expected, actual) {
        (Value::Object(wanted), Value::Object(found)) => wanted
            .iter()
            .find_map(|(key, value)| {
                first_difference(&format!("{path}/{key}"), value, found.get(key).unwrap_or(&Value::Null))
            })
            .or_else(|| {
                found
                    .iter()
                    .find(|(key, _)| !wanted.contains_key(*key))
                    .map(|(key, value)| format!("{path}/{key}: unexpected {value}"))
            }),
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            wanted.iter().zip(found).enumerate().find_map(|(index, (wanted, found))| {
                first_difference(&format!("{path}/{index}"), wanted, found)
            })
        }
        _ if expected == actual => None,
        _ => Some(format!("{path}: expected {expected}, found {actual}")),
    }
}
