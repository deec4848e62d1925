//! The credentials of an assumed role, kept until shortly before they end.
//!
//! The SDK's own cache is shared by the process, evicts past 64 identities, and its provider of assumed roles is not
//! cached at all: an organization of a thousand accounts would assume every role again and again.

use super::session::Connection;
use super::sts::Sts;
use crate::ids::{AccountId, Arn, ExternalId};
use aws_credential_types::Credentials as Keys;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as Answer;
use aws_credential_types::provider::{ProvideCredentials, Result as CredentialsResult};
use jiff::{SignedDuration, Timestamp};
use std::fmt;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Credentials are renewed this long before they end: longer than any one call takes.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// Assumes a role, and again before its session ends.
pub(super) struct AssumedRole {
    connection: Connection,
    account: AccountId,
    role: Arn,
    external_id: Option<ExternalId>,
    session_policy: Option<String>,
    /// Held while the role is assumed, so that the calls of one account assume it once.
    current: Mutex<Option<Keys>>,
}

impl AssumedRole {
    pub(super) fn new(
        connection: Connection,
        account: AccountId,
        role: Arn,
        external_id: Option<ExternalId>,
        session_policy: Option<String>,
    ) -> Self {
        Self { connection, account, role, external_id, session_policy, current: Mutex::new(None) }
    }

    /// The service says that the session is over.
    pub(super) async fn forget(&self) {
        *self.current.lock().await = None;
    }

    async fn credentials(&self) -> CredentialsResult {
        let mut current = self.current.lock().await;
        let now = self.connection.clock().now();
        if let Some(credentials) = current.as_ref().filter(|credentials| lasts(credentials, now)) {
            return Ok(credentials.clone());
        }
        let caller = self.connection.caller(None);
        let assumed = caller
            .sts()
            .assume_role(&self.account, &self.role, self.external_id.as_ref(), self.session_policy.as_deref())
            .await
            .map_err(CredentialsError::provider_error)?;
        *current = Some(assumed.clone());
        Ok(assumed)
    }
}

fn lasts(credentials: &Keys, now: Timestamp) -> bool {
    credentials.expiry().is_none_or(|expiry| {
        Timestamp::try_from(expiry).is_ok_and(|expiry| expiry.duration_since(now) > MARGIN)
    })
}

/// An assumed role, as the clients of an account share it.
#[derive(Clone, Debug)]
pub(super) struct Credentials(pub(super) Arc<AssumedRole>);

impl ProvideCredentials for Credentials {
    fn provide_credentials<'a>(&'a self) -> Answer<'a>
    where
        Self: 'a,
    {
        Answer::new(self.0.credentials())
    }
}

impl fmt::Debug for AssumedRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssumedRole").field("role", &self.role).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    #[test]
    fn credentials_are_renewed_before_they_end() {
        let expiry = SystemTime::UNIX_EPOCH + Duration::from_secs(3_600);
        let credentials = Keys::new("id", "secret", None, Some(expiry), "test");
        assert!(lasts(&credentials, Timestamp::from_second(3_000).unwrap()));
        assert!(!lasts(&credentials, Timestamp::from_second(3_301).unwrap()));
    }
}
