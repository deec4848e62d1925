//! What AWS would answer: an evaluator of policies, offline.
//!
//! It follows "Policy evaluation logic" of the IAM User Guide: a Deny anywhere wins; then every level of service and
//! resource control policies must allow; then the identity's policies (within its permissions boundary), the
//! resource's policy, or both. What is not known offline, such as a source address, makes a statement uncertain
//! rather than true or false: a prediction never claims more than the documents say.

mod condition;
mod pattern;
mod statement;
#[cfg(test)]
mod tests;

use self::statement::{Effect, Named};
use super::document::{PolicyDocument, PolicyError, VERSION};
use crate::ids::{AccountId, Arn};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Three answers, as not everything is known offline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Yes,
    No,
    Unknown,
}

impl Verdict {
    fn and(self, other: Verdict) -> Verdict {
        match (self, other) {
            (Verdict::No, _) | (_, Verdict::No) => Verdict::No,
            (Verdict::Unknown, _) | (_, Verdict::Unknown) => Verdict::Unknown,
            (Verdict::Yes, Verdict::Yes) => Verdict::Yes,
        }
    }
}

impl From<bool> for Verdict {
    fn from(value: bool) -> Self {
        if value { Verdict::Yes } else { Verdict::No }
    }
}

/// What is known about a request besides who, what and where. Keys are compared without case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    values: BTreeMap<String, Vec<String>>,
    /// Keys that the request will have, with values that nobody knows before; a `*` at the end covers all that follow.
    unknown: BTreeSet<String>,
}

impl Context {
    /// Sets a key.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.values.insert(key.to_lowercase(), vec![value.into()]);
        self
    }

    /// Sets a key that has several values.
    #[must_use]
    pub fn with_many(mut self, key: &str, values: &[&str]) -> Self {
        self.values.insert(key.to_lowercase(), values.iter().map(|value| (*value).to_owned()).collect());
        self
    }

    /// Says that a key's value cannot be known.
    #[must_use]
    pub fn unknown(mut self, key: &str) -> Self {
        self.unknown.insert(key.to_lowercase());
        self
    }

    fn values(&self, key: &str) -> Option<&[String]> {
        self.values.get(&key.to_lowercase()).map(Vec::as_slice)
    }

    fn single(&self, key: &str) -> Option<&str> {
        match self.values(key)? {
            [one] => Some(one),
            _ => None,
        }
    }

    fn is_unknown(&self, key: &str) -> bool {
        let key = key.to_lowercase();
        !self.values.contains_key(&key)
            && self.unknown.iter().any(|unknown| match unknown.strip_suffix('*') {
                Some(start) => key.starts_with(start),
                None => *unknown == key,
            })
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A session of this role.
    Role {
        arn: Arn,
        account: AccountId,
        /// `AROA…`, where the role exists.
        unique_id: Option<String>,
    },
    /// A service of AWS, such as `s3.amazonaws.com`.
    Service { name: String },
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub principal: Principal,
    /// Such as `s3:ReplicateObject`.
    pub action: String,
    /// An ARN.
    pub resource: String,
    /// Who owns the resource.
    pub resource_account: AccountId,
    pub context: Context,
}

/// A policy with the name that messages use.
#[derive(Debug, Clone)]
pub struct NamedPolicy {
    name: String,
    document: PolicyDocument,
}

impl NamedPolicy {
    /// # Errors
    /// When the text is no policy.
    pub fn parse(name: impl Into<String>, text: &str) -> Result<Self, PolicyError> {
        Ok(NamedPolicy { name: name.into(), document: PolicyDocument::parse(text)? })
    }
}

/// Everything that decides about a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policies<'a> {
    /// Service control policies of the principal's account: one list for each level, from the root down.
    pub service_control: &'a [Vec<NamedPolicy>],
    /// Resource control policies of the resource's account, in the same way.
    pub resource_control: &'a [Vec<NamedPolicy>],
    pub identity: &'a [NamedPolicy],
    pub boundary: Option<&'a NamedPolicy>,
    pub resource: Option<&'a NamedPolicy>,
    /// Whether identity policies count only where the resource's policy lets the account decide: so it is with keys
    /// and with assuming roles.
    pub resource_policy_rules: bool,
}

/// What AWS would answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Allowed,
    Denied(Denial),
    /// It depends on something that is not known.
    Uncertain(Denial),
}

/// Why a request is denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    pub layer: Layer,
    /// The statement that denies; none when no statement allows.
    pub statement: Option<StatementName>,
}

/// Where a statement is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementName {
    pub policy: String,
    /// The Sid, or `statement 2` where it has none.
    pub statement: String,
}

/// Kinds of policies, in the order in which they are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    ServiceControl,
    ResourceControl,
    Resource,
    Identity,
    Boundary,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Layer::ServiceControl => "service control policies",
            Layer::ResourceControl => "resource control policies",
            Layer::Resource => "the resource's policy",
            Layer::Identity => "the role's policies",
            Layer::Boundary => "the role's permissions boundary",
        })
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.statement {
            Some(name) => write!(f, "{} of {} denies it", name.statement, name.policy),
            None => write!(f, "no statement of {} allows it", self.layer),
        }
    }
}

/// What a set of policies says.
#[derive(Debug, Default)]
struct Answer {
    /// A statement denies for certain.
    denied: Option<StatementName>,
    /// A statement may deny.
    may_be_denied: Option<StatementName>,
    allowed: bool,
    /// A statement may allow.
    may_be_allowed: bool,
    /// The resource's policy leaves the decision to the principal's account.
    delegated: bool,
}

impl Answer {
    /// Asks every statement. `by_resource` looks at principals too.
    fn of<'a>(
        policies: impl IntoIterator<Item = &'a NamedPolicy>,
        request: &Request,
        by_resource: bool,
    ) -> Self {
        let mut answer = Answer::default();
        for policy in policies {
            let has_variables = policy.document.version() == VERSION;
            for (place, carried) in policy.document.statements().iter().enumerate() {
                let named = if by_resource {
                    statement::names(carried.value(), &request.principal)
                } else {
                    Named::Principal
                };
                if named == Named::No {
                    continue;
                }
                let name = || StatementName {
                    policy: policy.name.clone(),
                    statement: carried
                        .sid()
                        .map_or_else(|| format!("statement {}", place + 1), |sid| format!("statement {sid}")),
                };
                match (
                    statement::effect(carried.value()),
                    statement::applies(carried.value(), request, has_variables),
                ) {
                    (_, Verdict::No) | (None, _) => {}
                    (Some(Effect::Deny), Verdict::Yes) => {
                        answer.denied.get_or_insert_with(name);
                    }
                    (Some(Effect::Deny), Verdict::Unknown) => {
                        answer.may_be_denied.get_or_insert_with(name);
                    }
                    (Some(Effect::Allow), Verdict::Yes) if named == Named::Account => answer.delegated = true,
                    (Some(Effect::Allow), Verdict::Yes) => answer.allowed = true,
                    (Some(Effect::Allow), Verdict::Unknown) => answer.may_be_allowed = true,
                }
            }
        }
        answer
    }
}

/// Decides a request.
pub fn decide(request: &Request, policies: &Policies<'_>) -> Decision {
    let control = |layer: Layer, levels: &[Vec<NamedPolicy>]| -> Vec<(Layer, Answer)> {
        levels
            .iter()
            .map(|level| (layer, Answer::of(level, request, layer == Layer::ResourceControl)))
            .collect()
    };
    // Service control policies do not limit services.
    let is_service = matches!(request.principal, Principal::Service { .. });
    let service_control =
        if is_service { Vec::new() } else { control(Layer::ServiceControl, policies.service_control) };
    let resource_control = control(Layer::ResourceControl, policies.resource_control);
    let resource = Answer::of(policies.resource, request, true);
    let identity = Answer::of(policies.identity, request, false);
    let boundary = Answer::of(policies.boundary, request, false);

    let answers = || {
        service_control.iter().chain(&resource_control).map(|(layer, answer)| (*layer, answer)).chain([
            (Layer::Resource, &resource),
            (Layer::Identity, &identity),
            (Layer::Boundary, &boundary),
        ])
    };
    if let Some((layer, statement)) =
        answers().find_map(|(layer, answer)| Some((layer, answer.denied.clone()?)))
    {
        return Decision::Denied(Denial { layer, statement: Some(statement) });
    }
    let mut uncertain = answers()
        .find_map(|(layer, answer)| Some(Denial { layer, statement: Some(answer.may_be_denied.clone()?) }));
    for (layer, answer) in service_control.iter().chain(&resource_control) {
        if !answer.allowed {
            let denial = Denial { layer: *layer, statement: None };
            if !answer.may_be_allowed {
                return Decision::Denied(denial);
            }
            uncertain.get_or_insert(denial);
        }
    }
    let same_account = match &request.principal {
        Principal::Role { account, .. } => *account == request.resource_account,
        // Only the resource's policy lets a service in.
        Principal::Service { .. } => false,
    };
    let has_boundary = policies.boundary.is_some();
    let needed: Vec<(Layer, bool, bool)> = if is_service {
        vec![(Layer::Resource, resource.allowed || resource.delegated, resource.may_be_allowed)]
    } else if same_account && !policies.resource_policy_rules {
        // Either of the two is enough.
        let allowed = identity.allowed || resource.allowed;
        vec![(Layer::Identity, allowed, identity.may_be_allowed || resource.may_be_allowed)]
    } else if same_account && resource.allowed {
        vec![]
    } else {
        vec![
            (Layer::Resource, resource.allowed || resource.delegated, resource.may_be_allowed),
            (Layer::Identity, identity.allowed, identity.may_be_allowed),
        ]
    };
    let bounded = [(Layer::Boundary, boundary.allowed, boundary.may_be_allowed)];
    for (layer, allowed, may_be_allowed) in
        needed.into_iter().chain(bounded.into_iter().filter(|_| has_boundary))
    {
        if allowed {
            continue;
        }
        let denial = Denial { layer, statement: None };
        if !may_be_allowed {
            return Decision::Denied(denial);
        }
        uncertain.get_or_insert(denial);
    }
    uncertain.map_or(Decision::Allowed, Decision::Uncertain)
}
