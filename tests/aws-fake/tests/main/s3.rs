//! S3: buckets, their configurations, objects and versions.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketLocationConstraint, BucketVersioningStatus,
    CreateBucketConfiguration, ExpirationStatus, LifecycleRule, LifecycleRuleFilter,
    NoncurrentVersionExpiration, ObjectOwnership, OwnershipControls, OwnershipControlsRule,
    PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, VersioningConfiguration,
};
use serde_json::json;
use weir_aws_fake::builder::{Layout, log_bucket, member};

use crate::support::{Fake, REGION, code, s3};

async fn versioning(client: &Client, bucket: &str, status: BucketVersioningStatus) -> String {
    let configuration = VersioningConfiguration::builder().status(status).build();
    code(&client.put_bucket_versioning().bucket(bucket).versioning_configuration(configuration).send().await)
}

#[tokio::test]
async fn a_bucket_is_found_in_its_region_and_by_its_owner_alone() {
    let fake = Fake::small().await;
    let bucket = log_bucket(&member(0), REGION, Layout::AwsLogs);
    let config = fake.member(&member(0)).await;
    let client = s3(&config);
    let head = client.head_bucket().bucket(&bucket).expected_bucket_owner(member(0)).send().await.unwrap();
    assert_eq!(head.bucket_region(), Some(REGION));
    let location = client.get_bucket_location().bucket(&bucket).send().await.unwrap();
    assert_eq!(location.location_constraint(), Some(&BucketLocationConstraint::EuWest1));

    let wrong_owner =
        client.get_bucket_versioning().bucket(&bucket).expected_bucket_owner(member(1)).send().await;
    assert_eq!(code(&wrong_owner), "AccessDenied");
    let absent = client.get_bucket_versioning().bucket("no-such-bucket-here").send().await;
    assert_eq!(code(&absent), "NoSuchBucket");
    let other = s3(&fake.member(&member(1)).await);
    assert_eq!(code(&other.get_bucket_versioning().bucket(&bucket).send().await), "AccessDenied");

    let elsewhere = s3(&fake.member_in(&member(0), "us-west-2").await);
    let outcome = elsewhere.get_bucket_versioning().bucket(&bucket).send().await;
    assert_eq!(code(&outcome), "PermanentRedirect");
    let error = outcome.unwrap_err();
    let response = error.raw_response().unwrap();
    assert_eq!(
        (response.status().as_u16(), response.headers().get("x-amz-bucket-region")),
        (301, Some(REGION))
    );
    let head = elsewhere.head_bucket().bucket(&bucket).send().await.unwrap_err();
    assert_eq!(head.raw_response().unwrap().headers().get("x-amz-bucket-region"), Some(REGION));
    let global = s3(&fake.member_in(&member(0), "us-east-1").await);
    assert_eq!(code(&global.get_bucket_location().bucket(&bucket).send().await), "ok");
}

#[tokio::test]
async fn buckets_are_created_once_and_listed_in_pages() {
    let fake = Fake::small().await;
    let client = s3(&fake.log());
    let create = |client: &Client, name: &str, region: &str| {
        let constraint = CreateBucketConfiguration::builder().location_constraint(region.into()).build();
        client.create_bucket().bucket(name).create_bucket_configuration(constraint).send()
    };
    assert_eq!(code(&create(&client, "weir-new-bucket", REGION).await), "ok");
    assert_eq!(code(&create(&client, "weir-new-bucket", REGION).await), "BucketAlreadyOwnedByYou");
    let member_client = s3(&fake.member(&member(0)).await);
    assert_eq!(code(&create(&member_client, "weir-new-bucket", REGION).await), "BucketAlreadyExists");
    assert_eq!(code(&create(&client, "weir-other", "us-west-2").await), "IllegalLocationConstraintException");
    assert_eq!(
        code(&client.create_bucket().bucket("weir-other").send().await),
        "IllegalLocationConstraintException"
    );
    assert_eq!(code(&create(&client, "Weir_Other", REGION).await), "InvalidBucketName");
    let first = client.list_buckets().max_buckets(1).send().await.unwrap();
    assert_eq!(first.buckets()[0].bucket_region(), Some(REGION));
    let second = client
        .list_buckets()
        .max_buckets(1)
        .set_continuation_token(first.continuation_token)
        .send()
        .await
        .unwrap();
    assert_eq!(second.buckets()[0].name(), Some("weir-new-bucket"));
    assert!(second.continuation_token().is_none());
    assert_eq!(code(&client.delete_bucket().bucket("weir-new-bucket").send().await), "ok");
    assert_eq!(
        code(
            &member_client
                .delete_bucket()
                .bucket(log_bucket(&member(0), REGION, Layout::AwsLogs))
                .send()
                .await
        ),
        "BucketNotEmpty"
    );
}

#[tokio::test]
async fn configurations_round_trip() {
    let fake = Fake::small().await;
    let bucket = "weir-logs-eu-west-1";
    let client = s3(&fake.log());
    let rule = OwnershipControlsRule::builder()
        .object_ownership(ObjectOwnership::BucketOwnerPreferred)
        .build()
        .unwrap();
    let controls = OwnershipControls::builder().rules(rule).build().unwrap();
    client.put_bucket_ownership_controls().bucket(bucket).ownership_controls(controls).send().await.unwrap();
    let read = client.get_bucket_ownership_controls().bucket(bucket).send().await.unwrap();
    assert_eq!(
        read.ownership_controls().unwrap().rules()[0].object_ownership(),
        &ObjectOwnership::BucketOwnerPreferred
    );
    client.delete_bucket_ownership_controls().bucket(bucket).send().await.unwrap();
    let gone = client.get_bucket_ownership_controls().bucket(bucket).send().await;
    assert_eq!(code(&gone), "OwnershipControlsNotFoundError");

    let block = PublicAccessBlockConfiguration::builder().block_public_acls(true).build();
    client
        .put_public_access_block()
        .bucket(bucket)
        .public_access_block_configuration(block)
        .send()
        .await
        .unwrap();
    let read = client.get_public_access_block().bucket(bucket).send().await.unwrap();
    let read = read.public_access_block_configuration().unwrap();
    assert_eq!((read.block_public_acls(), read.block_public_policy()), (Some(true), Some(false)));
    client.delete_public_access_block().bucket(bucket).send().await.unwrap();
    let gone = client.get_public_access_block().bucket(bucket).send().await;
    assert_eq!(code(&gone), "NoSuchPublicAccessBlockConfiguration");

    let read = client.get_bucket_encryption().bucket(bucket).send().await.unwrap();
    let rules = read.server_side_encryption_configuration().unwrap().rules();
    assert_eq!(
        rules[0].apply_server_side_encryption_by_default().unwrap().sse_algorithm(),
        &ServerSideEncryption::Aes256
    );
    let default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(ServerSideEncryption::AwsKms)
        .kms_master_key_id("arn:aws:kms:eu-west-1:200000000000:key/absent")
        .build()
        .unwrap();
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(default)
        .bucket_key_enabled(true)
        .build();
    let configuration = ServerSideEncryptionConfiguration::builder().rules(rule).build().unwrap();
    client
        .put_bucket_encryption()
        .bucket(bucket)
        .server_side_encryption_configuration(configuration)
        .send()
        .await
        .unwrap();
    let read = client.get_bucket_encryption().bucket(bucket).send().await.unwrap();
    assert_eq!(
        read.server_side_encryption_configuration().unwrap().rules()[0].bucket_key_enabled(),
        Some(true)
    );

    assert_eq!(
        code(&client.get_bucket_lifecycle_configuration().bucket(bucket).send().await),
        "NoSuchLifecycleConfiguration"
    );
    let lifecycle = |id: &[&str]| {
        let rules = id.iter().map(|id| {
            LifecycleRule::builder()
                .id(*id)
                .status(ExpirationStatus::Enabled)
                .filter(LifecycleRuleFilter::builder().prefix("").build())
                .noncurrent_version_expiration(
                    NoncurrentVersionExpiration::builder().noncurrent_days(30).build(),
                )
                .build()
                .unwrap()
        });
        let configuration =
            BucketLifecycleConfiguration::builder().set_rules(Some(rules.collect())).build().unwrap();
        client
            .put_bucket_lifecycle_configuration()
            .bucket(bucket)
            .lifecycle_configuration(configuration)
            .send()
    };
    assert_eq!(code(&lifecycle(&["weir/noncurrent", "weir/noncurrent"]).await), "InvalidArgument");
    assert_eq!(code(&lifecycle(&["weir/noncurrent"]).await), "ok");
    let read = client.get_bucket_lifecycle_configuration().bucket(bucket).send().await.unwrap();
    assert_eq!(read.rules()[0].noncurrent_version_expiration().unwrap().noncurrent_days(), Some(30));
    assert_eq!(
        code(&client.get_object_lock_configuration().bucket(bucket).send().await),
        "ObjectLockConfigurationNotFoundError"
    );
    assert_eq!(
        code(&client.get_bucket_replication().bucket(bucket).send().await),
        "ReplicationConfigurationNotFoundError"
    );
    assert_eq!(code(&client.get_bucket_policy().bucket(bucket).send().await), "NoSuchBucketPolicy");
    assert_eq!(code(&client.get_bucket_tagging().bucket(bucket).send().await), "NoSuchTagSet");
    let payment = client.get_bucket_request_payment().bucket(bucket).send().await.unwrap();
    assert_eq!(payment.payer().unwrap().as_str(), "BucketOwner");
    assert!(client.get_bucket_logging().bucket(bucket).send().await.unwrap().logging_enabled().is_none());
    assert_eq!(client.get_bucket_acl().bucket(bucket).send().await.unwrap().grants().len(), 1);
}

#[tokio::test]
async fn objects_have_versions_and_delete_markers() {
    let fake = Fake::small().await;
    let bucket = "weir-logs-eu-west-1";
    let client = s3(&fake.log());
    let put = |body: &'static str| {
        client.put_object().bucket(bucket).key("a b/ü+1").body(body.as_bytes().to_vec().into()).send()
    };
    let first = put("one").await.unwrap();
    let second = put("two").await.unwrap();
    assert_ne!(first.version_id(), second.version_id());
    assert_eq!(first.e_tag(), Some("\"f97c5d29941bfb1b2fdab0874906ab82\""));
    let read = client.get_object().bucket(bucket).key("a b/ü+1").send().await.unwrap();
    assert_eq!(read.body.collect().await.unwrap().into_bytes().as_ref(), b"two");
    let old = client
        .get_object()
        .bucket(bucket)
        .key("a b/ü+1")
        .set_version_id(first.version_id.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(old.body.collect().await.unwrap().into_bytes().as_ref(), b"one");
    let deleted = client.delete_object().bucket(bucket).key("a b/ü+1").send().await.unwrap();
    assert_eq!(deleted.delete_marker(), Some(true));
    assert_eq!(code(&client.get_object().bucket(bucket).key("a b/ü+1").send().await), "NoSuchKey");
    let versions = client.list_object_versions().bucket(bucket).send().await.unwrap();
    assert_eq!((versions.versions().len(), versions.delete_markers().len()), (2, 1));
    let listed = client.list_objects_v2().bucket(bucket).send().await.unwrap();
    assert_eq!(listed.key_count(), Some(0));
    client
        .delete_object()
        .bucket(bucket)
        .key("a b/ü+1")
        .set_version_id(deleted.version_id)
        .send()
        .await
        .unwrap();
    assert_eq!(code(&client.head_object().bucket(bucket).key("a b/ü+1").send().await), "ok");
    let once = client.put_object().bucket(bucket).key("a b/ü+1").if_none_match("*").send().await;
    assert_eq!(code(&once), "PreconditionFailed");
}

#[tokio::test]
async fn listings_have_pages_and_common_prefixes() {
    let fake = Fake::small().await;
    let bucket = "weir-logs-eu-west-1";
    let client = s3(&fake.log());
    for key in ["a/1", "a/2", "b/1", "c", "d"] {
        client.put_object().bucket(bucket).key(key).send().await.unwrap();
    }
    let mut seen = Vec::new();
    let mut token = None;
    loop {
        let page = client
            .list_objects_v2()
            .bucket(bucket)
            .delimiter("/")
            .max_keys(2)
            .set_continuation_token(token)
            .send()
            .await
            .unwrap();
        seen.extend(page.common_prefixes().iter().filter_map(|prefix| prefix.prefix().map(str::to_owned)));
        seen.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        token = page.next_continuation_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["a/", "b/", "c", "d"]);
    let page = client.list_objects_v2().bucket(bucket).prefix("a/").send().await.unwrap();
    assert_eq!(page.contents().len(), 2);
    let versions = client.list_object_versions().bucket(bucket).max_keys(3).send().await.unwrap();
    let rest = client
        .list_object_versions()
        .bucket(bucket)
        .set_key_marker(versions.next_key_marker)
        .set_version_id_marker(versions.next_version_id_marker)
        .send()
        .await
        .unwrap();
    assert_eq!(rest.versions().len(), 2);
}

#[tokio::test]
async fn versioning_cannot_be_suspended_under_replication_or_object_lock() {
    let fake = Fake::small().await;
    let bucket = log_bucket(&member(0), REGION, Layout::AwsLogs);
    let client = s3(&fake.member(&member(0)).await);
    assert_eq!(versioning(&client, &bucket, BucketVersioningStatus::Suspended).await, "ok");
    assert_eq!(versioning(&client, &bucket, BucketVersioningStatus::Enabled).await, "ok");
    let lock =
        "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
    fake.patch(json!({"buckets": {&bucket: {"object_lock": lock}}})).await;
    assert_eq!(versioning(&client, &bucket, BucketVersioningStatus::Suspended).await, "InvalidBucketState");
    let replication = "<ReplicationConfiguration><Role>r</Role></ReplicationConfiguration>";
    fake.patch(json!({"buckets": {&bucket: {"object_lock": null, "replication": replication}}})).await;
    assert_eq!(versioning(&client, &bucket, BucketVersioningStatus::Suspended).await, "InvalidBucketState");
}

#[tokio::test]
async fn mfa_delete_blocks_changes_of_versioning_and_deletes_of_versions() {
    let fake = Fake::small().await;
    let bucket = log_bucket(&member(0), REGION, Layout::AwsLogs);
    let config = fake.member(&member(0)).await;
    let client = s3(&config);
    fake.patch(json!({"buckets": {&bucket: {"versioning": {"mfa_delete": true}}}})).await;
    let read = client.get_bucket_versioning().bucket(&bucket).send().await.unwrap();
    assert_eq!(read.mfa_delete().map(aws_sdk_s3::types::MfaDeleteStatus::as_str), Some("Enabled"));
    assert_eq!(versioning(&client, &bucket, BucketVersioningStatus::Suspended).await, "AccessDenied");
    let put = client.put_object().bucket(&bucket).key("k").send().await.unwrap();
    let outcome = client.delete_object().bucket(&bucket).key("k").set_version_id(put.version_id).send().await;
    assert_eq!(code(&outcome), "AccessDenied");
    assert_eq!(code(&client.delete_object().bucket(&bucket).key("k").send().await), "ok");
}

#[tokio::test]
async fn requester_pays_and_suspended_owners_refuse_others() {
    let fake = Fake::small().await;
    let bucket = "weir-logs-eu-west-1";
    let open = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": member(0)}, "Action": "s3:PutObject", "Resource": format!("arn:aws:s3:::{bucket}/*")}]});
    fake.patch(json!({"buckets": {bucket: {"policy": open}}})).await;
    let client = s3(&fake.member(&member(0)).await);
    let put = || client.put_object().bucket(bucket).key("k").send();
    assert_eq!(code(&put().await), "ok");
    fake.patch(json!({"buckets": {bucket: {"requester_pays": true}}})).await;
    assert_eq!(code(&put().await), "AccessDenied");
    let paying =
        client.put_object().bucket(bucket).key("k").request_payer(aws_sdk_s3::types::RequestPayer::Requester);
    assert_eq!(code(&paying.send().await), "ok");
    fake.patch(json!({"accounts": {"200000000000": {"state": "SUSPENDED"}}})).await;
    assert_eq!(code(&put().await), "AllAccessDisabled");
}

#[tokio::test]
async fn objects_of_others_belong_to_them_unless_ownership_is_enforced() {
    let fake = Fake::small().await;
    let bucket = "weir-logs-eu-west-1";
    let open = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": member(0)}, "Action": "s3:PutObject", "Resource": format!("arn:aws:s3:::{bucket}/*")}]});
    fake.patch(json!({"buckets": {bucket: {"policy": open, "ownership": "ObjectWriter"}}})).await;
    let client = s3(&fake.member(&member(0)).await);
    client.put_object().bucket(bucket).key("theirs").send().await.unwrap();
    fake.patch(json!({"buckets": {bucket: {"ownership": "BucketOwnerEnforced"}}})).await;
    client.put_object().bucket(bucket).key("ours").send().await.unwrap();
    let acl = client
        .put_object()
        .bucket(bucket)
        .key("acl")
        .acl(aws_sdk_s3::types::ObjectCannedAcl::PublicRead)
        .send()
        .await;
    assert_eq!(code(&acl), "AccessControlListNotSupported");
    let world = fake.control("GET", "world", "").await;
    let objects = &world["buckets"][bucket]["objects"];
    assert_eq!(objects["theirs"][0]["owner"], member(0));
    assert_eq!(objects["ours"][0]["owner"], "200000000000");
}
