//! Policies on resources, whose principals are roles and users of a moment: a role that is created again is another.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A policy on a resource, with the unique ids that its principals had when it was put.
///
/// Source: "AWS JSON policy elements: Principal" (IAM User Guide): on saving, IAM transforms the ARN of a role to its
/// unique id, and shows the id where no role of that id is left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourcePolicy {
    /// The document as it was put.
    pub text: String,
    /// ARN of a role or user → the unique id it had.
    pub principals: BTreeMap<String, String>,
}

impl ResourcePolicy {
    /// A policy whose principals are found when the world is loaded.
    pub fn of(text: impl Into<String>) -> Self {
        Self { text: text.into(), principals: BTreeMap::new() }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bound {
    text: String,
    principals: BTreeMap<String, String>,
}

impl Serialize for ResourcePolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.principals.is_empty() {
            self.text.serialize(serializer)
        } else {
            Bound { text: self.text.clone(), principals: self.principals.clone() }.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for ResourcePolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        if value.get("text").is_some() {
            let bound: Bound = serde_json::from_value(value).map_err(serde::de::Error::custom)?;
            return Ok(Self { text: bound.text, principals: bound.principals });
        }
        Ok(Self::of(as_text(value)))
    }
}

/// Reads a document given as text or as JSON.
pub(super) fn text_or_json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    serde_json::Value::deserialize(deserializer).map(as_text)
}

fn as_text(value: serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}
