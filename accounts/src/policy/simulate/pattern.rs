//! Policy variables, and how ARNs are compared.

use super::Context;
use crate::glob::{self, Token};

/// A policy string with its variables filled in: what is left are wildcards and literals.
/// None when a variable has neither value nor default: the element then matches nothing (IAM User Guide, "Policy variables").
pub(super) fn expand(text: &str, context: &Context, has_variables: bool) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${").filter(|_| has_variables) {
        let (before, variable) = rest.split_at_checked(at)?;
        tokens.extend(before.chars().map(Token::from_char));
        let Some((name, after)) = variable.get(2..)?.split_once('}') else {
            tokens.extend(variable.chars().map(Token::from_char));
            return Some(tokens);
        };
        match name {
            // The three characters that otherwise have a meaning.
            "*" | "?" | "$" => tokens.extend(name.chars().map(Token::Literal)),
            _ => {
                let (key, default) = match name.split_once(',') {
                    Some((key, default)) => (key.trim(), Some(default.trim().trim_matches('\''))),
                    None => (name.trim(), None),
                };
                let value = context.single(key).or(default)?;
                tokens.extend(value.chars().map(Token::Literal));
            }
        }
        rest = after;
    }
    tokens.extend(rest.chars().map(Token::from_char));
    Some(tokens)
}

/// Whether an ARN fits a pattern of which each of the first five parts is compared on its own (IAM User Guide, "Amazon
/// Resource Name condition operators"). `*` alone fits everything.
pub(super) fn arn_matches(pattern: &[Token], arn: &str) -> bool {
    if matches!(pattern, [Token::AnyRun]) {
        return true;
    }
    let mut parts = arn.splitn(6, ':');
    let mut rest = pattern;
    for place in 0..6 {
        let Some(part) = parts.next() else { return false };
        let end = if place == 5 {
            rest.len()
        } else {
            match rest.iter().position(|token| *token == Token::Literal(':')) {
                Some(end) => end,
                None => return false,
            }
        };
        if !rest.get(..end).is_some_and(|part_pattern| glob::matches_tokens(part_pattern, part)) {
            return false;
        }
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    true
}

/// The pattern as text, without its wildcards' meaning: for the operators that compare literally.
pub(super) fn literal(tokens: &[Token]) -> String {
    tokens
        .iter()
        .map(|token| match token {
            Token::AnyRun => '*',
            Token::AnyOne => '?',
            Token::Literal(character) => *character,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, arn: &str) -> bool {
        let context = Context::default().with("aws:PrincipalAccount", "111111111111");
        expand(pattern, &context, true).is_some_and(|tokens| arn_matches(&tokens, arn))
    }

    #[test]
    fn variables_are_literal_and_wildcards_are_not() {
        assert!(matches("arn:aws:s3:::b/${aws:PrincipalAccount}/*", "arn:aws:s3:::b/111111111111/x:y"));
        assert!(!matches("arn:aws:s3:::b/${aws:PrincipalAccount}/*", "arn:aws:s3:::b/222222222222/x"));
        assert!(!matches("arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b//x"));
        assert!(matches("arn:aws:s3:::b/${aws:username, 'none'}/*", "arn:aws:s3:::b/none/x"));
        assert!(
            matches("arn:aws:s3:::b/${*}", "arn:aws:s3:::b/*")
                && !matches("arn:aws:s3:::b/${*}", "arn:aws:s3:::b/x")
        );
        let context = Context::default().with("aws:username", "*");
        let tokens = expand("a${aws:username}", &context, true).unwrap();
        assert!(!glob::matches_tokens(&tokens, "abc") && glob::matches_tokens(&tokens, "a*"));
    }

    #[test]
    fn parts_of_an_arn_are_compared_one_by_one() {
        assert!(matches("arn:aws:iam::*:role/weir/*", "arn:aws:iam::111111111111:role/weir/a/b"));
        assert!(!matches("arn:aws:iam::*", "arn:aws:iam::111111111111:role/weir/a"));
        assert!(!matches("arn:aws:*:role/x", "arn:aws:iam::111111111111:role/x"));
        assert!(matches("*", "arn:aws:iam::111111111111:role/x"));
        assert!(matches("arn:*:s3:::b*", "arn:aws-cn:s3:::bucket"));
    }
}
