//! AWS IAM ("AWS Identity and Access Management API Reference"): roles and their policies.
//!
//! Reads answer what was last written; what is in effect lags behind ([`crate::world::Eventual`]).

mod documents;
mod roles;

use crate::call::Call;
use crate::error::AwsError;
use crate::http::Reply;
use crate::policy::{Context, Subject, authorize};
use crate::state::State;
use crate::world::World;
use crate::xml::Element;

const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

/// The fields of a request.
struct Form(Vec<(String, String)>);

impl Form {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn required(&self, name: &str) -> Result<&str, AwsError> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            AwsError::new(
                400,
                "ValidationError",
                format!(
                    "1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must not be null"
                ),
            )
        })
    }

    /// `Tags.member.N.Key` and `.Value`.
    fn tags(&self) -> Vec<(String, String)> {
        let key = |index: usize| self.get(&format!("Tags.member.{index}.Key"));
        let value = |index: usize| self.get(&format!("Tags.member.{index}.Value")).unwrap_or_default();
        (1..=50).map_while(|index| key(index).map(|key| (key.to_owned(), value(index).to_owned()))).collect()
    }
}

/// Carries out a call.
pub(crate) fn handle(state: &mut State, call: &Call<'_>) -> Result<Reply, AwsError> {
    let form = Form(call.request.form());
    let result = match call.operation {
        "CreateRole" => roles::create(state, call, &form),
        "GetRole" => roles::get(state, call, &form),
        "DeleteRole" => roles::delete(state, call, &form),
        "ListRoles" => roles::list(state, call, &form),
        "UpdateRole" => roles::update(state, call, &form),
        "UpdateAssumeRolePolicy" => roles::update_trust(state, call, &form),
        "TagRole" => roles::tag(state, call, &form),
        "UntagRole" => roles::untag(state, call, &form),
        "ListRoleTags" => roles::list_tags(state, call, &form),
        "PutRolePolicy" => documents::put_inline(state, call, &form),
        "GetRolePolicy" => documents::get_inline(state, call, &form),
        "DeleteRolePolicy" => documents::delete_inline(state, call, &form),
        "ListRolePolicies" => documents::list_inline(state, call, &form),
        "AttachRolePolicy" => documents::attach(state, call, &form),
        "DetachRolePolicy" => documents::detach(state, call, &form),
        "ListAttachedRolePolicies" => documents::list_attached(state, call, &form),
        "GetPolicy" => documents::get_policy(state, call, &form),
        "GetPolicyVersion" => documents::get_policy_version(state, call, &form),
        "ListAccountAliases" => {
            permit(&state.world, call, "*", Context::default())?;
            Ok(Some(Element::new("").with(Element::new("AccountAliases")).text("IsTruncated", "false")))
        }
        other => return Err(AwsError::not_implemented("iam", other)),
    }?;
    let mut document = Element::new(&format!("{}Response", call.operation));
    if let Some(mut result) = result {
        result.name = format!("{}Result", call.operation);
        document = document.with(result);
    }
    let document = document.with(Element::new("ResponseMetadata").text("RequestId", "fake"));
    Ok(Reply::xml(&document.document(NAMESPACE)).header("content-type", "text/xml"))
}

/// An error unless the caller may do this to a resource of its account.
fn permit(world: &World, call: &Call<'_>, resource: &str, context: Context) -> Result<(), AwsError> {
    let action = format!("iam:{}", call.operation);
    let subject = Subject {
        action: &action,
        resource,
        owner: call.account(),
        policy: None,
        policy_decides: false,
        context,
    };
    authorize(world, call.now_ms, call.identity, &subject).map_err(|denial| {
        AwsError::new(403, "AccessDenied", denial.message(call.identity, &action, resource))
    })
}

fn no_such_role(name: &str) -> AwsError {
    AwsError::new(404, "NoSuchEntity", format!("The role with name {name} cannot be found."))
}
