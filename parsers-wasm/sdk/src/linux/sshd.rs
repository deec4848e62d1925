//! OpenSSH's server, `sshd` and since 9.8 `sshd-session` and `sshd-auth`.
//!
//! A user name that no account has is whatever the peer sent, blanks and `from 192.0.2.1 port 22` included. Such names
//! end at the last address of the message, which the server wrote; names of real accounts end at the first, since
//! what follows (a certificate's id) may be the peer's again.

use super::{Finding, present};
use crate::text;
use crate::text::{cut, find_all};
use crate::{Category, Event, EventOutcome, Type, ip_version};

const NETWORK: &[Category] = &[Category::Network];
const AUTHENTICATION: &[Category] = &[Category::Authentication];
const SESSION: &[Category] = &[Category::Session];
const CONNECTION_END: &[Type] = &[Type::Connection, Type::End];
const INFO: &[Type] = &[Type::Info];
use EventOutcome::{Failure, Success, Unknown};

/// The details that stand under `ssh` in the vendor's tree.
#[derive(Debug, Default)]
struct Details<'a> {
    method: Option<&'a str>,
    protocol: Option<&'a str>,
    key: Option<&'a str>,
    /// No account has the name.
    invalid_user: bool,
    /// The server says `[preauth]`: nobody has logged in yet.
    before_login: bool,
    disconnect_code: Option<&'a str>,
    offer: Option<&'a str>,
    subsystem: Option<&'a str>,
    terminal: Option<&'a str>,
    listen_address: Option<&'a str>,
    listen_port: Option<&'a str>,
}

impl Details<'_> {
    fn write(&self, event: &mut Event<'_>) {
        let texts = [
            ("method", self.method),
            ("protocol", self.protocol),
            ("key", self.key),
            ("disconnect_code", self.disconnect_code),
            ("offer", self.offer),
            ("subsystem", self.subsystem),
            ("terminal", self.terminal),
            ("listen_address", self.listen_address),
            ("listen_port", self.listen_port),
        ];
        let flags = [("invalid_user", self.invalid_user), ("preauth", self.before_login)];
        if let Some(print) = self.key.and_then(|key| key.split([' ', ',']).nth(1)) {
            event.related_hash(print);
        }
        if texts.iter().all(|(_, text)| text.is_none()) && flags.iter().all(|(_, flag)| !flag) {
            return;
        }
        event.vendor().object("ssh", |ssh| {
            for (key, text) in texts {
                ssh.optional(key, text);
            }
            for (key, _) in flags.into_iter().filter(|(_, flag)| *flag) {
                ssh.boolean(key, true);
            }
        });
    }
}

pub(super) fn understand<'a>(text: &'a str, event: &mut Event<'_>) -> Option<Finding<'a>> {
    let (level, rest) = if let Some(rest) = text.strip_prefix("error: ") {
        (Some("error"), rest)
    } else if let Some(rest) = text.strip_prefix("fatal: ") {
        (Some("fatal"), rest)
    } else {
        (None, text)
    };
    let (rest, before_login) = match rest.strip_suffix(" [preauth]") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let mut details = Details { before_login, ..Details::default() };
    if let Some(failures) = rest.strip_prefix("PAM ") {
        return super::pam::more_failures(failures, event);
    }
    let finding = message(rest, &mut details);
    details.write(event);
    // An error that is not understood is an error all the same.
    finding.or_else(|| level.map(|_| Finding::default())).map(|finding| Finding { level, ..finding })
}

fn message<'a>(text: &'a str, details: &mut Details<'a>) -> Option<Finding<'a>> {
    let (first, rest) = text::cut(text, " ")?;
    match first {
        "Accepted" | "Failed" | "Postponed" | "Partial" => attempt(first, rest, details),
        "Invalid" | "Illegal" => {
            let (user, from) = split_from(rest.strip_prefix("user ")?, true)?;
            details.invalid_user = true;
            Some(refused_login(user, from, "invalid user"))
        }
        "input_userauth_request:" => {
            details.invalid_user = true;
            let user = present(rest.strip_prefix("invalid user ")?);
            Some(Finding { user, reason: Some("invalid user"), ..Finding::failed_login("ssh_login") })
        }
        "Connection" | "Disconnected" | "Disconnecting" | "Disconnecting:" => ended(first, rest, details),
        "Received" => received(rest, details),
        "maximum" => {
            let rest = rest.strip_prefix("authentication attempts exceeded for ")?;
            let (user, from) = split_user(rest, details)?;
            Some(refused_login(user, from, "maximum authentication attempts exceeded"))
        }
        "User" => not_allowed(rest),
        "ROOT" => {
            let from = endpoint(rest.strip_prefix("LOGIN REFUSED FROM ")?);
            Some(refused_login("root", from, "root login refused"))
        }
        "Access" => {
            let user =
                rest.strip_prefix("denied for user ")?.strip_suffix(" by PAM account configuration")?;
            Some(Finding {
                user: Some(user),
                reason: Some("denied by PAM account configuration"),
                ..Finding::failed_login("ssh_login")
            })
        }
        "PAM:" => {
            let (reason, rest) = cut(rest, " for ")?;
            let (user, from) = split_user(rest, details)?;
            Some(refused_login(user, from, reason))
        }
        "Did" => {
            let from = endpoint(rest.strip_prefix("not receive identification string from ")?);
            Some(broken("ssh_protocol_error", from, "no identification string"))
        }
        "Bad" => {
            let rest = rest.strip_prefix("protocol version identification ")?;
            let (_, from) = split_from(rest, true)?;
            Some(broken("ssh_protocol_error", from, "bad protocol version identification"))
        }
        "banner" => {
            let from = endpoint(rest.strip_prefix("exchange: Connection from ")?);
            Some(broken("ssh_protocol_error", from, after_colon(from)))
        }
        "ssh_dispatch_run_fatal:" => {
            let from = endpoint(rest.strip_prefix("Connection from ")?);
            Some(broken("ssh_protocol_error", from, after_colon(from)))
        }
        "kex_exchange_identification:" | "kex" => {
            Some(broken("ssh_protocol_error", Endpoint::default(), rest))
        }
        // Until OpenSSH 7 a lost connection was told so, without its peer.
        "Read" | "Write" => {
            let reason =
                rest.strip_prefix("from socket failed: ").or_else(|| rest.strip_prefix("failed: "))?;
            Some(Finding {
                reason: present(reason),
                ..Finding::new(NETWORK, CONNECTION_END, "ssh_disconnect", Unknown)
            })
        }
        "Magic" => {
            let (_, from) = split_from(rest.strip_prefix("value check failed ")?, true)?;
            Some(broken("ssh_protocol_error", from, "magic value check failed"))
        }
        "Unable" => {
            let from = endpoint(rest.strip_prefix("to negotiate with ")?);
            let reason = after_colon(from);
            let (reason, offer) =
                cut(reason, ". Their offer: ").map_or((reason, None), |(a, b)| (a, Some(b)));
            details.offer = offer.map(str::trim_end);
            Some(broken("ssh_negotiation_failed", from, reason))
        }
        "Timeout" => {
            let rest = rest.strip_prefix("before authentication for ")?;
            let from = endpoint(rest.strip_prefix("connection from ").unwrap_or(rest));
            Some(Finding {
                source: from.address,
                source_port: from.port,
                reason: Some("timeout before authentication"),
                ..Finding::failed_login("ssh_timeout")
            })
        }
        "refused" => refused(text),
        "drop" => dropped(rest),
        "reverse" | "Address" | "Nasty" => suspicious(text),
        "Server" => {
            let listen = endpoint(rest.strip_prefix("listening on ")?);
            details.listen_address = listen.address;
            details.listen_port = listen.port;
            Some(Finding::new(&[Category::Process], &[Type::Start], "ssh_server_start", Success))
        }
        "subsystem" => {
            let (subsystem, user) = rest.strip_prefix("request for ")?.split_once(" by user ")?;
            details.subsystem = Some(subsystem);
            Some(Finding { user: Some(user), ..Finding::new(SESSION, INFO, "ssh_subsystem", Success) })
        }
        "Starting" | "Close" => session(first, rest, details),
        _ => None,
    }
    .or_else(|| {
        let stopped = text.starts_with("Received signal ") && text.ends_with("terminating.");
        stopped.then(|| Finding::new(&[Category::Process], &[Type::End], "ssh_server_stop", Success))
    })
}

/// `METHOD for [invalid user ]USER from ADDRESS port N ssh2[: KEY]`
fn attempt<'a>(first: &str, rest: &'a str, details: &mut Details<'a>) -> Option<Finding<'a>> {
    let (method, rest) = cut(rest, " for ")?;
    let (user, from) = split_user(rest, details)?;
    details.method = Some(method);
    let behind = from.rest.trim_start_matches(' ');
    let (protocol, key) = cut(behind, ": ").map_or((behind, None), |(a, b)| (a, Some(b)));
    details.protocol = present(protocol);
    details.key = key;
    let class = match first {
        "Accepted" => {
            Finding::new(&[Category::Authentication, Category::Session], &[Type::Start], "ssh_login", Success)
        }
        "Failed" => Finding::failed_login("ssh_login"),
        _ => Finding::new(AUTHENTICATION, INFO, "ssh_login", Unknown),
    };
    let reason = if details.invalid_user { Some("invalid user") } else { None };
    Some(Finding { user: present(user), reason, source: from.address, source_port: from.port, ..class })
}

/// A connection's end: `closed by`, `reset by`, `from`, with a user or without. Its beginning starts with the same
/// word.
fn ended<'a>(first: &str, rest: &'a str, details: &mut Details<'a>) -> Option<Finding<'a>> {
    let rest = match first {
        "Connection" => match rest.strip_prefix("from ") {
            Some(rest) => return Some(opened(rest, details)),
            None => rest.strip_prefix("closed by ").or_else(|| rest.strip_prefix("reset by "))?,
        },
        "Disconnected" => rest.strip_prefix("from ")?,
        _ => rest,
    };
    if let Some(user) = rest.strip_prefix("Too many authentication failures for ") {
        let reason = Some("Too many authentication failures");
        return Some(Finding { user: Some(user), reason, ..Finding::failed_login("ssh_disconnect") });
    }
    for (prefix, invalid, logged_in) in
        [("authenticating user ", false, false), ("invalid user ", true, false), ("user ", false, true)]
    {
        let Some(rest) = rest.strip_prefix(prefix) else { continue };
        let (user, from) = split_port(rest, invalid)?;
        details.invalid_user = invalid;
        let class = if logged_in && !details.before_login {
            Finding::new(&[Category::Session], &[Type::End], "ssh_disconnect", Success)
        } else {
            Finding::new(AUTHENTICATION, &[Type::End], "ssh_disconnect", Failure)
        };
        let reason = from.rest.strip_prefix(": ").or(invalid.then_some("invalid user"));
        let (source, source_port) = (from.address, from.port);
        return Some(Finding { user: present(user), source, source_port, reason, ..class });
    }
    let from = endpoint(rest);
    if let Some(address) = from.address.filter(|address| is_peer(address)) {
        let class = Finding::new(NETWORK, CONNECTION_END, "ssh_disconnect", Unknown);
        let reason = from.rest.strip_prefix(": ");
        return Some(Finding { source: Some(address), source_port: from.port, reason, ..class });
    }
    // `Disconnecting: Too many authentication failures`, `Disconnecting: Corrupted MAC on input.`
    let class = Finding::new(NETWORK, CONNECTION_END, "ssh_disconnect", Failure);
    first.starts_with("Disconnecting").then_some(Finding { reason: present(rest), ..class })
}

/// `ADDRESS port N on ADDRESS port N`, at log level VERBOSE.
fn opened<'a>(rest: &'a str, details: &mut Details<'a>) -> Finding<'a> {
    let from = endpoint(rest);
    if let Some(local) = from.rest.strip_prefix(" on ").map(endpoint) {
        details.listen_address = local.address;
        details.listen_port = local.port;
    }
    let class = Finding::new(NETWORK, &[Type::Connection, Type::Start], "ssh_connection", Unknown);
    Finding { source: from.address, source_port: from.port, ..class }
}

/// `disconnect from ADDRESS port N:CODE: REASON`, before OpenSSH 7.2 `from ADDRESS: CODE: REASON`.
fn received<'a>(rest: &'a str, details: &mut Details<'a>) -> Option<Finding<'a>> {
    let from = endpoint(rest.strip_prefix("disconnect from ")?);
    let (code, reason) = from.rest.trim_start_matches([':', ' ']).split_once(':')?;
    details.disconnect_code = present(code);
    let class = Finding::new(NETWORK, CONNECTION_END, "ssh_disconnect", Unknown);
    Some(Finding { source: from.address, source_port: from.port, reason: present(reason.trim()), ..class })
}

/// `USER from HOST not allowed because REASON`, `USER not allowed because REASON`
fn not_allowed(rest: &str) -> Option<Finding<'_>> {
    let (who, reason) = rest.rsplit_once(" not allowed because ")?;
    let (user, host) = cut(who, " from ").map_or((who, None), |(user, host)| (user, present(host)));
    Some(Finding {
        user: Some(user),
        source: host,
        reason: Some(reason),
        ..Finding::failed_login("ssh_login")
    })
}

/// TCP wrappers, in whatever program: `refused connect from NAME (ADDRESS)`, or the address alone.
pub(super) fn refused(text: &str) -> Option<Finding<'_>> {
    let (_, rest) = cut(text, "refused connect from ")?;
    let both = rest.rsplit_once(" (").and_then(|(name, inside)| Some((name, inside.strip_suffix(')')?)));
    let Some((name, address)) = both else { return Some(denied("connection_refused", rest, None, None)) };
    // The name may be the address again, or have the peer's user before it (RFC 1413).
    let name = Some(name).filter(|name| ip_version(name).is_none() && !text::has(name, b'@'));
    Some(Finding { source_domain: name, ..denied("connection_refused", address, None, None) })
}

/// `connection #N from [ADDRESS]:PORT on [ADDRESS]:PORT past MaxStartups`, `… penalty: REASON`
fn dropped(rest: &str) -> Option<Finding<'_>> {
    let (_, rest) = rest.strip_prefix("connection ")?.split_once("from [")?;
    let (address, rest) = cut(rest, "]:")?;
    let (port, rest) = text::cut(rest, " ")?;
    let reason = cut(rest, "]:").and_then(|(_, behind)| text::cut(behind, " ")).map(|(_, reason)| reason);
    Some(denied("ssh_refused", address, Some(port), reason))
}

fn denied<'a>(
    action: &'static str,
    address: &'a str,
    port: Option<&'a str>,
    reason: Option<&'a str>,
) -> Finding<'a> {
    let class = Finding::new(NETWORK, &[Type::Connection, Type::Denied], action, Failure);
    Finding { source: Some(address), source_port: port, reason, ..class }
}

/// A name that does not lead back to the address it was found for.
fn suspicious(text: &str) -> Option<Finding<'_>> {
    let finding = |address, name, reason| Finding {
        source: address,
        source_domain: name,
        reason: Some(reason),
        ..Finding::new(NETWORK, INFO, "ssh_reverse_mapping", Failure)
    };
    if let Some(rest) = text.strip_prefix("reverse mapping checking getaddrinfo for ") {
        let (who, _) = cut(rest, " failed")?;
        return Some(match cut(who, " [").and_then(|(name, ip)| Some((name, ip.strip_suffix(']')?))) {
            Some((name, ip)) => finding(Some(ip), Some(name), "reverse mapping failed"),
            None => finding(Some(who), None, "reverse mapping failed"),
        });
    }
    if let Some(rest) = text.strip_prefix("Address ") {
        let (ip, rest) = cut(rest, " maps to ")?;
        let (name, _) = cut(rest, ", but this does not map back to the address")?;
        return Some(finding(Some(ip), Some(name), "name does not map back to the address"));
    }
    // Nasty PTR record "NAME" is set up for ADDRESS, ignoring
    let (_, rest) = text.strip_prefix("Nasty PTR record ")?.split_once("is set up for ")?;
    Some(finding(rest.split(',').next(), None, "name is an address"))
}

/// `session: shell on pts/0 for USER from ADDRESS port N id 0`, `session: user USER from ADDRESS port N id 0`
fn session<'a>(first: &str, rest: &'a str, details: &mut Details<'a>) -> Option<Finding<'a>> {
    let rest = rest.strip_prefix("session: ")?;
    let (what, rest) = match rest.strip_prefix("user ") {
        Some(rest) => ("", rest),
        None => cut(rest, " for ")?,
    };
    details.terminal = what.strip_prefix("shell on ");
    details.subsystem = what.strip_prefix("subsystem '").and_then(|name| name.strip_suffix('\''));
    let (user, from) = split_from(rest, false)?;
    let class = if first == "Close" {
        Finding::new(SESSION, &[Type::End], "ssh_session_end", Success)
    } else {
        Finding::new(SESSION, &[Type::Start], "ssh_session_start", Success)
    };
    Some(Finding { user: present(user), source: from.address, source_port: from.port, ..class })
}

fn refused_login<'a>(user: &'a str, from: Endpoint<'a>, reason: &'a str) -> Finding<'a> {
    let (source, source_port) = (from.address, from.port);
    Finding {
        user: present(user),
        source,
        source_port,
        reason: Some(reason),
        ..Finding::failed_login("ssh_login")
    }
}

/// A peer that does not speak the protocol, or no part of it that the server takes.
fn broken<'a>(action: &'static str, from: Endpoint<'a>, reason: &'a str) -> Finding<'a> {
    let class = Finding::new(NETWORK, &[Type::Protocol, Type::Info], action, Failure);
    Finding { source: from.address, source_port: from.port, reason: present(reason), ..class }
}

/// `ADDRESS[ port N]` at the head of a text, and what is behind it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Endpoint<'a> {
    address: Option<&'a str>,
    port: Option<&'a str>,
    rest: &'a str,
}

fn endpoint(text: &str) -> Endpoint<'_> {
    let (word, rest) = text.split_at_checked(text.find(' ').unwrap_or(text.len())).unwrap_or((text, ""));
    if let Some((port, behind)) = port_number(rest) {
        return Endpoint { address: present(word), port: Some(port), rest: behind };
    }
    // Without a port the colon that ends the address is its own word's last.
    let (address, rest) = match word.strip_suffix([':', ',']) {
        Some(bare) if !bare.ends_with(':') => (bare, text.get(bare.len()..).unwrap_or_default()),
        _ => (word, rest),
    };
    Endpoint { address: present(address), port: None, rest }
}

/// ` port N` at the head of a text.
fn port_number(text: &str) -> Option<(&str, &str)> {
    let behind = text.strip_prefix(" port ")?;
    let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 || digits > 5 { None } else { behind.split_at_checked(digits) }
}

fn after_colon(from: Endpoint<'_>) -> &str {
    from.rest.trim_start_matches([':', ' '])
}

fn is_peer(word: &str) -> bool {
    word == "UNKNOWN" || ip_version(text::cut(word, "%").map_or(word, |(ip, _)| ip)).is_some()
}

/// `[invalid user ]USER from ADDRESS …`
fn split_user<'a>(text: &'a str, details: &mut Details<'a>) -> Option<(&'a str, Endpoint<'a>)> {
    let bare = text.strip_prefix("invalid user ").or_else(|| text.strip_prefix("illegal user "));
    details.invalid_user = bare.is_some();
    split_from(bare.unwrap_or(text), bare.is_some())
}

/// `USER from ADDRESS[ port N] …`, at the last such place or at the first. An address with a port behind it is
/// preferred; a name is taken where there is no address at all.
fn split_from(text: &str, last: bool) -> Option<(&str, Endpoint<'_>)> {
    const FROM: &str = "from ";
    // The user's name may be empty.
    let places = || {
        find_all(text, FROM)
            .filter(|at| *at == 0 || at.checked_sub(1).and_then(|at| text.as_bytes().get(at)) == Some(&b' '))
            .map(|at| {
                let user = text.get(..at.saturating_sub(1)).unwrap_or_default();
                (user, endpoint(text.get(at + FROM.len()..).unwrap_or_default()))
            })
    };
    let choose = |wanted: fn(&Endpoint<'_>) -> bool| {
        let mut found = places().filter(|(_, from)| wanted(from));
        if last { found.last() } else { found.next() }
    };
    choose(|from| from.port.is_some() && from.address.is_some_and(is_peer))
        .or_else(|| choose(|from| from.address.is_some_and(is_peer)))
        .or_else(|| choose(|from| from.address.is_some()))
}

/// `USER ADDRESS port N …`, at the last such place or at the first.
fn split_port(text: &str, last: bool) -> Option<(&str, Endpoint<'_>)> {
    let mut found = find_all(text, " port ").filter_map(|at| {
        let (before, behind) = text.split_at_checked(at)?;
        let (user, address) = text::cut_last(before, " ").unwrap_or(("", before));
        let (port, rest) = port_number(behind)?;
        is_peer(address).then_some((user, Endpoint { address: Some(address), port: Some(port), rest }))
    });
    if last { found.last() } else { found.next() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Finding<'_>, Details<'_>) {
        let mut details = Details::default();
        let finding = message(text, &mut details).unwrap_or_else(|| unreachable!("{text}"));
        (finding, details)
    }

    #[test]
    fn a_made_up_user_cannot_make_up_its_address() {
        for (text, user, source, port) in [
            ("Failed password for ana from 192.0.2.1 port 22 ssh2", "ana", "192.0.2.1", "22"),
            (
                "Failed password for invalid user root from 10.0.0.1 port 1 ssh2 from 192.0.2.1 port 22 ssh2",
                "root from 10.0.0.1 port 1 ssh2",
                "192.0.2.1",
                "22",
            ),
            (
                "Invalid user a from 10.0.0.1 port 7 from 192.0.2.1 port 22",
                "a from 10.0.0.1 port 7",
                "192.0.2.1",
                "22",
            ),
            ("Invalid user from from 192.0.2.1 port 22", "from", "192.0.2.1", "22"),
            (
                "Connection closed by invalid user a 10.0.0.1 port 1 192.0.2.1 port 22",
                "a 10.0.0.1 port 1",
                "192.0.2.1",
                "22",
            ),
            (
                "Accepted publickey for ana from 192.0.2.1 port 22 ssh2: ED25519-CERT SHA256:x ID from 10.0.0.1 port 1 (serial 0)",
                "ana",
                "192.0.2.1",
                "22",
            ),
        ] {
            let (finding, _) = read(text);
            assert_eq!(
                (finding.user, finding.source, finding.source_port),
                (Some(user), Some(source), Some(port)),
                "{text}"
            );
        }
    }

    #[test]
    fn an_empty_user_is_none() {
        for text in [
            "Invalid user  from 192.0.2.1 port 22",
            "Failed none for invalid user  from 192.0.2.1 port 22 ssh2",
            "Connection closed by invalid user  192.0.2.1 port 22",
        ] {
            let (finding, details) = read(text);
            assert_eq!(
                (finding.user, finding.source, details.invalid_user),
                (None, Some("192.0.2.1"), true),
                "{text}"
            );
        }
    }

    #[test]
    fn old_and_new_disconnects() {
        for (text, port, code, reason) in [
            (
                "Received disconnect from 192.0.2.1 port 5:11: disconnected by user",
                Some("5"),
                "11",
                Some("disconnected by user"),
            ),
            ("Received disconnect from 192.0.2.1: 11: Bye Bye", None, "11", Some("Bye Bye")),
            ("Received disconnect from 192.0.2.1: 11: ", None, "11", None),
            ("Received disconnect from 2001:db8::1 port 5:2: Too many", Some("5"), "2", Some("Too many")),
        ] {
            let (finding, details) = read(text);
            assert_eq!(
                (finding.source_port, details.disconnect_code, finding.reason),
                (port, Some(code), reason),
                "{text}"
            );
            assert!(finding.source.is_some_and(is_peer), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_none() {
        for text in
            ["", "Accepted", "Failed password", "Connection lost", "User child is on pid 7", "from from from"]
        {
            assert!(message(text, &mut Details::default()).is_none(), "{text}");
        }
    }
}
