//! Policy documents: trust, inline and managed.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Form, permit, roles};
use crate::call::Call;
use crate::error::AwsError;
use crate::policy::{Context, Document, PolicyProblem, aws_managed};
use crate::state::State;
use crate::world::{ResourcePolicy, World};
use crate::xml::Element;

/// The most characters of all inline policies of a role, white space not counted ("IAM and AWS STS quotas").
const LARGEST_INLINE: usize = 10_240;
/// The most characters of a trust policy, white space not counted.
const LARGEST_TRUST: usize = 2_048;
/// The most managed policies of a role.
const MOST_ATTACHED: usize = 10;

/// RFC 3986: only unreserved characters stay.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

type Answer = Result<Option<Element>, AwsError>;

/// A document as IAM answers it.
pub(super) fn encode(document: &str) -> String {
    utf8_percent_encode(document, RESERVED).to_string()
}

fn characters(document: &str) -> usize {
    document.chars().filter(|character| !character.is_whitespace()).count()
}

fn malformed(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "MalformedPolicyDocument", message)
}

fn read(text: &str) -> Result<Document, AwsError> {
    Document::parse(text).map_err(|problem| match problem {
        PolicyProblem::NotJson => malformed("This policy contains invalid Json"),
        PolicyProblem::Missing(field) => malformed(format!("Missing required field {field}")),
        PolicyProblem::Syntax(_) => malformed("Syntax errors in policy."),
        PolicyProblem::DuplicateSid(_) => malformed("Statement IDs (SID) in a single policy must be unique."),
        PolicyProblem::Version => malformed("Policy document must be version 2012-10-17 or greater."),
    })
}

/// Checks a trust policy.
pub(super) fn trust(world: &World, now_ms: i64, text: &str) -> Result<ResourcePolicy, AwsError> {
    if characters(text) > LARGEST_TRUST {
        return Err(AwsError::new(409, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048"));
    }
    let document = read(text)?;
    for statement in &document.statements {
        if !statement.resource.is_empty() || !statement.not_resource.is_empty() {
            return Err(malformed("Has prohibited field Resource"));
        }
        if statement.principal.is_none() && statement.not_principal.is_none() {
            return Err(malformed("Missing required field Principal"));
        }
        if statement.action.iter().any(|action| !action.to_ascii_lowercase().starts_with("sts:")) {
            return Err(malformed("AssumeRole policy may only specify STS AssumeRole actions."));
        }
    }
    let principals = world
        .bind(&document, now_ms)
        .map_err(|name| malformed(format!("Invalid principal in policy: \"AWS\":\"{name}\"")))?;
    Ok(ResourcePolicy { text: text.to_owned(), principals })
}

/// Checks an identity-based policy.
fn identity(text: &str) -> Result<(), AwsError> {
    let document = read(text)?;
    for statement in &document.statements {
        if statement.principal.is_some() || statement.not_principal.is_some() {
            return Err(malformed("Policy document should not specify a principal."));
        }
        if statement.resource.is_empty() && statement.not_resource.is_empty() {
            return Err(malformed("Policy statement must contain resources."));
        }
        let resources = statement.resource.iter().chain(&statement.not_resource);
        for resource in resources {
            if resource != "*" && resource.splitn(6, ':').count() < 6 {
                return Err(malformed(format!("Resource {resource} must be in ARN format or \"*\".")));
            }
        }
    }
    Ok(())
}

pub(super) fn put_inline(state: &mut State, call: &Call<'_>, form: &Form) -> Answer {
    let (name, role) = roles::find_mut(state, call, form)?;
    let policy = form.required("PolicyName")?;
    let text = form.required("PolicyDocument")?;
    identity(text)?;
    let mut inline = role.inline_policies.latest().clone();
    inline.insert(policy.to_owned(), ResourcePolicy::of(text));
    if inline.values().map(|policy| characters(&policy.text)).sum::<usize>() > LARGEST_INLINE {
        return Err(AwsError::new(
            409,
            "LimitExceeded",
            format!("Maximum policy size of {LARGEST_INLINE} bytes exceeded for role {name}"),
        ));
    }
    role.inline_policies.change(call.now_ms, inline);
    let resource = format!("{}#{policy}", role.arn(call.account(), &name));
    state.wrote(call, resource);
    Ok(None)
}

pub(super) fn get_inline(state: &mut State, call: &Call<'_>, form: &Form) -> Answer {
    let (name, role) = roles::find(state, call, form)?;
    let policy = form.required("PolicyName")?;
    let text = role.inline_policies.latest().get(policy).ok_or_else(|| no_such_policy(policy))?;
    Ok(Some(
        Element::new("")
            .text("RoleName", name)
            .text("PolicyName", policy)
            .text("PolicyDocument", encode(&text.text)),
    ))
}

pub(super) fn delete_inline(state: &mut State, call: &Call<'_>, form: &Form) -> Answer {
    let (name, role) = roles::find_mut(state, call, form)?;
    let policy = form.required("PolicyName")?;
    let mut inline = role.inline_policies.latest().clone();
    inline.remove(policy).ok_or_else(|| no_such_policy(policy))?;
    role.inline_policies.change(call.now_ms, inline);
    let resource = format!("{}#{policy}", role.arn(call.account(), &name));
    state.wrote(call, resource);
    Ok(None)
}

pub(super) fn list_inline(state: &mut State, call: &Call<'_>, form: &Form) -> Answer {
    let (_, role) = roles::find(state, call, form)?;
    let names = role.inline_policies.latest().keys().map(|name| Element::of("member", name.clone()));
    Ok(Some(Element::new("").with(Element::new("PolicyNames").all(names)).text("IsTruncated", "false")))
}

pub(super) fn attach(state: &mut State, call: &Call<'_>, form: &Form) -> Answer {
    let arn = form.required("PolicyArn")?;
    if crate::policy::managed_document(&state.world, arn).is_none() {
        roles::find(state, call, form)?;
        return Err(AwsError::new(
            404,
            "NoSuchEntity",
            format!("Policy {arn} does not exist or is not attachable."),
        ));
    }
    let (name, role) = roles::find_mut(state, call, form)?;
    let mut attached = role.managed_policies.latest().clone();
    attached.insert(arn.to_owned());
    if attached.len() > MOST_ATTACHED {
        return Err(AwsError::new(409, "LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10"));
    }
    role.managed_policies.change(call.now_ms, attached);
    let resource = format!("{}#{arn}", role.arn(call.account(), &name));
    state.wrote(call, resource);
    Ok(None)
}

pub(super) fn detach(state: &mut State, call: &Call<'_>, form: &Form) -> Answer {
    let arn = form.required("PolicyArn")?;
    let (name, role) = roles::find_mut(state, call, form)?;
    let mut attached = role.managed_policies.latest().clone();
    if !attached.remove(arn) {
        return Err(AwsError::new(404, "NoSuchEntity", format!("Policy {arn} was not found.")));
    }
    role.managed_policies.change(call.now_ms, attached);
    let resource = format!("{}#{arn}", role.arn(call.account(), &name));
    state.wrote(call, resource);
    Ok(None)
}

pub(super) fn list_attached(state: &mut State, call: &Call<'_>, form: &Form) -> Answer {
    let (_, role) = roles::find(state, call, form)?;
    let attached = role.managed_policies.latest().iter().map(|arn| {
        let name = arn.rsplit('/').next().unwrap_or_default();
        Element::new("member").text("PolicyName", name).text("PolicyArn", arn.clone())
    });
    let attached = Element::new("AttachedPolicies").all(attached);
    Ok(Some(Element::new("").with(attached).text("IsTruncated", "false")))
}

pub(super) fn get_policy(state: &mut State, call: &Call<'_>, form: &Form) -> Answer {
    let arn = form.required("PolicyArn")?;
    permit(&state.world, call, arn, Context::default())?;
    document_of(&state.world, arn)?;
    let name = arn.rsplit('/').next().unwrap_or_default();
    let policy = Element::new("Policy")
        .text("PolicyName", name)
        .text("Arn", arn)
        .text("Path", "/")
        .text("DefaultVersionId", "v1")
        .text("IsAttachable", "true");
    Ok(Some(Element::new("").with(policy)))
}

pub(super) fn get_policy_version(state: &mut State, call: &Call<'_>, form: &Form) -> Answer {
    let arn = form.required("PolicyArn")?;
    permit(&state.world, call, arn, Context::default())?;
    let document = document_of(&state.world, arn)?;
    let version = Element::new("PolicyVersion")
        .text("Document", encode(&document))
        .text("VersionId", "v1")
        .text("IsDefaultVersion", "true");
    Ok(Some(Element::new("").with(version)))
}

fn document_of(world: &World, arn: &str) -> Result<String, AwsError> {
    if let Some(text) = aws_managed(arn) {
        return Ok(text.to_owned());
    }
    arn.strip_prefix("arn:aws:iam::")
        .and_then(|rest| rest.split_once(":policy/"))
        .and_then(|(account, name)| world.accounts.get(account)?.managed_policies.get(name))
        .map(|policy| policy.text.clone())
        .ok_or_else(|| AwsError::new(404, "NoSuchEntity", format!("Policy {arn} was not found.")))
}

fn no_such_policy(name: &str) -> AwsError {
    AwsError::new(404, "NoSuchEntity", format!("The role policy with name {name} cannot be found."))
}
