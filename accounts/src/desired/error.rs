//! What is wrong with `accounts.toml`, and what would be right.

use std::path::{Path, PathBuf};

/// Why the file is refused.
#[derive(Debug, thiserror::Error)]
pub enum DesiredError {
    #[error(
        "there is no {}; write one with `weir accounts init`, or name yours with --file", path.display()
    )]
    Missing { path: PathBuf },
    #[error("cannot read {}; check that it is a text file, in UTF-8, and yours to read", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{}, line {line}: {problem}", path.display())]
    Syntax { path: PathBuf, line: usize, problem: String },
    #[error("{}: `{field}`: {problem}", path.display())]
    Value { path: PathBuf, field: String, problem: String },
}

impl DesiredError {
    pub(super) fn in_file(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.get(..start).unwrap_or(text).matches('\n').count() + 1;
        DesiredError::Syntax { path: path.to_owned(), line, problem: explain(text, start, error.message()) }
    }
}

/// Serde's message with the nearest known key, or with the field that the value is for.
fn explain(text: &str, start: usize, message: &str) -> String {
    if message.starts_with("unknown ") {
        return with_suggestion(message);
    }
    if let Some(field) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return format!("`{field}` is missing; add it{}", of_section(text, start));
    }
    match key_at(text, start) {
        Some(key) => format!("`{key}`: {message}"),
        None => message.to_owned(),
    }
}

/// Adds the nearest known key to serde's list of all of them.
fn with_suggestion(message: &str) -> String {
    let what = if message.starts_with("unknown variant") { "value" } else { "key" };
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(unknown) = quoted.next() else { return message.to_owned() };
    let known: Vec<&str> = quoted.collect();
    let nearest = known
        .iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(unknown, name), *name))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.4);
    match nearest {
        Some((_, name)) => format!("unknown {what} `{unknown}`; did you mean `{name}`?"),
        None => format!("unknown {what} `{unknown}`; known here: {}", known.join(", ")),
    }
}

/// The key that the line at `start` sets.
fn key_at(text: &str, start: usize) -> Option<&str> {
    let line_start = text.get(..start)?.rfind('\n').map_or(0, |at| at + 1);
    let line = text.get(line_start..)?.lines().next()?;
    let key = line.split_once('=')?.0.trim();
    (!key.is_empty() && !key.starts_with('#')).then_some(key)
}

/// The section that the line at `start` opens.
fn of_section(text: &str, start: usize) -> String {
    let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default().trim();
    if line.starts_with('[') { format!(" to {line}") } else { String::new() }
}
