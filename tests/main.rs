//! End to end: components, carriers and objects as they come, through the host's library.
//!
//! `cargo xtask test` builds what these tests run (parsers, hostile guests, the program) and says where it lies; a
//! plain `cargo test` looks in the target folder.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod cli;
mod corpus;
mod es_loader_bugs;
mod golden;
mod sandbox;
mod support;
