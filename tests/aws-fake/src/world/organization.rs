//! The organization: its root, its units, its service control policies and its delegated administrators.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The id of the AWS managed policy that allows everything.
pub const FULL_AWS_ACCESS: &str = "p-FullAWSAccess";

/// An organization. Which accounts are in it, an account's `parent` says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Organization {
    /// E.g. `o-a1b2c3d4e5`.
    pub id: String,
    pub management_account: String,
    /// `ALL` or `CONSOLIDATED_BILLING`.
    pub feature_set: String,
    /// The root's id, e.g. `r-ab12`.
    pub root: String,
    /// Policies attached to the root.
    pub root_policies: BTreeSet<String>,
    /// Whether service control policies are enabled in the root.
    pub service_control_policies_enabled: bool,
    /// Units by id, e.g. `ou-ab12-11111111`.
    pub units: BTreeMap<String, OrganizationalUnit>,
    /// Service control policies by id. `p-FullAWSAccess` is always there.
    pub policies: BTreeMap<String, ServiceControlPolicy>,
    /// Delegated administrators: account id → the services it administers. Any of them may read the organization.
    pub delegated_administrators: BTreeMap<String, BTreeSet<String>>,
    /// Services with trusted access.
    pub service_access: BTreeSet<String>,
}

impl Default for Organization {
    fn default() -> Self {
        Self {
            id: "o-a1b2c3d4e5".to_owned(),
            management_account: String::new(),
            feature_set: "ALL".to_owned(),
            root: "r-ab12".to_owned(),
            root_policies: BTreeSet::from([FULL_AWS_ACCESS.to_owned()]),
            service_control_policies_enabled: true,
            units: BTreeMap::new(),
            policies: BTreeMap::new(),
            delegated_administrators: BTreeMap::new(),
            service_access: BTreeSet::new(),
        }
    }
}

/// An organizational unit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrganizationalUnit {
    pub name: String,
    /// The id of the root or of a unit.
    pub parent: String,
    /// Policies attached here.
    pub policies: BTreeSet<String>,
    pub tags: BTreeMap<String, String>,
}

impl Default for OrganizationalUnit {
    fn default() -> Self {
        Self {
            name: String::new(),
            parent: String::new(),
            policies: BTreeSet::from([FULL_AWS_ACCESS.to_owned()]),
            tags: BTreeMap::new(),
        }
    }
}

/// A service control policy.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceControlPolicy {
    pub name: String,
    pub description: String,
    /// The document as text, or as JSON in a world file.
    #[serde(deserialize_with = "super::resource_policy::text_or_json")]
    pub content: String,
}

impl Organization {
    /// The document of a policy.
    pub fn policy_document(&self, id: &str) -> Option<&str> {
        match self.policies.get(id) {
            Some(policy) => Some(&policy.content),
            None if id == FULL_AWS_ACCESS => Some(
                r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
            ),
            None => None,
        }
    }

    /// The ARN of the root or of a unit.
    pub fn target_arn(&self, id: &str) -> String {
        let kind = if id == self.root { "root" } else { "ou" };
        format!("arn:aws:organizations::{}:{kind}/{}/{id}", self.management_account, self.id)
    }

    /// The ARN of an account.
    pub fn account_arn(&self, account: &str) -> String {
        format!("arn:aws:organizations::{}:account/{}/{account}", self.management_account, self.id)
    }
}
