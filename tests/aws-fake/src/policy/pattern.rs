//! Patterns with `*`, `?` and policy variables ("IAM policy elements: Variables and tags", IAM User Guide).

use super::{Context, Key};

/// A piece of a pattern. What a variable stands for is literal: a `*` in it is a star.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Literal(char),
    One,
    Many,
}

/// Whether `text` matches a pattern without variables.
pub(crate) fn glob_matches(pattern: &str, text: &str) -> bool {
    let pieces: Vec<Piece> = pattern.chars().map(piece).collect();
    matches(&pieces, text, true)
}

/// The same without regard to case, as actions are compared.
pub(super) fn glob_matches_any_case(pattern: &str, text: &str) -> bool {
    glob_matches(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase())
}

/// Whether `text` matches a pattern whose variables take their values from the context. `None` if a variable has none.
pub(super) fn matches_with_variables(
    pattern: &str,
    text: &str,
    context: Option<&Context>,
    wildcards: bool,
    any_case: bool,
) -> Option<bool> {
    let (pattern, text) = if any_case {
        (lower_outside_of_variables(pattern), text.to_ascii_lowercase())
    } else {
        (pattern.to_owned(), text.to_owned())
    };
    let pieces = expand(&pattern, context, any_case)?;
    Some(matches(&pieces, &text, wildcards))
}

/// Whether an ARN matches a pattern part by part: a `*` does not reach over a colon, but for the resource part.
pub(super) fn arn_matches(pattern: &str, text: &str, context: Option<&Context>) -> Option<bool> {
    let patterns: Vec<&str> = split_arn(pattern);
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    if patterns.len() != 6 || parts.len() != 6 {
        return matches_with_variables(pattern, text, context, true, false);
    }
    for (pattern, part) in patterns.iter().zip(&parts) {
        if !matches_with_variables(pattern, part, context, true, false)? {
            return Some(false);
        }
    }
    Some(true)
}

/// The six parts of an ARN's pattern; colons within `${…}` do not count.
fn split_arn(pattern: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut from, mut within) = (0, false);
    for (index, character) in pattern.char_indices() {
        match character {
            '{' => within = true,
            '}' => within = false,
            ':' if !within && parts.len() < 5 => {
                parts.push(pattern.get(from..index).unwrap_or_default());
                from = index + 1;
            }
            _ => {}
        }
    }
    parts.push(pattern.get(from..).unwrap_or_default());
    parts
}

fn lower_outside_of_variables(pattern: &str) -> String {
    // Names of keys are compared without regard to case, so lowering them as well does no harm.
    pattern.to_ascii_lowercase()
}

fn piece(character: char) -> Piece {
    match character {
        '*' => Piece::Many,
        '?' => Piece::One,
        other => Piece::Literal(other),
    }
}

fn expand(pattern: &str, context: Option<&Context>, any_case: bool) -> Option<Vec<Piece>> {
    let Some(context) = context else { return Some(pattern.chars().map(piece).collect()) };
    let mut pieces = Vec::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once("${") {
        pieces.extend(before.chars().map(piece));
        let Some((name, after)) = after.split_once('}') else {
            pieces.extend("${".chars().map(Piece::Literal));
            pieces.extend(after.chars().map(piece));
            return Some(pieces);
        };
        match name {
            "*" | "?" | "$" => pieces.extend(name.chars().map(Piece::Literal)),
            _ => {
                let (key, default) = match name.split_once(',') {
                    Some((key, default)) => (key.trim(), Some(default.trim().trim_matches('\''))),
                    None => (name.trim(), None),
                };
                let value = match context.values(&Key::new(key)) {
                    Some([single]) => single.as_str(),
                    _ => default?,
                };
                let value = if any_case { value.to_ascii_lowercase() } else { value.to_owned() };
                pieces.extend(value.chars().map(Piece::Literal));
            }
        }
        rest = after;
    }
    pieces.extend(rest.chars().map(piece));
    Some(pieces)
}

/// Backtracks to the last star only, so that the time is bounded by the product of the lengths.
fn matches(pieces: &[Piece], text: &str, wildcards: bool) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut position) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while position < text.len() {
        let piece = pieces.get(at).copied();
        let fits = match piece {
            Some(Piece::Literal(literal)) => text.get(position) == Some(&literal),
            Some(Piece::One) => wildcards || text.get(position) == Some(&'?'),
            Some(Piece::Many) if wildcards => {
                star = Some((at, position));
                at += 1;
                continue;
            }
            Some(Piece::Many) => text.get(position) == Some(&'*'),
            None => false,
        };
        if fits {
            at += 1;
            position += 1;
        } else if let Some((star_at, taken)) = star {
            star = Some((star_at, taken + 1));
            at = star_at + 1;
            position = taken + 1;
        } else {
            return false;
        }
    }
    pieces.get(at..).is_none_or(|rest| rest.iter().all(|piece| wildcards && *piece == Piece::Many))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abbbc", true),
            ("a*c", "abbbd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*/AWSLogs/*", "x/y/AWSLogs/z", true),
            ("a*b*c*d", "axxbxxcxxcxxd", true),
            ("", "a", false),
        ] {
            assert_eq!(glob_matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn variables_are_literal_and_have_defaults() {
        let mut context = Context::default();
        context.set("aws:PrincipalAccount", "111122223333");
        context.set("aws:username", "a*");
        let check =
            |pattern: &str, text: &str| matches_with_variables(pattern, text, Some(&context), true, false);
        assert_eq!(check("b/${aws:principalaccount}/*", "b/111122223333/x"), Some(true));
        assert_eq!(check("b/${aws:PrincipalAccount}/*", "b/222222222222/x"), Some(false));
        assert_eq!(check("${aws:username}", "abc"), Some(false));
        assert_eq!(check("${aws:username}", "a*"), Some(true));
        assert_eq!(check("${aws:userid}", "abc"), None);
        assert_eq!(check("${aws:userid, 'abc'}", "abc"), Some(true));
        assert_eq!(check("a${*}b", "axb"), Some(false));
        assert_eq!(check("a${*}b", "a*b"), Some(true));
    }

    #[test]
    fn stars_of_an_arn_do_not_reach_over_colons() {
        let check = |pattern: &str, text: &str| arn_matches(pattern, text, None);
        assert_eq!(check("arn:aws:iam::*:role/weir/*", "arn:aws:iam::111122223333:role/weir/x"), Some(true));
        assert_eq!(check("arn:*:role/weir/x:::", "arn:aws:iam::111122223333:role/weir/x"), Some(false));
        assert_eq!(check("*", "arn:aws:iam::111122223333:role/x"), Some(true));
        let context = Context::default();
        assert_eq!(
            arn_matches("arn:aws:s3:::b/${aws:PrincipalAccount}", "arn:aws:s3:::b/1", Some(&context)),
            None
        );
    }

    /// The definition, without care for time.
    fn slow(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((&'*', rest)), Some((_, after))) => slow(rest, text) || slow(pattern, after),
            (Some((&'*', rest)), None) => slow(rest, text),
            (Some((&'?', rest)), Some((_, after))) => slow(rest, after),
            (Some((one, rest)), Some((other, after))) => one == other && slow(rest, after),
            _ => false,
        }
    }

    proptest::proptest! {
        #[test]
        fn globs_match_as_their_definition(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            proptest::prop_assert_eq!(glob_matches(&pattern, &text), slow(&chars(&pattern), &chars(&text)));
        }

        #[test]
        fn no_pattern_panics(pattern in ".{0,40}", text in ".{0,40}") {
            let context = Context::default();
            glob_matches(&pattern, &text);
            arn_matches(&pattern, &text, Some(&context));
        }
    }
}
