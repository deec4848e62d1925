//! S3 Control: jobs of S3 Batch Operations.

use super::error::CallError;
use super::session::Session;
use crate::backfill::Job;
use async_trait::async_trait;
use aws_sdk_s3control::Client;
use aws_sdk_s3control::error::BuildError;
use aws_sdk_s3control::types::{
    JobManifestGenerator, JobManifestGeneratorFilter, JobOperation, JobReport, JobReportFormat,
    JobReportScope, KeyNameConstraint, ReplicationStatus, S3JobManifestGenerator, S3ReplicateObjectOperation,
};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// The calls to S3 Control.
#[async_trait]
pub trait S3Control: Send + Sync {
    /// Creates a job that waits for somebody to confirm it; the answer is its id. The same job is created once.
    async fn create_job(&self, job: &Job) -> Result<String, CallError>;
}

/// Jobs of one account do not compete with others.
const PRIORITY: i32 = 10;

struct Calls<'a> {
    session: &'a Session,
}

impl Session {
    /// S3 Control, in the Region of each job's bucket.
    pub fn s3control(&self) -> impl S3Control + '_ {
        Calls { session: self }
    }
}

#[async_trait]
impl S3Control for Calls<'_> {
    async fn create_job(&self, job: &Job) -> Result<String, CallError> {
        let call = self.session.call("s3control", "CreateJob", &job.region, job.bucket.as_str());
        let mut config = aws_sdk_s3control::config::Builder::from(&self.session.config(&job.region))
            .retry_partition(self.session.partition())
            .interceptor(self.session.observer());
        if self.session.path_style() {
            config = config.interceptor(OneHost(format!("//{}.", job.account)));
        }
        let client = Client::from_conf(config.build());
        let (generator, report) =
            parts(job).map_err(|error| CallError::ours(call.clone(), error.to_string()))?;
        let operation = JobOperation::builder()
            .s3_replicate_object(S3ReplicateObjectOperation::builder().build())
            .build();
        let answer = self
            .session
            .run(&call, None, || {
                client
                    .create_job()
                    .account_id(job.account.as_str())
                    .confirmation_required(true)
                    .operation(operation.clone())
                    .report(report.clone())
                    .client_request_token(job.token())
                    .manifest_generator(JobManifestGenerator::S3JobManifestGenerator(generator.clone()))
                    .priority(PRIORITY)
                    .role_arn(job.role.as_str())
                    .description(job.description())
                    .send()
            })
            .await?;
        answer.job_id().map(str::to_owned).ok_or_else(|| CallError::ours(call, "the answer has no id"))
    }
}

fn parts(job: &Job) -> Result<(S3JobManifestGenerator, JobReport), BuildError> {
    let names = KeyNameConstraint::builder().set_match_any_prefix(Some(job.prefixes.clone())).build();
    let filter = JobManifestGeneratorFilter::builder()
        .eligible_for_replication(true)
        .object_replication_statuses(ReplicationStatus::None)
        .object_replication_statuses(ReplicationStatus::Failed)
        .key_name_constraint(names)
        .build();
    let generator = S3JobManifestGenerator::builder()
        .expected_bucket_owner(job.account.as_str())
        .source_bucket(job.bucket_arn())
        .enable_manifest_output(false)
        .filter(filter)
        .build()?;
    let report = JobReport::builder()
        .enabled(true)
        .bucket(job.bucket_arn())
        .prefix(crate::policy::BATCH_PREFIX.trim_end_matches('/'))
        .format(JobReportFormat::ReportCsv20180820)
        .report_scope(JobReportScope::FailedTasksOnly)
        .expected_bucket_owner(job.account.as_str())
        .build();
    Ok((generator, report))
}

/// The SDK puts the account before the host's name; an emulator has one host.
#[derive(Debug)]
struct OneHost(String);

impl Intercept for OneHost {
    fn name(&self) -> &'static str {
        "weir.one-host"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let uri = request.uri().replacen(&self.0, "//", 1);
        request.set_uri(uri)?;
        Ok(())
    }
}
