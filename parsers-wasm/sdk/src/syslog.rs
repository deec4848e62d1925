//! The head of a syslog line: who wrote it, when and how grave, before what it says.
//!
//! Read are RFC 5424 (`<PRI>1 TIME HOST APP PROCID MSGID [DATA] TEXT`), RFC 3164 as daemons write it
//! (`Jan  2 03:04:05 host program[pid]: text`), the same with an ISO time as rsyslog and systemd write it
//! (`2026-01-02T03:04:05.123456+01:00 host …`), or with a year (`Jan  2 2026 03:04:05`); `<PRI>` and the octet count of
//! RFC 6587 (`57 <13>…`) may stand before each. A time is what makes a line syslog; a line with `<PRI>` and none (which
//! RFC 3164, section 4.3.2, allows) is syslog too. Host and program may each be missing.
//!
//! ```
//! use weir_parser_sdk::syslog::{Head, Scope};
//! use weir_parser_sdk::time::Zone;
//!
//! let scope = Scope { reference_time: 0, zone: Zone::UTC };
//! let head = Head::parse("Jan  2 03:04:05 web1 sshd[812]: Server listening", &scope)?;
//! assert_eq!((head.host, head.program, head.process, head.text), (Some("web1"), Some("sshd"), Some("812"), "Server listening"));
//! # Ok::<(), weir_parser_sdk::ParseError>(())
//! ```

use crate::quoted::some;
use crate::text;
use crate::text::cut;
use crate::time::{self, Zone};
use crate::{Context, Event, ObjectWriter, ParseError, ecs, json};
use std::borrow::Cow;

/// What the batch says that a head depends on.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// What the year of a time without one is inferred from, nanoseconds since 1970.
    pub reference_time: i64,
    /// The zone of times that name none.
    pub zone: Zone<'a>,
}

impl<'a> Scope<'a> {
    /// Of a batch.
    pub fn of(context: &Context<'a>) -> Self {
        Scope { reference_time: context.reference_time, zone: context.zone }
    }
}

/// A line's head and its text. A `-` is an absent value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head<'a> {
    /// Facility and severity, 0 to 191.
    pub priority: Option<u8>,
    /// RFC 5424's version; absent in the other forms.
    pub version: Option<&'a str>,
    /// Nanoseconds since 1970.
    pub time: Option<i64>,
    /// The host as it calls itself.
    pub host: Option<&'a str>,
    /// The program: `TAG` without the process id, or `APP-NAME`.
    pub program: Option<&'a str>,
    /// The process id, mostly digits.
    pub process: Option<&'a str>,
    /// RFC 5424's `MSGID`.
    pub message_id: Option<&'a str>,
    /// RFC 5424's structured data as it stands, brackets and all.
    pub structured_data: Option<&'a str>,
    /// What the line says, without the blanks around it.
    pub text: &'a str,
}

impl<'a> Head<'a> {
    /// Reads the head of a line.
    ///
    /// # Errors
    /// When the line begins with neither a time nor `<PRI>`.
    pub fn parse(line: &'a str, scope: &Scope<'_>) -> Result<Self, ParseError> {
        let (priority, rest) = take_priority(strip_octet_count(line));
        if let Some(head) = parse_5424(rest, priority, scope) {
            return Ok(head);
        }
        // Forwarders write the time behind `<PRI>` with or without a blank.
        let rest = rest.trim_start_matches(' ');
        let Some((time, used)) = take_time(rest, scope) else {
            if priority.is_none() {
                return Err(ParseError::no_match(
                    "expected a syslog line: [<PRI>]TIME HOST PROGRAM[PID]: TEXT",
                ));
            }
            let mut head = Head { priority, ..Head::default() };
            head.set_tag(rest);
            return Ok(head);
        };
        let mut head = Head { priority, time: Some(time), ..Head::default() };
        let rest = rest.get(used..).unwrap_or_default().trim_start_matches(' ');
        let (word, behind) = cut(rest, " ").unwrap_or((rest, ""));
        if is_host(word) {
            head.host = Some(word);
            head.set_tag(behind);
        } else {
            head.set_tag(rest);
        }
        Ok(head)
    }

    fn set_tag(&mut self, rest: &'a str) {
        let rest = rest.trim_start_matches(' ');
        // Firewalls set the colon apart: `fw1 : %ASA-6-302013: Built …`.
        let tag = split_tag(rest.strip_prefix(": ").unwrap_or(rest));
        self.program = tag.0;
        self.process = tag.1;
        self.text = tag.2.trim_matches([' ', '\r', '\n']);
    }

    /// The facility's code, 0 to 23.
    pub fn facility(&self) -> Option<u8> {
        self.priority.map(|priority| priority / 8)
    }

    /// The severity's code, 0 to 7.
    pub fn severity(&self) -> Option<u8> {
        self.priority.map(|priority| priority % 8)
    }

    /// The severity in words, as `log.level` has it.
    pub fn level(&self) -> Option<&'static str> {
        self.severity().and_then(|code| LEVELS.get(usize::from(code))).copied()
    }

    /// Sets `process.name`, `process.pid`, `process.executable` where the program is a path, and what else of `process`
    /// the text told, in the table's order.
    #[inline]
    pub fn set_process(
        &self,
        event: &mut Event<'_>,
        command_line: Option<&str>,
        working_directory: Option<&str>,
    ) {
        let path = self.program.filter(|program| program.starts_with('/'));
        let name = path.and_then(|path| text::cut_last(path, "/")).map(|(_, name)| name).or(self.program);
        event.set_some(ecs::PROCESS_NAME, name);
        if let Some(process) = self.process {
            event.set_integer(ecs::PROCESS_PID, process);
        }
        event.set_some(ecs::PROCESS_EXECUTABLE, path);
        event.set_some(ecs::PROCESS_COMMAND_LINE, command_line);
        event.set_some(ecs::PROCESS_WORKING_DIRECTORY, working_directory);
    }

    /// Sets `host.name`, `host.hostname` and, where that is an address, `host.ip`; the wrapper's or configured host
    /// where the line names none.
    #[inline]
    pub fn set_host(&self, event: &mut Event<'_>) {
        if let Some(host) = self.host.or(event.context().origin.host.as_deref()) {
            event.set(ecs::HOST_NAME, host);
            event.set(ecs::HOST_HOSTNAME, host);
            // Relays write the address of a host that has no name.
            event.set_ip(ecs::HOST_IP, host);
            event.related_host(host);
        }
    }

    /// Sets `log.level` (`level`, else the severity) and `log.syslog.*`: facility and severity where the line has
    /// `<PRI>`, the header's own fields where it is of RFC 5424.
    #[inline]
    pub fn set_log(&self, event: &mut Event<'_>, level: Option<&str>) {
        event.set_some(ecs::LOG_LEVEL, level.or(self.level()));
        if let Some(priority) = self.priority {
            event.set(ecs::LOG_SYSLOG_PRIORITY, priority);
        }
        if self.version.is_some() {
            event.set_some(ecs::LOG_SYSLOG_HOSTNAME, self.host);
            event.set_some(ecs::LOG_SYSLOG_APPNAME, self.program);
        }
        // A process id that is no number has no other place.
        if let Some(process) = self.process
            && (self.version.is_some() || !json::is_integer(process.as_bytes()))
        {
            event.set(ecs::LOG_SYSLOG_PROCID, process);
        }
        event.set_some(ecs::LOG_SYSLOG_MSGID, self.message_id);
        event.set_some(ecs::LOG_SYSLOG_VERSION, self.version);
        if let (Some(facility), Some(severity)) = (self.facility(), self.severity()) {
            event.set(ecs::LOG_SYSLOG_FACILITY_CODE, facility);
            event.set_some(ecs::LOG_SYSLOG_FACILITY_NAME, FACILITIES.get(usize::from(facility)).copied());
            event.set(ecs::LOG_SYSLOG_SEVERITY_CODE, severity);
            event.set_some(ecs::LOG_SYSLOG_SEVERITY_NAME, SEVERITIES.get(usize::from(severity)).copied());
        }
    }

    /// Writes the structured data as `structured_data`: an object for each element, a string for each parameter, the
    /// values of a parameter that occurs again joined by a comma. Data that is not what RFC 5424 says, or has more
    /// than [`MOST_PARAMETERS`] parameters, is kept as it stands as `structured_data_text`.
    pub fn write_structured_data(&self, vendor: &mut ObjectWriter<'_>) {
        let Some(text) = self.structured_data else { return };
        match elements(text) {
            Some(elements) => {
                vendor.object("structured_data", |data| {
                    for (id, parameters) in &elements {
                        data.object(id, |element| {
                            for (name, value) in parameters {
                                element.string(name, value);
                            }
                        });
                    }
                });
            }
            None => {
                vendor.string("structured_data_text", text);
            }
        }
    }
}

/// More parameters than this are not made fields of.
pub const MOST_PARAMETERS: usize = 100;

/// `log.level` for each severity.
const LEVELS: [&str; 8] = ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];

/// RFC 5424, table 2.
const SEVERITIES: [&str; 8] =
    ["Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug"];

/// RFC 5424, table 1, as syslog.h calls them.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];

/// RFC 6587, section 3.4.1: the number of octets of the message before it. Counted by whoever framed the line.
fn strip_octet_count(line: &str) -> &str {
    let digits = line.bytes().take(7).take_while(u8::is_ascii_digit).count();
    match line.get(digits..) {
        Some(rest) if digits > 0 && rest.starts_with(" <") => rest.get(1..).unwrap_or(line),
        _ => line,
    }
}

/// `<PRI>`, at most 191; what is no priority is left where it stands.
fn take_priority(line: &str) -> (Option<u8>, &str) {
    let taken = line.strip_prefix('<').and_then(|rest| {
        let end = rest.bytes().take(4).position(|byte| byte == b'>')?;
        let digits = rest.get(..end)?;
        let valid = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let priority: u8 = if valid { digits.parse().ok()? } else { return None };
        (priority < 192).then_some((Some(priority), rest.get(end + 1..)?))
    });
    taken.unwrap_or((None, line))
}

fn parse_5424<'a>(rest: &'a str, priority: Option<u8>, scope: &Scope<'_>) -> Option<Head<'a>> {
    let behind = rest.strip_prefix("1 ")?;
    let (time, behind) = cut(behind, " ")?;
    let time =
        if time == "-" && priority.is_some() { None } else { Some(time::parse_iso(time, &scope.zone)?) };
    let (host, behind) = cut(behind, " ")?;
    let (program, behind) = cut(behind, " ")?;
    let (process, behind) = cut(behind, " ")?;
    let (message_id, behind) = cut(behind, " ").unwrap_or((behind, ""));
    let behind = behind.trim_start_matches(' ');
    // Writers leave the data out where there is none, against the RFC.
    let used = if let Some(nothing) = behind.strip_prefix('-') {
        usize::from(nothing.is_empty() || nothing.starts_with(' '))
    } else {
        structured_data_length(behind)
    };
    let (data, text) = behind.split_at_checked(used).unwrap_or(("", behind));
    let text = text.trim_matches([' ', '\r', '\n']);
    Some(Head {
        priority,
        version: rest.get(..1),
        time,
        host: some(host),
        program: some(program),
        process: some(process),
        message_id: some(message_id),
        structured_data: some(data),
        text: text.strip_prefix('\u{feff}').unwrap_or(text),
    })
}

/// The time at the head of a line, and how many bytes it takes.
#[inline]
fn take_time(rest: &str, scope: &Scope<'_>) -> Option<(i64, usize)> {
    if !rest.as_bytes().first()?.is_ascii_digit() {
        return time::parse_syslog(rest, scope.reference_time, &scope.zone);
    }
    let end = memchr::memchr(b' ', rest.as_bytes()).unwrap_or(rest.len());
    let end = if end == 10 {
        // Date and time apart, as syslog-ng can be told to write them.
        rest.get(11..)
            .and_then(|behind| memchr::memchr(b' ', behind.as_bytes()))
            .map_or(rest.len(), |at| at + 11)
    } else {
        end
    };
    Some((time::parse_iso(rest.get(..end)?, &scope.zone)?, end))
}

/// Whether a word behind the time is a host: a program's tag ends in a colon, and is what stands there when the host
/// is missing. An IPv6 address may end in two.
fn is_host(word: &str) -> bool {
    word.as_bytes()
        .first()
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'[' | b'_'))
        && (!word.ends_with(':') || word.ends_with("::"))
}

/// `program[pid]: text`, `program: text`, `program[pid] text`: the program, the process id and the text. Programs of
/// macOS have names with blanks (`Mail Helper[1]:`).
fn split_tag(rest: &str) -> (Option<&str>, Option<&str>, &str) {
    let nothing = (None, None, rest);
    let Some(at) = memchr::memchr2(b':', b'[', rest.as_bytes()) else { return nothing };
    let (Some(name), Some(behind)) = (rest.get(..at), rest.get(at + 1..)) else { return nothing };
    if name.is_empty() || name.len() > 64 {
        return nothing;
    }
    let one_word = !text::has(name, b' ');
    if rest.as_bytes().get(at) == Some(&b':') {
        // `a::b`, `http://` and `key:value` begin a text.
        return if one_word && (behind.is_empty() || behind.starts_with(' ')) {
            (Some(name), None, behind)
        } else {
            nothing
        };
    }
    let Some((process, behind)) = text::cut(behind, "]") else { return nothing };
    if process.is_empty() || text::has(process, b' ') {
        return nothing;
    }
    let digits = process.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(text) = behind.strip_prefix(':') {
        let named = one_word || (digits && name.as_bytes().first().is_some_and(u8::is_ascii_uppercase));
        return if named { (Some(name), Some(process), text) } else { nothing };
    }
    // launchd says behind its tag for which job it speaks, which stays in the text: `launchd[1] (com.example.job[7]): x`
    let named = one_word && digits && (behind.is_empty() || behind.starts_with(' '));
    if named { (Some(name), Some(process), behind) } else { nothing }
}

/// How many bytes of `text` are structured data; 0 if it does not begin with any that is closed.
fn structured_data_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut quoted, mut escaped, mut open) = (false, false, false);
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if open => quoted = !quoted,
            _ if quoted => {}
            b'[' if !open => open = true,
            b']' if open => {
                open = false;
                if bytes.get(at + 1) != Some(&b'[') {
                    return at + 1;
                }
            }
            _ if !open => return 0,
            _ => {}
        }
    }
    0
}

type Element<'a> = (&'a str, Vec<(&'a str, Cow<'a, str>)>);

/// The elements with their parameters, escapes undone; `None` when the data is not what it should be or too much.
fn elements(text: &str) -> Option<Vec<Element<'_>>> {
    let mut elements: Vec<Element<'_>> = Vec::new();
    let mut rest = text;
    let mut count = 0;
    while let Some(inside) = rest.strip_prefix('[') {
        let end = inside.find([' ', ']'])?;
        let id = inside.get(..end)?;
        let mut parameters: Vec<(&str, Cow<'_, str>)> = Vec::new();
        rest = inside.get(end..)?.trim_start_matches(' ');
        while !rest.starts_with(']') {
            let (name, behind) = text::cut(rest, "=")?;
            let behind = behind.trim_start_matches(' ').strip_prefix('"')?;
            let end = closing_quote(behind.as_bytes())?;
            let value = unescape(behind.get(..end)?);
            count += 1;
            if name.is_empty() || count > MOST_PARAMETERS {
                return None;
            }
            // RFC 5424, section 6.3.3: a name may occur again.
            match parameters.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => *values = Cow::Owned(format!("{values},{value}")),
                None => parameters.push((name, value)),
            }
            rest = behind.get(end + 1..)?.trim_start_matches(' ');
        }
        if id.is_empty()
            || elements.len() >= MOST_PARAMETERS
            || elements.iter().any(|(known, _)| *known == id)
        {
            return None;
        }
        elements.push((id, parameters));
        rest = rest.get(1..)?;
    }
    rest.is_empty().then_some(elements)
}

fn closing_quote(bytes: &[u8]) -> Option<usize> {
    let mut escaped = false;
    bytes.iter().position(|byte| {
        let closes = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        closes
    })
}

/// RFC 5424, section 6.3.3: a backslash escapes `"`, `\` and `]`, and is a character before anything else.
fn unescape(value: &str) -> Cow<'_, str> {
    if !text::has(value, b'\\') {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len());
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        match characters.peek() {
            Some(next @ ('"' | '\\' | ']')) if character == '\\' => {
                out.push(*next);
                characters.next();
            }
            _ => out.push(character),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-15T00:00:00Z
    const SCOPE: Scope<'_> = Scope { reference_time: 1_768_435_200_000_000_000, zone: Zone::UTC };

    fn head(line: &str) -> Head<'_> {
        Head::parse(line, &SCOPE).unwrap()
    }

    fn who(line: &str) -> (Option<&str>, Option<&str>, Option<&str>, &str) {
        let Head { host, program, process, text, .. } = head(line);
        (host, program, process, text)
    }

    fn at(line: &str) -> String {
        let mut out = Vec::new();
        time::push_time(&mut out, head(line).time.unwrap());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn hosts_and_tags_of_all_sorts() {
        let time = "Jan  2 03:04:05 ";
        for (rest, expected) in [
            ("web1 sshd[812]: hello", (Some("web1"), Some("sshd"), Some("812"), "hello")),
            ("web1 sudo:   ana : x", (Some("web1"), Some("sudo"), None, "ana : x")),
            ("web1 sshd(pam_unix)[8]: x", (Some("web1"), Some("sshd(pam_unix)"), Some("8"), "x")),
            ("web1 kernel: [1.5] eth0: up", (Some("web1"), Some("kernel"), None, "[1.5] eth0: up")),
            ("web1 postfix/smtpd[4]: x", (Some("web1"), Some("postfix/smtpd"), Some("4"), "x")),
            ("web1 Mail Helper[9]: x", (Some("web1"), Some("Mail Helper"), Some("9"), "x")),
            ("web1 launchd[1] (a.job[7]): x", (Some("web1"), Some("launchd"), Some("1"), "(a.job[7]): x")),
            ("web1 prog[7] x: y", (Some("web1"), Some("prog"), Some("7"), "x: y")),
            ("fw1 : %ASA-6-302013: x", (Some("fw1"), Some("%ASA-6-302013"), None, "x")),
            ("web1 app[worker]: x", (Some("web1"), Some("app"), Some("worker"), "x")),
            (
                "web1 last message repeated 2 times",
                (Some("web1"), None, None, "last message repeated 2 times"),
            ),
            ("web1 a text that says [x]: y", (Some("web1"), None, None, "a text that says [x]: y")),
            ("web1 see http://a.example/", (Some("web1"), None, None, "see http://a.example/")),
            ("web1 cron:", (Some("web1"), Some("cron"), None, "")),
            (" sshd[8]: last message repeated", (None, Some("sshd"), Some("8"), "last message repeated")),
            (
                "--- last message repeated 1 time ---",
                (None, None, None, "--- last message repeated 1 time ---"),
            ),
            ("2001:db8::1 sshd[8]: x", (Some("2001:db8::1"), Some("sshd"), Some("8"), "x")),
            ("web1", (Some("web1"), None, None, "")),
            ("", (None, None, None, "")),
        ] {
            assert_eq!(who(&format!("{time}{rest}")), expected, "{rest}");
        }
    }

    #[test]
    fn times_with_and_without_a_year() {
        for line in [
            "Jan  2 03:04:05 h p: x",
            "<34>Jan 2 03:04:05 h p: x",
            "<34> Jan 02 2026 03:04:05 h p: x",
            "2026-01-02T03:04:05Z h p: x",
            "2026-01-02 03:04:05 h p: x",
            "2026-01-02T05:04:05.000+02:00 h p: x",
            "<34>1 2026-01-02T03:04:05Z h p - - - x",
            "58 <34>1 2026-01-02T03:04:05Z h p - - - x",
        ] {
            assert_eq!(at(line), "\"2026-01-02T03:04:05.000Z\"", "{line}");
            assert_eq!(
                (head(line).host, head(line).program, head(line).text),
                (Some("h"), Some("p"), "x"),
                "{line}"
            );
        }
        for line in
            ["", "hello", "\tcontinued", "2026-01-02", "Jan 32 03:04:05 h p: x", "<200>x", "<>x", "1 x"]
        {
            assert!(Head::parse(line, &SCOPE).is_err(), "{line}");
        }
        let bare = head("<13>app[7]: hello");
        assert_eq!(
            (bare.priority, bare.time, bare.program, bare.text),
            (Some(13), None, Some("app"), "hello")
        );
    }

    #[test]
    fn priorities_split_into_facility_and_severity() {
        let line = head("<86>Jan  2 03:04:05 h p: x");
        assert_eq!((line.facility(), line.severity(), line.level()), (Some(10), Some(6), Some("info")));
        assert_eq!(head("<191>1 - h p - - - x").level(), Some("debug"));
    }

    #[test]
    fn structured_data_is_told_from_the_text() {
        let data = |line| (head(line).structured_data, head(line).text);
        assert_eq!(
            data(r#"<13>1 - h p 8 ID1 [a@1 x="1]\"" y="2"][b] \u{feff}t"#).0,
            Some(r#"[a@1 x="1]\"" y="2"][b]"#)
        );
        assert_eq!(data("<13>1 - h p 8 - [a] \u{feff}t"), (Some("[a]"), "t"));
        assert_eq!(data("<13>1 - h p 8 - [a"), (None, "[a"));
        assert_eq!(data("<13>1 - h p 8 - - [a] t"), (None, "[a] t"));
        assert_eq!(data("<13>1 - h p 8 -"), (None, ""));
        assert_eq!(data("<13>1 - h p 8 ID1 plain text"), (None, "plain text"));
    }

    #[test]
    fn parameters_are_read_or_the_data_kept() {
        let read = elements(r#"[a@1 x="1\]\"\\\n" y= "2" x="3"][b]"#).unwrap();
        let [(a, parameters), (b, none)] = read.as_slice() else { unreachable!("{read:?}") };
        assert_eq!((*a, *b, none.len()), ("a@1", "b", 0));
        assert_eq!(parameters, &[("x", Cow::Borrowed(r#"1]"\\n,3"#)), ("y", Cow::Borrowed("2"))]);
        for bad in [r#"[a x="1"#, "[a x=1]", r#"[a ="1"]"#, "[a][a]", "[]", "[a]x"] {
            assert_eq!(elements(bad), None, "{bad}");
        }
        let parameters: Vec<String> = (0..=MOST_PARAMETERS).map(|n| format!("p{n}=\"v\"")).collect();
        let many = format!("[a {}]", parameters.join(" "));
        assert_eq!(elements(&many), None);
    }
}
