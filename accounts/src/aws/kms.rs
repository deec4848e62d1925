//! KMS: what a key is and who may use it.

use super::error::CallError;
use super::session::Session;
use crate::ids::{Arn, Region};
use crate::inventory::{KeyManager, KeyState};
use async_trait::async_trait;
use aws_sdk_kms::Client;

/// A key (`DescribeKey`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    pub arn: Arn,
    pub state: KeyState,
    pub manager: KeyManager,
}

/// The calls to KMS.
#[async_trait]
pub trait Kms: Send + Sync {
    /// `key` is an ARN, an id or an alias. None when there is no such key.
    async fn describe(&self, key: &str) -> Result<Option<KeyFacts>, CallError>;
    async fn policy(&self, key: &Arn) -> Result<String, CallError>;
    async fn put_policy(&self, key: &Arn, policy: &str) -> Result<(), CallError>;
}

/// The only name that a key policy can have.
const POLICY_NAME: &str = "default";

struct Calls<'a> {
    session: &'a Session,
    region: Region,
    client: Client,
}

impl Session {
    /// KMS in `region`.
    pub fn kms(&self, region: &Region) -> impl Kms + '_ {
        let config = aws_sdk_kms::config::Builder::from(&self.config(region))
            .retry_partition(self.partition())
            .interceptor(self.observer())
            .build();
        Calls { session: self, region: region.clone(), client: Client::from_conf(config) }
    }
}

#[async_trait]
impl Kms for Calls<'_> {
    async fn describe(&self, key: &str) -> Result<Option<KeyFacts>, CallError> {
        let call = self.session.call("kms", "DescribeKey", &self.region, key);
        let answer =
            match self.session.run(&call, None, || self.client.describe_key().key_id(key).send()).await {
                Err(error) if error.is_not_found() => return Ok(None),
                answer => answer?,
            };
        let Some(key) = answer.key_metadata() else {
            return Err(CallError::ours(call, "the answer has no metadata"));
        };
        let arn = key.arn().unwrap_or_default().parse();
        let arn: Arn =
            arn.map_err(|wrong: crate::ids::InvalidId| CallError::ours(call.clone(), wrong.to_string()))?;
        let state = match key.key_state().map_or("Unavailable", |state| state.as_str()) {
            "Enabled" => KeyState::Enabled,
            "Disabled" => KeyState::Disabled,
            "PendingDeletion" => KeyState::PendingDeletion,
            "PendingImport" => KeyState::PendingImport,
            "PendingReplicaDeletion" => KeyState::PendingReplicaDeletion,
            "Creating" => KeyState::Creating,
            "Updating" => KeyState::Updating,
            _ => KeyState::Unavailable,
        };
        let manager = match key.key_manager().map(aws_sdk_kms::types::KeyManagerType::as_str) {
            Some("AWS") => KeyManager::Aws,
            _ => KeyManager::Customer,
        };
        Ok(Some(KeyFacts { arn, state, manager }))
    }

    async fn policy(&self, key: &Arn) -> Result<String, CallError> {
        let call = self.session.call("kms", "GetKeyPolicy", &self.region, key.as_str());
        let answer = self
            .session
            .run(&call, None, || {
                self.client.get_key_policy().key_id(key.as_str()).policy_name(POLICY_NAME).send()
            })
            .await?;
        answer.policy().map(str::to_owned).ok_or_else(|| CallError::ours(call, "the key has no policy"))
    }

    async fn put_policy(&self, key: &Arn, policy: &str) -> Result<(), CallError> {
        let call = self.session.call("kms", "PutKeyPolicy", &self.region, key.as_str());
        self.session
            .run(&call, None, || {
                self.client
                    .put_key_policy()
                    .key_id(key.as_str())
                    .policy_name(POLICY_NAME)
                    .policy(policy)
                    .send()
            })
            .await?;
        Ok(())
    }
}
