//! The destination bucket tells a queue of new objects (S3 API, `NotificationConfiguration`).

use super::element::{Element, XmlError};
use crate::ids::Arn;

const ROOT: &str = "NotificationConfiguration";

/// The Id of our entry.
const ID: &str = "weir/new-objects";

/// Whether the queue hears of every new object.
///
/// # Errors
/// When the configuration cannot be read.
pub fn announces_to(current: Option<&str>, queue: &Arn) -> Result<bool, XmlError> {
    let Some(current) = current else { return Ok(false) };
    let root = Element::parse(current, ROOT)?;
    let hears_all = |entry: &Element| {
        let created = entry
            .children()
            .iter()
            .any(|child| child.name() == "Event" && child.text() == "s3:ObjectCreated:*");
        let unfiltered = entry
            .child("Filter")
            .is_none_or(|filter| filter.at(&["S3Key"]).is_none_or(|key| key.children().is_empty()));
        entry.name() == "QueueConfiguration"
            && entry.text_at(&["Queue"]) == Some(queue.as_str())
            && created
            && unfiltered
    };
    Ok(root.children().iter().any(hears_all))
}

/// The configuration with an entry of ours for the queue, and the entries of others by Id or place.
///
/// # Errors
/// When the current configuration cannot be read.
pub fn announce_to_queue(current: Option<&str>, queue: &Arn) -> Result<(String, Vec<String>), XmlError> {
    let mut root = match current {
        Some(text) => Element::parse(text, ROOT)?,
        None => Element::s3_root(ROOT),
    };
    root.children_mut().retain(|entry| !is_ours(entry));
    let names = names(root.children());
    root.children_mut().push(Element::with_children(
        "QueueConfiguration",
        vec![
            Element::with_text("Id", ID),
            Element::with_text("Queue", queue.as_str()),
            Element::with_text("Event", "s3:ObjectCreated:*"),
        ],
    ));
    Ok((root.to_document(), names))
}

/// The configuration without our entry. None when it has none.
///
/// # Errors
/// When the configuration cannot be read.
pub fn stop_announcing(current: &str) -> Result<Option<(String, Vec<String>)>, XmlError> {
    let mut root = Element::parse(current, ROOT)?;
    if !root.children().iter().any(is_ours) {
        return Ok(None);
    }
    root.children_mut().retain(|entry| !is_ours(entry));
    Ok(Some((root.to_document(), names(root.children()))))
}

fn is_ours(entry: &Element) -> bool {
    entry.text_at(&["Id"]) == Some(ID)
}

fn names(entries: &[Element]) -> Vec<String> {
    entries
        .iter()
        .enumerate()
        .map(|(place, entry)| match entry.text_at(&["Id"]) {
            Some(id) if !id.is_empty() => id.to_owned(),
            _ => format!("{} {}", entry.name(), place + 1),
        })
        .collect()
}
