//! AWS Organizations ("AWS Organizations API Reference"): reads by the management account and by delegated
//! administrators, paged; members are denied all but `DescribeOrganization`.

mod accounts;
mod policies;

use serde_json::{Value, json};

use crate::call::Call;
use crate::error::AwsError;
use crate::http::Reply;
use crate::policy::{Context, Subject, authorize};
use crate::state::State;
use crate::world::{Organization, World};

/// What an operation works on.
struct Question<'a> {
    world: &'a World,
    organization: &'a Organization,
    input: Value,
    now_ms: i64,
}

/// Carries out a call.
pub(crate) fn handle(state: &mut State, call: &Call<'_>) -> Result<Reply, AwsError> {
    let world = &state.world;
    let account = call.account();
    let organization = world.organization_of(account).ok_or_else(|| {
        AwsError::new(
            400,
            "AWSOrganizationsNotInUseException",
            "Your account is not a member of an organization.",
        )
    })?;
    let action = format!("organizations:{}", call.operation);
    let subject = Subject {
        action: &action,
        resource: "*",
        owner: account,
        policy: None,
        policy_decides: false,
        context: Context::default(),
    };
    authorize(world, call.now_ms, call.identity, &subject).map_err(|denial| {
        AwsError::new(400, "AccessDeniedException", denial.message(call.identity, &action, "*"))
    })?;
    let may_ask = account == organization.management_account
        || organization.delegated_administrators.contains_key(account)
        || call.operation == "DescribeOrganization";
    if !may_ask {
        return Err(AwsError::new(
            400,
            "AccessDeniedException",
            "You don't have permissions to access this resource.",
        ));
    }
    let input: Value = match call.request.text() {
        "" => json!({}),
        text => serde_json::from_str(text)
            .map_err(|_| AwsError::new(400, "SerializationException", "the body is not JSON"))?,
    };
    let question = Question { world, organization, input, now_ms: call.now_ms };
    let answer = match call.operation {
        "DescribeOrganization" => Ok(question.describe_organization()),
        "ListRoots" => question.list_roots(),
        "ListAccounts" => question.list_accounts(),
        "ListAccountsForParent" => question.list_accounts_for_parent(),
        "DescribeAccount" => question.describe_account(),
        "ListOrganizationalUnitsForParent" => question.list_units_for_parent(),
        "DescribeOrganizationalUnit" => question.describe_unit(),
        "ListParents" => question.list_parents(),
        "ListChildren" => question.list_children(),
        "ListTagsForResource" => question.list_tags(),
        "ListPolicies" => question.list_policies(),
        "DescribePolicy" => question.describe_policy(),
        "ListPoliciesForTarget" => question.list_policies_for_target(),
        "ListTargetsForPolicy" => question.list_targets_for_policy(),
        "ListDelegatedAdministrators" => question.list_delegated_administrators(),
        "ListDelegatedServicesForAccount" => question.list_delegated_services(),
        "ListAWSServiceAccessForOrganization" => question.list_service_access(),
        other => Err(AwsError::not_implemented("organizations", other)),
    }?;
    Ok(Reply::json(&answer).header("content-type", "application/x-amz-json-1.1"))
}

fn invalid_input(reason: &str, message: &str) -> AwsError {
    AwsError::new(400, "InvalidInputException", message).field("Reason", reason)
}

impl Question<'_> {
    /// A string of the input that must be there.
    fn required(&self, field: &str) -> Result<&str, AwsError> {
        self.input
            .get(field)
            .and_then(Value::as_str)
            .ok_or_else(|| invalid_input("INPUT_REQUIRED", &format!("You must specify {field}.")))
    }

    fn optional(&self, field: &str) -> Option<&str> {
        self.input.get(field).and_then(Value::as_str)
    }

    /// One page of a list: at most 20 items, or fewer on request.
    fn page<T>(
        &self,
        field: &str,
        items: Vec<T>,
        largest: usize,
        show: impl Fn(T) -> Value,
    ) -> Result<Value, AwsError> {
        let wanted = match self.input.get("MaxResults").and_then(Value::as_u64) {
            Some(wanted @ 1..=20) => usize::try_from(wanted).unwrap_or(20),
            None => 20,
            Some(_) => {
                return Err(invalid_input("MAX_LIMIT_EXCEEDED", "MaxResults must be between 1 and 20."));
            }
        };
        let from = match self.optional("NextToken") {
            None => 0,
            Some(token) => token
                .strip_prefix("page-")
                .and_then(|text| text.parse::<usize>().ok())
                .filter(|from| *from < items.len())
                .ok_or_else(|| invalid_input("INVALID_NEXT_TOKEN", "The NextToken is not valid."))?,
        };
        let until = (from + wanted.min(largest.max(1))).min(items.len());
        let more = until < items.len();
        let shown: Vec<Value> = items.into_iter().skip(from).take(until - from).map(show).collect();
        let mut answer = json!({ field: shown });
        if more && let Some(object) = answer.as_object_mut() {
            object.insert("NextToken".to_owned(), format!("page-{until}").into());
        }
        Ok(answer)
    }

    fn is_parent(&self, id: &str) -> bool {
        id == self.organization.root || self.organization.units.contains_key(id)
    }
}

/// Seconds since 1970, as JSON 1.1 writes times.
fn seconds(ms: i64) -> Value {
    json!(ms as f64 / 1_000.0)
}
