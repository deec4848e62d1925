//! Redaction: fields removed or hashed before every output, in the original too.
//!
//! A value does not stand in its field alone: ECS repeats it in `related.*`, the vendor's tree holds it under its own
//! name, messages and ARNs contain it. So a rule takes the value out wherever it occurs in the event. In the original
//! it is replaced where it stands; an original in which it cannot be found, because it is written differently there,
//! is withheld as a whole.

use crate::config::{Config, ConfigError, RedactAction};
use crate::query::Matcher;
use serde_json::{Map, Value};

/// Stands where a removed value stood inside a longer text.
const REMOVED: &str = "[redacted]";
/// Shorter values are taken out where they are the whole value only: `1` inside a longer text says nothing.
const SHORTEST_INSIDE: usize = 4;

#[derive(Debug)]
struct Rule {
    fields: Vec<Vec<String>>,
    action: RedactAction,
    log_types: Vec<String>,
    accounts: Vec<String>,
    when: Option<Matcher>,
}

/// The configured redactions.
#[derive(Debug, Default)]
pub struct Redactor {
    rules: Vec<Rule>,
    key: [u8; 32],
}

/// What is to be done to one value.
struct Target {
    text: String,
    replacement: Option<String>,
}

impl Redactor {
    /// Compiles the configured rules.
    ///
    /// # Errors
    /// When values are to be hashed and there is no key.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let mut rules = Vec::new();
        for settings in &config.redactions {
            if settings.action == RedactAction::Hash
                && config.hash_key.as_deref().is_none_or(|key| key.len() < 16)
            {
                return Err(ConfigError::Value {
                    setting: "hash-key".to_owned(),
                    problem: "hashing fields needs a secret of at least 16 characters; set WEIR__HASH_KEY, the same on every host".to_owned(),
                });
            }
            rules.push(Rule {
                fields: settings
                    .fields
                    .iter()
                    .map(|name| name.split('.').map(str::to_owned).collect())
                    .collect(),
                action: settings.action,
                log_types: settings.log_types.clone(),
                accounts: settings.accounts.clone(),
                when: settings.when.as_deref().map(compile).transpose()?,
            });
        }
        let key =
            blake3::derive_key("weir redaction 1", config.hash_key.as_deref().unwrap_or_default().as_bytes());
        Ok(Redactor { rules, key })
    }

    /// Whether no rule can touch events of this log type.
    pub fn is_idle(&self, log_type: &str) -> bool {
        !self
            .rules
            .iter()
            .any(|rule| rule.log_types.is_empty() || rule.log_types.iter().any(|name| name == log_type))
    }

    /// Redacts an event; says what is left of its original. `None` for the original: it is withheld.
    pub fn redact(
        &self,
        log_type: &str,
        account: Option<&str>,
        event: &mut Map<String, Value>,
        original: &[u8],
    ) -> Option<Vec<u8>> {
        let mut targets: Vec<Target> = Vec::new();
        let mut withheld = false;
        for rule in &self.rules {
            let listed = |list: &[String], value: Option<&str>| {
                list.is_empty() || value.is_some_and(|value| list.iter().any(|name| name == value))
            };
            if !listed(&rule.log_types, Some(log_type)) || !listed(&rule.accounts, account) {
                continue;
            }
            if rule.when.as_ref().is_some_and(|when| !when.matches_object(event)) {
                continue;
            }
            for field in &rule.fields {
                let Some(value) = take(event, field) else { continue };
                let mut texts = Vec::new();
                leaves(&value, &mut texts);
                if rule.action == RedactAction::Hash
                    && let Some(text) = texts.first()
                {
                    put(event, field, self.hash(text).into());
                }
                for text in texts {
                    withheld |= text.len() < SHORTEST_INSIDE;
                    let replacement = (rule.action == RedactAction::Hash).then(|| self.hash(&text));
                    targets.push(Target { text, replacement });
                }
            }
        }
        if targets.is_empty() {
            return Some(original.to_vec());
        }
        // Longer values first: one may contain another.
        targets.sort_by_key(|target| std::cmp::Reverse(target.text.len()));
        event.retain(|_, value| scrub(value, &targets));
        if withheld { None } else { scrub_original(original, &targets) }
    }

    fn hash(&self, text: &str) -> String {
        let hash = blake3::keyed_hash(&self.key, text.as_bytes()).to_hex();
        format!("hash:{}", hash.get(..32).unwrap_or_default())
    }
}

fn compile(query: &str) -> Result<Matcher, ConfigError> {
    crate::query::parse(query)
        .and_then(|query| Matcher::new(&query))
        .map_err(|error| ConfigError::Value { setting: "redact.when".to_owned(), problem: error.to_string() })
}

/// Takes a field out, whether it is written nested or dotted.
fn take(object: &mut Map<String, Value>, path: &[String]) -> Option<Value> {
    for split in 1..=path.len() {
        let (head, rest) = path.split_at(split);
        let key = head.join(".");
        if rest.is_empty() {
            return object.remove(&key);
        }
        if let Some(Value::Object(inner)) = object.get_mut(&key)
            && let Some(found) = take(inner, rest)
        {
            return Some(found);
        }
    }
    None
}

fn put(object: &mut Map<String, Value>, path: &[String], value: Value) {
    match path {
        [] => {}
        [last] => {
            object.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            let inner = object.entry(first.clone()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

fn leaves(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::String(text) => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, texts)),
        Value::Object(members) => members.values().for_each(|member| leaves(member, texts)),
        other => texts.push(other.to_string()),
    }
}

/// Takes the targets out of a value; says whether anything of it is left. Depth is bounded by the document's limits.
fn scrub(value: &mut Value, targets: &[Target]) -> bool {
    match value {
        Value::String(text) => {
            if let Some(target) = targets.iter().find(|target| target.text == *text) {
                return match &target.replacement {
                    Some(replacement) => {
                        text.clone_from(replacement);
                        true
                    }
                    None => false,
                };
            }
            for target in targets.iter().filter(|target| target.text.len() >= SHORTEST_INSIDE) {
                if text.contains(&target.text) {
                    *text = text.replace(&target.text, target.replacement.as_deref().unwrap_or(REMOVED));
                }
            }
            true
        }
        Value::Array(items) => {
            let before = items.len();
            items.retain_mut(|item| scrub(item, targets));
            before == 0 || !items.is_empty()
        }
        Value::Object(members) => {
            let before = members.len();
            members.retain(|_, member| scrub(member, targets));
            before == 0 || !members.is_empty()
        }
        _ => true,
    }
}

/// The original with every target replaced; `None` when one does not stand there as it is.
fn scrub_original(original: &[u8], targets: &[Target]) -> Option<Vec<u8>> {
    let mut text = String::from_utf8(original.to_vec()).ok()?;
    for target in targets {
        if text.contains(&target.text) {
            text = text.replace(&target.text, target.replacement.as_deref().unwrap_or(REMOVED));
        } else if !targets.iter().any(|other| other.text != target.text && other.text.contains(&target.text))
        {
            return None;
        }
    }
    Some(text.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::path::Path;

    fn redactor(rules: &str) -> Redactor {
        let text = format!("hash-key = \"0123456789abcdef\"\n{rules}");
        Redactor::new(&Config::from_text(Path::new("weir.toml"), &text, []).unwrap()).unwrap()
    }

    fn event() -> Map<String, Value> {
        let value = json!({
            "user": {"name": "mallory", "id": "42"},
            "related": {"user": ["mallory"], "ip": ["192.0.2.1"]},
            "message": "login of mallory",
            "aws": {"cloudtrail": {"userName": "mallory", "arn": "arn:aws:iam::111122223333:user/mallory"}},
            "url.query": "q=mallory",
        });
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_removed_value_is_nowhere_in_the_event_or_its_original() {
        let mut event = event();
        let rule = "[[redact]]\nfields = [\"user.name\"]\naction = \"remove\"\n";
        let original = redactor(rule).redact("x", None, &mut event, b"user=mallory id=42").unwrap();
        assert!(!Value::Object(event.clone()).to_string().contains("mallory"));
        assert_eq!(original, b"user=[redacted] id=42");
        assert_eq!(event["user"], json!({"id": "42"}));
        assert!(event["related"].get("user").is_none());
    }

    #[test]
    fn a_hashed_value_is_the_same_everywhere_and_needs_the_key() {
        let mut event = event();
        let rule = "[[redact]]\nfields = [\"user.name\"]\naction = \"hash\"\n";
        let original = redactor(rule).redact("x", None, &mut event, b"");
        assert!(original.is_none(), "an original without the value is withheld");
        let hash = event["user"]["name"].as_str().unwrap().to_owned();
        assert!(hash.starts_with("hash:") && event["related"]["user"][0] == hash.as_str());
        let without = Config::from_text(Path::new("weir.toml"), rule, []).unwrap();
        assert!(Redactor::new(&without).unwrap_err().to_string().contains("WEIR__HASH_KEY"));
    }

    #[test]
    fn short_values_withhold_the_original_instead_of_riddling_it() {
        let mut event = event();
        let rule =
            "[[redact]]\nfields = [\"user.id\", \"url.query\"]\naction = \"remove\"\nlog-types = [\"x\"]\n";
        assert!(redactor(rule).redact("x", None, &mut event, b"user=mallory id=42").is_none());
        assert!(event.get("url.query").is_none() && event["user"].get("id").is_none());
        assert!(redactor(rule).is_idle("y") && !redactor(rule).is_idle("x"));
    }
}
