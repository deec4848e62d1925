//! What the plan has to say besides its actions.

use crate::codes::FailureCode;
use crate::ids::{AccountId, Region};
use serde::{Deserialize, Serialize};

/// A condition that stops, refuses, or deserves to be known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    pub severity: Severity,
    pub code: FailureCode,
    /// None when it concerns the organization or the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// The bucket, role, key or policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// What is so, naming the thing.
    pub text: String,
    /// What to do; empty when there is nothing to do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cure: String,
}

impl Finding {
    /// A finding about the organization.
    pub fn new(
        severity: Severity,
        code: FailureCode,
        text: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Finding {
            severity,
            code,
            account: None,
            region: None,
            resource: None,
            text: text.into(),
            cure: cure.into(),
        }
    }

    /// The same, about an account.
    #[must_use]
    pub fn in_account(mut self, account: &AccountId) -> Self {
        self.account = Some(account.clone());
        self
    }

    /// The same, in a Region.
    #[must_use]
    pub fn in_region(mut self, region: &Region) -> Self {
        self.region = Some(region.clone());
        self
    }

    /// The same, about a bucket, role, key or policy.
    #[must_use]
    pub fn on(mut self, resource: &impl ToString) -> Self {
        self.resource = Some(resource.to_string());
        self
    }
}

/// How grave a finding is; the gravest sorts first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Nothing may be applied.
    Stop,
    /// The account or the bucket is left out.
    Refused,
    /// Applied, but somebody should look.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// As the view and `--json` write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Stop => "stop",
            Severity::Refused => "refused",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}
