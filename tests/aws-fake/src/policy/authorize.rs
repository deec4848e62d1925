//! Whether a request is allowed ("Policy evaluation logic" and "Cross-account policy evaluation logic", IAM User Guide).

use std::collections::BTreeMap;

use super::principal::Named;
use super::{Context, Document, Identity, Statement, managed_document, pattern};
use crate::world::{FULL_AWS_ACCESS, ResourcePolicy, World};

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    /// E.g. `s3:PutObject`.
    pub(crate) action: &'a str,
    /// An ARN, or `*` for actions without a resource.
    pub(crate) resource: &'a str,
    /// The account that owns the resource.
    pub(crate) owner: &'a str,
    /// The policy on the resource.
    pub(crate) policy: Option<&'a ResourcePolicy>,
    /// Whether the policy on the resource must allow even what the owner's own policies allow, as those of KMS keys
    /// and the trust policies of roles must.
    pub(crate) policy_decides: bool,
    /// Keys of the request beyond those of the principal.
    pub(crate) context: Context,
}

/// The kind of policy that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Identity,
    Resource,
    ServiceControl,
    Boundary,
    Session,
}

/// Why a request is not allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denial {
    pub(crate) source: Source,
    /// Whether a statement denies it; else none allows it.
    pub(crate) explicit: bool,
    /// The statement that denies it.
    pub(crate) sid: Option<String>,
}

impl Source {
    /// Its name in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity-based policy",
            Self::Resource => "resource-based policy",
            Self::ServiceControl => "service control policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
        }
    }
}

impl Denial {
    /// The end of the message ("Troubleshoot access denied error messages", IAM User Guide).
    pub(crate) fn reason(&self, action: &str) -> String {
        let kind = self.source.name();
        let article = if self.source == Source::Identity { "an" } else { "a" };
        if self.explicit {
            format!("with an explicit deny in {article} {kind}")
        } else {
            format!("because no {kind} allows the {action} action")
        }
    }

    /// The whole message.
    pub(crate) fn message(&self, identity: &Identity, action: &str, resource: &str) -> String {
        format!(
            "User: {} is not authorized to perform: {action} on resource: {resource} {}",
            identity.arn(),
            self.reason(action)
        )
    }
}

/// What a set of policies says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Denied(Option<String>),
    Allowed(Named),
    Silent,
}

/// Decides a request.
pub(crate) fn authorize(
    world: &World,
    now_ms: i64,
    identity: &Identity,
    subject: &Subject<'_>,
) -> Result<(), Denial> {
    let context = complete(world, now_ms, identity, subject);
    let of_resource = resource_verdict(world, identity, subject, &context);
    if let Verdict::Denied(sid) = of_resource {
        return Err(Denial { source: Source::Resource, explicit: true, sid });
    }
    let refused = |source| Denial { source, explicit: false, sid: None };
    if matches!(identity, Identity::Service { .. }) {
        return if matches!(of_resource, Verdict::Allowed(_)) {
            Ok(())
        } else {
            Err(refused(Source::Resource))
        };
    }
    let policies = Policies::of(world, now_ms, identity);
    let allowed = policies.decide(subject, &context)?;
    let of_identity = if allowed { Ok(()) } else { Err(refused(Source::Identity)) };
    service_control(world, identity, subject, &context)?;
    policies.limit(subject, &context)?;
    let same_account = identity.account() == subject.owner;
    match (same_account, subject.policy_decides, of_resource) {
        (true, _, Verdict::Allowed(Named::Itself)) => Ok(()),
        (true, true, Verdict::Allowed(_)) | (false, _, Verdict::Allowed(_)) | (true, false, _) => of_identity,
        (true, true, _) => Err(refused(Source::Resource)),
        // Both sides must allow; the caller's own side is told first.
        (false, _, _) => of_identity.and(Err(refused(Source::Resource))),
    }
}

/// The policies of an identity.
struct Policies {
    /// Of a root user, which needs none.
    unlimited: bool,
    identity: Vec<Document>,
    boundary: Option<Document>,
    session: Option<Document>,
}

impl Policies {
    fn of(world: &World, now_ms: i64, identity: &Identity) -> Self {
        let mut policies = Self { unlimited: false, identity: Vec::new(), boundary: None, session: None };
        let in_effect = now_ms - world.settings.iam_lag_s * 1_000;
        match identity {
            Identity::Root { .. } => policies.unlimited = true,
            Identity::User { account, name } => {
                let user = world.accounts.get(account).and_then(|found| found.users.get(name));
                if let Some(user) = user {
                    let inline =
                        user.inline_policies.values().filter_map(|policy| Document::parse(&policy.text).ok());
                    let managed = user.managed_policies.iter().filter_map(|arn| managed_document(world, arn));
                    policies.identity = inline.chain(managed).collect();
                }
            }
            Identity::Role { account, name, unique_id, session_policy, .. } => {
                let role = world.accounts.get(account).and_then(|found| found.roles.get(name));
                if let Some(role) = role.filter(|role| role.unique_id == *unique_id) {
                    let inline = role.inline_policies.at(in_effect).values();
                    let inline = inline.filter_map(|policy| Document::parse(&policy.text).ok());
                    let managed = role.managed_policies.at(in_effect).iter();
                    let managed = managed.filter_map(|arn| managed_document(world, arn));
                    policies.identity = inline.chain(managed).collect();
                    // A boundary that cannot be found allows nothing.
                    policies.boundary = role.permissions_boundary.as_deref().map(|arn| {
                        managed_document(world, arn)
                            .unwrap_or(Document { has_variables: false, statements: Vec::new() })
                    });
                }
                policies.session = session_policy.as_deref().and_then(|text| Document::parse(text).ok());
            }
            Identity::Service { .. } => {}
        }
        policies
    }

    /// Whether the identity's policies allow; an error if any denies.
    fn decide(&self, subject: &Subject<'_>, context: &Context) -> Result<bool, Denial> {
        let sources = [
            (Source::Identity, self.identity.as_slice()),
            (Source::Boundary, self.boundary.as_slice()),
            (Source::Session, self.session.as_slice()),
        ];
        let mut allowed = self.unlimited;
        for (source, documents) in sources {
            match verdict(documents, subject, context) {
                Verdict::Denied(sid) => return Err(Denial { source, explicit: true, sid }),
                Verdict::Allowed(_) if source == Source::Identity => allowed = true,
                Verdict::Allowed(_) | Verdict::Silent => {}
            }
        }
        Ok(allowed)
    }

    /// An error if a boundary or a session policy does not allow.
    fn limit(&self, subject: &Subject<'_>, context: &Context) -> Result<(), Denial> {
        for (source, document) in [(Source::Boundary, &self.boundary), (Source::Session, &self.session)] {
            if let Some(document) = document
                && verdict(std::slice::from_ref(document), subject, context) == Verdict::Silent
            {
                return Err(Denial { source, explicit: false, sid: None });
            }
        }
        Ok(())
    }
}

/// Service control policies: every level from the root to the account must allow, none may deny. They do not apply
/// to the management account or to service-linked roles ("Service control policies", Organizations User Guide).
fn service_control(
    world: &World,
    identity: &Identity,
    subject: &Subject<'_>,
    context: &Context,
) -> Result<(), Denial> {
    let account = identity.account();
    let Some(organization) = world.organization_of(account) else { return Ok(()) };
    if account == organization.management_account
        || !organization.service_control_policies_enabled
        || identity.principal_arn(world).contains(":role/aws-service-role/")
    {
        return Ok(());
    }
    let full = std::collections::BTreeSet::from([FULL_AWS_ACCESS.to_owned()]);
    let own = world.accounts.get(account).map(|found| &found.policies).filter(|own| !own.is_empty());
    let levels = world
        .path_of(account)
        .into_iter()
        .map(|id| match organization.units.get(id) {
            Some(unit) => &unit.policies,
            None => &organization.root_policies,
        })
        .chain([own.unwrap_or(&full)]);
    for level in levels {
        let documents: Vec<Document> = level
            .iter()
            .filter_map(|id| organization.policy_document(id))
            .filter_map(|text| Document::parse(text).ok())
            .collect();
        match verdict(&documents, subject, context) {
            Verdict::Denied(sid) => {
                return Err(Denial { source: Source::ServiceControl, explicit: true, sid });
            }
            Verdict::Silent => {
                return Err(Denial { source: Source::ServiceControl, explicit: false, sid: None });
            }
            Verdict::Allowed(_) => {}
        }
    }
    Ok(())
}

fn verdict(documents: &[Document], subject: &Subject<'_>, context: &Context) -> Verdict {
    let mut found = Verdict::Silent;
    for document in documents {
        for statement in &document.statements {
            if applies(statement, document.has_variables, subject, context) {
                if !statement.allows {
                    return Verdict::Denied(statement.sid.clone());
                }
                found = Verdict::Allowed(Named::Itself);
            }
        }
    }
    found
}

fn resource_verdict(world: &World, identity: &Identity, subject: &Subject<'_>, context: &Context) -> Verdict {
    let none = BTreeMap::new();
    let Some(policy) = subject.policy else { return Verdict::Silent };
    let Ok(document) = Document::parse(&policy.text) else { return Verdict::Silent };
    let bound = if policy.principals.is_empty() { &none } else { &policy.principals };
    let mut found = Verdict::Silent;
    for statement in &document.statements {
        let named = match (&statement.principal, &statement.not_principal) {
            (Some(principals), _) => principals.names(identity, bound, world),
            (None, Some(principals)) if principals.spares(identity, bound, world) => Named::No,
            (None, Some(_)) => Named::Itself,
            (None, None) => Named::No,
        };
        if named == Named::No || !applies(statement, document.has_variables, subject, context) {
            continue;
        }
        if !statement.allows {
            return Verdict::Denied(statement.sid.clone());
        }
        found = match found {
            Verdict::Allowed(before) => Verdict::Allowed(before.max(named)),
            _ => Verdict::Allowed(named),
        };
    }
    found
}

fn applies(statement: &Statement, variables: bool, subject: &Subject<'_>, context: &Context) -> bool {
    let acts = |patterns: &[String]| {
        patterns.iter().any(|wanted| pattern::glob_matches_any_case(wanted, subject.action))
    };
    let known = variables.then_some(context);
    let on = |patterns: &[String]| {
        patterns.iter().any(|wanted| pattern::arn_matches(wanted, subject.resource, known) == Some(true))
    };
    let action =
        if statement.action.is_empty() { !acts(&statement.not_action) } else { acts(&statement.action) };
    let resource = match (statement.resource.is_empty(), statement.not_resource.is_empty()) {
        // A trust policy has no resource: it is about its role.
        (true, true) => true,
        (true, false) => !on(&statement.not_resource),
        (false, _) => on(&statement.resource),
    };
    action
        && resource
        && statement
            .conditions
            .iter()
            .all(|(operator, key, wanted)| super::condition::holds(operator, key, wanted, context, variables))
}

/// The keys of the request and those of the principal, its account and its organization.
fn complete(world: &World, now_ms: i64, identity: &Identity, subject: &Subject<'_>) -> Context {
    let mut context = subject.context.clone();
    let account = identity.account();
    if let Identity::Service { name } = identity {
        context.set("aws:PrincipalIsAWSService", "true");
        context.set("aws:PrincipalServiceName", name.clone());
    } else {
        context.set("aws:PrincipalIsAWSService", "false");
        context.set("aws:PrincipalAccount", account);
        context.set("aws:PrincipalArn", identity.principal_arn(world));
        if let Some(organization) = world.organization_of(account) {
            context.set("aws:PrincipalOrgID", organization.id.clone());
            let path = world.path_of(account).join("/");
            context.set_all("aws:PrincipalOrgPaths", vec![format!("{}/{path}/", organization.id)]);
        }
    }
    let tags = match identity {
        Identity::User { account, name } => {
            context.set("aws:PrincipalType", "User");
            context.set("aws:username", name.clone());
            world.accounts.get(account).and_then(|found| found.users.get(name)).map(|user| &user.tags)
        }
        Identity::Role { account, name, unique_id, session, .. } => {
            context.set("aws:PrincipalType", "AssumedRole");
            context.set("aws:userid", format!("{unique_id}:{session}"));
            world.accounts.get(account).and_then(|found| found.roles.get(name)).map(|role| &role.tags)
        }
        Identity::Root { account } => {
            context.set("aws:PrincipalType", "Account");
            context.set("aws:userid", account.clone());
            None
        }
        Identity::Service { .. } => None,
    };
    for (key, value) in tags.into_iter().flatten() {
        context.set(&format!("aws:PrincipalTag/{key}"), value.clone());
    }
    if !subject.owner.is_empty() {
        context.set("aws:ResourceAccount", subject.owner);
        if let Some(organization) = world.organization_of(subject.owner) {
            context.set("aws:ResourceOrgID", organization.id.clone());
        }
    }
    // The fake speaks plain HTTP where AWS is spoken to over TLS.
    context.set("aws:SecureTransport", "true");
    context.set("aws:SourceIp", "127.0.0.1");
    context.set("aws:ViaAWSService", "false");
    context.set("aws:CurrentTime", crate::clock::iso(now_ms));
    context.set("aws:EpochTime", (now_ms / 1_000).to_string());
    context
}

#[cfg(test)]
mod tests;
