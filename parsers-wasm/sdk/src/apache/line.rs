//! The parts of a line: brackets, then what the program says.

use crate::quoted::some;
use crate::text;
use crate::text::cut;
use crate::{ParseError, json};

/// The fields of a line; a `-` is an absent value.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Line<'a> {
    /// Empty in what httpd writes before it has opened its log.
    pub(crate) time: &'a str,
    /// `core`; absent in 2.2 and where Apache knows none (`[:error]`).
    pub(crate) module: Option<&'a str>,
    pub(crate) level: Option<&'a str>,
    /// Whether the level stands with a module, as since 2.4.
    with_module: bool,
    pub(crate) process: Option<&'a str>,
    pub(crate) thread: Option<&'a str>,
    /// Address and, since 2.4, port.
    pub(crate) client: Option<&'a str>,
    /// `mod_authz_core.c` and the line, at level debug.
    pub(crate) source: Option<(&'a str, &'a str)>,
    /// The number and the text of an error of the operating system or of APR: `(70008)Partial results are valid: `.
    pub(crate) status: Option<&'a str>,
    pub(crate) status_text: Option<&'a str>,
    /// `AH01630`
    pub(crate) code: Option<&'a str>,
    /// What stands behind the brackets, the code and the referrer included.
    pub(crate) text: &'a str,
    /// The text without the code and the referrer.
    pub(crate) message: &'a str,
    pub(crate) referrer: Option<&'a str>,
    /// Brackets that are none of the above, as they stand one after the other.
    others: &'a str,
}

impl<'a> Line<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, ParseError> {
        let shape = || ParseError::no_match("expected [TIME] [MODULE:LEVEL] [pid N] MESSAGE");
        let (time, rest) = match bracket(text) {
            Some((inside, _)) if is_module_and_level(inside) => ("", text),
            Some(time) => time,
            None if is_own_message(text) => ("", text),
            None => return Err(shape()),
        };
        let mut line = Line { time, ..Line::default() };
        let mut rest = rest;
        while let Some((inside, behind)) = bracket(rest) {
            if line.take(inside) {
                rest = behind;
                continue;
            }
            // A format of one's own may have brackets before those that are known; the message's come behind them.
            let Some(known) = line.next_known(behind).filter(|_| line.others.is_empty()) else { break };
            line.others = rest.get(..rest.len() - known.len()).unwrap_or_default();
            rest = known;
        }
        if line.level.is_none() && !time.is_empty() {
            return Err(ParseError::missing_field(
                "level: expected [MODULE:LEVEL] or [LEVEL] behind the time",
            ));
        }
        let rest = line.take_source(rest);
        let rest = line.take_status(rest);
        // The client stands behind the status, if there is one.
        let rest = match bracket(rest) {
            Some((inside, behind)) if line.take(inside) => behind,
            _ => rest,
        };
        line.text = rest;
        line.set_message();
        Ok(line)
    }

    /// Takes what stands in brackets; `false` for what belongs to the message.
    fn take(&mut self, inside: &'a str) -> bool {
        if let Some(process) = inside.strip_prefix("pid ") {
            let (process, thread) = cut(process, ":tid ").map_or((process, None), |(a, b)| (a, Some(b)));
            self.process = number(process);
            self.thread = thread.and_then(number);
            return self.process.is_some();
        }
        if let Some(thread) = inside.strip_prefix("tid ") {
            self.thread = number(thread);
            return self.thread.is_some();
        }
        if let Some(client) = inside.strip_prefix("client ").or_else(|| inside.strip_prefix("remote ")) {
            // ModSecurity begins its messages with the address once more.
            let first = self.client.is_none();
            if first {
                self.client = some(client);
            }
            return first;
        }
        if self.level.is_some() {
            return false;
        }
        let (module, level) =
            text::cut(inside, ":").map_or((None, inside), |(module, level)| (Some(module), level));
        if is_level(level) {
            self.with_module = module.is_some();
            self.module = module.and_then(some);
            self.level = Some(level);
        }
        self.level.is_some()
    }

    /// From the next known bracket on, if only unknown ones stand before it.
    fn next_known(&self, text: &'a str) -> Option<&'a str> {
        let mut rest = text;
        while let Some((inside, behind)) = bracket(rest) {
            if { *self }.take(inside) {
                return Some(rest);
            }
            rest = behind;
        }
        None
    }

    /// `mod_authz_core.c(820): `
    fn take_source(&mut self, rest: &'a str) -> &'a str {
        let source = cut(rest, "): ").and_then(|(head, behind)| {
            let (file, line) = text::cut(head, "(")?;
            let named = text::cut_last(file, ".").is_some_and(|(_, kind)| matches!(kind, "c" | "h" | "cpp"));
            (named && !text::has(file, b' ') && json::is_integer(line.as_bytes()))
                .then_some(((file, line), behind))
        });
        let Some((source, behind)) = source else { return rest };
        self.source = Some(source);
        behind
    }

    /// `(13)Permission denied: `
    fn take_status(&mut self, rest: &'a str) -> &'a str {
        let status = rest.strip_prefix('(').and_then(|inside| {
            let (number, behind) = text::cut(inside, ")")?;
            let (text, behind) = cut(behind, ": ")?;
            json::is_integer(number.as_bytes()).then_some((number, text, behind))
        });
        let Some((number, text, behind)) = status else { return rest };
        self.status = Some(number);
        self.status_text = some(text);
        behind
    }

    fn set_message(&mut self) {
        let mut message = self.text;
        if let Some((code, behind)) = cut(message, ": ")
            && is_code(code)
        {
            self.code = Some(code);
            message = behind;
        }
        if let Some((before, referrer)) = message.rsplit_once(", referer: ") {
            self.referrer = some(referrer);
            message = before;
        }
        self.message = message;
    }

    /// Whether the client's address has a port.
    pub(crate) fn has_ports(&self) -> bool {
        self.with_module
    }

    /// Brackets of the head that are not known.
    pub(crate) fn extra(&self) -> impl Iterator<Item = &'a str> {
        let mut rest = self.others;
        std::iter::from_fn(move || {
            let (inside, behind) = bracket(rest)?;
            rest = behind;
            Some(inside)
        })
    }
}

/// What stands in the brackets at the head of a text, and what stands behind them. An IPv6 address may be in brackets
/// itself.
fn bracket(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('[')?;
    let bytes = inside.as_bytes();
    let end = memchr::memchr_iter(b']', bytes).find(|at| matches!(bytes.get(at + 1), None | Some(b' ')))?;
    Some((inside.get(..end)?, inside.get(end + 1..)?.trim_start_matches(' ')))
}

fn number(text: &str) -> Option<&str> {
    (json::is_integer(text.as_bytes()) && !text.starts_with('-')).then_some(text)
}

fn is_level(level: &str) -> bool {
    matches!(level, "emerg" | "alert" | "crit" | "error" | "warn" | "notice" | "info" | "debug")
        || level.strip_prefix("trace").is_some_and(|number| matches!(number.as_bytes(), [b'1'..=b'8']))
}

/// `mpm_event:notice`
fn is_module_and_level(inside: &str) -> bool {
    text::cut(inside, ":").is_some_and(|(module, level)| {
        module.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && is_level(level)
    })
}

/// Whether httpd says this itself, before it has a log whose lines begin with a time: `AH00558: apache2: …`,
/// `(98)Address already in use: AH00072: …`, `httpd: Syntax error …`.
fn is_own_message(text: &str) -> bool {
    let behind_status = text.strip_prefix('(').and_then(|inside| {
        let (number, behind) = text::cut(inside, ")")?;
        json::is_integer(number.as_bytes()).then_some(cut(behind, ": ")?.1)
    });
    cut(behind_status.unwrap_or(text), ": ").is_some_and(|(code, _)| is_code(code))
        || ["httpd: ", "apache2: "].iter().any(|program| text.starts_with(program))
}

/// `AH` and five digits.
fn is_code(text: &str) -> bool {
    text.strip_prefix("AH")
        .is_some_and(|digits| digits.len() == 5 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}
