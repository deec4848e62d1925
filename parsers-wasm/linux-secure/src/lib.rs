//! The log of Linux logins and privileges: `/var/log/secure`, `/var/log/auth.log`, `linux-secure` of CloudWatch.
//!
//! What the lines say is understood in `weir_parser_sdk::linux`, which linux-syslog shares.

use weir_parser_sdk::{Context, Event, Frame, Outcome, ParseError, Parser, linux};

/// The parser; lines need nothing from their batch but its time.
pub struct LinuxSecure;

impl Parser for LinuxSecure {
    const MODULE: &'static str = "linux";
    const DATASET: &'static str = "linux.secure";
    const VENDOR: &'static str = "linux.secure";

    fn new(_batch: &Context<'_>) -> Result<Self, ParseError> {
        Ok(LinuxSecure)
    }

    #[inline]
    fn parse(&self, frame: &Frame<'_>, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
        linux::write_event(frame, event)
    }
}

weir_parser_sdk::export_parser!(LinuxSecure);
