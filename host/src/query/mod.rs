//! The query language: one for the command line, the HTTP API, volume rules and whatever searches later.
//!
//! It is Lucene's query syntax as OpenSearch Dashboards users type it, read by [`parse()`] into a [`Query`] (the tree,
//! which prints itself back), resolved by [`Plan`] against the types of the fields, and answered either on one event
//! in memory ([`Matcher`]) or by the embedded index. Both answer the same `plan::Predicate` with the same leaf tests,
//! so a volume rule and a search never disagree about an event.
//!
//! Rules that differ from, or are left open by, Lucene (docs/adr/0007-query-language.md says why):
//! - clauses side by side are alternatives (`OR`), as in OpenSearch's Lucene mode; `AND` binds tighter than `OR`, and
//!   `NOT` tighter than both; `+` requires and `-` or a bare `NOT` excludes within the list it stands in;
//! - a value keeps the type it has in the event, and nothing is ever rejected for its type: `field:200` finds the number
//!   and the text alike, a range with numbers as bounds compares numbers, with dates dates, else text byte by byte;
//! - a field holding text matches whole and case-sensitively, as OpenSearch keywords do; the full-text fields
//!   ([`fields::Kind`]) and terms without a field match words, in any case;
//! - hits are ordered by time, so a boost (`^2`) is read and has no effect.

mod ast;
mod dates;
mod error;
pub mod fields;
mod matcher;
mod parse;
mod pattern;
pub mod plan;
mod scalar;
mod source;
pub mod text;

pub use ast::{Bound, Clause, Leaf, Occur, Part, Query, Test};
pub use dates::instant_from_text;
pub use error::QueryError;
pub use matcher::Matcher;
pub use parse::parse;
pub(crate) use pattern::TextTest;
pub use plan::Plan;
pub(crate) use scalar::{Number, Scalar, Typed};

#[cfg(test)]
mod tests;
