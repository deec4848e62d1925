//! The error log of Apache httpd, of 2.2 (`[TIME] [LEVEL] [client ADDRESS] MESSAGE`) and 2.4
//! (`[TIME] [MODULE:LEVEL] [pid N:tid N] [client ADDRESS:PORT] AHnnnnn: MESSAGE, referer: URL`).
//!
//! `apache-error` reads it, and `apache-access` where both logs end in one stream, as a container's do; this module lives
//! in the SDK because a parser component cannot link another one.
//!
//! Format: "Log Files" and the directive `ErrorLogFormat` in the Apache HTTP Server's documentation.

mod line;

use crate::access::{unwrap_syslog, write_service};
use crate::network::split_host_port;
use crate::quoted::some;
use crate::syslog::Head;
use crate::{Category, Event, EventOutcome, Kind, ParseError, SOURCE, Type, ecs, time};
use line::Line;

/// `event.dataset` of the log, and where its own fields go.
pub const ERROR_LOG: &str = "apache.error";

/// Parses an entry of the error log, perhaps wrapped in syslog; says its outcome, if it has one.
///
/// # Errors
/// When the text is none. Nothing is written then.
pub fn write_error(text: &str, event: &mut Event<'_>) -> Result<Option<EventOutcome>, ParseError> {
    let (head, text) = unwrap_syslog(text, event.context());
    let line = Line::parse(text)?;
    let context = event.context();
    // What httpd writes at its start, before it has opened the log, has no time.
    let time = (!line.time.is_empty())
        .then(|| {
            time::parse_asctime(line.time, &context.zone)
                .or_else(|| context.parse_iso(line.time))
                .or_else(|| context.parse_clf(line.time))
                .ok_or_else(|| ParseError::bad_field("time", "expected `Thu Jan 15 10:00:00.123456 2026`"))
        })
        .transpose()?
        .or_else(|| head.as_ref().and_then(|head| head.time));
    let outcome = write(&line, time, head.as_ref(), event);
    write_vendor(&line, event);
    Ok(outcome)
}

fn write(
    line: &Line<'_>,
    time: Option<i64>,
    head: Option<&Head<'_>>,
    event: &mut Event<'_>,
) -> Option<EventOutcome> {
    let level = line.level.unwrap_or_default();
    // Without a level, the system's error says as much.
    let failed = is_failure(level) || line.level.is_none() && line.status.is_some();
    let known = Known::of(line);
    // An `error` is no type of `authentication` in ECS.
    let (categories, types): (&[Category], &[Type]) = match (known.user.is_some(), failed) {
        (true, true) => (&[Category::Web, Category::Authentication], &[Type::Info, Type::Error]),
        (true, false) => (&[Category::Web, Category::Authentication], &[Type::Info]),
        (false, true) => (&[Category::Web], &[Type::Error]),
        (false, false) => (&[Category::Web], &[Type::Info]),
    };
    event.categorize(Kind::Event, categories, types);
    if known.user.is_some() {
        event.set(ecs::EVENT_ACTION, "authentication");
    }
    let outcome = (failed && level != "warn" && line.client.is_some()).then_some(EventOutcome::Failure);
    if let Some(outcome) = outcome {
        event.set(ecs::EVENT_OUTCOME, outcome);
    }
    event.set_some(ecs::EVENT_CODE, line.code);
    event.set_some(ecs::EVENT_REASON, line.status_text);
    if let Some(time) = time {
        event.timestamp(time);
    }
    event.set(ecs::MESSAGE, line.text);
    if let Some(client) = line.client {
        write_client(client, line.has_ports(), event);
    }
    event.set_some(ecs::HTTP_REQUEST_REFERRER, line.referrer);
    if let Some(user) = known.user {
        event.set(ecs::USER_NAME, user);
        event.related_user(user);
    }
    // Apache numbers its messages; others may carry the operating system's number.
    if failed {
        event.set_some(ecs::ERROR_CODE, line.code.or(line.status));
        event.set_some(ecs::ERROR_MESSAGE, Some(line.message));
    }
    event.set_some(ecs::FILE_PATH, known.path);
    event.set(ecs::PROCESS_NAME, "apache");
    if let Some(process) = line.process {
        event.set_integer(ecs::PROCESS_PID, process);
    }
    if let Some(thread) = line.thread {
        event.set_integer(ecs::PROCESS_THREAD_ID, thread);
    }
    write_service(head, "apache", event);
    event.set_some(ecs::LOG_LEVEL, line.level);
    event.set_some(ecs::LOG_LOGGER, line.module);
    if let Some((file, number)) = line.source {
        event.set(ecs::LOG_ORIGIN_FILE_NAME, file);
        event.set_integer(ecs::LOG_ORIGIN_FILE_LINE, number);
    }
    outcome
}

fn write_client(client: &str, has_port: bool, event: &mut Event<'_>) {
    // 2.2 writes an address alone, so that the last part of an IPv6 address is no port.
    let (host, port) = if has_port { split_host_port(client) } else { (client, None) };
    event.set_endpoint(SOURCE, host, port);
}

fn write_vendor(line: &Line<'_>, event: &mut Event<'_>) {
    let mut vendor = event.vendor();
    vendor.optional("time", some(line.time)).optional("module", line.module).optional("level", line.level);
    for (name, number) in [("pid", line.process), ("tid", line.thread)] {
        if let Some(number) = number {
            vendor.raw(name, number);
        }
    }
    vendor
        .optional("client", line.client)
        .optional("code", line.code)
        .optional("status", line.status)
        .optional("status_text", line.status_text)
        .optional("message", some(line.message))
        .optional("referer", line.referrer);
    if let Some((file, number)) = line.source {
        vendor.string("source_file", file).raw("source_line", number);
    }
    if line.extra().next().is_some() {
        vendor.strings("extra_fields", line.extra());
    }
}

/// What a few well-known messages say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Known<'a> {
    user: Option<&'a str>,
    path: Option<&'a str>,
}

impl<'a> Known<'a> {
    fn of(line: &Line<'a>) -> Self {
        let message = line.message;
        // AH01617, AH01618: user ana: authentication failure for "/x": Password Mismatch; user ana not found: /x
        let user = message.strip_prefix("user ").and_then(|rest| {
            let end = rest.find(": authentication failure for ").or_else(|| rest.rfind(" not found: "))?;
            rest.get(..end).and_then(some)
        });
        // AH01630, AH00128: client denied by server configuration: /srv/x; File does not exist: /srv/x
        let path = ["client denied by server configuration: ", "File does not exist: "]
            .iter()
            .find_map(|start| message.strip_prefix(start))
            .filter(|path| path.starts_with('/') || path.get(1..3) == Some(":/"));
        Known { user, path }
    }
}

fn is_failure(level: &str) -> bool {
    matches!(level, "warn" | "error" | "crit" | "alert" | "emerg")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_messages() {
        let known = |text: &'static str| {
            let line = format!("[Thu Jan 15 10:00:00 2026] [error] [client 192.0.2.1] {text}").leak();
            Known::of(&Line::parse(line).unwrap())
        };
        assert_eq!(known("user ana: authentication failure for \"/x\": Password Mismatch").user, Some("ana"));
        assert_eq!(known("user a not found: b not found: /x").user, Some("a not found: b"));
        assert_eq!(
            known("File does not exist: /srv/a b.html, referer: http://x/").path,
            Some("/srv/a b.html")
        );
        assert_eq!(known("client denied by server configuration: C:/www/x").path, Some("C:/www/x"));
        assert_eq!(known("user names are long"), Known::default());
    }
}
