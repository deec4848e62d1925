//! Terraform, in its JSON syntax: a root module for the log account and one for each member.
//!
//! The AWS provider puts a bucket's replication, lifecycle, policy and notifications as wholes, as S3 does, so those that
//! hold something of others are left to the bundle. What is there already is imported, so that a first run does not fail
//! and a second imports nothing.

use super::RenderError;
use super::cloudformation::policy;
use super::output::Rendered;
use super::wanted::{Covered, Document, Wanted, WantedBucket, WantedDestination, WantedMember, WantedRole};
use crate::desired::ROLE_PATH;
use crate::ids::{AccountId, BucketName, Region};
use crate::inventory::{EncryptionAlgorithm, Versioning};
use crate::policy::{INLINE_POLICY_NAME, role_description};
use crate::replication::Element;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Writes the modules. The answer is what they do.
pub(super) fn write(wanted: &Wanted<'_>, rendered: &mut Rendered) -> Result<Covered, RenderError> {
    let mut covered = Covered::default();
    let mut module = Module::default();
    for destination in &wanted.destinations {
        log_account(&mut module, destination, &mut covered)?;
    }
    if !module.resources.is_empty() {
        rendered.add_json("log-account/main.tf.json", &module.finish(wanted.log_account));
    }
    for member in &wanted.members {
        let module = members(member, &mut covered)?;
        rendered.add_json(format!("members/{}/main.tf.json", member.id), &module.finish(member.id));
    }
    Ok(covered)
}

/// A root module of one account.
#[derive(Default)]
struct Module {
    regions: BTreeSet<Region>,
    imports: Vec<Value>,
    resources: Map<String, Value>,
}

impl Module {
    /// Adds a resource, and imports what is there already under `import`.
    fn add(&mut self, kind: &str, name: &str, region: &Region, import: Option<String>, mut body: Value) {
        self.regions.insert(region.clone());
        if let Some(fields) = body.as_object_mut() {
            fields.insert("provider".to_owned(), json!(format!("aws.{}", alias(region))));
        }
        if let Some(id) = import {
            self.imports.push(json!({ "to": format!("{kind}.{name}"), "id": id }));
        }
        let resources = self.resources.entry(kind.to_owned()).or_insert_with(|| json!({}));
        if let Some(resources) = resources.as_object_mut() {
            resources.insert(name.to_owned(), body);
        }
    }

    fn finish(self, account: &AccountId) -> Value {
        let providers: Vec<Value> = self
            .regions
            .iter()
            .map(|region| json!({ "alias": alias(region), "region": region, "allowed_account_ids": [account] }))
            .collect();
        let mut module = json!({
            "terraform": {
                "required_version": ">= 1.5",
                "required_providers": { "aws": { "source": "hashicorp/aws", "version": ">= 5.0" } },
            },
            "provider": { "aws": providers },
            "resource": self.resources,
        });
        if let (Some(fields), false) = (module.as_object_mut(), self.imports.is_empty()) {
            fields.insert("import".to_owned(), Value::from(self.imports));
        }
        module
    }
}

fn alias(region: &Region) -> String {
    region.as_str().replace('-', "_")
}

/// A name that Terraform takes, another for each bucket.
fn label(bucket: &BucketName) -> String {
    format!("b-{}", bucket.as_str().replace('_', "__").replace('.', "_o"))
}

/// Text in which Terraform looks for no templates.
fn literal(text: &str) -> String {
    text.replace("${", "$${").replace("%{", "%%{")
}

/// A policy as Terraform takes it.
fn policy_text(text: &str, resource: &dyn std::fmt::Display) -> Result<String, RenderError> {
    Ok(literal(&policy(text, resource)?.to_string()))
}

fn log_account(
    module: &mut Module,
    destination: &WantedDestination<'_>,
    covered: &mut Covered,
) -> Result<(), RenderError> {
    let bucket = destination.bucket;
    let name = &bucket.name;
    let label = label(name);
    let region = destination.region;
    let is_there = !destination.is_missing;
    let id = |there: bool| there.then(|| name.to_string());
    if destination.is_missing {
        let protection = json!({ "prevent_destroy": true });
        let body = json!({ "bucket": name, "tags": { "weir:managed": "true" }, "lifecycle": protection });
        module.add("aws_s3_bucket", &label, region, None, body);
        let default = match (&bucket.encryption.key, bucket.encryption.algorithm) {
            (Some(key), EncryptionAlgorithm::SseKms | EncryptionAlgorithm::DsseKms) => {
                json!({ "sse_algorithm": "aws:kms", "kms_master_key_id": key })
            }
            _ => json!({ "sse_algorithm": "AES256" }),
        };
        let rule = json!({
            "apply_server_side_encryption_by_default": default,
            "bucket_key_enabled": bucket.encryption.bucket_key,
        });
        let body = json!({ "bucket": name, "rule": rule, "depends_on": [format!("aws_s3_bucket.{label}")] });
        module.add("aws_s3_bucket_server_side_encryption_configuration", &label, region, None, body);
    }
    let after_bucket: Vec<String> =
        destination.is_missing.then(|| format!("aws_s3_bucket.{label}")).into_iter().collect();
    if destination.manages_bucket || destination.is_missing {
        let body = versioning(name, &after_bucket);
        let import = id(is_there && bucket.versioning != Versioning::Unversioned);
        module.add("aws_s3_bucket_versioning", &label, region, import, body);
        let body = json!({
            "bucket": name,
            "rule": { "object_ownership": "BucketOwnerEnforced" },
            "depends_on": after_bucket,
        });
        let import = id(is_there && bucket.ownership.is_some());
        module.add("aws_s3_bucket_ownership_controls", &label, region, import, body);
        let body = json!({
            "bucket": name,
            "block_public_acls": true,
            "ignore_public_acls": true,
            "block_public_policy": true,
            "restrict_public_buckets": true,
            "depends_on": after_bucket,
        });
        let import = id(is_there && bucket.public_access_block.is_some());
        module.add("aws_s3_bucket_public_access_block", &label, region, import, body);
        for operation in ["PutBucketVersioning", "PutBucketOwnershipControls", "PutPublicAccessBlock"] {
            covered.add_bucket(operation, name);
        }
    }
    if let Some(document) = destination.policy.filter(|document| !document.carries) {
        let body = json!({ "bucket": name, "policy": policy_text(document.text, name)?, "depends_on": after_bucket });
        module.add("aws_s3_bucket_policy", &label, region, id(document.exists), body);
        covered.add_bucket("PutBucketPolicy", name);
    }
    let announced = destination.notifications.filter(|document| !document.carries);
    if let (Some(document), Some(queue)) = (announced, destination.queue) {
        let body = json!({
            "bucket": name,
            "queue": { "id": "weir/new-objects", "queue_arn": queue, "events": ["s3:ObjectCreated:*"] },
            "depends_on": after_bucket,
        });
        module.add("aws_s3_bucket_notification", &label, region, id(document.exists), body);
        covered.add_bucket("PutBucketNotificationConfiguration", name);
    }
    Ok(())
}

/// Destroying this resource would suspend versioning, and with it stop replication.
fn versioning(bucket: &BucketName, depends_on: &[String]) -> Value {
    json!({
        "bucket": bucket,
        "versioning_configuration": { "status": "Enabled" },
        "lifecycle": { "prevent_destroy": true },
        "depends_on": depends_on,
    })
}

fn members(member: &WantedMember<'_>, covered: &mut Covered) -> Result<Module, RenderError> {
    let mut module = Module::default();
    // IAM answers in every Region.
    let Some(first) = member.buckets.first().map(|bucket| &bucket.plan.region) else { return Ok(module) };
    for role in &member.roles {
        role_resources(&mut module, role, first)?;
        for operation in ["CreateRole", "UpdateAssumeRolePolicy", "PutRolePolicy"] {
            covered.add(operation, &role.arn);
        }
    }
    for bucket in &member.buckets {
        let policies = member
            .roles
            .iter()
            .filter(|role| *role.arn == bucket.plan.role)
            .map(|role| format!("aws_iam_role_policy.{}", role.name));
        bucket_resources(&mut module, bucket, policies.collect(), covered)?;
    }
    Ok(module)
}

fn role_resources(module: &mut Module, role: &WantedRole<'_>, region: &Region) -> Result<(), RenderError> {
    let name = role.name.as_str();
    let mut after = Vec::new();
    if let Some(trust) = role.trust {
        let body = json!({
            "name": name,
            "path": ROLE_PATH,
            "description": role_description(),
            "assume_role_policy": policy_text(trust, role.arn)?,
            "tags": { "weir:managed": "true" },
        });
        module.add("aws_iam_role", name, region, role.exists.then(|| name.to_owned()), body);
        after.push(format!("aws_iam_role.{name}"));
    }
    let body = json!({
        "name": INLINE_POLICY_NAME,
        "role": name,
        "policy": policy_text(role.policy, role.arn)?,
        "depends_on": after,
    });
    let import = role.policy_exists.then(|| format!("{name}:{INLINE_POLICY_NAME}"));
    module.add("aws_iam_role_policy", name, region, import, body);
    Ok(())
}

fn bucket_resources(
    module: &mut Module,
    bucket: &WantedBucket<'_>,
    mut after: Vec<String>,
    covered: &mut Covered,
) -> Result<(), RenderError> {
    let name = &bucket.plan.bucket;
    let region = &bucket.plan.region;
    let label = label(name);
    let resource = || format!("bucket {name} of account {}", bucket.plan.account);
    if let Some(document) = bucket.lifecycle.filter(|document| !document.carries) {
        let root = Element::parse(document.text, "LifecycleConfiguration")
            .map_err(|source| RenderError::Xml { resource: resource(), source })?;
        let rules: Vec<Value> = root.children().iter().map(lifecycle_rule).collect();
        let body = json!({ "bucket": name, "rule": rules });
        let import = document.exists.then(|| name.to_string());
        module.add("aws_s3_bucket_lifecycle_configuration", &label, region, import, body);
        covered.add_bucket("PutBucketLifecycleConfiguration", name);
        after.push(format!("aws_s3_bucket_lifecycle_configuration.{label}"));
    }
    // Old versions have their rule before there are any.
    let lifecycle: Vec<String> = after.iter().filter(|other| other.contains("lifecycle")).cloned().collect();
    let import = (bucket.source.versioning != Versioning::Unversioned).then(|| name.to_string());
    module.add("aws_s3_bucket_versioning", &label, region, import, versioning(name, &lifecycle));
    covered.add_bucket("PutBucketVersioning", name);
    after.push(format!("aws_s3_bucket_versioning.{label}"));
    if !bucket.replication.carries {
        replication(module, bucket, &label, &after)?;
        covered.add_bucket("PutBucketReplication", name);
    }
    Ok(())
}

fn replication(
    module: &mut Module,
    bucket: &WantedBucket<'_>,
    label: &str,
    after: &[String],
) -> Result<(), RenderError> {
    let name = &bucket.plan.bucket;
    let Document { text, exists, .. } = bucket.replication;
    let root = Element::parse(text, "ReplicationConfiguration").map_err(|source| RenderError::Xml {
        resource: format!("bucket {name} of account {}", bucket.plan.account),
        source,
    })?;
    let rules: Vec<Value> =
        root.children().iter().filter(|child| child.name() == "Rule").map(replication_rule).collect();
    let body = json!({
        "bucket": name,
        "role": root.text_at(&["Role"]).unwrap_or_default(),
        "rule": rules,
        "depends_on": after,
    });
    let import = exists.then(|| name.to_string());
    module.add("aws_s3_bucket_replication_configuration", label, &bucket.plan.region, import, body);
    Ok(())
}

/// A rule of ours ([`crate::replication::RuleSettings`]) as the provider names its parts.
fn replication_rule(rule: &Element) -> Value {
    let text = |path: &[&str]| rule.text_at(path).unwrap_or_default();
    let number = |path: &[&str]| text(path).parse::<u32>().unwrap_or_default();
    let has = |path: &[&str]| rule.at(path).is_some();
    let mut destination = json!({
        "bucket": text(&["Destination", "Bucket"]),
        "account": text(&["Destination", "Account"]),
        "access_control_translation": { "owner": text(&["Destination", "AccessControlTranslation", "Owner"]) },
    });
    let optional = [
        (
            "storage_class",
            has(&["Destination", "StorageClass"]),
            json!(text(&["Destination", "StorageClass"])),
        ),
        (
            "encryption_configuration",
            has(&["Destination", "EncryptionConfiguration"]),
            json!({ "replica_kms_key_id": text(&["Destination", "EncryptionConfiguration", "ReplicaKmsKeyID"]) }),
        ),
        (
            "replication_time",
            has(&["Destination", "ReplicationTime"]),
            json!({
                "status": text(&["Destination", "ReplicationTime", "Status"]),
                "time": { "minutes": number(&["Destination", "ReplicationTime", "Time", "Minutes"]) },
            }),
        ),
        (
            "metrics",
            has(&["Destination", "Metrics"]),
            json!({
                "status": text(&["Destination", "Metrics", "Status"]),
                "event_threshold": { "minutes": number(&["Destination", "Metrics", "EventThreshold", "Minutes"]) },
            }),
        ),
    ];
    if let Some(fields) = destination.as_object_mut() {
        for (name, _, value) in optional.into_iter().filter(|(_, is_there, _)| *is_there) {
            fields.insert(name.to_owned(), value);
        }
    }
    let mut terraform = json!({
        "id": text(&["ID"]),
        "priority": number(&["Priority"]),
        "status": text(&["Status"]),
        "filter": { "prefix": literal(text(&["Filter", "Prefix"])) },
        "delete_marker_replication": { "status": text(&["DeleteMarkerReplication", "Status"]) },
        "destination": destination,
    });
    let selection = ["SourceSelectionCriteria", "SseKmsEncryptedObjects", "Status"];
    if let (Some(fields), true) = (terraform.as_object_mut(), has(&selection)) {
        let criteria = json!({ "sse_kms_encrypted_objects": { "status": text(&selection) } });
        fields.insert("source_selection_criteria".to_owned(), criteria);
    }
    terraform
}

/// Our lifecycle rule ([`crate::replication::expire_noncurrent`]).
fn lifecycle_rule(rule: &Element) -> Value {
    let days = rule.text_at(&["NoncurrentVersionExpiration", "NoncurrentDays"]).unwrap_or_default();
    json!({
        "id": rule.text_at(&["ID"]).unwrap_or_default(),
        "status": rule.text_at(&["Status"]).unwrap_or_default(),
        "filter": { "prefix": "" },
        "noncurrent_version_expiration": { "noncurrent_days": days.parse::<u32>().unwrap_or_default() },
    })
}
