//! Framing: where one record of a stream ends and the next begins.
//!
//! A log type's manifest says which [`Framing`] its streams have; [`Framing::prepare`] checks it and compiles its
//! patterns once. A framer then works on the read buffer in place: it is shown what is there, hands each frame to the
//! `Sink` (the only copy made), says how much it consumed, and is shown the rest again with more behind it.
//!
//! Why each framer counts for itself: the ledger compares what was read with what the framers saw, so a byte that a
//! framer drops shows.

mod header;
mod json;
mod lines;
mod multiline;
mod parquet;
pub(crate) mod scan;
mod sink;
#[cfg(test)]
mod tests;
mod values;
mod whole;

use regex::bytes::Regex;
use serde::Deserialize;

pub(crate) use self::json::JsonFramer;
pub(crate) use self::parquet::{ParquetRows, RowCounts};
pub(crate) use self::sink::{Loss, Sink, StreamSlot};
pub(crate) use self::values::{EveryValue, Opening, Value, Values};
use super::decompress::Break;
use super::stream::{FrameKind, FrameLimits};

/// How a log type's streams are cut into frames, as its manifest says it (`kind` and the fields of that kind).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Framing {
    /// One line, one frame; LF or CRLF, the last line may lack it. Empty lines are no frames.
    Lines {},
    /// Lines, of which the first is a header if `pattern` (a regular expression) matches it. The header goes with the
    /// batches and is no frame.
    Header {
        pattern: String,
        /// Whether a later line that matches replaces the header, as in files that were joined end to end.
        #[serde(default = "yes")]
        each: bool,
    },
    /// Lines, of which those that begin with `comment` are directives; the last that begins with `prefix` is in force
    /// (W3C extended logs: `#` and `#Fields:`).
    Directives {
        #[serde(default = "fields_directive")]
        prefix: String,
        #[serde(default = "hash")]
        comment: String,
    },
    /// JSON values: concatenated, one a line, or spread over lines; a top-level array gives its elements. An object
    /// in which one of `pointers` (RFC 6901, of object keys only: `/Records`, `/detail/findings`) leads to an array
    /// gives the array's elements; any other object is one frame.
    Json {
        #[serde(default)]
        pointers: Vec<String>,
    },
    /// A line that matches `start` (a regular expression) begins a frame, the others belong to the frame before.
    MultiLine {
        start: String,
        /// Most lines of a frame; more begin a frame of their own.
        #[serde(default)]
        max_lines: Option<usize>,
    },
    /// Lines with one key joined within a window (auditd). Not supported by this version.
    GroupByKey { pattern: String },
    /// One XML element, one frame (Windows events). Not supported by this version.
    XmlElement { element: String },
    /// The whole member is one frame.
    WholeObject {},
    /// One row, one frame. A member that begins as a Parquet file is read so whatever framing was asked for.
    ParquetRows {},
}

fn yes() -> bool {
    true
}

fn fields_directive() -> String {
    "#Fields:".to_owned()
}

fn hash() -> String {
    "#".to_owned()
}

/// Why a manifest's framing cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FramingError {
    #[error(
        "the framing `{kind}` is not supported by this version of weir; use a later one, or frame by `lines`"
    )]
    Unsupported { kind: &'static str },
    #[error("the framing's `{field}` is not a regular expression; correct the pattern in the manifest")]
    Pattern {
        field: &'static str,
        #[source]
        source: Box<regex::Error>,
    },
    #[error(
        "the framing's pointer `{pointer}` is not of the form `/Key` or `/outer/inner`; correct it in the manifest"
    )]
    Pointer { pointer: String },
    #[error("the framing's `{field}` must not be empty; give it a value or leave it out")]
    Empty { field: &'static str },
}

/// A framing whose patterns are compiled; shared by all streams of a log type.
#[derive(Debug, Clone)]
pub enum PreparedFraming {
    Lines,
    Header { pattern: Regex, each: bool },
    Directives { prefix: Vec<u8>, comment: Vec<u8> },
    Json { pointers: Vec<Vec<Vec<u8>>> },
    MultiLine { start: Regex, max_lines: Option<usize> },
    WholeObject,
    ParquetRows,
}

impl Framing {
    /// Checks the framing and compiles its patterns.
    pub fn prepare(&self) -> Result<PreparedFraming, FramingError> {
        Ok(match self {
            Self::Lines {} => PreparedFraming::Lines,
            Self::Header { pattern, each } => {
                PreparedFraming::Header { pattern: compile("pattern", pattern)?, each: *each }
            }
            Self::Directives { prefix, comment } => {
                if comment.is_empty() {
                    return Err(FramingError::Empty { field: "comment" });
                }
                PreparedFraming::Directives {
                    prefix: prefix.as_bytes().into(),
                    comment: comment.as_bytes().into(),
                }
            }
            Self::Json { pointers } => {
                let pointers =
                    pointers.iter().map(|pointer| parse_pointer(pointer)).collect::<Result<_, _>>()?;
                PreparedFraming::Json { pointers }
            }
            Self::MultiLine { start, max_lines } => {
                if *max_lines == Some(0) {
                    return Err(FramingError::Empty { field: "max-lines" });
                }
                PreparedFraming::MultiLine { start: compile("start", start)?, max_lines: *max_lines }
            }
            Self::GroupByKey { .. } => return Err(FramingError::Unsupported { kind: "group-by-key" }),
            Self::XmlElement { .. } => return Err(FramingError::Unsupported { kind: "xml-element" }),
            Self::WholeObject {} => PreparedFraming::WholeObject,
            Self::ParquetRows {} => PreparedFraming::ParquetRows,
        })
    }
}

fn compile(field: &'static str, pattern: &str) -> Result<Regex, FramingError> {
    Regex::new(pattern).map_err(|source| FramingError::Pattern { field, source: Box::new(source) })
}

/// The keys of an RFC 6901 pointer, each as it stands between quotes in JSON text that escapes nothing.
fn parse_pointer(pointer: &str) -> Result<Vec<Vec<u8>>, FramingError> {
    let refuse = || FramingError::Pointer { pointer: pointer.to_owned() };
    let keys = pointer.strip_prefix('/').ok_or_else(refuse)?;
    let keys: Vec<Vec<u8>> =
        keys.split('/').map(|key| key.replace("~1", "/").replace("~0", "~").into_bytes()).collect();
    if keys.iter().any(Vec::is_empty) { Err(refuse()) } else { Ok(keys) }
}

impl PreparedFraming {
    /// What the frames of this framing are.
    pub fn kind(&self) -> FrameKind {
        match self {
            Self::Json { .. } => FrameKind::Json,
            Self::ParquetRows => FrameKind::ParquetRow,
            _ => FrameKind::Text,
        }
    }
}

/// How a run of bytes ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ending<'a> {
    /// The stream is complete.
    End,
    /// The carrier broke here; more bytes may follow behind the break.
    Broken(&'a Break),
}

/// What a framer is shown: the bytes not yet consumed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub(crate) data: &'a [u8],
    /// Offset of `data` in the member's decompressed stream.
    pub(crate) offset: u64,
    /// Whether more bytes follow without a break.
    pub(crate) more: bool,
}

/// Cuts one stream of bytes into frames.
pub(crate) trait Framer: Send {
    /// Hands every frame that is certainly complete to the sink and returns how many bytes it is done with. Stops
    /// early when the sink is full. While `more` is set and nothing could be consumed, the same bytes are shown again
    /// with more behind them, so a framer must consume something once it is shown more than it may keep.
    fn frame(&mut self, shown: Shown<'_>, sink: &mut Sink<'_>) -> usize;

    /// Deals with all of `rest`, what [`Framer::frame`] left, as nothing follows it but `ending`. Called once for
    /// each end and each break, after `frame` consumed nothing with `more` unset.
    fn finish(&mut self, rest: &[u8], offset: u64, ending: Ending<'_>, sink: &mut Sink<'_>);
}

/// The framer for a member's own stream, which is the sink's main one.
pub(crate) fn framer_for(framing: &PreparedFraming, limits: &FrameLimits) -> Box<dyn Framer> {
    match framing {
        PreparedFraming::Header { pattern, each } => {
            Box::new(header::HeaderFramer::with_pattern(pattern.clone(), *each, limits))
        }
        PreparedFraming::Directives { prefix, comment } => {
            Box::new(header::DirectiveFramer::with_prefix(prefix.clone(), comment.clone(), limits))
        }
        PreparedFraming::WholeObject => Box::new(whole::WholeFramer::new(limits)),
        PreparedFraming::Json { pointers } => {
            Box::new(json::JsonFramer::new(values::EveryValue, pointers.clone(), limits))
        }
        PreparedFraming::MultiLine { start, max_lines } => {
            Box::new(multiline::MultiLineFramer::new(start.clone(), *max_lines, limits))
        }
        PreparedFraming::ParquetRows => Box::new(whole::NoParquet::default()),
        PreparedFraming::Lines => Box::new(lines::LineFramer::new(lines::PlainLines, limits)),
    }
}
