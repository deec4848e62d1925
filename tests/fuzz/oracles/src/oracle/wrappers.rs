//! Wrappers: CloudWatch Logs subscription data and FireLens records, with frames of one line and of several.

use std::sync::Arc;

use serde::Deserialize;

use super::choices;
use super::reading::{Outcome, Reading};
use crate::ingest::frame::{Framing, PreparedFraming};
use crate::ingest::stream::FrameLimits;

/// Choices: settings; sizes of reads. Then the object.
pub fn wrappers(data: &[u8]) {
    let ([settings, first, second], object) = choices::<3>(data);
    let several = settings & 2 == 2;
    let framing = if several {
        let framing = r#"{"kind": "multi-line", "start": "^[0-9\\[]", "max-lines": 4}"#;
        serde_json::from_str::<Framing>(framing).unwrap().prepare().unwrap()
    } else {
        PreparedFraming::Lines
    };
    let mut reading = Reading::new(framing);
    reading.router.0.unwrap_firelens = settings & 1 == 1;
    reading.limits = FrameLimits {
        frame_bytes: if settings & 4 == 4 { 200 } else { 1 << 20 },
        object_bytes: 4 << 20,
        ratio_after: 256 << 10,
        open_streams: if settings & 8 == 8 { 2 } else { 64 },
        ..FrameLimits::default()
    };
    let outcome = reading.check(object, [first, second]);
    if matches!(settings, 0 | 8) {
        check_envelope(&outcome, object);
    }
}

/// An envelope as the service writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Envelope {
    message_type: String,
    owner: String,
    log_group: String,
    log_stream: String,
    #[serde(rename = "subscriptionFilters")]
    _subscription_filters: Vec<String>,
    log_events: Vec<LogEvent>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogEvent {
    id: String,
    timestamp: i64,
    message: String,
}

/// Where a strict reader finds one envelope, the frames are its messages.
fn check_envelope(outcome: &Outcome, object: &[u8]) {
    let Ok(envelope) = serde_json::from_slice::<Envelope>(object) else { return };
    // An envelope is known by its type, in the service's own spelling.
    if !object.starts_with(b"{\"messageType\":\"DATA_MESSAGE\",") || envelope.message_type != "DATA_MESSAGE" {
        return;
    }
    assert!(outcome.lost.is_empty(), "damage in a valid envelope: {:?}", outcome.lost);
    assert_eq!(outcome.frames.len(), envelope.log_events.len(), "a frame for each message");
    for (index, (frame, event)) in outcome.frames.iter().zip(&envelope.log_events).enumerate() {
        let message = event.message.strip_suffix('\n').unwrap_or(&event.message);
        let message = message.strip_suffix('\r').unwrap_or(message);
        assert_eq!(frame.bytes, message.as_bytes());
        let stream = Arc::clone(&frame.stream);
        let told = (stream.account.as_ref(), stream.log_group.as_ref(), stream.log_stream.as_ref());
        assert_eq!(told, (Some(&envelope.owner), Some(&envelope.log_group), Some(&envelope.log_stream)));
        let wrapped = frame.wrapped.as_ref().expect("the wrapper's words");
        assert_eq!(wrapped.id.as_ref(), Some(&event.id));
        assert_eq!(wrapped.time_ns, event.timestamp.checked_mul(1_000_000));
        assert_eq!(wrapped.envelope.map(|envelope| envelope.index as usize), Some(index));
    }
}
