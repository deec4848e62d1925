//! Where objects come from, and what overrules the manifests' routes.

use super::ConfigError;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[[source]]`: a folder whose files' paths under it are the keys.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SourceSettings {
    /// Stands for the bucket's name.
    pub name: String,
    pub path: PathBuf,
    /// IANA name or offset of times that name no zone; UTC unless set.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// WHATWG name of the character set; UTF-8 unless set.
    #[serde(default)]
    pub charset: Option<String>,
    /// The columns of files that have no header.
    #[serde(default)]
    pub header: Option<String>,
    /// Whether `weir run` follows files that grow or rotate instead of waiting until they are complete.
    #[serde(default)]
    pub follow: bool,
}

impl SourceSettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let setting = format!("source.{}", self.name);
        if self.name.is_empty() || self.path.as_os_str().is_empty() {
            return Err(ConfigError::value("source", "`name` and `path` must not be empty"));
        }
        check_zone(&setting, self.time_zone.as_deref())?;
        check_charset(&setting, self.charset.as_deref())
    }
}

/// `[[route]]`: all conditions given must hold.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RouteOverride {
    /// The bucket's (or source's) name.
    pub bucket: Option<String>,
    /// What the key begins with.
    pub prefix: Option<String>,
    /// A regular expression searched in the key.
    pub key: Option<String>,
    /// The account that the key names.
    pub account: Option<String>,
    /// A regular expression searched in the log group of a wrapped stream.
    pub log_group: Option<String>,
    /// A regular expression searched in the container's name of a wrapped stream.
    pub container: Option<String>,
    /// The log type; `none` keeps the objects from every parser.
    pub log_type: Option<String>,
    /// The team that owns what fits.
    pub team: Option<String>,
    /// As in `[[source]]`.
    pub time_zone: Option<String>,
    pub charset: Option<String>,
    pub header: Option<String>,
}

impl RouteOverride {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (name, pattern) in
            [("key", &self.key), ("log-group", &self.log_group), ("container", &self.container)]
        {
            if let Some(pattern) = pattern {
                regex::Regex::new(pattern)
                    .map_err(|error| ConfigError::value(format!("route.{name}"), error.to_string()))?;
            }
        }
        let says = [&self.log_type, &self.team, &self.time_zone, &self.charset, &self.header];
        if says.iter().all(|setting| setting.is_none()) {
            return Err(ConfigError::value(
                "route",
                "a route says nothing; give it a `log-type`, `team`, `time-zone`, `charset` or `header`",
            ));
        }
        if let Some(team) = &self.team {
            super::limits::check_index_name("route.team", &team.to_lowercase())?;
        }
        check_zone("route", self.time_zone.as_deref())?;
        check_charset("route", self.charset.as_deref())
    }
}

fn check_zone(setting: &str, zone: Option<&str>) -> Result<(), ConfigError> {
    let Some(zone) = zone else { return Ok(()) };
    crate::route::Zone::named(zone).map(|_| ()).ok_or_else(|| {
        ConfigError::value(
            format!("{setting}.time-zone"),
            format!("{zone:?} is neither an IANA name nor an offset such as +02:00"),
        )
    })
}

fn check_charset(setting: &str, charset: Option<&str>) -> Result<(), ConfigError> {
    let Some(charset) = charset else { return Ok(()) };
    encoding_rs::Encoding::for_label(charset.as_bytes()).map(|_| ()).ok_or_else(|| {
        ConfigError::value(
            format!("{setting}.charset"),
            format!("{charset:?} is not a character set of the WHATWG Encoding Standard"),
        )
    })
}
