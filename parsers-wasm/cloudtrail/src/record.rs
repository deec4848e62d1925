//! One CloudTrail record: read in one walk, then written field by field.
//!
//! **Members whose types change.** CloudTrail documents the record's own members, but what an API puts into
//! `requestParameters` and the like differs from call to call: the same name is text here and an object there. The one
//! rule for all of them: such a member is always an object. A value that is no object stands in it as `value`; absent
//! and `null` are the same. What is documented to have one type is written with it: text as text, flags as booleans. Together with an index that takes these objects as flat ones (`flat_object` in OpenSearch),
//! no record is refused for its types.

use crate::action::{self, Classes};
use crate::identity::{self, Identity};
use crate::targets;
use weir_parser_sdk::fit::{Bounds, TEXT_MEMBER};
use weir_parser_sdk::reader::{JsonText, Raw, Reader, Runs, Shape};
use weir_parser_sdk::text;
use weir_parser_sdk::{
    Category, Event, EventOutcome, Kind, ObjectWriter, ParseError, SOURCE, Type, ecs, ip_version,
};

/// What the ECS fields are made of. Everything else is in the vendor's tree already.
#[derive(Default)]
pub(crate) struct Record<'a> {
    pub(crate) name: Option<JsonText<'a>>,
    pub(crate) source: Option<JsonText<'a>>,
    pub(crate) address: Option<JsonText<'a>>,
    pub(crate) agent: Option<JsonText<'a>>,
    pub(crate) request: Option<Raw<'a>>,
    pub(crate) response: Option<Raw<'a>>,
    pub(crate) identity: Identity<'a>,
    id: Option<JsonText<'a>>,
    time: Option<JsonText<'a>>,
    region: Option<JsonText<'a>>,
    recipient: Option<JsonText<'a>>,
    error_code: Option<JsonText<'a>>,
    error_message: Option<JsonText<'a>>,
    insight: Insight<'a>,
    tls: Tls<'a>,
    read_only: Option<bool>,
    is_insight: bool,
    fields: u32,
    depth: u32,
}

#[derive(Default)]
struct Tls<'a> {
    version: Option<JsonText<'a>>,
    cipher: Option<JsonText<'a>>,
    host: Option<JsonText<'a>>,
}

#[derive(Default)]
struct Insight<'a> {
    state: Option<JsonText<'a>>,
    source: Option<JsonText<'a>>,
    name: Option<JsonText<'a>>,
    kind: Option<JsonText<'a>>,
    error_code: Option<JsonText<'a>>,
}

impl<'a> Record<'a> {
    /// Walks the record, and copies its members into the vendor's tree.
    pub(crate) fn read(
        reader: &mut Reader<'a>,
        text: &'a str,
        event: &mut Event<'_>,
    ) -> Result<Self, ParseError> {
        let mut record = Record::default();
        let mut walk = Walk {
            text,
            reader,
            runs: Runs::new(text),
            out: event.vendor(),
            fields: 0,
            depth: 0,
            member: 0,
            object: 0,
        };
        walk.reader.object();
        while let Some(key) = walk.reader.key() {
            match key.raw() {
                // An empty name is none: no event is without an action.
                "eventName" => record.name = walk.text(key).filter(|name| !name.is_absent()),
                "eventSource" => record.source = walk.text(key),
                "sourceIPAddress" => record.address = walk.text(key),
                "userAgent" => record.agent = walk.text(key),
                "eventID" => record.id = walk.text(key),
                "eventTime" => record.time = walk.text(key),
                "awsRegion" => record.region = walk.text(key),
                "recipientAccountId" => record.recipient = walk.text(key),
                "errorCode" => record.error_code = walk.text(key),
                "errorMessage" => record.error_message = walk.text(key),
                "eventCategory" => {
                    record.is_insight |= walk.text(key).is_some_and(|kind| kind.raw() == "Insight");
                }
                "eventType" => {
                    record.is_insight |=
                        walk.text(key).is_some_and(|kind| kind.raw() == "AwsCloudTrailInsight");
                }
                "eventVersion"
                | "requestID"
                | "apiVersion"
                | "sharedEventID"
                | "vpcEndpointId"
                | "vpcEndpointAccountId"
                | "sessionCredentialFromConsole" => {
                    walk.text(key);
                }
                "readOnly" => record.read_only = walk.flag("readOnly")?,
                "managementEvent" => {
                    walk.flag("managementEvent")?;
                }
                "requestParameters" => record.request = walk.tree("requestParameters"),
                "responseElements" => record.response = walk.tree("responseElements"),
                "insightDetails" => {
                    if let Some(details) = walk.tree("insightDetails") {
                        record.insight = Insight::read(details);
                    }
                }
                "userIdentity" => {
                    if walk.enters("userIdentity") {
                        record.identity = Identity::read(walk.reader);
                        let Identity { fields, depth, odd, unknown, .. } = record.identity;
                        if unknown && !odd {
                            walk.left_with_texts("userIdentity", fields, depth);
                        } else {
                            walk.left("userIdentity", fields, depth, odd);
                        }
                    }
                }
                "tlsDetails" => {
                    if walk.enters("tlsDetails") {
                        let (fields, depth, odd) = record.tls.read(walk.reader);
                        walk.left("tlsDetails", fields, depth, odd);
                    }
                }
                name @ ("additionalEventData"
                | "serviceEventDetails"
                | "addendum"
                | "edgeDeviceDetails"
                | "eventContext") => {
                    walk.tree(name);
                }
                "resources" => walk.list("resources"),
                _ => walk.other(key),
            }
        }
        walk.runs.flush(&mut walk.out);
        (record.fields, record.depth) = (walk.fields, walk.depth);
        Ok(record)
    }

    /// Whether the object names an event; else it is something that wraps records, or none of CloudTrail's.
    pub(crate) fn is_record(&self) -> bool {
        self.name.is_some() || (self.is_insight && self.insight.name.is_some())
    }

    pub(crate) fn exceeds(&self, bounds: Bounds) -> bool {
        self.fields > bounds.fields || self.depth >= bounds.depth
    }

    /// Writes the ECS fields, in the order in which documents carry them.
    pub(crate) fn write(&self, wrapper_time: Option<i64>, event: &mut Event<'_>) {
        let name = self.name.or(self.insight.name);
        let source = self.source.or(self.insight.source);
        let targets = targets::find(self);
        self.write_kind(event);
        event.set_text(ecs::EVENT_ACTION, name);
        event.set(ecs::EVENT_OUTCOME, self.outcome());
        event.set_text(ecs::EVENT_ID, self.id);
        event.set_text(ecs::EVENT_PROVIDER, source);
        let time = self.time.and_then(|time| event.context().parse_iso(time.raw())).or(wrapper_time);
        if let Some(time) = time {
            event.timestamp(time);
        }
        self.write_source(event);
        event.set_text(ecs::USER_AGENT_ORIGINAL, self.agent);
        self.tls.write(event);
        self.identity.write(&targets, event);
        targets.write_group(event);
        event.set_text(ecs::ERROR_CODE, self.error_code.or(self.insight.error_code));
        event.set_text(ecs::ERROR_MESSAGE, self.error_message);
        event.set_text(ecs::RULE_NAME, if self.is_insight { self.insight.kind } else { name });
        event.set(ecs::CLOUD_PROVIDER, "aws");
        let account = self.recipient.or(self.identity.account).map(JsonText::unescape);
        event.cloud(account.as_deref(), self.region.map(JsonText::unescape).as_deref());
        event.set_text(ecs::CLOUD_INSTANCE_ID, targets.instance);
    }

    fn write_kind(&self, event: &mut Event<'_>) {
        if self.is_insight {
            let kind = match self.insight.state.map(JsonText::raw) {
                Some("Start") => Type::Start,
                Some("End") => Type::End,
                _ => Type::Info,
            };
            event.categorize(Kind::Alert, &[Category::Api], &[kind]);
            return;
        }
        let text = |value: Option<JsonText<'a>>| value.map(JsonText::raw).unwrap_or_default();
        let Classes { category, types } =
            action::classify(text(self.source), text(self.name), self.read_only);
        event.categorize(Kind::Event, &[category], types.as_slice());
    }

    /// An Insight reports a rate of calls, which neither succeeds nor fails.
    fn outcome(&self) -> EventOutcome {
        let says = |value: Option<JsonText<'a>>| value.is_some_and(|text| !text.is_absent());
        if self.is_insight {
            EventOutcome::Unknown
        } else if says(self.error_code) || says(self.error_message) || targets::response_says_failure(self) {
            EventOutcome::Failure
        } else {
            EventOutcome::Success
        }
    }

    /// An address, the name of an AWS service, or words such as `AWS Internal`, which are no domain.
    fn write_source(&self, event: &mut Event<'_>) {
        let Some(address) = self.address else { return };
        let text = address.unescape();
        if ip_version(&text).is_some() || (text::has(&text, b'.') && !text::has(&text, b' ')) {
            event.set_endpoint(SOURCE, &text, None);
        } else {
            event.set_text(ecs::SOURCE_ADDRESS, Some(address));
        }
    }
}

impl<'a> Tls<'a> {
    /// Reads the object that `reader` stands before; its fields and levels, and whether a member is no text.
    fn read(&mut self, reader: &mut Reader<'a>) -> (u32, u32, bool) {
        let (mut fields, mut depth, mut odd) = (0, 1, false);
        reader.object();
        while let Some(key) = reader.key() {
            let value = reader.value();
            fields += 1 + value.fields;
            depth = depth.max(1 + value.depth);
            odd |= !matches!(value.shape, Shape::String | Shape::Null);
            match key.raw() {
                "tlsVersion" => self.version = value.string(),
                "cipherSuite" => self.cipher = value.string(),
                "clientProvidedHostHeader" => self.host = value.string(),
                _ => {}
            }
        }
        (fields, depth, odd)
    }

    fn write(&self, event: &mut Event<'_>) {
        if let Some(version) = self.version.filter(|version| !version.is_absent()) {
            // `TLSv1.2`; ECS wants number and protocol apart.
            match version.raw().strip_prefix("TLSv") {
                Some(number) => {
                    event.set(ecs::TLS_VERSION, version.part(number));
                    event.set(ecs::TLS_VERSION_PROTOCOL, "tls");
                }
                None => event.set(ecs::TLS_VERSION, version),
            }
        }
        event.set_text(ecs::TLS_CIPHER, self.cipher);
        event.set_text(ecs::TLS_CLIENT_SERVER_NAME, self.host);
    }
}

impl<'a> Insight<'a> {
    fn read(details: Raw<'a>) -> Self {
        let mut insight = Insight::default();
        let mut reader = Reader::new(details.text);
        reader.object();
        while let Some(key) = reader.key() {
            let value = reader.value().string();
            match key.raw() {
                "state" => insight.state = value,
                "eventSource" => insight.source = value,
                "eventName" => insight.name = value.filter(|name| !name.is_absent()),
                "insightType" => insight.kind = value,
                "errorCode" => insight.error_code = value,
                _ => {}
            }
        }
        insight
    }
}

/// Writes a member as text: text as it stands, nothing for `null`, anything else as its JSON.
fn push_text(out: &mut ObjectWriter<'_>, key: JsonText<'_>, value: Raw<'_>) {
    match value.shape {
        Shape::Null => {}
        Shape::String => {
            out.raw_member(key, value.text);
        }
        _ => {
            out.string(&key.unescape(), value.text);
        }
    }
}

/// Whether a value is an object whose members are text, or an array of such.
fn is_list_of_texts(value: Raw<'_>) -> bool {
    let is_text = |object: Raw<'_>| {
        let mut reader = Reader::new(object.text);
        let mut texts = object.shape == Shape::Object;
        if texts {
            reader.object();
            while reader.key().is_some() {
                texts &= matches!(reader.value().shape, Shape::String | Shape::Null);
            }
        }
        texts
    };
    all(value, is_text).unwrap_or_else(|| is_text(value))
}

fn is_list_of_strings(value: Raw<'_>) -> bool {
    all(value, |item| item.shape == Shape::String).unwrap_or(false)
}

/// Whether all elements are as asked; `None` for what is no array.
fn all(value: Raw<'_>, is: impl Fn(Raw<'_>) -> bool) -> Option<bool> {
    if value.shape != Shape::Array {
        return None;
    }
    let mut reader = Reader::new(value.text);
    let mut all = true;
    reader.array();
    while reader.element() {
        all &= is(reader.value());
    }
    Some(all)
}

/// A record's walk: each member is read and copied, or written in another form.
struct Walk<'r, 'a, 'w> {
    text: &'a str,
    reader: &'r mut Reader<'a>,
    runs: Runs<'a>,
    out: ObjectWriter<'w>,
    fields: u32,
    depth: u32,
    /// Where the member and its object begin that the caller reads.
    member: usize,
    object: usize,
}

impl<'a> Walk<'_, 'a, '_> {
    #[inline]
    fn value(&mut self) -> Raw<'a> {
        let value = self.reader.value();
        self.fields += 1 + value.fields;
        self.depth = self.depth.max(value.depth);
        value
    }

    /// A member that is text; a number or boolean is written as text, too.
    #[inline]
    fn text(&mut self, key: JsonText<'a>) -> Option<JsonText<'a>> {
        let value = self.value();
        if let Some(text) = value.string() {
            self.runs.keep(self.reader);
            return Some(text);
        }
        self.runs.flush(&mut self.out);
        if value.is_null() {
            return None;
        }
        self.out.string(&key.unescape(), value.text);
        value.scalar()
    }

    /// A member that is true or false, which some exports write as text.
    #[inline]
    fn flag(&mut self, key: &str) -> Result<Option<bool>, ParseError> {
        let value = self.value();
        if value.shape == Shape::Boolean {
            self.runs.keep(self.reader);
            return Ok(Some(value.text == "true"));
        }
        self.runs.flush(&mut self.out);
        if value.is_null() {
            return Ok(None);
        }
        let word = value.string().map(JsonText::raw).unwrap_or_default();
        let flag = word.eq_ignore_ascii_case("true");
        if !flag && !word.eq_ignore_ascii_case("false") {
            return Err(ParseError::bad_field(key, "neither true nor false"));
        }
        self.out.boolean(key, flag);
        Ok(Some(flag))
    }

    /// A member that is always an object: see the module's rule.
    #[inline]
    fn tree(&mut self, key: &str) -> Option<Raw<'a>> {
        let value = self.value();
        if value.shape == Shape::Object {
            self.runs.keep(self.reader);
            return Some(value);
        }
        self.wrap(key, value);
        None
    }

    /// A member that is always an array of objects whose members are text. Indices take one object for an array of one.
    fn list(&mut self, key: &str) {
        let value = self.value();
        if is_list_of_texts(value) {
            self.runs.keep(self.reader);
        } else {
            self.wrap_text(key, value);
        }
    }

    fn wrap(&mut self, key: &str, value: Raw<'a>) {
        self.runs.flush(&mut self.out);
        if !value.is_null() {
            self.fields += 1;
            self.depth = self.depth.max(value.depth + 1);
            self.out.object(key, |object| {
                object.raw(TEXT_MEMBER, value.text);
            });
        }
    }

    /// As [`Walk::wrap`], for an object that no index maps flat: the value is text.
    fn wrap_text(&mut self, key: &str, value: Raw<'a>) {
        self.runs.flush(&mut self.out);
        if !value.is_null() {
            self.fields += 1;
            self.out.object(key, |object| {
                push_text(object, JsonText::from_raw(TEXT_MEMBER), value);
            });
        }
    }

    /// A member that CloudTrail's documentation does not know yet: text and lists of it as they stand, anything else as
    /// its JSON, so that no later record of the same name conflicts.
    fn other(&mut self, key: JsonText<'a>) {
        let value = self.value();
        if value.shape == Shape::String || is_list_of_strings(value) {
            self.runs.keep(self.reader);
            return;
        }
        self.runs.flush(&mut self.out);
        push_text(&mut self.out, key, value);
    }

    /// Whether the member is an object, which the caller then reads; else it is written as text in one.
    #[inline]
    fn enters(&mut self, key: &str) -> bool {
        if self.reader.peek() == b'{' {
            (self.member, self.object) = (self.reader.member_start(), self.reader.position());
            return true;
        }
        let value = self.value();
        self.wrap_text(key, value);
        false
    }

    /// Behind an object that the caller read. One with members of other types than documented is kept as text.
    #[inline]
    fn left(&mut self, key: &str, fields: u32, depth: u32, odd: bool) {
        self.fields += 1 + fields;
        self.depth = self.depth.max(depth);
        if !odd {
            self.runs.keep_from(self.member, self.reader);
            return;
        }
        self.runs.flush(&mut self.out);
        let value = self.text.get(self.object..self.reader.position()).unwrap_or_default();
        self.out.object(key, |object| {
            object.string(TEXT_MEMBER, value);
        });
    }

    /// Behind an identity that the caller read, in which an unknown member is no text: that member becomes its JSON.
    #[cold]
    fn left_with_texts(&mut self, key: &str, fields: u32, depth: u32) {
        self.fields += 1 + fields;
        self.depth = self.depth.max(depth);
        self.runs.flush(&mut self.out);
        let mut reader = Reader::new(self.text.get(self.object..self.reader.position()).unwrap_or_default());
        self.out.object(key, |object| {
            reader.object();
            while let Some(name) = reader.key() {
                let value = reader.value();
                let is_known = identity::OBJECTS.contains(&name.raw()) && value.shape == Shape::Object;
                if is_known {
                    object.raw_member(name, value.text);
                } else {
                    push_text(object, name, value);
                }
            }
        });
    }
}
