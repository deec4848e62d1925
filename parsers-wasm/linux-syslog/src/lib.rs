//! The general log of a Linux host: `/var/log/messages`, `/var/log/syslog`, forwarded syslog of both RFCs.
//!
//! What sshd, sudo, su and others say in it is understood in `weir_parser_sdk::linux`, which linux-secure shares.

use weir_parser_sdk::{Context, Event, Frame, Outcome, ParseError, Parser, linux};

/// The parser; lines need nothing from their batch but its time.
pub struct LinuxSyslog;

impl Parser for LinuxSyslog {
    const MODULE: &'static str = "linux";
    const DATASET: &'static str = "linux.syslog";
    const VENDOR: &'static str = "linux.syslog";

    fn new(_batch: &Context<'_>) -> Result<Self, ParseError> {
        Ok(LinuxSyslog)
    }

    #[inline]
    fn parse(&self, frame: &Frame<'_>, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
        linux::write_event(frame, event)
    }
}

weir_parser_sdk::export_parser!(LinuxSyslog);
