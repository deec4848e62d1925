//! The `Condition` element: operators, sets, absent keys (IAM User Guide, "IAM JSON policy elements: Condition operators").

use super::pattern::{arn_matches, expand, literal};
use super::{Context, Verdict};
use crate::glob;
use serde_json::Value;
use std::net::IpAddr;

/// How one requested value is compared with one of the policy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Text,
    TextIgnoringCase,
    Pattern,
    Arn,
    Number(Order),
    Date(Order),
    Bool,
    Address,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// An operator, taken apart.
struct Operator {
    comparison: Comparison,
    negated: bool,
    if_exists: bool,
    set: Option<Set>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    Any,
    All,
}

/// Whether every condition of a statement holds.
pub(super) fn holds(condition: &Value, context: &Context, has_variables: bool) -> Verdict {
    let Value::Object(operators) = condition else { return Verdict::Unknown };
    let mut all = Verdict::Yes;
    for (name, keys) in operators {
        let Value::Object(keys) = keys else { return Verdict::Unknown };
        for (key, wanted) in keys {
            all = all.and(one(name, key, &texts(wanted), context, has_variables));
        }
    }
    all
}

fn texts(value: &Value) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match value {
        Value::Array(values) => values.iter().map(text).collect(),
        other => vec![text(other)],
    }
}

fn one(name: &str, key: &str, wanted: &[String], context: &Context, has_variables: bool) -> Verdict {
    if context.is_unknown(key) {
        return Verdict::Unknown;
    }
    let found = context.values(key);
    if name.eq_ignore_ascii_case("null") {
        let absent = found.is_none();
        return Verdict::from(wanted.iter().any(|value| value.eq_ignore_ascii_case("true") == absent));
    }
    let Some(operator) = Operator::parse(name) else { return Verdict::Unknown };
    let Some(found) = found else {
        return Verdict::from(match operator.set {
            Some(Set::All) => true,
            Some(Set::Any) => operator.if_exists,
            // An absent key differs from every value.
            None => operator.if_exists || operator.negated,
        });
    };
    let fits = |value: &str| {
        let hit =
            wanted.iter().any(|wanted| compare(operator.comparison, wanted, value, context, has_variables));
        hit != operator.negated
    };
    Verdict::from(match operator.set {
        Some(Set::All) => found.iter().all(|value| fits(value)),
        Some(Set::Any) => found.iter().any(|value| fits(value)),
        None if operator.negated => found.iter().all(|value| fits(value)),
        None => found.iter().any(|value| fits(value)),
    })
}

impl Operator {
    fn parse(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        let (set, rest) = match lower.split_once(':') {
            Some(("foranyvalue", rest)) => (Some(Set::Any), rest),
            Some(("forallvalues", rest)) => (Some(Set::All), rest),
            Some(_) => return None,
            None => (None, lower.as_str()),
        };
        let (rest, if_exists) = match rest.strip_suffix("ifexists") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let order = |text: &str| {
            Some(match text {
                "equals" | "notequals" => Order::Equal,
                "lessthan" => Order::Less,
                "lessthanequals" => Order::LessOrEqual,
                "greaterthan" => Order::Greater,
                "greaterthanequals" => Order::GreaterOrEqual,
                _ => return None,
            })
        };
        let (comparison, negated) = match rest {
            "stringequals" | "binaryequals" => (Comparison::Text, false),
            "stringnotequals" => (Comparison::Text, true),
            "stringequalsignorecase" => (Comparison::TextIgnoringCase, false),
            "stringnotequalsignorecase" => (Comparison::TextIgnoringCase, true),
            "stringlike" => (Comparison::Pattern, false),
            "stringnotlike" => (Comparison::Pattern, true),
            "arnequals" | "arnlike" => (Comparison::Arn, false),
            "arnnotequals" | "arnnotlike" => (Comparison::Arn, true),
            "bool" => (Comparison::Bool, false),
            "ipaddress" => (Comparison::Address, false),
            "notipaddress" => (Comparison::Address, true),
            other => {
                if let Some(kind) = other.strip_prefix("numeric") {
                    (Comparison::Number(order(kind)?), kind == "notequals")
                } else if let Some(kind) = other.strip_prefix("date") {
                    (Comparison::Date(order(kind)?), kind == "notequals")
                } else {
                    return None;
                }
            }
        };
        Some(Operator { comparison, negated, if_exists, set })
    }
}

fn compare(
    comparison: Comparison,
    wanted: &str,
    found: &str,
    context: &Context,
    has_variables: bool,
) -> bool {
    // Only strings and ARNs may hold variables.
    let expanded = || expand(wanted, context, has_variables);
    match comparison {
        Comparison::Text => expanded().is_some_and(|tokens| literal(&tokens) == found),
        Comparison::TextIgnoringCase => {
            expanded().is_some_and(|tokens| literal(&tokens).to_lowercase() == found.to_lowercase())
        }
        Comparison::Pattern => expanded().is_some_and(|tokens| glob::matches_tokens(&tokens, found)),
        Comparison::Arn => expanded().is_some_and(|tokens| arn_matches(&tokens, found)),
        Comparison::Bool => wanted.eq_ignore_ascii_case(found),
        Comparison::Number(order) => match (wanted.parse::<f64>(), found.parse::<f64>()) {
            (Ok(wanted), Ok(found)) => in_order(order, found.partial_cmp(&wanted)),
            _ => false,
        },
        // RFC 3339 in UTC compares as text; anything else is not what we put into a context.
        Comparison::Date(order) => in_order(order, Some(found.cmp(wanted))),
        Comparison::Address => in_network(wanted, found),
    }
}

fn in_order(order: Order, found: Option<std::cmp::Ordering>) -> bool {
    found.is_some_and(|found| match order {
        Order::Equal => found.is_eq(),
        Order::Less => found.is_lt(),
        Order::LessOrEqual => found.is_le(),
        Order::Greater => found.is_gt(),
        Order::GreaterOrEqual => found.is_ge(),
    })
}

/// Whether an address is in a network in CIDR notation (RFC 4632).
fn in_network(network: &str, address: &str) -> bool {
    let (base, length) = match network.split_once('/') {
        Some((base, length)) => (base, length.parse::<u32>().ok()),
        None => (network, Some(128)),
    };
    let (Ok(base), Ok(address), Some(length)) = (base.parse::<IpAddr>(), address.parse::<IpAddr>(), length)
    else {
        return false;
    };
    match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => {
            let shift = 32 - length.min(32);
            u32::from(base).checked_shr(shift) == u32::from(address).checked_shr(shift)
        }
        (IpAddr::V6(base), IpAddr::V6(address)) => {
            let shift = 128 - length.min(128);
            u128::from(base).checked_shr(shift) == u128::from(address).checked_shr(shift)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(condition: &str) -> Verdict {
        let context = Context::default()
            .with("aws:PrincipalOrgID", "o-a1b2c3d4e5")
            .with("aws:PrincipalArn", "arn:aws:iam::111111111111:role/weir/x")
            .with("aws:SecureTransport", "true")
            .with("aws:PrincipalAccount", "111111111111")
            .with("s3:signatureAge", "5")
            .with_many("aws:TagKeys", &["a", "b"])
            .with("aws:VpcSourceIp", "10.1.2.3")
            .unknown("aws:SourceIp");
        holds(&serde_json::from_str(condition).unwrap(), &context, true)
    }

    #[test]
    fn operators_as_documented() {
        for (condition, expected) in [
            (r#"{"StringEquals":{"aws:principalorgid":"o-a1b2c3d4e5"}}"#, true),
            (r#"{"StringEquals":{"aws:PrincipalOrgID":["x","o-a1b2c3d4e5"]}}"#, true),
            (r#"{"StringEquals":{"aws:PrincipalOrgID":"O-A1B2C3D4E5"}}"#, false),
            (r#"{"StringEqualsIgnoreCase":{"aws:PrincipalOrgID":"O-A1B2C3D4E5"}}"#, true),
            (r#"{"StringNotEquals":{"aws:PrincipalOrgID":["x","o-a1b2c3d4e5"]}}"#, false),
            (r#"{"StringLike":{"aws:PrincipalArn":"*role/weir/*"}}"#, true),
            (r#"{"StringEquals":{"aws:PrincipalArn":"*role/weir/*"}}"#, false),
            (r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/weir/*"}}"#, true),
            (
                r#"{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::${aws:PrincipalAccount}:role/weir/x"}}"#,
                true,
            ),
            (r#"{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/weir/*"}}"#, false),
            (r#"{"Bool":{"aws:SecureTransport":false}}"#, false),
            (r#"{"Bool":{"aws:SecureTransport":"true"}}"#, true),
            (r#"{"NumericLessThan":{"s3:signatureAge":"6"}}"#, true),
            (r#"{"NumericGreaterThanEquals":{"s3:signatureAge":6}}"#, false),
            (r#"{"NumericNotEquals":{"s3:signatureAge":5}}"#, false),
            (r#"{"IpAddress":{"aws:VpcSourceIp":"10.1.0.0/16"}}"#, true),
            (r#"{"NotIpAddress":{"aws:VpcSourceIp":"10.1.0.0/16"}}"#, false),
            (r#"{"IpAddress":{"aws:VpcSourceIp":"0.0.0.0/0"}}"#, true),
            // Sets.
            (r#"{"ForAllValues:StringEquals":{"aws:TagKeys":["a","b","c"]}}"#, true),
            (r#"{"ForAllValues:StringEquals":{"aws:TagKeys":["a"]}}"#, false),
            (r#"{"ForAnyValue:StringEquals":{"aws:TagKeys":["a"]}}"#, true),
            (r#"{"ForAnyValue:StringNotEquals":{"aws:TagKeys":["a","b"]}}"#, false),
            // Absent keys.
            (r#"{"StringEquals":{"aws:SourceVpc":"x"}}"#, false),
            (r#"{"StringEqualsIfExists":{"aws:SourceVpc":"x"}}"#, true),
            (r#"{"StringNotEquals":{"aws:SourceVpc":"x"}}"#, true),
            (r#"{"ForAllValues:StringEquals":{"aws:CalledVia":"x"}}"#, true),
            (r#"{"ForAnyValue:StringEquals":{"aws:CalledVia":"x"}}"#, false),
            (r#"{"Null":{"aws:SourceVpc":"true","aws:PrincipalArn":"false"}}"#, true),
            (r#"{"Null":{"aws:SourceVpc":"false"}}"#, false),
            // All of them must hold.
            (
                r#"{"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"},"Bool":{"aws:SecureTransport":"false"}}"#,
                false,
            ),
        ] {
            assert_eq!(check(condition), Verdict::from(expected), "{condition}");
        }
    }

    #[test]
    fn what_is_not_known_stays_unknown_unless_something_else_decides() {
        assert_eq!(check(r#"{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#), Verdict::Unknown);
        assert_eq!(check(r#"{"StringSortsBefore":{"aws:PrincipalOrgID":"x"}}"#), Verdict::Unknown);
        let decided = r#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"Bool":{"aws:SecureTransport":"false"}}"#;
        assert_eq!(check(decided), Verdict::No);
    }
}
