//! The ECS fields a parser may write, in the one order in which documents carry them.
//!
//! Names and types follow the Elastic Common Schema 8 field reference. A field is a typed constant, so a parser can
//! neither misspell a name nor put text where ECS wants a number. The order matters for speed only: fields set in
//! the order of this table go straight into the output; others are sorted in at the end (see `event.rs`).

use std::marker::PhantomData;
use std::sync::LazyLock;

/// The schema version that documents declare in `ecs.version`.
pub const VERSION: &str = "8.17.0";

/// ECS `keyword`, `wildcard` or `constant_keyword`: an exact string.
#[derive(Debug)]
pub enum Keyword {}
/// ECS `match_only_text` or `text`: analysed text.
#[derive(Debug)]
pub enum Text {}
/// ECS `ip`: an IPv4 or IPv6 address.
#[derive(Debug)]
pub enum Ip {}
/// ECS `long`: a 64-bit integer.
#[derive(Debug)]
pub enum Long {}
/// ECS `float` or `scaled_float`.
#[derive(Debug)]
pub enum Float {}
/// ECS `date`.
#[derive(Debug)]
pub enum Date {}
/// ECS `boolean`.
#[derive(Debug)]
pub enum Boolean {}
/// An ECS `keyword` that ECS normalises to an array.
#[derive(Debug)]
pub enum KeywordList {}

/// One ECS field of type `T`.
#[derive(Debug)]
pub struct Field<T> {
    pub(crate) index: u16,
    of: PhantomData<T>,
}

impl<T> Clone for Field<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Field<T> {}

impl<T> Field<T> {
    /// The dotted ECS name, such as `source.ip`.
    pub fn name(self) -> String {
        dotted_name(self.index)
    }
}

/// The types of ECS fields, for those whose names are known only when a record is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the marker types above say it")]
pub enum FieldKind {
    Keyword,
    Text,
    Ip,
    Long,
    Float,
    Date,
    Boolean,
    KeywordList,
}

/// How many fields the table has.
pub const FIELD_COUNT: usize = FIELDS.len();

/// An ECS field by its name, see [`find`]. Fields are ordered as documents carry them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AnyField {
    pub(crate) index: u16,
}

impl AnyField {
    /// Its place among the fields of the table, less than [`FIELD_COUNT`].
    #[inline]
    pub fn place(self) -> usize {
        usize::from(self.index)
    }

    /// The field at a place.
    #[inline]
    pub fn at(place: usize) -> Option<Self> {
        (place < FIELDS.len()).then_some(AnyField { index: place as u16 })
    }

    /// The type of its values.
    pub fn kind(self) -> FieldKind {
        FIELDS.get(usize::from(self.index)).map_or(FieldKind::Keyword, |entry| entry.kind)
    }
}

impl<T> From<Field<T>> for AnyField {
    #[inline]
    fn from(field: Field<T>) -> Self {
        AnyField { index: field.index }
    }
}

/// What a dotted name is in ECS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A field of the table.
    Field(AnyField),
    /// An object around fields of the table, such as `http.request`.
    Object,
}

/// Looks a dotted name up, for records that are in ECS already.
pub fn find(name: &str) -> Option<Found> {
    static TABLE: LazyLock<Table> = LazyLock::new(Table::of_fields);
    TABLE.find(name)
}

/// An open hash table of names, made once: a record in ECS asks for every one of its names.
struct Table {
    entries: Vec<(String, Found)>,
    /// One past an index into `entries`; 0 is free. The length is a power of two, and at most half are in use.
    slots: Vec<u16>,
}

impl Table {
    fn of_fields() -> Self {
        let mut entries: Vec<(String, Found)> = Vec::with_capacity(FIELDS.len() * 2);
        for (index, field) in names().enumerate() {
            for (dot, _) in field.match_indices('.') {
                entries.push((field.get(..dot).unwrap_or_default().to_owned(), Found::Object));
            }
            entries.push((field, Found::Field(AnyField { index: index as u16 })));
        }
        entries.sort_by(|(left, _), (right, _)| left.cmp(right));
        entries.dedup_by(|(left, _), (right, _)| left == right);
        let mut slots = vec![0; (entries.len() * 2).next_power_of_two()];
        for (index, (name, _)) in entries.iter().enumerate() {
            let mut at = hash(name) as usize & (slots.len() - 1);
            while slots.get(at).is_some_and(|taken| *taken != 0) {
                at = (at + 1) & (slots.len() - 1);
            }
            if let Some(slot) = slots.get_mut(at) {
                *slot = index as u16 + 1;
            }
        }
        Table { entries, slots }
    }

    fn find(&self, name: &str) -> Option<Found> {
        let mut at = hash(name) as usize & (self.slots.len() - 1);
        loop {
            let slot = usize::from(*self.slots.get(at)?);
            let (known, found) = self.entries.get(slot.checked_sub(1)?)?;
            if known == name {
                return Some(*found);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }
}

/// Eight bytes at a time; spreads names, guards against nothing.
fn hash(name: &str) -> u64 {
    let mut state: u64 = name.len() as u64;
    let mut mix = |word: u64| state = (state.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    let mut rest = name.as_bytes();
    while let Some((chunk, tail)) = rest.split_first_chunk::<8>() {
        mix(u64::from_le_bytes(*chunk));
        rest = tail;
    }
    mix(rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    state ^ state >> 32
}

/// An ECS object: where a group of fields lives in the document.
#[derive(Debug)]
pub(crate) struct Object {
    /// Index of the object around it; the root is its own parent.
    pub(crate) parent: u16,
    pub(crate) depth: u8,
    /// `"name":{`, as it opens in JSON.
    pub(crate) open: &'static str,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) object: u16,
    /// `"name":`, as it stands before the value.
    pub(crate) key: &'static str,
    pub(crate) kind: FieldKind,
}

pub(crate) fn dotted_name(index: u16) -> String {
    let Some(entry) = FIELDS.get(usize::from(index)) else { return String::new() };
    let mut parts = vec![entry.key.trim_matches([':', '"'])];
    let mut object = entry.object;
    while object != 0 {
        let Some(info) = OBJECTS.get(usize::from(object)) else { break };
        parts.push(info.open.trim_matches([':', '"', '{']));
        object = info.parent;
    }
    parts.reverse();
    parts.join(".")
}

/// Every dotted name of the table, in document order.
pub fn names() -> impl Iterator<Item = String> {
    (0..FIELDS.len() as u16).map(dotted_name)
}

/// Groups without a name stand at the root.
const fn object_of(index: u16, open: &str) -> u16 {
    if open.is_empty() { 0 } else { index }
}

macro_rules! ecs_table {
    ($( $object:ident in $parent:ident at $depth:literal opens $open:literal {
        $( $field:ident : $kind:ident = $key:literal , )*
    } )*) => {
        #[derive(Clone, Copy)]
        #[allow(clippy::upper_case_acronyms, non_camel_case_types, reason = "names of JSON objects, used as indices only")]
        enum ObjectIndex { $( $object, )* }

        pub(crate) static OBJECTS: &[Object] = &[ $( Object {
            parent: ObjectIndex::$parent as u16, depth: $depth, open: concat!("\"", $open, "\":{"),
        }, )* ];

        #[allow(clippy::upper_case_acronyms, non_camel_case_types, reason = "names of fields, used as indices only")]
        enum FieldIndex { $( $( $field, )* )* }

        pub(crate) static FIELDS: &[Entry] = &[ $( $( Entry {
            object: object_of(ObjectIndex::$object as u16, $open), key: concat!("\"", $key, "\":"), kind: FieldKind::$kind,
        }, )* )* ];

        $( $(
            #[doc = concat!("`", $open, "` … `", $key, "`")]
            pub const $field: Field<$kind> = Field { index: FieldIndex::$field as u16, of: PhantomData };
        )* )*
    };
}

// An object's own fields come before the objects inside it; an object is listed right behind its parent's block or a
// sibling of it (depth first), so that a document written in this order never opens an object twice.
ecs_table! {
    ROOT in ROOT at 0 opens "" { }
    ECS in ROOT at 1 opens "ecs" { ECS_VERSION: Keyword = "version", }
    EVENT in ROOT at 1 opens "event" {
        EVENT_MODULE: Keyword = "module",
        EVENT_DATASET: Keyword = "dataset",
        EVENT_KIND: Keyword = "kind",
        EVENT_CATEGORY: KeywordList = "category",
        EVENT_TYPE: KeywordList = "type",
        EVENT_ACTION: Keyword = "action",
        EVENT_OUTCOME: Keyword = "outcome",
        EVENT_CODE: Keyword = "code",
        EVENT_ID: Keyword = "id",
        EVENT_PROVIDER: Keyword = "provider",
        EVENT_REASON: Keyword = "reason",
        EVENT_SEVERITY: Long = "severity",
        EVENT_RISK_SCORE: Float = "risk_score",
        EVENT_SEQUENCE: Long = "sequence",
        EVENT_HASH: Keyword = "hash",
        EVENT_URL: Keyword = "url",
        EVENT_CREATED: Date = "created",
        EVENT_START: Date = "start",
        EVENT_END: Date = "end",
        EVENT_DURATION: Long = "duration",
        EVENT_TIMEZONE: Keyword = "timezone",
    }
    ROOT_TIME in ROOT at 0 opens "" { TIMESTAMP: Date = "@timestamp", MESSAGE: Text = "message", }
    SOURCE in ROOT at 1 opens "source" {
        SOURCE_ADDRESS: Keyword = "address",
        SOURCE_IP: Ip = "ip",
        SOURCE_PORT: Long = "port",
        SOURCE_DOMAIN: Keyword = "domain",
        SOURCE_MAC: Keyword = "mac",
        SOURCE_BYTES: Long = "bytes",
        SOURCE_PACKETS: Long = "packets",
    }
    SOURCE_GEO in SOURCE at 2 opens "geo" {
        SOURCE_GEO_COUNTRY_ISO_CODE: Keyword = "country_iso_code",
    }
    SOURCE_AS in SOURCE at 2 opens "as" { SOURCE_AS_NUMBER: Long = "number", }
    SOURCE_NAT in SOURCE at 2 opens "nat" { SOURCE_NAT_IP: Ip = "ip", SOURCE_NAT_PORT: Long = "port", }
    SOURCE_USER in SOURCE at 2 opens "user" { SOURCE_USER_NAME: Keyword = "name", }
    DESTINATION in ROOT at 1 opens "destination" {
        DESTINATION_ADDRESS: Keyword = "address",
        DESTINATION_IP: Ip = "ip",
        DESTINATION_PORT: Long = "port",
        DESTINATION_DOMAIN: Keyword = "domain",
        DESTINATION_MAC: Keyword = "mac",
        DESTINATION_BYTES: Long = "bytes",
        DESTINATION_PACKETS: Long = "packets",
    }
    DESTINATION_NAT in DESTINATION at 2 opens "nat" { DESTINATION_NAT_IP: Ip = "ip", DESTINATION_NAT_PORT: Long = "port", }
    CLIENT in ROOT at 1 opens "client" {
        CLIENT_ADDRESS: Keyword = "address", CLIENT_IP: Ip = "ip", CLIENT_PORT: Long = "port", CLIENT_DOMAIN: Keyword = "domain",
    }
    SERVER in ROOT at 1 opens "server" {
        SERVER_ADDRESS: Keyword = "address", SERVER_IP: Ip = "ip", SERVER_PORT: Long = "port", SERVER_DOMAIN: Keyword = "domain",
    }
    NETWORK in ROOT at 1 opens "network" {
        NETWORK_TYPE: Keyword = "type",
        NETWORK_TRANSPORT: Keyword = "transport",
        NETWORK_IANA_NUMBER: Keyword = "iana_number",
        NETWORK_PROTOCOL: Keyword = "protocol",
        NETWORK_APPLICATION: Keyword = "application",
        NETWORK_DIRECTION: Keyword = "direction",
        NETWORK_BYTES: Long = "bytes",
        NETWORK_PACKETS: Long = "packets",
        NETWORK_NAME: Keyword = "name",
        NETWORK_FORWARDED_IP: Ip = "forwarded_ip",
    }
    HTTP in ROOT at 1 opens "http" { HTTP_VERSION: Keyword = "version", }
    HTTP_REQUEST in HTTP at 2 opens "request" {
        HTTP_REQUEST_METHOD: Keyword = "method",
        HTTP_REQUEST_ID: Keyword = "id",
        HTTP_REQUEST_REFERRER: Keyword = "referrer",
        HTTP_REQUEST_MIME_TYPE: Keyword = "mime_type",
        HTTP_REQUEST_BYTES: Long = "bytes",
    }
    HTTP_REQUEST_BODY in HTTP_REQUEST at 3 opens "body" { HTTP_REQUEST_BODY_BYTES: Long = "bytes", }
    HTTP_RESPONSE in HTTP at 2 opens "response" {
        HTTP_RESPONSE_STATUS_CODE: Long = "status_code",
        HTTP_RESPONSE_MIME_TYPE: Keyword = "mime_type",
        HTTP_RESPONSE_BYTES: Long = "bytes",
    }
    HTTP_RESPONSE_BODY in HTTP_RESPONSE at 3 opens "body" { HTTP_RESPONSE_BODY_BYTES: Long = "bytes", }
    URL in ROOT at 1 opens "url" {
        URL_ORIGINAL: Keyword = "original",
        URL_FULL: Keyword = "full",
        URL_SCHEME: Keyword = "scheme",
        URL_DOMAIN: Keyword = "domain",
        URL_PORT: Long = "port",
        URL_PATH: Keyword = "path",
        URL_EXTENSION: Keyword = "extension",
        URL_QUERY: Keyword = "query",
        URL_FRAGMENT: Keyword = "fragment",
        URL_USERNAME: Keyword = "username",
    }
    USER_AGENT in ROOT at 1 opens "user_agent" { USER_AGENT_ORIGINAL: Keyword = "original", }
    TLS in ROOT at 1 opens "tls" {
        TLS_VERSION: Keyword = "version",
        TLS_VERSION_PROTOCOL: Keyword = "version_protocol",
        TLS_CIPHER: Keyword = "cipher",
        TLS_NEXT_PROTOCOL: Keyword = "next_protocol",
        TLS_ESTABLISHED: Boolean = "established",
        TLS_RESUMED: Boolean = "resumed",
        TLS_CURVE: Keyword = "curve",
    }
    TLS_CLIENT in TLS at 2 opens "client" {
        TLS_CLIENT_SERVER_NAME: Keyword = "server_name",
        TLS_CLIENT_SUBJECT: Keyword = "subject",
        TLS_CLIENT_ISSUER: Keyword = "issuer",
        TLS_CLIENT_JA3: Keyword = "ja3",
    }
    USER in ROOT at 1 opens "user" {
        USER_NAME: Keyword = "name",
        USER_ID: Keyword = "id",
        USER_FULL_NAME: Keyword = "full_name",
        USER_DOMAIN: Keyword = "domain",
        USER_EMAIL: Keyword = "email",
        USER_ROLES: KeywordList = "roles",
    }
    USER_GROUP in USER at 2 opens "group" { USER_GROUP_NAME: Keyword = "name", USER_GROUP_ID: Keyword = "id", }
    USER_EFFECTIVE in USER at 2 opens "effective" { USER_EFFECTIVE_NAME: Keyword = "name", USER_EFFECTIVE_ID: Keyword = "id", }
    USER_TARGET in USER at 2 opens "target" { USER_TARGET_NAME: Keyword = "name", USER_TARGET_ID: Keyword = "id", }
    USER_CHANGES in USER at 2 opens "changes" { USER_CHANGES_NAME: Keyword = "name", USER_CHANGES_ID: Keyword = "id", }
    GROUP in ROOT at 1 opens "group" { GROUP_NAME: Keyword = "name", GROUP_ID: Keyword = "id", }
    ERROR in ROOT at 1 opens "error" {
        ERROR_CODE: Keyword = "code", ERROR_MESSAGE: Text = "message", ERROR_TYPE: Keyword = "type", ERROR_STACK_TRACE: Keyword = "stack_trace",
    }
    RULE in ROOT at 1 opens "rule" {
        RULE_ID: Keyword = "id", RULE_NAME: Keyword = "name", RULE_RULESET: Keyword = "ruleset", RULE_CATEGORY: Keyword = "category",
        RULE_DESCRIPTION: Keyword = "description", RULE_VERSION: Keyword = "version",
    }
    FILE in ROOT at 1 opens "file" {
        FILE_PATH: Keyword = "path", FILE_NAME: Keyword = "name", FILE_SIZE: Long = "size",
    }
    FILE_HASH in FILE at 2 opens "hash" { FILE_HASH_SHA256: Keyword = "sha256", }
    PROCESS in ROOT at 1 opens "process" {
        PROCESS_NAME: Keyword = "name",
        PROCESS_PID: Long = "pid",
        PROCESS_EXECUTABLE: Keyword = "executable",
        PROCESS_COMMAND_LINE: Keyword = "command_line",
        PROCESS_WORKING_DIRECTORY: Keyword = "working_directory",
        PROCESS_EXIT_CODE: Long = "exit_code",
    }
    PROCESS_THREAD in PROCESS at 2 opens "thread" { PROCESS_THREAD_ID: Long = "id", PROCESS_THREAD_NAME: Keyword = "name", }
    HOST in ROOT at 1 opens "host" {
        HOST_NAME: Keyword = "name", HOST_HOSTNAME: Keyword = "hostname", HOST_ID: Keyword = "id", HOST_IP: Ip = "ip",
    }
    OBSERVER in ROOT at 1 opens "observer" {
        OBSERVER_VENDOR: Keyword = "vendor", OBSERVER_PRODUCT: Keyword = "product", OBSERVER_NAME: Keyword = "name",
        OBSERVER_TYPE: Keyword = "type", OBSERVER_HOSTNAME: Keyword = "hostname", OBSERVER_IP: Ip = "ip",
    }
    OBSERVER_INGRESS in OBSERVER at 2 opens "ingress" { }
    OBSERVER_INGRESS_INTERFACE in OBSERVER_INGRESS at 3 opens "interface" { OBSERVER_INGRESS_INTERFACE_NAME: Keyword = "name", }
    SERVICE in ROOT at 1 opens "service" {
        SERVICE_NAME: Keyword = "name", SERVICE_TYPE: Keyword = "type", SERVICE_ID: Keyword = "id", SERVICE_VERSION: Keyword = "version",
        SERVICE_ENVIRONMENT: Keyword = "environment",
    }
    SERVICE_NODE in SERVICE at 2 opens "node" { SERVICE_NODE_NAME: Keyword = "name", }
    CONTAINER in ROOT at 1 opens "container" { CONTAINER_ID: Keyword = "id", CONTAINER_NAME: Keyword = "name", CONTAINER_RUNTIME: Keyword = "runtime", }
    CONTAINER_IMAGE in CONTAINER at 2 opens "image" { CONTAINER_IMAGE_NAME: Keyword = "name", }
    ORCHESTRATOR in ROOT at 1 opens "orchestrator" { ORCHESTRATOR_TYPE: Keyword = "type", }
    ORCHESTRATOR_CLUSTER in ORCHESTRATOR at 2 opens "cluster" { ORCHESTRATOR_CLUSTER_NAME: Keyword = "name", }
    DNS in ROOT at 1 opens "dns" { DNS_TYPE: Keyword = "type", DNS_ID: Keyword = "id", DNS_RESPONSE_CODE: Keyword = "response_code", }
    DNS_QUESTION in DNS at 2 opens "question" { DNS_QUESTION_NAME: Keyword = "name", DNS_QUESTION_TYPE: Keyword = "type", DNS_QUESTION_CLASS: Keyword = "class", }
    TRACE in ROOT at 1 opens "trace" { TRACE_ID: Keyword = "id", }
    TRANSACTION in ROOT at 1 opens "transaction" { TRANSACTION_ID: Keyword = "id", }
    SPAN in ROOT at 1 opens "span" { SPAN_ID: Keyword = "id", }
    LOG in ROOT at 1 opens "log" { LOG_LEVEL: Keyword = "level", LOG_LOGGER: Keyword = "logger", }
    LOG_ORIGIN in LOG at 2 opens "origin" { LOG_ORIGIN_FUNCTION: Keyword = "function", }
    LOG_ORIGIN_FILE in LOG_ORIGIN at 3 opens "file" { LOG_ORIGIN_FILE_NAME: Keyword = "name", LOG_ORIGIN_FILE_LINE: Long = "line", }
    LOG_SYSLOG in LOG at 2 opens "syslog" {
        LOG_SYSLOG_PRIORITY: Long = "priority", LOG_SYSLOG_HOSTNAME: Keyword = "hostname", LOG_SYSLOG_APPNAME: Keyword = "appname",
        LOG_SYSLOG_PROCID: Keyword = "procid", LOG_SYSLOG_MSGID: Keyword = "msgid", LOG_SYSLOG_VERSION: Keyword = "version",
    }
    LOG_SYSLOG_FACILITY in LOG_SYSLOG at 3 opens "facility" { LOG_SYSLOG_FACILITY_CODE: Long = "code", LOG_SYSLOG_FACILITY_NAME: Keyword = "name", }
    LOG_SYSLOG_SEVERITY in LOG_SYSLOG at 3 opens "severity" { LOG_SYSLOG_SEVERITY_CODE: Long = "code", LOG_SYSLOG_SEVERITY_NAME: Keyword = "name", }
    ORGANIZATION in ROOT at 1 opens "organization" { ORGANIZATION_ID: Keyword = "id", }
    CLOUD in ROOT at 1 opens "cloud" {
        CLOUD_PROVIDER: Keyword = "provider", CLOUD_REGION: Keyword = "region", CLOUD_AVAILABILITY_ZONE: Keyword = "availability_zone",
    }
    CLOUD_ACCOUNT in CLOUD at 2 opens "account" { CLOUD_ACCOUNT_ID: Keyword = "id", }
    CLOUD_INSTANCE in CLOUD at 2 opens "instance" { CLOUD_INSTANCE_ID: Keyword = "id", }
    CLOUD_SERVICE in CLOUD at 2 opens "service" { CLOUD_SERVICE_NAME: Keyword = "name", }
    RELATED in ROOT at 1 opens "related" {
        RELATED_IP: KeywordList = "ip", RELATED_USER: KeywordList = "user", RELATED_HOSTS: KeywordList = "hosts", RELATED_HASH: KeywordList = "hash",
    }
    ROOT_TAGS in ROOT at 0 opens "" { TAGS: KeywordList = "tags", }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_nothing_else_is() {
        assert_eq!(find("http.request.method"), Some(Found::Field(HTTP_REQUEST_METHOD.into())));
        assert_eq!(find("@timestamp"), Some(Found::Field(TIMESTAMP.into())));
        assert_eq!((find("http.request"), find("http")), (Some(Found::Object), Some(Found::Object)));
        for name in ["", "http.", "http.request.method.x", "HTTP", "app", "request.method"] {
            assert_eq!(find(name), None, "{name}");
        }
        for name in names() {
            assert!(
                matches!(find(&name), Some(Found::Field(field)) if dotted_name(field.index) == name),
                "{name}"
            );
        }
        assert_eq!(AnyField::from(SOURCE_IP).kind(), FieldKind::Ip);
        assert!(AnyField::from(EVENT_KIND) < AnyField::from(TIMESTAMP));
    }
}
