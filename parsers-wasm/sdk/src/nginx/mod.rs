//! The error log of nginx: `2026/01/15 10:00:00 [error] 12#34: *56 what happened, client: 192.0.2.1, server: …`.
//!
//! `nginx-error` reads it, and `nginx-access` where both logs end in one stream, as a container's do; this module lives in
//! the SDK because a parser component cannot link another one.
//!
//! Format: `ngx_log_error_core`, `ngx_http_log_error`, `ngx_stream_log_error` and `ngx_mail_log_error` of nginx.

mod context;

use crate::access::{unwrap_syslog, write_peer, write_service, write_url};
use crate::network::split_host_port;
use crate::quoted::some;
use crate::syslog::Head;
use crate::text;
use crate::text::cut;
use crate::url::Request;
use crate::{Category, Event, EventOutcome, Kind, ParseError, Type, ecs, ip_version, json};
use context::Context as Happened;

/// `event.dataset` of the log, and where its own fields go.
pub const ERROR_LOG: &str = "nginx.error";

/// Parses an entry of the error log, perhaps wrapped in syslog; says its outcome, if it has one.
///
/// # Errors
/// When the text is none. Nothing is written then.
pub fn write_error(text: &str, event: &mut Event<'_>) -> Result<Option<EventOutcome>, ParseError> {
    let (head, text) = unwrap_syslog(text, event.context());
    let line = Line::parse(text, event)?;
    Ok(line.write(head.as_ref(), event))
}

/// The parts of a line.
struct Line<'a> {
    /// Nanoseconds since 1970.
    time: i64,
    level: &'a str,
    process: &'a str,
    thread: &'a str,
    connection: Option<&'a str>,
    /// Everything behind the connection.
    message: &'a str,
}

impl<'a> Line<'a> {
    fn parse(text: &'a str, event: &Event<'_>) -> Result<Self, ParseError> {
        const SHAPE: &str = "expected YYYY/MM/DD hh:mm:ss [LEVEL] PID#TID: MESSAGE";
        let (time, rest) = cut(text, " [").ok_or_else(|| ParseError::no_match(SHAPE))?;
        let (level, rest) = cut(rest, "] ").ok_or_else(|| ParseError::no_match(SHAPE))?;
        let time = event.context().parse_iso(time).ok_or_else(|| ParseError::no_match(SHAPE))?;
        if !is_level(level) {
            return Err(ParseError::bad_field("level", "none of nginx's eight levels"));
        }
        let (process, rest) = text::cut(rest, "#").ok_or_else(|| ParseError::no_match(SHAPE))?;
        let (thread, rest) = text::cut(rest, ":").ok_or_else(|| ParseError::no_match(SHAPE))?;
        if !json::is_integer(process.as_bytes()) || !json::is_integer(thread.as_bytes()) {
            return Err(ParseError::bad_field("PID#TID", "not numbers"));
        }
        let rest = rest.trim_start();
        let (connection, message) = match rest.strip_prefix('*').and_then(|rest| cut(rest, " ")) {
            Some((number, message)) if json::is_integer(number.as_bytes()) => (Some(number), message),
            _ => (None, rest),
        };
        Ok(Line { time, level, process, thread, connection, message })
    }

    fn write(&self, head: Option<&Head<'_>>, event: &mut Event<'_>) -> Option<EventOutcome> {
        let happened = Happened::split(self.message);
        let failed = is_failure(self.level);
        let attempt = Attempt::of(happened.message);
        // An `error` is no type of `authentication` in ECS.
        let (categories, types): (&[Category], &[Type]) = match (attempt.is_some(), failed) {
            (true, true) => (&[Category::Web, Category::Authentication], &[Type::Info, Type::Error]),
            (true, false) => (&[Category::Web, Category::Authentication], &[Type::Info]),
            (false, true) => (&[Category::Web], &[Type::Error]),
            (false, false) => (&[Category::Web], &[Type::Info]),
        };
        event.categorize(Kind::Event, categories, types);
        let refused = failed && self.level != "warn" && happened.client.is_some();
        let outcome =
            attempt.as_ref().map(|attempt| attempt.outcome).or(refused.then_some(EventOutcome::Failure));
        if attempt.is_some() {
            event.set(ecs::EVENT_ACTION, "authentication");
        }
        if let Some(outcome) = outcome {
            event.set(ecs::EVENT_OUTCOME, outcome);
        }
        event.set_some(ecs::EVENT_REASON, attempt.as_ref().and_then(|attempt| attempt.reason));
        event.timestamp(self.time);
        event.set(ecs::MESSAGE, self.message);
        // Stream and mail begin a session with a message of its own, without context.
        let client = happened.client.and_then(some).or_else(|| connected(happened.message));
        if let Some(client) = client {
            write_peer(client, event);
        }
        let request = happened.request.map(Request::split).unwrap_or_default();
        event.set_some(ecs::HTTP_VERSION, request.version());
        event.set_some(ecs::HTTP_REQUEST_METHOD, request.method);
        event.set_some(ecs::HTTP_REQUEST_REFERRER, happened.referrer);
        // What the client asked for, as in its request; a name that a server block has may be a pattern.
        let host = happened.host.and_then(some);
        write_url(request, host, event);
        if let Some(host) = host {
            relate(split_host_port(host).0, event);
        }
        // The mail proxy says who logs in.
        if let Some(name) = attempt.and_then(|attempt| attempt.user).or(happened.login) {
            event.set(ecs::USER_NAME, name);
            event.related_user(name);
        }
        if failed {
            event.set_some(ecs::ERROR_CODE, error_number(happened.message));
            event.set_some(ecs::ERROR_MESSAGE, Some(happened.message));
        }
        event.set(ecs::PROCESS_NAME, "nginx");
        event.set_integer(ecs::PROCESS_PID, self.process);
        event.set_integer(ecs::PROCESS_THREAD_ID, self.thread);
        write_service(head, "nginx", event);
        event.set(ecs::LOG_LEVEL, self.level);
        self.write_vendor(&happened, event);
        outcome
    }

    fn write_vendor(&self, happened: &Happened<'_>, event: &mut Event<'_>) {
        let mut vendor = event.vendor();
        vendor.string("level", self.level).raw("pid", self.process).raw("tid", self.thread);
        if let Some(connection) = self.connection {
            vendor.raw("connection_id", connection);
        }
        vendor.string("message", happened.message);
        happened.write(&mut vendor);
    }
}

/// Somebody tries to prove who they are.
struct Attempt<'a> {
    /// Where the message names the user; the mail proxy's stands in the context.
    user: Option<&'a str>,
    outcome: EventOutcome,
    reason: Option<&'a str>,
}

impl<'a> Attempt<'a> {
    /// Basic authentication: `user "ana": password mismatch`, `user "ana" was not found in "…"`. The mail proxy:
    /// `client logged in`, `client login failed: "REASON" while in http auth state`.
    fn of(message: &'a str) -> Option<Self> {
        if message == "client logged in" {
            return Some(Attempt { user: None, outcome: EventOutcome::Success, reason: None });
        }
        let outcome = EventOutcome::Failure;
        if let Some(rest) = message.strip_prefix("client login failed: \"") {
            // What the authentication server answered, which may hold quotes.
            let reason = text::cut_last(rest, "\"").map_or(rest, |(reason, _)| reason);
            return Some(Attempt { user: None, outcome, reason: Some(reason) });
        }
        let (user, rest) = message.strip_prefix("user \"")?.split_once('"')?;
        let reason =
            ["password mismatch", "was not found in"].into_iter().find(|reason| rest.contains(reason))?;
        let reason = if reason == "was not found in" { "user not found" } else { reason };
        Some(Attempt { user: Some(user), outcome, reason: Some(reason) })
    }
}

/// The peer of `client 192.0.2.1:51000 connected to 0.0.0.0:993`, `client 192.0.2.1 closed keepalive connection`.
fn connected(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("client ")?;
    let (client, _) = cut(rest, " connected to ").or_else(|| cut(rest, " closed keepalive connection"))?;
    (!text::has(client, b' ')).then_some(client)
}

fn relate(host: &str, event: &mut Event<'_>) {
    if ip_version(host).is_some() {
        event.related_ip(host);
    } else {
        event.related_host(host);
    }
}

fn is_level(level: &str) -> bool {
    matches!(level, "debug" | "info" | "notice" | "warn" | "error" | "crit" | "alert" | "emerg")
}

fn is_failure(level: &str) -> bool {
    matches!(level, "warn" | "error" | "crit" | "alert" | "emerg")
}

/// The last `(N: text)`: what the operating system answered.
fn error_number(message: &str) -> Option<&str> {
    let (number, _) = text::cut_last(message, "(")?.1.split_once(": ")?;
    (!number.is_empty() && number.len() <= 5 && number.bytes().all(|byte| byte.is_ascii_digit()))
        .then_some(number)
}
