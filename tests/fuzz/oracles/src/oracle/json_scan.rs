//! The scan of a guest's documents against `serde_json`: what is accepted, what is counted, where members stand.

use super::choices;
use super::tree::Tree;
use crate::parser::json_scan::{DocumentLimits, Flaw, scan};

/// Choices: the limits of fields and depth, without which they are those of an event. Then the document.
pub fn json_scan(data: &[u8]) {
    let ([fields, depth], document) = choices::<2>(data);
    // The scan is given what was checked to be UTF-8.
    let Ok(text) = std::str::from_utf8(document) else { return };
    let limits = DocumentLimits {
        fields: if fields == 0 { 1000 } else { u32::from(fields) },
        depth: if depth == 0 { 20 } else { u32::from(depth) },
    };
    let mut members = Vec::new();
    let scanned = scan(document, limits, &mut members);
    let tree = Tree::object(document);
    let found = match (scanned, &tree) {
        (Ok(found), Ok(_)) => found,
        // What the grammar allows and serde_json does not hold is at least noticed.
        (Ok(found), Err(error)) => {
            let reason = error.to_string();
            let surrogate = reason.contains("surrogate") || reason.contains("hex escape");
            assert!(
                found.surrogates && surrogate || found.odd_numbers && reason.contains("out of range"),
                "{reason}"
            );
            return;
        }
        (Err(Flaw::NotJson { expected, at }), Ok(_)) => panic!("{expected} was expected at {at}: {text}"),
        (Err(Flaw::TooManyFields(_)), Ok(tree)) => {
            assert!(tree.fields() > limits.fields as usize, "{} fields", tree.fields());
            return;
        }
        (Err(Flaw::TooDeep(_)), Ok(tree)) => {
            assert!(tree.depth() > limits.depth.min(64) as usize, "{} levels", tree.depth());
            return;
        }
        (Err(_), Err(_)) => return,
    };
    let tree = tree.expect("accepted by both");
    assert_eq!(found.fields as usize, tree.fields());
    assert!(found.fields <= limits.fields && tree.depth() <= limits.depth.min(64) as usize);
    assert_eq!(members.len(), tree.members().len());
    for (member, (key, value)) in members.iter().zip(tree.members()) {
        let quoted = format!("\"{}\"", &text[member.key()]);
        assert_eq!(serde_json::from_str::<String>(&quoted).ok().as_ref(), Some(key));
        assert_eq!(serde_json::from_str::<Tree>(&text[member.value()]).ok().as_ref(), Some(value));
    }
}
