//! Onboards an AWS Organization into the log account: discover → plan → apply → verify.
//!
//! [`inventory`] is what discovery found and [`desired`] what `accounts.toml` asks for; both are plain data. A
//! [`plan`] is a pure function of the two. Only applying it writes, and only what the plan holds.

pub mod apply;
pub mod audit;
pub mod aws;
pub mod backfill;
pub mod cli;
pub mod clock;
pub mod codes;
pub mod desired;
pub mod discover;
mod glob;
pub mod ids;
pub mod inventory;
pub mod layout;
pub mod lines;
pub mod plan;
pub mod policy;
pub mod progress;
pub mod render;
pub mod replication;
pub mod status;
pub mod verify;
