//! Access logs of Classic Load Balancers: one line for each request of an HTTP or HTTPS listener, or for each
//! connection of a TCP or SSL listener.
//!
//! Format: "Access logs for your Classic Load Balancer" in the Elastic Load Balancing user guide.

mod columns;

use columns::{COLUMNS, Field, REQUIRED};
use weir_parser_sdk::positional::{Record, integer};
use weir_parser_sdk::quoted::{Splitter, some};
use weir_parser_sdk::time::{self, Zone};
use weir_parser_sdk::url::Request;
use weir_parser_sdk::{
    Category, Context, DESTINATION, Event, EventOutcome, Frame, Instant, Kind, Outcome, ParseError, Parser,
    SOURCE, Skip, Type, ecs, ip_version, network,
};

type Line<'a> = Record<'a, { COLUMNS.len() }>;

const PROCESSING_TIMES: [usize; 3] = [
    Field::RequestProcessingTime as usize,
    Field::BackendProcessingTime as usize,
    Field::ResponseProcessingTime as usize,
];

/// The parser; it has no settings.
pub struct Clb;

impl Parser for Clb {
    const MODULE: &'static str = "aws";
    const DATASET: &'static str = "aws.clb";
    const VENDOR: &'static str = "aws.clb";

    fn new(_batch: &Context<'_>) -> Result<Self, ParseError> {
        Ok(Clb)
    }

    fn parse(&self, frame: &Frame<'_>, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
        let text = frame.text();
        let text = text.trim();
        if text.is_empty() {
            return Ok(Outcome::Skipped(Skip::Empty));
        }
        if text.starts_with("Enable AccessLog for ELB") {
            return Ok(Outcome::Skipped(Skip::Control));
        }
        let mut splitter = Splitter::new(text);
        let mut line = Line::new(COLUMNS);
        read(&mut line, &mut splitter);
        let time = time_of(&line)?;
        line.write(&mut event.vendor(), REQUIRED, splitter)?;
        write_fields(&line, time, event);
        Ok(Outcome::Event)
    }
}

/// Takes the fields. What follows the request and the user agent tells their closing quotes from those inside them.
fn read<'a>(line: &mut Line<'a>, splitter: &mut Splitter<'a>) {
    line.read(splitter, Field::Request as usize);
    if let Some(request) = splitter.token_before(|rest| rest.is_empty() || rest.starts_with('"')) {
        line.push(request);
    }
    if let Some(agent) = splitter.token_before(network::begins_with_tls) {
        line.push(agent);
    }
    line.read(splitter, COLUMNS.len());
}

/// The time of the line, or which other log the line belongs to.
fn time_of(line: &Line<'_>) -> Result<i64, ParseError> {
    let first = line.get(Field::Time as usize).unwrap_or_default();
    let Some(time) = time::parse_iso(first, &Zone::UTC) else {
        if first.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(ParseError::bad_field("time", "not an ISO 8601 time"));
        }
        return Err(ParseError::no_match(
            "expected a time first; lines that begin with a type are of Application or Network Load Balancers",
        ));
    };
    if line.get(Field::Elb as usize).is_some_and(|elb| ip_version(elb).is_some()) {
        return Err(ParseError::no_match(
            "expected the load balancer second; an Application Load Balancer's connection log has the client there",
        ));
    }
    Ok(time)
}

fn write_fields(line: &Line<'_>, time: i64, event: &mut Event<'_>) {
    let get = |field: Field| line.get(field as usize);
    let request_line = line.token(Field::Request as usize).unescape();
    let request = Request::split(&request_line);
    let status = get(Field::ElbStatusCode);
    // TCP and SSL listeners know neither a request nor a status.
    let web =
        status.is_some() || request.target.is_some() || some(request_line.trim_matches([' ', '-'])).is_some();
    let duration = line.seconds(&PROCESSING_TIMES);
    if web {
        let (types, outcome) = network::http_outcome(status);
        event.categorize(Kind::Event, &[Category::Web], types);
        event.set(ecs::EVENT_OUTCOME, outcome);
    } else {
        event.categorize(Kind::Event, &[Category::Network], &[Type::Connection]);
        // Without a backend, or with times of -1, the connection went nowhere.
        let reached = get(Field::Backend).is_some() && duration.is_some();
        event.set(ecs::EVENT_OUTCOME, if reached { EventOutcome::Success } else { EventOutcome::Failure });
    }
    event.set(ecs::EVENT_START, Instant(time));
    if let Some(duration) = duration {
        event.set(ecs::EVENT_DURATION, duration);
    }
    event.timestamp(time);

    let received = get(Field::ReceivedBytes).and_then(integer).unwrap_or_default();
    let sent = get(Field::SentBytes).and_then(integer).unwrap_or_default();
    let (client, client_port) = network::split_host_port(get(Field::Client).unwrap_or_default());
    event.set_endpoint(SOURCE, client, client_port);
    if !web {
        event.set_integer(ecs::SOURCE_BYTES, received);
    }
    let (backend, backend_port) = network::split_host_port(get(Field::Backend).unwrap_or_default());
    event.set_endpoint(DESTINATION, backend, backend_port);
    if !web && !backend.is_empty() {
        event.set_integer(ecs::DESTINATION_BYTES, sent);
    }
    if let Some(version) = ip_version(client) {
        event.set(ecs::NETWORK_TYPE, if version == 4 { "ipv4" } else { "ipv6" });
    }
    event.set(ecs::NETWORK_TRANSPORT, "tcp");
    let cipher = get(Field::SslCipher);
    if web {
        event.set(ecs::NETWORK_PROTOCOL, "http");
        write_web(line, &request, received, sent, event);
    } else if cipher.is_some() {
        event.set(ecs::NETWORK_PROTOCOL, "tls");
    }
    network::set_tls(event, get(Field::SslProtocol), cipher);
    if cipher.is_some() {
        event.set(ecs::TLS_ESTABLISHED, true);
    }
    event.set(ecs::CLOUD_PROVIDER, "aws");
    event.cloud(None, None);
}

/// The sizes are those of the bodies alone, unlike an Application Load Balancer's.
fn write_web(line: &Line<'_>, request: &Request<'_>, received: &str, sent: &str, event: &mut Event<'_>) {
    event.set_some(ecs::HTTP_VERSION, request.version());
    event.set_some(ecs::HTTP_REQUEST_METHOD, request.method);
    event.set_integer(ecs::HTTP_REQUEST_BODY_BYTES, received);
    if let Some(status) = line.get(Field::ElbStatusCode as usize).and_then(integer) {
        event.set_integer(ecs::HTTP_RESPONSE_STATUS_CODE, status);
    }
    event.set_integer(ecs::HTTP_RESPONSE_BODY_BYTES, sent);
    let url = request.url();
    url.set(event, request.target.unwrap_or_default());
    let agent = line.token(Field::UserAgent as usize).unescape();
    event.set_some(ecs::USER_AGENT_ORIGINAL, some(&agent));
    if let Some(host) = url.host() {
        if ip_version(host).is_some() {
            event.related_ip(host);
        } else {
            event.related_host(host);
        }
    }
}

weir_parser_sdk::export_parser!(Clb);
