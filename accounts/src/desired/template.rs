//! The file that `weir accounts init` writes.

/// A commented `accounts.toml` that loads as written, with account ids and names to replace.
pub fn template() -> &'static str {
    include_str!("template.toml")
}
