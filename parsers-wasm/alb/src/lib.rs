//! Access logs of Application Load Balancers: one line for each request.
//!
//! Format: "Access logs for your Application Load Balancer" in the Elastic Load Balancing user guide. Fields are known
//! by position and new ones come at the end, so a line with more fields than are known here is an event like others.

mod columns;

use columns::{COLUMNS, Field, REQUIRED};
use weir_parser_sdk::aws::Arn;
use weir_parser_sdk::positional::{Record, integer};
use weir_parser_sdk::quoted::{Splitter, some};
use weir_parser_sdk::time::{self, Zone};
use weir_parser_sdk::url::Request;
use weir_parser_sdk::{
    Category, Context, DESTINATION, Event, Frame, Instant, Kind, Outcome, ParseError, Parser, SOURCE, Skip,
    ecs, ip_version, json, network,
};

type Line<'a> = Record<'a, { COLUMNS.len() }>;

const PROCESSING_TIMES: [usize; 3] = [
    Field::RequestProcessingTime as usize,
    Field::TargetProcessingTime as usize,
    Field::ResponseProcessingTime as usize,
];

/// The parser; it has no settings.
pub struct Alb;

impl Parser for Alb {
    const MODULE: &'static str = "aws";
    const DATASET: &'static str = "aws.alb";
    const VENDOR: &'static str = "aws.alb";

    fn new(_batch: &Context<'_>) -> Result<Self, ParseError> {
        Ok(Alb)
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

/// Takes the fields. The load balancer escapes quotes that clients send; should one slip through before a blank, what
/// follows the request and the user agent tells their own closing quotes.
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
    let first = line.get(Field::Type as usize).unwrap_or_default();
    if first.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(ParseError::no_match(
            "expected the request's type first; lines that begin with a time are of connection logs or of Classic \
             Load Balancers",
        ));
    }
    let Some(text) = line.get(Field::Time as usize) else {
        return Err(ParseError::missing_field("time: the line ends after one field"));
    };
    if first == "tls" && text == "2.0" {
        return Err(ParseError::no_match(
            "an access log line of a Network Load Balancer, not of an Application one",
        ));
    }
    let Some(time) = time::parse_iso(text, &Zone::UTC) else {
        return Err(ParseError::bad_field("time", "not an ISO 8601 time"));
    };
    if line.get(Field::Elb as usize).is_some_and(|elb| json::is_number(elb.as_bytes())) {
        return Err(ParseError::no_match(
            "expected the load balancer third; a line of a health check log has a latency",
        ));
    }
    Ok(time)
}

fn write_fields(line: &Line<'_>, time: i64, event: &mut Event<'_>) {
    let get = |field: Field| line.get(field as usize);
    let status = get(Field::ElbStatusCode);
    let (types, outcome) = network::http_outcome(status);
    event.categorize(Kind::Event, &[Category::Web], types);
    // The last action is the one that answered the request; those before it let it pass.
    event.set_some(
        ecs::EVENT_ACTION,
        get(Field::ActionsExecuted).and_then(|actions| actions.rsplit(',').next()),
    );
    event.set(ecs::EVENT_OUTCOME, outcome);
    event.set_some(ecs::EVENT_REASON, get(Field::ErrorReason));
    if let Some(start) = get(Field::RequestCreationTime).and_then(|text| time::parse_iso(text, &Zone::UTC)) {
        event.set(ecs::EVENT_START, Instant(start));
    }
    event.set(ecs::EVENT_END, Instant(time));
    if let Some(duration) = line.seconds(&PROCESSING_TIMES) {
        event.set(ecs::EVENT_DURATION, duration);
    }
    event.timestamp(time);

    let (client, client_port) = network::split_host_port(get(Field::Client).unwrap_or_default());
    event.set_endpoint(SOURCE, client, client_port);
    let (target, target_port) = network::split_host_port(get(Field::Target).unwrap_or_default());
    event.set_endpoint(DESTINATION, target, target_port);
    if let Some(version) = ip_version(client) {
        event.set(ecs::NETWORK_TYPE, if version == 4 { "ipv4" } else { "ipv6" });
    }
    event.set(ecs::NETWORK_TRANSPORT, "tcp");
    event.set(ecs::NETWORK_PROTOCOL, "http");

    let request_line = line.token(Field::Request as usize).unescape();
    let request = Request::split(&request_line);
    event.set_some(ecs::HTTP_VERSION, request.version());
    event.set_some(ecs::HTTP_REQUEST_METHOD, request.method);
    for (field, bytes) in [
        (ecs::HTTP_REQUEST_BYTES, Field::ReceivedBytes),
        (ecs::HTTP_RESPONSE_STATUS_CODE, Field::ElbStatusCode),
        (ecs::HTTP_RESPONSE_BYTES, Field::SentBytes),
    ] {
        if let Some(digits) = get(bytes).and_then(integer) {
            event.set_integer(field, digits);
        }
    }
    let url = request.url();
    url.set(event, request.target.unwrap_or_default());
    let agent = line.token(Field::UserAgent as usize).unescape();
    event.set_some(ecs::USER_AGENT_ORIGINAL, some(&agent));

    let cipher = get(Field::SslCipher);
    network::set_tls(event, get(Field::SslProtocol), cipher);
    if cipher.is_some() {
        event.set(ecs::TLS_ESTABLISHED, true);
    }
    // In place of the name the client gave when it began the TLS session that it takes up.
    let server_name = get(Field::DomainName).filter(|name| *name != "session-reused");
    event.set_some(ecs::TLS_CLIENT_SERVER_NAME, server_name);
    event.set_some(ecs::TRACE_ID, get(Field::TraceId).and_then(trace_root));

    event.set(ecs::CLOUD_PROVIDER, "aws");
    let group = get(Field::TargetGroupArn).and_then(Arn::parse);
    let certificate = if group.is_some() { None } else { get(Field::ChosenCertArn).and_then(Arn::parse) };
    let resource = group.or(certificate);
    event.cloud(resource.and_then(|arn| arn.account), resource.and_then(|arn| arn.region));
    for host in [url.host(), server_name].into_iter().flatten() {
        if ip_version(host).is_some() {
            event.related_ip(host);
        } else {
            event.related_host(host);
        }
    }
}

/// The id that all services of a trace share: `1-…` of `Self=…;Root=1-…`. A text without `Root=` stands as it is.
fn trace_root(text: &str) -> Option<&str> {
    let root = text.split(';').find_map(|part| part.trim_start().strip_prefix("Root="));
    some(root.unwrap_or(text))
}

weir_parser_sdk::export_parser!(Alb);
