//! Every parser's fixtures, through the host's framing and the sandbox, against the expectation and against the same
//! crate compiled natively: however the frames are split, the bytes are the same.

use crate::support::host::{full, open_folder, shared_cache};
use crate::support::parsers_folder;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;
use weir::event::object_id;
use weir::ingest::stream::{
    FrameBatch, FrameKind, FrameLimits, Input, Item, ObjectReader, RouteDecision, SourceOptions, StreamKey,
    StreamRouter,
};
use weir::parser::{Answer, Parser, Verdict, contract};
use weir::pipeline::{ObjectRef, Origin, with_contract_batch};
use weir::route::{Route, Zone};
use weir_parser_sdk::{self as sdk, parse_batch};

/// A parser crate as the host program never has it: linked in.
type Native = fn(&sdk::Batch) -> sdk::Parsed;

/// The native parser of each component, by its name.
const NATIVE: [(&str, Native); 15] = [
    ("alb", parse_batch::<weir_parser_alb::Alb>),
    ("apache-access", parse_batch::<weir_parser_apache_access::ApacheAccess>),
    ("apache-error", parse_batch::<weir_parser_apache_error::ApacheError>),
    ("app-json", parse_batch::<weir_parser_app_json::AppJson>),
    ("clb", parse_batch::<weir_parser_clb::Clb>),
    ("cloudtrail", parse_batch::<weir_parser_cloudtrail::CloudTrail>),
    ("linux-secure", parse_batch::<weir_parser_linux_secure::LinuxSecure>),
    ("linux-syslog", parse_batch::<weir_parser_linux_syslog::LinuxSyslog>),
    ("nginx-access", parse_batch::<weir_parser_nginx_access::NginxAccess>),
    ("nginx-error", parse_batch::<weir_parser_nginx_error::NginxError>),
    ("nlb", parse_batch::<weir_parser_nlb::Nlb>),
    ("s3access", parse_batch::<weir_parser_s3access::S3Access>),
    ("tgwflow", parse_batch::<weir_parser_tgwflow::TgwFlow>),
    ("vpcflow", parse_batch::<weir_parser_vpcflow::VpcFlow>),
    ("waf", parse_batch::<weir_parser_waf::Waf>),
];

/// The ways to split: frames a batch, bytes a batch.
const SPLITS: [(usize, usize); 8] = [
    (1, 1 << 20),
    (2, 1 << 20),
    (3, 1 << 20),
    (7, 1 << 20),
    (1 << 14, 1),
    (1 << 14, 300),
    (1 << 14, 4096),
    (5, 1000),
];

#[test]
fn fixtures_give_the_same_bytes_in_the_sandbox_and_natively_however_they_are_split() {
    let parsers = all_parsers();
    let mut problems = Vec::new();
    for (name, (parser, native)) in &parsers {
        let fixtures = Fixture::all(parser);
        if fixtures.is_empty() {
            problems.push(format!("{name}: no fixtures"));
        }
        for fixture in fixtures {
            if let Err(problem) = check(parser, *native, &fixture) {
                problems.push(format!("{name}, {}: {problem}", fixture.name));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn damaged_frames_give_the_same_bytes_in_the_sandbox_and_natively() {
    for (name, (parser, native)) in all_parsers() {
        for fixture in Fixture::all(&parser) {
            let mut damage = Damage(fixture.content.len() as u64);
            for _ in 0..8 {
                let damaged = Fixture { content: damage.done_to(&fixture.content), ..fixture.clone() };
                // Compares each batch with the native parser; the sandbox condemning a frame is a difference, too.
                let outcome = run(&parser, native, &damaged, FrameLimits::default());
                if let Err(problem) = outcome {
                    panic!(
                        "{name}, {} damaged: {problem}\n{}",
                        fixture.name,
                        String::from_utf8_lossy(&damaged.content)
                    );
                }
            }
        }
    }
}

/// Every component of the parsers' folder, with its native self.
fn all_parsers() -> BTreeMap<String, (Arc<Parser>, Native)> {
    let folder = parsers_folder();
    let host = open_folder(&folder, "", &shared_cache()).unwrap_or_else(|error| panic!("{}", full(&error)));
    let native: BTreeMap<&str, Native> = NATIVE.into_iter().collect();
    let mut parsers = BTreeMap::new();
    for parser in host.registry.parsers().values() {
        let name = parser.manifest().name.clone();
        let native = *native.get(name.as_str()).unwrap_or_else(|| {
            panic!("the parser {name} has no native self in tests/golden.rs: add its crate to NATIVE")
        });
        parsers.insert(name, (parser.clone(), native));
    }
    for (name, _) in NATIVE {
        assert!(parsers.contains_key(name), "there is no component {name}.wasm in {}", folder.display());
    }
    parsers
}

/// One `NAME.log` or `NAME.json` with what belongs to it.
#[derive(Clone)]
struct Fixture {
    name: String,
    content: Vec<u8>,
    expected: Value,
    context: Arc<FixtureContext>,
}

/// `NAME.context.toml`, see the SDK's golden harness.
#[derive(Default, Deserialize)]
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

impl Fixture {
    fn all(parser: &Parser) -> Vec<Fixture> {
        let files: BTreeMap<&str, &[u8]> =
            parser.file().fixtures.iter().map(|file| (file.name.as_str(), file.content.as_slice())).collect();
        let inputs = files.iter().filter_map(|(name, content)| {
            let (stem, extension) = name.rsplit_once('.')?;
            (extension == "log" || extension == "json" && !stem.ends_with(".expected"))
                .then_some((name, stem, content))
        });
        inputs
            .map(|(name, stem, content)| {
                let expected = files.get(format!("{stem}.expected.json").as_str());
                let expected = expected.unwrap_or_else(|| panic!("{name} has no expectation"));
                let context = files.get(format!("{stem}.context.toml").as_str());
                Fixture {
                    name: (*name).to_owned(),
                    content: content.to_vec(),
                    expected: serde_json::from_slice(expected).unwrap(),
                    context: Arc::new(
                        context.map_or_else(FixtureContext::default, |c| toml::from_slice(c).unwrap()),
                    ),
                }
            })
            .collect()
    }
}

fn check(parser: &Arc<Parser>, native: Native, fixture: &Fixture) -> Result<(), String> {
    let whole = run(parser, native, fixture, FrameLimits::default())?;
    for (batch_frames, batch_bytes) in SPLITS {
        let limits = FrameLimits { batch_frames, batch_bytes, ..FrameLimits::default() };
        let split = run(parser, native, fixture, limits)?;
        if split != whole {
            return Err(format!("other events in batches of {batch_frames} frames, {batch_bytes} bytes"));
        }
    }
    let events: Vec<Value> =
        whole.documents.iter().map(|text| serde_json::from_slice(text).unwrap()).collect();
    let expected = fixture.expected["events"].as_array().unwrap();
    for (number, (event, wanted)) in events.iter().zip(expected).enumerate() {
        if event != wanted {
            return Err(format!("event {number} is\n{event}\nand not, as expected,\n{wanted}"));
        }
    }
    let rejected = whole.verdicts.iter().filter(|verdict| !matches!(verdict, Verdict::Events(_))).count();
    let wanted = (expected.len(), fixture.expected["not_parsed"].as_array().map_or(0, Vec::len));
    if (events.len(), rejected) != wanted {
        return Err(format!("{} events and {rejected} other frames, expected are {wanted:?}", events.len()));
    }
    Ok(())
}

/// What a fixture gave, over all its batches.
#[derive(Default, PartialEq)]
struct Outcome {
    documents: Vec<Vec<u8>>,
    timestamps: Vec<i64>,
    verdicts: Vec<Verdict>,
}

/// Frames a fixture as the host does, and gives each batch to both selves of the parser.
fn run(
    parser: &Arc<Parser>,
    native: Native,
    fixture: &Fixture,
    limits: FrameLimits,
) -> Result<Outcome, String> {
    let context = &fixture.context;
    let header: Option<Arc<str>> = context.header.as_deref().map(Arc::from);
    let time = context.reference_time.as_deref().unwrap_or("2026-01-15T00:00:00Z");
    let reference_time = sdk::time::parse_iso(time, &sdk::time::Zone::UTC).unwrap();
    let (bucket, key) =
        (context.bucket.as_deref().unwrap_or("fixtures"), context.key.as_deref().unwrap_or(&fixture.name));
    let object = ObjectRef {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        version: String::new(),
        id: object_id(bucket, key, ""),
        modified: reference_time,
        base: 0,
    };
    let route = Route {
        log_type: parser.manifest().log_types[0].clone(),
        parser: parser.clone(),
        team: None,
        zone: Arc::new(Zone {
            name: "fixture".to_owned(),
            initial_offset: context.offset,
            transitions: Vec::new(),
        }),
        header: header.clone(),
        charset: None,
        reason: "a fixture".to_owned(),
    };
    let router = OneType { parser, header };
    let content = fixture.content.clone();
    let input = Input::Reader { length: Some(content.len() as u64), reader: Box::new(Cursor::new(content)) };
    let mut reader = ObjectReader::open(input, &router, SourceOptions::default(), limits).unwrap();
    let mut outcome = Outcome::default();
    while let Some(item) = reader.next_item().unwrap() {
        match item {
            Item::Batch(mut batch) => {
                if context.parquet {
                    batch.kind = FrameKind::ParquetRow;
                    batch.header = None;
                }
                let origin = origin_of(context, &batch, reference_time);
                let (answer, parsed) = with_contract_batch(&object, &origin, &route, &batch, |batch| {
                    (parser.parse(batch).unwrap(), native(&owned(batch)))
                });
                same(&answer, &parsed)?;
                outcome.documents.extend(answer.entries.iter().map(|entry| answer.document(entry).to_vec()));
                outcome.timestamps.extend(answer.entries.iter().map(|entry| entry.timestamp));
                outcome.verdicts.extend(answer.verdicts);
            }
            Item::Damage(damage) => outcome.verdicts.push(Verdict::Malformed(damage.reason.to_string())),
            Item::Unparsed(_) => outcome.verdicts.push(Verdict::Skipped("unparsed".to_owned())),
        }
    }
    assert_eq!(reader.ledger().unexplained(), 0);
    Ok(outcome)
}

/// Whether the sandbox gave what the native parser gave, to the byte.
fn same(answer: &Answer, parsed: &sdk::Parsed) -> Result<(), String> {
    let shown = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    // A lone surrogate is the one thing that the host repairs.
    if answer.documents != parsed.documents && !shown(&parsed.documents).contains("\\ud") {
        return Err(format!(
            "the sandbox gave\n{}\nnatively it is\n{}",
            shown(&answer.documents),
            shown(&parsed.documents)
        ));
    }
    let told: Vec<(u32, i64)> = answer.entries.iter().map(|entry| (entry.frame, entry.timestamp)).collect();
    let native: Vec<(u32, i64)> =
        parsed.frames.iter().copied().zip(parsed.timestamps.iter().copied()).collect();
    if told != native {
        return Err(format!("frames and timestamps differ: {told:?}, natively {native:?}"));
    }
    if answer.verdicts.len() != parsed.outcomes.len() {
        return Err(format!("{} verdicts, {} outcomes", answer.verdicts.len(), parsed.outcomes.len()));
    }
    for (verdict, outcome) in answer.verdicts.iter().zip(&parsed.outcomes) {
        let agree = match (verdict, outcome) {
            (Verdict::Events(one), sdk::FrameOutcome::Events(other)) => one == other,
            (Verdict::Skipped(_), sdk::FrameOutcome::Skipped(_)) => true,
            (Verdict::Malformed(reason), sdk::FrameOutcome::Malformed(other)) => {
                // The host cuts long reasons, and names the kind in words.
                let text = detail(other);
                reason.ends_with('…') || reason.ends_with(text)
            }
            _ => false,
        };
        if !agree {
            return Err(format!("{verdict:?}, natively {outcome:?}"));
        }
    }
    Ok(())
}

fn detail(reason: &sdk::MalformedReason) -> &str {
    match reason {
        sdk::MalformedReason::NoMatch(text)
        | sdk::MalformedReason::BadJson(text)
        | sdk::MalformedReason::MissingField(text)
        | sdk::MalformedReason::BadField(text)
        | sdk::MalformedReason::UnknownLayout(text)
        | sdk::MalformedReason::TooLarge(text)
        | sdk::MalformedReason::Other(text) => text,
    }
}

fn origin_of(context: &FixtureContext, batch: &FrameBatch, reference_time: i64) -> Origin {
    let stream = StreamKey {
        member: batch.stream.member.clone(),
        account: context.account.clone(),
        log_group: context.log_group.clone().or_else(|| batch.stream.log_group.clone()),
        log_stream: context.log_stream.clone().or_else(|| batch.stream.log_stream.clone()),
        container: context.container.clone().or_else(|| batch.stream.container.clone()),
        attributes: context.attributes.clone().into_iter().collect(),
    };
    Origin {
        account: context.account.clone(),
        region: context.region.clone(),
        host: context.host.clone(),
        team: None,
        stream: Arc::new(stream),
        reference_time,
    }
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

/// The host's batch, which borrows, as the one that a guest is given.
fn owned(batch: &contract::Batch<'_>) -> sdk::Batch {
    let text = |value: Option<&str>| value.map(str::to_owned);
    let pairs =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let contract::Batch { origin, time_zone, .. } = batch;
    sdk::Batch {
        origin: sdk::Origin {
            account: text(origin.account),
            region: text(origin.region),
            bucket: origin.bucket.to_owned(),
            key: origin.key.to_owned(),
            version_id: text(origin.version_id),
            archive_member: text(origin.archive_member),
            log_type: origin.log_type.to_owned(),
            team: text(origin.team),
            log_group: text(origin.log_group),
            log_stream: text(origin.log_stream),
            container: text(origin.container),
            host: text(origin.host),
            attributes: pairs(origin.attributes),
        },
        reference_time: batch.reference_time,
        time_zone: sdk::TimeZone {
            name: time_zone.name.to_owned(),
            initial_offset: time_zone.initial_offset,
            transitions: Vec::new(),
        },
        framing: match batch.framing {
            contract::FramingKind::Text => sdk::FramingKind::Text,
            contract::FramingKind::Json => sdk::FramingKind::Json,
            contract::FramingKind::ParquetRow => sdk::FramingKind::ParquetRow,
        },
        header: text(batch.header),
        frames: batch.frames.to_vec(),
        ends: batch.ends.to_vec(),
        wrapped: batch
            .wrapped
            .iter()
            .map(|wrapped| sdk::Wrapped {
                id: text(wrapped.id),
                time: wrapped.time,
                attributes: pairs(wrapped.attributes),
            })
            .collect(),
    }
}

/// Repeatable damage: bytes changed, doubled, left out, and put in from what logs are full of.
struct Damage(u64);

impl Damage {
    fn next(&mut self, below: usize) -> usize {
        // Knuth's MMIX generator.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below.max(1)
    }

    fn done_to(&mut self, content: &[u8]) -> Vec<u8> {
        const ODD: [&[u8]; 12] = [
            b"\"",
            b"\\",
            b"{",
            b"}",
            b"[",
            b" ",
            b"-",
            b"\xff",
            b"\\ud83d",
            b"99999999999999999999",
            b"\0",
            "ü".as_bytes(),
        ];
        let mut out = content.to_vec();
        for _ in 0..=content.len() / 200 {
            let at = self.next(out.len());
            match self.next(4) {
                0 => out[at] = self.next(256) as u8,
                1 => drop(out.remove(at)),
                2 => {
                    let end = (at + self.next(40)).min(out.len());
                    let piece = out[at..end].to_vec();
                    let to = self.next(out.len());
                    out.splice(to..to, piece);
                }
                _ => {
                    let odd = ODD[self.next(ODD.len())];
                    out.splice(at..at, odd.iter().copied());
                }
            }
            if out.is_empty() {
                break;
            }
        }
        out
    }
}
