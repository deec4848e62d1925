//! Volume control: which events are indexed. What a rule takes out of the index stays in the archive.

use crate::config::{Action, Config, ConfigError};
use crate::event::DocumentId;
use crate::query::Matcher;
use serde_json::{Map, Value};

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Into the index, and the archive.
    Index,
    /// Into the archive alone.
    ArchiveOnly,
    /// Nowhere, because the configuration says so.
    Reduce,
}

#[derive(Debug)]
struct Rule {
    when: Matcher,
    action: Action,
    rate: f64,
    archive: bool,
    log_types: Vec<String>,
    accounts: Vec<String>,
}

/// The configured rules; the first that fits an event decides.
#[derive(Debug, Default)]
pub struct VolumeControl {
    rules: Vec<Rule>,
    archive: bool,
}

impl VolumeControl {
    /// Compiles the configured rules.
    ///
    /// # Errors
    /// When a condition is no query.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let rules = config
            .volume_rules
            .iter()
            .map(|settings| {
                let when = crate::query::parse(&settings.when)
                    .and_then(|query| Matcher::new(&query))
                    .map_err(|error| ConfigError::Value {
                        setting: format!("volume.{}.when", settings.name),
                        problem: error.to_string(),
                    })?;
                Ok(Rule {
                    when,
                    action: settings.action,
                    rate: settings.rate.unwrap_or(1.0),
                    archive: settings.archive,
                    log_types: settings.log_types.clone(),
                    accounts: settings.accounts.clone(),
                })
            })
            .collect::<Result<_, ConfigError>>()?;
        Ok(VolumeControl { rules, archive: config.archive.enabled })
    }

    /// Whether every event of this log type is indexed without looking at it.
    pub fn is_idle(&self, log_type: &str) -> bool {
        !self
            .rules
            .iter()
            .any(|rule| rule.log_types.is_empty() || rule.log_types.iter().any(|name| name == log_type))
    }

    /// Decides about one event.
    pub fn decide(
        &self,
        log_type: &str,
        account: Option<&str>,
        event: &Map<String, Value>,
        id: DocumentId,
    ) -> Decision {
        let listed = |list: &[String], value: Option<&str>| {
            list.is_empty() || value.is_some_and(|value| list.iter().any(|name| name == value))
        };
        let rule = self.rules.iter().find(|rule| {
            listed(&rule.log_types, Some(log_type))
                && listed(&rule.accounts, account)
                && rule.when.matches_object(event)
        });
        let Some(rule) = rule else { return Decision::Index };
        let kept = match rule.action {
            Action::Keep => true,
            Action::Drop => false,
            Action::Sample => share(id) < rule.rate,
        };
        match (kept, rule.archive && self.archive) {
            (true, _) => Decision::Index,
            (false, true) => Decision::ArchiveOnly,
            (false, false) => Decision::Reduce,
        }
    }
}

/// The document's place in [0, 1): the same wherever and whenever it is asked for.
fn share(id: DocumentId) -> f64 {
    let [a, b, c, d, ..] = id.0;
    f64::from(u32::from_le_bytes([a, b, c, d])) / 4_294_967_296.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{FrameClass, StreamId};
    use serde_json::json;
    use std::path::Path;

    fn control(rules: &str) -> VolumeControl {
        VolumeControl::new(&Config::from_text(Path::new("weir.toml"), rules, []).unwrap()).unwrap()
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let control = control(
            "[[volume]]\nname = \"r\"\nwhen = \"event.action:reject\"\naction = \"keep\"\nlog-types = [\"vpcflow\"]\n\
             [[volume]]\nname = \"a\"\nwhen = \"event.action:*\"\naction = \"drop\"\n\
             [[volume]]\nname = \"l\"\nwhen = \"*\"\naction = \"drop\"\narchive = false\naccounts = [\"1\"]\n",
        );
        let decide = |log_type: &str, account, event: Value| {
            control.decide(log_type, account, event.as_object().unwrap(), DocumentId([0; 16]))
        };
        assert_eq!(decide("vpcflow", None, json!({"event": {"action": "reject"}})), Decision::Index);
        assert_eq!(decide("alb", None, json!({"event": {"action": "reject"}})), Decision::ArchiveOnly);
        assert_eq!(decide("alb", Some("1"), json!({"a": 1})), Decision::Reduce);
        assert_eq!(decide("alb", Some("2"), json!({"a": 1})), Decision::Index);
    }

    #[test]
    fn a_sample_keeps_its_share_and_always_the_same_events() {
        let control = control("[[volume]]\nname = \"s\"\nwhen = \"*\"\naction = \"sample\"\nrate = 0.25\n");
        let stream = StreamId::new([1; 16], None);
        let kept = || -> Vec<u64> {
            (0..10_000)
                .filter(|offset| {
                    let id = stream.frame(FrameClass::Frame, *offset, None).document(0);
                    control.decide("x", None, &Map::new(), id) == Decision::Index
                })
                .collect()
        };
        assert!((2300..2700).contains(&kept().len()), "{}", kept().len());
        assert_eq!(kept(), kept());
    }
}
