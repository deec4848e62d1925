//! What network and web logs share: protocol numbers, addresses with ports, TLS versions, the meaning of a status.

use crate::text;
use crate::{Event, EventOutcome, Type, ecs, ip_version};

/// IANA "Assigned Internet Protocol Numbers", as ECS spells `network.transport`; `None` for rarer ones.
pub fn transport(protocol: &str) -> Option<&'static str> {
    Some(match protocol {
        "6" => "tcp",
        "17" => "udp",
        "1" => "icmp",
        "2" => "igmp",
        "4" => "ipv4",
        "41" => "ipv6",
        "47" => "gre",
        "50" => "esp",
        "51" => "ah",
        "58" => "ipv6-icmp",
        "89" => "ospf",
        "103" => "pim",
        "112" => "vrrp",
        "132" => "sctp",
        _ => return None,
    })
}

/// Splits `192.0.2.7:443`, `[2001:db8::7]:443`, `host:443` or, as load balancers write it, `2001:db8::7:443` into
/// the host (an address without brackets) and the port. A text without a port is all host.
#[inline]
pub fn split_host_port(text: &str) -> (&str, Option<&str>) {
    let Some(colon) = memchr::memrchr(b':', text.as_bytes()) else { return (text, None) };
    let (Some(host), Some(port)) = (text.get(..colon), text.get(colon + 1..)) else { return (text, None) };
    if port.is_empty() || port.len() > 5 || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return (without_brackets(text), None);
    }
    if memchr::memchr(b':', host.as_bytes()).is_none() {
        return (host, Some(port));
    }
    let bare = without_brackets(host);
    if ip_version(bare).is_some() { (bare, Some(port)) } else { (without_brackets(text), None) }
}

fn without_brackets(text: &str) -> &str {
    text.strip_prefix('[').and_then(|inside| inside.strip_suffix(']')).unwrap_or(text)
}

/// The protocol and the version, as ECS spells `tls.version_protocol` and `tls.version`, of `TLSv1.2`, `TLSV1.2`,
/// `tlsv12` or `SSLv3`; `None` for anything else.
pub fn tls_version(text: &str) -> Option<(&'static str, &'static str)> {
    let (name, version) = text.split_at_checked(4)?;
    let tls = name.eq_ignore_ascii_case("tlsv");
    if !tls && !name.eq_ignore_ascii_case("sslv") {
        return None;
    }
    Some(match (tls, version) {
        (true, "1.3" | "13") => ("tls", "1.3"),
        (true, "1.2" | "12") => ("tls", "1.2"),
        (true, "1.1" | "11") => ("tls", "1.1"),
        (true, "1.0" | "10" | "1") => ("tls", "1.0"),
        (false, "3" | "3.0") => ("ssl", "3.0"),
        (false, "2" | "2.0") => ("ssl", "2.0"),
        _ => return None,
    })
}

/// Sets `tls.version`, `tls.version_protocol` and `tls.cipher` from what a log says of the protocol and the cipher.
/// A version that [`tls_version`] does not know is set as it stands.
#[inline]
pub fn set_tls(event: &mut Event<'_>, version: Option<&str>, cipher: Option<&str>) {
    if let Some(version) = version {
        if let Some((protocol, number)) = tls_version(version) {
            event.set(ecs::TLS_VERSION, number);
            event.set(ecs::TLS_VERSION_PROTOCOL, protocol);
        } else {
            event.set_some(ecs::TLS_VERSION, Some(version));
        }
    }
    event.set_some(ecs::TLS_CIPHER, cipher);
}

/// Whether a text begins with a cipher and a protocol, as load balancers write them: `ECDHE-RSA-AES128-SHA TLSv1.2 …`,
/// `- - …`; nothing at all counts, too. It is what stands behind a field in quotes that may hold quotes itself.
pub fn begins_with_tls(text: &str) -> bool {
    let Some((cipher, protocol)) = text::cut(text, " ") else { return text.is_empty() };
    !cipher.ends_with('"')
        && (["TLSv", "SSLv", "- "].iter().any(|start| protocol.starts_with(start)) || protocol == "-")
}

/// `event.type` and `event.outcome` of a web request that was answered with this status: a failure from 400 on, an
/// error as well from 500 on, unknown without a status.
#[inline]
pub fn http_outcome(status: Option<&str>) -> (&'static [Type], EventOutcome) {
    match status.map(str::as_bytes) {
        Some([b'1'..=b'3', _, _]) => (&[Type::Access], EventOutcome::Success),
        Some([b'4', _, _]) => (&[Type::Access], EventOutcome::Failure),
        Some([b'5'..=b'9', _, _]) => (&[Type::Access, Type::Error], EventOutcome::Failure),
        _ => (&[Type::Access], EventOutcome::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_come_apart() {
        for (text, host, port) in [
            ("192.0.2.7:443", "192.0.2.7", Some("443")),
            ("[2001:db8::7]:443", "2001:db8::7", Some("443")),
            ("2001:db8::7:443", "2001:db8::7", Some("443")),
            ("2001:db8:0:1:2:3:4:5:65535", "2001:db8:0:1:2:3:4:5", Some("65535")),
            ("[2001:db8::7]", "2001:db8::7", None),
            ("::1", "::1", None),
            ("backend-1:8080", "backend-1", Some("8080")),
            ("backend-1", "backend-1", None),
            ("192.0.2.7:", "192.0.2.7:", None),
            ("a:b", "a:b", None),
            ("", "", None),
        ] {
            assert_eq!(split_host_port(text), (host, port), "{text}");
        }
    }

    #[test]
    fn a_cipher_and_a_protocol_are_told_from_text_in_quotes() {
        for text in ["", "- -", "- - x", "AES128-SHA TLSv1.2", "AES128-SHA SSLv3 arn"] {
            assert!(begins_with_tls(text), "{text}");
        }
        for text in ["-", "AES128-SHA", "x\" AES128-SHA TLSv1.2", "b c", "\"curl/8\" - -"] {
            assert!(!begins_with_tls(text), "{text}");
        }
    }

    #[test]
    fn tls_versions_of_every_spelling() {
        for (text, expected) in [
            ("TLSv1.2", Some(("tls", "1.2"))),
            ("TLSV1.1", Some(("tls", "1.1"))),
            ("tlsv13", Some(("tls", "1.3"))),
            ("TLSv1", Some(("tls", "1.0"))),
            ("SSLv3", Some(("ssl", "3.0"))),
            ("TLSv1.9", None),
            ("-", None),
            ("t\u{e9}\u{e9}1", None),
        ] {
            assert_eq!(tls_version(text), expected, "{text}");
        }
    }
}
