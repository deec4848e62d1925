//! KMS keys: what a name stands for, its state and its policy.

use crate::aws::{CallError, Kind, Kms, Session};
use crate::ids::{AccountId, Arn, Region};
use crate::inventory::{Key, KeyManager, KeyState};
use std::collections::BTreeMap;

/// The ARN that `name` (an ARN, an id or an alias) stands for; the key goes to `keys`.
///
/// A key of another account may refuse to be looked at: its ARN is then all that is known, and it is not in `keys`.
pub(super) async fn resolve(
    session: &Session,
    region: &Region,
    name: &str,
    keys: &mut BTreeMap<Arn, Key>,
) -> Result<Option<Arn>, CallError> {
    let written: Option<Arn> = name.parse().ok();
    if let Some(arn) = &written
        && keys.contains_key(arn)
    {
        return Ok(written);
    }
    // A key is asked for where it is: one of another Region would be missing here.
    let at = written.as_ref().and_then(Arn::region).unwrap_or_else(|| region.clone());
    let kms = session.kms(&at);
    let facts = match kms.describe(name).await {
        Ok(Some(facts)) => facts,
        Ok(None) => {
            let account = written.as_ref().and_then(Arn::account).or_else(|| session.account().cloned());
            if let (Some(arn), Some(account)) = (&written, account) {
                keys.insert(arn.clone(), missing(arn, account));
            }
            return Ok(written);
        }
        Err(CallError { kind: Kind::Denied | Kind::DeniedByOrganization { .. }, .. })
            if written.is_some() =>
        {
            return Ok(written);
        }
        Err(error) => return Err(error),
    };
    let policy = match kms.policy(&facts.arn).await {
        Ok(policy) => Some(policy),
        Err(error) => {
            tracing::debug!(key = %facts.arn, %error, "the key policy cannot be read");
            None
        }
    };
    let arn = facts.arn;
    let account = arn.account().or_else(|| session.account().cloned());
    if let Some(account) = account {
        let key = Key { arn: arn.clone(), account, state: facts.state, manager: facts.manager, policy };
        keys.insert(arn.clone(), key);
    }
    Ok(Some(arn))
}

fn missing(arn: &Arn, account: AccountId) -> Key {
    Key { arn: arn.clone(), account, state: KeyState::Missing, manager: KeyManager::Customer, policy: None }
}
