//! `*` and `?` over whole strings: bucket and account names, and what IAM matches with.

/// Whether `text` fits `pattern`, where `*` stands for any run of characters and `?` for one.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<Token> = pattern.chars().map(Token::from_char).collect();
    matches_tokens(&pattern, text)
}

/// One part of a pattern. IAM needs the difference between a wildcard and a literal `*` (`${*}`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    AnyRun,
    AnyOne,
    Literal(char),
}

impl Token {
    pub(crate) fn from_char(character: char) -> Self {
        match character {
            '*' => Token::AnyRun,
            '?' => Token::AnyOne,
            other => Token::Literal(other),
        }
    }
}

/// Linear but for a factor of the pattern's length: the last `*` is the only one that is tried again.
pub(crate) fn matches_tokens(pattern: &[Token], text: &str) -> bool {
    let mut at = 0;
    let mut rest = text.chars();
    // Where to go on when a literal does not fit: after the last `*`, one character further in the text.
    let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        let here = rest.clone();
        match (pattern.get(at), rest.next()) {
            (None, None) => return true,
            (Some(Token::AnyRun), _) => {
                retry = Some((at + 1, here.clone()));
                rest = here;
                at += 1;
            }
            (Some(Token::AnyOne), Some(_)) => at += 1,
            (Some(Token::Literal(wanted)), Some(found)) if *wanted == found => at += 1,
            _ => {
                let Some((after, mut from)) = retry.take() else { return false };
                if from.next().is_none() {
                    return false;
                }
                rest = from.clone();
                at = after;
                retry = Some((after, from));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The plain definition, exponential in the worst case.
    fn by_definition(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|taken| by_definition(rest, &text[taken..])),
            Some(('?', rest)) => !text.is_empty() && by_definition(rest, &text[1..]),
            Some((literal, rest)) => text.first() == Some(literal) && by_definition(rest, &text[1..]),
        }
    }

    #[test]
    fn patterns_cover_whole_strings() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("*", "", true),
            ("?", "", false),
            ("a*c", "abbc", true),
            ("a*c", "abbcd", false),
            ("**a", "ba", true),
            ("a?", "aü", true),
            ("*-logs-*", "a-logs-b-logs-", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            let expected = by_definition(
                &pattern.chars().collect::<Vec<_>>(),
                &text.chars().collect::<Vec<_>>(),
            );
            prop_assert_eq!(matches(&pattern, &text), expected);
        }
    }
}
