//! Organizations: the tree, its accounts, its policies. One endpoint and one quota for the whole organization, so every
//! call waits for its moment.

use super::error::CallError;
use super::session::Session;
use crate::ids::{AccountId, OrganizationId, OuId, RootId};
use crate::inventory::{AccountState, PolicyKind};
use async_trait::async_trait;
use aws_sdk_organizations::Client;
use aws_sdk_organizations::types::{AccountState as OrganizationsState, AccountStatus, PolicyType};
use std::collections::BTreeMap;

/// The organization (`DescribeOrganization`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationFacts {
    pub id: OrganizationId,
    pub management_account: AccountId,
}

/// A root (`ListRoots`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootFacts {
    pub id: RootId,
}

/// A unit (`ListOrganizationalUnitsForParent`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OuFacts {
    pub id: OuId,
    pub name: String,
}

/// An account (`ListAccountsForParent`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountFacts {
    pub id: AccountId,
    pub name: String,
    pub email: Option<String>,
    pub state: AccountState,
}

/// A policy and where it is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFacts {
    pub id: String,
    pub name: String,
    pub content: String,
    /// Ids of roots, units and accounts.
    pub targets: Vec<String>,
}

/// The calls to Organizations, each with all its pages.
#[async_trait]
pub trait Organizations: Send + Sync {
    async fn organization(&self) -> Result<OrganizationFacts, CallError>;
    async fn roots(&self) -> Result<Vec<RootFacts>, CallError>;
    /// The units right under a root or a unit.
    async fn units(&self, parent: &str) -> Result<Vec<OuFacts>, CallError>;
    /// The accounts right under a root or a unit.
    async fn accounts(&self, parent: &str) -> Result<Vec<AccountFacts>, CallError>;
    async fn tags(&self, account: &AccountId) -> Result<BTreeMap<String, String>, CallError>;
    /// All policies of a kind, with their targets: few policies and many targets, so that is the cheap way round.
    async fn policies(&self, kind: PolicyKind) -> Result<Vec<PolicyFacts>, CallError>;
}

struct Calls<'a> {
    session: &'a Session,
    client: Client,
}

impl Session {
    /// Organizations, as this session's account sees it.
    pub fn organizations(&self) -> impl Organizations + '_ {
        let config = aws_sdk_organizations::config::Builder::from(&self.config(self.connection().region()))
            .retry_partition(self.partition())
            .interceptor(self.observer())
            .build();
        Calls { session: self, client: Client::from_conf(config) }
    }
}

/// One page after the other: `$send` builds the request of a page from its token.
macro_rules! pages {
    ($self:ident, $operation:literal, $resource:expr, $request:expr, $items:ident, $take:expr) => {{
        let session = $self.session;
        let call = session.call("organizations", $operation, session.connection().region(), $resource);
        let pacer = session.connection().organizations_pacer();
        let mut taken = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let answer =
                session.run(&call, Some(pacer), || $request.set_next_token(token.clone()).send()).await?;
            for item in answer.$items() {
                taken.push($take(item).map_err(|wrong| CallError::ours(call.clone(), wrong))?);
            }
            token = answer.next_token().map(str::to_owned);
            if token.is_none() {
                break Ok(taken);
            }
        }
    }};
}

#[async_trait]
impl Organizations for Calls<'_> {
    async fn organization(&self) -> Result<OrganizationFacts, CallError> {
        let connection = self.session.connection();
        let call = self.session.call(
            "organizations",
            "DescribeOrganization",
            connection.region(),
            "the organization",
        );
        let answer = self
            .session
            .run(&call, Some(connection.organizations_pacer()), || self.client.describe_organization().send())
            .await?;
        let organization = answer.organization();
        let id = organization.and_then(|organization| organization.id()).unwrap_or_default().parse();
        let management = organization
            .and_then(|organization| organization.master_account_id())
            .unwrap_or_default()
            .parse();
        match (id, management) {
            (Ok(id), Ok(management_account)) => Ok(OrganizationFacts { id, management_account }),
            (Err(wrong), _) | (_, Err(wrong)) => Err(CallError::ours(call, wrong.to_string())),
        }
    }

    async fn roots(&self) -> Result<Vec<RootFacts>, CallError> {
        pages!(
            self,
            "ListRoots",
            "the organization",
            self.client.list_roots(),
            roots,
            |root: &aws_sdk_organizations::types::Root| {
                let id = root.id().unwrap_or_default().parse().map_err(message)?;
                Ok::<_, String>(RootFacts { id })
            }
        )
    }

    async fn units(&self, parent: &str) -> Result<Vec<OuFacts>, CallError> {
        pages!(
            self,
            "ListOrganizationalUnitsForParent",
            parent,
            self.client.list_organizational_units_for_parent().parent_id(parent),
            organizational_units,
            |unit: &aws_sdk_organizations::types::OrganizationalUnit| {
                let id = unit.id().unwrap_or_default().parse().map_err(message)?;
                Ok::<_, String>(OuFacts { id, name: unit.name().unwrap_or_default().to_owned() })
            }
        )
    }

    async fn accounts(&self, parent: &str) -> Result<Vec<AccountFacts>, CallError> {
        pages!(
            self,
            "ListAccountsForParent",
            parent,
            self.client.list_accounts_for_parent().parent_id(parent),
            accounts,
            account_facts
        )
    }

    async fn tags(&self, account: &AccountId) -> Result<BTreeMap<String, String>, CallError> {
        let tags: Result<Vec<(String, String)>, CallError> = pages!(
            self,
            "ListTagsForResource",
            account.as_str(),
            self.client.list_tags_for_resource().resource_id(account.as_str()),
            tags,
            |tag: &aws_sdk_organizations::types::Tag| {
                Ok::<_, String>((tag.key().to_owned(), tag.value().to_owned()))
            }
        );
        Ok(tags?.into_iter().collect())
    }

    async fn policies(&self, kind: PolicyKind) -> Result<Vec<PolicyFacts>, CallError> {
        let filter = match kind {
            PolicyKind::ServiceControlPolicy => PolicyType::ServiceControlPolicy,
            PolicyKind::ResourceControlPolicy => PolicyType::ResourceControlPolicy,
        };
        let listed: Result<Vec<(String, String)>, CallError> = pages!(
            self,
            "ListPolicies",
            filter.as_str(),
            self.client.list_policies().filter(filter.clone()),
            policies,
            |policy: &aws_sdk_organizations::types::PolicySummary| {
                let id = policy.id().ok_or("a policy has no id")?;
                Ok::<_, String>((id.to_owned(), policy.name().unwrap_or_default().to_owned()))
            }
        );
        let mut policies = Vec::new();
        for (id, name) in listed? {
            let targets = self.targets(&id).await?;
            let content = self.content(&id).await?;
            policies.push(PolicyFacts { id, name, content, targets });
        }
        Ok(policies)
    }
}

impl Calls<'_> {
    async fn targets(&self, policy: &str) -> Result<Vec<String>, CallError> {
        pages!(
            self,
            "ListTargetsForPolicy",
            policy,
            self.client.list_targets_for_policy().policy_id(policy),
            targets,
            |target: &aws_sdk_organizations::types::PolicyTargetSummary| {
                target.target_id().map(str::to_owned).ok_or_else(|| "a target has no id".to_owned())
            }
        )
    }

    async fn content(&self, policy: &str) -> Result<String, CallError> {
        let connection = self.session.connection();
        let call = self.session.call("organizations", "DescribePolicy", connection.region(), policy);
        let answer = self
            .session
            .run(&call, Some(connection.organizations_pacer()), || {
                self.client.describe_policy().policy_id(policy).send()
            })
            .await?;
        let content = answer.policy().and_then(|policy| policy.content()).map(str::to_owned);
        content.ok_or_else(|| CallError::ours(call, "the policy has no content"))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn message(wrong: crate::ids::InvalidId) -> String {
    wrong.to_string()
}

/// `State` says more than the older `Status`, which AWS retires; an answer without `State` is read by `Status`.
fn account_facts(account: &aws_sdk_organizations::types::Account) -> Result<AccountFacts, String> {
    let status = account.status().map(AccountStatus::as_str);
    let state = account.state().map(OrganizationsState::as_str).or(status).unwrap_or_default();
    let state = match state {
        "ACTIVE" => AccountState::Active,
        "PENDING_ACTIVATION" => AccountState::PendingActivation,
        "SUSPENDED" => AccountState::Suspended,
        "PENDING_CLOSURE" => AccountState::PendingClosure,
        "CLOSED" => AccountState::Closed,
        other => return Err(format!("`{other}` is not a known state of an account")),
    };
    Ok(AccountFacts {
        id: account.id().unwrap_or_default().parse().map_err(message)?,
        name: account.name().unwrap_or_default().to_owned(),
        email: account.email().map(str::to_owned),
        state,
    })
}
