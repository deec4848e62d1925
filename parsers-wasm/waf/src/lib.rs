//! AWS WAF web ACL logs, version 2 and Classic: one JSON record for each web request.
//!
//! A record is walked once; its members go into the vendor's tree as they stand, but for the headers, which become
//! an object.
//!
//! Format: "Log fields for web ACL traffic" in the AWS WAF developer guide.

mod headers;
mod record;

use record::Record;
use weir_parser_sdk::fit::Bounds;
use weir_parser_sdk::reader::Reader;
use weir_parser_sdk::{Context, Event, Frame, Outcome, ParseError, Parser, Skip};

/// What a record may hold beside its headers, so that the document with its ECS fields and up to
/// [`headers::MAXIMUM`] headers stays within the host's 1,000 fields and 20 levels.
const BOUNDS: Bounds = Bounds { fields: 550, depth: 17 };

/// The parser; it keeps nothing.
pub struct Waf;

impl Parser for Waf {
    const MODULE: &'static str = "aws";
    const DATASET: &'static str = "aws.waf";
    const VENDOR: &'static str = "aws.waf";

    fn new(_batch: &Context<'_>) -> Result<Self, ParseError> {
        Ok(Waf)
    }

    fn parse(&self, frame: &Frame<'_>, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
        let text = frame.text();
        if text.trim_ascii().is_empty() {
            return Ok(Outcome::Skipped(Skip::Empty));
        }
        let mut reader = Reader::new(&text);
        let mut record = Record::read(&mut reader, &text, event, None)?;
        reader.end()?;
        let fitted;
        if record.exceeds(BOUNDS) || reader.has_large_numbers() {
            event.clear_vendor();
            let headers = std::mem::take(&mut record.headers);
            fitted = record::fit(&text, BOUNDS)?;
            record = Record::read(&mut Reader::new(&fitted), &fitted, event, Some(headers))?;
        }
        record.write(frame.wrapper_time(), event)?;
        Ok(Outcome::Event)
    }
}

weir_parser_sdk::export_parser!(Waf);
