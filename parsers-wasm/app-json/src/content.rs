//! Values on their way from a record to an ECS field.

use crate::times;
use weir_parser_sdk::ecs::{self, AnyField, FieldKind};
use weir_parser_sdk::reader::{JsonText, Raw, Reader, Shape};
use weir_parser_sdk::{Category, Context, EventOutcome, Type, ip_version, json};

/// `event.kind`, as ECS allows it.
const KINDS: [&str; 8] =
    ["alert", "asset", "enrichment", "event", "metric", "pipeline_error", "signal", "state"];

/// A value that fits its field.
#[derive(Debug)]
pub(crate) enum Content<'a> {
    /// Text, for a field of text.
    Text(JsonText<'a>),
    /// JSON as it stands.
    Json(&'a str),
    /// Text that had to be made, not yet escaped.
    Made(String),
    /// Nanoseconds since 1970.
    Instant(i64),
}

/// The value as `field` takes it, if it fits. Empty text fits nothing: it says nothing.
pub(crate) fn fit<'a>(field: AnyField, value: Raw<'a>, context: &Context<'_>) -> Option<Content<'a>> {
    let text = value.scalar().filter(|text| !text.raw().is_empty());
    match field.kind() {
        FieldKind::Keyword | FieldKind::Text => {
            text.filter(|text| is_allowed(field, *text)).map(Content::Text)
        }
        FieldKind::Ip => text.filter(|text| ip_version(text.raw()).is_some()).map(Content::Text),
        FieldKind::Long => {
            let digits = text?.raw();
            json::is_integer(digits.as_bytes()).then_some(Content::Json(digits))
        }
        FieldKind::Float => {
            let digits = text?.raw();
            let finite = digits.parse::<f64>().is_ok_and(f64::is_finite);
            (finite && json::is_number(digits.as_bytes())).then_some(Content::Json(digits))
        }
        FieldKind::Boolean => match text?.raw() {
            word @ ("true" | "false") => Some(Content::Json(word)),
            _ => None,
        },
        FieldKind::Date => times::parse(value, context).map(Content::Instant),
        FieldKind::KeywordList => fit_list(field, value),
    }
}

/// A list as it stands; one text as a list of one.
fn fit_list(field: AnyField, value: Raw<'_>) -> Option<Content<'_>> {
    let fits = |text: &JsonText<'_>| !text.raw().is_empty() && is_allowed(field, *text);
    match value.shape {
        Shape::String => value.string().filter(fits).map(Content::Text),
        Shape::Array if value.fields > 0 => {
            let mut all_fit = true;
            each(value, |item| all_fit &= item.string().as_ref().is_some_and(fits));
            all_fit.then_some(Content::Json(value.text))
        }
        _ => None,
    }
}

/// The elements of an array.
pub(crate) fn each<'a>(array: Raw<'a>, mut take: impl FnMut(Raw<'a>)) {
    let mut reader = Reader::new(array.text);
    reader.array();
    while reader.element() {
        take(reader.value());
    }
}

/// Some fields of ECS have a list of what they may say.
fn is_allowed(field: AnyField, text: JsonText<'_>) -> bool {
    if field > AnyField::from(ecs::EVENT_OUTCOME) {
        return true;
    }
    let text = text.raw();
    if field == AnyField::from(ecs::EVENT_KIND) {
        KINDS.contains(&text)
    } else if field == AnyField::from(ecs::EVENT_CATEGORY) {
        Category::ALL.iter().any(|category| category.name() == text)
    } else if field == AnyField::from(ecs::EVENT_TYPE) {
        Type::ALL.iter().any(|kind| kind.name() == text)
    } else if field == AnyField::from(ecs::EVENT_OUTCOME) {
        EventOutcome::ALL.iter().any(|outcome| outcome.name() == text)
    } else {
        true
    }
}

/// The text without the line ends behind it, which are escape sequences in it.
pub(crate) fn without_line_end(text: JsonText<'_>) -> JsonText<'_> {
    let mut raw = text.raw();
    while let Some(shorter) = raw.strip_suffix("\\n").or_else(|| raw.strip_suffix("\\r")) {
        // A backslash before the `n` that is itself escaped ends no line.
        let backslashes = shorter.bytes().rev().take_while(|byte| *byte == b'\\').count();
        if backslashes % 2 == 1 {
            break;
        }
        raw = shorter;
    }
    text.part(raw)
}
