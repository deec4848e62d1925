//! `weir ledger show`: what became of every object.

use super::ingest::data_folder;
use super::view;
use crate::config::{Config, ConfigError};
use crate::ledger::{Ledger, ObjectRecord, RecordFilter, Totals};
use std::io::{Write, stdout};
use std::path::PathBuf;

/// Show the ledger.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List objects with their counts, and the totals
    #[command(
        after_help = "Examples:\n  weir ledger show\n  weir ledger show --log-type vpcflow --json\n  weir ledger show --unbalanced"
    )]
    Show {
        /// The data folder, instead of the configuration's
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// Objects of one log type
        #[arg(long, value_name = "TYPE")]
        log_type: Option<String>,
        /// Objects whose key begins so
        #[arg(long, value_name = "PREFIX")]
        prefix: Option<String>,
        /// Only objects whose counts do not balance
        #[arg(long)]
        unbalanced: bool,
        /// Objects to list; all are in the totals
        #[arg(long, default_value_t = 40)]
        limit: usize,
        /// One JSON object for each object, then the totals
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub(super) fn run(
    command: &Command,
    configured: impl FnOnce() -> Result<Config, ConfigError>,
) -> anyhow::Result<()> {
    let Command::Show { data, log_type, prefix, unbalanced, limit, json } = command;
    let ledger = Ledger::open_read_only(&data_folder(&configured()?, data.as_deref()))?;
    let filter = RecordFilter {
        log_type: log_type.clone(),
        key_prefix: prefix.clone(),
        unbalanced: *unbalanced,
        ..RecordFilter::default()
    };
    let mut totals = Totals::default();
    let mut rows = Vec::new();
    let mut left = 0;
    for record in ledger.records(filter)? {
        let record = record?;
        totals.add(&record);
        if *json {
            writeln!(stdout(), "{}", serde_json::to_string(&record)?)?;
        } else if rows.len() < *limit {
            rows.push(row(&record));
        } else {
            left += 1;
        }
    }
    if *json {
        writeln!(stdout(), "{}", serde_json::to_string(&totals)?)?;
        return Ok(());
    }
    let header = [
        "object",
        "log type",
        "frames",
        "parsed",
        "skipped",
        "quarantined",
        "unrouted",
        "events",
        "indexed",
        "unexplained",
    ];
    writeln!(stdout(), "{}", view::table(header, rows))?;
    if left > 0 {
        writeln!(stdout(), "… and {left} more; --limit shows them")?;
    }
    writeln!(stdout(), "\n{}", view::totals(&totals))?;
    Ok(())
}

fn row(record: &ObjectRecord) -> [String; 10] {
    let (frames, events) = (record.frames, record.events);
    let log_types = if record.log_types.is_empty() { "-".to_owned() } else { record.log_types.join(",") };
    [
        view::shorten_left(&record.key, 60),
        log_types,
        frames.total.to_string(),
        frames.parsed.to_string(),
        frames.skipped.to_string(),
        frames.quarantined.to_string(),
        frames.unrouted.to_string(),
        events.total.to_string(),
        events.indexed.to_string(),
        record.unexplained().to_string(),
    ]
}
