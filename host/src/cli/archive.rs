//! `weir archive`: the Parquet partitions, and joining their small files.

use super::ingest::data_folder;
use super::view;
use crate::config::{Config, ConfigError};
use crate::ledger::Ledger;
use crate::output::archive::{JoinOptions, files, partitions};
use crate::output::documents::today;
use crate::store::Store;
use anyhow::Context;
use indicatif::HumanBytes;
use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::json;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};

/// Look after the Parquet archive.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Join the small files of each partition into larger ones
    ///
    /// Query engines pay for each file. The rows stay the same; a partition's manifest decides at each moment which files
    /// count, so that being stopped anywhere loses and doubles nothing. Nothing else may write to the data folder
    /// meanwhile.
    #[command(
        after_help = "Examples:\n  weir archive join\n  weir archive join --up-to 2026-03-31 --target-bytes 268435456 --json"
    )]
    Join {
        /// The data folder, instead of the configuration's
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// Partitions up to this day; the day before yesterday (UTC) unless given, since later ones still get objects
        #[arg(long, value_name = "DATE")]
        up_to: Option<Date>,
        /// Files below this size are joined
        #[arg(long, value_name = "BYTES", default_value_t = 32 << 20)]
        small_bytes: u64,
        /// A joined file is closed at this size
        #[arg(long, value_name = "BYTES", default_value_t = 256 << 20)]
        target_bytes: u64,
        /// Partitions with fewer small files stay as they are
        #[arg(long, value_name = "N", default_value_t = 8)]
        files: usize,
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
    /// List the partitions with their files and sizes
    #[command(after_help = "Examples:\n  weir archive list\n  weir archive list --json | jq .bytes")]
    List {
        /// The data folder, instead of the configuration's
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// One JSON object for each partition
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
    match command {
        Command::Join { data, up_to, small_bytes, target_bytes, files, json } => {
            let folder = data_folder(&config, data.as_deref());
            // A misspelt folder is not made.
            Ledger::open_read_only(&folder)?;
            let store = Store::open(&config, &folder)?;
            let settled = || today().checked_sub(2.days()).context("there is no such day");
            let options = JoinOptions {
                up_to: up_to.map_or_else(settled, Ok)?,
                small_bytes: *small_bytes,
                target_bytes: *target_bytes,
                files: *files,
            };
            join(&store, &options, *json)
        }
        Command::List { data, json } => {
            let folder = data_folder(&config, data.as_deref());
            Ledger::open_read_only(&folder)?;
            list(&folder, *json)
        }
    }
}

fn join(store: &Store, options: &JoinOptions, json: bool) -> anyhow::Result<()> {
    let joined = store.join_archive(options)?;
    if json {
        writeln!(
            stdout(),
            "{}",
            json!({ "partitions": joined.partitions, "from": joined.from, "to": joined.to, "rows": joined.rows })
        )?;
        return Ok(());
    }
    writeln!(
        stdout(),
        "{} partitions up to {}: {} files joined into {}, {} rows",
        joined.partitions,
        options.up_to,
        joined.from,
        joined.to,
        joined.rows
    )?;
    Ok(())
}

fn list(folder: &Path, json: bool) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for partition in partitions(folder)? {
        let files = files(folder, &partition)?;
        if files.is_empty() {
            continue;
        }
        let size = |file: &String| std::fs::metadata(folder.join(file)).map_or(0, |m| m.len());
        let bytes: u64 = files.iter().map(size).sum();
        if json {
            writeln!(
                stdout(),
                "{}",
                json!({ "partition": partition, "files": files.len(), "bytes": bytes })
            )?;
        } else {
            let name = partition.strip_prefix("archive/").unwrap_or(&partition).to_owned();
            rows.push([name, files.len().to_string(), HumanBytes(bytes).to_string()]);
        }
    }
    if !json {
        writeln!(stdout(), "{}", view::table(["partition", "files", "size"], rows))?;
    }
    Ok(())
}
