//! Application logs in JSON: what logging libraries write, FireLens and Docker envelopes, records in ECS already.
//!
//! Nothing says which fields such a record has. What ECS names is moved to ECS where its type fits; what logging
//! libraries by convention call time, level, message, logger, error and trace is moved, too; everything else stays as
//! it is under `app`.

mod collect;
mod content;
mod fields;
mod names;
mod times;
mod web;
mod write;

use collect::Record;
use weir_parser_sdk::fit::{self, Bounds};
use weir_parser_sdk::reader::{JsonText, Reader, Shape};
use weir_parser_sdk::{Context, Event, Frame, Outcome, ParseError, Parser, Skip, json};

/// What a record may hold, so that the document with its ECS fields stays within the host's 1,000 fields and 20
/// levels. Two levels are the document's and `app`'s own.
const BOUNDS: Bounds = Bounds { fields: 800, depth: 18 };

/// What the wrapper's origin says of every record, under the names that FireLens has for it.
const ATTRIBUTES: [&str; 7] = [
    "container_id",
    "container_name",
    "source",
    "ecs_cluster",
    "ecs_task_arn",
    "ecs_task_definition",
    "ec2_instance_id",
];

/// The parser; what it knows of the origin.
pub struct AppJson {
    /// In a wrapper's stream a line may be plain text; in a JSON file it is damage.
    wrapped: bool,
    /// Whether the origin is in AWS.
    aws: bool,
    /// Values as they stand inside JSON strings.
    attributes: Vec<(&'static str, String)>,
}

impl Parser for AppJson {
    const MODULE: &'static str = "app";
    const DATASET: &'static str = "app.json";
    const VENDOR: &'static str = "app";

    fn new(batch: &Context<'_>) -> Result<Self, ParseError> {
        let origin = batch.origin;
        let attribute = |name: &&'static str| {
            let value = if *name == "container_name" { origin.container.as_deref() } else { None };
            let value = value.or_else(|| batch.attribute(name)).filter(|value| !value.is_empty())?;
            Some((*name, escaped(value)))
        };
        Ok(AppJson {
            wrapped: origin.log_group.is_some() || origin.container.is_some(),
            aws: origin.account.is_some(),
            attributes: ATTRIBUTES.iter().filter_map(attribute).collect(),
        })
    }

    fn parse(&self, frame: &Frame<'_>, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
        let text = frame.text();
        let trimmed = text.trim_ascii();
        let plain = |event: &mut Event<'_>, message: &str| {
            Record::of_message(message).write(self, frame, event);
            Ok(Outcome::Event)
        };
        let Some(first) = trimmed.bytes().next() else { return Ok(Outcome::Skipped(Skip::Empty)) };
        if first == b'{' {
            return match self.parse_object(trimmed, true, frame, event) {
                Err(_) if self.wrapped => plain(event, trimmed),
                other => other,
            };
        }
        let mut reader = Reader::new(trimmed);
        let value = reader.value();
        match (reader.end(), value.shape) {
            (Ok(()), Shape::Null) => Ok(Outcome::Skipped(Skip::Empty)),
            (Ok(()), Shape::Array) => {
                Err(ParseError::no_match("an array is no record; expected an object or a line of text"))
            }
            (Ok(()), Shape::String) => {
                let inside = value.string().map(JsonText::unescape).unwrap_or_default();
                let inner = inside.trim();
                if inner.is_empty() {
                    return Ok(Outcome::Skipped(Skip::Empty));
                }
                if is_object(inner) {
                    self.parse_object(inner, true, frame, event)
                } else {
                    plain(event, inner)
                }
            }
            (Ok(()), _) => plain(event, trimmed),
            (Err(_), _) if self.wrapped => plain(event, trimmed),
            (Err(error), _) => Err(error),
        }
    }
}

impl AppJson {
    /// Parses an object; `open` says that a `log` in it may hold another one.
    fn parse_object(
        &self,
        text: &str,
        open: bool,
        frame: &Frame<'_>,
        event: &mut Event<'_>,
    ) -> Result<Outcome, ParseError> {
        let mut reader = Reader::new(text);
        let mut record = Record::collect(&mut reader, text, event.context(), open);
        reader.end()?;
        if record.members.is_empty() {
            return Ok(Outcome::Skipped(Skip::Empty));
        }
        if let Some(merged) = record.merged() {
            return self.parse_object(&merged, false, frame, event);
        }
        let fitted;
        if record.exceeds(BOUNDS) || reader.has_large_numbers() {
            fitted = fit::fit_object(&fit::quote_large_numbers(text), BOUNDS)?;
            record = Record::collect(&mut Reader::new(&fitted), &fitted, event.context(), false);
        }
        record.write(self, frame, event);
        Ok(Outcome::Event)
    }
}

/// A text as it stands inside a JSON string.
fn escaped(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 8);
    json::push_string(&mut out, text);
    let quoted = String::from_utf8(out).unwrap_or_default();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

/// Whether a text is a JSON object.
fn is_object(text: &str) -> bool {
    let mut reader = Reader::new(text);
    text.starts_with('{') && reader.value().shape == Shape::Object && reader.end().is_ok()
}

weir_parser_sdk::export_parser!(AppJson);
