//! S3 Batch Replication.

use serde_json::json;
use weir_aws_fake::builder::member;

use super::{DESTINATION, Wired, key, source};
use crate::support::code;

#[tokio::test]
async fn failed_is_never_tried_again_but_by_a_batch_job() {
    let wired = Wired::new().await;
    wired.put(&key()).await;
    wired.fake.patch(json!({"buckets": {DESTINATION: {"versioning": {"status": "Suspended"}}}})).await;
    wired.fake.advance(30).await;
    assert_eq!(wired.outcome().await.0, "FAILED");
    wired.fake.patch(json!({"buckets": {DESTINATION: {"versioning": {"status": "Enabled"}}}})).await;
    wired.fake.advance(86_400).await;
    let renewed = wired.fake.member(&member(0)).await;
    let wired = Wired { member: renewed, ..wired };
    assert_eq!(wired.outcome().await.0, "FAILED");

    let job = batch_job(&wired, "token-1").await;
    assert_eq!(job, "ok");
    wired.fake.advance(30).await;
    // The role trusts S3, not Batch Operations: nothing moved.
    assert_eq!(wired.outcome().await.0, "FAILED");
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": ["s3.amazonaws.com", "batchoperations.s3.amazonaws.com"]}, "Action": "sts:AssumeRole"}]});
    wired
        .fake
        .patch(json!({"accounts": {member(0): {"roles": {"weir-replication": {"trust": trust}}}}}))
        .await;
    assert_eq!(batch_job(&wired, "token-2").await, "ok");
    wired.fake.advance(30).await;
    assert_eq!(wired.outcome().await.0, "COMPLETED");
}

#[derive(Debug)]
struct FixedEndpoint(String);

impl aws_sdk_s3control::config::endpoint::ResolveEndpoint for FixedEndpoint {
    fn resolve_endpoint<'a>(
        &'a self,
        _: &'a aws_sdk_s3control::config::endpoint::Params,
    ) -> aws_sdk_s3control::config::endpoint::EndpointFuture<'a> {
        let endpoint = aws_smithy_types::endpoint::Endpoint::builder().url(self.0.clone()).build();
        aws_sdk_s3control::config::endpoint::EndpointFuture::ready(Ok(endpoint))
    }
}

async fn batch_job(wired: &Wired, token: &str) -> String {
    use aws_sdk_s3control::types::{
        JobManifestGenerator, JobManifestGeneratorFilter, JobOperation, JobReport, ReplicationStatus,
        S3JobManifestGenerator, S3ReplicateObjectOperation,
    };
    // The SDK puts the account in front of the host, where a loopback address cannot have it.
    let endpoint = FixedEndpoint(wired.fake.server.endpoint());
    let config = aws_sdk_s3control::config::Builder::from(&wired.member).endpoint_resolver(endpoint).build();
    let client = aws_sdk_s3control::Client::from_conf(config);
    let filter = JobManifestGeneratorFilter::builder()
        .eligible_for_replication(true)
        .object_replication_statuses(ReplicationStatus::Failed)
        .build();
    let generator = S3JobManifestGenerator::builder()
        .source_bucket(format!("arn:aws:s3:::{}", source()))
        .filter(filter)
        .enable_manifest_output(false)
        .build()
        .unwrap();
    let outcome = client
        .create_job()
        .account_id(member(0))
        .client_request_token(token)
        .operation(
            JobOperation::builder()
                .s3_replicate_object(S3ReplicateObjectOperation::builder().build())
                .build(),
        )
        .report(JobReport::builder().enabled(false).build())
        .priority(1)
        .role_arn(format!("arn:aws:iam::{}:role/weir/weir-replication", member(0)))
        .manifest_generator(JobManifestGenerator::S3JobManifestGenerator(generator))
        .send()
        .await;
    code(&outcome)
}
