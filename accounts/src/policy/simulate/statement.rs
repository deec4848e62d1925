//! One statement against one request.

use super::pattern::{arn_matches, expand};
use super::{Principal, Request, Verdict, condition};
use crate::glob;
use serde_json::Value;

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// Whom a resource's policy means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    No,
    /// The whole account: in the same account that leaves the decision to the identity's policies.
    Account,
    /// The principal itself, or everybody.
    Principal,
}

pub(super) fn effect(statement: &Value) -> Option<Effect> {
    match statement.get("Effect")?.as_str()? {
        "Allow" => Some(Effect::Allow),
        "Deny" => Some(Effect::Deny),
        _ => None,
    }
}

/// Whether action, resource and conditions fit; the principal is asked for separately.
pub(super) fn applies(statement: &Value, request: &Request, has_variables: bool) -> Verdict {
    let actions = match (statement.get("Action"), statement.get("NotAction")) {
        (Some(actions), _) => list(actions).any(|pattern| action_matches(pattern, &request.action)),
        (None, Some(actions)) => !list(actions).any(|pattern| action_matches(pattern, &request.action)),
        (None, None) => false,
    };
    if !actions {
        return Verdict::No;
    }
    let fits = |pattern: &str| {
        expand(pattern, &request.context, has_variables)
            .is_some_and(|tokens| arn_matches(&tokens, &request.resource))
    };
    let resources = match (statement.get("Resource"), statement.get("NotResource")) {
        (Some(resources), _) => list(resources).any(fits),
        (None, Some(resources)) => !list(resources).any(fits),
        // Trust policies name no resource: it is the role.
        (None, None) => true,
    };
    if !resources {
        return Verdict::No;
    }
    statement
        .get("Condition")
        .map_or(Verdict::Yes, |condition| condition::holds(condition, &request.context, has_variables))
}

fn action_matches(pattern: &str, action: &str) -> bool {
    glob::matches(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase())
}

fn list(value: &Value) -> Box<dyn Iterator<Item = &str> + '_> {
    match value {
        Value::Array(values) => Box::new(values.iter().filter_map(Value::as_str)),
        other => Box::new(other.as_str().into_iter()),
    }
}

/// Whether the `Principal` or `NotPrincipal` of a statement means the principal.
pub(super) fn names(statement: &Value, principal: &Principal) -> Named {
    if let Some(named) = statement.get("Principal") {
        return names_in(named, principal);
    }
    // Who is to be spared must be named with their account (IAM User Guide, "NotPrincipal").
    let Some(spared) = statement.get("NotPrincipal") else { return Named::No };
    let spares = match principal {
        Principal::Service { .. } => names_in(spared, principal) != Named::No,
        Principal::Role { arn, account, .. } => {
            let listed = |wanted: &str| {
                spared.get("AWS").is_some_and(|values| list(values).any(|value| value == wanted))
            };
            let root = format!("arn:{}:iam::{account}:root", arn.partition());
            listed("*") || (listed(arn.as_str()) && (listed(account.as_str()) || listed(&root)))
        }
    };
    if spares { Named::No } else { Named::Principal }
}

fn names_in(named: &Value, principal: &Principal) -> Named {
    if named.as_str() == Some("*") {
        return Named::Principal;
    }
    match principal {
        Principal::Service { name } => {
            let is_named = named.get("Service").is_some_and(|values| list(values).any(|value| value == name));
            if is_named { Named::Principal } else { Named::No }
        }
        Principal::Role { arn, account, unique_id, .. } => {
            let Some(values) = named.get("AWS") else { return Named::No };
            let root = format!("arn:{}:iam::{account}:root", arn.partition());
            let mut best = Named::No;
            for value in list(values) {
                let is_role = value == "*"
                    || value == arn.as_str()
                    || unique_id.as_deref().is_some_and(|unique_id| unique_id == value);
                if is_role {
                    return Named::Principal;
                }
                if value == account.as_str() || value == root {
                    best = Named::Account;
                }
            }
            best
        }
    }
}
