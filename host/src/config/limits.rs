//! Settings that bound things or say where they are.

use super::ConfigError;
use crate::parser::Limits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// `[parsers]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ParserSettings {
    /// The folder of component files.
    pub folder: PathBuf,
    /// Where compiled code is kept; beside the data unless set.
    pub cache: Option<PathBuf>,
    /// Instances that run at once; 0 is one for each core.
    pub workers: usize,
    /// What single parsers are granted, by name; what is not named has `[limits]`.
    pub grant: BTreeMap<String, Grant>,
}

impl Default for ParserSettings {
    fn default() -> Self {
        ParserSettings {
            folder: PathBuf::from("target/parsers"),
            cache: None,
            workers: 0,
            grant: BTreeMap::new(),
        }
    }
}

/// Limits that one parser is granted instead of the general ones.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Grant {
    pub memory_bytes: Option<u64>,
    pub deadline_ms: Option<u64>,
    pub output_factor: Option<u64>,
    pub fields: Option<u32>,
    pub depth: Option<u32>,
}

/// WebAssembly's own limit: addresses have 32 bits.
const MOST_MEMORY: u64 = 4 << 30;
/// What the check of documents can hold.
const MOST_DEPTH: u32 = 64;
/// What the framers can hold; see [`crate::ingest::stream::FrameLimits`].
const MOST_FRAME: u64 = 256 << 20;
const MOST_BATCH: u64 = 64 << 20;

fn check_bound(setting: &str, value: u64, most: u64) -> Result<(), ConfigError> {
    if value == 0 {
        return Err(ConfigError::value(setting, "must be at least 1"));
    }
    if value > most {
        return Err(ConfigError::value(setting, format!("is at most {most}")));
    }
    Ok(())
}

/// What OpenSearch takes as (a part of) an index name: "Create index" in its API reference.
pub(super) fn check_index_name(setting: &str, name: &str) -> Result<(), ConfigError> {
    let is_odd = |c: char| c.is_uppercase() || c.is_whitespace() || "\\/*?\"<>|,#:".contains(c);
    if name.is_empty() || name.starts_with(['-', '_', '+', '.']) || name.contains(is_odd) {
        return Err(ConfigError::value(
            setting,
            format!("{name:?} cannot be in an index name; use lower case letters, digits and hyphens"),
        ));
    }
    Ok(())
}

impl Grant {
    fn check(&self, name: &str) -> Result<(), ConfigError> {
        for (setting, value, most) in [
            ("memory-bytes", self.memory_bytes, MOST_MEMORY),
            ("deadline-ms", self.deadline_ms, u64::MAX),
            ("output-factor", self.output_factor, u64::MAX),
            ("fields", self.fields.map(u64::from), u64::MAX),
            ("depth", self.depth.map(u64::from), MOST_DEPTH.into()),
        ] {
            if let Some(value) = value {
                check_bound(&format!("parsers.grant.{name}.{setting}"), value, most)?;
            }
        }
        Ok(())
    }
}

impl ParserSettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.grant.iter().try_for_each(|(name, grant)| grant.check(name))
    }
}

/// `[limits]`
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LimitSettings {
    /// Memory of one parser instance.
    pub memory_bytes: u64,
    /// Time of one batch.
    pub deadline_ms: u64,
    /// A batch's documents may have this many times its bytes, plus 1 MiB.
    pub output_factor: u64,
    /// Members and elements of one event.
    pub fields: u32,
    /// Nested objects and arrays of one event; at most 64.
    pub depth: u32,
    /// The largest component file.
    pub component_bytes: u64,
    /// The longest frame; a longer one is quarantined as a range.
    pub frame_bytes: usize,
    /// Frames are handed to a parser in batches of about this size.
    pub batch_bytes: usize,
    /// What one object may decompress to.
    pub object_bytes: u64,
    /// What one object may decompress to, against its stored size, past 64 MiB.
    pub ratio: u64,
    /// Objects that are read at once; 0 is one for each core.
    pub objects: usize,
}

impl Default for LimitSettings {
    fn default() -> Self {
        let limits = Limits::default();
        LimitSettings {
            memory_bytes: limits.memory_bytes,
            deadline_ms: limits.deadline.as_millis() as u64,
            output_factor: limits.output_factor,
            fields: limits.fields,
            depth: limits.depth,
            component_bytes: 32 << 20,
            frame_bytes: 8 << 20,
            batch_bytes: 128 << 10,
            object_bytes: 16 << 30,
            ratio: 10_000,
            objects: 0,
        }
    }
}

impl LimitSettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (name, value, most) in [
            ("memory-bytes", self.memory_bytes, MOST_MEMORY),
            ("deadline-ms", self.deadline_ms, u64::MAX),
            ("output-factor", self.output_factor, u64::MAX),
            ("fields", self.fields.into(), u64::MAX),
            ("depth", self.depth.into(), MOST_DEPTH.into()),
            ("component-bytes", self.component_bytes, u64::MAX),
            ("frame-bytes", self.frame_bytes as u64, MOST_FRAME),
            ("batch-bytes", self.batch_bytes as u64, MOST_BATCH),
            ("object-bytes", self.object_bytes, u64::MAX),
            ("ratio", self.ratio, u64::MAX),
        ] {
            check_bound(&format!("limits.{name}"), value, most)?;
        }
        Ok(())
    }

    /// The limits of a parser that is granted nothing of its own.
    pub fn parser_limits(&self, grant: Grant) -> Limits {
        Limits {
            memory_bytes: grant.memory_bytes.unwrap_or(self.memory_bytes),
            deadline: Duration::from_millis(grant.deadline_ms.unwrap_or(self.deadline_ms)),
            output_factor: grant.output_factor.unwrap_or(self.output_factor),
            fields: grant.fields.unwrap_or(self.fields),
            depth: grant.depth.unwrap_or(self.depth),
            ..Limits::default()
        }
    }
}

/// The time that one index covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Period {
    #[default]
    Day,
    Week,
    Month,
}

/// A log type's period, from a date on.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PeriodChange {
    pub log_type: String,
    pub period: Period,
    /// `YYYY-MM-DD`: objects of this day and later.
    pub from: String,
}

/// `[index]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct IndexSettings {
    /// Whether events go into the embedded index.
    pub enabled: bool,
    /// Days that the embedded index keeps; for ever unless set.
    pub retention_days: Option<u32>,
    /// Memory of the index writers, together.
    pub writer_bytes: usize,
    /// Space that is left free on the disk; ingest stops before it is touched.
    pub min_free_bytes: u64,
    /// Names of the indices of single log types, instead of the manifests'.
    pub names: BTreeMap<String, String>,
    /// Log types whose indices cover a week or a month.
    pub periods: Vec<PeriodChange>,
}

impl Default for IndexSettings {
    fn default() -> Self {
        IndexSettings {
            enabled: true,
            retention_days: None,
            writer_bytes: 128 << 20,
            min_free_bytes: 256 << 20,
            names: BTreeMap::new(),
            periods: Vec::new(),
        }
    }
}

impl IndexSettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (log_type, name) in &self.names {
            check_index_name(&format!("index.names.{log_type}"), name)?;
        }
        for change in &self.periods {
            change.from.parse::<jiff::civil::Date>().map_err(|error| {
                ConfigError::value(
                    "index.periods.from",
                    format!("{:?} is no date YYYY-MM-DD ({error})", change.from),
                )
            })?;
        }
        Ok(())
    }
}

/// `[archive]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ArchiveSettings {
    /// Whether events and their originals are archived.
    pub enabled: bool,
}

impl Default for ArchiveSettings {
    fn default() -> Self {
        ArchiveSettings { enabled: true }
    }
}

/// `[serve]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ServeSettings {
    /// Address and port of the HTTP service.
    pub listen: String,
    /// What a request must carry as `Authorization: Bearer TOKEN`; needed to listen beyond loopback.
    #[serde(skip_serializing)]
    pub token: Option<String>,
}

impl Default for ServeSettings {
    fn default() -> Self {
        ServeSettings { listen: "127.0.0.1:7413".to_owned(), token: None }
    }
}

impl ServeSettings {
    /// The address to listen on.
    ///
    /// # Errors
    /// When it is no address and port.
    pub fn address(&self) -> Result<SocketAddr, ConfigError> {
        self.listen.parse().map_err(|error| {
            ConfigError::value(
                "serve.listen",
                format!("{:?} is no ADDRESS:PORT, as 127.0.0.1:7413 is ({error})", self.listen),
            )
        })
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !self.address()?.ip().is_loopback() && self.token.as_deref().is_none_or(|token| token.len() < 16) {
            return Err(ConfigError::value(
                "serve.listen",
                "listening beyond loopback needs `serve.token` (or WEIR__SERVE__TOKEN) of at least 16 characters",
            ));
        }
        Ok(())
    }
}
