//! FireLens: what Fluent Bit in an ECS task sends on, an object a line for each line that a container wrote.
//!
//! The `log` string is the frame, its carrier the whole object. The container's name and what is the same for all its
//! lines (cluster, task, output) make the stream; any other field goes with the frame. An object that is no FireLens
//! record is a frame of the member's own stream, as it stands.
//!
//! Source: Amazon ECS developer guide, "Send Amazon ECS logs to an AWS service or AWS Partner"; Fluent Bit's `date`.

use memchr::memmem;
use serde_json::value::RawValue;

use super::{Members, text_of, without_line_end};
use crate::ingest::frame::{Opening, Sink, StreamSlot, Value, Values};
use crate::ingest::stream::{StreamKey, Wrapped};

/// Fields that are the same for all lines of a container's output, in the order that a stream's attributes have.
const STREAM_FIELDS: [&str; 8] = [
    "container_id",
    "container_name",
    "source",
    "ecs_cluster",
    "ecs_task_arn",
    "ecs_task_definition",
    "ec2_instance_id",
    "container_image",
];
/// Fields of which one tells a record from any other object with a `log`.
const MARKS: [&str; 3] = ["container_id", "container_name", "ecs_task_arn"];

/// Takes FireLens records.
pub(crate) struct FireLens {
    member: Option<String>,
}

impl FireLens {
    /// For a member of an object.
    pub(crate) fn new(member: Option<String>) -> Self {
        Self { member }
    }

    /// Whether a file that begins so holds FireLens records. A line may be longer than what is seen of it here.
    pub(crate) fn begins(head: &[u8]) -> bool {
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
        let names = |name: &str| memmem::find(head, format!("\"{name}\"").as_bytes()).is_some();
        head.starts_with(b"{") && names("log") && MARKS.iter().any(|mark| names(mark))
    }

    /// Whether a file that begins so may yet turn out to hold them: a long line stands before what tells.
    pub(crate) fn may_begin(head: &[u8]) -> bool {
        head.trim_ascii_start().starts_with(b"{") && memmem::find(head, b"\"log\"").is_some()
    }

    /// Hands on a record; false when the object is none.
    fn record(&self, value: Value<'_>, sink: &mut Sink<'_>) -> bool {
        let Ok(Members(mut members)) = serde_json::from_slice::<Members<'_>>(value.bytes) else {
            return false;
        };
        let Some(log) = members.iter().position(|(name, _)| name == "log") else { return false };
        if !members.iter().any(|(name, _)| MARKS.contains(&&**name)) {
            return false;
        }
        let log: &RawValue = members.remove(log).1;
        let mut key = StreamKey { member: self.member.clone(), ..StreamKey::default() };
        for field in STREAM_FIELDS {
            if let Some(index) = members.iter().position(|(name, _)| name == field) {
                let text = text_of(members.remove(index).1).into_owned();
                if field == "container_name" {
                    key.container = Some(text.clone());
                }
                key.attributes.push((field.to_owned(), text));
            }
        }
        let time_ns = members.iter().find_map(|(name, value)| match &**name {
            "time" | "date" => nanoseconds(value),
            _ => None,
        });
        let wrapped = Wrapped {
            id: None,
            time_ns,
            attributes: members
                .into_iter()
                .map(|(name, value)| (name.into_owned(), text_of(value).into_owned()))
                .collect(),
            envelope: None,
        };
        let text = text_of(log);
        let slot = sink.stream(key);
        sink.wrapped_frame(slot, without_line_end(&text).as_bytes(), value.offset, value.carrier, wrapped);
        true
    }
}

/// A time as Fluent Bit and Docker write it: RFC 3339, or seconds since 1970 with a fraction.
fn nanoseconds(value: &RawValue) -> Option<i64> {
    let text = text_of(value);
    let (seconds, fraction) = text.split_once('.').unwrap_or((&text, ""));
    if let Ok(seconds) = seconds.parse::<i64>() {
        // To nine digits, by cutting or filling up with zeros.
        let fraction: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
        return seconds.checked_mul(1_000_000_000)?.checked_add(fraction.parse().ok()?);
    }
    let time: jiff::Timestamp = text.parse().ok()?;
    i64::try_from(time.as_nanosecond()).ok()
}

impl Values for FireLens {
    fn opening(&mut self, _opening: Opening<'_>, _sink: &mut Sink<'_>) -> bool {
        true
    }

    fn value(&mut self, value: Value<'_>, sink: &mut Sink<'_>) {
        if !self.record(value, sink) {
            sink.frame(StreamSlot::MAIN, value.bytes, value.offset, value.carrier);
        }
    }

    fn closed(&mut self, _sink: &mut Sink<'_>) {}
}
