//! What has drifted since the last apply: settings, and the organization itself.

use crate::codes::FailureCode;
use crate::ids::AccountId;
use crate::inventory::{AccountState, Inventory};
use crate::plan::{Finding, Plan, PlannedState, Severity};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The accounts that the last apply left onboarded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    accounts: BTreeMap<AccountId, String>,
}

/// How the world differs from what it should be.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// Accounts whose settings differ, with the number of writes that would mend it.
    pub changes: Vec<Drift>,
    /// Accounts to onboard that the last apply did not know.
    pub joined: Vec<Named>,
    /// Accounts that the last apply onboarded and that are no longer in the organization.
    pub left: Vec<Named>,
    /// Accounts that the last apply onboarded and that are not active any more.
    pub suspended: Vec<Named>,
    /// The gravest first.
    pub findings: Vec<Finding>,
}

/// An account whose settings differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Drift {
    pub account: AccountId,
    pub name: String,
    /// Operation and resource, each once.
    pub writes: Vec<String>,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Named {
    pub account: AccountId,
    pub name: String,
}

/// Why the last apply's accounts are not known.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    #[error("cannot use {}; check that its folder is yours, or name another with --data", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} cannot be understood; remove it, and the next apply writes it anew", path.display())]
    Syntax {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
}

const FILE_NAME: &str = "onboarded.json";

impl Status {
    /// Whether anything differs.
    pub fn is_drifted(&self) -> bool {
        !(self.changes.is_empty()
            && self.joined.is_empty()
            && self.left.is_empty()
            && self.suspended.is_empty())
    }
}

/// Keeps which accounts an apply left onboarded.
///
/// # Errors
/// When the data folder cannot be written.
pub fn remember(folder: &Path, plan: &Plan) -> Result<(), StatusError> {
    let path = folder.join(FILE_NAME);
    let accounts = plan
        .accounts
        .iter()
        .filter(|account| {
            matches!(account.state, PlannedState::Unchanged | PlannedState::Changes | PlannedState::Partly)
        })
        .map(|account| (account.id.clone(), account.name.clone()));
    let known = Known { accounts: accounts.collect() };
    let text = serde_json::to_vec_pretty(&known)
        .map_err(|source| StatusError::Syntax { path: path.clone(), source })?;
    // Beside the file first: a kill leaves the old one or the new one.
    let beside = folder.join(format!("{FILE_NAME}.new"));
    std::fs::write(&beside, text)
        .and_then(|()| std::fs::rename(&beside, &path))
        .map_err(|source| StatusError::File { path, source })
}

/// Compares the world with accounts.toml and with the last apply.
///
/// # Errors
/// When the record of the last apply cannot be read.
pub fn compare(folder: &Path, inventory: &Inventory, plan: &Plan) -> Result<Status, StatusError> {
    let known = read(folder)?;
    let named = |account: &AccountId, name: &str| Named { account: account.clone(), name: name.to_owned() };
    let mut changes: BTreeMap<&AccountId, Vec<String>> = BTreeMap::new();
    for action in &plan.actions {
        let text = format!("{} {}", action.write.operation(), action.write.target());
        let writes = changes.entry(&action.account).or_default();
        if !writes.contains(&text) {
            writes.push(text);
        }
    }
    let name_of = |id: &AccountId| {
        inventory.members.get(id).map_or("log account", |member| member.name.as_str()).to_owned()
    };
    let joined = match &known {
        None => Vec::new(),
        Some(known) => plan
            .accounts
            .iter()
            .filter(|account| {
                account.state != PlannedState::Skipped && !known.accounts.contains_key(&account.id)
            })
            .map(|account| named(&account.id, &account.name))
            .collect(),
    };
    let known = known.unwrap_or_default();
    let mut findings: Vec<Finding> =
        plan.findings.iter().filter(|finding| finding.severity != Severity::Note).cloned().collect();
    let left: Vec<Named> = known
        .accounts
        .iter()
        .filter(|(id, _)| inventory.members.get(*id).is_none_or(|member| !member.in_organization))
        .filter(|(id, _)| !inventory.members.contains_key(*id))
        .map(|(id, name)| named(id, name))
        .collect();
    for account in &left {
        findings.push(Finding {
            severity: Severity::Warning,
            code: FailureCode::LeftOrganization,
            account: Some(account.account.clone()),
            region: None,
            resource: None,
            text: format!(
                "{} ({}) left the organization: the destination's policy does not let it replicate any more, and its rules fail",
                account.account, account.name
            ),
            cure: "remove our rules there with its own credentials; next time, off-board an account before it leaves".into(),
        });
    }
    let suspended = known
        .accounts
        .iter()
        .filter(|(id, _)| {
            inventory.members.get(*id).is_some_and(|member| member.state != AccountState::Active)
        })
        .map(|(id, name)| named(id, name))
        .collect();
    let changes = changes.into_iter().map(|(account, writes)| Drift {
        account: account.clone(),
        name: name_of(account),
        writes,
    });
    Ok(Status { changes: changes.collect(), joined, left, suspended, findings })
}

/// None before the first apply.
fn read(folder: &Path) -> Result<Option<Known>, StatusError> {
    let path = folder.join(FILE_NAME);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StatusError::File { path, source }),
    };
    serde_json::from_slice(&text).map(Some).map_err(|source| StatusError::Syntax { path, source })
}
