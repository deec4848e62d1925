//! What type a field has: the Elastic Common Schema's where it says something that changes how a value is compared.
//!
//! Source: the field reference of ECS 8 (<https://www.elastic.co/guide/en/ecs/8.17/ecs-field-reference.html>). A field
//! not named here, and every field of a vendor's own tree, is a keyword whose values keep the type they have in the
//! event. A value that does not fit its field's type (`source.ip: "unknown"`) stays in the document, counts for
//! `field:*`, and is found by its words.

use std::collections::HashMap;
use std::sync::LazyLock;

/// How the values of a field are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Whole and case-sensitive; numbers and booleans by their value.
    Keyword,
    /// By value; a text that is a number is that number.
    Number,
    /// As an instant; a number is milliseconds since 1970.
    Date,
    /// As an IP address, an IPv4 address being the same as its IPv4-mapped IPv6 address.
    Address,
    /// By words.
    Text,
    /// As a keyword, and by words as well.
    KeywordText,
}

/// The kind of the field at a dotted path.
pub fn kind(path: &str) -> Kind {
    static KINDS: LazyLock<HashMap<&'static str, Kind>> = LazyLock::new(|| {
        [
            (Kind::Number, NUMBERS),
            (Kind::Date, DATES),
            (Kind::Address, ADDRESSES),
            (Kind::Text, TEXTS),
            (Kind::KeywordText, KEYWORD_TEXTS),
        ]
        .into_iter()
        .flat_map(|(kind, paths)| paths.iter().map(move |path| (*path, kind)))
        .collect()
    });
    // Nearly every path of an event is a keyword; its length and first letter mostly say so without a look-up.
    let (Some(first), true) = (path.bytes().next(), path.len() < LONGEST) else { return Kind::Keyword };
    if SHAPES[usize::from(first)] >> path.len() & 1 == 0 {
        return Kind::Keyword;
    }
    KINDS.get(path).copied().unwrap_or(Kind::Keyword)
}

/// Above the length of every path named below.
const LONGEST: usize = 64;

/// For a first letter, the lengths of the paths named below that begin with it.
const SHAPES: [u64; 256] = {
    let lists = [NUMBERS, DATES, ADDRESSES, TEXTS, KEYWORD_TEXTS];
    let mut shapes = [0; 256];
    let mut list = 0;
    while list < lists.len() {
        let mut position = 0;
        while position < lists[list].len() {
            let path = lists[list][position];
            shapes[path.as_bytes()[0] as usize] |= 1 << path.len();
            position += 1;
        }
        list += 1;
    }
    shapes
};

/// The time of the event, which every event has.
pub const TIMESTAMP: &str = "@timestamp";

/// ECS's fields of type `ip`.
pub const ADDRESSES: &[&str] = &[
    "client.ip",
    "client.nat.ip",
    "destination.ip",
    "destination.nat.ip",
    "dns.resolved_ip",
    "host.ip",
    "network.forwarded_ip",
    "observer.ip",
    "orchestrator.resource.ip",
    "process.entry_leader.entry_meta.source.ip",
    "related.ip",
    "server.ip",
    "server.nat.ip",
    "source.ip",
    "source.nat.ip",
    "threat.enrichments.indicator.ip",
    "threat.indicator.ip",
];

const DATES: &[&str] = &[
    "@timestamp",
    "email.delivery_timestamp",
    "email.origination_timestamp",
    "event.created",
    "event.end",
    "event.ingested",
    "event.start",
    "file.accessed",
    "file.created",
    "file.ctime",
    "file.elf.creation_date",
    "file.mtime",
    "file.x509.not_after",
    "file.x509.not_before",
    "package.installed",
    "process.end",
    "process.parent.end",
    "process.parent.start",
    "process.start",
    "threat.indicator.first_seen",
    "threat.indicator.last_seen",
    "threat.indicator.modified_at",
    "tls.client.not_after",
    "tls.client.not_before",
    "tls.client.x509.not_after",
    "tls.client.x509.not_before",
    "tls.server.not_after",
    "tls.server.not_before",
    "tls.server.x509.not_after",
    "tls.server.x509.not_before",
];

const NUMBERS: &[&str] = &[
    "client.as.number",
    "client.bytes",
    "client.nat.port",
    "client.packets",
    "client.port",
    "container.cpu.usage",
    "container.disk.read.bytes",
    "container.disk.write.bytes",
    "container.memory.usage",
    "container.network.egress.bytes",
    "container.network.ingress.bytes",
    "destination.as.number",
    "destination.bytes",
    "destination.nat.port",
    "destination.packets",
    "destination.port",
    "dns.answers.ttl",
    "event.duration",
    "event.risk_score",
    "event.risk_score_norm",
    "event.sequence",
    "event.severity",
    "file.size",
    "host.cpu.usage",
    "host.disk.read.bytes",
    "host.disk.write.bytes",
    "host.network.egress.bytes",
    "host.network.egress.packets",
    "host.network.ingress.bytes",
    "host.network.ingress.packets",
    "host.uptime",
    "http.request.body.bytes",
    "http.request.bytes",
    "http.response.body.bytes",
    "http.response.bytes",
    "http.response.status_code",
    "log.origin.file.line",
    "log.syslog.facility.code",
    "log.syslog.priority",
    "log.syslog.severity.code",
    "network.bytes",
    "network.packets",
    "package.size",
    "process.args_count",
    "process.exit_code",
    "process.parent.args_count",
    "process.parent.exit_code",
    "process.parent.pid",
    "process.parent.uptime",
    "process.pid",
    "process.thread.id",
    "process.uptime",
    "server.as.number",
    "server.bytes",
    "server.nat.port",
    "server.packets",
    "server.port",
    "source.as.number",
    "source.bytes",
    "source.nat.port",
    "source.packets",
    "source.port",
    "threat.indicator.as.number",
    "threat.indicator.port",
    "url.port",
    "vulnerability.score.base",
    "vulnerability.score.environmental",
    "vulnerability.score.temporal",
];

const TEXTS: &[&str] = &["error.message", "error.stack_trace", "event.original", "message"];

const KEYWORD_TEXTS: &[&str] = &[
    "http.request.body.content",
    "http.request.referrer",
    "http.response.body.content",
    "process.command_line",
    "process.parent.command_line",
    "process.title",
    "url.fragment",
    "url.full",
    "url.original",
    "url.path",
    "url.query",
    "user_agent.original",
    "vulnerability.description",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_has_two_kinds() {
        let mut all = [NUMBERS, DATES, ADDRESSES, TEXTS, KEYWORD_TEXTS].concat();
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count);
        assert_eq!(kind("source.ip"), Kind::Address);
        assert_eq!(kind("user.name"), Kind::Keyword);
        assert_eq!(kind("aws.source.ip"), Kind::Keyword);
    }
}
