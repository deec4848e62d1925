//! Every parser, natively, behind the framing of its manifest.

use std::sync::LazyLock;

use weir_parser_sdk::{
    Batch, FrameOutcome, FramingKind, Origin, Parsed, Parser, TimeZone, Wrapped, parse_batch,
};

use super::reading::{Frame, Reading};
use super::tree::Tree;
use crate::ingest::frame::Framing;
use crate::ingest::stream::{FrameKind, FrameLimits};
use crate::parser::{Limits, check};

/// 2026-01-15T00:00:00Z, nanoseconds since 1970.
const REFERENCE_TIME: i64 = 1_768_435_200_000_000_000;

/// One parser.
struct Oracle {
    reading: Reading,
    /// Whether frames are lines unless the input shows that they are rows.
    takes_rows: bool,
    parse: fn(&Batch) -> Parsed,
    log_type: String,
    /// What the manifest promises of every event, as paths.
    fields: Vec<String>,
    /// The first name of the vendor's tree.
    vendor: &'static str,
}

impl Oracle {
    fn new<P: Parser>(manifest: &str) -> Self {
        let manifest: toml::Table = manifest.parse().expect("a manifest");
        let framing: Framing = manifest["framing"].clone().try_into().expect("a framing");
        let takes_rows = matches!(framing, Framing::Header { .. });
        let mut reading = Reading::new(framing.prepare().expect("a framing"));
        reading.limits =
            FrameLimits { frame_bytes: 1 << 20, object_bytes: 4 << 20, ..FrameLimits::default() };
        let text = |value: &toml::Value| value.as_str().expect("text").to_owned();
        Self {
            reading,
            takes_rows,
            parse: parse_batch::<P>,
            log_type: text(&manifest["log-types"][0]),
            fields: manifest["fields"].as_array().expect("fields").iter().map(text).collect(),
            vendor: P::VENDOR.split('.').next().unwrap_or_default(),
        }
    }

    fn check(&self, data: &[u8]) {
        let outcome = self.reading.read(std::io::Cursor::new(data.to_vec()), data.len(), self.reading.limits);
        // Frames that share stream, header and kind may share a batch.
        for frames in
            outcome.frames.chunk_by(|a, b| (&a.stream, &a.header, a.kind) == (&b.stream, &b.header, b.kind))
        {
            self.check_batch(frames, data);
        }
    }

    fn check_batch(&self, frames: &[Frame], data: &[u8]) {
        let rows = self.takes_rows && data.starts_with(b"{");
        let batch = self.batch(&frames[0], rows, data.len() % 2 == 1);
        let whole = self.answer(&batch, frames);
        for size in [1, 3] {
            let mut parts = Answer::default();
            frames.chunks(size).for_each(|frames| parts.append(self.answer(&batch, frames)));
            assert_eq!(whole.outcomes, parts.outcomes, "other outcomes in batches of {size} frames");
            assert_eq!(whole.timestamps, parts.timestamps, "other times in batches of {size} frames");
            assert!(
                whole.documents == parts.documents,
                "other documents in batches of {size} frames:\n{}\n{}",
                String::from_utf8_lossy(&whole.documents),
                String::from_utf8_lossy(&parts.documents)
            );
        }
    }

    /// What all batches of a stream share. `told` is whether wrapper and key say what they can.
    fn batch(&self, first: &Frame, rows: bool, told: bool) -> Batch {
        let stream = &first.stream;
        let some = |text: &str| told.then(|| text.to_owned());
        Batch {
            origin: Origin {
                account: stream.account.clone().or(some("111122223333")),
                region: some("eu-west-1"),
                bucket: "fuzz".to_owned(),
                key: if told {
                    "AWSLogs/111122223333/x/eu-west-1/2026/01/15/x".to_owned()
                } else {
                    String::new()
                },
                version_id: None,
                archive_member: stream.member.clone(),
                log_type: self.log_type.clone(),
                team: None,
                log_group: stream.log_group.clone().or(some("/aws/group")),
                log_stream: stream.log_stream.clone().or(some("stream")),
                container: stream.container.clone().or(some("web")),
                host: some("web-1"),
                attributes: stream.attributes.clone(),
            },
            reference_time: REFERENCE_TIME,
            time_zone: TimeZone {
                name: "fuzz".to_owned(),
                initial_offset: if told { 3600 } else { 0 },
                transitions: Vec::new(),
            },
            framing: match first.kind {
                _ if rows => FramingKind::ParquetRow,
                FrameKind::Text => FramingKind::Text,
                FrameKind::Json => FramingKind::Json,
                FrameKind::ParquetRow => FramingKind::ParquetRow,
            },
            header: first.header.as_deref().filter(|_| !rows).map(str::to_owned),
            frames: Vec::new(),
            ends: Vec::new(),
            wrapped: Vec::new(),
        }
    }

    /// The parser's answer, which must be one that the host accepts, with nothing in it that a reader would stumble over.
    fn answer(&self, batch: &Batch, frames: &[Frame]) -> Answer {
        let mut batch = batch.clone();
        for frame in frames {
            batch.frames.extend_from_slice(&frame.bytes);
            batch.ends.push(batch.frames.len() as u32);
            if let Some(wrapped) = &frame.wrapped {
                batch.wrapped.push(Wrapped {
                    id: wrapped.id.clone(),
                    time: wrapped.time_ns,
                    attributes: wrapped.attributes.clone(),
                });
            }
        }
        let parsed = (self.parse)(&batch);
        let limits = Limits::default();
        let most = limits.output_factor * batch.frames.len() as u64 + limits.output_extra;
        assert!(parsed.documents.len() as u64 <= most, "{} bytes of documents", parsed.documents.len());
        let documents = parsed.documents.clone();
        let timestamps = parsed.timestamps.clone();
        let outcomes = parsed.outcomes.iter().map(shown).collect();
        let answer = match check(parsed, frames.len(), &limits) {
            Ok(answer) => answer,
            Err(breach) => panic!("{breach:?}\n{}", String::from_utf8_lossy(&documents)),
        };
        for entry in &answer.entries {
            let document = answer.document(entry);
            let text = || String::from_utf8_lossy(document).into_owned();
            let tree = Tree::object(document).unwrap_or_else(|error| panic!("{error}: {}", text()));
            if let Some(path) = tree.doubled(self.vendor) {
                panic!("{path} twice: {}", text());
            }
            for field in &self.fields {
                let found = field.split('.').try_fold(&tree, |tree, name| tree.get(name));
                assert!(found.is_some(), "no {field}, which the manifest promises: {}", text());
            }
        }
        Answer { documents, timestamps, outcomes }
    }
}

/// An answer as far as the parser said it.
#[derive(Default)]
struct Answer {
    documents: Vec<u8>,
    timestamps: Vec<i64>,
    outcomes: Vec<String>,
}

impl Answer {
    fn append(&mut self, other: Answer) {
        self.documents.extend(other.documents);
        self.timestamps.extend(other.timestamps);
        self.outcomes.extend(other.outcomes);
    }
}

fn shown(outcome: &FrameOutcome) -> String {
    format!("{outcome:?}")
}

/// A function for each parser, with what is made of its manifest once.
macro_rules! parsers {
    ($($function:ident, $folder:literal, $parser:ty;)*) => { $(
        #[doc = concat!("The parser ", $folder, ". The input is an object of its log type.")]
        pub fn $function(data: &[u8]) {
            static ORACLE: LazyLock<Oracle> = LazyLock::new(|| {
                Oracle::new::<$parser>(include_str!(concat!("../../../../../parsers-wasm/", $folder, "/parser.toml")))
            });
            ORACLE.check(data);
        }
    )* };
}

parsers! {
    alb, "alb", weir_parser_alb::Alb;
    apache_access, "apache-access", weir_parser_apache_access::ApacheAccess;
    apache_error, "apache-error", weir_parser_apache_error::ApacheError;
    app_json, "app-json", weir_parser_app_json::AppJson;
    clb, "clb", weir_parser_clb::Clb;
    cloudtrail, "cloudtrail", weir_parser_cloudtrail::CloudTrail;
    linux_secure, "linux-secure", weir_parser_linux_secure::LinuxSecure;
    linux_syslog, "linux-syslog", weir_parser_linux_syslog::LinuxSyslog;
    nginx_access, "nginx-access", weir_parser_nginx_access::NginxAccess;
    nginx_error, "nginx-error", weir_parser_nginx_error::NginxError;
    nlb, "nlb", weir_parser_nlb::Nlb;
    s3access, "s3access", weir_parser_s3access::S3Access;
    tgwflow, "tgwflow", weir_parser_tgwflow::TgwFlow;
    vpcflow, "vpcflow", weir_parser_vpcflow::VpcFlow;
    waf, "waf", weir_parser_waf::Waf;
}
