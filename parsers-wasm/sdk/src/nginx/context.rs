//! What nginx appends to a message: `, client: ADDRESS, server: NAME, request: "LINE", upstream: "URL", host: "NAME",
//! referrer: "URL"`, and in stream and mail `, login: "USER"`, `, bytes from/to client:1/2`.
//!
//! The message before it holds paths that clients chose, and quotes are not escaped. So the context is the first place
//! from which the line reads as such a list to its end, not the first that looks like one.

use crate::ObjectWriter;
use crate::quoted::some;
use crate::text::{find, find_all};

/// A message and its context.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Context<'a> {
    pub(crate) message: &'a str,
    pub(crate) client: Option<&'a str>,
    pub(crate) server: Option<&'a str>,
    pub(crate) request: Option<&'a str>,
    pub(crate) subrequest: Option<&'a str>,
    pub(crate) upstream: Option<&'a str>,
    pub(crate) host: Option<&'a str>,
    pub(crate) referrer: Option<&'a str>,
    pub(crate) login: Option<&'a str>,
    /// The mail proxy's client turned to TLS inside the connection.
    pub(crate) starttls: bool,
    /// Whatever else stands in the list, as it stands.
    pub(crate) rest: Option<&'a str>,
}

impl<'a> Context<'a> {
    pub(crate) fn split(text: &'a str) -> Self {
        // Without a client there is no context but in rare messages of health checks, which say it all themselves.
        Self::find(text, true)
            .or_else(|| Self::find(text, false))
            .unwrap_or(Context { message: text, ..Context::default() })
    }

    fn find(text: &'a str, strict: bool) -> Option<Self> {
        // A message that names more clients than this was made to be slow.
        find_all(text, ", client: ").take(MOST_CANDIDATES).find_map(|at| {
            let (message, list) = text.split_at_checked(at)?;
            Some(Context { message, ..Self::read(list, strict)? })
        })
    }

    /// Reads `, key: value, key: "value"…` to its end. `strict` takes no quote inside a value.
    fn read(list: &'a str, strict: bool) -> Option<Self> {
        let mut context = Context::default();
        let mut rest = list;
        while !rest.is_empty() {
            let inside = rest.strip_prefix(", ")?;
            let Some((key, value)) = split_key(inside) else {
                // Stream: `bytes from/to client:1/2, bytes from/to upstream:2/1`.
                context.rest = is_traffic(inside).then_some(inside);
                return context.rest.map(|_| context);
            };
            let (value, behind) = if let Some(quoted) = value.strip_prefix('"') {
                let end = if strict { quoted.find('"')? } else { closing_quote(quoted)? };
                (quoted.get(..end)?, quoted.get(end + 1..)?)
            } else {
                // Addresses and server names hold neither commas nor blanks.
                let (bare, behind) = value.split_at_checked(find(value, ", ").unwrap_or(value.len()))?;
                let plain = bare.strip_suffix(" using starttls").filter(|_| key == "client");
                context.starttls |= plain.is_some();
                let bare = plain.unwrap_or(bare);
                if bare.contains(['"', ' ', '\n']) {
                    return None;
                }
                (bare, behind)
            };
            context.set(key, value)?;
            rest = behind;
        }
        Some(context)
    }

    /// Sets a key's value; `None` for a key that was there already, since nginx writes each once.
    fn set(&mut self, key: &str, value: &'a str) -> Option<()> {
        let slot = match key {
            "client" => &mut self.client,
            "server" => &mut self.server,
            "request" => &mut self.request,
            "subrequest" => &mut self.subrequest,
            "upstream" => &mut self.upstream,
            "host" => &mut self.host,
            "referrer" => &mut self.referrer,
            _ => &mut self.login,
        };
        slot.is_none().then(|| *slot = some(value))
    }

    pub(crate) fn write(&self, vendor: &mut ObjectWriter<'_>) {
        vendor
            .optional("client", self.client)
            .optional("server", self.server)
            .optional("request", self.request)
            .optional("subrequest", self.subrequest)
            .optional("upstream", self.upstream)
            .optional("host", self.host)
            .optional("referrer", self.referrer)
            .optional("login", self.login)
            .optional("traffic", self.rest);
        if self.starttls {
            vendor.boolean("starttls", true);
        }
    }
}

const MOST_CANDIDATES: usize = 64;

const KEYS: [&str; 8] =
    ["client", "server", "request", "subrequest", "upstream", "host", "referrer", "login"];

/// `key: value`, for a key that nginx writes.
fn split_key(text: &str) -> Option<(&'static str, &str)> {
    KEYS.into_iter().find_map(|key| Some((key, text.strip_prefix(key)?.strip_prefix(": ")?)))
}

fn is_traffic(text: &str) -> bool {
    text.starts_with("bytes from/to") || text.starts_with("udp packets")
}

/// The first quote that the end or another key follows.
fn closing_quote(text: &str) -> Option<usize> {
    text.match_indices('"').map(|(at, _)| at).find(|at| {
        let behind = text.get(at + 1..).unwrap_or_default();
        let next = behind.strip_prefix(", ");
        behind.is_empty() || next.is_some_and(is_traffic) || next.and_then(split_key).is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_make_up_a_client() {
        let line = "open() \"/srv/a, client: 10.0.0.1, server: x, request: \"y\" failed (2: No such file or directory), \
                    client: 192.0.2.1, server: shop.example, request: \"GET /a, client: 10.0.0.2 HTTP/1.1\", host: \"h\"";
        let context = Context::split(line);
        assert_eq!(context.client, Some("192.0.2.1"));
        assert_eq!(context.request, Some("GET /a, client: 10.0.0.2 HTTP/1.1"));
        assert_eq!(context.host, Some("h"));
        assert!(context.message.ends_with("No such file or directory)"));
    }

    #[test]
    fn lists_of_http_stream_and_mail() {
        let stream = Context::split(
            "connect() failed, client: 192.0.2.1, server: 0.0.0.0:443, upstream: \"10.0.0.5:443\", bytes from/to client:0/0",
        );
        assert_eq!((stream.server, stream.upstream), (Some("0.0.0.0:443"), Some("10.0.0.5:443")));
        assert_eq!(stream.rest, Some("bytes from/to client:0/0"));
        let mail = Context::split("auth failed, client: 192.0.2.1, server: 0.0.0.0:25, login: \"ana\"");
        assert_eq!((mail.client, mail.login), (Some("192.0.2.1"), Some("ana")));
        let tls = Context::split("x, client: 192.0.2.1 using starttls, server: 0.0.0.0:587, login: \"ana\"");
        assert_eq!((tls.client, tls.starttls, tls.login), (Some("192.0.2.1"), true, Some("ana")));
        let empty = Context::split(
            "x, client: 192.0.2.1, server: , request: \"GET / HTTP/1.1\", host: \"\", referrer: \"\"",
        );
        assert_eq!((empty.server, empty.host, empty.referrer), (None, None, None));
        let quotes =
            Context::split("x, client: 192.0.2.1, server: s, request: \"GET /a\"b HTTP/1.1\", host: \"h\"");
        assert_eq!((quotes.request, quotes.host), (Some("GET /a\"b HTTP/1.1"), Some("h")));
        for text in ["", "no context", "x, client: ", "a, client: 192.0.2.1 and more\n", ", client: "] {
            assert_eq!(Context::split(text).request, None, "{text}");
        }
    }
}
