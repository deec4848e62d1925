//! What would fail, told before anything is written.

use super::destinations::PlannedDestination;
use super::finding::{Finding, Severity};
use super::roles::PlannedRole;
use super::sources::Source;
use crate::codes::FailureCode;
use crate::ids::Arn;
use crate::inventory::{Access, Inventory, Member, Versioning};
use crate::policy::simulate::{Context, Decision, Layer, NamedPolicy, Policies, Principal, Request, decide};
use crate::policy::{DestinationSide, FailureReason, Prediction, ReplicationPath, SourceSide, predict};
use crate::replication::ReplicationError;
use std::collections::BTreeMap;

/// Everything about one bucket that decides.
pub(super) struct Forecast<'a> {
    pub(super) inventory: &'a Inventory,
    pub(super) member: &'a Member,
    pub(super) source: &'a Source<'a>,
    pub(super) destination: &'a PlannedDestination<'a>,
    pub(super) role: &'a PlannedRole,
    pub(super) organization_path: &'a str,
    pub(super) service_control: &'a [Vec<NamedPolicy>],
    pub(super) resource_control: &'a [Vec<NamedPolicy>],
    pub(super) may_extend_role: bool,
}

/// The code and the cure of what speaks against a replication configuration.
pub(super) fn cure_of(error: &ReplicationError) -> (FailureCode, &'static str) {
    match error {
        ReplicationError::Unreadable(_) | ReplicationError::UnknownElement(_) => (
            FailureCode::CannotRoundTrip,
            "look at the configuration in the console, and put it again without what is not known",
        ),
        ReplicationError::Version1(_) => (
            FailureCode::RulesOfVersion1,
            "set `convert-v1-rules = true` in [replication] of accounts.toml, once whoever manages those rules agrees",
        ),
        ReplicationError::TooMany(_)
        | ReplicationError::DuplicateId(_)
        | ReplicationError::DuplicatePriority(_)
        | ReplicationError::Priority { .. } => {
            (FailureCode::RuleLimit, "put the bucket's rules in order first, or join some of them")
        }
    }
}

impl Forecast<'_> {
    fn finding(&self, severity: Severity, code: FailureCode, text: String, cure: String) -> Finding {
        Finding::new(severity, code, text, cure)
            .in_account(&self.member.id)
            .in_region(&self.source.bucket.region)
            .on(self.source.name)
    }

    /// What S3 would report once the rules are there.
    pub(super) fn replication(&self) -> Vec<Finding> {
        let Ok(trust) =
            NamedPolicy::parse(format!("the trust policy of role {}", self.role.arn), &self.role.trust)
        else {
            return vec![self.finding(
                Severity::Refused,
                FailureCode::Conflict,
                format!("the trust policy of role {} cannot be read", self.role.arn),
                "mend the role, or give the bucket's rules another one".to_owned(),
            )];
        };
        let mut identity = Vec::new();
        for (name, text) in &self.role.policies {
            match NamedPolicy::parse(format!("policy {name} of role {}", self.role.arn.resource()), text) {
                Ok(policy) => identity.push(policy),
                Err(error) => {
                    return vec![self.finding(
                        Severity::Refused,
                        FailureCode::Conflict,
                        format!("policy {name} of role {}: {error}", self.role.arn),
                        "mend the policy, and plan again".to_owned(),
                    )];
                }
            }
        }
        let parse =
            |name: String, text: Option<&String>| text.and_then(|text| NamedPolicy::parse(name, text).ok());
        let boundary = parse(
            format!("the permissions boundary of role {}", self.role.arn.resource()),
            self.role.boundary.as_ref(),
        );
        let bucket = self.source.bucket;
        let policy = parse(format!("the policy of bucket {}", self.source.name), bucket.policy.as_ref());
        let key = bucket.encryption.key.as_ref().and_then(|arn| self.member.keys.get(arn));
        let key_policy =
            key.and_then(|key| parse(format!("the policy of key {}", key.arn), key.policy.as_ref()));
        let destination = self.destination;
        let sample =
            format!("{}object", self.source.layout.prefixes.first().unwrap_or(&self.source.layout.base));
        let predictions = predict(&ReplicationPath {
            partition: self.inventory.organization.partition,
            account: &self.member.id,
            organization: self.member.in_organization.then_some(&self.inventory.organization.id),
            organization_path: Some(self.organization_path),
            role: &self.role.arn,
            role_unique_id: self.role.unique_id.as_deref(),
            trust: &trust,
            identity: &identity,
            boundary: boundary.as_ref(),
            service_control: self.service_control,
            source: SourceSide {
                bucket: self.source.name,
                region: &bucket.region,
                policy: policy.as_ref(),
                object_lock: bucket.object_lock,
                key,
                key_policy: key_policy.as_ref(),
                bucket_key: bucket.encryption.bucket_key,
            },
            destination: DestinationSide {
                account: &self.inventory.log_account.id,
                bucket: &destination.bucket.name,
                region: destination.region,
                policy: destination.policy.as_ref(),
                resource_control: self.resource_control,
                // What is not versioned is enabled by the plan, or stops it.
                versioned: destination.bucket.versioning != Versioning::Suspended,
                object_lock: destination.bucket.object_lock,
                key: destination.key,
                key_policy: destination.key_policy.as_ref(),
                bucket_key: destination.bucket.encryption.bucket_key,
            },
            key: &sample,
        });
        self.told(predictions)
    }

    /// One finding for each cause, with the actions that it denies.
    fn told(&self, predictions: Vec<Prediction>) -> Vec<Finding> {
        let mut by_cause: BTreeMap<(bool, String), Vec<Prediction>> = BTreeMap::new();
        for prediction in predictions {
            by_cause.entry((!prediction.certain, prediction.why.clone())).or_default().push(prediction);
        }
        by_cause
            .into_iter()
            .filter_map(|((is_uncertain, why), predictions)| {
                let first = predictions.first()?;
                let mut actions: Vec<&str> =
                    predictions.iter().filter_map(|prediction| prediction.action).collect();
                actions.dedup();
                let mut reasons: Vec<FailureReason> =
                    predictions.iter().map(|prediction| prediction.reason).collect();
                reasons.dedup();
                let (code, cure) = self.code_and_cure(first, &actions);
                let denied =
                    if actions.is_empty() { String::new() } else { format!(" ({})", actions.join(", ")) };
                let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
                let (severity, verb) =
                    if is_uncertain { (Severity::Warning, "may") } else { (Severity::Refused, "would") };
                let text = format!(
                    "replication from bucket {} {verb} fail with {}: {why}{denied}",
                    self.source.name,
                    reasons.join(", ")
                );
                Some(self.finding(severity, code, text, cure))
            })
            .collect()
    }

    fn code_and_cure(&self, prediction: &Prediction, actions: &[&str]) -> (FailureCode, String) {
        match prediction.reason {
            FailureReason::DstBucketObjectLockConfigMissing => {
                return (
                    FailureCode::ObjectLockMissing,
                    format!(
                        "enable Object Lock on bucket {}, which also needs a request to AWS Support for buckets from before",
                        self.destination.bucket.name
                    ),
                );
            }
            FailureReason::SrcKmsKeyInvalidState
            | FailureReason::DstKmsKeyInvalidState
            | FailureReason::DstKmsKeyNotFound => {
                return (FailureCode::KmsKeyUnusable, "enable the key, or name another one".to_owned());
            }
            FailureReason::DstBucketUnversioned => {
                return (
                    FailureCode::DestinationUnversioned,
                    "enable versioning of the destination".to_owned(),
                );
            }
            _ => {}
        }
        if let Some(bucket) = &prediction.bucket_key_context {
            return (
                FailureCode::BucketKeyContext,
                format!(
                    "with a Bucket Key the encryption context is the bucket; write the condition as \"kms:EncryptionContext:aws:s3:arn\": [\"{bucket}\", \"{bucket}/*\"]"
                ),
            );
        }
        if prediction.service_control {
            return (
                FailureCode::ScpDeny,
                format!(
                    "except role{}* from the policy, for {}",
                    crate::desired::ROLE_PATH,
                    actions.join(", ")
                ),
            );
        }
        if prediction.why.contains("denies it") {
            return (
                FailureCode::PolicyDeny,
                format!("except the role {} from the statement", self.role.arn),
            );
        }
        if self.role.untouched {
            let extend = if self.may_extend_role {
                ""
            } else {
                ", or set `foreign-role = \"extend\"` in [replication] of accounts.toml"
            };
            return (
                FailureCode::Conflict,
                format!("allow {} in the role {}{extend}", actions.join(", "), self.role.arn),
            );
        }
        (FailureCode::ReplicationDenied, format!("allow {} there", actions.join(", ")))
    }

    /// What service control policies deny of our own calls in the account.
    pub(super) fn own_calls(&self, calls: &[(&'static str, String)]) -> Vec<Finding> {
        let Access::Reached { role } = &self.member.access else { return Vec::new() };
        if self.service_control.is_empty() {
            return Vec::new();
        }
        let everything =
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
        let Ok(identity) = NamedPolicy::parse("everything", everything) else { return Vec::new() };
        let identity = [identity];
        let mut by_cause: BTreeMap<(bool, String), Vec<&str>> = BTreeMap::new();
        for (action, resource) in calls {
            let request = self.own_request(role, action, resource);
            let policies = Policies {
                service_control: self.service_control,
                identity: &identity,
                resource_policy_rules: false,
                ..Policies::default()
            };
            let (denial, is_uncertain) = match decide(&request, &policies) {
                Decision::Denied(denial) => (denial, false),
                Decision::Uncertain(denial) => (denial, true),
                Decision::Allowed => continue,
            };
            if denial.layer == Layer::ServiceControl {
                by_cause.entry((is_uncertain, denial.to_string())).or_default().push(action);
            }
        }
        by_cause
            .into_iter()
            .map(|((is_uncertain, why), actions)| {
                let severity = if is_uncertain { Severity::Warning } else { Severity::Refused };
                let (code, cure) = self.code_of_control(&why, &actions, role);
                let verb = if is_uncertain { "may be" } else { "would be" };
                let text =
                    format!("{} {verb} denied in account {}: {why}", actions.join(", "), self.member.id);
                self.finding(severity, code, text, cure)
            })
            .collect()
    }

    /// Control Tower has a control against replication to another Region.
    fn code_of_control(&self, why: &str, actions: &[&str], role: &Arn) -> (FailureCode, String) {
        let crosses = self.source.bucket.region != *self.destination.region;
        let lower = why.to_lowercase();
        let is_control_tower = lower.contains("aws-guardrails-")
            || lower.contains("grctaudit")
            || lower.contains("statement gr");
        if crosses && actions.contains(&"s3:PutReplicationConfiguration") && is_control_tower {
            return (
                FailureCode::CrossRegionDenied,
                format!(
                    "keep the logs in their Region: add a [[destination]] with `region = \"{}\"` to accounts.toml",
                    self.source.bucket.region
                ),
            );
        }
        (
            FailureCode::ScpDeny,
            format!("except the role {role} from the policy, or exclude the account in accounts.toml"),
        )
    }

    fn own_request(&self, role: &Arn, action: &str, resource: &str) -> Request {
        let account = &self.member.id;
        let context = Context::default()
            .with("aws:PrincipalArn", role.to_string())
            .with("aws:PrincipalAccount", account.to_string())
            .with("aws:PrincipalOrgID", self.inventory.organization.id.to_string())
            .with_many("aws:PrincipalOrgPaths", &[self.organization_path])
            .with("aws:PrincipalType", "AssumedRole")
            .with("aws:PrincipalIsAWSService", "false")
            .with("aws:ViaAWSService", "false")
            .with("aws:SecureTransport", "true")
            // IAM is called in one Region of the partition.
            .with(
                "aws:RequestedRegion",
                if action.starts_with("iam:") {
                    "us-east-1".to_owned()
                } else {
                    self.source.bucket.region.to_string()
                },
            )
            .with("aws:ResourceAccount", account.to_string())
            .with("aws:ResourceOrgID", self.inventory.organization.id.to_string())
            .with("iam:PassedToService", "s3.amazonaws.com")
            .with("s3:TlsVersion", "1.3")
            .unknown("aws:SourceIp")
            .unknown("aws:VpcSourceIp")
            .unknown("aws:SourceVpc")
            .unknown("aws:SourceVpce")
            .unknown("aws:UserAgent")
            .unknown("aws:CurrentTime")
            .unknown("aws:EpochTime")
            .unknown("aws:TokenIssueTime")
            .unknown("aws:userid")
            .unknown("aws:PrincipalTag/*")
            .unknown("aws:ResourceTag/*")
            .unknown("aws:RequestTag/*")
            .unknown("aws:TagKeys")
            .unknown("s3:x-amz-*");
        Request {
            principal: Principal::Role { arn: role.clone(), account: account.clone(), unique_id: None },
            action: action.to_owned(),
            resource: resource.to_owned(),
            resource_account: account.clone(),
            context,
        }
    }
}
