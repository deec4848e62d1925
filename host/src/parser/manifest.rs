//! A parser's manifest: what `parser.toml` says, read from the component's custom section without running any code.
//!
//! A manifest only asks. Which team may parse which keys and write which indices, and which limits hold, comes from the
//! host's configuration.

use crate::ingest::frame::{Framing, PreparedFraming};
use regex::Regex;
use serde::Deserialize;

/// The manifest format this host reads.
pub const FORMAT: u32 = 1;

/// Why a manifest is refused.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("the manifest is not UTF-8 text; rebuild the component with its parser.toml")]
    NotText,
    #[error("the manifest is not what format {FORMAT} asks for; correct parser.toml and rebuild")]
    Syntax(#[source] Box<toml::de::Error>),
    #[error(
        "the manifest has format {0}, and this host reads {FORMAT}; use a host of the parser's age or newer"
    )]
    Format(u32),
    #[error("the parser speaks contract {0}, and this host runs {supported}; rebuild it with the current SDK", supported = super::contract::VERSION)]
    Contract(String),
    #[error("`{field}` must not be empty; correct parser.toml")]
    Empty { field: &'static str },
    #[error("the name {0:?} may hold small letters, digits and hyphens only; correct parser.toml")]
    Name(String),
    #[error("the route pattern `{pattern}` is not a regular expression; correct parser.toml")]
    Pattern {
        pattern: String,
        #[source]
        source: Box<regex::Error>,
    },
    #[error(transparent)]
    Framing(#[from] crate::ingest::frame::FramingError),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawManifest {
    manifest: u32,
    name: String,
    version: String,
    team: String,
    contract: String,
    #[serde(default)]
    description: String,
    log_types: Vec<String>,
    #[serde(default)]
    fields: Vec<String>,
    #[serde(default)]
    route: Vec<RawRoute>,
    framing: Framing,
    #[serde(default)]
    time_zone: Option<String>,
    #[serde(default)]
    unwrap_firelens: bool,
    #[serde(default)]
    index: Index,
    #[serde(default)]
    limits: RequestedLimits,
}

/// Where a parser's events go, unless the configuration says otherwise.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Index {
    /// The index name without its period, `log-aws-vpcflow`; by default `log-` and the log type.
    pub name: Option<String>,
}

/// Limits that a parser asks for; the configuration grants them or not.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RequestedLimits {
    /// Bytes of memory for one instance.
    pub memory_bytes: Option<u64>,
    /// Milliseconds for one batch.
    pub deadline_ms: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawRoute {
    key: Option<String>,
    bucket: Option<String>,
    log_group: Option<String>,
    container: Option<String>,
    header: Option<String>,
    log_type: Option<String>,
    #[serde(default = "default_priority")]
    priority: u32,
}

const fn default_priority() -> u32 {
    100
}

/// One suggestion of what the parser takes: all patterns given must be found.
#[derive(Debug, Clone)]
pub struct RouteSuggestion {
    /// Searched in the object's key.
    pub key: Option<Regex>,
    /// Searched in the bucket's name.
    pub bucket: Option<Regex>,
    /// Searched in the CloudWatch Logs group of a wrapped stream.
    pub log_group: Option<Regex>,
    /// Searched in the container's name of a wrapped stream.
    pub container: Option<Regex>,
    /// Searched in the first line of a text, or in the column names of a Parquet file with blanks between: tells log
    /// types apart whose keys are alike.
    pub header: Option<Regex>,
    /// Which of the parser's log types it is; the first unless said.
    pub log_type: String,
    /// Among several that match the lowest wins.
    pub priority: u32,
}

/// A checked manifest.
#[derive(Debug, Clone)]
pub struct Manifest {
    pub name: String,
    pub version: String,
    pub team: String,
    pub description: String,
    pub log_types: Vec<String>,
    /// ECS fields that every event of the parser has.
    pub fields: Vec<String>,
    pub routes: Vec<RouteSuggestion>,
    pub framing: PreparedFraming,
    /// How the framing is called in the manifest, for listings.
    pub framing_kind: &'static str,
    /// IANA name or offset of times that name no zone.
    pub time_zone: Option<String>,
    /// Whether lines inside a FireLens envelope are what this parser reads, rather than the envelope itself.
    pub unwrap_firelens: bool,
    pub index: Index,
    pub limits: RequestedLimits,
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// Says what is wrong and where.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let text = std::str::from_utf8(bytes).map_err(|_| ManifestError::NotText)?;
        let raw: RawManifest =
            toml::from_str(text).map_err(|error| ManifestError::Syntax(Box::new(error)))?;
        if raw.manifest != FORMAT {
            return Err(ManifestError::Format(raw.manifest));
        }
        if raw.contract != super::contract::VERSION {
            return Err(ManifestError::Contract(raw.contract));
        }
        for (field, value) in [("name", &raw.name), ("version", &raw.version), ("team", &raw.team)] {
            if value.is_empty() {
                return Err(ManifestError::Empty { field });
            }
        }
        for name in std::iter::once(&raw.name).chain(&raw.log_types) {
            if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
                return Err(ManifestError::Name(name.clone()));
            }
        }
        let Some(first_type) = raw.log_types.first().cloned() else {
            return Err(ManifestError::Empty { field: "log-types" });
        };
        let routes = raw
            .route
            .into_iter()
            .map(|route| {
                Ok(RouteSuggestion {
                    key: compile(route.key)?,
                    bucket: compile(route.bucket)?,
                    log_group: compile(route.log_group)?,
                    container: compile(route.container)?,
                    header: compile(route.header)?,
                    log_type: route.log_type.unwrap_or_else(|| first_type.clone()),
                    priority: route.priority,
                })
            })
            .collect::<Result<_, ManifestError>>()?;
        Ok(Manifest {
            framing: raw.framing.prepare()?,
            framing_kind: kind_of(&raw.framing),
            name: raw.name,
            version: raw.version,
            team: raw.team,
            description: raw.description,
            log_types: raw.log_types,
            fields: raw.fields,
            routes,
            time_zone: raw.time_zone,
            unwrap_firelens: raw.unwrap_firelens,
            index: raw.index,
            limits: raw.limits,
        })
    }
}

const fn kind_of(framing: &Framing) -> &'static str {
    match framing {
        Framing::Lines { .. } => "lines",
        Framing::Header { .. } => "header",
        Framing::Directives { .. } => "directives",
        Framing::Json { .. } => "json",
        Framing::MultiLine { .. } => "multi-line",
        Framing::GroupByKey { .. } => "group-by-key",
        Framing::XmlElement { .. } => "xml-element",
        Framing::WholeObject { .. } => "whole-object",
        Framing::ParquetRows { .. } => "parquet-rows",
    }
}

fn compile(pattern: Option<String>) -> Result<Option<Regex>, ManifestError> {
    pattern
        .map(|pattern| {
            Regex::new(&pattern).map_err(|error| ManifestError::Pattern { pattern, source: Box::new(error) })
        })
        .transpose()
}
