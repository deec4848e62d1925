//! Conditions ("IAM JSON policy elements: Condition operators" and "Multivalued context keys", IAM User Guide).

use std::collections::BTreeMap;

use super::pattern;

/// The name of a context key: compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(String);

impl Key {
    /// A key by its name.
    pub(crate) fn new(name: &str) -> Self {
        Self(name.to_ascii_lowercase())
    }
}

/// The keys of a request and their values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    keys: BTreeMap<Key, Vec<String>>,
}

impl Context {
    /// Sets a key of one value.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.keys.insert(Key::new(name), vec![value.into()]);
    }

    /// Sets a key of several values.
    pub(crate) fn set_all(&mut self, name: &str, values: Vec<String>) {
        self.keys.insert(Key::new(name), values);
    }

    /// The values of a key.
    pub(crate) fn values(&self, key: &Key) -> Option<&[String]> {
        self.keys.get(key).map(Vec::as_slice)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    Single,
    All,
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    StringEquals { any_case: bool },
    StringLike,
    Numeric(Order),
    Date(Order),
    Bool,
    Binary,
    IpAddress,
    Arn,
    Null,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Operator {
    quantifier: Quantifier,
    test: Test,
    negated: bool,
    if_exists: bool,
}

fn operator(name: &str) -> Option<Operator> {
    let lower = name.to_ascii_lowercase();
    let (quantifier, rest) = match lower.split_once(':') {
        Some(("forallvalues", rest)) => (Quantifier::All, rest),
        Some(("foranyvalue", rest)) => (Quantifier::Any, rest),
        Some(_) => return None,
        None => (Quantifier::Single, lower.as_str()),
    };
    let (rest, if_exists) = rest.strip_suffix("ifexists").map_or((rest, false), |rest| (rest, true));
    let (test, negated) = match rest {
        "stringequals" => (Test::StringEquals { any_case: false }, false),
        "stringnotequals" => (Test::StringEquals { any_case: false }, true),
        "stringequalsignorecase" => (Test::StringEquals { any_case: true }, false),
        "stringnotequalsignorecase" => (Test::StringEquals { any_case: true }, true),
        "stringlike" => (Test::StringLike, false),
        "stringnotlike" => (Test::StringLike, true),
        "numericequals" => (Test::Numeric(Order::Equal), false),
        "numericnotequals" => (Test::Numeric(Order::Equal), true),
        "numericlessthan" => (Test::Numeric(Order::Less), false),
        "numericlessthanequals" => (Test::Numeric(Order::LessOrEqual), false),
        "numericgreaterthan" => (Test::Numeric(Order::Greater), false),
        "numericgreaterthanequals" => (Test::Numeric(Order::GreaterOrEqual), false),
        "dateequals" => (Test::Date(Order::Equal), false),
        "datenotequals" => (Test::Date(Order::Equal), true),
        "datelessthan" => (Test::Date(Order::Less), false),
        "datelessthanequals" => (Test::Date(Order::LessOrEqual), false),
        "dategreaterthan" => (Test::Date(Order::Greater), false),
        "dategreaterthanequals" => (Test::Date(Order::GreaterOrEqual), false),
        "bool" => (Test::Bool, false),
        "binaryequals" => (Test::Binary, false),
        "ipaddress" => (Test::IpAddress, false),
        "notipaddress" => (Test::IpAddress, true),
        // ArnEquals matches wildcards as ArnLike does, says the guide.
        "arnequals" | "arnlike" => (Test::Arn, false),
        "arnnotequals" | "arnnotlike" => (Test::Arn, true),
        "null" if !if_exists && quantifier == Quantifier::Single => (Test::Null, false),
        _ => return None,
    };
    Some(Operator { quantifier, test, negated, if_exists })
}

/// Whether the grammar has an operator of this name.
pub(super) fn is_operator(name: &str) -> bool {
    operator(name).is_some()
}

/// Whether a condition holds. `variables` tells whether the policy's version knows them.
pub(super) fn holds(name: &str, key: &str, wanted: &[String], context: &Context, variables: bool) -> bool {
    let Some(operator) = operator(name) else { return false };
    let present = context.values(&Key::new(key));
    if operator.test == Test::Null {
        let absent = present.is_none();
        return wanted.iter().any(|value| value.eq_ignore_ascii_case(if absent { "true" } else { "false" }));
    }
    let variables = variables.then_some(context);
    // A value satisfies a negated operator if it matches none of those wanted.
    let one = |value: &String| {
        let mut matched = false;
        for pattern in wanted {
            match test(operator.test, pattern, value, variables) {
                Some(true) => matched = true,
                Some(false) => {}
                // A variable without value: the condition cannot be decided, so it does not hold.
                None => return false,
            }
        }
        matched != operator.negated
    };
    match (operator.quantifier, present) {
        (_, None) if operator.if_exists => true,
        (Quantifier::Single, None) => operator.negated,
        (Quantifier::All, None) => true,
        (Quantifier::Any, None) => false,
        (Quantifier::Single, Some(values)) => {
            if operator.negated {
                values.iter().all(one)
            } else {
                values.iter().any(one)
            }
        }
        (Quantifier::All, Some(values)) => values.iter().all(one),
        (Quantifier::Any, Some(values)) => values.iter().any(one),
    }
}

fn test(test: Test, wanted: &str, value: &str, variables: Option<&Context>) -> Option<bool> {
    match test {
        Test::StringEquals { any_case } => {
            pattern::matches_with_variables(wanted, value, variables, false, any_case)
        }
        Test::StringLike => pattern::matches_with_variables(wanted, value, variables, true, false),
        Test::Arn => pattern::arn_matches(wanted, value, variables),
        Test::Numeric(order) => Some(compare(wanted.parse().ok(), value.parse().ok(), order)),
        Test::Date(order) => Some(compare(date(wanted), date(value), order)),
        Test::Bool => Some(wanted.eq_ignore_ascii_case(value)),
        Test::Binary => Some(wanted == value),
        Test::IpAddress => Some(in_range(wanted, value)),
        Test::Null => Some(false),
    }
}

fn compare(wanted: Option<f64>, value: Option<f64>, order: Order) -> bool {
    let (Some(wanted), Some(value)) = (wanted, value) else { return false };
    match order {
        Order::Equal => (value - wanted).abs() < f64::EPSILON,
        Order::Less => value < wanted,
        Order::LessOrEqual => value <= wanted,
        Order::Greater => value > wanted,
        Order::GreaterOrEqual => value >= wanted,
    }
}

fn date(text: &str) -> Option<f64> {
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    text.parse::<jiff::Timestamp>().ok().map(|time| time.as_millisecond() as f64 / 1_000.0)
}

fn in_range(range: &str, address: &str) -> bool {
    use std::net::IpAddr;
    let (base, bits) = match range.split_once('/') {
        Some((base, bits)) => (base, bits.parse().ok()),
        None => (range, Some(u32::MAX)),
    };
    let (Ok(base), Ok(address), Some(bits)) = (base.parse::<IpAddr>(), address.parse::<IpAddr>(), bits)
    else {
        return false;
    };
    let (base, address, width) = match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => {
            (u128::from(u32::from(base)), u128::from(u32::from(address)), 32)
        }
        (IpAddr::V6(base), IpAddr::V6(address)) => (u128::from(base), u128::from(address), 128),
        _ => return false,
    };
    let ignored = width - bits.min(width);
    base.checked_shr(ignored).unwrap_or(0) == address.checked_shr(ignored).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(operator: &str, key: &str, wanted: &[&str]) -> bool {
        let mut context = Context::default();
        context.set("aws:PrincipalAccount", "111122223333");
        context.set("aws:PrincipalArn", "arn:aws:iam::111122223333:role/weir/weir-replication");
        context.set("aws:SecureTransport", "true");
        context.set("aws:SourceIp", "10.1.2.3");
        context.set("aws:CurrentTime", "2026-02-03T00:00:00Z");
        context.set("s3:max-keys", "10");
        context.set_all("aws:TagKeys", vec!["a".to_owned(), "b".to_owned()]);
        let wanted: Vec<String> = wanted.iter().map(|value| (*value).to_owned()).collect();
        holds(operator, key, &wanted, &context, true)
    }

    #[test]
    fn operators() {
        let absent = "aws:PrincipalOrgID";
        let account = "AWS:principalaccount";
        for (operator, key, wanted, expected) in [
            ("StringEquals", account, &["111122223333"][..], true),
            ("StringEquals", account, &["1*"], false),
            ("StringLike", account, &["1*"], true),
            ("StringNotEquals", account, &["2", "111122223333"], false),
            ("StringNotEquals", absent, &["o-1"], true),
            ("StringEquals", absent, &["o-1"], false),
            ("StringEqualsIfExists", absent, &["o-1"], true),
            ("StringNotEqualsIfExists", absent, &["o-1"], true),
            ("Null", absent, &["true"], true),
            ("Null", account, &["true"], false),
            ("ArnLike", "aws:PrincipalArn", &["arn:aws:iam::*:role/weir/*"], true),
            ("ArnNotLike", "aws:PrincipalArn", &["arn:aws:iam::*:role/weir/*"], false),
            ("ArnEquals", "aws:PrincipalArn", &["arn:aws:iam::${aws:PrincipalAccount}:role/weir/*"], true),
            ("Bool", "aws:SecureTransport", &["false"], false),
            ("IpAddress", "aws:SourceIp", &["10.0.0.0/8"], true),
            ("NotIpAddress", "aws:SourceIp", &["10.0.0.0/8"], false),
            ("DateGreaterThan", "aws:CurrentTime", &["2026-01-01T00:00:00Z"], true),
            ("NumericLessThanEquals", "s3:max-keys", &["10"], true),
            ("ForAllValues:StringEquals", "aws:TagKeys", &["a", "b", "c"], true),
            ("ForAllValues:StringEquals", "aws:TagKeys", &["a"], false),
            ("ForAllValues:StringEquals", absent, &["a"], true),
            ("ForAnyValue:StringEquals", "aws:TagKeys", &["b"], true),
            ("ForAnyValue:StringEquals", absent, &["b"], false),
            ("ForAnyValue:StringNotEquals", "aws:TagKeys", &["b"], true),
            ("ForAllValues:StringNotEquals", "aws:TagKeys", &["b"], false),
        ] {
            assert_eq!(check(operator, key, wanted), expected, "{operator} {key} {wanted:?}");
        }
    }
}
