//! Access logs of nginx: `combined`, `main`, with a virtual host or forwarded addresses before them, of the Kubernetes
//! ingress controller and of Nginx Proxy Manager.
//!
//! Format: "Module ngx_http_log_module" of nginx, "Log format" of ingress-nginx, the `log_format`s that Nginx Proxy
//! Manager ships.

mod ingress;
mod proxy_manager;

use weir_parser_sdk::access::{Line, Names};
use weir_parser_sdk::{
    Context, Event, EventOutcome, Frame, Outcome, ParseError, Parser, Skip, continuation, ecs, nginx,
    without_padding,
};

/// nginx's own names of what it logs.
const NAMES: Names = Names {
    service: "nginx",
    virtual_host: "host",
    address: "remote_addr",
    ident: "ident",
    user: "remote_user",
    time: "time_local",
    request: "request",
    status: "status",
    bytes: "body_bytes_sent",
    referrer: "http_referer",
    user_agent: "http_user_agent",
    forwarded: "http_x_forwarded_for",
};

/// The parser; each line says by itself what format it has.
pub struct NginxAccess;

impl Parser for NginxAccess {
    const MODULE: &'static str = "nginx";
    const DATASET: &'static str = "nginx.access";
    const VENDOR: &'static str = "nginx.access";

    fn new(_batch: &Context<'_>) -> Result<Self, ParseError> {
        Ok(NginxAccess)
    }

    fn parse(&self, frame: &Frame<'_>, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
        let whole = frame.text();
        let text = without_padding(&whole).trim();
        if text.is_empty() {
            return Ok(Outcome::Skipped(Skip::Empty));
        }
        if proxy_manager::is_line(text) {
            proxy_manager::write(text, event)?;
            return Ok(Outcome::Event);
        }
        let mut line = match Line::parse(text, event.context()) {
            Ok(line) => line,
            Err(error) => {
                return write_error(text, event).map_err(|_| continuation::explain(&whole, error));
            }
        };
        let ingress = ingress::take(&mut line);
        if ingress.is_none() {
            line.take_forwarded();
        }
        line.write(&NAMES, event)?;
        if let Some(ingress) = ingress {
            ingress.write(&mut event.vendor());
        }
        Ok(Outcome::Event)
    }
}

/// Writes an entry of the error log, which a container's stream holds, too. Such an entry is no request, so that its outcome
/// may be unknown.
#[cold]
fn write_error(text: &str, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
    let outcome = nginx::write_error(text, event)?;
    if outcome.is_none() {
        event.set(ecs::EVENT_OUTCOME, EventOutcome::Unknown);
    }
    event.set_log(nginx::ERROR_LOG, nginx::ERROR_LOG);
    Ok(Outcome::Event)
}

weir_parser_sdk::export_parser!(NginxAccess);
