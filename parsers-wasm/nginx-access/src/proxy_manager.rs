//! The access log of Nginx Proxy Manager, which holds no request line:
//!
//! ```text
//! [TIME] CACHE UPSTREAM_STATUS STATUS - METHOD SCHEME HOST "URI" [Client ADDRESS] [Length BYTES] [Gzip RATIO] [Sent-to SERVER] "USER AGENT" "REFERRER"
//! [TIME] STATUS - METHOD SCHEME HOST "URI" [Client ADDRESS] [Length BYTES] [Gzip RATIO] "USER AGENT" "REFERRER"
//! ```

use weir_parser_sdk::access::{write_peer, write_service};
use weir_parser_sdk::network::http_outcome;
use weir_parser_sdk::quoted::{Splitter, Token, some};
use weir_parser_sdk::url::Url;
use weir_parser_sdk::{Category, Event, Kind, ParseError, columns, ecs, ip_version};

/// Whether a line is of this format.
pub(crate) fn is_line(text: &str) -> bool {
    text.starts_with('[') && text.contains("\" [Client ")
}

/// The fields of a line.
struct Line<'a> {
    time: &'a str,
    cache_status: Option<&'a str>,
    upstream_status: Option<&'a str>,
    status: &'a str,
    method: Option<&'a str>,
    scheme: Option<&'a str>,
    host: Option<&'a str>,
    uri: Token<'a>,
    client: Option<&'a str>,
    length: Option<&'a str>,
    gzip: Option<&'a str>,
    sent_to: Option<&'a str>,
    user_agent: Option<Token<'a>>,
    referrer: Option<Token<'a>>,
}

/// Writes the event.
///
/// # Errors
/// Names the part that is missing or cannot be.
pub(crate) fn write(text: &str, event: &mut Event<'_>) -> Result<(), ParseError> {
    let line = Line::parse(text).ok_or_else(|| {
        ParseError::no_match(
            "expected [TIME] … STATUS - METHOD SCHEME HOST \"URI\" [Client ADDRESS] [Length BYTES]",
        )
    })?;
    let time =
        event.context().parse_clf(line.time).ok_or_else(|| ParseError::bad_field("time", "not a time"))?;
    let (types, outcome) = http_outcome(some(line.status));
    event.categorize(Kind::Event, &[Category::Web], types);
    event.set(ecs::EVENT_OUTCOME, outcome);
    event.timestamp(time);
    if let Some(client) = line.client {
        write_peer(client, event);
    }
    event.set_some(ecs::HTTP_REQUEST_METHOD, line.method);
    if let Some(referrer) = line.referrer.filter(|token| token.value().is_some()) {
        event.set(ecs::HTTP_REQUEST_REFERRER, referrer.unescape());
    }
    event.set_integer(ecs::HTTP_RESPONSE_STATUS_CODE, line.status);
    if let Some(length) = line.length {
        event.set_integer(ecs::HTTP_RESPONSE_BODY_BYTES, length);
    }
    let target = line.uri.unescape();
    let mut url = Url::parse(&target);
    url.scheme = url.scheme.or(line.scheme);
    url.domain = url.domain.or(line.host);
    url.set(event, &target);
    if let Some(agent) = line.user_agent.filter(|token| token.value().is_some()) {
        event.set(ecs::USER_AGENT_ORIGINAL, agent.unescape());
    }
    if let Some(host) = line.host {
        if ip_version(host).is_some() { event.related_ip(host) } else { event.related_host(host) }
    }
    write_service(None, "nginx", event);
    line.write_vendor(event);
    Ok(())
}

impl<'a> Line<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut fields = Splitter::new(text);
        let time = fields.bracketed()?.raw();
        // The status is the last before the hyphen that stands before the method.
        let first = fields.bare()?.raw();
        let second = fields.bare()?.raw();
        let (cache_status, upstream_status, status) = if is_status(first) && second == "-" {
            (None, None, first)
        } else {
            let status = fields.bare()?.raw();
            (fields.bare()?.raw() == "-").then_some((some(first), some(second), status))?
        };
        if !is_status(status) {
            return None;
        }
        let method = fields.bare()?.value();
        let scheme = fields.bare()?.value();
        let host = fields.bare()?.value();
        let uri = fields.quoted_before(|behind| behind.starts_with("[Client "))?;
        let client = labelled(&mut fields, "Client ")?;
        let length = labelled(&mut fields, "Length ")?;
        let mut line = Line {
            time,
            cache_status,
            upstream_status,
            status,
            method,
            scheme,
            host,
            uri,
            client: some(client),
            length: some(length).filter(|length| columns::is_integer(length)),
            gzip: None,
            sent_to: None,
            user_agent: None,
            referrer: None,
        };
        line.gzip = labelled(&mut fields, "Gzip ").and_then(some);
        line.sent_to = labelled(&mut fields, "Sent-to ").and_then(some);
        line.user_agent = fields.token();
        line.referrer = fields.token();
        Some(line)
    }

    fn write_vendor(&self, event: &mut Event<'_>) {
        let mut vendor = event.vendor();
        vendor
            .string("time_local", self.time)
            .optional("upstream_cache_status", self.cache_status)
            .optional("upstream_status", self.upstream_status)
            .raw("status", self.status)
            .optional("request_method", self.method)
            .optional("scheme", self.scheme)
            .optional("host", self.host)
            .optional("request_uri", self.uri.value())
            .optional("remote_addr", self.client);
        if let Some(length) = self.length {
            vendor.raw("body_bytes_sent", length);
        }
        vendor
            .optional("gzip_ratio", self.gzip)
            .optional("server", self.sent_to)
            .optional("http_user_agent", self.user_agent.and_then(Token::value))
            .optional("http_referer", self.referrer.and_then(Token::value));
    }
}

/// `[Label VALUE]`
fn labelled<'a>(fields: &mut Splitter<'a>, label: &str) -> Option<&'a str> {
    let mut ahead = fields.clone();
    let value = ahead.bracketed()?.raw().strip_prefix(label)?;
    *fields = ahead;
    Some(value)
}

fn is_status(text: &str) -> bool {
    text.len() == 3 && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
}
