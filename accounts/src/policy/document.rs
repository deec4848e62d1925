//! A policy document: foreign statements as raw JSON, ours as data.

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// The version of the policy language that knows variables such as `${aws:PrincipalAccount}`.
pub const VERSION: &str = "2012-10-17";

/// Why a policy document cannot be worked with.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error("the policy is not JSON as IAM writes it; look at it in the console and put it again")]
    Syntax(#[source] serde_json::Error),
    #[error(
        "the policy names `{0}` twice, so that it cannot be written back as it is; put it again with one of them"
    )]
    Twice(String),
    #[error("the policy has no statements; put it again with a `Statement`, or delete it")]
    NoStatement,
    #[error(
        "the policy has Version {found}, which knows no variables, and its statement {statement} holds `${{`, which would become one under {VERSION}; rewrite that statement"
    )]
    OldVersion { found: String, statement: String },
    #[error("the policy has Version {0}, which is not known; the versions are 2012-10-17 and 2008-10-17")]
    UnknownVersion(String),
}

/// A policy document with its statements as they were written.
#[derive(Debug, Clone)]
pub struct PolicyDocument {
    /// All fields but `Statement`, in their order.
    fields: Vec<(String, Box<RawValue>)>,
    statements: Vec<CarriedStatement>,
}

/// A statement, as written and as read.
#[derive(Debug, Clone)]
pub struct CarriedStatement {
    raw: Box<RawValue>,
    value: Value,
}

/// A JSON object whose values stay text, in order, duplicates included.
struct RawFields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for RawFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = RawFields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a policy document, which is a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawFields, A::Error> {
                let mut fields = Vec::new();
                while let Some(entry) = map.next_entry::<String, Box<RawValue>>()? {
                    fields.push(entry);
                }
                Ok(RawFields(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

impl CarriedStatement {
    fn new(raw: Box<RawValue>) -> Result<Self, PolicyError> {
        let value = serde_json::from_str(raw.get()).map_err(PolicyError::Syntax)?;
        Ok(CarriedStatement { raw, value })
    }

    /// The text, byte for byte.
    pub fn text(&self) -> &str {
        self.raw.get()
    }

    pub fn value(&self) -> &Value {
        &self.value
    }

    pub fn sid(&self) -> Option<&str> {
        self.value.get("Sid").and_then(Value::as_str).filter(|sid| !sid.is_empty())
    }
}

impl PolicyDocument {
    /// Reads a document.
    ///
    /// # Errors
    /// When it is not JSON, or holds what could not be written back.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let RawFields(all) = serde_json::from_str(text).map_err(PolicyError::Syntax)?;
        let mut fields: Vec<(String, Box<RawValue>)> = Vec::new();
        let mut statements = None;
        for (name, value) in all {
            if fields.iter().any(|(other, _)| *other == name) || (name == "Statement" && statements.is_some())
            {
                return Err(PolicyError::Twice(name));
            }
            if name == "Statement" {
                let list: Vec<Box<RawValue>> = if value.get().starts_with('[') {
                    serde_json::from_str(value.get()).map_err(PolicyError::Syntax)?
                } else {
                    vec![value]
                };
                statements =
                    Some(list.into_iter().map(CarriedStatement::new).collect::<Result<Vec<_>, _>>()?);
            } else {
                fields.push((name, value));
            }
        }
        Ok(PolicyDocument { fields, statements: statements.ok_or(PolicyError::NoStatement)? })
    }

    pub fn statements(&self) -> &[CarriedStatement] {
        &self.statements
    }

    /// The version of the policy language; a document without one has the first.
    pub fn version(&self) -> String {
        self.fields
            .iter()
            .find(|(name, _)| name == "Version")
            .and_then(|(_, raw)| serde_json::from_str(raw.get()).ok())
            .unwrap_or_else(|| "2008-10-17".to_owned())
    }

    /// The document's fields besides its statements, with `Version` set to the one that knows variables.
    pub(super) fn head(&self) -> Vec<(String, String)> {
        let version = ("Version".to_owned(), format!("\"{VERSION}\""));
        let mut head: Vec<(String, String)> = self
            .fields
            .iter()
            .map(
                |(name, raw)| {
                    if name == "Version" { version.clone() } else { (name.clone(), raw.get().to_owned()) }
                },
            )
            .collect();
        if !head.iter().any(|(name, _)| name == "Version") {
            head.insert(0, version);
        }
        head
    }

    /// The document's fields besides its statements, as they are.
    pub(super) fn head_as_written(&self) -> Vec<(String, String)> {
        self.fields.iter().map(|(name, raw)| (name.clone(), raw.get().to_owned())).collect()
    }
}

/// Writes a document from the fields of its head and the texts of its statements.
pub(super) fn render(head: &[(String, String)], statements: &[&str]) -> String {
    let mut text = String::from("{");
    for (name, value) in head {
        // A name is JSON already but for its quotes and escapes.
        text.push_str(&Value::String(name.clone()).to_string());
        text.push(':');
        text.push_str(value);
        text.push(',');
    }
    text.push_str("\"Statement\":[");
    text.push_str(&statements.join(","));
    text.push_str("]}");
    text
}

/// A statement of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct OwnStatement {
    pub sid: String,
    pub effect: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub principal: BTreeMap<&'static str, Vec<String>>,
    pub action: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource: Vec<String>,
    /// Values by key by operator.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub condition: BTreeMap<&'static str, BTreeMap<String, Vec<String>>>,
}

impl OwnStatement {
    /// An `Allow` without principal and conditions.
    pub(super) fn allow(sid: impl Into<String>, action: Vec<&'static str>, resource: Vec<String>) -> Self {
        OwnStatement {
            sid: sid.into(),
            effect: "Allow",
            principal: BTreeMap::new(),
            action,
            resource,
            condition: BTreeMap::new(),
        }
    }

    pub(super) fn principal(mut self, kind: &'static str, principals: Vec<String>) -> Self {
        self.principal.insert(kind, principals);
        self
    }

    pub(super) fn condition(mut self, operator: &'static str, key: &str, values: Vec<String>) -> Self {
        self.condition.entry(operator).or_default().insert(key.to_owned(), values);
        self
    }

    /// JSON.
    pub fn text(&self) -> String {
        // Strings and lists of strings always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A document of nothing but our statements.
pub fn own_document(statements: &[OwnStatement]) -> String {
    let texts = own_statements_text(statements);
    let head = [("Version".to_owned(), format!("\"{VERSION}\""))];
    render(&head, &texts.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Our statements, each as JSON.
pub fn own_statements_text(statements: &[OwnStatement]) -> Vec<String> {
    statements.iter().map(OwnStatement::text).collect()
}
