//! AWS KMS ("AWS Key Management Service API Reference"): keys, their states and policies; no cryptography.

mod keys;
mod use_by_s3;

use serde_json::{Value, json};

pub(crate) use self::use_by_s3::{context_of_s3, permit_s3, resolve, resolve_for_s3};

use crate::call::Call;
use crate::error::AwsError;
use crate::http::Reply;
use crate::policy::{Context, Subject, authorize};
use crate::state::State;
use crate::world::{Key, World};

/// Carries out a call.
pub(crate) fn handle(state: &mut State, call: &Call<'_>) -> Result<Reply, AwsError> {
    let input: Value = match call.request.text() {
        "" => json!({}),
        text => serde_json::from_str(text)
            .map_err(|_| AwsError::new(400, "SerializationException", "the body is not JSON"))?,
    };
    let answer = match call.operation {
        "CreateKey" => keys::create(state, call, &input),
        "DescribeKey" => keys::describe(state, call, &input),
        "GetKeyPolicy" => keys::get_policy(state, call, &input),
        "PutKeyPolicy" => keys::put_policy(state, call, &input),
        "ListKeys" => keys::list(state, call),
        "ListAliases" => keys::list_aliases(state, call, &input),
        "CreateAlias" => keys::create_alias(state, call, &input),
        "ListResourceTags" => keys::list_tags(state, call, &input),
        "EnableKey" | "DisableKey" | "ScheduleKeyDeletion" | "CancelKeyDeletion" => {
            keys::change_state(state, call, &input)
        }
        "GetKeyRotationStatus" => {
            let (id, ..) = keys::find(state, call, &input, true)?;
            Ok(json!({ "KeyId": id, "KeyRotationEnabled": false }))
        }
        other => Err(AwsError::not_implemented("kms", other)),
    }?;
    Ok(Reply::json(&answer).header("content-type", "application/x-amz-json-1.1"))
}

/// An error unless a caller may use or manage a key.
fn permit(
    world: &World,
    call: &Call<'_>,
    owner: &str,
    arn: &str,
    key: &Key,
    action: &str,
    context: Context,
) -> Result<(), AwsError> {
    let mut context = context;
    context.set("kms:CallerAccount", call.account());
    let subject =
        Subject { action, resource: arn, owner, policy: Some(&key.policy), policy_decides: true, context };
    authorize(world, call.now_ms, call.identity, &subject).map_err(|denial| {
        AwsError::new(400, "AccessDeniedException", denial.message(call.identity, action, arn))
    })
}

fn not_found(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "NotFoundException", message)
}

/// The ARN of a key.
pub(crate) fn key_arn(account: &str, region: &str, id: &str) -> String {
    format!("arn:aws:kms:{region}:{account}:key/{id}")
}
