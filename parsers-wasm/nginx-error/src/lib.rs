//! Error logs of nginx, of http, stream and mail.
//!
//! What the lines say is understood in `weir_parser_sdk::nginx`, which nginx-access shares.

use weir_parser_sdk::{Context, Event, Frame, Outcome, ParseError, Parser, Skip, nginx, without_padding};

/// The parser; lines need nothing from their batch but its time zone.
pub struct NginxError;

impl Parser for NginxError {
    const MODULE: &'static str = "nginx";
    const DATASET: &'static str = nginx::ERROR_LOG;
    const VENDOR: &'static str = nginx::ERROR_LOG;

    fn new(_batch: &Context<'_>) -> Result<Self, ParseError> {
        Ok(NginxError)
    }

    fn parse(&self, frame: &Frame<'_>, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
        let text = frame.text();
        let text = without_padding(&text).trim();
        if text.is_empty() {
            return Ok(Outcome::Skipped(Skip::Empty));
        }
        nginx::write_error(text, event)?;
        Ok(Outcome::Event)
    }
}

weir_parser_sdk::export_parser!(NginxError);
