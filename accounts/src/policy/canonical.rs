//! When two documents are the same, and how large AWS finds them.

use super::document::PolicyDocument;
use serde_json::{Map, Value};

/// The largest bucket policy, in bytes (S3, "Bucket policies").
pub const BUCKET_POLICY_BYTES: usize = 20_480;
/// The largest key policy, in bytes (KMS, `PutKeyPolicy`).
pub const KEY_POLICY_BYTES: usize = 32_768;
/// All inline policies of a role together, in characters without white space (IAM, "IAM object quotas").
pub const INLINE_POLICY_CHARACTERS: usize = 10_240;

/// Whether two texts are the same JSON: white space and the order of names do not count, the order of lists does.
/// Texts that are no JSON are the same when they are equal.
pub fn same_json(left: &str, right: &str) -> bool {
    match (serde_json::from_str::<Value>(left), serde_json::from_str::<Value>(right)) {
        (Ok(left), Ok(right)) => left == right,
        _ => left == right,
    }
}

/// Whether two policies say the same: AWS gives lists of one as strings, reorders them, and knows several spellings.
pub fn equivalent(left: &str, right: &str) -> bool {
    match (canonical_policy(left), canonical_policy(right)) {
        (Some(left), Some(right)) => left == right,
        _ => left == right,
    }
}

/// A policy in the one form that all its spellings share; none when the text is no policy.
pub fn canonical_policy(text: &str) -> Option<Value> {
    let document = PolicyDocument::parse(text).ok()?;
    let mut statements: Vec<Value> =
        document.statements().iter().map(|statement| canonical_statement(statement.value())).collect();
    statements.sort_by_key(Value::to_string);
    let mut whole = Map::new();
    whole.insert("Version".to_owned(), Value::String(document.version()));
    whole.insert("Statement".to_owned(), Value::Array(statements));
    Some(Value::Object(whole))
}

/// A statement in the one form that all its spellings share.
pub(super) fn canonical_statement(statement: &Value) -> Value {
    let Value::Object(fields) = statement else { return statement.clone() };
    let mut sorted: Vec<(String, Value)> = fields
        .iter()
        .map(|(name, value)| {
            let value = match name.as_str() {
                // Actions are compared without case.
                "Action" | "NotAction" => canonical_list(value, str::to_lowercase),
                "Resource" | "NotResource" => canonical_list(value, str::to_owned),
                "Principal" | "NotPrincipal" => canonical_principal(value),
                "Condition" => canonical_condition(value),
                _ => value.clone(),
            };
            (name.clone(), value)
        })
        .collect();
    sorted.sort_by(|left, right| left.0.cmp(&right.0));
    Value::Object(sorted.into_iter().collect())
}

/// A string or a list of them as a sorted list without repetition.
fn canonical_list(value: &Value, spelling: impl Fn(&str) -> String) -> Value {
    let mut texts: Vec<String> = match value {
        Value::Array(values) => values.iter().map(|value| spelling(&scalar_text(value))).collect(),
        other => vec![spelling(&scalar_text(other))],
    };
    texts.sort();
    texts.dedup();
    Value::Array(texts.into_iter().map(Value::String).collect())
}

/// IAM takes `true` and `"true"` for the same.
fn scalar_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn canonical_principal(value: &Value) -> Value {
    match value {
        Value::Object(kinds) => {
            let mut sorted: Vec<(String, Value)> = kinds
                .iter()
                .map(|(kind, principals)| {
                    let canonical = canonical_list(principals, |text| {
                        if kind == "AWS" { account_of_root(text) } else { text.to_owned() }
                    });
                    (kind.clone(), canonical)
                })
                .collect();
            sorted.sort_by(|left, right| left.0.cmp(&right.0));
            Value::Object(sorted.into_iter().collect())
        }
        // `"*"` and `{"AWS": "*"}` mean the same in a resource's policy.
        Value::String(text) if text == "*" => serde_json::json!({ "AWS": ["*"] }),
        other => other.clone(),
    }
}

/// `arn:aws:iam::111111111111:root` and `111111111111` name the same principal.
fn account_of_root(text: &str) -> String {
    text.strip_suffix(":root")
        .and_then(|rest| rest.rsplit_once("::"))
        .filter(|(front, _)| front.starts_with("arn:") && front.ends_with(":iam"))
        .map_or_else(|| text.to_owned(), |(_, account)| account.to_owned())
}

fn canonical_condition(value: &Value) -> Value {
    let Value::Object(operators) = value else { return value.clone() };
    let mut sorted: Vec<(String, Value)> = operators
        .iter()
        .map(|(operator, keys)| {
            let Value::Object(keys) = keys else { return (operator.clone(), keys.clone()) };
            let mut by_key: Vec<(String, Value)> = keys
                .iter()
                .map(|(key, values)| (key.to_lowercase(), canonical_list(values, str::to_owned)))
                .collect();
            by_key.sort_by(|left, right| left.0.cmp(&right.0));
            (operator.clone(), Value::Object(by_key.into_iter().collect()))
        })
        .collect();
    sorted.sort_by(|left, right| left.0.cmp(&right.0));
    Value::Object(sorted.into_iter().collect())
}

/// Characters as IAM counts them against its quotas: white space between the parts of the JSON does not count.
pub fn counted_characters(text: &str) -> usize {
    let mut in_string = false;
    let mut escaped = false;
    text.chars()
        .filter(|character| {
            if in_string {
                let closes = *character == '"' && !escaped;
                escaped = *character == '\\' && !escaped;
                in_string = !closes;
                return true;
            }
            in_string = *character == '"';
            !matches!(character, ' ' | '\t' | '\r' | '\n')
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_of_the_same_policy_are_equivalent() {
        let left = r#"{"Version":"2012-10-17","Statement":{"Sid":"A","Effect":"Allow","Principal":"*","Action":"s3:GetObject",
            "Resource":["b","a"],"Condition":{"Bool":{"aws:SecureTransport":true}}}}"#;
        let right = r#"{"Statement":[{"Effect":"Allow","Sid":"A","Principal":{"AWS":"*"},"Action":["S3:getobject"],
            "Resource":["a","b"],"Condition":{"Bool":{"aws:securetransport":["true"]}}}],"Version":"2012-10-17"}"#;
        assert!(equivalent(left, right));
        assert!(!same_json(left, right));
        for different in [
            right.replace("Allow", "Deny"),
            right.replace("\"a\"", "\"A\""),
            right.replace("2012", "2008"),
            right.replace("\"Sid\":\"A\"", "\"Sid\":\"B\""),
        ] {
            assert!(!equivalent(left, &different), "{different}");
        }
    }

    #[test]
    fn an_account_has_two_spellings() {
        let policy = |principal: &str| {
            format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"*"}}]}}"#
            )
        };
        assert!(equivalent(&policy("arn:aws:iam::111111111111:root"), &policy("111111111111")));
        assert!(!equivalent(&policy("arn:aws:iam::111111111111:role/root"), &policy("111111111111")));
    }

    #[test]
    fn white_space_between_parts_does_not_count() {
        assert_eq!(
            counted_characters("{ \"a b\" :\n\t[ \"\\\" \" ] }"),
            "{\"a b\":[\"\\\" \"]}".chars().count()
        );
        assert_eq!(counted_characters("\"ü\""), 3);
    }

    proptest! {
        #[test]
        fn counting_agrees_with_the_compact_form(text in "[ -~]{0,20}", number in any::<u32>()) {
            let value = serde_json::json!({ "Statement": [text, { "a": number }] });
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(counted_characters(&pretty), value.to_string().chars().count());
        }

        #[test]
        fn any_text_is_compared_without_panic(left in "\\PC{0,40}", right in "\\PC{0,40}") {
            prop_assert!(equivalent(&left, &left));
            prop_assert_eq!(equivalent(&left, &right), equivalent(&right, &left));
        }
    }
}
