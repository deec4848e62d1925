//! What changes in a document, line by line.

use crate::plan::{DocumentChange, DocumentKind};
use crate::replication::Element;
use similar::{ChangeTag, TextDiff};

/// Lines that stay the same and are shown around a change.
const CONTEXT: usize = 2;

/// A line of a diff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    Kept(String),
    Removed(String),
    Added(String),
    /// Lines that are left out.
    Gap,
}

/// The document's lines before and after. Both are laid out in the same manner first, so that only content differs.
pub(super) fn lines(document: &DocumentChange, kind: DocumentKind) -> Vec<Line> {
    let before = document.before.as_deref().map_or_else(String::new, |text| laid_out(text, kind));
    let after = laid_out(&document.after, kind);
    let diff = TextDiff::from_lines(&before, &after);
    let mut lines = Vec::new();
    for (place, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if place > 0 {
            lines.push(Line::Gap);
        }
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            let text = change.value().trim_end_matches('\n').to_owned();
            lines.push(match change.tag() {
                ChangeTag::Equal => Line::Kept(text),
                ChangeTag::Delete => Line::Removed(text),
                ChangeTag::Insert => Line::Added(text),
            });
        }
    }
    lines
}

/// A document with one value or element in a line; as it is when it cannot be read.
fn laid_out(text: &str, kind: DocumentKind) -> String {
    let readable = match kind {
        DocumentKind::Json => serde_json::from_str::<serde_json::Value>(text)
            .ok()
            .and_then(|value| serde_json::to_string_pretty(&value).ok())
            .map(|text| text + "\n"),
        DocumentKind::Xml => Element::parse_any(text).ok().map(|element| element.to_pretty()),
    };
    readable.unwrap_or_else(|| text.to_owned())
}
