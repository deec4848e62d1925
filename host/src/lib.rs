//! Weir's host: log objects in, sandboxed parsers, normalized events out.
//!
//! `pipeline` is the heart and reads as the whole path of one object. The other modules are its stages.

pub mod cli;
pub mod config;
pub mod enrich;
pub mod event;
pub mod host;
pub mod ingest;
pub mod ledger;
mod local;
pub mod output;
pub mod parser;
pub mod pipeline;
pub mod quarantine;
pub mod query;
pub mod redact;
pub mod route;
pub mod serve;
pub mod store;
pub mod volume;
pub mod watch;
