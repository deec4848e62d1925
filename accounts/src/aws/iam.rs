//! IAM: roles with everything that decides what they may do.

use super::error::CallError;
use super::session::Session;
use crate::ids::{Arn, InvalidId, Region, RoleName, RolePath};
use crate::inventory::Role;
use async_trait::async_trait;
use aws_sdk_iam::Client;
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;

/// The calls to IAM.
#[async_trait]
pub trait Iam: Send + Sync {
    /// The role, its policies and its boundary. None when there is no such role.
    async fn role(&self, name: &RoleName) -> Result<Option<Role>, CallError>;
    /// Who may assume the role. None when there is no such role.
    async fn trust_policy(&self, name: &RoleName) -> Result<Option<String>, CallError>;
    /// An inline policy. None when there is no such role or policy.
    async fn role_policy(&self, name: &RoleName, policy_name: &str) -> Result<Option<String>, CallError>;
    async fn create_role(
        &self,
        path: &RolePath,
        name: &RoleName,
        trust_policy: &str,
        description: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CallError>;
    async fn put_trust_policy(&self, name: &RoleName, policy: &str) -> Result<(), CallError>;
    async fn put_role_policy(
        &self,
        name: &RoleName,
        policy_name: &str,
        policy: &str,
    ) -> Result<(), CallError>;
    async fn delete_role_policy(&self, name: &RoleName, policy_name: &str) -> Result<(), CallError>;
    async fn delete_role(&self, name: &RoleName) -> Result<(), CallError>;
}

struct Calls<'a> {
    session: &'a Session,
    region: Region,
    client: Client,
}

impl Session {
    /// IAM, which is one service for all Regions of the partition.
    pub fn iam(&self) -> impl Iam + '_ {
        let region = self.connection().region().clone();
        let config = aws_sdk_iam::config::Builder::from(&self.config(&region))
            .retry_partition(self.partition())
            .interceptor(self.observer())
            .build();
        Calls { session: self, region, client: Client::from_conf(config) }
    }
}

/// One page after the other, by IAM's marker.
macro_rules! pages {
    ($self:ident, $operation:literal, $resource:expr, $request:expr, $items:ident, $take:expr) => {{
        let call = $self.session.call("iam", $operation, &$self.region, $resource);
        let mut taken = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let answer =
                $self.session.run(&call, None, || $request.set_marker(marker.clone()).send()).await?;
            taken.extend(answer.$items().iter().map($take));
            marker = answer.marker().filter(|_| answer.is_truncated()).map(str::to_owned);
            if marker.is_none() {
                break taken;
            }
        }
    }};
}

#[async_trait]
impl Iam for Calls<'_> {
    async fn role(&self, name: &RoleName) -> Result<Option<Role>, CallError> {
        let call = self.session.call("iam", "GetRole", &self.region, name.as_str());
        let answer = match self
            .session
            .run(&call, None, || self.client.get_role().role_name(name.as_str()).send())
            .await
        {
            Err(error) if error.is_not_found() => return Ok(None),
            answer => answer?,
        };
        let Some(role) = answer.role() else {
            return Err(CallError::ours(call, "the answer has no role"));
        };
        let wrong = |wrong: InvalidId| CallError::ours(call.clone(), wrong.to_string());
        let boundary =
            match role.permissions_boundary().and_then(|boundary| boundary.permissions_boundary_arn()) {
                Some(arn) => Some(self.managed_policy(&arn.parse().map_err(wrong)?).await?),
                None => None,
            };
        Ok(Some(Role {
            arn: role.arn().parse().map_err(wrong)?,
            unique_id: role.role_id().to_owned(),
            trust_policy: decoded(role.assume_role_policy_document().unwrap_or_default()),
            inline_policies: self.inline_policies(name).await?,
            attached_policies: self.attached_policies(name).await?,
            permissions_boundary: boundary,
            tags: role.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect(),
        }))
    }

    async fn trust_policy(&self, name: &RoleName) -> Result<Option<String>, CallError> {
        let call = self.session.call("iam", "GetRole", &self.region, name.as_str());
        match self.session.run(&call, None, || self.client.get_role().role_name(name.as_str()).send()).await {
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
            Ok(answer) => {
                let document = answer.role().and_then(|role| role.assume_role_policy_document());
                Ok(Some(decoded(document.unwrap_or_default())))
            }
        }
    }

    async fn role_policy(&self, name: &RoleName, policy_name: &str) -> Result<Option<String>, CallError> {
        let call = self.session.call("iam", "GetRolePolicy", &self.region, format!("{name}/{policy_name}"));
        let answer = self
            .session
            .run(&call, None, || {
                self.client.get_role_policy().role_name(name.as_str()).policy_name(policy_name).send()
            })
            .await;
        match answer {
            Err(error) if error.is_not_found() => Ok(None),
            answer => Ok(Some(decoded(answer?.policy_document()))),
        }
    }

    async fn create_role(
        &self,
        path: &RolePath,
        name: &RoleName,
        trust_policy: &str,
        description: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CallError> {
        let call = self.session.call("iam", "CreateRole", &self.region, name.as_str());
        let tags: Result<Vec<_>, _> = tags
            .iter()
            .map(|(key, value)| aws_sdk_iam::types::Tag::builder().key(key).value(value).build())
            .collect();
        let tags = tags.map_err(|wrong| CallError::ours(call.clone(), wrong.to_string()))?;
        self.session
            .run(&call, None, || {
                self.client
                    .create_role()
                    .path(path.as_str())
                    .role_name(name.as_str())
                    .assume_role_policy_document(trust_policy)
                    .description(description)
                    .set_tags(Some(tags.clone()).filter(|tags| !tags.is_empty()))
                    .send()
            })
            .await?;
        Ok(())
    }

    async fn put_trust_policy(&self, name: &RoleName, policy: &str) -> Result<(), CallError> {
        let call = self.session.call("iam", "UpdateAssumeRolePolicy", &self.region, name.as_str());
        self.session
            .run(&call, None, || {
                self.client
                    .update_assume_role_policy()
                    .role_name(name.as_str())
                    .policy_document(policy)
                    .send()
            })
            .await?;
        Ok(())
    }

    async fn put_role_policy(
        &self,
        name: &RoleName,
        policy_name: &str,
        policy: &str,
    ) -> Result<(), CallError> {
        let call = self.session.call("iam", "PutRolePolicy", &self.region, format!("{name}/{policy_name}"));
        self.session
            .run(&call, None, || {
                self.client
                    .put_role_policy()
                    .role_name(name.as_str())
                    .policy_name(policy_name)
                    .policy_document(policy)
                    .send()
            })
            .await?;
        Ok(())
    }

    async fn delete_role_policy(&self, name: &RoleName, policy_name: &str) -> Result<(), CallError> {
        let call =
            self.session.call("iam", "DeleteRolePolicy", &self.region, format!("{name}/{policy_name}"));
        self.session
            .run(&call, None, || {
                self.client.delete_role_policy().role_name(name.as_str()).policy_name(policy_name).send()
            })
            .await?;
        Ok(())
    }

    async fn delete_role(&self, name: &RoleName) -> Result<(), CallError> {
        let call = self.session.call("iam", "DeleteRole", &self.region, name.as_str());
        self.session.run(&call, None, || self.client.delete_role().role_name(name.as_str()).send()).await?;
        Ok(())
    }
}

impl Calls<'_> {
    async fn inline_policies(&self, role: &RoleName) -> Result<BTreeMap<String, String>, CallError> {
        let names: Vec<String> = pages!(
            self,
            "ListRolePolicies",
            role.as_str(),
            self.client.list_role_policies().role_name(role.as_str()),
            policy_names,
            Clone::clone
        );
        let mut policies = BTreeMap::new();
        for name in names {
            let call = self.session.call("iam", "GetRolePolicy", &self.region, format!("{role}/{name}"));
            let answer = self
                .session
                .run(&call, None, || {
                    self.client.get_role_policy().role_name(role.as_str()).policy_name(&name).send()
                })
                .await?;
            policies.insert(name, decoded(answer.policy_document()));
        }
        Ok(policies)
    }

    async fn attached_policies(&self, role: &RoleName) -> Result<BTreeMap<Arn, String>, CallError> {
        let arns: Vec<Option<String>> = pages!(
            self,
            "ListAttachedRolePolicies",
            role.as_str(),
            self.client.list_attached_role_policies().role_name(role.as_str()),
            attached_policies,
            |policy| policy.policy_arn().map(str::to_owned)
        );
        let mut policies = BTreeMap::new();
        for arn in arns.into_iter().flatten() {
            let call = self.session.call("iam", "GetPolicy", &self.region, arn.as_str());
            let arn: Arn =
                arn.parse().map_err(|wrong: InvalidId| CallError::ours(call, wrong.to_string()))?;
            let document = self.managed_policy(&arn).await?;
            policies.insert(arn, document);
        }
        Ok(policies)
    }

    /// The version in force.
    async fn managed_policy(&self, policy: &Arn) -> Result<String, CallError> {
        let call = self.session.call("iam", "GetPolicy", &self.region, policy.as_str());
        let answer = self
            .session
            .run(&call, None, || self.client.get_policy().policy_arn(policy.as_str()).send())
            .await?;
        let version = answer.policy().and_then(|policy| policy.default_version_id()).map(str::to_owned);
        let version = version.ok_or_else(|| CallError::ours(call, "the policy has no version in force"))?;
        let call = self.session.call("iam", "GetPolicyVersion", &self.region, policy.as_str());
        let answer = self
            .session
            .run(&call, None, || {
                self.client.get_policy_version().policy_arn(policy.as_str()).version_id(&version).send()
            })
            .await?;
        let document = answer.policy_version().and_then(|version| version.document()).map(decoded);
        document.ok_or_else(|| CallError::ours(call, "the version of the policy has no document"))
    }
}

/// IAM sends documents percent-encoded (RFC 3986).
fn decoded(document: &str) -> String {
    percent_decode_str(document).decode_utf8_lossy().into_owned()
}
