//! A parser's own fixtures, run through the sandbox: what `weir parser test` does, and what a new version must pass
//! before it is put in force.
//!
//! Fixtures travel inside the component: `NAME.log` or `NAME.json`, `NAME.expected.json`, perhaps `NAME.context.toml`
//! (the SDK's golden harness describes them). Each is parsed whole and in several splits; the events must be the same
//! bytes, and equal to the expectation; every event must have the fields that the manifest promises.

use super::answer::{Answer, Verdict};
use super::registry::Parser;
use crate::event::object_id;
use crate::ingest::stream::{
    FrameBatch, FrameKind, FrameLimits, Input, Item, ObjectReader, RouteDecision, SourceOptions, StreamKey,
    StreamRouter,
};
use crate::pipeline::{ObjectRef, Origin, with_contract_batch};
use crate::route::{Route, Zone};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;

/// The reference time of a fixture that sets none.
const REFERENCE_TIME: &str = "2026-01-15T00:00:00Z";

/// What `NAME.context.toml` may set.
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

/// How one fixture went.
#[derive(Debug)]
pub struct FixtureReport {
    pub name: String,
    pub frames: usize,
    pub events: usize,
    /// What is wrong, if something is.
    pub problem: Option<String>,
}

/// Runs every fixture of a parser.
pub fn test(parser: &Arc<Parser>) -> Vec<FixtureReport> {
    let files: BTreeMap<&str, &[u8]> = parser
        .file()
        .fixtures
        .iter()
        .map(|fixture| (fixture.name.as_str(), fixture.content.as_slice()))
        .collect();
    files
        .iter()
        .filter(|(name, _)| {
            let name = std::path::Path::new(name);
            let extension = name.extension().and_then(|e| e.to_str());
            let inner = name.file_stem().map(std::path::Path::new).and_then(|stem| stem.extension());
            extension == Some("log")
                || (extension == Some("json") && inner.is_none_or(|inner| inner != "expected"))
        })
        .map(|(name, content)| {
            let stem = name.rsplit_once('.').map_or(*name, |(stem, _)| stem);
            let (mut frames, mut events) = (0, 0);
            let problem = run(parser, name, content, &files, stem, &mut frames, &mut events).err();
            FixtureReport { name: (*name).to_owned(), frames, events, problem }
        })
        .collect()
}

fn run(
    parser: &Arc<Parser>,
    name: &str,
    content: &[u8],
    files: &BTreeMap<&str, &[u8]>,
    stem: &str,
    frames: &mut usize,
    events: &mut usize,
) -> Result<(), String> {
    let context = match files.get(format!("{stem}.context.toml").as_str()) {
        Some(text) => toml::from_slice(text).map_err(|error| format!("{stem}.context.toml: {error}"))?,
        None => FixtureContext::default(),
    };
    let whole = parse(parser, name, content, &context, FrameLimits::default())?;
    (*frames, *events) = (whole.verdicts.len(), whole.documents.len());
    for size in [1, 2, 3, 7] {
        let limits = FrameLimits { batch_frames: size, ..FrameLimits::default() };
        let split = parse(parser, name, content, &context, limits)?;
        if split.documents != whole.documents || split.verdicts != whole.verdicts {
            return Err(format!("in batches of {size} frames it gives other events than in one batch"));
        }
    }
    let expected = files
        .get(format!("{stem}.expected.json").as_str())
        .ok_or_else(|| format!("there is no {stem}.expected.json"))?;
    let expected: Value =
        serde_json::from_slice(expected).map_err(|error| format!("{stem}.expected.json: {error}"))?;
    let actual =
        whole.documents.iter().map(|text| serde_json::from_slice(text)).collect::<Result<Vec<Value>, _>>();
    let actual = actual.map_err(|error| format!("an event is not JSON: {error}"))?;
    for event in &actual {
        if let Some(field) = parser.manifest().fields.iter().find(|field| !has(event, field)) {
            return Err(format!("an event lacks {field}, which the manifest promises"));
        }
    }
    let wanted = expected.get("events").cloned().unwrap_or_else(|| json!([]));
    if let Some(difference) = first_difference("", &wanted, &Value::Array(actual)) {
        return Err(difference);
    }
    let rejected = whole.verdicts.iter().filter(|verdict| !matches!(verdict, Verdict::Events(_))).count();
    let told = expected.get("not_parsed").and_then(Value::as_array).map_or(0, Vec::len);
    if rejected != told {
        return Err(format!("{rejected} frames gave no event, and {told} were expected to"));
    }
    Ok(())
}

/// What a fixture gave, over all its batches.
#[derive(Default)]
struct Outcome {
    documents: Vec<Vec<u8>>,
    verdicts: Vec<Verdict>,
}

struct OneType<'a> {
    parser: &'a Parser,
    header: Option<Arc<str>>,
}

impl StreamRouter for OneType<'_> {
    fn route(&self, _: &StreamKey, _: Option<&str>) -> RouteDecision {
        let manifest = self.parser.manifest();
        RouteDecision {
            route: Some(0),
            framing: Arc::new(manifest.framing.clone()),
            header: self.header.clone(),
            unwrap_firelens: manifest.unwrap_firelens,
        }
    }
}

fn parse(
    parser: &Arc<Parser>,
    name: &str,
    content: &[u8],
    context: &FixtureContext,
    limits: FrameLimits,
) -> Result<Outcome, String> {
    let header: Option<Arc<str>> = context.header.as_deref().map(Arc::from);
    let reference = context.reference_time.as_deref().unwrap_or(REFERENCE_TIME);
    let reference_time = crate::query::instant_from_text(reference)
        .ok_or_else(|| format!("reference-time {reference:?} is no RFC 3339 time"))?;
    let (bucket, key) =
        (context.bucket.as_deref().unwrap_or("fixtures"), context.key.as_deref().unwrap_or(name));
    let object = ObjectRef {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        version: String::new(),
        id: object_id(bucket, key, ""),
        modified: reference_time,
        base: 0,
    };
    let zone = Zone { name: "fixture".to_owned(), initial_offset: context.offset, transitions: Vec::new() };
    let route = Route {
        log_type: parser.manifest().log_types.first().cloned().unwrap_or_default(),
        parser: parser.clone(),
        team: None,
        zone: Arc::new(zone),
        header: header.clone(),
        charset: None,
        reason: "its own fixture".to_owned(),
    };
    let router = OneType { parser, header };
    let input =
        Input::Reader { reader: Box::new(Cursor::new(content.to_vec())), length: Some(content.len() as u64) };
    let mut reader = ObjectReader::open(input, &router, SourceOptions::default(), limits)
        .map_err(|error| error.to_string())?;
    let mut outcome = Outcome::default();
    while let Some(item) = reader.next_item().map_err(|error| error.to_string())? {
        match item {
            Item::Batch(mut batch) => {
                if context.parquet {
                    batch.kind = FrameKind::ParquetRow;
                    batch.header = None;
                }
                outcome.add(&run_batch(parser, &object, &route, context, &batch, reference_time)?);
            }
            Item::Damage(damage) => outcome.verdicts.push(Verdict::Malformed(damage.reason.to_string())),
            Item::Unparsed(_) => outcome.verdicts.push(Verdict::Skipped("unparsed".to_owned())),
        }
    }
    Ok(outcome)
}

fn run_batch(
    parser: &Parser,
    object: &ObjectRef,
    route: &Route,
    context: &FixtureContext,
    batch: &FrameBatch,
    reference_time: i64,
) -> Result<Answer, String> {
    let stream = StreamKey {
        member: batch.stream.member.clone(),
        account: context.account.clone(),
        log_group: context.log_group.clone().or_else(|| batch.stream.log_group.clone()),
        log_stream: context.log_stream.clone().or_else(|| batch.stream.log_stream.clone()),
        container: context.container.clone().or_else(|| batch.stream.container.clone()),
        attributes: context.attributes.clone().into_iter().collect(),
    };
    let origin = Origin {
        account: context.account.clone(),
        region: context.region.clone(),
        host: context.host.clone(),
        team: None,
        stream: Arc::new(stream),
        reference_time,
    };
    let answer = with_contract_batch(object, &origin, route, batch, |batch| parser.parse(batch));
    answer.map_err(|error| error.to_string())
}

impl Outcome {
    fn add(&mut self, answer: &Answer) {
        self.documents.extend(answer.entries.iter().map(|entry| answer.document(entry).to_vec()));
        self.verdicts.extend(answer.verdicts.iter().cloned());
    }
}

fn has(event: &Value, field: &str) -> bool {
    event.get(field).is_some() || event.pointer(&format!("/{}", field.replace('.', "/"))).is_some()
}

/// Where two values first differ, in words.
fn first_difference(path: &str, expected: &Value, actual: &Value) -> Option<String> {
    match (expected, actual) {
        (Value::Object(wanted), Value::Object(found)) => {
            let keys: std::collections::BTreeSet<&String> = wanted.keys().chain(found.keys()).collect();
            keys.into_iter().find_map(|key| match (wanted.get(key), found.get(key)) {
                (Some(wanted), Some(found)) => first_difference(&format!("{path}/{key}"), wanted, found),
                (wanted, found) => {
                    let shown = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
                    Some(format!("{path}/{key}: expected {}, found {}", shown(wanted), shown(found)))
                }
            })
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            wanted.iter().zip(found).enumerate().find_map(|(index, (wanted, found))| {
                first_difference(&format!("{path}/{index}"), wanted, found)
            })
        }
        _ if expected == actual => None,
        _ => Some(format!("{path}: expected {expected}, found {actual}")),
    }
}
