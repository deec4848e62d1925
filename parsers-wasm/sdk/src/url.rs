//! URLs and request lines as logs hold them, split without being changed.
//!
//! Logs hold whatever clients sent, so nothing here fails: a part that cannot be told is absent, and percent-encoding,
//! case and dots stay as they are. The parts are those of RFC 3986; `url.domain` keeps the brackets of an IPv6
//! address, as ECS wants.
//!
//! ```
//! use weir_parser_sdk::url::{Request, Url};
//!
//! let request = Request::split("GET https://example.com:443/a/b.html?q=%20 HTTP/1.1");
//! assert_eq!((request.method, request.version()), (Some("GET"), Some("1.1")));
//! let url = request.url();
//! assert_eq!((url.scheme, url.domain, url.port), (Some("https"), Some("example.com"), Some("443")));
//! assert_eq!((url.path, url.query, url.extension()), (Some("/a/b.html"), Some("q=%20"), Some("html")));
//! ```

use crate::text;
use crate::{Event, ecs};

/// The parts of an absolute URL or of a request target, each as it stands, without its separators.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Url<'a> {
    /// The whole text, if it is an absolute URL.
    pub full: Option<&'a str>,
    /// `https`
    pub scheme: Option<&'a str>,
    /// The user's name; a password behind it is not kept apart.
    pub username: Option<&'a str>,
    /// The host; an IPv6 address with its brackets.
    pub domain: Option<&'a str>,
    /// Digits, at most 65535.
    pub port: Option<&'a str>,
    /// With its leading slash; `*` for a request about the server.
    pub path: Option<&'a str>,
    /// Without the question mark.
    pub query: Option<&'a str>,
    /// Without the number sign.
    pub fragment: Option<&'a str>,
}

impl<'a> Url<'a> {
    /// Splits an absolute URL (`https://host:443/path?query`), a network path (`//host/path`, taken as a path, as
    /// servers do), or a path with perhaps a query.
    #[inline]
    pub fn parse(text: &'a str) -> Self {
        let mut url = Url::default();
        let mut rest = text;
        if !text.starts_with('/')
            && let Some((scheme, behind)) = split_scheme(text)
        {
            url.full = Some(text);
            url.scheme = Some(scheme);
            let end = memchr::memchr3(b'/', b'?', b'#', behind.as_bytes()).unwrap_or(behind.len());
            let (authority, tail) = behind.split_at_checked(end).unwrap_or((behind, ""));
            // A load balancer writes the target `*` of OPTIONS and PRI behind the host: `http://host:80*`.
            let (authority, tail) = match authority.strip_suffix('*') {
                Some(host) if tail.is_empty() => (host, "*"),
                _ => (authority, tail),
            };
            url.set_authority(authority);
            rest = tail;
        }
        url.set_path(rest);
        url
    }

    /// Splits `host`, `host:port`, `[address]:port`, perhaps with `user@` before: the target of `CONNECT`, a `Host`
    /// header.
    pub fn parse_authority(text: &'a str) -> Self {
        let mut url = Url::default();
        url.set_authority(text);
        url
    }

    fn set_authority(&mut self, authority: &'a str) {
        let mut host = authority;
        if let Some((user, behind)) = text::cut_last(authority, "@") {
            self.username = present(text::cut(user, ":").map_or(user, |(name, _)| name));
            host = behind;
        }
        if let Some((name, port)) = text::cut_last(host, ":")
            && (port.is_empty() || is_port(port))
            && (!name.starts_with('[') || name.ends_with(']'))
        {
            self.port = present(port);
            host = name;
        }
        self.domain = present(host);
    }

    fn set_path(&mut self, text: &'a str) {
        // One search finds the end of most paths; what is behind is looked at only where there is something.
        let Some(end) = memchr::memchr2(b'?', b'#', text.as_bytes()) else {
            self.path = present(text);
            return;
        };
        let (path, tail) = text.split_at_checked(end).unwrap_or((text, ""));
        self.path = present(path);
        let (before, fragment) = match text::cut(tail, "#") {
            Some((before, fragment)) => (before, Some(fragment)),
            None => (tail, None),
        };
        self.query = before.strip_prefix('?').and_then(present);
        self.fragment = fragment.and_then(present);
    }

    /// What stands behind the last dot of the path's last part, if letters and digits only: `html`.
    #[inline]
    pub fn extension(&self) -> Option<&'a str> {
        let path = self.path?;
        let name = path.get(memchr::memrchr(b'/', path.as_bytes()).map_or(0, |at| at + 1)..)?;
        let extension = name.get(memchr::memrchr(b'.', name.as_bytes())? + 1..)?;
        (!extension.is_empty() && extension.bytes().all(|byte| byte.is_ascii_alphanumeric()))
            .then_some(extension)
    }

    /// Sets `url.original` to `original` and the other `url.*` fields to the parts, in the table's order.
    #[inline]
    pub fn set(&self, event: &mut Event<'_>, original: &str) {
        event.set_some(ecs::URL_ORIGINAL, Some(original));
        event.set_some(ecs::URL_FULL, self.full);
        self.set_parts(event);
    }

    /// Sets the `url.*` fields behind `url.full`, for a parser that knows the whole URL better.
    #[inline]
    pub fn set_parts(&self, event: &mut Event<'_>) {
        event.set_some(ecs::URL_SCHEME, self.scheme);
        event.set_some(ecs::URL_DOMAIN, self.domain);
        if let Some(port) = self.port {
            event.set_integer(ecs::URL_PORT, port);
        }
        event.set_some(ecs::URL_PATH, self.path);
        event.set_some(ecs::URL_EXTENSION, self.extension());
        event.set_some(ecs::URL_QUERY, self.query);
        event.set_some(ecs::URL_FRAGMENT, self.fragment);
        event.set_some(ecs::URL_USERNAME, self.username);
    }

    /// The host without the brackets of an IPv6 address, as `related.*` wants it.
    pub fn host(&self) -> Option<&'a str> {
        let domain = self.domain?;
        Some(domain.strip_prefix('[').and_then(|inside| inside.strip_suffix(']')).unwrap_or(domain))
    }
}

#[inline]
fn present(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// The scheme and what is behind `://`.
#[inline]
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    // A scheme is short, so the search ends soon where there is none.
    let start = text.as_bytes().get(..33).unwrap_or(text.as_bytes());
    let at = memchr::memchr(b':', start)?;
    let behind = text.get(at..)?.strip_prefix("://")?;
    Some((text.get(..at).filter(|scheme| is_scheme(scheme))?, behind))
}

/// RFC 3986, section 3.1.
fn is_scheme(text: &str) -> bool {
    text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// No sign, no leading zeros, at most 65535.
fn is_port(text: &str) -> bool {
    text.len() <= 5 && !text.starts_with(['0', '+']) && text.parse::<u16>().is_ok()
}

/// The parts of an HTTP request line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Request<'a> {
    /// `GET`; absent where what stands there cannot be a method.
    pub method: Option<&'a str>,
    /// `/path?query`, an absolute URL, `host:port` after `CONNECT`, or `*`; may hold blanks, as clients send them.
    pub target: Option<&'a str>,
    /// `HTTP/1.1`; HTTP/0.9 has none.
    pub protocol: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// Splits `METHOD TARGET PROTOCOL`. A `-` in the place of a part is an absent part. What does not begin like a
    /// request (a TLS handshake on a plain port, noise) has no part at all.
    #[inline]
    pub fn split(line: &'a str) -> Self {
        let mut request = Request::default();
        let line = line.trim_end_matches(' ');
        let Some(blank) = memchr::memchr(b' ', line.as_bytes()) else { return request };
        let (Some(method), Some(rest)) = (line.get(..blank), line.get(blank + 1..)) else { return request };
        if method == "-" {
            request.method = None;
        } else if is_method(method) {
            request.method = Some(method);
        } else {
            return request;
        }
        let mut target = rest;
        if let Some(at) = memchr::memrchr(b' ', rest.as_bytes())
            && let Some(last) = rest.get(at + 1..)
        {
            if is_protocol(last) {
                request.protocol = Some(last);
                target = rest.get(..at).unwrap_or_default();
            } else if last == "-" {
                target = rest.get(..at).unwrap_or_default();
            }
        }
        let target = target.trim_matches(' ');
        request.target = (!target.is_empty() && target != "-").then_some(target);
        request
    }

    /// `1.1` of `HTTP/1.1`; `None` for another protocol.
    #[inline]
    pub fn version(&self) -> Option<&'a str> {
        self.protocol?.strip_prefix("HTTP/")
    }

    /// The target's parts. Load balancers write a request that they could not read as `- http://host:80- -`; the
    /// dash behind the port stands for the path, so there is a host and no whole URL.
    #[inline]
    pub fn url(&self) -> Url<'a> {
        match (self.method, self.target) {
            (None, Some(target)) if target.ends_with('-') => {
                Url { full: None, ..Url::parse(target.strip_suffix('-').unwrap_or(target)) }
            }
            (Some("CONNECT"), Some(target)) if !target.contains("://") && !target.starts_with('/') => {
                Url::parse_authority(target)
            }
            (_, Some(target)) => Url::parse(target),
            (_, None) => Url::default(),
        }
    }
}

/// A method is a token (RFC 9110, section 9.1); real ones are letters, and a few have `-` or `_`.
fn is_method(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 32
        && text.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'))
}

/// `HTTP/1.1`, `RTSP/1.0`
fn is_protocol(text: &str) -> bool {
    let Some((name, version)) = text::cut(text, "/") else { return false };
    !name.is_empty()
        && name.len() <= 8
        && name.bytes().all(|byte| byte.is_ascii_uppercase())
        && version.len() <= 4
        && version.as_bytes().first().is_some_and(u8::is_ascii_digit)
        && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// A text with its percent-encoding undone once; `None` where there is none, or where the bytes would not be UTF-8.
pub fn percent_decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut from = 0;
    while let Some(at) = bytes.get(from..).and_then(|rest| memchr::memchr(b'%', rest)).map(|at| from + at) {
        out.extend_from_slice(bytes.get(from..at)?);
        let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16).map(|digit| digit as u8);
        if let (Some(high), Some(low)) = (digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            out.push(high << 4 | low);
            from = at + 3;
        } else {
            out.push(b'%');
            from = at + 1;
        }
    }
    out.extend_from_slice(bytes.get(from..)?);
    (out != bytes).then(|| String::from_utf8(out).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts<'a> = [Option<&'a str>; 7];

    fn parts(text: &str) -> Parts<'_> {
        let url = Url::parse(text);
        [url.scheme, url.username, url.domain, url.port, url.path, url.query, url.fragment]
    }

    #[test]
    fn urls_are_split_and_not_changed() {
        let cases: [(&str, Parts<'_>); 14] = [
            (
                "https://a.example:443/p%20q?x=1&y=%2F#z",
                [
                    Some("https"),
                    None,
                    Some("a.example"),
                    Some("443"),
                    Some("/p%20q"),
                    Some("x=1&y=%2F"),
                    Some("z"),
                ],
            ),
            (
                "http://[2001:db8::1]:8080/",
                [Some("http"), None, Some("[2001:db8::1]"), Some("8080"), Some("/"), None, None],
            ),
            (
                "http://[2001:db8::1]/",
                [Some("http"), None, Some("[2001:db8::1]"), None, Some("/"), None, None],
            ),
            (
                "http://u:p@a.example?q",
                [Some("http"), Some("u"), Some("a.example"), None, None, Some("q"), None],
            ),
            ("wss://a.example", [Some("wss"), None, Some("a.example"), None, None, None, None]),
            ("http://a.example:/x", [Some("http"), None, Some("a.example"), None, Some("/x"), None, None]),
            (
                "http://a.example:99999/x",
                [Some("http"), None, Some("a.example:99999"), None, Some("/x"), None, None],
            ),
            ("/a/b?c=http://d/e", [None, None, None, None, Some("/a/b"), Some("c=http://d/e"), None]),
            ("//a.example/b", [None, None, None, None, Some("//a.example/b"), None, None]),
            ("a?b=c://d", [None, None, None, None, Some("a"), Some("b=c://d"), None]),
            ("*", [None, None, None, None, Some("*"), None, None]),
            ("/a#b?c", [None, None, None, None, Some("/a"), None, Some("b?c")]),
            ("/a?", [None, None, None, None, Some("/a"), None, None]),
            ("", [None; 7]),
        ];
        for (text, expected) in cases {
            assert_eq!(parts(text), expected, "{text}");
        }
    }

    #[test]
    fn extensions_are_of_the_last_part() {
        for (text, expected) in [
            ("/a.b/c", None),
            ("/a/b.tar.gz?x=.y", Some("gz")),
            ("/.env", Some("env")),
            ("/a.", None),
            ("/a.b%20c", None),
            ("http://a.example", None),
        ] {
            assert_eq!(Url::parse(text).extension(), expected, "{text}");
        }
    }

    #[test]
    fn percent_encoding_is_undone_once() {
        for (text, expected) in [
            ("a%20b%2520c", Some("a b%20c")),
            ("%e2%82%AC", Some("\u{20ac}")),
            ("plain", None),
            ("100%", None),
            ("%zz%4", None),
            ("%ff", None),
            ("%", None),
        ] {
            assert_eq!(percent_decode(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn requests_of_all_sorts() {
        for (line, method, target, protocol) in [
            ("GET / HTTP/1.1", Some("GET"), Some("/"), Some("HTTP/1.1")),
            ("GET /a b c HTTP/2.0", Some("GET"), Some("/a b c"), Some("HTTP/2.0")),
            ("GET /", Some("GET"), Some("/"), None),
            ("OPTIONS * RTSP/1.0", Some("OPTIONS"), Some("*"), Some("RTSP/1.0")),
            ("- http://a.example:80- -", None, Some("http://a.example:80-"), None),
            ("- - -", None, None, None),
            ("- - - ", None, None, None),
            ("-", None, None, None),
            ("", None, None, None),
            ("GET", None, None, None),
            ("\\x16\\x03\\x01 \\x02", None, None, None),
            ("GET  /a  HTTP/1.0", Some("GET"), Some("/a"), Some("HTTP/1.0")),
        ] {
            assert_eq!(Request::split(line), Request { method, target, protocol }, "{line}");
        }
        let unread = Request::split("- http://[2001:db8::1]:80- -").url();
        assert_eq!((unread.full, unread.domain, unread.port), (None, Some("[2001:db8::1]"), Some("80")));
        let connect = Request::split("CONNECT [2001:db8::1]:443 HTTP/1.1").url();
        assert_eq!(
            (connect.domain, connect.port, connect.host()),
            (Some("[2001:db8::1]"), Some("443"), Some("2001:db8::1"))
        );
        assert_eq!(Request::split("CONNECT a.example:443 HTTP/1.1").url().path, None);
    }
}
