//! `weir dump`: one file through the sandbox to text.

use super::view;
use crate::config::Config;
use crate::event::object_id;
use crate::host::{Host, HostError};
use crate::ingest::source::{LOCAL_BUCKET, list, modified_nanoseconds};
use crate::ingest::stream::Input;
use crate::local::WholeFile;
use crate::output::documents::{DocumentWriter, Format, IndexNames};
use crate::pipeline::{Counts, ObjectRef};
use anyhow::{Context, ensure};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Seek, Write, stdout};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Print the normalized events of one file, through the sandbox and without an index.
///
/// Frames that cannot be parsed are counted on standard error; the exit code stays 0.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir dump access.log --log-type nginx-access\n  weir dump flow.log.gz --log-type vpcflow --format bulk --output body.ndjson\n  weir dump AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/15/x.json.gz --original | head -1\n  zcat flow.log.gz | weir dump - --log-type vpcflow"
)]
pub(super) struct Arguments {
    /// The file; `-` is standard input
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
pub(super) fn run(
    arguments: &Arguments,
    open: impl FnOnce() -> Result<Host, HostError>,
) -> anyhow::Result<()> {
    let host = open()?;
    if let Some(log_type) = &arguments.log_type {
        check_log_type(&host, log_type)?;
    }
    let (object, file) = open_object(&host.config, &arguments.path)?;
    let out: Box<dyn Write> = match &arguments.output {
        Some(path) => Box::new(create(path, &file.content()?)?),
        None => Box::new(stdout().lock()),
    };
    let names = IndexNames::new(&host.config.index);
    let mut writer = DocumentWriter::new(
        BufWriter::with_capacity(1 << 20, out),
        arguments.format,
        arguments.original,
        names,
    );
    let input = Input::File(file.content()?);
    let counts = host.pipeline().process(&object, input, arguments.log_type.as_deref(), &mut writer);
    // Before anything that failed: a file that changed is the likelier cause.
    file.check_unchanged().context("what was written of it is not to be relied upon")?;
    let counts = counts?;
    let set_aside = writer.finish()?;
    report(&counts, &set_aside, &object.key);
    Ok(())
}

/// The file as an object. What a pipe holds (`-`, `/dev/stdin`, a named pipe) is written to a temporary file first,
/// since some formats have their directory at their end.
fn open_object(config: &Config, path: &Path) -> anyhow::Result<(ObjectRef, WholeFile)> {
    let path = if path == Path::new("-") { Path::new("/dev/stdin") } else { path };
    let unreadable = || format!("cannot read {}; check that it exists and may be read", path.display());
    let metadata = std::fs::metadata(path).with_context(unreadable)?;
    ensure!(!metadata.is_dir(), "{} is a folder; `weir ingest` reads folders", path.display());
    let (bucket, key, file) = if metadata.file_type().is_fifo() {
        let mut file = tempfile::tempfile().context("cannot make a temporary file; set TMPDIR")?;
        let mut pipe = File::open(path).with_context(unreadable)?;
        std::io::copy(&mut pipe, &mut file).with_context(|| format!("cannot read {}", path.display()))?;
        file.rewind()?;
        let key = path.display().to_string().trim_start_matches('/').to_owned();
        (LOCAL_BUCKET.to_owned(), key, WholeFile::of(file, path)?)
    } else {
        let objects = list(config, &[path.to_owned()], &[])?.objects;
        let local = objects.into_iter().next().with_context(|| format!("{} is no file", path.display()))?;
        (local.bucket, local.key, WholeFile::open(&local.path)?)
    };
    let version = file.version.clone();
    let id = object_id(&bucket, &key, &version);
    let object = ObjectRef { bucket, key, version, id, modified: modified_nanoseconds(&metadata), base: 0 };
    Ok((object, file))
}

/// Makes the file to write to, unless that would empty the one to read.
fn create(path: &Path, read: &File) -> anyhow::Result<File> {
    let (here, there) = (read.metadata()?, std::fs::metadata(path).ok());
    ensure!(
        there.is_none_or(|there| (there.dev(), there.ino()) != (here.dev(), here.ino())),
        "{} is the file that is read; name another one with --output",
        path.display()
    );
    File::create(path).with_context(|| {
        format!("cannot write {}; check that its folder exists and is yours", path.display())
    })
}

/// A log type that no parser reads is a mistake on the command line.
pub(super) fn check_log_type(host: &Host, log_type: &str) -> anyhow::Result<()> {
    let parsers = host.registry.parsers();
    ensure!(
        parsers.contains_key(log_type),
        "no parser reads the log type `{log_type}`; known: {}",
        parsers.keys().cloned().collect::<Vec<_>>().join(", ")
    );
    Ok(())
}

fn report(counts: &Counts, set_aside: &BTreeMap<String, u64>, key: &str) {
    view::say(&format!(
        "{} frames: {} parsed, {} skipped, {} malformed, {} waiting, {} unrouted; {} events",
        counts.bytes.frame_count,
        counts.parsed,
        counts.skipped,
        counts.quarantined,
        counts.waiting,
        counts.unrouted,
        counts.events
    ));
    for (reason, count) in set_aside {
        view::say(&format!("  {count} × {}", view::printable(reason, false)));
    }
    if counts.unrouted > 0 {
        let key = view::printable(key, false);
        view::say(&format!(
            "  no parser takes {key}; name its log type with --log-type, or ask `weir route explain`"
        ));
    }
}
