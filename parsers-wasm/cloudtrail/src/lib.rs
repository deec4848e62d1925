//! AWS CloudTrail: management, data and network activity events, Insights and digest files.
//!
//! A frame is one record of a log file's `Records`, one record from CloudWatch Logs, one digest file, or a record in
//! an envelope (EventBridge, CloudTrail Lake, `LookupEvents`). A record is walked once; its members go into the
//! vendor's tree as they stand, many at a time, and what ECS names is copied out of them.
//!
//! Format: "CloudTrail record contents" and "CloudTrail digest file structure" in the AWS CloudTrail User Guide.

mod action;
mod digest;
mod envelope;
mod identity;
mod record;
mod targets;

use record::Record;
use weir_parser_sdk::fit::{self, Bounds};
use weir_parser_sdk::reader::Reader;
use weir_parser_sdk::{Context, Event, Frame, Outcome, ParseError, Parser, Skip};

/// What a record may hold, so that the document with its ECS fields stays within the host's 1,000 fields and 20
/// levels. Three levels are the document's, `aws`'s and `cloudtrail`'s own.
const BOUNDS: Bounds = Bounds { fields: 800, depth: 17 };

/// The parser; it keeps nothing.
pub struct CloudTrail;

impl Parser for CloudTrail {
    const MODULE: &'static str = "aws";
    const DATASET: &'static str = "aws.cloudtrail";
    const VENDOR: &'static str = "aws.cloudtrail";

    fn new(_batch: &Context<'_>) -> Result<Self, ParseError> {
        Ok(CloudTrail)
    }

    fn parse(&self, frame: &Frame<'_>, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
        let text = frame.text();
        if text.trim_ascii().is_empty() {
            return Ok(Outcome::Skipped(Skip::Empty));
        }
        parse_value(&text, frame.wrapper_time(), event)
    }
}

/// Parses a frame's value: a record, or whatever else may stand in CloudTrail's place.
fn parse_value(text: &str, wrapper_time: Option<i64>, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
    if parse_record(text, None, wrapper_time, event)? {
        return Ok(Outcome::Event);
    }
    if digest::is_digest(text) {
        digest::parse(text, event)?;
        return Ok(Outcome::Event);
    }
    envelope::parse(text, wrapper_time, event)
}

/// Parses a record; `envelope` is what it came in, without it, as a JSON object. Says `false`, and has written nothing,
/// when the object is no record.
fn parse_record(
    text: &str,
    envelope: Option<&str>,
    wrapper_time: Option<i64>,
    event: &mut Event<'_>,
) -> Result<bool, ParseError> {
    let mut reader = Reader::new(text);
    let mut record = Record::read(&mut reader, text, event)?;
    reader.end()?;
    let fitted;
    if record.exceeds(BOUNDS) || reader.has_large_numbers() {
        event.clear_vendor();
        fitted = fit::fit_object(&fit::quote_large_numbers(text), BOUNDS)?;
        record = Record::read(&mut Reader::new(&fitted), &fitted, event)?;
    }
    if !record.is_record() {
        event.clear_vendor();
        return Ok(false);
    }
    if let Some(envelope) = envelope {
        event.vendor().raw("envelope", envelope);
    }
    record.write(wrapper_time, event);
    Ok(true)
}

weir_parser_sdk::export_parser!(CloudTrail);
