//! Events as text: NDJSON, or the body of an OpenSearch `_bulk` request.
//!
//! Bulk format: "Bulk" in the OpenSearch document API reference. Each document is an `index` action with its id, so that
//! sending a body again changes nothing.

use crate::config::{IndexSettings, Period};
use crate::event::push_hex;
use crate::pipeline::{Delivered, Finished, ObjectSink, SetAside, SinkError};
use crate::volume::Decision;
use std::collections::BTreeMap;
use std::io::Write;

/// How documents are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One document a line.
    Ndjson,
    /// An action line and a document line for each.
    Bulk,
}

/// Names indices: a function of log type, team and the object's period, so that a redelivered object meets its own
/// documents.
#[derive(Debug, Clone, Default)]
pub struct IndexNames {
    settings: IndexSettings,
}

impl IndexNames {
    /// As configured.
    pub fn new(settings: &IndexSettings) -> Self {
        IndexNames { settings: settings.clone() }
    }

    /// The name of the index for an object of `reference_time` (nanoseconds since 1970). `suggested` is the
    /// manifest's name for the log type.
    pub fn name(
        &self,
        log_type: &str,
        suggested: Option<&str>,
        team: Option<&str>,
        reference_time: i64,
    ) -> String {
        let base = self.settings.names.get(log_type).map(String::as_str).or(suggested);
        let base = base.map_or_else(|| format!("log-{log_type}"), str::to_owned);
        let team = team.map(|team| format!("-{}", team.to_lowercase())).unwrap_or_default();
        let date = date_of(reference_time);
        let suffix = match self.period(log_type, date) {
            Period::Day => date.to_string(),
            Period::Week => {
                let week = date.iso_week_date();
                format!("{}-w{:02}", week.year(), week.week())
            }
            Period::Month => format!("{:04}-{:02}", date.year(), date.month()),
        };
        format!("{base}{team}-{suffix}")
    }

    /// The change with the latest date that is not after the object's.
    fn period(&self, log_type: &str, date: jiff::civil::Date) -> Period {
        let changes = self.settings.periods.iter().filter(|change| change.log_type == log_type);
        changes
            .filter_map(|change| Some((change.from.parse::<jiff::civil::Date>().ok()?, change.period)))
            .filter(|(from, _)| *from <= date)
            .max_by_key(|(from, _)| *from)
            .map_or(Period::Day, |(_, period)| period)
    }
}

/// The UTC date of an instant in nanoseconds since 1970.
pub fn date_of(nanoseconds: i64) -> jiff::civil::Date {
    jiff::Timestamp::from_nanosecond(nanoseconds.into())
        .map_or(jiff::civil::Date::constant(1970, 1, 1), |time| {
            jiff::tz::Offset::UTC.to_datetime(time).date()
        })
}

/// Today's UTC date.
pub fn today() -> jiff::civil::Date {
    jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now()).date()
}

/// Writes documents to a file or a pipe, and counts what is set aside.
pub struct DocumentWriter<W: Write> {
    out: W,
    format: Format,
    original: bool,
    names: IndexNames,
    buffer: Vec<u8>,
    /// Frames set aside, by reason.
    pub set_aside: BTreeMap<String, u64>,
}

impl<W: Write> DocumentWriter<W> {
    /// `original`: whether documents carry `event.original`.
    pub fn new(out: W, format: Format, original: bool, names: IndexNames) -> Self {
        DocumentWriter { out, format, original, names, buffer: Vec::new(), set_aside: BTreeMap::new() }
    }

    /// Writes out what is buffered and gives the writer back.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn finish(mut self) -> std::io::Result<BTreeMap<String, u64>> {
        self.out.flush()?;
        Ok(self.set_aside)
    }
}

impl<W: Write> ObjectSink for DocumentWriter<W> {
    fn wants_original(&self) -> bool {
        self.original
    }

    fn deliver(&mut self, batch: &Finished<'_>) -> Result<Delivered, SinkError> {
        let mut delivered = Delivered::default();
        let manifest = batch.route.parser.manifest();
        let suggested = (manifest.log_types.first() == Some(&batch.route.log_type))
            .then_some(manifest.index.name.as_deref())
            .flatten();
        let index = self.names.name(
            &batch.route.log_type,
            suggested,
            batch.route.team.as_deref(),
            batch.origin.reference_time,
        );
        let action = serde_json::json!({ "index": { "_index": index } }).to_string();
        let action = action.strip_suffix("}}").unwrap_or(&action).as_bytes();
        self.buffer.clear();
        for event in &batch.events {
            match event.decision {
                Decision::Index => delivered.indexed += 1,
                Decision::ArchiveOnly | Decision::Reduce => {
                    delivered.reduced += 1;
                    continue;
                }
            }
            if self.format == Format::Bulk {
                self.buffer.extend_from_slice(action);
                self.buffer.extend_from_slice(b",\"_id\":\"");
                push_hex(&mut self.buffer, &event.id.0);
                self.buffer.extend_from_slice(b"\"}}\n");
            }
            push_line(&mut self.buffer, batch.document(event));
            self.buffer.push(b'\n');
        }
        self.out.write_all(&self.buffer)?;
        Ok(delivered)
    }

    fn set_aside(&mut self, frame: &SetAside<'_>) -> Result<(), SinkError> {
        *self.set_aside.entry(frame.reason.clone()).or_default() += 1;
        Ok(())
    }
}

/// A vendor's tree is copied as it stood, line breaks between its members included; a line of NDJSON holds none. Inside
/// strings JSON has no raw line breaks, so those found are white space.
fn push_line(out: &mut Vec<u8>, document: &[u8]) {
    let mut rest = document;
    while let Some(at) = memchr::memchr2(b'\n', b'\r', rest) {
        let (line, tail) = rest.split_at(at);
        out.extend_from_slice(line);
        out.push(b' ');
        rest = tail.get(1..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use std::path::Path;

    #[test]
    fn names_follow_type_team_and_period() {
        let text = "[[index.periods]]\nlog-type = \"alb\"\nperiod = \"month\"\nfrom = \"2026-02-01\"\n\
                    [[index.periods]]\nlog-type = \"alb\"\nperiod = \"week\"\nfrom = \"2026-03-01\"\n[index.names]\nwaf = \"edge\"\n";
        let names = IndexNames::new(&Config::from_text(Path::new("weir.toml"), text, []).unwrap().index);
        let at = |date: &str| date.parse::<jiff::Timestamp>().unwrap().as_nanosecond() as i64;
        assert_eq!(
            names.name("alb", Some("log-aws-elb"), None, at("2026-01-31T23:59:59Z")),
            "log-aws-elb-2026-01-31"
        );
        assert_eq!(names.name("alb", None, Some("Shop"), at("2026-02-01T00:00:00Z")), "log-alb-shop-2026-02");
        assert_eq!(names.name("alb", None, None, at("2026-03-02T00:00:00Z")), "log-alb-2026-w10");
        assert_eq!(
            names.name("waf", Some("log-aws-waf"), None, at("2026-03-02T00:00:00Z")),
            "edge-2026-03-02"
        );
    }

    #[test]
    fn a_document_is_one_line() {
        let mut out = Vec::new();
        push_line(&mut out, b"{\n \"a\": \"\\n\",\r\n \"b\": 1}");
        assert_eq!(out, b"{  \"a\": \"\\n\",   \"b\": 1}");
    }
}
