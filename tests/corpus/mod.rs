//! Logs that nobody here wrote, where a folder of them lies beside the checkout: nothing crashes, every frame is an
//! event with fields or malformed by name, every byte is accounted for; and how far the events agree with what the
//! logs' own projects expect, which `cargo test --release -p weir-tests corpus -- --nocapture` prints.
//!
//! The folder has an INDEX.tsv with the columns `log_type`, `raw_file`, `expected_file` and `expected_schema`, and
//! `score_ecs.py`, which compares events with an expectation in ECS. WEIR_CORPUS names another place. Where there is
//! none, or no Python, the tests say so and pass.

mod agreement;

use crate::support::host::{full, open_folder, pass, shared_cache};
use crate::support::sink::Passed;
use crate::support::{parsers_folder, root};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use weir::host::Host;
use weir::pipeline::SetAsideKind;
use weir_parser_golden::categories;
use weir_parser_sdk::ecs;

/// What the index calls a type, and what it is here.
const TYPES: [(&str, &str); 20] = [
    ("apache_access", "apache-access"),
    ("apache_error", "apache-error"),
    ("aws_alb", "alb"),
    ("aws_clb", "clb"),
    ("aws_cloudtrail", "cloudtrail"),
    ("aws_nlb", "nlb"),
    ("aws_s3access", "s3access"),
    ("aws_tgwflow", "tgwflow"),
    ("aws_vpcflow", "vpcflow"),
    ("aws_waf", "waf"),
    ("linux_auth", "linux-secure"),
    ("nginx_access", "nginx-access"),
    ("nginx_error", "nginx-error"),
    ("nginx_ingress", "nginx-access"),
    ("nginx_ingress_upstreaminfo", "nginx-access"),
    ("nginx_json", "app-json"),
    ("nginx_mail", "nginx-error"),
    ("nginx_proxy_manager", "nginx-access"),
    ("openssh", "linux-secure"),
    ("syslog", "linux-syslog"),
];

/// The expectations of the Beats read times that name no zone two hours west of Greenwich.
const SETTINGS: &str =
    "[[route]]\nbucket = \"tests\"\nprefix = \"legoguy1000+beats/\"\ntime-zone = \"-02:00\"\n";

/// A file of the corpus.
struct Sample {
    name: String,
    path: PathBuf,
    log_type: Option<&'static str>,
    /// An expectation in ECS.
    expected: Option<PathBuf>,
    content: Vec<u8>,
}

fn corpus() -> Option<PathBuf> {
    let beside = || root().parent().map(|parent| parent.join("shared/corpus"));
    let folder = std::env::var_os("WEIR_CORPUS").map(PathBuf::from).or_else(beside)?;
    if folder.join("INDEX.tsv").is_file() {
        return Some(folder);
    }
    println!("skipped: there is no {}", folder.join("INDEX.tsv").display());
    None
}

fn samples(folder: &Path) -> Vec<Sample> {
    let index = std::fs::read_to_string(folder.join("INDEX.tsv")).unwrap();
    let mut lines = index.lines();
    let columns: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let column = |name: &str| columns.iter().position(|column| *column == name).unwrap();
    let (kind, file) = (column("log_type"), column("raw_file"));
    let (expected, schema) = (column("expected_file"), column("expected_schema"));
    lines
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .map(|row| {
            let path = folder.join(row[file]);
            Sample {
                name: row[file].to_owned(),
                log_type: TYPES.iter().find(|(theirs, _)| *theirs == row[kind]).map(|(_, ours)| *ours),
                expected: row[schema].starts_with("ecs").then(|| folder.join(row[expected])),
                content: std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", row[file])),
                path,
            }
        })
        .collect()
}

fn host() -> Host {
    open_folder(&parsers_folder(), SETTINGS, &shared_cache())
        .unwrap_or_else(|error| panic!("{}", full(&error)))
}

/// What the samples of one log type came to.
#[derive(Default)]
struct Total {
    files: u64,
    frames: u64,
    parsed: u64,
    skipped: u64,
    malformed: u64,
    reasons: BTreeMap<String, u64>,
    agreement: agreement::Cases,
}

#[test]
fn every_record_of_a_known_type_is_an_event_with_fields_or_malformed_by_name() {
    let Some(folder) = corpus() else { return };
    let host = host();
    let pipeline = host.pipeline();
    let mut totals: BTreeMap<&str, Total> = BTreeMap::new();
    for sample in samples(&folder) {
        let Some(log_type) = sample.log_type else { continue };
        let passed = pass(&pipeline, Some(log_type), &sample.name, &sample.content);
        let manifest = host.registry.parser(log_type).unwrap().manifest().clone();
        check(&sample.name, &manifest.fields, &passed);
        let total = totals.entry(log_type).or_default();
        total.files += 1;
        total.frames += passed.counts.bytes.frame_count;
        total.parsed += passed.counts.parsed;
        total.skipped += passed.counts.skipped;
        total.malformed += passed.counts.quarantined;
        for kept in &passed.sink.kept {
            *total.reasons.entry(kept.reason.clone()).or_default() += 1;
        }
        if let Some(expected) = &sample.expected {
            total.agreement.add(&passed, &sample.path, expected);
        }
    }
    assert!(!totals.is_empty(), "{} holds no type that is known here", folder.display());
    for (log_type, total) in &totals {
        let Total { files, frames, parsed, skipped, malformed, .. } = total;
        println!(
            "{log_type:14} {files:4} files {frames:6} frames {parsed:6} parsed {skipped:4} skipped {malformed:5} malformed"
        );
        for (reason, count) in &total.reasons {
            println!("{:14} {count:6} × {reason}", "");
        }
        assert!(parsed * 10 >= frames * 8, "{log_type}: {malformed} of {frames} frames are malformed");
    }
    let scores = totals.iter().map(|(log_type, total)| (*log_type, &total.agreement));
    agreement::report(&folder.join("score_ecs.py"), scores);
}

/// Checks what became of one file's frames.
fn check(name: &str, promised: &[String], passed: &Passed) {
    let counts = &passed.counts;
    assert!(counts.bytes.frame_count > 0, "{name}: no frame at all");
    assert_eq!((counts.waiting, counts.unrouted), (0, 0), "{name}");
    for kept in &passed.sink.kept {
        assert_ne!(kept.kind, SetAsideKind::Condemned, "{name}: {}", kept.reason);
        assert!(!kept.reason.is_empty(), "{name}: a reason for {:?}", String::from_utf8_lossy(&kept.raw));
    }
    for event in &passed.sink.taken {
        for field in promised {
            assert!(
                !event.field(field).is_null(),
                "{name}: {field}, which is always set, of {}",
                event.document
            );
        }
        assert_eq!(categories::problem(&event.document), None, "{name}: {}", event.document);
        assert!(says_something(&event.document), "{name}: nothing was parsed of {}", event.document);
    }
}

/// Whether an event has more than its frame's text and what every event has.
fn says_something(document: &Value) -> bool {
    const OF_EVERY_EVENT: [&str; 6] = ["@timestamp", "message", "ecs", "event", "tags", "weir"];
    document.as_object().unwrap().keys().any(|name| !OF_EVERY_EVENT.contains(&name.as_str()))
}

#[test]
fn logs_of_any_type_break_no_parser() {
    let Some(folder) = corpus() else { return };
    let host = host();
    let pipeline = host.pipeline();
    let samples = samples(&folder);
    for log_type in host.registry.parsers().keys() {
        for sample in &samples {
            // Enough of each to see what kind of text it is.
            let content = &sample.content[..sample.content.len().min(64 << 10)];
            let passed = pass(&pipeline, Some(log_type), &sample.name, content);
            let broken = passed
                .sink
                .kept
                .iter()
                .find(|kept| matches!(kept.kind, SetAsideKind::Condemned | SetAsideKind::Waiting));
            if let Some(frame) = broken {
                panic!(
                    "{log_type} on {}: {}\n{}",
                    sample.name,
                    frame.reason,
                    String::from_utf8_lossy(&frame.raw)
                );
            }
        }
    }
}

#[test]
fn readmes_name_the_fields_that_manifests_promise() {
    let host = host();
    for parser in host.registry.parsers().values() {
        let manifest = parser.manifest();
        let path = root().join("parsers-wasm").join(&manifest.name).join("README.md");
        let readme =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut told = always_set(&readme);
        let mut promised = manifest.fields.clone();
        told.sort_unstable();
        promised.sort_unstable();
        assert_eq!(told, promised, "{}: what is always set, and `fields` of parser.toml", path.display());
    }
}

/// The ECS fields of the sentence that begins with `**Always set**`.
fn always_set(readme: &str) -> Vec<String> {
    let (_, behind) = readme.split_once("**Always set**: ").expect("a paragraph says what is always set");
    let sentence = behind.split(". ").next().unwrap().split(".\n").next().unwrap();
    let names = sentence.split('`').skip(1).step_by(2);
    names.filter(|name| matches!(ecs::find(name), Some(ecs::Found::Field(_)))).map(str::to_owned).collect()
}
