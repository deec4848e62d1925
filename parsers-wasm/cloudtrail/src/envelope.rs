//! Records in something else: EventBridge, CloudTrail Lake, `LookupEvents`, a whole log file as one frame, and
//! exports of tables whose column names are lower case.
//!
//! None of this is on the hot path: a frame gets here when it names no event itself.

use crate::parse_record;
use std::borrow::Cow;
use weir_parser_sdk::fit::{self, Bounds};
use weir_parser_sdk::reader::{JsonText, Raw, Reader, Shape};
use weir_parser_sdk::{Event, Outcome, ParseError, json};

/// Members that hold the record, as an object or as its text: EventBridge, Lake and `LookupEvents`.
const INNER: [&str; 3] = ["detail", "eventData", "CloudTrailEvent"];

/// What an envelope may add to its record.
const ENVELOPE_BOUNDS: Bounds = Bounds { fields: 60, depth: 10 };

pub(crate) fn parse(
    text: &str,
    wrapper_time: Option<i64>,
    event: &mut Event<'_>,
) -> Result<Outcome, ParseError> {
    let mut reader = Reader::new(text);
    let mut envelope = String::from("{");
    let mut inner = None;
    let mut records = None;
    reader.object();
    while let Some(key) = reader.key() {
        let start = reader.member_start();
        let value = reader.value();
        if INNER.contains(&key.raw()) && matches!(value.shape, Shape::Object | Shape::String) {
            inner = Some(value);
        } else if key.raw() == "Records" && value.shape == Shape::Array {
            records = Some(value);
        } else if !value.is_null() {
            if envelope.len() > 1 {
                envelope.push(',');
            }
            envelope.push_str(text.get(start..reader.position()).unwrap_or_default());
        }
    }
    if let Some(inner) = inner {
        envelope.push('}');
        let envelope = fit::fit_object(&fit::quote_large_numbers(&envelope), ENVELOPE_BOUNDS)?;
        let unescaped = inner.string().map(JsonText::unescape);
        let record = unescaped.as_deref().unwrap_or(inner.text);
        if parse_record(record, Some(&envelope), wrapper_time, event)? {
            return Ok(Outcome::Event);
        }
    } else if let Some(records) = records {
        return parse_all(records.text, wrapper_time, event);
    }
    let restored = restore_case(text, 0)?;
    if restored != text && parse_record(&restored, None, wrapper_time, event)? {
        return Ok(Outcome::Event);
    }
    Err(ParseError::missing_field("eventName"))
}

/// A whole log file in one frame: an event for each record. One that cannot be parsed condemns the frame, which is
/// then quarantined as it stands.
fn parse_all(records: &str, wrapper_time: Option<i64>, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
    let mut reader = Reader::new(records);
    reader.array();
    while reader.element() {
        let record = reader.value();
        if !parse_record(record.text, None, wrapper_time, event)? {
            return Err(ParseError::missing_field("eventName"));
        }
        event.emit();
    }
    Ok(Outcome::Emitted)
}

/// The members whose names are restored, and inside which others are.
const NAMES: [&str; 41] = [
    "eventVersion",
    "userIdentity",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "errorMessage",
    "requestParameters",
    "responseElements",
    "additionalEventData",
    "requestID",
    "eventID",
    "eventType",
    "apiVersion",
    "managementEvent",
    "readOnly",
    "resources",
    "recipientAccountId",
    "serviceEventDetails",
    "sharedEventID",
    "vpcEndpointId",
    "vpcEndpointAccountId",
    "eventCategory",
    "insightDetails",
    "addendum",
    "sessionCredentialFromConsole",
    "edgeDeviceDetails",
    "tlsDetails",
    "tlsVersion",
    "cipherSuite",
    "clientProvidedHostHeader",
    "principalId",
    "accountId",
    "accessKeyId",
    "userName",
    "invokedBy",
    "sessionContext",
    "sessionIssuer",
];

/// Objects of CloudTrail's own, whose members are restored too.
const OWN: [&str; 4] = ["userIdentity", "sessionContext", "sessionIssuer", "tlsDetails"];

/// Members that such tables hold as the text of a JSON object.
const FREE: [&str; 4] =
    ["requestParameters", "responseElements", "additionalEventData", "serviceEventDetails"];

/// The text of the JSON object that a string holds.
fn object_in(value: Raw<'_>) -> Option<Cow<'_, str>> {
    let text = value.string()?.unescape();
    let mut reader = Reader::new(&text);
    let is_object = reader.value().shape == Shape::Object;
    reader.end().ok()?;
    is_object.then_some(text)
}

/// The object with CloudTrail's own spelling of its members' names: tables in Glue and Athena know lower case only.
fn restore_case(text: &str, level: u32) -> Result<String, ParseError> {
    let mut reader = Reader::new(text);
    let mut out = Vec::with_capacity(text.len());
    reader.object();
    out.push(b'{');
    while let Some(key) = reader.key() {
        let value = reader.value();
        if out.len() > 1 {
            out.push(b',');
        }
        let name = NAMES.into_iter().find(|name| name.eq_ignore_ascii_case(key.raw()));
        out.push(b'"');
        json::push(&mut out, name.unwrap_or(key.raw()).as_bytes());
        json::push(&mut out, b"\":");
        match name {
            Some(name) if OWN.contains(&name) && value.shape == Shape::Object && level < 3 => {
                json::push(&mut out, restore_case(value.text, level + 1)?.as_bytes());
            }
            Some(name) if FREE.contains(&name) => match object_in(value) {
                Some(object) => json::push(&mut out, object.as_bytes()),
                None => json::push(&mut out, value.text.as_bytes()),
            },
            _ => json::push(&mut out, value.text.as_bytes()),
        }
    }
    out.push(b'}');
    String::from_utf8(out).map_err(|error| ParseError::other(error.to_string()))
}
