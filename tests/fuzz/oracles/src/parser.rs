//! The check of a parser's answer, as `weir::parser` without the sandbox.
//!
//! Its types come from the SDK, which makes them from the same contract with the same names.

#[path = "../../../../host/src/parser/answer.rs"]
mod answer;
#[path = "../../../../host/src/parser/json_scan.rs"]
pub mod json_scan;

pub(crate) use self::answer::check;
pub use self::answer::{Answer, Verdict};
pub use self::engine::{Breach, Limits};

pub(crate) mod contract {
    pub(crate) use weir_parser_sdk::{FrameOutcome as Outcome, MalformedReason, Parsed, SkipReason};
}

/// As far as the check of answers goes: what it reads of the limits, and the breach it finds.
pub mod engine {
    /// See the host's `Limits`.
    #[derive(Debug, Clone, Copy)]
    pub struct Limits {
        pub fields: u32,
        pub depth: u32,
        pub output_factor: u64,
        pub output_extra: u64,
    }

    impl Default for Limits {
        fn default() -> Self {
            Limits { fields: 1000, depth: 20, output_factor: 16, output_extra: 1 << 20 }
        }
    }

    /// See the host's `Breach`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum Breach {
        Contract { what: String, frame: Option<u32> },
    }
}
