//! `weir quarantine`: frames that gave no event, and what can be done about them.

use super::ingest::data_folder;
use super::view;
use crate::config::{Config, ConfigError};
use crate::host::Host;
use crate::ledger::Ledger;
use crate::quarantine::{Entry, EntryFilter, EntryKind, QuarantineError, files_of, find, visit};
use crate::store::Store;
use anyhow::{bail, ensure};
use serde_json::json;
use std::io::{Write, stdout};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Which frames.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Selection {
    /// The data folder, instead of the configuration's
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Frames of one log type
    #[arg(long, value_name = "TYPE")]
    log_type: Option<String>,
    /// Frames of objects whose key begins so
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// Frames of one kind
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Frames that one parser had
    #[arg(long, value_name = "NAME")]
    parser: Option<String>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Kind {
    Malformed,
    Condemned,
    Damaged,
    Waiting,
}

impl Selection {
    fn filter(&self) -> EntryFilter {
        EntryFilter {
            log_type: self.log_type.clone(),
            kind: self.kind.map(|kind| match kind {
                Kind::Malformed => EntryKind::Malformed,
                Kind::Condemned => EntryKind::Condemned,
                Kind::Damaged => EntryKind::Damaged,
                Kind::Waiting => EntryKind::Waiting,
            }),
            key_prefix: self.prefix.clone(),
            parser: self.parser.clone(),
            frame_prefix: None,
        }
    }
}

/// List, show or replay quarantined and waiting frames.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List frames with their reasons
    #[command(
        after_help = "Examples:\n  weir quarantine list\n  weir quarantine list --kind waiting --log-type alb --json"
    )]
    List {
        #[command(flatten)]
        selection: Selection,
        /// Frames to list
        #[arg(long, default_value_t = 40)]
        limit: usize,
        /// One JSON object a line, without the frames' bytes
        #[arg(long)]
        json: bool,
    },
    /// Show one frame whole: its place, its reason, its bytes
    #[command(after_help = "Example:\n  weir quarantine show 3fa94c")]
    Show {
        /// The frame's id, or the beginning of it
        id: String,
        /// The data folder, instead of the configuration's
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// Write the frame's bytes alone, as they stood
        #[arg(long)]
        raw: bool,
    },
    /// Parse frames again with the parsers in force now
    #[command(
        after_help = "Examples:\n  weir quarantine replay --kind waiting\n  weir quarantine replay --prefix AWSLogs/111122223333/ --as alb"
    )]
    Replay {
        #[command(flatten)]
        selection: Selection,
        /// The log type to parse them as, instead of the one they were routed to
        #[arg(long = "as", value_name = "TYPE")]
        log_type_now: Option<String>,
        /// Print the outcome as one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub(super) fn run(
    command: &Command,
    configured: impl FnOnce() -> Result<Config, ConfigError>,
) -> anyhow::Result<()> {
    let config = configured()?;
    let folder = data_folder(&config, command.data());
    let ledger = Ledger::open_read_only(&folder)?;
    match command {
        Command::List { selection, limit, json } => list(&ledger, selection, *limit, *json),
        Command::Show { id, raw, .. } => show(&ledger, id, *raw),
        Command::Replay { selection, log_type_now, json } => {
            drop(ledger);
            replay(&Host::open(config)?, &folder, selection, log_type_now.as_deref(), *json)
        }
    }
}

impl Command {
    fn data(&self) -> Option<&Path> {
        match self {
            Command::List { selection, .. } | Command::Replay { selection, .. } => selection.data.as_deref(),
            Command::Show { data, .. } => data.as_deref(),
        }
    }
}

fn list(ledger: &Ledger, selection: &Selection, limit: usize, json: bool) -> anyhow::Result<()> {
    let filter = selection.filter();
    let (mut rows, mut count) = (Vec::new(), 0_usize);
    let mut written = Ok(());
    let visited = visit(ledger.folder(), &files_of(ledger, &filter)?, &filter, |entry, _| {
        count += 1;
        if json {
            written = writeln!(stdout(), "{}", serde_json::to_string(entry).unwrap_or_default());
        } else if rows.len() < limit {
            rows.push(row(entry));
        }
        let enough = json && (count >= limit || written.is_err());
        Ok::<_, QuarantineError>(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    });
    written?;
    if !json {
        let shown = rows.len();
        writeln!(
            stdout(),
            "{}",
            view::table(["frame", "kind", "log type", "object", "offset", "bytes", "reason"], rows)
        )?;
        writeln!(stdout(), "{shown} of {count} frames; `weir quarantine show FRAME` has one whole")?;
    }
    Ok(visited?)
}

fn row(entry: &Entry) -> [String; 7] {
    let id = crate::event::FrameId(entry.frame_id).to_string();
    [
        id.get(..12).unwrap_or(&id).to_owned(),
        entry.kind.name().to_owned(),
        entry.log_type.clone().unwrap_or_else(|| "-".to_owned()),
        view::shorten_left(&entry.key, 40),
        entry.offset.to_string(),
        entry.length.to_string(),
        entry.reason.clone(),
    ]
}

fn show(ledger: &Ledger, id: &str, raw: bool) -> anyhow::Result<()> {
    let found = find(ledger, id, 2)?;
    let (entry, bytes) = match found.as_slice() {
        [] => bail!("no frame's id begins with {id}; `weir quarantine list` shows them"),
        [one] => one,
        _ => bail!("more than one frame's id begins with {id}; give more of it"),
    };
    if raw {
        stdout().write_all(bytes)?;
        return Ok(());
    }
    writeln!(stdout(), "{}", serde_json::to_string_pretty(&json!({ "entry": entry }))?)?;
    writeln!(stdout(), "{}", view::printable(&String::from_utf8_lossy(bytes), true))?;
    if !entry.complete {
        view::say(&format!(
            "only the first {} of {} bytes are kept; the object has the rest",
            bytes.len(),
            entry.length
        ));
    }
    Ok(())
}

fn replay(
    host: &Host,
    folder: &Path,
    selection: &Selection,
    log_type: Option<&str>,
    json: bool,
) -> anyhow::Result<()> {
    if let Some(log_type) = log_type {
        super::dump::check_log_type(host, log_type)?;
    }
    let store = Store::open(&host.config, folder)?;
    let filter = selection.filter();
    ensure!(
        filter.kind != Some(EntryKind::Damaged),
        "damaged ranges cannot be replayed; mend the object and ingest it again"
    );
    let replayed = store.replay(&host.pipeline(), &filter, log_type)?;
    if json {
        writeln!(stdout(), "{}", serde_json::to_string(&replayed)?)?;
    } else {
        writeln!(
            stdout(),
            "{} frames of {} objects: {} parsed ({} events), {} skipped, {} stay",
            replayed.frames,
            replayed.objects,
            replayed.parsed,
            replayed.events,
            replayed.skipped,
            replayed.refused
        )?;
    }
    Ok(())
}
