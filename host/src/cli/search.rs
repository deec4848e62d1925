//! `weir search`: the analyst's question to the embedded index.

use super::ingest::data_folder;
use super::view;
use crate::config::{Config, ConfigError};
use crate::output::embedded::{EmbeddedIndex, SearchRequest, Settings};
use crate::serve::{request, view_time};
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use std::io::{BufWriter, Write, stdout};
use std::path::PathBuf;

/// Search the embedded index, all time unless told.
///
/// The query language is OpenSearch Dashboards' Lucene: `field:value`, "phrases", AND OR NOT, `[a TO b]`, `*` and `?`,
/// networks on address fields (`source.ip:10.0.0.0/8`); terms without a field are looked for everywhere.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir search 'event.outcome:failure AND source.ip:203.0.113.0/24'\n  weir search 'user.name:alice' --from 2026-03-11T08:00:00Z --to 2026-03-11T09:00:00Z --json\n  weir search 'event.action:reject' --top source.ip\n  weir search '*' --histogram"
)]
pub(super) struct Arguments {
    /// What to look for; `*` is everything
    #[arg(allow_hyphen_values = true)]
    query: String,
    /// The data folder, instead of the configuration's
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Events at this time or later: RFC 3339, a date, or now-1d
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Events before this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Events to show, newest first
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Print one event a line as JSON
    #[arg(long)]
    json: bool,
    /// Count the values of a field, most frequent first
    #[arg(long, value_name = "FIELD")]
    top: Option<String>,
    /// Count events over time
    #[arg(long)]
    histogram: bool,
}

/// Runs the command.
pub(super) fn run(
    arguments: &Arguments,
    configured: impl FnOnce() -> Result<Config, ConfigError>,
) -> anyhow::Result<()> {
    let folder = match &arguments.data {
        Some(folder) => folder.clone(),
        None => data_folder(&configured()?, None),
    };
    ensure!(
        folder.join("index").is_dir(),
        "there is no index in {}; ingest something first, or name the data folder with --data",
        folder.display()
    );
    let index = EmbeddedIndex::open(folder.join("index"), Settings::default())
        .with_context(|| format!("cannot search {}", folder.display()))?;
    let request =
        request(&arguments.query, arguments.from.as_deref(), arguments.to.as_deref(), arguments.limit, 0)?;
    let mut out = BufWriter::new(stdout().lock());
    if let Some(field) = &arguments.top {
        top(&index, &request, field, arguments, &mut out)?;
    }
    if arguments.histogram {
        histogram(&index, &request, arguments, &mut out)?;
    }
    if arguments.top.is_none() && !arguments.histogram {
        hits(&index, &request, arguments, &mut out)?;
    }
    out.flush()?;
    Ok(())
}

fn hits(
    index: &EmbeddedIndex,
    request: &SearchRequest,
    arguments: &Arguments,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let found = index.search(request)?;
    if arguments.json {
        for hit in &found.hits {
            let event: Value = serde_json::from_slice(&hit.json)?;
            writeln!(out, "{event}")?;
        }
        return Ok(());
    }
    let rows = found.hits.iter().map(|hit| {
        let event: Value = serde_json::from_slice(&hit.json).unwrap_or_default();
        let text = |pointers: &[&str]| {
            let found = pointers.iter().find_map(|pointer| event.pointer(pointer));
            found.map_or_else(|| "-".to_owned(), shown)
        };
        [
            view_time(hit.timestamp_ns),
            text(&["/event/dataset"]),
            text(&["/event/action"]),
            text(&["/event/outcome"]),
            text(&["/source/ip", "/source/address"]),
            text(&["/destination/ip", "/url/path", "/destination/address"]),
            text(&["/user/name"]),
            text(&["/cloud/account/id", "/host/hostname"]),
        ]
    });
    let header = ["time", "dataset", "action", "outcome", "source", "destination", "user", "account"];
    writeln!(out, "{}", view::table(header, rows))?;
    writeln!(out, "{} of {} events; --json prints them whole", found.hits.len(), found.total)?;
    Ok(())
}

/// A value as a person reads it: text without quotes.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn top(
    index: &EmbeddedIndex,
    request: &SearchRequest,
    field: &str,
    arguments: &Arguments,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let top = index.top(request, field, arguments.limit.min(1000))?;
    if arguments.json {
        for value in &top.values {
            writeln!(out, "{}", json!({ "field": field, "value": value.value, "count": value.documents }))?;
        }
        return Ok(());
    }
    let most = top.values.iter().map(|value| value.documents).max().unwrap_or(0);
    let rows = top
        .values
        .iter()
        .map(|value| [shown(&value.value), value.documents.to_string(), view::bar(value.documents, most)]);
    writeln!(out, "{}", view::table([field, "events", ""], rows))?;
    Ok(())
}

fn histogram(
    index: &EmbeddedIndex,
    request: &SearchRequest,
    arguments: &Arguments,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let histogram = index.histogram(request, None)?;
    if arguments.json {
        for bar in &histogram.buckets {
            writeln!(
                out,
                "{}",
                json!({ "time": view_time(bar.start_ns), "count": bar.documents, "interval_ms": histogram.interval_ns / 1_000_000 })
            )?;
        }
        return Ok(());
    }
    let most = histogram.buckets.iter().map(|bar| bar.documents).max().unwrap_or(0);
    let rows = histogram
        .buckets
        .iter()
        .map(|bar| [view_time(bar.start_ns), bar.documents.to_string(), view::bar(bar.documents, most)]);
    writeln!(out, "{}", view::table(["from", "events", ""], rows))?;
    Ok(())
}
