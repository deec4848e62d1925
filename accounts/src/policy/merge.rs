//! Our statements among those of others.

use super::canonical::canonical_statement;
use super::document::{OwnStatement, PolicyDocument, PolicyError, VERSION, own_statements_text, render};
use serde_json::Value;

/// The outcome of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The document to put; the current text itself when nothing changes. None when no statement is left.
    pub text: Option<String>,
    /// Whether it has to be put.
    pub changed: bool,
    /// The statements of others, by Sid or place.
    pub carried: Vec<String>,
    /// The version of the policy language was raised, since ours needs variables.
    pub version_raised: bool,
    /// Principals of ours that AWS shows as a unique id (`AROA…`), as their role or user was deleted.
    pub stale_principals: Vec<String>,
}

/// Whether a Sid is one of ours: `Weir` and an upper-case letter, so that `Weird…` is not.
pub fn is_ours(sid: &str) -> bool {
    sid.strip_prefix("Weir").is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_uppercase()))
}

/// Puts our statements into the current document: those of others stay as they are, in their order, ours follow.
///
/// # Errors
/// When the current document cannot be read, or could not be carried through unchanged.
pub fn merge(current: Option<&str>, ours: &[OwnStatement]) -> Result<Merged, PolicyError> {
    let Some(current) = current else {
        let text = (!ours.is_empty()).then(|| super::document::own_document(ours));
        return Ok(Merged {
            changed: text.is_some(),
            text,
            carried: Vec::new(),
            version_raised: false,
            stale_principals: Vec::new(),
        });
    };
    let document = PolicyDocument::parse(current)?;
    let (own, foreign): (Vec<_>, Vec<_>) = document
        .statements()
        .iter()
        .enumerate()
        .partition(|(_, statement)| statement.sid().is_some_and(is_ours));
    let carried: Vec<String> = foreign
        .iter()
        .map(|(place, statement)| {
            statement.sid().map_or_else(|| format!("statement {}", place + 1), str::to_owned)
        })
        .collect();
    let stale_principals = own.iter().flat_map(|(_, statement)| unique_ids(statement.value())).collect();

    let texts = own_statements_text(ours);
    let wanted: Vec<Value> = texts
        .iter()
        .map(|text| serde_json::from_str(text).map_err(PolicyError::Syntax))
        .collect::<Result<_, _>>()?;
    let is_there = same_statements(own.iter().map(|(_, statement)| statement.value()), wanted.iter());
    let version = document.version();
    // Removing all of ours asks nothing of the version.
    let needs_version = !ours.is_empty();
    let version_raised = needs_version && version != VERSION;
    if is_there && !version_raised {
        return Ok(Merged {
            text: Some(current.to_owned()),
            changed: false,
            carried,
            version_raised: false,
            stale_principals,
        });
    }
    if version_raised {
        if version != "2008-10-17" {
            return Err(PolicyError::UnknownVersion(version));
        }
        let holds_variable =
            foreign.iter().zip(&carried).find(|((_, statement), _)| statement.text().contains("${"));
        if let Some((_, name)) = holds_variable {
            return Err(PolicyError::OldVersion { found: version, statement: name.clone() });
        }
    }
    let mut statements: Vec<&str> = foreign.iter().map(|(_, statement)| statement.text()).collect();
    statements.extend(texts.iter().map(String::as_str));
    let text = (!statements.is_empty()).then(|| {
        // Without ours, statements of others keep the version that they were written for.
        let head = if needs_version { document.head() } else { document.head_as_written() };
        render(&head, &statements)
    });
    Ok(Merged { text, changed: true, carried, version_raised, stale_principals })
}

/// Takes our statements out.
///
/// # Errors
/// As [`merge`].
pub fn remove(current: &str) -> Result<Merged, PolicyError> {
    merge(Some(current), &[])
}

fn same_statements<'a>(
    left: impl Iterator<Item = &'a Value>,
    right: impl Iterator<Item = &'a Value>,
) -> bool {
    let canonical = |statements: &mut dyn Iterator<Item = &'a Value>| {
        let mut texts: Vec<String> = statements.map(|value| canonical_statement(value).to_string()).collect();
        texts.sort();
        texts
    };
    let (mut left, mut right) = (left, right);
    canonical(&mut left) == canonical(&mut right)
}

/// Principals that are unique ids, which IAM puts in the place of an ARN once its owner is deleted
/// (IAM User Guide, "Principal").
pub(crate) fn unique_ids(statement: &Value) -> Vec<String> {
    let Some(principals) = statement.get("Principal").and_then(|principal| principal.get("AWS")) else {
        return Vec::new();
    };
    let listed: Vec<&str> = match principals {
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().into_iter().collect(),
    };
    listed
        .into_iter()
        .filter(|principal| principal.starts_with("AROA") || principal.starts_with("AIDA"))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ours(resource: &str) -> Vec<OwnStatement> {
        vec![OwnStatement::allow("WeirReplicate", vec!["s3:ReplicateObject"], vec![resource.to_owned()])]
    }

    const FOREIGN: &str = r#"{ "Sid" : "Weirdly", "Effect":"Deny","Principal":"*", "Action":["s3:*"],"Resource":"x" ,"Note":1.50}"#;

    #[test]
    fn foreign_statements_are_carried_byte_for_byte() {
        let current = format!(r#"{{"Id":"mine","Version":"2012-10-17","Statement":{FOREIGN}}}"#);
        let merged = merge(Some(&current), &ours("a")).unwrap();
        let text = merged.text.unwrap();
        assert!(
            merged.changed
                && text.contains(FOREIGN)
                && text.starts_with(r#"{"Id":"mine","Version":"2012-10-17""#)
        );
        assert_eq!(merged.carried, ["Weirdly"]);
        // The second time there is nothing to do, also after AWS rewrote our statement in its manner.
        assert!(!merge(Some(&text), &ours("a")).unwrap().changed);
        let rewritten = text.replace(r#""Resource":["a"]"#, r#""Resource":"a""#);
        assert_ne!(rewritten, text);
        assert!(!merge(Some(&rewritten), &ours("a")).unwrap().changed);
        // A change replaces ours only, and removal gives back what was there.
        let changed = merge(Some(&text), &ours("b")).unwrap().text.unwrap();
        assert!(changed.contains(FOREIGN) && !changed.contains(r#"["a"]"#));
        let removed = remove(&changed).unwrap().text.unwrap();
        assert_eq!(removed, format!(r#"{{"Id":"mine","Version":"2012-10-17","Statement":[{FOREIGN}]}}"#));
    }

    #[test]
    fn the_last_statement_leaves_no_document() {
        let text = merge(None, &ours("a")).unwrap().text.unwrap();
        let removed = remove(&text).unwrap();
        assert!(removed.changed && removed.text.is_none());
        assert!(!merge(None, &[]).unwrap().changed);
    }

    #[test]
    fn an_old_version_is_raised_only_where_that_changes_nothing() {
        let old = r#"{"Version":"2008-10-17","Statement":[{"Sid":"A","Effect":"Allow","Resource":"x"}]}"#;
        let merged = merge(Some(old), &ours("a")).unwrap();
        assert!(merged.version_raised && merged.text.unwrap().contains("\"Version\":\"2012-10-17\""));
        let without = r#"{"Statement":[]}"#;
        assert!(merge(Some(without), &ours("a")).unwrap().version_raised);
        let literal = old.replace("\"x\"", "\"${aws:username}\"");
        let error = merge(Some(&literal), &ours("a")).unwrap_err().to_string();
        assert!(error.contains("statement A"), "{error}");
        // Off-boarding leaves the version alone.
        let removed =
            remove(&literal.replace("]}", r#",{"Sid":"WeirReplicate","Effect":"Allow"}]}"#)).unwrap();
        assert_eq!(removed.text.unwrap(), literal);
    }

    #[test]
    fn a_deleted_role_shows_as_its_unique_id() {
        let text = r#"{"Version":"2012-10-17","Statement":[{"Sid":"WeirReplicateOutside","Effect":"Allow","Principal":{"AWS":["AROAEXAMPLE"]}}]}"#;
        let merged = merge(Some(text), &ours("a")).unwrap();
        assert_eq!(merged.stale_principals, ["AROAEXAMPLE"]);
    }

    #[test]
    fn what_cannot_be_written_back_is_refused() {
        for wrong in
            ["", "[]", "{}", r#"{"Statement":[],"Statement":[]}"#, r#"{"Id":"a","Id":"b","Statement":[]}"#]
        {
            assert!(merge(Some(wrong), &ours("a")).is_err(), "{wrong}");
        }
    }

    /// JSON objects as others may write them, in any spacing.
    fn foreign_statement() -> impl Strategy<Value = String> {
        let sid = prop_oneof![Just(None), "[A-Za-z0-9]{1,12}".prop_map(Some)];
        let spacing = prop_oneof![Just(""), Just(" "), Just("\n\t")];
        (sid, spacing, "[ -~]{0,12}", any::<f64>()).prop_map(|(sid, space, text, number)| {
            let value = Value::String(text).to_string();
            let number = serde_json::json!(if number.is_finite() { number } else { 0.0 });
            let sid = sid.map_or(String::new(), |sid| format!("\"Sid\":{space}\"{sid}\",{space}"));
            format!("{{{space}{sid}\"Effect\":\"Allow\",\"Resource\":{space}[{value},{space}{number}],\"x\":null}}")
        })
    }

    proptest! {
        #[test]
        fn foreign_statements_survive_apply_change_and_removal(
            statements in prop::collection::vec(foreign_statement(), 0..6),
        ) {
            let foreign: Vec<&String> = statements
                .iter()
                .filter(|text| {
                    let value: Value = serde_json::from_str(text).unwrap();
                    !value.get("Sid").and_then(Value::as_str).is_some_and(is_ours)
                })
                .collect();
            let current = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(" , "));
            let applied = merge(Some(&current), &ours("a")).unwrap().text.unwrap();
            let changed = merge(Some(&applied), &ours("b")).unwrap().text.unwrap();
            let removed = remove(&changed).unwrap().text;
            for text in [Some(applied), Some(changed), removed.clone()].into_iter().flatten() {
                let kept = PolicyDocument::parse(&text).unwrap();
                let kept: Vec<&str> = kept
                    .statements()
                    .iter()
                    .filter(|statement| !statement.sid().is_some_and(is_ours))
                    .map(super::super::document::CarriedStatement::text)
                    .collect();
                prop_assert_eq!(&kept, &foreign);
            }
            prop_assert_eq!(removed.is_none(), foreign.is_empty());
        }
    }
}
