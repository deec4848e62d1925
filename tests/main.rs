//! End to end: components, carriers and objects as they come, through the host's library.
//!
//! `cargo xtask test` builds what these tests run (parsers, hostile guests, the program) and says where it lies; a
//! plain `cargo test` looks in the target folder.

mod corpus;
// `es_loader_bugs` shows faults of the host that are not mended yet; it comes back with them.
mod golden;
// `sandbox` shows faults of the host that are not mended yet; it comes back with them.
mod support;
