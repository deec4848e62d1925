//! Our replication rules (S3 API, `ReplicationRule`; the second version, with `Filter` and `Priority`).

use super::element::Element;
use crate::desired::StorageClass;
use crate::ids::{AccountId, Arn, BucketName, Partition};

/// What the IDs of our rules begin with.
pub const RULE_ID_PREFIX: &str = "weir/";

/// The most rules that a configuration can have (S3 API, `ReplicationConfiguration`).
pub const MAX_RULES: usize = 1_000;

/// Whether a rule is ours.
pub fn is_ours(rule: &Element) -> bool {
    rule.text_at(&["ID"]).is_some_and(|id| id.starts_with(RULE_ID_PREFIX))
}

/// Parts of a rule that say nothing when they are disabled, and that S3 may add to what was put.
const OPTIONAL_PARTS: [&str; 5] = [
    "ReplicaModifications",
    "SseKmsEncryptedObjects",
    "ExistingObjectReplication",
    "ReplicationTime",
    "Metrics",
];

/// Whether two rules of ours do the same, whatever S3 adds to say that a part is not used.
pub(super) fn does_the_same(left: &Element, right: &Element) -> bool {
    without_unused(left).is_same(&without_unused(right))
}

fn without_unused(element: &Element) -> Element {
    let mut children: Vec<Element> = element.children().iter().map(without_unused).collect();
    children.retain(|child| {
        let unused = OPTIONAL_PARTS.contains(&child.name()) && child.text_at(&["Status"]) == Some("Disabled");
        let hollow = child.name() == "SourceSelectionCriteria" && child.children().is_empty();
        !unused && !hollow
    });
    let mut kept = element.clone();
    *kept.children_mut() = children;
    kept
}

/// The ID of our rule for keys under `prefix`: the same in every run, and another for another destination.
pub fn rule_id(account: &AccountId, source: &BucketName, destination: &BucketName, prefix: &str) -> String {
    let name = format!("{account}\0{source}\0{destination}\0{prefix}");
    let hash: String = blake3::hash(name.as_bytes()).to_hex().chars().take(16).collect();
    format!("{RULE_ID_PREFIX}{hash}")
}

/// What our rules of one bucket have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSettings {
    pub partition: Partition,
    /// Of the source bucket.
    pub account: AccountId,
    pub source: BucketName,
    pub destination: BucketName,
    pub destination_account: AccountId,
    /// The key of the replicas; with it, objects encrypted with KMS are replicated too.
    pub kms_key: Option<Arn>,
    pub time_control: bool,
    pub storage_class: Option<StorageClass>,
}

/// The rules that a bucket shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedRules {
    pub settings: RuleSettings,
    /// Keys of the bucket's logs begin with it.
    pub base: String,
    /// What is replicated: the base, or folders of it.
    pub prefixes: Vec<String>,
    /// Within the base.
    pub canary_prefix: String,
}

impl WantedRules {
    /// The ID of the rule that the canary is replicated by; where the base as a whole is replicated, that of the logs too.
    pub fn canary_id(&self) -> String {
        rule_id(&self.settings.account, &self.settings.source, &self.settings.destination, &self.base)
    }

    /// ID and prefix of each rule, in their final form. The canary stays replicated, so that the proof can be repeated.
    pub(super) fn wide(&self) -> Vec<(String, String)> {
        let id = |prefix: &str| {
            rule_id(&self.settings.account, &self.settings.source, &self.settings.destination, prefix)
        };
        if self.prefixes.iter().any(|prefix| self.canary_prefix.starts_with(prefix.as_str())) {
            return self.prefixes.iter().map(|prefix| (id(prefix), prefix.clone())).collect();
        }
        let canary = (self.canary_id(), self.canary_prefix.clone());
        [canary].into_iter().chain(self.prefixes.iter().map(|prefix| (id(prefix), prefix.clone()))).collect()
    }
}

impl RuleSettings {
    /// The rule for keys under `prefix`.
    pub(super) fn rule(&self, id: &str, prefix: &str, priority: u32) -> Element {
        let status = |name: &str, status: &str| {
            Element::with_children(name, vec![Element::with_text("Status", status)])
        };
        let minutes = |name: &str| Element::with_children(name, vec![Element::with_text("Minutes", "15")]);
        let mut rule = vec![
            Element::with_text("ID", id),
            Element::with_text("Priority", priority.to_string()),
            Element::with_children("Filter", vec![Element::with_text("Prefix", prefix)]),
            Element::with_text("Status", "Enabled"),
        ];
        if self.kms_key.is_some() {
            rule.push(Element::with_children(
                "SourceSelectionCriteria",
                vec![status("SseKmsEncryptedObjects", "Enabled")],
            ));
        }
        rule.push(status("DeleteMarkerReplication", "Disabled"));
        let mut destination = vec![
            Element::with_text("Bucket", self.destination_arn()),
            Element::with_text("Account", self.destination_account.as_str()),
        ];
        if let Some(storage_class) = self.storage_class {
            destination.push(Element::with_text("StorageClass", storage_class.as_str()));
        }
        destination.push(Element::with_children(
            "AccessControlTranslation",
            vec![Element::with_text("Owner", "Destination")],
        ));
        if let Some(key) = &self.kms_key {
            destination.push(Element::with_children(
                "EncryptionConfiguration",
                vec![Element::with_text("ReplicaKmsKeyID", key.as_str())],
            ));
        }
        if self.time_control {
            // S3 takes one only with the other.
            destination.push(Element::with_children(
                "ReplicationTime",
                vec![Element::with_text("Status", "Enabled"), minutes("Time")],
            ));
            destination.push(Element::with_children(
                "Metrics",
                vec![Element::with_text("Status", "Enabled"), minutes("EventThreshold")],
            ));
        }
        rule.push(Element::with_children("Destination", destination));
        Element::with_children("Rule", rule)
    }

    pub(super) fn destination_arn(&self) -> String {
        format!("arn:{}:s3:::{}", self.partition, self.destination)
    }
}
