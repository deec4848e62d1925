//! Access logs of Apache httpd: `common`, `combined`, `vhost_combined`, their extensions, and the TLS request log.
//!
//! Format: "Log Files" and "Module mod_log_config" in the Apache HTTP Server's documentation.

use weir_parser_sdk::access::{Line, Names};
use weir_parser_sdk::{
    Context, Event, EventOutcome, Frame, Outcome, ParseError, Parser, Skip, apache, continuation, ecs,
    without_padding,
};

/// What Apache's documentation calls the fields.
const NAMES: Names = Names {
    service: "apache",
    virtual_host: "virtual_host",
    address: "remote_host",
    ident: "remote_logname",
    user: "remote_user",
    time: "time",
    request: "request",
    status: "status",
    bytes: "response_bytes",
    referrer: "referer",
    user_agent: "user_agent",
    forwarded: "x_forwarded_for",
};

/// The parser; each line says by itself what format it has.
pub struct ApacheAccess;

impl Parser for ApacheAccess {
    const MODULE: &'static str = "apache";
    const DATASET: &'static str = "apache.access";
    const VENDOR: &'static str = "apache.access";

    fn new(_batch: &Context<'_>) -> Result<Self, ParseError> {
        Ok(ApacheAccess)
    }

    fn parse(&self, frame: &Frame<'_>, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
        let whole = frame.text();
        let text = without_padding(&whole).trim();
        if text.is_empty() {
            return Ok(Outcome::Skipped(Skip::Empty));
        }
        let mut line = match Line::parse(text, event.context()) {
            Ok(line) => line,
            Err(error) => {
                return write_error(text, event).map_err(|_| continuation::explain(&whole, error));
            }
        };
        line.take_forwarded();
        line.write(&NAMES, event)?;
        Ok(Outcome::Event)
    }
}

/// Writes an entry of the error log, which a container's stream holds, too. Such an entry is no request, so that its outcome
/// may be unknown.
#[cold]
fn write_error(text: &str, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
    let outcome = apache::write_error(text, event)?;
    if outcome.is_none() {
        event.set(ecs::EVENT_OUTCOME, EventOutcome::Unknown);
    }
    event.set_log(apache::ERROR_LOG, apache::ERROR_LOG);
    Ok(Outcome::Event)
}

weir_parser_sdk::export_parser!(ApacheAccess);
