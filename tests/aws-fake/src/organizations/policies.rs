//! Service control policies and what they are attached to.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Question, invalid_input};
use crate::error::AwsError;
use crate::world::FULL_AWS_ACCESS;

impl Question<'_> {
    pub(super) fn list_policies(&self) -> Result<Value, AwsError> {
        self.filter()?;
        let mut ids: Vec<&str> = self.organization.policies.keys().map(String::as_str).collect();
        if !ids.contains(&FULL_AWS_ACCESS) {
            ids.push(FULL_AWS_ACCESS);
        }
        self.page("Policies", ids, 20, |id| self.summary(id))
    }

    pub(super) fn describe_policy(&self) -> Result<Value, AwsError> {
        let id = self.required("PolicyId")?;
        let content = self.organization.policy_document(id).ok_or_else(no_policy)?;
        Ok(json!({ "Policy": { "PolicySummary": self.summary(id), "Content": content } }))
    }

    pub(super) fn list_policies_for_target(&self) -> Result<Value, AwsError> {
        self.filter()?;
        let target = self.required("TargetId")?;
        let attached = self.attached(target).ok_or_else(|| {
            AwsError::new(
                400,
                "TargetNotFoundException",
                "We can't find a root, OU, account, or policy with the TargetId that you specified.",
            )
        })?;
        self.page("Policies", attached.into_iter().collect(), 20, |id| self.summary(&id))
    }

    pub(super) fn list_targets_for_policy(&self) -> Result<Value, AwsError> {
        let id = self.required("PolicyId")?;
        self.organization.policy_document(id).ok_or_else(no_policy)?;
        let organization = self.organization;
        let has = |target: &str| self.attached(target).is_some_and(|policies| policies.contains(id));
        let root = (organization.root.as_str(), "Root", "ROOT");
        let units = organization
            .units
            .iter()
            .map(|(id, unit)| (id.as_str(), unit.name.as_str(), "ORGANIZATIONAL_UNIT"));
        let accounts = self.world.accounts.iter().filter(|(_, account)| account.parent.is_some());
        let accounts = accounts.map(|(id, account)| (id.as_str(), account.name.as_str(), "ACCOUNT"));
        let targets: Vec<_> =
            std::iter::once(root).chain(units).chain(accounts).filter(|(target, ..)| has(target)).collect();
        self.page("Targets", targets, 20, |(target, name, kind)| {
            let arn = if kind == "ACCOUNT" {
                organization.account_arn(target)
            } else {
                organization.target_arn(target)
            };
            json!({ "TargetId": target, "Arn": arn, "Name": name, "Type": kind })
        })
    }

    fn filter(&self) -> Result<(), AwsError> {
        match self.required("Filter")? {
            "SERVICE_CONTROL_POLICY" => Ok(()),
            "TAG_POLICY" | "BACKUP_POLICY" | "AISERVICES_OPT_OUT_POLICY" | "RESOURCE_CONTROL_POLICY" => {
                Err(AwsError::new(501, "NotImplemented", "the fake has service control policies alone"))
            }
            _ => Err(invalid_input("INVALID_ENUM_POLICY_TYPE", "You specified an invalid policy type.")),
        }
    }

    fn attached(&self, target: &str) -> Option<BTreeSet<String>> {
        if target == self.organization.root {
            return Some(self.organization.root_policies.clone());
        }
        if let Some(unit) = self.organization.units.get(target) {
            return Some(unit.policies.clone());
        }
        let account = self.world.accounts.get(target).filter(|account| account.parent.is_some())?;
        Some(if account.policies.is_empty() {
            BTreeSet::from([FULL_AWS_ACCESS.to_owned()])
        } else {
            account.policies.clone()
        })
    }

    fn summary(&self, id: &str) -> Value {
        let policy = self.organization.policies.get(id);
        let aws = policy.is_none();
        let owner = if aws { "aws" } else { &self.organization.management_account };
        let arn = if aws {
            format!("arn:aws:organizations::aws:policy/service_control_policy/{id}")
        } else {
            format!(
                "arn:aws:organizations::{owner}:policy/{}/service_control_policy/{id}",
                self.organization.id
            )
        };
        json!({
            "Id": id,
            "Arn": arn,
            "Name": policy.map_or("FullAWSAccess", |policy| policy.name.as_str()),
            "Description": policy.map_or("Allows access to every operation", |policy| policy.description.as_str()),
            "Type": "SERVICE_CONTROL_POLICY",
            "AwsManaged": aws,
        })
    }
}

fn no_policy() -> AwsError {
    AwsError::new(
        400,
        "PolicyNotFoundException",
        "We can't find a policy with the PolicyId that you specified.",
    )
}
