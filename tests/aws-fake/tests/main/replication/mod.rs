//! Replication: an object becomes PENDING, then COMPLETED with a replica, or FAILED for the documented reason.

mod failures;
mod jobs;
mod keys;
mod outcomes;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::ReplicationStatus;
use aws_types::SdkConfig;
use serde_json::{Value, json};
use weir_aws_fake::builder::{LOG, Layout, log_bucket, member};

use crate::support::{Fake, REGION, s3};

pub(crate) const DESTINATION: &str = "weir-logs-eu-west-1";
pub(crate) const SOURCE_KEY: &str = "arn:aws:kms:eu-west-1:300000000001:key/source";
pub(crate) const DESTINATION_KEY: &str = "arn:aws:kms:eu-west-1:200000000000:key/destination";

pub(crate) fn source() -> String {
    log_bucket(&member(0), REGION, Layout::AwsLogs)
}

pub(crate) fn key() -> String {
    format!("AWSLogs/{}/x.json.gz", member(0))
}

pub(crate) fn configuration(inner: &str, destination: &str) -> String {
    format!(
        "<ReplicationConfiguration><Role>arn:aws:iam::{0}:role/weir/weir-replication</Role><Rule><ID>weir/1</ID><Priority>1</Priority><Filter><Prefix>AWSLogs/{0}/</Prefix></Filter><Status>Enabled</Status>{inner}<DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::{DESTINATION}</Bucket><Account>{LOG}</Account><AccessControlTranslation><Owner>Destination</Owner></AccessControlTranslation>{destination}</Destination></Rule></ReplicationConfiguration>",
        member(0)
    )
}

pub(crate) fn kms_configuration(key: &str) -> String {
    configuration(
        "<SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Enabled</Status></SseKmsEncryptedObjects></SourceSelectionCriteria>",
        &format!(
            "<EncryptionConfiguration><ReplicaKmsKeyID>{key}</ReplicaKmsKeyID></EncryptionConfiguration>"
        ),
    )
}

pub(crate) fn key_policy(account: &str, action: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Own", "Effect": "Allow", "Principal": {"AWS": account}, "Action": "kms:*", "Resource": "*"},
        {"Sid": "Weir", "Effect": "Allow", "Principal": {"AWS": member(0)}, "Action": action, "Resource": "*",
         "Condition": {"StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}}}]})
}

/// All that replication needs: a role, the destination's policy of constant size, keys.
pub(crate) fn wiring() -> Value {
    let bucket = format!("arn:aws:s3:::{}", source());
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole",
         "Condition": {"StringEquals": {"aws:SourceAccount": member(0)}}}]});
    let inline = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:GetReplicationConfiguration", "s3:ListBucket"], "Resource": bucket},
        {"Effect": "Allow", "Action": ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"], "Resource": format!("{bucket}/*")},
        {"Effect": "Allow", "Action": ["s3:ReplicateObject", "s3:ReplicateTags", "s3:ObjectOwnerOverrideToBucketOwner"], "Resource": format!("arn:aws:s3:::{DESTINATION}/AWSLogs/{}/*", member(0))},
        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": SOURCE_KEY},
        {"Effect": "Allow", "Action": ["kms:Encrypt", "kms:GenerateDataKey"], "Resource": DESTINATION_KEY}]});
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "WeirReplicate", "Effect": "Allow", "Principal": "*",
        "Action": ["s3:ReplicateObject", "s3:ReplicateTags", "s3:ObjectOwnerOverrideToBucketOwner"],
        "Resource": format!("arn:aws:s3:::{DESTINATION}/AWSLogs/${{aws:PrincipalAccount}}/*"),
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"},
                      "ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/weir/*"}}}]});
    json!({
        "accounts": {
            member(0): {
                "roles": {"weir-replication": {"path": "/weir/", "trust": trust, "inline_policies": {"replicate": inline}}},
                "keys": {"source": {"region": REGION, "policy": key_policy(&member(0), "kms:Decrypt")}},
            },
            LOG: {"keys": {"destination": {"region": REGION, "policy": key_policy(LOG, "kms:*")}}},
        },
        "buckets": {
            source(): {"replication": configuration("", ""), "objects": null},
            DESTINATION: {"policy": policy},
        },
    })
}

pub(crate) struct Wired {
    pub(crate) fake: Fake,
    pub(crate) member: SdkConfig,
    pub(crate) log: SdkConfig,
}

impl Wired {
    pub(crate) async fn new() -> Self {
        let fake = Fake::small().await;
        fake.patch(wiring()).await;
        let (member, log) = (fake.member(&member(0)).await, fake.log());
        Self { fake, member, log }
    }

    pub(crate) async fn put(&self, key: &str) -> aws_sdk_s3::operation::put_object::PutObjectOutput {
        s3(&self.member)
            .put_object()
            .bucket(source())
            .key(key)
            .body(b"log".to_vec().into())
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn status(&self, client: &Client, bucket: &str, key: &str) -> Option<ReplicationStatus> {
        client.head_object().bucket(bucket).key(key).send().await.unwrap().replication_status
    }

    /// The outcome at the source: the status, and the reason that only the fake tells.
    pub(crate) async fn outcome(&self) -> (String, String) {
        let status = self.status(&s3(&self.member), &source(), &key()).await;
        let world = self.fake.control("GET", "world", "").await;
        let version =
            world["buckets"][source()]["objects"][key()].as_array().unwrap().last().unwrap().clone();
        let reason = version["failure_reason"].as_str().unwrap_or_default().to_owned();
        (status.map_or("none".to_owned(), |status| status.as_str().to_owned()), reason)
    }
}
