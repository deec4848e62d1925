//! Parsers: components loaded, sandboxed, run and judged.
//!
//! The only way to turn frames into events. `engine` bounds and runs instances, `answer` checks what comes out,
//! `bisect` gives every frame a verdict whatever the parser does, `workers` shares the cores between parsers, and
//! `registry` holds the parsers in force and swaps them.

mod answer;
mod bisect;
pub mod component;
pub mod contract;
mod engine;
pub mod fixtures;
pub mod json_scan;
pub mod manifest;
mod registry;
mod workers;

pub use answer::{Answer, Entry, Verdict};
pub use engine::{Breach, CompiledParser, EngineError, Limits, Sandbox};
pub use registry::{Parser, Registry, RegistryError, RegistrySettings, Reloaded};
pub use workers::Workers;
