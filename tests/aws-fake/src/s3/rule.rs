//! A replication configuration ("Replication configuration", Amazon S3 User Guide), read strictly.

use std::collections::{BTreeMap, BTreeSet};

use super::{invalid_argument, invalid_request, malformed_xml};
use crate::error::AwsError;
use crate::xml::Element;

/// The most rules of a configuration.
const MOST_RULES: usize = 1_000;

/// A replication configuration.
#[derive(Debug)]
pub(crate) struct ReplicationConfiguration {
    pub(crate) role: String,
    pub(crate) rules: Vec<Rule>,
}

/// A rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) enabled: bool,
    /// Absent in the first version of the schema.
    pub(crate) priority: Option<i64>,
    pub(crate) prefix: String,
    pub(crate) tags: BTreeMap<String, String>,
    /// Of the second version of the schema: it has a filter.
    pub(crate) second_version: bool,
    pub(crate) delete_markers: bool,
    /// Whether objects that KMS encrypts are replicated.
    pub(crate) kms_objects: bool,
    pub(crate) destination: Destination,
    /// Whether replication metrics are on.
    pub(crate) metrics: bool,
}

/// Where a rule replicates to.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(crate) bucket: String,
    pub(crate) account: Option<String>,
    /// Whether replicas are given to the owner of the destination.
    pub(crate) owner_override: bool,
    pub(crate) storage_class: Option<String>,
    pub(crate) kms_key: Option<String>,
}

impl ReplicationConfiguration {
    /// Reads a configuration. What is wrong with it, S3 says in these words.
    pub(crate) fn read(document: &Element) -> Result<Self, AwsError> {
        if document.name != "ReplicationConfiguration" || document.unknown_child(&["Role", "Rule"]).is_some()
        {
            return Err(malformed_xml());
        }
        let role = document.child_text("Role").filter(|role| !role.is_empty()).ok_or_else(malformed_xml)?;
        let rules = document.named("Rule").map(Rule::read).collect::<Result<Vec<_>, _>>()?;
        if rules.is_empty() {
            return Err(malformed_xml());
        }
        if rules.len() > MOST_RULES {
            return Err(invalid_request(format!(
                "The number of replication rules must not exceed the allowed limit of {MOST_RULES} rules"
            )));
        }
        let configuration = Self { role: role.to_owned(), rules };
        configuration.check_together()?;
        Ok(configuration)
    }

    fn check_together(&self) -> Result<(), AwsError> {
        let mut ids = BTreeSet::new();
        for id in self.rules.iter().map(|rule| rule.id.as_str()).filter(|id| !id.is_empty()) {
            if id.len() > 255 {
                return Err(invalid_argument("ID length should not exceed allowed limit of 255"));
            }
            if !ids.insert(id) {
                return Err(invalid_argument("Rule Id must be unique. Found same Id for more than one rule"));
            }
        }
        if self.rules.iter().any(|rule| rule.second_version)
            && self.rules.iter().any(|rule| !rule.second_version)
        {
            return Err(invalid_request(
                "Rules of the first and of the second version of the replication configuration schema cannot be mixed",
            ));
        }
        let mut priorities = BTreeSet::new();
        if self.rules.iter().filter_map(|rule| rule.priority).any(|priority| !priorities.insert(priority)) {
            return Err(invalid_request(
                "Priority must be unique. Found same priority for more than one rule",
            ));
        }
        for (index, rule) in self.rules.iter().enumerate().filter(|(_, rule)| !rule.second_version) {
            let overlaps = |other: &&Rule| {
                rule.prefix.starts_with(&other.prefix) || other.prefix.starts_with(&rule.prefix)
            };
            if let Some(other) = self.rules.iter().take(index).find(overlaps) {
                return Err(invalid_request(format!(
                    "Found overlapping prefixes '{}' and '{}'",
                    other.prefix, rule.prefix
                )));
            }
        }
        Ok(())
    }

    /// For each destination, the enabled rule of the highest priority that matches an object.
    pub(crate) fn matching(&self, key: &str, tags: &BTreeMap<String, String>) -> Vec<&Rule> {
        let mut chosen: BTreeMap<&str, &Rule> = BTreeMap::new();
        for rule in self.rules.iter().filter(|rule| rule.enabled && rule.matches(key, tags)) {
            chosen
                .entry(&rule.destination.bucket)
                .and_modify(|best| {
                    if rule.priority > best.priority {
                        *best = rule;
                    }
                })
                .or_insert(rule);
        }
        chosen.into_values().collect()
    }
}

impl Rule {
    fn matches(&self, key: &str, tags: &BTreeMap<String, String>) -> bool {
        key.starts_with(&self.prefix) && self.tags.iter().all(|(name, value)| tags.get(name) == Some(value))
    }

    fn read(element: &Element) -> Result<Self, AwsError> {
        let known = [
            "ID",
            "Priority",
            "Prefix",
            "Filter",
            "Status",
            "SourceSelectionCriteria",
            "ExistingObjectReplication",
            "Destination",
            "DeleteMarkerReplication",
        ];
        if element.unknown_child(&known).is_some() {
            return Err(malformed_xml());
        }
        let enabled = status(element)?.ok_or_else(malformed_xml)?;
        let filter = element.child("Filter");
        if filter.is_some() && element.child("Prefix").is_some() {
            return Err(malformed_xml());
        }
        let second_version = filter.is_some();
        let priority = element
            .child_text("Priority")
            .map(|text| {
                text.parse::<i64>()
                    .ok()
                    .filter(|value| (0..=2_147_483_647).contains(value))
                    .ok_or_else(malformed_xml)
            })
            .transpose()?;
        let (prefix, tags) = match filter {
            Some(filter) => read_filter(filter)?,
            None => (element.child_text("Prefix").ok_or_else(malformed_xml)?.to_owned(), BTreeMap::new()),
        };
        let delete_markers = element.child("DeleteMarkerReplication").map(status).transpose()?.flatten();
        let existing = element.child("ExistingObjectReplication").map(status).transpose()?.flatten();
        if existing == Some(true) {
            return Err(invalid_request(
                "ExistingObjectReplication is not supported; use S3 Batch Replication",
            ));
        }
        if second_version {
            let must = |field: &str| {
                invalid_request(format!(
                    "{field} must be specified for this version of Cross Region Replication configuration schema. Please refer to S3 Developer Guide for more information."
                ))
            };
            if priority.is_none() {
                return Err(must("Priority"));
            }
            if delete_markers.is_none() {
                return Err(must("DeleteMarkerReplication"));
            }
            if delete_markers == Some(true) && !tags.is_empty() {
                return Err(invalid_request(
                    "Delete marker replication is not supported if any Tag filter is specified. Please refer to S3 Developer Guide for more information.",
                ));
            }
        } else if priority.is_some() || delete_markers.is_some() {
            return Err(invalid_request(
                "Filter must be specified for this version of Cross Region Replication configuration schema. Please refer to S3 Developer Guide for more information.",
            ));
        }
        let criteria = element.child("SourceSelectionCriteria");
        if criteria.is_some_and(|criteria| {
            criteria.unknown_child(&["SseKmsEncryptedObjects", "ReplicaModifications"]).is_some()
        }) {
            return Err(malformed_xml());
        }
        let kms = criteria.and_then(|criteria| criteria.child("SseKmsEncryptedObjects"));
        let kms_objects = kms.map(status).transpose()?.flatten().unwrap_or(false);
        let destination = element.child("Destination").ok_or_else(malformed_xml)?;
        let (destination, metrics) = read_destination(destination, second_version)?;
        if kms_objects && destination.kms_key.is_none() {
            return Err(invalid_request(
                "EncryptionConfiguration with a ReplicaKmsKeyID must be specified if SseKmsEncryptedObjects is enabled",
            ));
        }
        if destination.kms_key.is_some() && kms.is_none() {
            return Err(invalid_request(
                "SourceSelectionCriteria with SseKmsEncryptedObjects must be specified if EncryptionConfiguration is present",
            ));
        }
        Ok(Self {
            id: element.child_text("ID").unwrap_or_default().to_owned(),
            enabled,
            priority,
            prefix,
            tags,
            second_version,
            // In the first version of the schema, delete markers are replicated.
            delete_markers: delete_markers.unwrap_or(!second_version),
            kms_objects,
            destination,
            metrics,
        })
    }
}

fn status(element: &Element) -> Result<Option<bool>, AwsError> {
    match element.child_text("Status") {
        None => Ok(None),
        Some("Enabled") => Ok(Some(true)),
        Some("Disabled") => Ok(Some(false)),
        Some(_) => Err(malformed_xml()),
    }
}

fn read_filter(filter: &Element) -> Result<(String, BTreeMap<String, String>), AwsError> {
    let tag = |element: &Element| match (element.child_text("Key"), element.child_text("Value")) {
        (Some(key), Some(value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(malformed_xml()),
    };
    match filter.children.as_slice() {
        [] => Ok((String::new(), BTreeMap::new())),
        [single] if single.name == "Prefix" => Ok((single.text.clone(), BTreeMap::new())),
        [single] if single.name == "Tag" => Ok((String::new(), BTreeMap::from([tag(single)?]))),
        [and] if and.name == "And" => {
            if and.unknown_child(&["Prefix", "Tag"]).is_some() || and.children.len() < 2 {
                return Err(malformed_xml());
            }
            let mut tags = BTreeMap::new();
            for element in and.named("Tag") {
                let (key, value) = tag(element)?;
                if tags.insert(key, value).is_some() {
                    return Err(invalid_request("Duplicate Tag Keys are not allowed."));
                }
            }
            Ok((and.child_text("Prefix").unwrap_or_default().to_owned(), tags))
        }
        _ => Err(malformed_xml()),
    }
}

fn read_destination(element: &Element, second_version: bool) -> Result<(Destination, bool), AwsError> {
    let known = [
        "Bucket",
        "Account",
        "StorageClass",
        "AccessControlTranslation",
        "EncryptionConfiguration",
        "ReplicationTime",
        "Metrics",
    ];
    if element.unknown_child(&known).is_some() {
        return Err(malformed_xml());
    }
    let arn = element.child_text("Bucket").ok_or_else(malformed_xml)?;
    let bucket = arn.strip_prefix("arn:aws:s3:::").filter(|name| !name.is_empty() && !name.contains('/'));
    let bucket = bucket.ok_or_else(|| invalid_argument("Invalid bucket ARN."))?;
    let account = element.child_text("Account").map(str::to_owned);
    let translation = element.child("AccessControlTranslation");
    if translation.is_some_and(|translation| translation.child_text("Owner") != Some("Destination")) {
        return Err(malformed_xml());
    }
    if translation.is_some() && account.is_none() {
        return Err(invalid_request("Account must be specified if AccessControlTranslation is present"));
    }
    let minutes = |name: &str, inner: &str| -> Result<Option<bool>, AwsError> {
        let Some(part) = element.child(name) else { return Ok(None) };
        let on = status(part)?.ok_or_else(malformed_xml)?;
        match part.path_text(&[inner, "Minutes"]) {
            Some("15") => Ok(Some(on)),
            None if name == "Metrics" || !on => Ok(Some(on)),
            _ => Err(invalid_request(format!("{name} minutes must be 15"))),
        }
    };
    let time_control = minutes("ReplicationTime", "Time")?.unwrap_or(false);
    let metrics = minutes("Metrics", "EventThreshold")?.unwrap_or(false);
    if time_control && !(metrics && second_version) {
        return Err(invalid_request(
            "Metrics must be enabled, and a Filter be present, if ReplicationTime is enabled",
        ));
    }
    let storage_class = element.child_text("StorageClass").map(str::to_owned);
    let classes = [
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "DEEP_ARCHIVE",
        "GLACIER_IR",
    ];
    if storage_class.as_deref().is_some_and(|class| !classes.contains(&class)) {
        return Err(malformed_xml());
    }
    let encryption = element.child("EncryptionConfiguration");
    let kms_key = encryption.and_then(|part| part.child_text("ReplicaKmsKeyID")).map(str::to_owned);
    let destination = Destination {
        bucket: bucket.to_owned(),
        account,
        owner_override: translation.is_some(),
        storage_class,
        kms_key,
    };
    Ok((destination, metrics))
}
