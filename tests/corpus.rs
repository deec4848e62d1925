//! Logs that nobody here wrote, where a folder of them lies beside the checkout: nothing crashes, every frame is an
//! event or named as malformed, every byte is accounted for.
//!
//! The folder has an INDEX.tsv with the columns `log_type`, `raw_file` and `format`; WEIR_CORPUS names another place.
//! Where there is none the tests say so and pass.

use crate::support::host::{full, open_folder, pass, shared_cache};
use crate::support::{parsers_folder, root};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use weir::host::Host;
use weir::pipeline::SetAsideKind;

/// What the index calls a type, and what it is here.
const TYPES: [(&str, &str); 17] = [
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
    ("openssh", "linux-secure"),
    ("syslog", "linux-syslog"),
];

/// A file of the corpus.
struct Sample {
    name: String,
    kind: String,
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
    lines
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .map(|row| Sample {
            name: row[file].to_owned(),
            kind: row[kind].to_owned(),
            content: std::fs::read(folder.join(row[file]))
                .unwrap_or_else(|error| panic!("{}: {error}", row[file])),
        })
        .collect()
}

fn host() -> Host {
    open_folder(&parsers_folder(), "", &shared_cache()).unwrap_or_else(|error| panic!("{}", full(&error)))
}

#[test]
fn every_record_of_a_known_type_is_an_event_or_malformed_by_name() {
    let Some(folder) = corpus() else { return };
    let (host, types) = (host(), BTreeMap::from(TYPES));
    let pipeline = host.pipeline();
    let mut totals: BTreeMap<&str, (u64, u64, u64, u64)> = BTreeMap::new();
    for sample in samples(&folder) {
        let Some(log_type) = types.get(sample.kind.as_str()) else { continue };
        let passed = pass(&pipeline, Some(log_type), &sample.name, &sample.content);
        let counts = &passed.counts;
        assert!(counts.bytes.frame_count > 0, "{}: no frame at all", sample.name);
        assert_eq!((counts.waiting, counts.unrouted), (0, 0), "{}", sample.name);
        for kept in &passed.sink.kept {
            assert_ne!(kept.kind, SetAsideKind::Condemned, "{}: {}", sample.name, kept.reason);
            assert!(
                !kept.reason.is_empty(),
                "{}: a reason for {:?}",
                sample.name,
                String::from_utf8_lossy(&kept.raw)
            );
        }
        for event in &passed.sink.taken {
            for field in ["@timestamp", "event.kind", "event.module", "event.dataset"] {
                assert!(event.field(field).is_string(), "{}: {field} of {}", sample.name, event.document);
            }
        }
        let total = totals.entry(log_type).or_default();
        total.0 += 1;
        total.1 += counts.bytes.frame_count;
        total.2 += counts.parsed;
        total.3 += counts.quarantined;
    }
    assert!(!totals.is_empty(), "{} holds no type that is known here", folder.display());
    for (log_type, (files, frames, parsed, malformed)) in totals {
        println!("{log_type:14} {files:4} files {frames:6} frames {parsed:6} parsed {malformed:4} malformed");
        assert!(parsed * 10 >= frames * 8, "{log_type}: {malformed} of {frames} frames are malformed");
    }
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
