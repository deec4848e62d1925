//! What a Weir parser is written with.
//!
//! A parser turns frames (a line, a JSON record, a Parquet row) into ECS events. It implements [`Parser`], exports
//! itself with [`export_parser!`], and carries a `parser.toml` and fixtures beside its source. The same crate runs
//! inside the sandbox and natively under `cargo test` and `cargo fuzz`; both give the same bytes.
//!
//! ```
//! use weir_parser_sdk::{Category, Context, Event, Frame, Kind, Outcome, ParseError, Parser, Type, ecs};
//!
//! struct Greeting;
//!
//! impl Parser for Greeting {
//!     const MODULE: &'static str = "example";
//!     const DATASET: &'static str = "example.greeting";
//!     const VENDOR: &'static str = "example.greeting";
//!
//!     fn new(_batch: &Context<'_>) -> Result<Self, ParseError> {
//!         Ok(Greeting)
//!     }
//!
//!     fn parse(&self, frame: &Frame<'_>, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
//!         let text = frame.text();
//!         let (greeting, name) = text.split_once(' ').ok_or(ParseError::no_match("expected GREETING NAME"))?;
//!         event.categorize(Kind::Event, &[Category::Session], &[Type::Info]);
//!         event.set(ecs::USER_NAME, name);
//!         event.vendor().string("greeting", greeting);
//!         Ok(Outcome::Event)
//!     }
//! }
//! ```

pub mod access;
pub mod apache;
pub mod aws;
mod bindings;
mod block;
pub mod columns;
pub mod continuation;
pub mod ecs;
mod endpoint;
mod event;
pub mod fit;
mod frame;
mod joint;
pub mod json;
pub mod linux;
pub mod network;
pub mod nginx;
pub mod positional;
pub mod quoted;
pub mod reader;
mod related;
mod run;
mod short;
pub mod syslog;
pub mod template;
pub mod text;
pub mod time;
pub mod url;
mod value;

pub use bindings::exports::weir::parser::parsing::{
    Batch, FramingKind, MalformedReason, Origin, Outcome as FrameOutcome, Parsed, SkipReason, TimeZone,
    Wrapped, ZoneTransition,
};
pub use endpoint::{CLIENT, DESTINATION, Endpoint, SERVER, SOURCE, ip_version};
pub use event::Event;
pub use frame::{Context, Frame, without_padding};
pub use json::ObjectWriter;
pub use run::parse_batch;
pub use value::{Category, Decimal, EventOutcome, Instant, Joined, Kind, Type, Value};

#[doc(hidden)]
pub use bindings::export_component;
#[doc(hidden)]
pub mod glue {
    //! What [`export_parser!`](crate::export_parser) expands to.
    pub use crate::bindings::*;
}

/// One log type's parser.
///
/// Made anew for each batch, so that what the header and the origin decide is decided once, and nothing survives
/// from one batch to the next. What `parse` does must depend on the batch's header and origin and on the frame alone,
/// never on the frames before it: how frames are split into batches must not show in the events.
pub trait Parser: Sized {
    /// `event.module` of every event, for example `aws`.
    const MODULE: &'static str;
    /// `event.dataset` of every event, for example `aws.vpcflow`.
    const DATASET: &'static str;
    /// Where the vendor's own fields go, for example `aws.vpcflow`. Its first part must not be an ECS field set.
    const VENDOR: &'static str;

    /// Prepares for a batch. An error makes every frame of the batch malformed for that reason.
    fn new(batch: &Context<'_>) -> Result<Self, ParseError>;

    /// Parses one frame into `event`.
    ///
    /// After [`Outcome::Event`] the event as written counts; after anything else, what was written is dropped.
    fn parse(&self, frame: &Frame<'_>, event: &mut Event<'_>) -> Result<Outcome, ParseError>;
}

/// What became of a well-formed frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The event as written, and those that [`Event::emit`] ended before.
    Event,
    /// Only the events that [`Event::emit`] ended; what was written since is dropped. Without any, the frame counts
    /// as skipped.
    Emitted,
    /// No event, for a reason that is no fault.
    Skipped(Skip),
}

/// Why a well-formed frame gives no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Skip {
    /// Empty or white space.
    Empty,
    /// A comment or directive.
    Comment,
    /// A control message of the wrapper or the service.
    Control,
    /// Anything else, in a few words.
    Other(String),
}

/// Why a frame could not be parsed. The frame goes to quarantine with this reason and its raw bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError(pub(crate) MalformedReasonKind, pub(crate) String);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MalformedReasonKind {
    NoMatch,
    BadJson,
    MissingField,
    BadField,
    UnknownLayout,
    TooLarge,
    Other,
}

impl ParseError {
    /// The frame is not what the log type looks like; says what was expected.
    pub fn no_match(expected: impl Into<String>) -> Self {
        ParseError(MalformedReasonKind::NoMatch, expected.into())
    }
    /// The frame is not JSON; says what and where.
    pub fn bad_json(what: impl Into<String>) -> Self {
        ParseError(MalformedReasonKind::BadJson, what.into())
    }
    /// A field that the log type always has is missing.
    pub fn missing_field(name: impl Into<String>) -> Self {
        ParseError(MalformedReasonKind::MissingField, name.into())
    }
    /// A field has a value that cannot be.
    pub fn bad_field(name: &str, why: impl std::fmt::Display) -> Self {
        ParseError(MalformedReasonKind::BadField, format!("{name}: {why}"))
    }
    /// No header and no configured fields say what the columns are.
    pub fn unknown_layout(why: impl Into<String>) -> Self {
        ParseError(MalformedReasonKind::UnknownLayout, why.into())
    }
    /// More nesting or more fields than a parser takes.
    pub fn too_large(what: impl Into<String>) -> Self {
        ParseError(MalformedReasonKind::TooLarge, what.into())
    }
    /// Anything else, in a few words.
    pub fn other(why: impl Into<String>) -> Self {
        ParseError(MalformedReasonKind::Other, why.into())
    }
}

impl From<serde_json::Error> for ParseError {
    fn from(error: serde_json::Error) -> Self {
        ParseError::bad_json(error.to_string())
    }
}

impl From<ParseError> for MalformedReason {
    fn from(ParseError(kind, text): ParseError) -> Self {
        match kind {
            MalformedReasonKind::NoMatch => MalformedReason::NoMatch(text),
            MalformedReasonKind::BadJson => MalformedReason::BadJson(text),
            MalformedReasonKind::MissingField => MalformedReason::MissingField(text),
            MalformedReasonKind::BadField => MalformedReason::BadField(text),
            MalformedReasonKind::UnknownLayout => MalformedReason::UnknownLayout(text),
            MalformedReasonKind::TooLarge => MalformedReason::TooLarge(text),
            MalformedReasonKind::Other => MalformedReason::Other(text),
        }
    }
}

/// Exports a [`Parser`] as the component's `parse`.
#[macro_export]
macro_rules! export_parser {
    ($parser:ident) => {
        #[doc(hidden)]
        // Natively the names of the exports are no symbols that a linker takes.
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "the component's export, written by wit-bindgen")]
        mod weir_component {
            struct Component;
            impl $crate::glue::exports::weir::parser::parsing::Guest for Component {
                fn parse(batch: $crate::Batch) -> $crate::Parsed {
                    $crate::parse_batch::<super::$parser>(&batch)
                }
            }
            $crate::export_component!(Component with_types_in $crate::glue);
        }
    };
}
