//! Old versions of source objects, which versioning keeps for ever unless a lifecycle rule lets them go.

use super::element::{Element, XmlError};

const ROOT: &str = "LifecycleConfiguration";

/// The ID of our lifecycle rule.
pub const LIFECYCLE_RULE_ID: &str = "weir/noncurrent-versions";

/// The configuration with a rule of ours that removes noncurrent versions after `days`. None when nothing is to be
/// done: our rule is there, or one of others removes noncurrent versions of the whole bucket.
///
/// The answer is the document, and the rules of others by ID or place.
///
/// # Errors
/// When the current configuration cannot be read.
pub fn expire_noncurrent(
    current: Option<&str>,
    days: u32,
) -> Result<Option<(String, Vec<String>)>, XmlError> {
    let mut root = match current {
        Some(text) => Element::parse(text, ROOT)?,
        None => Element::s3_root(ROOT),
    };
    let foreign: Vec<&Element> =
        root.children().iter().filter(|child| child.name() == "Rule" && !is_ours(child)).collect();
    if foreign.iter().any(|rule| removes_all_noncurrent(rule)) {
        return Ok(None);
    }
    // S3 takes either the older prefix or the newer filter in a configuration, not both.
    let old_form = foreign.iter().any(|rule| rule.child("Filter").is_none());
    let everything = Element::new("Prefix");
    let scope = if old_form { everything } else { Element::with_children("Filter", vec![everything]) };
    let rule = Element::with_children(
        "Rule",
        vec![
            Element::with_text("ID", LIFECYCLE_RULE_ID),
            scope,
            Element::with_text("Status", "Enabled"),
            Element::with_children(
                "NoncurrentVersionExpiration",
                vec![Element::with_text("NoncurrentDays", days.to_string())],
            ),
        ],
    );
    let names = names(&foreign);
    // S3 gives a filter for everything back in several forms: only what the rule does is compared.
    let days = days.to_string();
    let does_it = |known: &Element| {
        is_ours(known)
            && known.text_at(&["Status"]) == Some("Enabled")
            && known.text_at(&["NoncurrentVersionExpiration", "NoncurrentDays"]) == Some(days.as_str())
    };
    if root.children().iter().any(does_it) {
        return Ok(None);
    }
    root.children_mut().retain(|child| !is_ours(child));
    root.children_mut().push(rule);
    Ok(Some((root.to_document(), names)))
}

/// The configuration without our rule. None when it has none; an empty text when nothing is left.
///
/// # Errors
/// When the configuration cannot be read.
pub fn keep_lifecycle_of_others(current: &str) -> Result<Option<(String, Vec<String>)>, XmlError> {
    let mut root = Element::parse(current, ROOT)?;
    if !root.children().iter().any(is_ours) {
        return Ok(None);
    }
    root.children_mut().retain(|child| !is_ours(child));
    let foreign: Vec<&Element> = root.children().iter().filter(|child| child.name() == "Rule").collect();
    let names = names(&foreign);
    let text = if names.is_empty() { String::new() } else { root.to_document() };
    Ok(Some((text, names)))
}

fn is_ours(rule: &Element) -> bool {
    rule.text_at(&["ID"]) == Some(LIFECYCLE_RULE_ID)
}

fn names(rules: &[&Element]) -> Vec<String> {
    rules
        .iter()
        .enumerate()
        .map(|(place, rule)| match rule.text_at(&["ID"]) {
            Some(id) if !id.is_empty() => id.to_owned(),
            _ => format!("rule {}", place + 1),
        })
        .collect()
}

fn removes_all_noncurrent(rule: &Element) -> bool {
    let whole = match rule.child("Filter") {
        Some(filter) => {
            filter.children().iter().all(|child| child.name() == "Prefix" && child.text().is_empty())
        }
        None => rule.text_at(&["Prefix"]).is_none_or(str::is_empty),
    };
    whole
        && rule.text_at(&["Status"]) == Some("Enabled")
        && rule.at(&["NoncurrentVersionExpiration", "NoncurrentDays"]).is_some()
}
