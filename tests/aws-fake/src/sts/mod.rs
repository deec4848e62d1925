//! AWS STS ("AWS Security Token Service API Reference"): `AssumeRole` evaluates the caller's policies and the role's
//! trust policy, `GetCallerIdentity` needs no permission.

use crate::auth::Session;
use crate::call::Call;
use crate::error::AwsError;
use crate::http::Reply;
use crate::policy::{Context, Document, Identity, Subject, authorize};
use crate::state::State;
use crate::world::{AccountState, base32, hexadecimal};
use crate::xml::Element;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Carries out a call.
pub(crate) fn handle(state: &mut State, call: &Call<'_>) -> Result<Reply, AwsError> {
    let form = call.request.form();
    match call.operation {
        "AssumeRole" => assume_role(state, call, &form),
        "GetCallerIdentity" => {
            let user_id = match call.identity {
                Identity::Role { unique_id, session, .. } => format!("{unique_id}:{session}"),
                Identity::User { account, name } => state
                    .world
                    .accounts
                    .get(account)
                    .and_then(|found| found.users.get(name))
                    .map(|user| user.unique_id.clone())
                    .unwrap_or_default(),
                other => other.account().to_owned(),
            };
            Ok(answer(
                call,
                Element::new("GetCallerIdentityResult")
                    .text("Arn", call.identity.arn())
                    .text("UserId", user_id)
                    .text("Account", call.account()),
            ))
        }
        other => Err(AwsError::not_implemented("sts", other)),
    }
}

fn answer(call: &Call<'_>, result: Element) -> Reply {
    let document = Element::new(&format!("{}Response", call.operation))
        .with(result)
        .with(Element::new("ResponseMetadata").text("RequestId", "fake"));
    Reply::xml(&document.document(NAMESPACE))
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "ValidationError", message)
}

fn field<'a>(form: &'a [(String, String)], name: &str) -> Option<&'a str> {
    form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn assume_role(state: &mut State, call: &Call<'_>, form: &[(String, String)]) -> Result<Reply, AwsError> {
    let arn = field(form, "RoleArn").ok_or_else(|| invalid("RoleArn is required"))?;
    let session_name =
        field(form, "RoleSessionName").ok_or_else(|| invalid("RoleSessionName is required"))?;
    check_names(arn, session_name)?;
    let external_id = field(form, "ExternalId");
    if let Some(external_id) = external_id
        && !(2..=1_224).contains(&external_id.len())
    {
        return Err(invalid("ExternalId must have between 2 and 1224 characters"));
    }
    let duration_s: i64 = match field(form, "DurationSeconds") {
        None => 3_600,
        Some(text) => text
            .parse()
            .ok()
            .filter(|seconds| (900..=43_200).contains(seconds))
            .ok_or_else(|| invalid("DurationSeconds must be between 900 and 43200"))?,
    };
    if matches!(call.identity, Identity::Root { .. }) {
        return Err(AwsError::new(403, "AccessDenied", "Roles may not be assumed by root accounts."));
    }
    let world = &state.world;
    let denied = |reason: &str| {
        let message = format!(
            "User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}{reason}",
            call.identity.arn()
        );
        AwsError::new(403, "AccessDenied", message)
    };
    let in_effect = call.now_ms - world.settings.iam_lag_s * 1_000;
    // A role that does not exist, one that exists no longer than the lag, and one that does not trust the caller
    // look alike.
    let (account, role) = world
        .role(arn)
        .filter(|(_, role)| role.created_ms <= in_effect || role.created_ms == 0)
        .ok_or_else(|| denied(""))?;
    if world.accounts.get(account).is_none_or(|found| found.state != AccountState::Active) {
        return Err(denied(""));
    }
    let mut context = Context::default();
    context.set("sts:RoleSessionName", session_name);
    if let Some(external_id) = external_id {
        context.set("sts:ExternalId", external_id);
    }
    let subject = Subject {
        action: "sts:AssumeRole",
        resource: arn,
        owner: account,
        policy: Some(role.trust.at(in_effect)),
        policy_decides: true,
        context,
    };
    authorize(world, call.now_ms, call.identity, &subject).map_err(|denial| {
        let told = call.account() == account || denial.explicit;
        let reason = if told { format!(" {}", denial.reason("sts:AssumeRole")) } else { String::new() };
        denied(&reason)
    })?;
    if !world.region_enabled(account, call.region) {
        return Err(AwsError::new(
            403,
            "RegionDisabledException",
            format!(
                "STS is not activated in this region for account:{account}. Your account administrator can activate STS in this region using the IAM Console."
            ),
        ));
    }
    if duration_s > role.max_session_s {
        return Err(invalid(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    if matches!(call.identity, Identity::Role { .. }) && duration_s > 3_600 {
        return Err(invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        ));
    }
    let session_policy = field(form, "Policy").map(str::to_owned);
    if let Some(policy) = &session_policy
        && Document::parse(policy).is_err()
    {
        return Err(AwsError::new(
            400,
            "MalformedPolicyDocument",
            "The policy is not in the valid JSON format.",
        ));
    }
    let name = arn.rsplit('/').next().unwrap_or_default().to_owned();
    let (account, unique_id) = (account.to_owned(), role.unique_id.clone());
    let global = world.settings.sts_us_east_1_is_global && call.region == "us-east-1";
    let identity = Identity::Role {
        account,
        name,
        unique_id: unique_id.clone(),
        session: session_name.to_owned(),
        session_policy,
    };
    let expires_ms = call.now_ms + duration_s * 1_000;
    Ok(give(state, call, identity, &unique_id, expires_ms, global))
}

/// Makes temporary credentials.
fn give(
    state: &mut State,
    call: &Call<'_>,
    identity: Identity,
    unique_id: &str,
    expires_ms: i64,
    global: bool,
) -> Reply {
    let seed = state.world.settings.seed;
    state.given += 1;
    let number = state.given.to_string();
    let access_key = format!("ASIA{}", base32(16, seed, &["session", unique_id, &number]));
    let token = format!("FwoGZXIvYXdzE{}", base32(96, seed, &["token", unique_id, &number]));
    let arn = identity.arn();
    let user = format!("{unique_id}:{}", arn.rsplit('/').next().unwrap_or_default());
    let session = Session { identity, token: token.clone(), expires_ms, global };
    state.sessions.insert(access_key.clone(), session);
    answer(
        call,
        Element::new("AssumeRoleResult")
            .with(Element::new("AssumedRoleUser").text("AssumedRoleId", user).text("Arn", arn))
            .with(
                Element::new("Credentials")
                    .text("AccessKeyId", &*access_key)
                    .text("SecretAccessKey", hexadecimal(40, seed, &["secret", &access_key]))
                    .text("SessionToken", token)
                    .text("Expiration", crate::clock::iso(expires_ms)),
            ),
    )
}

fn check_names(arn: &str, session_name: &str) -> Result<(), AwsError> {
    let well_formed = arn
        .strip_prefix("arn:aws:iam::")
        .and_then(|rest| rest.split_once(":role/"))
        .is_some_and(|(account, name)| account.len() == 12 && !name.is_empty());
    if !well_formed {
        return Err(invalid(format!("{arn} is invalid")));
    }
    let allowed = |character: char| character.is_ascii_alphanumeric() || "+=,.@-_".contains(character);
    if !(2..=64).contains(&session_name.len()) || !session_name.chars().all(allowed) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{session_name}' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*"
        )));
    }
    Ok(())
}
