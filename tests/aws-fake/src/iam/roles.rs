//! Roles.

use super::{Form, documents, no_such_role, permit};
use crate::call::Call;
use crate::error::AwsError;
use crate::policy::Context;
use crate::state::State;
use crate::world::{Account, Role, derive_id};
use crate::xml::Element;

/// The most roles of an account ("IAM and AWS STS quotas", IAM User Guide).
const MOST_ROLES: usize = 1_000;

type Answer = Result<Option<Element>, AwsError>;

/// The role a call is about: its name as it was created, and its ARN.
pub(super) fn find<'a>(
    state: &'a State,
    call: &Call<'_>,
    form: &Form,
) -> Result<(String, &'a Role), AwsError> {
    let name = form.required("RoleName")?;
    let account = state.world.accounts.get(call.account());
    let role = account.and_then(|account| account.roles.get(name));
    // Permission comes first: whether a role exists is told to those alone who may know.
    let arn = role.map_or_else(
        || format!("arn:aws:iam::{}:role/{name}", call.account()),
        |role| role.arn(call.account(), name),
    );
    permit(&state.world, call, &arn, tag_context(role))?;
    role.map(|role| (name.to_owned(), role)).ok_or_else(|| no_such_role(name))
}

/// The same, to be changed.
pub(super) fn find_mut<'a>(
    state: &'a mut State,
    call: &Call<'_>,
    form: &Form,
) -> Result<(String, &'a mut Role), AwsError> {
    let (name, _) = find(state, call, form)?;
    let role = account(state, call)?.roles.get_mut(&name).ok_or_else(|| no_such_role(&name))?;
    Ok((name, role))
}

fn account<'a>(state: &'a mut State, call: &Call<'_>) -> Result<&'a mut Account, AwsError> {
    let unknown = || {
        AwsError::new(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
    };
    state.world.accounts.get_mut(call.account()).ok_or_else(unknown)
}

fn tag_context(role: Option<&Role>) -> Context {
    let mut context = Context::default();
    for (key, value) in role.into_iter().flat_map(|role| &role.tags) {
        context.set(&format!("aws:ResourceTag/{key}"), value.clone());
        context.set(&format!("iam:ResourceTag/{key}"), value.clone());
    }
    context
}

pub(super) fn create(state: &mut State, call: &Call<'_>, form: &Form) -> Answer {
    let name = form.required("RoleName")?;
    let path = form.get("Path").unwrap_or("/");
    check_name(name, path)?;
    let arn = format!("arn:aws:iam::{}:role{path}{name}", call.account());
    let mut context = Context::default();
    let tags = form.tags();
    for (key, value) in &tags {
        context.set(&format!("aws:RequestTag/{key}"), value.clone());
    }
    if !tags.is_empty() {
        context.set_all("aws:TagKeys", tags.iter().map(|(key, _)| key.clone()).collect());
    }
    if let Some(boundary) = form.get("PermissionsBoundary") {
        context.set("iam:PermissionsBoundary", boundary);
    }
    permit(&state.world, call, &arn, context)?;
    let trust = documents::trust(&state.world, call.now_ms, form.required("AssumeRolePolicyDocument")?)?;
    let max_session_s = max_session(form)?.unwrap_or(3_600);
    let seed = state.world.settings.seed;
    let account = account(state, call)?;
    // Names differ by more than case ("IAM and AWS STS quotas").
    if account.roles.keys().any(|existing| existing.eq_ignore_ascii_case(name)) {
        return Err(AwsError::new(
            409,
            "EntityAlreadyExists",
            format!("Role with name {name} already exists."),
        ));
    }
    if account.roles.len() >= MOST_ROLES {
        return Err(AwsError::new(409, "LimitExceeded", "Cannot exceed quota for RolesPerAccount: 1000"));
    }
    let generation = account.role_generations.entry(name.to_owned()).or_default();
    let unique_id = derive_id("AROA", 17, seed, &["role", call.account(), name, &generation.to_string()]);
    *generation += 1;
    let role = Role {
        unique_id,
        path: path.to_owned(),
        description: form.get("Description").unwrap_or_default().to_owned(),
        created_ms: call.now_ms,
        max_session_s,
        trust: trust.into(),
        permissions_boundary: form.get("PermissionsBoundary").map(str::to_owned),
        tags: tags.into_iter().collect(),
        ..Role::default()
    };
    let shown = show(&role, call.account(), name, &role.trust.latest().text);
    account.roles.insert(name.to_owned(), role);
    state.wrote(call, arn);
    Ok(Some(Element::new("").with(shown)))
}

pub(super) fn get(state: &mut State, call: &Call<'_>, form: &Form) -> Answer {
    let (name, role) = find(state, call, form)?;
    let trust = crate::policy::shown(&state.world, role.trust.latest());
    Ok(Some(Element::new("").with(show(role, call.account(), &name, &trust))))
}

pub(super) fn delete(state: &mut State, call: &Call<'_>, form: &Form) -> Answer {
    let (name, role) = find_mut(state, call, form)?;
    let conflict = |message: &str| AwsError::new(409, "DeleteConflict", message);
    if !role.managed_policies.latest().is_empty() {
        return Err(conflict("Cannot delete entity, must detach all policies first."));
    }
    if !role.inline_policies.latest().is_empty() {
        return Err(conflict("Cannot delete entity, must delete policies first."));
    }
    let arn = role.arn(call.account(), &name);
    account(state, call)?.roles.remove(&name);
    state.wrote(call, arn);
    Ok(None)
}

pub(super) fn list(state: &mut State, call: &Call<'_>, form: &Form) -> Answer {
    let prefix = form.get("PathPrefix").unwrap_or("/");
    permit(&state.world, call, &format!("arn:aws:iam::{}:role{prefix}", call.account()), Context::default())?;
    let from: usize = form.get("Marker").and_then(|marker| marker.parse().ok()).unwrap_or(0);
    let most: usize = form.get("MaxItems").and_then(|most| most.parse().ok()).unwrap_or(100).clamp(1, 1_000);
    let account = state.world.accounts.get(call.account());
    let roles: Vec<_> = account
        .iter()
        .flat_map(|account| &account.roles)
        .filter(|(_, role)| role.path.starts_with(prefix))
        .collect();
    let more = roles.len() > from + most;
    let shown = roles.into_iter().skip(from).take(most).map(|(name, role)| {
        let trust = crate::policy::shown(&state.world, role.trust.latest());
        let mut shown = show(role, call.account(), name, &trust);
        "member".clone_into(&mut shown.name);
        shown
    });
    let mut answer =
        Element::new("").with(Element::new("Roles").all(shown)).text("IsTruncated", more.to_string());
    if more {
        answer = answer.text("Marker", (from + most).to_string());
    }
    Ok(Some(answer))
}

pub(super) fn update(state: &mut State, call: &Call<'_>, form: &Form) -> Answer {
    let max_session_s = max_session(form)?;
    let (name, role) = find_mut(state, call, form)?;
    if let Some(description) = form.get("Description") {
        description.clone_into(&mut role.description);
    }
    if let Some(max_session_s) = max_session_s {
        role.max_session_s = max_session_s;
    }
    let arn = role.arn(call.account(), &name);
    state.wrote(call, arn);
    Ok(Some(Element::new("")))
}

pub(super) fn update_trust(state: &mut State, call: &Call<'_>, form: &Form) -> Answer {
    let (name, _) = find(state, call, form)?;
    let trust = documents::trust(&state.world, call.now_ms, form.required("PolicyDocument")?)?;
    let (_, role) = find_mut(state, call, form)?;
    role.trust.change(call.now_ms, trust);
    let arn = role.arn(call.account(), &name);
    state.wrote(call, arn);
    Ok(None)
}

pub(super) fn tag(state: &mut State, call: &Call<'_>, form: &Form) -> Answer {
    let (name, role) = find_mut(state, call, form)?;
    role.tags.extend(form.tags());
    if role.tags.len() > 50 {
        return Err(AwsError::new(409, "LimitExceeded", "The number of tags has reached the maximum limit."));
    }
    let arn = role.arn(call.account(), &name);
    state.wrote(call, arn);
    Ok(None)
}

pub(super) fn untag(state: &mut State, call: &Call<'_>, form: &Form) -> Answer {
    let keys: Vec<String> =
        (1..=50).map_while(|index| form.get(&format!("TagKeys.member.{index}")).map(str::to_owned)).collect();
    let (name, role) = find_mut(state, call, form)?;
    role.tags.retain(|key, _| !keys.contains(key));
    let arn = role.arn(call.account(), &name);
    state.wrote(call, arn);
    Ok(None)
}

pub(super) fn list_tags(state: &mut State, call: &Call<'_>, form: &Form) -> Answer {
    let (_, role) = find(state, call, form)?;
    Ok(Some(Element::new("").with(tags(role)).text("IsTruncated", "false")))
}

fn tags(role: &Role) -> Element {
    Element::new("Tags").all(
        role.tags
            .iter()
            .map(|(key, value)| Element::new("member").text("Key", key.clone()).text("Value", value.clone())),
    )
}

fn show(role: &Role, account: &str, name: &str, trust: &str) -> Element {
    let mut shown = Element::new("Role")
        .text("Path", role.path.clone())
        .text("RoleName", name)
        .text("RoleId", role.unique_id.clone())
        .text("Arn", role.arn(account, name))
        .text("CreateDate", crate::clock::iso(role.created_ms))
        .text("AssumeRolePolicyDocument", documents::encode(trust))
        .text("Description", role.description.clone())
        .text("MaxSessionDuration", role.max_session_s.to_string());
    if let Some(boundary) = &role.permissions_boundary {
        shown = shown.with(
            Element::new("PermissionsBoundary")
                .text("PermissionsBoundaryType", "Policy")
                .text("PermissionsBoundaryArn", boundary.clone()),
        );
    }
    if role.tags.is_empty() { shown } else { shown.with(tags(role)) }
}

fn max_session(form: &Form) -> Result<Option<i64>, AwsError> {
    let Some(text) = form.get("MaxSessionDuration") else { return Ok(None) };
    let seconds = text.parse().ok().filter(|seconds| (3_600..=43_200).contains(seconds));
    seconds.map(Some).ok_or_else(|| {
        AwsError::new(400, "ValidationError", "MaxSessionDuration must be between 3600 and 43200 seconds.")
    })
}

fn check_name(name: &str, path: &str) -> Result<(), AwsError> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "+=,.@-_".contains(character);
    if name.is_empty() || name.len() > 64 || !name.chars().all(allowed) {
        return Err(AwsError::new(
            400,
            "ValidationError",
            "The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-",
        ));
    }
    if !path.starts_with('/') || !path.ends_with('/') || path.len() > 512 {
        return Err(AwsError::new(400, "ValidationError", "The specified value for path is invalid."));
    }
    Ok(())
}
