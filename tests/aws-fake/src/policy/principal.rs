//! Principals: who acts, whom a policy names, and how the two are compared.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::PolicyProblem;
use super::document::string_or_list;
use crate::world::{ResourcePolicy, World};

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    Root {
        account: String,
    },
    User {
        account: String,
        name: String,
    },
    Role {
        account: String,
        name: String,
        /// The id the role had when the session began: a role that was created again is not this one.
        unique_id: String,
        session: String,
        session_policy: Option<String>,
    },
    /// An AWS service on its own behalf, e.g. S3 when it delivers a notification.
    Service {
        name: String,
    },
}

impl Identity {
    /// The account that acts; a service acts for none.
    pub(crate) fn account(&self) -> &str {
        match self {
            Self::Root { account } | Self::User { account, .. } | Self::Role { account, .. } => account,
            Self::Service { .. } => "",
        }
    }

    /// The ARN that `GetCallerIdentity` answers.
    pub(crate) fn arn(&self) -> String {
        match self {
            Self::Root { account } => format!("arn:aws:iam::{account}:root"),
            Self::User { account, name } => format!("arn:aws:iam::{account}:user/{name}"),
            Self::Role { account, name, session, .. } => {
                format!("arn:aws:sts::{account}:assumed-role/{name}/{session}")
            }
            Self::Service { name } => name.clone(),
        }
    }

    /// The value of `aws:PrincipalArn`: for a session, the ARN of its role.
    pub(crate) fn principal_arn(&self, world: &World) -> String {
        match self {
            Self::Role { account, name, .. } => {
                world.accounts.get(account).and_then(|found| found.roles.get(name)).map_or_else(
                    || format!("arn:aws:iam::{account}:role/{name}"),
                    |role| role.arn(account, name),
                )
            }
            other => other.arn(),
        }
    }

    /// The unique id of the role or user.
    fn unique_id(&self, world: &World) -> Option<String> {
        match self {
            Self::Role { unique_id, .. } => Some(unique_id.clone()),
            Self::User { account, name } => {
                world.accounts.get(account)?.users.get(name).map(|user| user.unique_id.clone())
            }
            Self::Root { .. } | Self::Service { .. } => None,
        }
    }
}

/// The principals of a statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Principals {
    /// `"*"` or `{"AWS": "*"}`.
    pub(crate) everyone: bool,
    pub(crate) aws: Vec<String>,
    pub(crate) services: Vec<String>,
    /// Of federated and canonical users, who never act here.
    pub(crate) others: Vec<String>,
}

/// How a principal is named by a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Named {
    No,
    /// Through its account, which leaves the decision to the account's own policies.
    ThroughAccount,
    /// Itself, or as one of everyone.
    Itself,
}

impl Principals {
    /// Reads the value of `Principal` or `NotPrincipal`.
    pub(super) fn read(value: &Value) -> Result<Self, PolicyProblem> {
        let wrong = || PolicyProblem::Syntax("Principal".to_owned());
        let object = match value {
            Value::String(text) if text == "*" => return Ok(Self { everyone: true, ..Self::default() }),
            Value::Object(object) if !object.is_empty() => object,
            _ => return Err(wrong()),
        };
        let mut principals = Self::default();
        for (kind, value) in object {
            let list = string_or_list(value).ok_or_else(wrong)?;
            match kind.as_str() {
                "AWS" => {
                    principals.everyone |= list.iter().any(|name| name == "*");
                    principals.aws.extend(list.into_iter().filter(|name| name != "*"));
                }
                "Service" => principals.services.extend(list),
                "Federated" | "CanonicalUser" => principals.others.extend(list),
                _ => return Err(wrong()),
            }
        }
        Ok(principals)
    }

    /// How these principals name an identity. `bound` has the unique ids that ARNs stand for.
    pub(super) fn names(
        &self,
        identity: &Identity,
        bound: &BTreeMap<String, String>,
        world: &World,
    ) -> Named {
        if let Identity::Service { name } = identity {
            return if self.everyone || self.services.contains(name) { Named::Itself } else { Named::No };
        }
        if self.everyone {
            return Named::Itself;
        }
        self.aws.iter().map(|named| names(named, identity, bound, world)).max().unwrap_or(Named::No)
    }

    /// Whether a `NotPrincipal` leaves an identity out. A session is left out only if its account, its role and the
    /// session itself are listed ("AWS JSON policy elements: NotPrincipal", IAM User Guide).
    pub(super) fn spares(
        &self,
        identity: &Identity,
        bound: &BTreeMap<String, String>,
        world: &World,
    ) -> bool {
        if self.everyone {
            return true;
        }
        match identity {
            Identity::Service { name } => self.services.contains(name),
            Identity::Root { account } => self.lists_account(account),
            Identity::User { account, .. } => {
                self.lists_account(account) && self.names(identity, bound, world) == Named::Itself
            }
            Identity::Role { account, .. } => {
                let role = identity.principal_arn(world);
                self.lists_account(account) && self.aws.contains(&identity.arn()) && self.aws.contains(&role)
            }
        }
    }

    fn lists_account(&self, account: &str) -> bool {
        self.aws.iter().any(|named| is_account(named, account))
    }
}

fn is_account(named: &str, account: &str) -> bool {
    named == account
        || named.strip_prefix("arn:aws:iam::").and_then(|rest| rest.strip_suffix(":root")) == Some(account)
}

fn names(named: &str, identity: &Identity, bound: &BTreeMap<String, String>, world: &World) -> Named {
    let account = identity.account();
    if is_account(named, account) {
        return if matches!(identity, Identity::Root { .. }) { Named::Itself } else { Named::ThroughAccount };
    }
    let unique_id = identity.unique_id(world);
    let itself = if named == identity.arn() {
        bound.get(named).is_none_or(|id| Some(id) == unique_id.as_ref())
    } else if Some(named) == unique_id.as_deref() {
        true
    } else if let Some(id) = bound.get(named) {
        Some(id) == unique_id.as_ref()
    } else {
        named == identity.principal_arn(world)
    };
    if itself { Named::Itself } else { Named::No }
}

/// The ARNs of roles and users that a policy names as principals.
pub(crate) fn principals_in(text: &str) -> BTreeSet<String> {
    let Ok(document) = super::Document::parse(text) else { return BTreeSet::new() };
    document
        .statements
        .iter()
        .flat_map(|statement| statement.principal.iter().chain(&statement.not_principal))
        .flat_map(|principals| &principals.aws)
        .filter(|named| named.contains(":role/") || named.contains(":user/"))
        .cloned()
        .collect()
}

/// A resource's policy as a read shows it: principals whose role or user is gone or was created again are shown as
/// their unique id, and bare account ids as the ARN of the account's root.
pub(crate) fn shown(world: &World, policy: &ResourcePolicy) -> String {
    let stale: BTreeMap<&str, &str> = policy
        .principals
        .iter()
        .filter(|(arn, id)| unique_id_of(world, arn).as_deref() != Some(id.as_str()))
        .map(|(arn, id)| (arn.as_str(), id.as_str()))
        .collect();
    let Ok(mut value) = serde_json::from_str::<Value>(&policy.text) else { return policy.text.clone() };
    let mut changed = false;
    let statements = match value.get_mut("Statement") {
        Some(Value::Array(list)) => list.iter_mut().collect::<Vec<_>>(),
        Some(single) => vec![single],
        None => Vec::new(),
    };
    for statement in statements {
        for field in ["Principal", "NotPrincipal"] {
            let Some(aws) = statement.get_mut(field).and_then(|principal| principal.get_mut("AWS")) else {
                continue;
            };
            let names = match aws {
                Value::Array(list) => list.iter_mut().collect::<Vec<_>>(),
                single => vec![single],
            };
            for name in names {
                let Value::String(text) = name else { continue };
                if let Some(id) = stale.get(text.as_str()) {
                    (*id).clone_into(text);
                    changed = true;
                } else if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
                    *text = format!("arn:aws:iam::{text}:root");
                    changed = true;
                }
            }
        }
    }
    if changed { value.to_string() } else { policy.text.clone() }
}

/// The unique id that an ARN of a role or user has now.
fn unique_id_of(world: &World, arn: &str) -> Option<String> {
    if let Some((_, role)) = world.role(arn) {
        return Some(role.unique_id.clone());
    }
    let (account, name) = arn.strip_prefix("arn:aws:iam::")?.split_once(":user/")?;
    world.accounts.get(account)?.users.get(name).map(|user| user.unique_id.clone())
}

impl World {
    /// Binds the principals of a policy that is put, or names the first that does not exist (or not yet).
    pub(crate) fn bind(
        &self,
        document: &super::Document,
        now_ms: i64,
    ) -> Result<BTreeMap<String, String>, String> {
        let mut bound = BTreeMap::new();
        let all = document
            .statements
            .iter()
            .flat_map(|statement| statement.principal.iter().chain(&statement.not_principal));
        for principals in all {
            for name in &principals.aws {
                if let Some(account) = account_named(name) {
                    if !self.accounts.contains_key(account) {
                        return Err(name.clone());
                    }
                    continue;
                }
                if let Some(session) = name.strip_prefix("arn:aws:sts::") {
                    let role = session.split_once(":assumed-role/").and_then(|(account, rest)| {
                        self.accounts.get(account)?.roles.get(rest.split_once('/')?.0)
                    });
                    if role.is_none() {
                        return Err(name.clone());
                    }
                    continue;
                }
                let visible = match self.role(name) {
                    Some((_, role)) => role.created_ms <= now_ms - self.settings.iam_lag_s * 1_000,
                    None => true,
                };
                match unique_id_of(self, name).filter(|_| visible) {
                    Some(id) => bound.insert(name.clone(), id),
                    None => return Err(name.clone()),
                };
            }
            if let Some(service) = principals.services.iter().find(|service| !is_service(service)) {
                return Err(service.clone());
            }
        }
        Ok(bound)
    }
}

fn account_named(name: &str) -> Option<&str> {
    let account =
        name.strip_prefix("arn:aws:iam::").and_then(|rest| rest.strip_suffix(":root")).unwrap_or(name);
    (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then_some(account)
}

fn is_service(name: &str) -> bool {
    name.strip_suffix(".amazonaws.com").is_some_and(|service| !service.is_empty() && !service.contains('*'))
}
