//! The contract's types as the host uses them, made from `wit/v0.1.0` by wasmtime's bindgen.
//!
//! What goes in is borrowed, so that a batch crosses the boundary with one copy into the guest's memory; what comes out
//! is owned. A later contract version gets a module of its own beside this one, with conversions to the latest.
#![allow(clippy::all, clippy::pedantic, unreachable_pub, missing_docs, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../wit/v0.1.0",
    world: "parser",
    ownership: Borrowing { duplicate_if_necessary: false },
});

pub use exports::weir::parser::parsing::{
    Batch, FramingKind, MalformedReason, Origin, Outcome, Parsed, SkipReason, TimeZone, Wrapped,
    ZoneTransition,
};

/// The version of the contract that this module speaks.
pub const VERSION: &str = "0.1.0";
