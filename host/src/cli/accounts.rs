//! `weir accounts`: onboarding, as its own crate has it.

pub(super) use weir_accounts::cli::{Arguments, run, usage};
