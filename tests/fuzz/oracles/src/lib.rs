//! What holds for any input, whatever it is made of: one function for each fuzz target, which panics where it does not.
//!
//! Fuzz targets call these functions with inputs that libFuzzer makes up; `tests/replay.rs` calls them with the seeds and
//! with every input that once failed, as ordinary tests.
//!
//! The host's modules are compiled here once more, from its own files, rather than linked as the crate `weir`. The
//! host comes with wasmtime and tantivy: instrumenting them would take longer than a round of fuzzing, and libFuzzer
//! walks through the counters of all code that is linked after each input. It also leaves the host's interface alone,
//! since the check of answers is private there. What the host adds around these modules (threads, files, the sandbox
//! itself) is tested in `tests/`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "an oracle says no by a panic")]
#![allow(unreachable_pub, reason = "what the host's modules make public, they make public in the host")]

// The host's modules, under the names that they have there.
#[allow(dead_code, unused_imports, reason = "the host uses more of it")]
#[path = "../../../../host/src/event.rs"]
mod event;
#[allow(dead_code, unused_imports, reason = "the host uses more of it")]
mod ingest;
#[allow(dead_code, unused_imports, reason = "the host uses more of it")]
mod parser;
#[allow(dead_code, unused_imports, reason = "the host uses more of it")]
#[path = "../../../../host/src/query/mod.rs"]
mod query;
#[path = "../../../../host/src/route/key.rs"]
mod route_key;

mod oracle;

pub use oracle::contract::contract;
pub use oracle::decompression::decompression;
pub use oracle::framing::framing;
pub use oracle::json_scan::json_scan;
pub use oracle::key::key;
pub use oracle::parquet_rows::parquet_rows;
pub use oracle::parsers::*;
pub use oracle::query::query;
pub use oracle::wrappers::wrappers;

/// A fuzz target's name and what it calls.
pub type Target = (&'static str, fn(&[u8]));

/// Every target. Those of parsers have the name of the parser's folder.
pub const TARGETS: [Target; 23] = [
    ("framing", framing),
    ("decompression", decompression),
    ("wrappers", wrappers),
    ("parquet-rows", parquet_rows),
    ("contract", contract),
    ("json-scan", json_scan),
    ("query", query),
    ("key", key),
    ("alb", alb),
    ("apache-access", apache_access),
    ("apache-error", apache_error),
    ("app-json", app_json),
    ("clb", clb),
    ("cloudtrail", cloudtrail),
    ("linux-secure", linux_secure),
    ("linux-syslog", linux_syslog),
    ("nginx-access", nginx_access),
    ("nginx-error", nginx_error),
    ("nlb", nlb),
    ("s3access", s3access),
    ("tgwflow", tgwflow),
    ("vpcflow", vpcflow),
    ("waf", waf),
];
