//! Every parser, through the sandbox and native.

use crate::measure::{median, rate, time};
use crate::samples::{self, Sample};
use crate::table::{Native, Row};
use crate::varied;
use anyhow::{Context, Result, anyhow, ensure};
use std::path::Path;
use std::time::Duration;
use weir::host::Host;
use weir_parser_sdk::{Batch, Parsed, parse_batch};

/// A parser: its component's name, and itself natively.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    native: fn(&Batch) -> Parsed,
    /// Whether its records are made up here; others are varied from its fixtures.
    made_up: bool,
}

/// Every parser there is. A component without an entry fails the bench.
pub(crate) fn all() -> Vec<Entry> {
    let made_up = |name, native| Entry { name, native, made_up: true };
    let varied = |name, native| Entry { name, native, made_up: false };
    vec![
        made_up("vpcflow", parse_batch::<weir_parser_vpcflow::VpcFlow>),
        varied("tgwflow", parse_batch::<weir_parser_tgwflow::TgwFlow>),
        made_up("alb", parse_batch::<weir_parser_alb::Alb>),
        varied("nlb", parse_batch::<weir_parser_nlb::Nlb>),
        varied("clb", parse_batch::<weir_parser_clb::Clb>),
        varied("s3access", parse_batch::<weir_parser_s3access::S3Access>),
        made_up("cloudtrail", parse_batch::<weir_parser_cloudtrail::CloudTrail>),
        made_up("waf", parse_batch::<weir_parser_waf::Waf>),
        varied("nginx-access", parse_batch::<weir_parser_nginx_access::NginxAccess>),
        varied("nginx-error", parse_batch::<weir_parser_nginx_error::NginxError>),
        varied("apache-access", parse_batch::<weir_parser_apache_access::ApacheAccess>),
        varied("apache-error", parse_batch::<weir_parser_apache_error::ApacheError>),
        varied("linux-secure", parse_batch::<weir_parser_linux_secure::LinuxSecure>),
        varied("linux-syslog", parse_batch::<weir_parser_linux_syslog::LinuxSyslog>),
        varied("app-json", parse_batch::<weir_parser_app_json::AppJson>),
    ]
}

impl Entry {
    /// What it is measured with.
    pub(crate) fn sample(&self, host: &Host) -> Result<Sample> {
        if self.made_up {
            samples::generate(self.name)
        } else {
            varied::from_fixtures(host, self.name, self.native)
        }
    }
}

/// The row of a parser; rounds of native and sandbox in turn.
pub(crate) fn measure(entry: &Entry, sample: &Sample, host: &Host, rounds: u32) -> Result<Row> {
    let parser = host.registry.parser(entry.name).with_context(|| {
        format!(
            "no component {}.wasm in {}: run `cargo xtask build-parsers`",
            entry.name,
            host_folder(host).display()
        )
    })?;
    let compiled = parser.compiled();
    let batches = sample.native();
    let frames = sample.count();
    let (mut native, mut sandbox, mut checked, mut ratios) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // The first round warms caches up and checks that both give the same.
    for round in 0..=rounds {
        let mut bytes = 0;
        let own = time(|| {
            for batch in &batches {
                bytes += std::hint::black_box((entry.native)(batch)).documents.len();
            }
            Ok(())
        })?;
        let mut sandbox_bytes = 0;
        let guest = time(|| {
            for batch in sample.contract() {
                let answer = compiled.run_timed(&batch, Duration::from_mins(1))?;
                sandbox_bytes +=
                    answer.map_err(|breach| anyhow!("{}: {breach}", entry.name))?.documents.len();
            }
            Ok(())
        })?;
        let mut verdicts = 0;
        let with_check = time(|| {
            for batch in sample.contract() {
                verdicts += parser.parse(&batch)?.verdicts.len();
            }
            Ok(())
        })?;
        ensure!(
            bytes == sandbox_bytes,
            "{}: {bytes} bytes native, {sandbox_bytes} through the sandbox",
            entry.name
        );
        ensure!(verdicts == frames, "{}: {verdicts} verdicts for {frames} frames", entry.name);
        if round > 0 {
            native.push(own.as_secs_f64());
            sandbox.push(guest.as_secs_f64());
            checked.push(with_check.as_secs_f64());
            ratios.push(own.as_secs_f64() / guest.as_secs_f64());
        }
    }
    let seconds = median(sandbox);
    Ok(Row {
        name: entry.name.to_owned(),
        events_per_s: frames as f64 / seconds,
        mb_per_s: rate(sample.bytes(), seconds),
        native: Some(Native {
            mb_per_s: rate(sample.bytes(), median(native)),
            ratio: median(ratios),
            checked_mb_per_s: rate(sample.bytes(), median(checked)),
        }),
    })
}

fn host_folder(host: &Host) -> &Path {
    &host.config.parsers.folder
}
