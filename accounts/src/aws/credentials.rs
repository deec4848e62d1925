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
    assuming: Mutex<()>,
}

impl AssumedRole {
    pub(super) fn new(
        connection: Connection,
        account: AccountId,
        role: Arn,
        external_id: Option<ExternalId>,
        session_policy: Option<String>,
    ) -> Self {
        Self { connection, account, role, external_id, session_policy, assuming: Mutex::new(()) }
    }

    /// The service says that the session is over.
    pub(super) fn forget(&self) {
        self.connection.set_assumed(&self.role, None);
    }

    async fn credentials(&self) -> CredentialsResult {
        // Held while the role is assumed, so that the calls of one session assume it once.
        let _one = self.assuming.lock().await;
        let now = self.connection.clock().now();
        if let Some(keys) = self.kept().filter(|keys| lasts(keys, now)) {
            return Ok(keys);
        }
        let caller = self.connection.caller(None);
        let keys = caller
            .sts()
            .assume_role(&self.account, &self.role, self.external_id.as_ref(), self.session_policy.as_deref())
            .await
            .map_err(CredentialsError::provider_error)?;
        // A session that may do less is not what others of the role expect.
        if self.session_policy.is_none() {
            self.connection.set_assumed(&self.role, Some(keys.clone()));
        }
        Ok(keys)
    }

    fn kept(&self) -> Option<Keys> {
        if self.session_policy.is_some() { None } else { self.connection.assumed(&self.role) }
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
        let expiry = SystemTime::UNIX_EPOCH + Duration::from_hours(1);
        let credentials = Keys::new("id", "secret", None, Some(expiry), "test");
        assert!(lasts(&credentials, Timestamp::from_second(3_000).unwrap()));
        assert!(!lasts(&credentials, Timestamp::from_second(3_301).unwrap()));
    }
}
