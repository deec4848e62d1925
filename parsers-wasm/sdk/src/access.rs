//! Access log lines of nginx and Apache: the Common Log Format and what people make of it.
//!
//! ```text
//! ADDRESS IDENT USER [TIME] "REQUEST" STATUS BYTES ["REFERRER" "USER AGENT" ["FORWARDED FOR"]] [MORE…]
//! ```
//!
//! Before the address may stand the virtual host (`shop.example:443`), a list of forwarded addresses, in quotes or
//! not, or such a list instead of the address. Apache's TLS log begins with the time:
//! `[TIME] ADDRESS PROTOCOL CIPHER "REQUEST" BYTES`. The line may be wrapped in syslog. What follows the known fields is
//! kept in its order and is never a reason to refuse a line.
//!
//! A client decides what stands in the request, the referrer, the user agent, the forwarded list and the user's name.
//! So the address is the peer that the server saw, and the list says only what somebody claimed.

use crate::network::{http_outcome, split_host_port};
use crate::quoted::{Splitter, Token, some, unescape};
use crate::syslog::{Head, Scope};
use crate::text;
use crate::text::cut;
use crate::url::{Request, Url};
use crate::{
    Category, Context, DESTINATION, Event, Kind, ObjectWriter, ParseError, SOURCE, aws, ecs, ip_version,
    json, network,
};
use std::net::IpAddr;

/// What a server calls the fields, for the vendor's tree.
#[derive(Debug)]
#[expect(missing_docs, reason = "each is the name of the field it is named by")]
pub struct Names {
    pub service: &'static str,
    pub virtual_host: &'static str,
    pub address: &'static str,
    pub ident: &'static str,
    pub user: &'static str,
    pub time: &'static str,
    pub request: &'static str,
    pub status: &'static str,
    pub bytes: &'static str,
    pub referrer: &'static str,
    pub user_agent: &'static str,
    pub forwarded: &'static str,
}

/// The fields of a line. `-` and nothing are absent values.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// The syslog head around the line, if there is one.
    pub head: Option<Head<'a>>,
    /// The virtual host as the line has it, perhaps with its port.
    pub virtual_host: Option<&'a str>,
    /// Forwarded addresses as the line has them, separated by commas.
    pub forwarded: Option<&'a str>,
    /// Who the server spoke with; a list where the format has the forwarded list in its place.
    pub address: Option<&'a str>,
    /// RFC 1413's user, practically never there.
    pub ident: Option<&'a str>,
    /// The authenticated user.
    pub user: Option<&'a str>,
    /// Between the brackets.
    pub time: &'a str,
    /// The request line, escaped as in the log.
    pub request: Token<'a>,
    /// Three digits.
    pub status: Option<&'a str>,
    /// Digits.
    pub bytes: Option<&'a str>,
    /// The `Referer` header.
    pub referrer: Option<Token<'a>>,
    /// The `User-Agent` header.
    pub user_agent: Option<Token<'a>>,
    /// The protocol, where the line has it: `TLSv1.2`.
    pub tls_protocol: Option<&'a str>,
    /// The cipher, where the line has it.
    pub tls_cipher: Option<&'a str>,
    /// Fields before the request that the format does not know, as they stand.
    pub before: &'a str,
    /// What follows the known fields.
    pub extra: Splitter<'a>,
    /// The request's bytes, for formats that have them.
    pub request_bytes: Option<&'a str>,
    /// The request's id, for formats that have it.
    pub request_id: Option<&'a str>,
    /// How long the request took in nanoseconds, for formats that have it.
    pub duration: Option<i64>,
}

/// The line's text without the syslog around it, and that syslog's head.
pub fn unwrap_syslog<'a>(line: &'a str, context: &Context<'_>) -> (Option<Head<'a>>, &'a str) {
    // A month's name, or `<PRI>`; addresses and times of access logs begin with neither but for a few host names.
    if !matches!(line.as_bytes().first(), Some(b'<' | b'A' | b'D' | b'F' | b'J' | b'M' | b'N' | b'O' | b'S'))
    {
        return (None, line);
    }
    match Head::parse(line, &Scope::of(context)) {
        Ok(head) if head.program.is_some() => (Some(head), head.text),
        _ => (None, line),
    }
}

impl<'a> Line<'a> {
    /// Reads a line.
    ///
    /// # Errors
    /// Names the part that is missing or cannot be.
    pub fn parse(line: &'a str, context: &Context<'_>) -> Result<Self, ParseError> {
        let (head, text) = unwrap_syslog(line, context);
        let (prefix, time, behind) = split_time(text).ok_or_else(|| {
            ParseError::no_match("expected ADDRESS IDENT USER [TIME] \"REQUEST\" STATUS BYTES")
        })?;
        let (mut line, mut fields) = if prefix.is_empty() {
            Self::time_first(head, time, behind)?
        } else {
            let mut fields = Splitter::new(behind);
            let request = request(&mut fields)?;
            (Line { head, ..Self::new(Prefix::split(prefix), time, request, &fields) }, fields)
        };
        line.take_status(&mut fields)?;
        line.extra = fields;
        Ok(line)
    }

    fn new(prefix: Prefix<'a>, time: &'a str, request: Token<'a>, extra: &Splitter<'a>) -> Self {
        Line {
            head: None,
            virtual_host: prefix.virtual_host,
            forwarded: prefix.forwarded,
            address: prefix.address,
            ident: prefix.ident,
            user: prefix.user,
            time,
            request,
            status: None,
            bytes: None,
            referrer: None,
            user_agent: None,
            tls_protocol: None,
            tls_cipher: None,
            before: "",
            extra: extra.clone(),
            request_bytes: None,
            request_id: None,
            duration: None,
        }
    }

    /// `[TIME] [HOST] ADDRESS [PROTOCOL CIPHER] "REQUEST" …`, and where to go on behind the request.
    fn time_first(
        head: Option<Head<'a>>,
        time: &'a str,
        behind: &'a str,
    ) -> Result<(Self, Splitter<'a>), ParseError> {
        let quote = memchr::memchr(b'"', behind.as_bytes())
            .ok_or_else(|| ParseError::missing_field("request: no quoted request in the line"))?;
        let (mut words, behind) = behind.split_at_checked(quote).unwrap_or((behind, ""));
        let mut prefix = Prefix::default();
        while prefix.address.is_none() {
            let word = next_word(&mut words)
                .ok_or_else(|| ParseError::missing_field("address: none before the request"))?;
            if ip_version(word).is_some() || ip_version(split_host_port(word).0).is_some() {
                prefix.address = Some(word);
            } else if prefix.virtual_host.is_some() {
                return Err(ParseError::no_match("expected [TIME] [HOST] ADDRESS … \"REQUEST\""));
            } else {
                prefix.virtual_host = some(word).filter(|word| *word != "_");
            }
        }
        let (mut protocol, mut cipher) = (None, None);
        let mut ahead = words;
        if let Some(word) = next_word(&mut ahead)
            && network::tls_version(word).is_some()
        {
            protocol = Some(word);
            cipher = next_word(&mut ahead).and_then(some);
            words = ahead;
        }
        let mut fields = Splitter::new(behind);
        let request = request(&mut fields)?;
        let line = Self::new(prefix, time, request, &fields);
        Ok((Line { head, tls_protocol: protocol, tls_cipher: cipher, before: words, ..line }, fields))
    }

    /// `STATUS BYTES ["REFERRER" "USER AGENT"]`, or `BYTES` alone.
    fn take_status(&mut self, fields: &mut Splitter<'a>) -> Result<(), ParseError> {
        let status =
            fields.token().ok_or_else(|| ParseError::missing_field("status: the line ends before it"))?;
        let mut ahead = fields.clone();
        let bytes = ahead.token().filter(|token| !token.is_quoted() && is_count(token.raw()));
        if bytes.is_none() && self.tls_protocol.is_some() && is_count(status.raw()) {
            self.bytes = status.value();
            return Ok(());
        }
        if !is_status(status.raw()) {
            return Err(ParseError::bad_field("status", "neither three digits nor `-`"));
        }
        self.status = status.value();
        if let Some(bytes) = bytes {
            self.bytes = bytes.value();
            *fields = ahead;
        }
        self.referrer = header(fields);
        if self.referrer.is_some() {
            self.user_agent = header(fields);
        }
        Ok(())
    }

    /// Takes the next extra field as the forwarded list, as nginx's `main` format has it, if it is one.
    pub fn take_forwarded(&mut self) {
        let mut ahead = self.extra.clone();
        let Some(token) = ahead.token() else { return };
        if !token.is_quoted() || self.forwarded.is_some() {
            return;
        }
        if token.value().is_none() {
            self.extra = ahead;
        } else if is_list(token.raw()) {
            self.forwarded = token.value();
            self.extra = ahead;
        }
    }

    /// Writes the event, the vendor's tree but for the format's own fields included.
    ///
    /// # Errors
    /// When the time is none.
    pub fn write(&self, names: &Names, event: &mut Event<'_>) -> Result<(), ParseError> {
        let context = event.context();
        let time =
            context.parse_clf(self.time).or_else(|| context.parse_iso(self.time)).ok_or_else(|| {
                ParseError::bad_field("time", "neither 15/Jan/2026:10:00:00 +0000 nor ISO 8601")
            })?;
        let (types, outcome) = http_outcome(self.status);
        event.categorize(Kind::Event, &[Category::Web], types);
        event.set(ecs::EVENT_OUTCOME, outcome);
        if let Some(duration) = self.duration {
            event.set(ecs::EVENT_DURATION, duration);
        }
        event.timestamp(time);

        self.write_source(event);
        let host = self.virtual_host.map(split_host_port);
        if let Some((host, port)) = host {
            event.set_endpoint(DESTINATION, host, port);
        }
        self.write_forwarded(event);

        let text = self.request.unescape();
        let request = Request::split(&text);
        event.set_some(ecs::HTTP_VERSION, request.version());
        event.set_some(ecs::HTTP_REQUEST_METHOD, request.method);
        event.set_some(ecs::HTTP_REQUEST_ID, self.request_id);
        if let Some(referrer) = self.referrer.filter(|token| token.value().is_some()) {
            event.set(ecs::HTTP_REQUEST_REFERRER, referrer.unescape());
        }
        if let Some(bytes) = self.request_bytes {
            event.set_integer(ecs::HTTP_REQUEST_BYTES, bytes);
        }
        if let Some(status) = self.status {
            event.set_integer(ecs::HTTP_RESPONSE_STATUS_CODE, without_zeros(status));
        }
        if let Some(bytes) = self.bytes {
            event.set_integer(ecs::HTTP_RESPONSE_BODY_BYTES, without_zeros(bytes));
        }
        write_url(request, self.virtual_host, event);
        if let Some(agent) = self.user_agent.filter(|token| token.value().is_some()) {
            event.set(ecs::USER_AGENT_ORIGINAL, agent.unescape());
        }
        network::set_tls(event, self.tls_protocol, self.tls_cipher);
        if let Some(user) = self.user {
            // Escaped as the quoted fields are: Apache writes `CORP\ana` with two backslashes.
            let user = unescape(user);
            event.set(ecs::USER_NAME, user.as_ref());
            event.related_user(&user);
        }
        write_service(self.head.as_ref(), names.service, event);
        self.write_vendor(names, &mut event.vendor());
        Ok(())
    }

    fn write_source(&self, event: &mut Event<'_>) {
        let configured = event.context().attribute("source-address") == Some("forwarded");
        let claimed = if configured { self.forwarded.and_then(client_of) } else { None };
        let Some(address) = claimed.or(self.address) else { return };
        // Where the list stands in the address's place, it is all there is.
        let address = match text::cut(address, ",") {
            Some((first, _)) => client_of(address).unwrap_or(first),
            None => address,
        };
        write_peer(address, event);
        if claimed.is_some()
            && let Some(peer) = self.address
        {
            event.related_ip(peer);
        }
    }

    fn write_forwarded(&self, event: &mut Event<'_>) {
        let list = self.forwarded.or(self.address.filter(|address| text::has(address, b',')));
        let Some(list) = list else { return };
        if self.forwarded.is_some()
            && let Some(client) = client_of(list)
        {
            event.set_ip(ecs::NETWORK_FORWARDED_IP, client);
        }
        for entry in entries(list).take(MOST_FORWARDED) {
            event.related_ip(entry);
        }
    }

    fn write_vendor(&self, names: &Names, vendor: &mut ObjectWriter<'_>) {
        vendor
            .optional(names.virtual_host, self.virtual_host)
            .optional(names.address, self.address)
            .optional(names.ident, self.ident)
            .optional(names.user, self.user)
            .string(names.time, self.time)
            .optional(names.request, self.request.value());
        if let Some(status) = self.status {
            vendor.raw(names.status, without_zeros(status));
        }
        if let Some(bytes) = self.bytes {
            vendor.raw(names.bytes, without_zeros(bytes));
        }
        vendor
            .optional(names.referrer, self.referrer.and_then(Token::value))
            .optional(names.user_agent, self.user_agent.and_then(Token::value))
            .optional(names.forwarded, self.forwarded)
            .optional("tls_protocol", self.tls_protocol)
            .optional("tls_cipher", self.tls_cipher);
        self.write_extra(vendor);
    }

    /// The fields that are left, `-` included since their position says what they are; nothing if all are `-`.
    fn write_extra(&self, vendor: &mut ObjectWriter<'_>) {
        let fields = || {
            let mut rest = self.extra.clone();
            let behind = std::iter::from_fn(move || rest.token().map(Token::raw));
            self.before.split_ascii_whitespace().chain(behind)
        };
        if fields().any(|field| some(field).is_some()) {
            vendor.strings("extra_fields", fields());
        }
    }
}

/// Sets `source.*`: an address, perhaps with a port, a name, or `unix:` for a local socket, which is nobody's name.
pub fn write_peer(address: &str, event: &mut Event<'_>) {
    if address.starts_with("unix:") {
        event.set(ecs::SOURCE_ADDRESS, address);
    } else if ip_version(address).is_some() {
        event.set_endpoint(SOURCE, address, None);
    } else {
        let (host, port) = split_host_port(address);
        event.set_endpoint(SOURCE, host, port);
    }
}

/// Sets `url.*` of a request; the host is the request's own, else the one that the server chose, as the log has it.
pub fn write_url(request: Request<'_>, host: Option<&str>, event: &mut Event<'_>) {
    let host = host.map(split_authority);
    let Some(target) = request.target else {
        if let Some((host, _)) = host {
            event.set_some(ecs::URL_DOMAIN, Some(host));
        }
        return;
    };
    let mut url: Url<'_> = request.url();
    match url.host() {
        Some(asked) if ip_version(asked).is_some() => event.related_ip(asked),
        Some(asked) => event.related_host(asked),
        None => {
            if let Some((host, port)) = host {
                url.domain = some(host);
                url.port = port;
            }
        }
    }
    url.set(event, target);
}

/// Host and port; an IPv6 address keeps the brackets it stands in, as `url.domain` wants.
fn split_authority(text: &str) -> (&str, Option<&str>) {
    if text.starts_with('[') {
        let url = Url::parse_authority(text);
        (url.domain.unwrap_or(text), url.port)
    } else {
        split_host_port(text)
    }
}

/// Sets `process.*`, `host.*` and `log.syslog.*` of the syslog around a line, `service.*`, and the instance; in the table's order
/// these follow `user`.
pub fn write_service(head: Option<&Head<'_>>, service: &str, event: &mut Event<'_>) {
    if let Some(head) = head {
        head.set_process(event, None, None);
        head.set_host(event);
    }
    event.set(ecs::SERVICE_NAME, service);
    event.set(ecs::SERVICE_TYPE, service);
    if let Some(head) = head {
        head.set_log(event, None);
    }
    aws::set_instance(event);
}

/// What stands before the time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Prefix<'a> {
    virtual_host: Option<&'a str>,
    forwarded: Option<&'a str>,
    address: Option<&'a str>,
    ident: Option<&'a str>,
    user: Option<&'a str>,
}

impl<'a> Prefix<'a> {
    /// `[HOST] [LIST] ADDRESS IDENT USER`. The user may hold blanks, or be missing.
    #[inline]
    fn split(prefix: &'a str) -> Self {
        let mut left = Some(prefix);
        let mut words = std::iter::from_fn(|| {
            let text = left?;
            let (word, behind) = cut(text, " ").map_or((text, None), |(word, behind)| (word, Some(behind)));
            left = behind;
            Some(word)
        });
        if let (Some(address), Some(ident), Some(user), None) =
            (words.next(), words.next(), words.next(), words.next())
            && ip_version(ident).is_none()
            && !address.ends_with(',')
        {
            let (address, ident, user) = (some(address), some(ident), some(user.trim_matches('"')));
            return Prefix { address, ident, user, ..Prefix::default() };
        }
        let (who, ident, user) = if let Some((who, user)) = cut(prefix, " - ") {
            (who, None, some(user.trim_matches([' ', '"'])))
        } else if let Some(who) = prefix.strip_suffix(" -") {
            (who, None, None)
        } else {
            let mut words = prefix.rsplitn(3, ' ');
            match (words.next(), words.next(), words.next()) {
                (Some(user), Some(ident), Some(who)) => (who, some(ident), some(user)),
                _ => (prefix, None, None),
            }
        };
        Prefix { ident, user, ..Self::who(who.trim()) }
    }

    /// `[HOST] [LIST] ADDRESS` or `[HOST] LIST`
    fn who(text: &'a str) -> Self {
        let (first, rest) = group(text);
        let (second, third) = group(rest);
        let third = third.trim();
        let first_is_list = text::has(first, b',') || text.starts_with('"');
        match (second.is_empty(), third.is_empty()) {
            (true, _) => Prefix { address: some(first), ..Prefix::default() },
            (false, true) if first_is_list => {
                Prefix { forwarded: some(first), address: some(second), ..Prefix::default() }
            }
            (false, true) => Prefix { virtual_host: some(first), address: some(second), ..Prefix::default() },
            (false, false) => Prefix {
                virtual_host: some(first),
                forwarded: some(second),
                address: some(third.trim_matches('"')),
                ..Prefix::default()
            },
        }
    }
}

/// The first word, quoted text, or list (words that end in a comma and the one behind them), and the rest.
pub fn group(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches(' ');
    if let Some(inside) = text.strip_prefix('"') {
        return text::cut(inside, "\"").unwrap_or((inside, ""));
    }
    let bytes = text.as_bytes();
    let end = memchr::memchr_iter(b' ', bytes)
        .find(|at| at.checked_sub(1).and_then(|at| bytes.get(at)) != Some(&b','));
    text.split_at_checked(end.unwrap_or(text.len())).unwrap_or((text, ""))
}

const LONGEST_TIME: usize = 64;

/// What stands before `[TIME]`, the time, and what stands behind it. A user's name may hold brackets; a time begins
/// with a digit and holds a slash or a hyphen as its third or fifth character.
#[inline]
fn split_time(text: &str) -> Option<(&str, &str, &str)> {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'[', bytes).find_map(|at| {
        let inside = bytes.get(at + 1..)?;
        let separated = matches!(inside.get(2), Some(b'/')) || matches!(inside.get(4), Some(b'-' | b'/'));
        let alone = at.checked_sub(1).is_none_or(|before| bytes.get(before) == Some(&b' '));
        if !separated || !alone || !inside.first().is_some_and(u8::is_ascii_digit) {
            return None;
        }
        // No time is longer, and a line of brackets must not be searched to its end for each.
        let end = memchr::memchr(b']', inside.get(..LONGEST_TIME).unwrap_or(inside))?;
        Some((text.get(..at)?.trim(), text.get(at + 1..at + 1 + end)?, text.get(at + 2 + end..)?))
    })
}

fn request<'a>(fields: &mut Splitter<'a>) -> Result<Token<'a>, ParseError> {
    let request = fields
        .quoted_before(|behind| is_status(cut(behind, " ").map_or(behind, |(status, _)| status)))
        .ok_or_else(|| ParseError::no_match("expected a quoted request behind the time"))?;
    if request.is_closed() {
        Ok(request)
    } else {
        Err(ParseError::bad_field("request", "its closing quote is missing"))
    }
}

/// A quoted header, or the `-` of formats that do not quote it.
fn header<'a>(fields: &mut Splitter<'a>) -> Option<Token<'a>> {
    let mut ahead = fields.clone();
    let token = ahead.token().filter(|token| token.is_quoted() || token.raw() == "-")?;
    *fields = ahead;
    Some(token)
}

/// Takes the next word.
fn next_word<'a>(words: &mut &'a str) -> Option<&'a str> {
    let text = words.trim_start_matches(' ');
    let (word, rest) = cut(text, " ").unwrap_or((text, ""));
    *words = rest;
    (!word.is_empty()).then_some(word)
}

#[inline]
fn is_status(text: &str) -> bool {
    text == "-" || (text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[inline]
fn is_count(text: &str) -> bool {
    text == "-" || json::is_integer(without_zeros(text).as_bytes()) && !text.starts_with('-')
}

/// Digits as JSON takes them: nginx writes status 9 as `009`.
#[inline]
fn without_zeros(digits: &str) -> &str {
    let bare = digits.trim_start_matches('0');
    if bare.is_empty() && !digits.is_empty() { "0" } else { bare }
}

/// More addresses of a list than these are not made searchable; no chain of proxies is as long.
const MOST_FORWARDED: usize = 100;

/// The entries of a list of forwarded addresses, without ports and brackets.
fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(|entry| {
        let entry = entry.trim();
        if ip_version(entry).is_some() { entry } else { split_host_port(entry).0 }
    })
}

/// Whether a text is a list of addresses, as proxies forward it; some write `unknown` for one.
fn is_list(text: &str) -> bool {
    let mut addresses = 0;
    let all = entries(text).all(|entry| {
        let address = ip_version(entry).is_some();
        addresses += usize::from(address);
        address || entry == "unknown"
    });
    all && addresses > 0
}

/// The client that a forwarded list claims: the first public address, else the first address.
fn client_of(list: &str) -> Option<&str> {
    let mut addresses = entries(list).filter(|entry| ip_version(entry).is_some());
    let first = addresses.next()?;
    if is_public(first) { Some(first) } else { addresses.find(|entry| is_public(entry)).or(Some(first)) }
}

/// Not private, shared, local or unspecified (RFC 1918, RFC 6598, RFC 4193, RFC 4291).
fn is_public(address: &str) -> bool {
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || a == 0 || shared)
        }
        Ok(IpAddr::V6(ip)) => {
            let [first, ..] = ip.segments();
            !(ip.is_loopback() || ip.is_unspecified() || first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80)
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests;
