//! Access logs of Network Load Balancers: one line for each TLS connection, written when it ends.
//!
//! Format: "Access logs for your Network Load Balancer" in the Elastic Load Balancing user guide. Fields are known by
//! position and new ones come at the end, so a line with more fields than are known here is an event like others.

mod columns;

use columns::{COLUMNS, Field, REQUIRED};
use weir_parser_sdk::aws::Arn;
use weir_parser_sdk::positional::{Record, integer};
use weir_parser_sdk::quoted::Splitter;
use weir_parser_sdk::time::{self, Zone};
use weir_parser_sdk::{
    Category, Context, DESTINATION, Event, EventOutcome, Frame, Instant, Kind, Outcome, ParseError, Parser,
    SOURCE, Skip, Type, ecs, ip_version, network,
};

type Line<'a> = Record<'a, { COLUMNS.len() }>;

const MILLISECOND: i64 = 1_000_000;

/// The parser; it has no settings.
pub struct Nlb;

impl Parser for Nlb {
    const MODULE: &'static str = "aws";
    const DATASET: &'static str = "aws.nlb";
    const VENDOR: &'static str = "aws.nlb";

    fn new(_batch: &Context<'_>) -> Result<Self, ParseError> {
        Ok(Nlb)
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
        line.read(&mut splitter, COLUMNS.len());
        let time = time_of(&line)?;
        line.write(&mut event.vendor(), REQUIRED, splitter)?;
        write_fields(&line, time, event);
        Ok(Outcome::Event)
    }
}

/// The time of the line, in UTC though it names no zone, or why the line is of another log.
fn time_of(line: &Line<'_>) -> Result<i64, ParseError> {
    if line.get(Field::Version as usize).is_some_and(|version| time::parse_iso(version, &Zone::UTC).is_some())
    {
        return Err(ParseError::no_match(
            "expected a version second; an Application Load Balancer's lines have a time",
        ));
    }
    let Some(text) = line.get(Field::Time as usize) else {
        return Err(ParseError::missing_field(format!("time: the line ends after {} fields", line.count())));
    };
    time::parse_iso(text, &Zone::UTC).ok_or_else(|| ParseError::bad_field("time", "not an ISO 8601 time"))
}

fn write_fields(line: &Line<'_>, time: i64, event: &mut Event<'_>) {
    let get = |field: Field| line.get(field as usize);
    let number = |field: Field| get(field).and_then(|text| text.parse::<i64>().ok());
    let established = get(Field::TlsCipher).is_some();
    // Alert 0 is close_notify, the ordinary end (RFC 8446, section 6.1).
    let alerted = number(Field::IncomingTlsAlert).is_some_and(|alert| alert != 0);
    let outcome = if established && !alerted { EventOutcome::Success } else { EventOutcome::Failure };
    event.categorize(Kind::Event, &[Category::Network], &[Type::Connection, Type::End]);
    event.set(ecs::EVENT_OUTCOME, outcome);
    if let Some(start) =
        get(Field::TlsConnectionCreationTime).and_then(|text| time::parse_iso(text, &Zone::UTC))
    {
        event.set(ecs::EVENT_START, Instant(start));
    }
    event.set(ecs::EVENT_END, Instant(time));
    let taken = number(Field::ConnectionTime).filter(|taken| *taken >= 0);
    if let Some(duration) = taken.and_then(|taken| taken.checked_mul(MILLISECOND)) {
        event.set(ecs::EVENT_DURATION, duration);
    }
    event.timestamp(time);

    let received = get(Field::ReceivedBytes).and_then(integer);
    let sent = get(Field::SentBytes).and_then(integer);
    let (client, client_port) = network::split_host_port(get(Field::Client).unwrap_or_default());
    event.set_endpoint(SOURCE, client, client_port);
    event.set_integer(ecs::SOURCE_BYTES, received.unwrap_or_default());
    let (destination, port) = network::split_host_port(get(Field::Destination).unwrap_or_default());
    event.set_endpoint(DESTINATION, destination, port);
    event.set_integer(ecs::DESTINATION_BYTES, sent.unwrap_or_default());
    if let Some(version) = ip_version(client) {
        event.set(ecs::NETWORK_TYPE, if version == 4 { "ipv4" } else { "ipv6" });
    }
    event.set(ecs::NETWORK_TRANSPORT, "tcp");
    event.set(ecs::NETWORK_PROTOCOL, "tls");
    if let (Some(received), Some(sent)) = (number(Field::ReceivedBytes), number(Field::SentBytes))
        && let Some(bytes) = received.checked_add(sent)
    {
        event.set(ecs::NETWORK_BYTES, bytes);
    }
    // The log counts connections, not requests; all it knows of HTTP is what both sides agreed to speak (RFC 7301).
    let spoken = get(Field::AlpnFrontEndProtocol);
    event.set_some(ecs::HTTP_VERSION, spoken.and_then(http_version));
    // All that is known of where the client wanted to go.
    let server_name = get(Field::DomainName);
    event.set_some(ecs::URL_DOMAIN, server_name);

    network::set_tls(event, get(Field::TlsProtocolVersion), get(Field::TlsCipher));
    event.set_some(ecs::TLS_NEXT_PROTOCOL, spoken);
    event.set(ecs::TLS_ESTABLISHED, established);
    event.set_some(ecs::TLS_CURVE, get(Field::TlsNamedGroup));
    event.set_some(ecs::TLS_CLIENT_SERVER_NAME, server_name);

    event.set(ecs::CLOUD_PROVIDER, "aws");
    let certificate = get(Field::ChosenCertArn).and_then(Arn::parse);
    event.cloud(certificate.and_then(|arn| arn.account), certificate.and_then(|arn| arn.region));
    if let Some(name) = server_name {
        event.related_host(name);
    }
}

/// The version of HTTP that an ALPN protocol id stands for.
fn http_version(protocol: &str) -> Option<&'static str> {
    match protocol {
        "h2" => Some("2.0"),
        "http/1.1" => Some("1.1"),
        "http/1.0" => Some("1.0"),
        _ => None,
    }
}

weir_parser_sdk::export_parser!(Nlb);
