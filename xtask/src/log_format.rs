//! The form of log messages: lowercase first letter, no full stop at the end. Values go into fields.
//!
//! A scan of the sources for the macros of `tracing`, not a parser of Rust: it knows strings, comments and brackets,
//! which is enough to find the message of each call.

use crate::project::Project;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Where our sources lie.
const FOLDERS: [&str; 5] = ["host", "parsers-wasm", "accounts", "tests", "bench"];

const MACROS: [&str; 5] = ["trace!", "debug!", "info!", "warn!", "error!"];

/// Every message that breaks the rule, as `FILE:LINE: message: what is wrong`.
pub(crate) fn violations(project: &Project) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for folder in FOLDERS {
        collect_sources(&project.root.join(folder), &mut files)?;
    }
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        for (line, message, fault) in faults(&text) {
            found.push(format!("{}:{line}: {message:?}: {fault}", project.show(&file)));
        }
    }
    Ok(found)
}

fn collect_sources(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        if path.is_dir() {
            collect_sources(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// Line, message and fault of each message of a source that breaks the rule.
fn faults(source: &str) -> Vec<(usize, String, &'static str)> {
    messages(source)
        .into_iter()
        .filter_map(|(offset, message)| {
            let fault = fault(&message)?;
            let line = source.get(..offset)?.matches('\n').count() + 1;
            Some((line, message, fault))
        })
        .collect()
}

fn fault(message: &str) -> Option<&'static str> {
    let mut letters = message.chars();
    let (first, second) = (letters.next()?, letters.next());
    // A word in capitals, such as AWS, stays as it is.
    if first.is_uppercase() && !second.is_some_and(|letter| letter.is_uppercase() || letter.is_ascii_digit())
    {
        return Some("begin with a lowercase letter");
    }
    (message.ends_with('.') && !message.ends_with("...")).then_some("end without a full stop")
}

/// A piece of Rust source, as far as finding messages needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    /// Letters, digits, `_`; with a `!` when one follows.
    Word(&'a str),
    /// The inside of a string literal, escapes as they stand.
    Text(&'a str),
    /// Any other character that is no white space.
    Mark(char),
}

/// Offset and text of the message of each call of a logging macro: its first argument that is a string literal.
fn messages(source: &str) -> Vec<(usize, String)> {
    let tokens = tokens(source);
    let mut found = Vec::new();
    for (index, (_, token)) in tokens.iter().enumerate() {
        let is_macro = matches!(token, Token::Word(word) if MACROS.contains(word));
        let arguments = tokens.get(index + 1..).unwrap_or_default();
        if is_macro && matches!(arguments.first(), Some((_, Token::Mark('(')))) {
            found.extend(first_text_argument(arguments));
        }
    }
    found
}

/// `arguments` begins with the opening bracket.
fn first_text_argument(arguments: &[(usize, Token<'_>)]) -> Option<(usize, String)> {
    let mut depth = 0_usize;
    let mut at_start_of_argument = false;
    for (offset, token) in arguments {
        match token {
            Token::Mark('(' | '[' | '{') => {
                depth += 1;
                at_start_of_argument = depth == 1;
                continue;
            }
            Token::Mark(')' | ']' | '}') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return None;
                }
            }
            Token::Mark(',') if depth == 1 => {
                at_start_of_argument = true;
                continue;
            }
            Token::Text(text) if at_start_of_argument => return Some((*offset, (*text).to_owned())),
            _ => {}
        }
        at_start_of_argument = false;
    }
    None
}

fn tokens(source: &str) -> Vec<(usize, Token<'_>)> {
    let mut tokens = Vec::new();
    let mut offset = 0;
    while let Some(rest) = source.get(offset..).filter(|rest| !rest.is_empty()) {
        let (token, length) = next_token(rest);
        if let Some(token) = token {
            tokens.push((offset, token));
        }
        offset += length;
    }
    tokens
}

/// The first token of `rest`, if it is not blank or a comment, and how many bytes it takes; at least one.
fn next_token(rest: &str) -> (Option<Token<'_>>, usize) {
    let first = rest.chars().next().unwrap_or_default();
    if rest.starts_with("//") {
        return (None, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (None, rest.find("*/").map_or(rest.len(), |end| end + 2));
    }
    if let Some((text, length)) = raw_string(rest).or_else(|| string(rest)) {
        return (Some(Token::Text(text)), length);
    }
    if first == '\'' {
        return (None, character(rest));
    }
    if first.is_alphanumeric() || first == '_' {
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
        let end = if rest[end..].starts_with('!') { end + 1 } else { end };
        return (Some(Token::Word(&rest[..end])), end);
    }
    let token = (!first.is_whitespace()).then_some(Token::Mark(first));
    (token, first.len_utf8().max(1))
}

fn string(rest: &str) -> Option<(&str, usize)> {
    let inside = rest.strip_prefix('"')?;
    let mut escaped = false;
    for (index, letter) in inside.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some((&inside[..index], index + 2)),
            _ => {}
        }
    }
    Some((inside, rest.len()))
}

fn raw_string(rest: &str) -> Option<(&str, usize)> {
    let after = rest.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let inside = after.get(hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let index = inside.find(&end)?;
    Some((&inside[..index], 1 + hashes + 1 + index + end.len()))
}

/// The length of a character literal, or 1 where the quote begins a lifetime.
fn character(rest: &str) -> usize {
    let inside = rest.get(1..).unwrap_or_default();
    let mut letters = inside.char_indices();
    match letters.next() {
        // The letter after the backslash may be a quote.
        Some((_, '\\')) => inside.get(2..).and_then(|rest| rest.find('\'')).map_or(1, |end| end + 4),
        Some((_, letter)) if inside[letter.len_utf8()..].starts_with('\'') => letter.len_utf8() + 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str) -> Vec<String> {
        messages(source).into_iter().map(|(_, message)| message).collect()
    }

    #[test]
    fn the_message_is_the_first_argument_that_is_text() {
        assert_eq!(found(r#"info!("plain");"#), ["plain"]);
        assert_eq!(
            found(r#"tracing::warn!(key = "Value.", other = %x, "the message {}", "Value");"#),
            ["the message {}"]
        );
        assert_eq!(found(r#"error!(error = format!("No", 1), ?field, "after");"#), ["after"]);
        assert_eq!(found("debug!(target: \"Weir\", r#\"raw \"text\"\"#);"), ["raw \"text\""]);
        assert_eq!(found("info!(field = 1);"), [""; 0]);
        assert_eq!(found(r#"info!(x = '"', y = '\'', z = '\u{22}', "after quotes");"#), ["after quotes"]);
        assert_eq!(found(r#"fn f<'a>(x: &'a str) { trace!("a lifetime before") }"#), ["a lifetime before"]);
    }

    #[test]
    fn comments_strings_and_other_macros_are_no_calls() {
        assert_eq!(found("// info!(\"Comment.\")\n/* warn!(\"Comment.\") */"), [""; 0]);
        assert_eq!(found(r#"let text = "info!(\"Text.\")";"#), [""; 0]);
        assert_eq!(found(r#"my_info!("Other."); println!("Other."); info("Other.");"#), [""; 0]);
    }

    #[test]
    fn faults_name_their_line() {
        let source = "info!(\"fine\");\nwarn!(\"Capital\");\nerror!(\n    \"full stop.\"\n);\ndebug!(\"AWS and S3\");\n";
        let lines: Vec<(usize, &str)> =
            faults(source).iter().map(|(line, _, fault)| (*line, *fault)).collect();
        assert_eq!(lines, [(2, "begin with a lowercase letter"), (4, "end without a full stop")]);
        assert_eq!(fault("S3 is asked again"), None);
        assert_eq!(fault("waiting..."), None);
        assert_eq!(fault(""), None);
    }

    #[test]
    fn unfinished_source_ends() {
        for source in ["info!(\"open", "info!(", "r#\"open", "'", "'\\", "/* open", "é'é", "info!(\"a\\"] {
            let _ = faults(source);
        }
    }
}
