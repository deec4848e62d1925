//! Who may replicate into a destination bucket.
//!
//! The policy's size does not grow with the number of accounts: one statement lets every role under `/weir/` in the
//! organization write the keys that hold its own account id. Block Public Access treats `aws:PrincipalOrgID` as not
//! public (S3 User Guide, "Blocking public access").

use super::document::OwnStatement;
use crate::ids::{AccountId, BucketName, OrganizationId, Partition};
use std::collections::{BTreeMap, BTreeSet};

/// What the policy of one destination bucket has to allow.
#[derive(Debug, Clone)]
pub struct DestinationAccess<'a> {
    pub partition: Partition,
    pub bucket: &'a BucketName,
    pub organization: &'a OrganizationId,
    /// Key patterns with `${aws:PrincipalAccount}` ([`crate::layout::Isolation::ByAccount`]).
    pub by_account: BTreeSet<String>,
    /// Accounts by key pattern ([`crate::layout::Isolation::ByOwner`]).
    pub by_owner: BTreeMap<String, BTreeSet<AccountId>>,
    /// ARNs of roles outside of `/weir/` that replicate for us, as S3 allows one role per configuration.
    pub shared_roles: BTreeSet<String>,
    /// Accounts outside of the organization.
    pub outside: BTreeSet<AccountId>,
}

/// What writing a replica takes; `s3:ReplicateDelete` is left out, so that nothing can be deleted from afar.
const REPLICATE: [&str; 3] =
    ["s3:ReplicateObject", "s3:ReplicateTags", "s3:ObjectOwnerOverrideToBucketOwner"];

impl DestinationAccess<'_> {
    /// Patterns for `aws:PrincipalArn`: roles that may replicate.
    pub fn role_patterns(&self) -> Vec<String> {
        let ours = format!("arn:{}:iam::*:role{}*", self.partition, crate::desired::ROLE_PATH);
        [ours].into_iter().chain(self.shared_roles.iter().cloned()).collect()
    }

    /// Our statements for the bucket policy.
    pub fn statements(&self) -> Vec<OwnStatement> {
        let mut statements = Vec::new();
        let everything = self.all_patterns();
        if everything.is_empty() {
            return statements;
        }
        if !self.by_account.is_empty() {
            statements.push(self.organization_statement(
                "WeirReplicate",
                REPLICATE.to_vec(),
                self.by_account.iter().map(|pattern| self.objects(pattern)).collect(),
            ));
        }
        for (place, (owners, patterns)) in self.patterns_by_owners().into_iter().enumerate() {
            let sid = if place == 0 {
                "WeirReplicateOrganizationTrail".to_owned()
            } else {
                format!("WeirReplicateOrganizationTrail{}", place + 1)
            };
            let resources = patterns.iter().map(|pattern| self.objects(pattern)).collect();
            let owners = owners.iter().map(ToString::to_string).collect();
            statements.push(self.organization_statement(&sid, REPLICATE.to_vec(), resources).condition(
                "StringEquals",
                "aws:PrincipalAccount",
                owners,
            ));
        }
        statements.push(self.organization_statement(
            "WeirReadVersioning",
            vec!["s3:GetBucketVersioning"],
            vec![self.bucket_arn()],
        ));
        if !self.outside.is_empty() {
            // Whole accounts as principals: a role's ARN turns into its unique id when the role is deleted, and the
            // statement is then dead although a role of that name is there again.
            let accounts: Vec<String> = self.outside.iter().map(ToString::to_string).collect();
            let resources = self.by_account.iter().map(|pattern| self.objects(pattern)).collect();
            statements.push(
                OwnStatement::allow("WeirReplicateOutside", REPLICATE.to_vec(), resources)
                    .principal("AWS", accounts.clone())
                    .condition("ArnLike", "aws:PrincipalArn", self.role_patterns()),
            );
            statements.push(
                OwnStatement::allow(
                    "WeirReadVersioningOutside",
                    vec!["s3:GetBucketVersioning"],
                    vec![self.bucket_arn()],
                )
                .principal("AWS", accounts)
                .condition("ArnLike", "aws:PrincipalArn", self.role_patterns()),
            );
        }
        statements
    }

    /// Every key pattern that some account may write.
    pub(super) fn all_patterns(&self) -> BTreeSet<&str> {
        self.by_account.iter().chain(self.by_owner.keys()).map(String::as_str).collect()
    }

    pub(crate) fn bucket_arn(&self) -> String {
        format!("arn:{}:s3:::{}", self.partition, self.bucket)
    }

    pub(crate) fn objects(&self, pattern: &str) -> String {
        format!("{}/{pattern}", self.bucket_arn())
    }

    fn organization_statement(
        &self,
        sid: &str,
        actions: Vec<&'static str>,
        resources: Vec<String>,
    ) -> OwnStatement {
        OwnStatement::allow(sid, actions, resources)
            .principal("AWS", vec!["*".to_owned()])
            .condition("StringEquals", "aws:PrincipalOrgID", vec![self.organization.to_string()])
            .condition("ArnLike", "aws:PrincipalArn", self.role_patterns())
    }

    /// Patterns of the same owners share a statement.
    fn patterns_by_owners(&self) -> BTreeMap<&BTreeSet<AccountId>, Vec<&str>> {
        let mut grouped: BTreeMap<&BTreeSet<AccountId>, Vec<&str>> = BTreeMap::new();
        for (pattern, owners) in self.by_owner.iter().filter(|(_, owners)| !owners.is_empty()) {
            grouped.entry(owners).or_default().push(pattern);
        }
        grouped
    }
}
