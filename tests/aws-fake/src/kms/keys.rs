//! Keys, aliases and key policies.

use serde_json::{Value, json};

use super::{key_arn, not_found, permit, resolve};
use crate::call::Call;
use crate::error::AwsError;
use crate::policy::{Context, Document, PolicyProblem, Subject, authorize};
use crate::state::State;
use crate::world::{Key, KeyState, ResourcePolicy, hexadecimal};

/// The most bytes of a key policy ("Quotas", KMS Developer Guide).
const LARGEST_POLICY: usize = 32_768;

type Answer = Result<Value, AwsError>;

/// The account, ARN and key of a call, of which the caller may do what it asks.
pub(super) fn find(
    state: &State,
    call: &Call<'_>,
    input: &Value,
    same_account: bool,
) -> Result<(String, String, String), AwsError> {
    let named = input.get("KeyId").and_then(Value::as_str).ok_or_else(|| {
        AwsError::new(
            400,
            "ValidationException",
            "1 validation error detected: Value at 'keyId' must not be null",
        )
    })?;
    let aliases = call.operation == "DescribeKey";
    let arn = resolve(&state.world, named, call.account(), call.region, aliases)
        .ok_or_else(|| not_found(format!("Key '{named}' does not exist")))?;
    let (account, key) =
        state.world.key(&arn).ok_or_else(|| not_found(format!("Key '{arn}' does not exist")))?;
    if key.region != call.region {
        return Err(not_found(format!("Invalid arn {}", key.region)));
    }
    let action = format!("kms:{}", call.operation);
    permit(&state.world, call, account, &arn, key, &action, Context::default())?;
    if same_account && account != call.account() {
        return Err(AwsError::new(
            400,
            "AccessDeniedException",
            format!(
                "User: {} is not authorized to perform: {action} on resource: {arn}",
                call.identity.arn()
            ),
        ));
    }
    let id = arn.rsplit('/').next().unwrap_or_default().to_owned();
    Ok((id, account.to_owned(), arn))
}

fn key_mut<'a>(state: &'a mut State, account: &str, id: &str) -> Result<&'a mut Key, AwsError> {
    let account = state.world.accounts.get_mut(account);
    account
        .and_then(|account| account.keys.get_mut(id))
        .ok_or_else(|| not_found(format!("Key '{id}' does not exist")))
}

fn metadata(account: &str, id: &str, key: &Key) -> Value {
    json!({
        "AWSAccountId": account,
        "KeyId": id,
        "Arn": key_arn(account, &key.region, id),
        "CreationDate": key.created_ms as f64 / 1_000.0,
        "Enabled": key.state == KeyState::Enabled,
        "Description": key.description,
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": key.state.as_str(),
        "Origin": "AWS_KMS",
        "KeyManager": if key.aws_managed { "AWS" } else { "CUSTOMER" },
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": key.multi_region,
    })
}

/// An error unless the caller's own policies allow what has no key yet.
fn permit_own(state: &State, call: &Call<'_>) -> Result<(), AwsError> {
    let action = format!("kms:{}", call.operation);
    let subject = Subject {
        action: &action,
        resource: "*",
        owner: call.account(),
        policy: None,
        policy_decides: false,
        context: Context::default(),
    };
    authorize(&state.world, call.now_ms, call.identity, &subject).map_err(|denial| {
        AwsError::new(400, "AccessDeniedException", denial.message(call.identity, &action, "*"))
    })
}

pub(super) fn create(state: &mut State, call: &Call<'_>, input: &Value) -> Answer {
    permit_own(state, call)?;
    let owner = call.account();
    let default = format!(
        r#"{{"Version":"2012-10-17","Id":"key-default-1","Statement":[{{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{owner}:root"}},"Action":"kms:*","Resource":"*"}}]}}"#
    );
    let text = input.get("Policy").and_then(Value::as_str).unwrap_or(&default);
    let policy = check_policy(state, call, text, input)?;
    let seed = state.world.settings.seed;
    let account =
        state.world.accounts.get_mut(owner).ok_or_else(|| not_found("the account does not exist"))?;
    let digits = hexadecimal(32, seed, &["key", owner, call.region, &account.keys.len().to_string()]);
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default().to_owned();
    let id = format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32));
    let tags = input.get("Tags").and_then(Value::as_array).into_iter().flatten();
    let text_of =
        |tag: &Value, field: &str| tag.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let key = Key {
        region: call.region.to_owned(),
        description: input.get("Description").and_then(Value::as_str).unwrap_or_default().to_owned(),
        multi_region: input.get("MultiRegion").and_then(Value::as_bool).unwrap_or(false),
        policy,
        created_ms: call.now_ms,
        tags: tags.map(|tag| (text_of(tag, "TagKey"), text_of(tag, "TagValue"))).collect(),
        ..Key::default()
    };
    let shown = metadata(owner, &id, &key);
    account.keys.insert(id.clone(), key);
    state.wrote(call, key_arn(owner, call.region, &id));
    Ok(json!({ "KeyMetadata": shown }))
}

pub(super) fn describe(state: &State, call: &Call<'_>, input: &Value) -> Answer {
    let (id, account, arn) = find(state, call, input, false)?;
    let (_, key) = state.world.key(&arn).ok_or_else(|| not_found(arn.clone()))?;
    Ok(json!({ "KeyMetadata": metadata(&account, &id, key) }))
}

pub(super) fn get_policy(state: &State, call: &Call<'_>, input: &Value) -> Answer {
    let (_, _, arn) = find(state, call, input, true)?;
    check_policy_name(input)?;
    let (_, key) = state.world.key(&arn).ok_or_else(|| not_found(arn.clone()))?;
    Ok(json!({ "Policy": crate::policy::shown(&state.world, &key.policy), "PolicyName": "default" }))
}

pub(super) fn put_policy(state: &mut State, call: &Call<'_>, input: &Value) -> Answer {
    let (id, account, arn) = find(state, call, input, true)?;
    check_policy_name(input)?;
    let text = input.get("Policy").and_then(Value::as_str).ok_or_else(|| {
        AwsError::new(
            400,
            "ValidationException",
            "1 validation error detected: Value at 'policy' must not be null",
        )
    })?;
    let policy = check_policy(state, call, text, input)?;
    let key = key_mut(state, &account, &id)?;
    if key.aws_managed {
        return Err(AwsError::new(
            400,
            "AccessDeniedException",
            "The policy of an AWS managed key cannot be changed",
        ));
    }
    key.policy = policy;
    state.wrote(call, arn);
    Ok(json!({}))
}

fn check_policy_name(input: &Value) -> Result<(), AwsError> {
    match input.get("PolicyName").and_then(Value::as_str) {
        None | Some("default") => Ok(()),
        Some(_) => Err(not_found("No such policy exists")),
    }
}

/// "Default key policy" and "PutKeyPolicy": principals exist, the size is bounded, and the caller keeps the right to
/// change the policy again.
fn check_policy(
    state: &State,
    call: &Call<'_>,
    text: &str,
    input: &Value,
) -> Result<ResourcePolicy, AwsError> {
    let malformed = |message: &str| AwsError::new(400, "MalformedPolicyDocumentException", message);
    if text.len() > LARGEST_POLICY {
        return Err(AwsError::new(
            400,
            "LimitExceededException",
            "The policy document is larger than 32768 bytes",
        ));
    }
    let document = Document::parse(text).map_err(|problem| match problem {
        PolicyProblem::NotJson => malformed("The policy is not valid JSON"),
        _ => malformed("The new key policy contains syntax errors."),
    })?;
    for statement in &document.statements {
        if statement.principal.is_none() && statement.not_principal.is_none() {
            return Err(malformed("Policy contains a statement with no principal."));
        }
        if statement.resource.is_empty() && statement.not_resource.is_empty() {
            return Err(malformed("Policy contains a statement with no resource."));
        }
    }
    let principals = state
        .world
        .bind(&document, call.now_ms)
        .map_err(|_| malformed("Policy contains a statement with one or more invalid principals."))?;
    let policy = ResourcePolicy { text: text.to_owned(), principals };
    let bypass = input.get("BypassPolicyLockoutSafetyCheck").and_then(Value::as_bool).unwrap_or(false);
    let arn = key_arn(call.account(), call.region, "*");
    let again = Subject {
        action: "kms:PutKeyPolicy",
        resource: &arn,
        owner: call.account(),
        policy: Some(&policy),
        policy_decides: true,
        context: Context::default(),
    };
    if !bypass && authorize(&state.world, call.now_ms, call.identity, &again).is_err() {
        return Err(malformed(
            "The new key policy will not allow you to update the key policy in the future.",
        ));
    }
    Ok(policy)
}

pub(super) fn list(state: &State, call: &Call<'_>) -> Answer {
    permit_own(state, call)?;
    let account = state.world.accounts.get(call.account());
    let keys = account.into_iter().flat_map(|account| &account.keys);
    let shown: Vec<_> = keys
        .filter(|(_, key)| key.region == call.region)
        .map(|(id, key)| json!({ "KeyId": id, "KeyArn": key_arn(call.account(), &key.region, id) }))
        .collect();
    Ok(json!({ "Keys": shown, "Truncated": false }))
}

pub(super) fn list_aliases(state: &State, call: &Call<'_>, input: &Value) -> Answer {
    permit_own(state, call)?;
    let wanted = input.get("KeyId").and_then(Value::as_str);
    let account = state.world.accounts.get(call.account());
    let keys = account.into_iter().flat_map(|account| &account.keys);
    let shown: Vec<_> = keys
        .filter(|(id, key)| {
            key.region == call.region
                && wanted
                    .is_none_or(|wanted| wanted == *id || wanted == key_arn(call.account(), &key.region, id))
        })
        .flat_map(|(id, key)| {
            key.aliases.iter().map(move |alias| {
                json!({
                    "AliasName": alias,
                    "AliasArn": format!("arn:aws:kms:{}:{}:{alias}", key.region, call.account()),
                    "TargetKeyId": id,
                })
            })
        })
        .collect();
    Ok(json!({ "Aliases": shown, "Truncated": false }))
}

pub(super) fn create_alias(state: &mut State, call: &Call<'_>, input: &Value) -> Answer {
    let name = input.get("AliasName").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !name.starts_with("alias/") || name.starts_with("alias/aws/") {
        return Err(AwsError::new(400, "InvalidAliasNameException", "The alias name is not valid"));
    }
    let named = input.get("TargetKeyId").cloned().unwrap_or_default();
    let (id, account, arn) = find(state, call, &json!({ "KeyId": named }), true)?;
    if resolve(&state.world, &name, &account, call.region, true).is_some() {
        return Err(AwsError::new(
            400,
            "AlreadyExistsException",
            format!("An alias with the name {name} already exists"),
        ));
    }
    key_mut(state, &account, &id)?.aliases.insert(name);
    state.wrote(call, arn);
    Ok(json!({}))
}

pub(super) fn list_tags(state: &State, call: &Call<'_>, input: &Value) -> Answer {
    let (_, _, arn) = find(state, call, input, true)?;
    let (_, key) = state.world.key(&arn).ok_or_else(|| not_found(arn.clone()))?;
    let tags: Vec<_> =
        key.tags.iter().map(|(name, value)| json!({ "TagKey": name, "TagValue": value })).collect();
    Ok(json!({ "Tags": tags, "Truncated": false }))
}

pub(super) fn change_state(state: &mut State, call: &Call<'_>, input: &Value) -> Answer {
    let (id, account, arn) = find(state, call, input, true)?;
    let key = key_mut(state, &account, &id)?;
    let pending = key.state == KeyState::PendingDeletion;
    let next = match (call.operation, pending) {
        ("EnableKey", false) => KeyState::Enabled,
        ("CancelKeyDeletion", true) | ("DisableKey", false) => KeyState::Disabled,
        ("ScheduleKeyDeletion", false) => KeyState::PendingDeletion,
        _ => {
            return Err(AwsError::new(
                400,
                "KMSInvalidStateException",
                format!("{arn} is not in a state that allows this: {}.", key.state.as_str()),
            ));
        }
    };
    key.state = next;
    state.wrote(call, arn.clone());
    Ok(json!({ "KeyId": arn, "KeyState": next.as_str() }))
}
