//! What happens to events: redaction, volume rules, enrichment.

use super::ConfigError;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[[redact]]`: fields removed or hashed before every output, in the original too.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RedactRule {
    /// ECS or vendor field names, dotted.
    pub fields: Vec<String>,
    pub action: RedactAction,
    /// Log types it is for; all unless named.
    #[serde(default)]
    pub log_types: Vec<String>,
    /// Accounts it is for; all unless named.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// Which events it is for, as a query; all unless given.
    #[serde(default)]
    pub when: Option<String>,
}

/// What a redaction puts in the value's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RedactAction {
    /// Nothing.
    Remove,
    /// A keyed hash, so that equal values can still be told.
    Hash,
}

impl RedactRule {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.fields.is_empty() {
            return Err(ConfigError::value("redact.fields", "name at least one field"));
        }
        // A name that can stand for no field would leave its values readable.
        let is_odd = |name: &&String| name.contains('*') || name.split('.').any(str::is_empty);
        if let Some(name) = self.fields.iter().find(is_odd) {
            return Err(ConfigError::value(
                "redact.fields",
                format!("{name:?} names no field; write each out, as `user.email`"),
            ));
        }
        check_query("redact.when", self.when.as_deref())
    }
}

/// `[[volume]]`: what is indexed. Reduction is reversible: what a rule takes out stays in the archive, unless the rule
/// says `archive = false`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct VolumeRule {
    /// For reports.
    pub name: String,
    /// Which events, as a query.
    pub when: String,
    pub action: Action,
    /// The share that a sample keeps, above 0 and below 1.
    #[serde(default)]
    pub rate: Option<f64>,
    /// `false` loses the event for good.
    #[serde(default = "yes")]
    pub archive: bool,
    /// Log types it is for; all unless named.
    #[serde(default)]
    pub log_types: Vec<String>,
    /// Accounts it is for; all unless named.
    #[serde(default)]
    pub accounts: Vec<String>,
}

fn yes() -> bool {
    true
}

/// What a volume rule does with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Index it, whatever later rules say.
    Keep,
    /// Leave it out of the index.
    Drop,
    /// Index a share of them, chosen by the document id.
    Sample,
}

impl VolumeRule {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let setting = format!("volume.{}", self.name);
        check_query(&format!("{setting}.when"), Some(&self.when))?;
        match (self.action, self.rate) {
            (Action::Sample, Some(rate)) if rate > 0.0 && rate < 1.0 => Ok(()),
            (Action::Sample, _) => {
                Err(ConfigError::value(setting, "a sample needs a `rate` above 0 and below 1"))
            }
            (_, Some(_)) => Err(ConfigError::value(setting, "only a sample has a `rate`")),
            _ => Ok(()),
        }
    }
}

fn check_query(setting: &str, query: Option<&str>) -> Result<(), ConfigError> {
    let Some(query) = query else { return Ok(()) };
    crate::query::parse(query).map(|_| ()).map_err(|error| ConfigError::value(setting, error.to_string()))
}

/// `[enrich]`: databases in MaxMind's format.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct EnrichSettings {
    /// A city or country database: `geo.*` of source, destination, client and server.
    pub geoip: Option<PathBuf>,
    /// An ASN database: `as.number` and `as.organization.name`.
    pub asn: Option<PathBuf>,
}
