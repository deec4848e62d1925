//! What is wrong with a configuration, and what would be right.

use std::path::{Path, PathBuf};

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the configuration {path}; check the path given with --config")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{path}, line {line}: {problem}")]
    Syntax { path: PathBuf, line: usize, problem: String },
    #[error("{name} of the environment: {problem}; it is WEIR__SECTION__KEY=value, as in weir.toml")]
    Environment { name: String, problem: String },
    #[error("`{setting}`: {problem}")]
    Value { setting: String, problem: String },
}

impl ConfigError {
    pub(super) fn value(setting: impl Into<String>, problem: impl Into<String>) -> Self {
        ConfigError::Value { setting: setting.into(), problem: problem.into() }
    }

    pub(super) fn in_file(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.get(..start).unwrap_or(text).matches('\n').count() + 1;
        ConfigError::Syntax { path: path.to_owned(), line, problem: with_suggestion(error.message()) }
    }

    pub(super) fn in_environment(name: &str, error: &toml::de::Error) -> Self {
        ConfigError::Environment { name: name.to_owned(), problem: with_suggestion(error.message()) }
    }
}

/// Adds the nearest known key to serde's list of all of them.
fn with_suggestion(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(unknown) = quoted.next().filter(|_| message.starts_with("unknown ")) else {
        return message.to_owned();
    };
    let known: Vec<&str> = quoted.collect();
    let nearest = known
        .iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(unknown, name), *name))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.4);
    match nearest {
        Some((_, name)) => format!("unknown key `{unknown}`; did you mean `{name}`?"),
        None => format!("unknown key `{unknown}`; known here: {}", known.join(", ")),
    }
}
