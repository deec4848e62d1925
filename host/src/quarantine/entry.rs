//! What is kept of a frame besides its bytes.

use crate::ledger::{NotAnId, ObjectId, from_hex, to_hex};
use serde::{Deserialize, Serialize};

/// Why a frame was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// The parser could not parse it.
    Malformed,
    /// The parser broke its bounds on it.
    Condemned,
    /// It could not be framed.
    Damaged,
    /// Its parser's breaker is open.
    Waiting,
}

impl EntryKind {
    /// The name by which commands and files know the kind.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Condemned => "condemned",
            Self::Damaged => "damaged",
            Self::Waiting => "waiting",
        }
    }
}

/// The parser that had the frame, or would have had it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryParser {
    pub name: String,
    #[serde(default)]
    pub version: String,
    #[serde(default)]
    pub digest: String,
}

/// A frame that was set aside. Its bytes are kept beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    #[serde(with = "hex")]
    pub frame_id: [u8; 16],
    pub object: ObjectId,
    pub bucket: String,
    pub key: String,
    pub version: String,
    /// The path inside the archive that the object is, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// Byte offset in the member's decompressed stream, or row number.
    pub offset: u64,
    /// Bytes that the frame took there.
    pub length: u64,
    /// Whether the kept bytes are all of the frame, so that it can be parsed again from here alone.
    pub complete: bool,
    pub kind: EntryKind,
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parser: Option<EntryParser>,
    pub context: FrameContext,
}

/// What the bytes of a frame are; the contract's `framing-kind`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Framing {
    #[default]
    Text,
    Json,
    ParquetRow,
}

/// What a parser must be told of a frame besides its object and its bytes; the contract's `origin` and `batch`.
///
/// Also the column `context` of the archive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FrameContext {
    pub framing: Framing,
    /// The object's reference time, nanoseconds since 1970.
    pub reference_time: i64,
    /// The name of the zone of times that name none.
    pub time_zone: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_stream: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// What else the wrapper or the configuration said, in its order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(String, String)>,
    /// The header line or directive in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrapped: Option<WrappedContext>,
}

impl FrameContext {
    /// The context as JSON, for the archive's column.
    pub fn to_json(&self) -> String {
        // Strings, numbers and lists of them: JSON holds them all.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What the wrapper said of one frame; the contract's `wrapped`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WrappedContext {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Nanoseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(String, String)>,
}

/// 128 bits as 32 hexadecimal digits.
mod hex {
    use super::{NotAnId, from_hex, to_hex};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(id: &[u8; 16], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_hex(*id))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 16], D::Error> {
        from_hex(&String::deserialize(deserializer)?)
            .map_err(|error: NotAnId| serde::de::Error::custom(error))
    }
}
