//! The organization, its units and accounts.

use serde_json::{Value, json};

use super::{Question, invalid_input, seconds};
use crate::error::AwsError;
use crate::world::Account;

/// From this day on, `Status` is no longer answered; `State` is ("Account", Organizations API Reference).
const STATUS_RETIRED_MS: i64 = 1_788_912_000_000;

impl Question<'_> {
    pub(super) fn describe_organization(&self) -> Value {
        let organization = self.organization;
        let management = &organization.management_account;
        let email =
            self.world.accounts.get(management).map(|account| account.email.as_str()).unwrap_or_default();
        json!({ "Organization": {
            "Id": organization.id,
            "Arn": format!("arn:aws:organizations::{management}:organization/{}", organization.id),
            "FeatureSet": organization.feature_set,
            "MasterAccountId": management,
            "MasterAccountArn": organization.account_arn(management),
            "MasterAccountEmail": email,
            "AvailablePolicyTypes": [{ "Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED" }],
        }})
    }

    pub(super) fn list_roots(&self) -> Result<Value, AwsError> {
        let organization = self.organization;
        let types = if organization.service_control_policies_enabled {
            json!([{ "Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED" }])
        } else {
            json!([])
        };
        let root = json!({
            "Id": organization.root,
            "Arn": organization.target_arn(&organization.root),
            "Name": "Root",
            "PolicyTypes": types,
        });
        self.page("Roots", vec![root], 20, |root| root)
    }

    pub(super) fn list_accounts(&self) -> Result<Value, AwsError> {
        let accounts: Vec<_> =
            self.world.accounts.iter().filter(|(_, account)| account.parent.is_some()).collect();
        let largest = self.world.settings.accounts_per_page;
        self.page("Accounts", accounts, largest, |(id, account)| self.account(id, account))
    }

    pub(super) fn list_accounts_for_parent(&self) -> Result<Value, AwsError> {
        let parent = self.parent()?;
        let accounts: Vec<_> = self
            .world
            .accounts
            .iter()
            .filter(|(_, account)| account.parent.as_deref() == Some(parent))
            .collect();
        let largest = self.world.settings.accounts_per_page;
        self.page("Accounts", accounts, largest, |(id, account)| self.account(id, account))
    }

    pub(super) fn describe_account(&self) -> Result<Value, AwsError> {
        let id = self.required("AccountId")?;
        let account = self.world.accounts.get(id).filter(|account| account.parent.is_some());
        let account = account.ok_or_else(|| not_found("AccountNotFoundException", "an account"))?;
        Ok(json!({ "Account": self.account(id, account) }))
    }

    pub(super) fn list_units_for_parent(&self) -> Result<Value, AwsError> {
        let parent = self.parent()?;
        let units: Vec<&String> = self.children(parent);
        self.page("OrganizationalUnits", units, 20, |id| self.unit(id))
    }

    pub(super) fn describe_unit(&self) -> Result<Value, AwsError> {
        let id = self.required("OrganizationalUnitId")?;
        if self.organization.units.contains_key(id) {
            Ok(json!({ "OrganizationalUnit": self.unit(id) }))
        } else {
            Err(not_found("OrganizationalUnitNotFoundException", "an OU"))
        }
    }

    pub(super) fn list_parents(&self) -> Result<Value, AwsError> {
        let child = self.required("ChildId")?;
        let account = self.world.accounts.get(child).and_then(|account| account.parent.as_deref());
        let unit = self.organization.units.get(child).map(|unit| unit.parent.as_str());
        let parent = account.or(unit).ok_or_else(|| not_found("ChildNotFoundException", "a child"))?;
        let kind = if parent == self.organization.root { "ROOT" } else { "ORGANIZATIONAL_UNIT" };
        self.page("Parents", vec![json!({ "Id": parent, "Type": kind })], 20, |parent| parent)
    }

    pub(super) fn list_children(&self) -> Result<Value, AwsError> {
        let parent = self.required("ParentId")?;
        if !self.is_parent(parent) {
            return Err(not_found("ParentNotFoundException", "a parent"));
        }
        let kind = self.required("ChildType")?;
        let ids: Vec<&String> = match kind {
            "ACCOUNT" => {
                let accounts = self.world.accounts.iter();
                accounts
                    .filter(|(_, account)| account.parent.as_deref() == Some(parent))
                    .map(|(id, _)| id)
                    .collect()
            }
            "ORGANIZATIONAL_UNIT" => self.children(parent),
            _ => return Err(invalid_input("INVALID_ENUM", "ChildType is not valid.")),
        };
        self.page("Children", ids, 20, |id| json!({ "Id": id, "Type": kind }))
    }

    pub(super) fn list_tags(&self) -> Result<Value, AwsError> {
        let id = self.required("ResourceId")?;
        let account =
            self.world.accounts.get(id).filter(|account| account.parent.is_some()).map(|found| &found.tags);
        let unit = self.organization.units.get(id).map(|unit| &unit.tags);
        let none = std::collections::BTreeMap::new();
        let root = (id == self.organization.root).then_some(&none);
        let tags = account
            .or(unit)
            .or(root)
            .ok_or_else(|| not_found("TargetNotFoundException", "a root, OU, account, or policy"))?;
        let tags: Vec<_> = tags.iter().collect();
        self.page("Tags", tags, 20, |(key, value)| json!({ "Key": key, "Value": value }))
    }

    pub(super) fn list_delegated_administrators(&self) -> Result<Value, AwsError> {
        let service = self.optional("ServicePrincipal");
        let found: Vec<_> = self
            .organization
            .delegated_administrators
            .iter()
            .filter(|(_, services)| service.is_none_or(|service| services.contains(service)))
            .filter_map(|(id, _)| self.world.accounts.get_key_value(id))
            .collect();
        self.page("DelegatedAdministrators", found, 20, |(id, account)| {
            let mut shown = self.account(id, account);
            if let Some(object) = shown.as_object_mut() {
                object.insert("DelegationEnabledDate".to_owned(), seconds(account.joined_ms));
            }
            shown
        })
    }

    pub(super) fn list_delegated_services(&self) -> Result<Value, AwsError> {
        let id = self.required("AccountId")?;
        let services = self.organization.delegated_administrators.get(id).ok_or_else(|| {
            AwsError::new(
                400,
                "AccountNotRegisteredException",
                "The specified account is not a delegated administrator for this AWS service.",
            )
        })?;
        let services: Vec<&String> = services.iter().collect();
        self.page(
            "DelegatedServices",
            services,
            20,
            |service| json!({ "ServicePrincipal": service, "DelegationEnabledDate": seconds(0) }),
        )
    }

    pub(super) fn list_service_access(&self) -> Result<Value, AwsError> {
        let services: Vec<&String> = self.organization.service_access.iter().collect();
        self.page(
            "EnabledServicePrincipals",
            services,
            20,
            |service| json!({ "ServicePrincipal": service, "DateEnabled": seconds(0) }),
        )
    }

    fn parent(&self) -> Result<&str, AwsError> {
        let parent = self.required("ParentId")?;
        if self.is_parent(parent) {
            Ok(parent)
        } else {
            Err(not_found("ParentNotFoundException", "a root or OU"))
        }
    }

    fn children(&self, parent: &str) -> Vec<&String> {
        self.organization.units.iter().filter(|(_, unit)| unit.parent == parent).map(|(id, _)| id).collect()
    }

    fn unit(&self, id: &str) -> Value {
        let name = self.organization.units.get(id).map(|unit| unit.name.as_str()).unwrap_or_default();
        json!({ "Id": id, "Arn": self.organization.target_arn(id), "Name": name })
    }

    fn account(&self, id: &str, account: &Account) -> Value {
        let mut shown = json!({
            "Id": id,
            "Arn": self.organization.account_arn(id),
            "Email": account.email,
            "Name": account.name,
            "State": account.state.as_str(),
            "JoinedMethod": "CREATED",
            "JoinedTimestamp": seconds(account.joined_ms),
        });
        if self.now_ms < STATUS_RETIRED_MS
            && let Some(object) = shown.as_object_mut()
        {
            object.insert("Status".to_owned(), account.state.status().into());
        }
        shown
    }
}

fn not_found(code: &str, what: &str) -> AwsError {
    AwsError::new(400, code, format!("We can't find {what} with the ID that you specified."))
}
