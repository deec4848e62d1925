//! CloudWatch Logs subscription data: envelopes of log events, one or many, concatenated or a line each, as a Lambda, a
//! Kinesis stream or Firehose gets them (Firehose's gzip members are undone before).
//!
//! Each element of `logEvents` is a frame: its `message`, without one line end. Its carrier is the whole element, its
//! offset the element's; the envelope around the elements is framing. Elements are opened one at a time, so an
//! envelope of any size streams. The events of a `CONTROL_MESSAGE`, with which the service probes a destination, are
//! counted and go to no parser.
//!
//! Source: CloudWatch Logs user guide, "Real-time processing of log data with subscriptions".

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{Members, members, text_of, without_line_end};
use crate::ingest::frame::scan::{BracketScan, Scan};
use crate::ingest::frame::{Opening, Sink, StreamSlot, Value, Values};
use crate::ingest::stream::{DamageReason, EnvelopePosition, StreamKey, UnparsedReason, Wrapped};

const WRAPPER: &str = "CloudWatch Logs";

/// The pointer at which an envelope's events lie.
pub(crate) fn pointers() -> Vec<Vec<Vec<u8>>> {
    vec![vec![b"logEvents".to_vec()]]
}

/// Whether the first object of a member, as far as it is at hand, is an envelope.
pub(crate) fn detect(head: &[u8]) -> bool {
    let members = members(head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head));
    let value = |key: &str| members.iter().find(|(name, _)| *name == key.as_bytes()).map(|(_, value)| *value);
    let Some(events) = value("logEvents").and_then(|events| events.strip_prefix(b"[")) else { return false };
    let message_type = value("messageType").is_some_and(|kind| {
        kind.starts_with(b"\"DATA_MESSAGE\"") || kind.starts_with(b"\"CONTROL_MESSAGE\"")
    });
    if message_type || value("logGroup").is_some() && value("logStream").is_some() {
        return true;
    }
    // Keys may be sorted, so that the events come before what names them.
    let event = super::members(events);
    ["id", "timestamp", "message"].iter().all(|key| event.iter().any(|(name, _)| *name == key.as_bytes()))
}

/// What an envelope says of all its events.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head<'text> {
    #[serde(borrow)]
    message_type: Option<Cow<'text, str>>,
    #[serde(borrow)]
    owner: Option<Cow<'text, str>>,
    #[serde(borrow)]
    log_group: Option<Cow<'text, str>>,
    #[serde(borrow)]
    log_stream: Option<Cow<'text, str>>,
    #[serde(default)]
    subscription_filters: Vec<String>,
    #[serde(default, rename = "logEvents")]
    _log_events: IgnoredAny,
}

impl Head<'_> {
    fn is_complete(&self) -> bool {
        self.message_type.is_some()
            && self.owner.is_some()
            && self.log_group.is_some()
            && self.log_stream.is_some()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogEvent<'text> {
    #[serde(borrow)]
    id: Option<Cow<'text, str>>,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    timestamp: Option<i64>,
    #[serde(borrow)]
    message: &'text RawValue,
    /// What a space-delimited or JSON filter pattern took out of the message.
    #[serde(borrow)]
    extracted_fields: Option<Members<'text>>,
}

/// An envelope whose events are being walked.
struct Envelope {
    offset: u64,
    /// The stream of its events; `None` for a control message.
    slot: Option<StreamSlot>,
    index: u32,
}

/// Takes the events of envelopes.
pub(crate) struct CloudWatchLogs {
    member: Option<String>,
    envelope: Option<Envelope>,
}

impl CloudWatchLogs {
    /// For a member of an object.
    pub(crate) fn new(member: Option<String>) -> Self {
        Self { member, envelope: None }
    }

    fn key(&self, head: &Head<'_>) -> StreamKey {
        let owned = |value: &Option<Cow<'_, str>>| value.as_deref().map(str::to_owned);
        StreamKey {
            member: self.member.clone(),
            account: owned(&head.owner),
            log_group: owned(&head.log_group),
            log_stream: owned(&head.log_stream),
            container: None,
            attributes: head
                .subscription_filters
                .iter()
                .map(|filter| ("subscriptionFilter".to_owned(), filter.clone()))
                .collect(),
        }
    }
}

/// The envelope without its events, when they are the last of it; else with them, when it is at hand to its end.
fn read_head<'text>(opening: Opening<'text>, buffer: &'text mut Vec<u8>) -> Option<Head<'text>> {
    buffer.extend_from_slice(opening.document.get(..opening.prefix)?);
    buffer.extend_from_slice(b"]}");
    match serde_json::from_slice::<Head<'text>>(buffer) {
        Ok(head) if head.is_complete() => Some(head),
        before => match BracketScan::new().scan(opening.document, 0, false, b"") {
            Scan::End(end) => serde_json::from_slice(&opening.document[..end]).ok().or(before.ok()),
            Scan::More(_) | Scan::Broken(..) if opening.all => Some(before.unwrap_or_default()),
            Scan::More(_) | Scan::Broken(..) => None,
        },
    }
}

impl Values for CloudWatchLogs {
    fn opening(&mut self, opening: Opening<'_>, sink: &mut Sink<'_>) -> bool {
        let mut buffer = Vec::new();
        let head = read_head(opening, &mut buffer);
        if head.is_none() && !opening.all {
            return false;
        }
        let head = head.unwrap_or_default();
        let control = head.message_type.as_deref() == Some("CONTROL_MESSAGE");
        let slot = (!control).then(|| sink.stream(self.key(&head)));
        self.envelope = Some(Envelope { offset: opening.offset, slot, index: 0 });
        true
    }

    fn value(&mut self, value: Value<'_>, sink: &mut Sink<'_>) {
        let refuse = |detail: String| DamageReason::BadEnvelope { wrapper: WRAPPER, detail };
        let Some(envelope) = self.envelope.as_mut().filter(|_| value.element) else {
            let reason = refuse("no logEvents".to_owned());
            sink.damage(StreamSlot::MAIN, value.offset, value.bytes, reason);
            return;
        };
        let position = EnvelopePosition { offset: envelope.offset, index: envelope.index };
        envelope.index = envelope.index.saturating_add(1);
        let Some(slot) = envelope.slot else {
            let carrier = value.bytes.len() as u64;
            sink.unparsed(StreamSlot::MAIN, value.offset, carrier, UnparsedReason::Control);
            return;
        };
        let event: LogEvent<'_> = match serde_json::from_slice(value.bytes) {
            Ok(event) => event,
            Err(error) => {
                sink.damage(slot, value.offset, value.bytes, refuse(error.to_string()));
                return;
            }
        };
        let attributes = event.extracted_fields.map_or_else(Vec::new, |Members(fields)| {
            fields.into_iter().map(|(name, field)| (name.into_owned(), text_of(field).into_owned())).collect()
        });
        let wrapped = Wrapped {
            id: event.id.map(Cow::into_owned),
            time_ns: event.timestamp.and_then(|milliseconds| milliseconds.checked_mul(1_000_000)),
            attributes,
            envelope: Some(position),
        };
        let message = text_of(event.message);
        let frame = without_line_end(&message).as_bytes();
        sink.wrapped_frame(slot, frame, value.offset, value.bytes.len(), wrapped);
    }

    fn closed(&mut self, sink: &mut Sink<'_>) {
        if let Some(Envelope { offset, slot: None, index: 0 }) = self.envelope.take() {
            // A control message without events is counted all the same.
            sink.unparsed(StreamSlot::MAIN, offset, 0, UnparsedReason::Control);
        }
    }
}
