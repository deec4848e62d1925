//! A row of the archive: one event, whether it was indexed or not.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The object that rows come from.
#[derive(Debug, Clone, Copy)]
pub struct RowObject<'a> {
    pub id: [u8; 16],
    pub bucket: &'a str,
    pub key: &'a str,
    pub version: &'a str,
}

/// Whether the event is in the index, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowDecision {
    Indexed,
    /// Kept out of the index by a volume rule; it can be brought back from here.
    ArchivedOnly,
}

impl RowDecision {
    /// As it stands in the column `decision`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Indexed => "indexed",
            Self::ArchivedOnly => "archived_only",
        }
    }
}

/// The parser that wrote the document.
#[derive(Debug, Clone, Copy, Default)]
pub struct RowParser<'a> {
    pub name: &'a str,
    pub version: &'a str,
    pub digest: &'a str,
}

/// One event.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    pub document_id: [u8; 16],
    pub frame_id: [u8; 16],
    /// The event's number in its frame.
    pub event_number: u32,
    /// `@timestamp`, nanoseconds since 1970. The column has microseconds; the document has the exact text.
    pub timestamp: i64,
    /// Fields that are filtered by often, as the document has them.
    pub fields: CommonFields<'a>,
    pub decision: RowDecision,
    /// The path inside the archive that the object is, if it is one.
    pub member: Option<&'a str>,
    /// Where the frame stood, see [`crate::ledger::ByteCounts`]: a byte offset or a row number.
    pub frame_offset: u64,
    pub parser: RowParser<'a>,
    /// The time the object speaks of, nanoseconds since 1970. The column has microseconds.
    pub reference_time: i64,
    /// What parsing the frame again needs besides its bytes: JSON of a [`crate::quarantine::FrameContext`]. Absent in
    /// further events of a frame.
    pub context: Option<&'a str>,
    /// The frame as it stood. Give it with the first row of each frame alone: a frame of megabytes that gives
    /// thousands of events would be kept thousands of times.
    pub event_original: Option<&'a [u8]>,
    /// The document: JSON text.
    pub document: &'a [u8],
}

/// Fields of a document that have columns of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CommonFields<'a> {
    pub source_ip: Option<&'a str>,
    pub destination_ip: Option<&'a str>,
    pub user_name: Option<&'a str>,
    pub event_action: Option<&'a str>,
    pub event_outcome: Option<&'a str>,
    pub event_dataset: Option<&'a str>,
}

/// [`CommonFields`] found in a document's text.
#[derive(Debug, Clone, Default)]
pub struct FoundFields<'a> {
    source_ip: Option<Cow<'a, str>>,
    destination_ip: Option<Cow<'a, str>>,
    user_name: Option<Cow<'a, str>>,
    event_action: Option<Cow<'a, str>>,
    event_outcome: Option<Cow<'a, str>>,
    event_dataset: Option<Cow<'a, str>>,
    cloud_account: Option<Cow<'a, str>>,
    cloud_region: Option<Cow<'a, str>>,
}

impl<'a> FoundFields<'a> {
    /// Reads the fields out of `document`, the first value where there are several; what is no text is absent.
    pub fn of(document: &'a [u8]) -> Self {
        let found: Groups<'a> = serde_json::from_slice(document).unwrap_or_default();
        let event: Fields<'a> = group(found.event);
        let cloud: Cloud<'a> =
            found.cloud.and_then(|value| serde_json::from_str(value.get()).ok()).unwrap_or_default();
        Self {
            source_ip: text(group(found.source).ip),
            destination_ip: text(group(found.destination).ip),
            user_name: text(group(found.user).name),
            event_action: text(event.action),
            event_outcome: text(event.outcome),
            event_dataset: text(event.dataset),
            cloud_account: text(group(cloud.account).id),
            cloud_region: text(cloud.region),
        }
    }

    /// `cloud.account.id`, for the partition.
    pub fn account(&self) -> Option<&str> {
        self.cloud_account.as_deref()
    }

    /// `cloud.region`, for the partition.
    pub fn region(&self) -> Option<&str> {
        self.cloud_region.as_deref()
    }

    /// The fields for a row.
    pub fn fields(&self) -> CommonFields<'_> {
        CommonFields {
            source_ip: self.source_ip.as_deref(),
            destination_ip: self.destination_ip.as_deref(),
            user_name: self.user_name.as_deref(),
            event_action: self.event_action.as_deref(),
            event_outcome: self.event_outcome.as_deref(),
            event_dataset: self.event_dataset.as_deref(),
        }
    }
}

/// Values are looked into one by one: an odd one must not hide the others.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Groups<'a> {
    #[serde(borrow)]
    source: Option<&'a RawValue>,
    #[serde(borrow)]
    destination: Option<&'a RawValue>,
    #[serde(borrow)]
    user: Option<&'a RawValue>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    cloud: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Cloud<'a> {
    #[serde(borrow)]
    account: Option<&'a RawValue>,
    #[serde(borrow)]
    region: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Fields<'a> {
    #[serde(borrow)]
    ip: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    action: Option<&'a RawValue>,
    #[serde(borrow)]
    outcome: Option<&'a RawValue>,
    #[serde(borrow)]
    dataset: Option<&'a RawValue>,
}

fn group(value: Option<&RawValue>) -> Fields<'_> {
    value.and_then(|value| serde_json::from_str(value.get()).ok()).unwrap_or_default()
}

fn text(value: Option<&RawValue>) -> Option<Cow<'_, str>> {
    let value = value?.get();
    if value.starts_with('[') {
        let list: Vec<&RawValue> = serde_json::from_str(value).ok()?;
        return list.into_iter().find_map(|entry| text(Some(entry)));
    }
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(value).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_fields_are_found_whatever_stands_beside_them() {
        let document =
            br#"{"@timestamp":"t","source":{"ip":"192.0.2.1","geo":{"ip":"no"}},"destination":"odd",
            "user":{"name":"a\"b\u00e4"},"event":{"action":["first","second"],"outcome":7,"dataset":null}}"#;
        let found = FoundFields::of(document);
        let expected = CommonFields {
            source_ip: Some("192.0.2.1"),
            user_name: Some("a\"b\u{e4}"),
            event_action: Some("first"),
            ..CommonFields::default()
        };
        assert_eq!(found.fields(), expected);
        for odd in ["", "[]", "{\"source\":[{\"ip\":\"192.0.2.1\"}]}", "{\"user\":{\"name\":[]}}"] {
            assert_eq!(FoundFields::of(odd.as_bytes()).fields(), CommonFields::default(), "{odd}");
        }
    }
}
