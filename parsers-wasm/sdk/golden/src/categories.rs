//! Which types ECS expects in which category.
//!
//! Source: "ECS Categorization Field: event.category" in the Elastic Common Schema reference, 8.17, the expected event
//! types of each category.

use serde_json::Value;

const EXPECTED: [(&str, &[&str]); 20] = [
    (
        "api",
        &[
            "access", "admin", "allowed", "change", "creation", "deletion", "denied", "end", "info", "start",
            "user",
        ],
    ),
    ("authentication", &["end", "info", "start"]),
    ("configuration", &["access", "change", "creation", "deletion", "info"]),
    ("database", &["access", "change", "error", "info"]),
    ("driver", &["change", "end", "info", "start"]),
    ("email", &["info"]),
    ("file", &["access", "change", "creation", "deletion", "info"]),
    ("host", &["access", "change", "end", "info", "start"]),
    ("iam", &["admin", "change", "creation", "deletion", "group", "info", "user"]),
    ("intrusion_detection", &["allowed", "denied", "info"]),
    ("library", &["start"]),
    ("malware", &["info"]),
    ("network", &["access", "allowed", "connection", "denied", "end", "info", "protocol", "start"]),
    ("package", &["access", "change", "deletion", "info", "installation", "start"]),
    ("process", &["access", "change", "end", "info", "start"]),
    ("registry", &["access", "change", "creation", "deletion"]),
    ("session", &["end", "info", "start"]),
    ("threat", &["indicator"]),
    ("vulnerability", &["info"]),
    ("web", &["access", "error", "info"]),
];

/// What is wrong with an event's `event.category` and `event.type`: every type has to be one that ECS expects in one
/// of the event's categories, and every category needs one of its types. An event without categories may have any type.
#[must_use]
pub fn problem(event: &Value) -> Option<String> {
    let list = |name: &str| event["event"][name].as_array().cloned().unwrap_or_default();
    let (categories, types) = (list("category"), list("type"));
    if categories.is_empty() {
        return None;
    }
    let expected: Vec<(&str, &[&str])> = categories
        .iter()
        .map(|category| {
            let name = category.as_str().unwrap_or_default();
            EXPECTED.into_iter().find(|(known, _)| *known == name).unwrap_or((name, &[]))
        })
        .collect();
    let fits = |types_of: &[&str], kind: &Value| kind.as_str().is_some_and(|kind| types_of.contains(&kind));
    let stray = types.iter().find(|kind| !expected.iter().any(|(_, types_of)| fits(types_of, kind)));
    if let Some(kind) = stray {
        return Some(format!("ECS expects the type {kind} in none of the categories {categories:?}"));
    }
    let bare = expected.iter().find(|(_, types_of)| !types.iter().any(|kind| fits(types_of, kind)));
    bare.map(|(category, _)| format!("ECS expects none of the types {types:?} in the category {category}"))
}
