//! Weir's host: log objects in, sandboxed parsers, normalized events out.

pub mod ingest;
pub mod parser;
