//! The way into an account: its role, and a look at where that led.

use super::DiscoverError;
use crate::aws::{CallError, Connection, Iam, Session, Sts};
use crate::codes::FailureCode;
use crate::desired::Desired;
use crate::ids::{AccountId, Arn, ExternalId, Partition, RoleName};
use crate::inventory::{Caller, CallerKind, Failure};

/// What it takes to enter accounts.
#[derive(Clone, Debug)]
pub struct Entrance<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) desired: &'a Desired,
    pub(crate) caller: &'a Caller,
}

/// Why an account could not be entered.
#[derive(Debug)]
pub enum NoEntry {
    /// This account is left out.
    Failed(Failure),
    /// Nothing goes on.
    Stop(DiscoverError),
}

impl<'a> Entrance<'a> {
    /// What it takes, from accounts.toml and the caller.
    pub fn new(connection: &'a Connection, desired: &'a Desired, caller: &'a Caller) -> Self {
        Self { connection, desired, caller }
    }

    /// A session in `account`, after STS said that it is there, and the role that it has.
    ///
    /// # Errors
    /// When the role cannot be assumed; and when it leads into another account, which stops everything.
    pub async fn enter(&self, account: &AccountId) -> Result<(Session, Arn), NoEntry> {
        // Nobody assumes a role to be where he is.
        let (session, role) = if *account == self.caller.account {
            (self.connection.caller(Some(account.clone())), self.caller.arn.clone())
        } else {
            let (name, external_id) = self.role_in(account);
            let role = self.role_arn(account, name)?;
            (self.connection.assume(account, role.clone(), external_id), role)
        };
        let identity = match session.sts().caller_identity().await {
            Ok(identity) => identity,
            Err(refused) => return Err(NoEntry::Failed(self.explain(account, &role, refused).await)),
        };
        if identity.account != *account {
            return Err(NoEntry::Stop(DiscoverError::WrongAccount {
                role,
                expected: account.clone(),
                found: identity.account,
            }));
        }
        Ok((session, role))
    }

    /// The partition of the organization.
    pub fn partition(&self) -> Partition {
        Partition::from_name(self.caller.arn.partition()).unwrap_or(Partition::Commercial)
    }

    fn role_in(&self, account: &AccountId) -> (&RoleName, Option<ExternalId>) {
        let log_account = &self.desired.log_account;
        if *account == log_account.id {
            (&log_account.role, self.desired.log_account_external_id().cloned())
        } else {
            (&self.desired.members.role, self.desired.members.external_id.clone())
        }
    }

    /// The role that is assumed lies at the root of the account's roles, where other tools look for it; those that we
    /// make lie under `/weir/`.
    fn role_arn(&self, account: &AccountId, name: &RoleName) -> Result<Arn, NoEntry> {
        let arn = format!("arn:{}:iam::{account}:role/{name}", self.partition());
        Arn::new(arn).map_err(|wrong| {
            NoEntry::Failed(Failure {
                code: FailureCode::Unexpected,
                resource: Some(name.to_string()),
                region: None,
                text: wrong.to_string(),
                cure: "check `role` in accounts.toml".into(),
            })
        })
    }

    /// What AWS does not tell: whether a role that cannot be assumed is missing, or trusts somebody else.
    ///
    /// In an organization the management account has a role of its own in the accounts that it created. With a session
    /// that may do nothing but look at the one role, it can be told apart; where there is no such role, the answer
    /// stays what AWS gave.
    async fn explain(&self, account: &AccountId, role: &Arn, refused: CallError) -> Failure {
        let failure = refused.failure();
        if failure.code != FailureCode::RoleDenied || self.caller.kind != CallerKind::ManagementAccount {
            return failure;
        }
        let (Some(name), Ok(administrator)) = (role.role_name(), ADMINISTRATOR_ROLE.parse()) else {
            return failure;
        };
        let Ok(administrator) = self.role_arn(account, &administrator) else { return failure };
        let only = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"iam:GetRole","Resource":"{role}"}}]}}"#
        );
        let session = self.connection.assume_limited(account, administrator, None, only);
        match session.iam().trust_policy(&name).await {
            Ok(None) => Failure {
                code: FailureCode::RoleMissing,
                text: format!("account {account} has no role {role}"),
                cure: format!(
                    "create it, for instance with the StackSet that `weir accounts render` writes; it is to trust {}",
                    self.caller.arn
                ),
                ..failure
            },
            Ok(Some(trust_policy)) => self.compare_trust(role, &trust_policy, failure),
            Err(error) => {
                tracing::debug!(%account, %error, "cannot look at the role that could not be assumed");
                failure
            }
        }
    }

    /// Names what the trust policy lacks.
    fn compare_trust(&self, role: &Arn, trust_policy: &str, failure: Failure) -> Failure {
        let names_caller = trust_policy.contains(self.caller.account.as_str());
        let external_id = self.desired.members.external_id.as_ref();
        let names_external_id = external_id.is_some_and(|id| trust_policy.contains(&format!("\"{id}\"")));
        let asks_external_id = trust_policy.contains("sts:ExternalId");
        let text = if !names_caller {
            format!("the trust policy of {role} does not name account {}", self.caller.account)
        } else if asks_external_id && !names_external_id {
            format!("the trust policy of {role} asks for another external ID than accounts.toml gives")
        } else {
            format!("{role} exists, and its trust policy or a policy of the caller denies sts:AssumeRole")
        };
        let cure = format!(
            "let the trust policy name {} and the external ID of accounts.toml (`members.external-id`)",
            self.caller.arn
        );
        Failure { text, cure, ..failure }
    }
}

/// The role that Organizations makes in the accounts that it creates.
const ADMINISTRATOR_ROLE: &str = "OrganizationAccountAccessRole";
