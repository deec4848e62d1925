//! Error logs of Apache httpd 2.2 and 2.4.
//!
//! What the lines say is understood in `weir_parser_sdk::apache`, which apache-access shares.

use weir_parser_sdk::{Context, Event, Frame, Outcome, ParseError, Parser, Skip, apache, without_padding};

/// The parser; lines need nothing from their batch but its time zone.
pub struct ApacheError;

impl Parser for ApacheError {
    const MODULE: &'static str = "apache";
    const DATASET: &'static str = apache::ERROR_LOG;
    const VENDOR: &'static str = apache::ERROR_LOG;

    fn new(_batch: &Context<'_>) -> Result<Self, ParseError> {
        Ok(ApacheError)
    }

    fn parse(&self, frame: &Frame<'_>, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
        let text = frame.text();
        let text = without_padding(&text).trim();
        if text.is_empty() {
            return Ok(Outcome::Skipped(Skip::Empty));
        }
        apache::write_error(text, event)?;
        Ok(Outcome::Event)
    }
}

weir_parser_sdk::export_parser!(ApacheError);
