//! `weir dump`: one file through the sandbox to text.

use crate::event::object_id;
use crate::host::{Host, HostError};
use crate::ingest::source::{content_version, list};
use crate::ingest::stream::Input;
use crate::output::documents::{DocumentWriter, Format, IndexNames};
use crate::pipeline::{Counts, ObjectRef};
use anyhow::{Context, ensure};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write, stdout};
use std::path::PathBuf;

/// Print the normalized events of one file, through the sandbox and without an index.
///
/// Frames that cannot be parsed are counted on standard error; the exit code stays 0.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir dump access.log --log-type nginx-access\n  weir dump flow.log.gz --log-type vpcflow --format bulk --output body.ndjson\n  weir dump AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/15/x.json.gz --original | head -1"
)]
pub struct Arguments {
    /// The file
    path: PathBuf,
    /// The log type, instead of what the path is routed to
    #[arg(long, value_name = "TYPE")]
    log_type: Option<String>,
    /// Where to write; standard output unless given
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[arg(long, default_value = "ndjson")]
    format: Format,
    /// Add the frame as `event.original`
    #[arg(long)]
    original: bool,
}

/// Runs the command.
pub fn run(arguments: &Arguments, open: impl FnOnce() -> Result<Host, HostError>) -> anyhow::Result<()> {
    let host = open()?;
    if let Some(log_type) = &arguments.log_type {
        check_log_type(&host, log_type)?;
    }
    ensure!(
        !arguments.path.is_dir(),
        "{} is a folder; `weir ingest` reads folders",
        arguments.path.display()
    );
    let objects = list(&host.config, std::slice::from_ref(&arguments.path))?;
    let local = objects.first().with_context(|| format!("{} is no file", arguments.path.display()))?;
    let metadata = std::fs::metadata(&local.path)?;
    let version =
        content_version(&local.path).with_context(|| format!("cannot read {}", local.path.display()))?;
    let object = ObjectRef {
        id: object_id(&local.bucket, &local.key, &version),
        bucket: local.bucket.clone(),
        key: local.key.clone(),
        version,
        modified: crate::ingest::source::modified_nanoseconds(&metadata),
        base: 0,
    };
    let out: Box<dyn Write> = match &arguments.output {
        Some(path) => {
            Box::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?)
        }
        None => Box::new(stdout().lock()),
    };
    let names = IndexNames::new(&host.config.index);
    let mut writer = DocumentWriter::new(
        BufWriter::with_capacity(1 << 20, out),
        arguments.format,
        arguments.original,
        names,
    );
    let input = Input::File(File::open(&local.path)?);
    let counts = host.pipeline().process(&object, input, arguments.log_type.as_deref(), &mut writer)?;
    let set_aside = writer.finish()?;
    report(&counts, &set_aside, &object.key);
    Ok(())
}

/// A log type that no parser reads is a mistake on the command line.
pub fn check_log_type(host: &Host, log_type: &str) -> anyhow::Result<()> {
    let parsers = host.registry.parsers();
    ensure!(
        parsers.contains_key(log_type),
        "no parser reads the log type `{log_type}`; known: {}",
        parsers.keys().cloned().collect::<Vec<_>>().join(", ")
    );
    Ok(())
}

fn report(counts: &Counts, set_aside: &BTreeMap<String, u64>, key: &str) {
    eprintln!(
        "{} frames: {} parsed, {} skipped, {} malformed, {} waiting, {} unrouted; {} events",
        counts.bytes.frame_count,
        counts.parsed,
        counts.skipped,
        counts.quarantined,
        counts.waiting,
        counts.unrouted,
        counts.events
    );
    for (reason, count) in set_aside {
        eprintln!("  {count} × {reason}");
    }
    if counts.unrouted > 0 {
        eprintln!("  no parser takes {key}; name its log type with --log-type, or ask `weir route explain`");
    }
}
