//! STS: who asks, and roles of other accounts. Always the Region's own endpoint: tokens of the global one are not
//! accepted in Regions that an account opts in to.

use super::error::{CallError, Kind};
use super::session::Session;
use crate::ids::{AccountId, Arn, ExternalId};
use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_sdk_sts::Client;

/// Who makes the calls of a session (`GetCallerIdentity`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerFacts {
    pub account: AccountId,
    pub arn: Arn,
}

/// The calls to STS.
#[async_trait]
pub trait Sts: Send + Sync {
    /// Who makes the calls of this session.
    async fn caller_identity(&self) -> Result<CallerFacts, CallError>;

    /// Credentials of `role` in `account`, for an hour; at most with what `session_policy` allows.
    async fn assume_role(
        &self,
        account: &AccountId,
        role: &Arn,
        external_id: Option<&ExternalId>,
        session_policy: Option<&str>,
    ) -> Result<Credentials, CallError>;
}

/// A role assumed from a role lasts an hour at most (IAM user guide, "role chaining").
const SESSION_SECONDS: i32 = 3_600;
/// The name of our sessions in CloudTrail.
const SESSION_NAME: &str = "weir-accounts";

struct Calls<'a> {
    session: &'a Session,
    client: Client,
}

impl Session {
    /// STS in the caller's Region.
    pub fn sts(&self) -> impl Sts + '_ {
        let config = aws_sdk_sts::config::Builder::from(&self.config(self.connection().region()))
            .retry_partition(self.partition())
            .interceptor(self.observer())
            .build();
        Calls { session: self, client: Client::from_conf(config) }
    }
}

#[async_trait]
impl Sts for Calls<'_> {
    async fn caller_identity(&self) -> Result<CallerFacts, CallError> {
        let region = self.session.connection().region();
        let call = self.session.call("sts", "GetCallerIdentity", region, "the caller");
        let answer = self.session.run(&call, None, || self.client.get_caller_identity().send()).await?;
        let account = answer.account().unwrap_or_default().parse();
        let arn = answer.arn().unwrap_or_default().parse();
        match (account, arn) {
            (Ok(account), Ok(arn)) => Ok(CallerFacts { account, arn }),
            (Err(wrong), _) | (_, Err(wrong)) => Err(CallError::ours(call, wrong.to_string())),
        }
    }

    async fn assume_role(
        &self,
        account: &AccountId,
        role: &Arn,
        external_id: Option<&ExternalId>,
        session_policy: Option<&str>,
    ) -> Result<Credentials, CallError> {
        let connection = self.session.connection();
        let mut call = self.session.call("sts", "AssumeRole", connection.region(), role.as_str());
        call.account = Some(account.clone());
        let answer = self
            .session
            .run(&call, Some(connection.sts_pacer()), || {
                self.client
                    .assume_role()
                    .role_arn(role.as_str())
                    .role_session_name(SESSION_NAME)
                    .duration_seconds(SESSION_SECONDS)
                    .set_policy(session_policy.map(str::to_owned))
                    .set_external_id(external_id.map(ToString::to_string))
                    .send()
            })
            .await?;
        let Some(credentials) = answer.credentials() else {
            return Err(CallError::of_kind(call, Kind::ServiceFault, "the answer has no credentials"));
        };
        let expiry = std::time::SystemTime::try_from(*credentials.expiration()).ok();
        Ok(Credentials::new(
            credentials.access_key_id(),
            credentials.secret_access_key(),
            Some(credentials.session_token().to_owned()),
            expiry,
            "weir-assumed-role",
        ))
    }
}
