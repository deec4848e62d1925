//! Changing buckets, and the canary objects.

use super::super::error::CallError;
use super::super::raw::Body;
use super::{Bucket, Calls};
use crate::inventory::{ObjectOwnership, PublicAccessBlock};
use async_trait::async_trait;
use aws_sdk_s3::error::BuildError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketVersioningStatus, NotificationConfiguration, OwnershipControls,
    OwnershipControlsRule, PublicAccessBlockConfiguration, ReplicationConfiguration, VersioningConfiguration,
};

/// The calls that change something.
#[async_trait]
pub trait S3Write: Send + Sync {
    async fn enable_versioning(&self, bucket: &Bucket) -> Result<(), CallError>;
    async fn suspend_versioning(&self, bucket: &Bucket) -> Result<(), CallError>;
    async fn put_ownership(&self, bucket: &Bucket, ownership: ObjectOwnership) -> Result<(), CallError>;
    async fn delete_ownership(&self, bucket: &Bucket) -> Result<(), CallError>;
    async fn put_public_access_block(
        &self,
        bucket: &Bucket,
        block: PublicAccessBlock,
    ) -> Result<(), CallError>;
    async fn delete_public_access_block(&self, bucket: &Bucket) -> Result<(), CallError>;
    async fn put_policy(&self, bucket: &Bucket, policy: &str) -> Result<(), CallError>;
    async fn delete_policy(&self, bucket: &Bucket) -> Result<(), CallError>;
    /// `xml` is a `ReplicationConfiguration`, sent as it is.
    async fn put_replication(&self, bucket: &Bucket, xml: &str) -> Result<(), CallError>;
    async fn delete_replication(&self, bucket: &Bucket) -> Result<(), CallError>;
    /// `xml` is a `LifecycleConfiguration`, sent as it is.
    async fn put_lifecycle(&self, bucket: &Bucket, xml: &str) -> Result<(), CallError>;
    async fn delete_lifecycle(&self, bucket: &Bucket) -> Result<(), CallError>;
    /// `xml` is a `NotificationConfiguration`, sent as it is. S3 asks the queue before it agrees.
    async fn put_notifications(&self, bucket: &Bucket, xml: &str) -> Result<(), CallError>;
    async fn put_object(&self, bucket: &Bucket, key: &str, body: &str) -> Result<(), CallError>;
}

/// A call that sends XML of ours in the place of `$typed`, which only satisfies the SDK.
macro_rules! raw {
    ($self:ident, $bucket:ident, $operation:literal, $method:ident, $field:ident, $typed:expr, $xml:ident) => {{
        let typed = $typed.map_err(|error| $self.refused($bucket, $operation, error))?;
        let body = Body($xml.to_owned());
        $self
            .on($bucket, $operation, |client| {
                client
                    .$method()
                    .bucket($bucket.name.as_str())
                    .expected_bucket_owner($bucket.owner.as_str())
                    .$field(typed.clone())
                    .customize()
                    .interceptor(body.clone())
                    .send()
            })
            .await
            .map(drop)
    }};
}

/// A call on a bucket with at most one parameter.
macro_rules! plain {
    ($self:ident, $bucket:ident, $operation:literal, $method:ident $(, $field:ident, $value:expr)?) => {
        $self
            .on($bucket, $operation, |client| {
                client
                    .$method()
                    .bucket($bucket.name.as_str())
                    .expected_bucket_owner($bucket.owner.as_str())
                    $(.$field($value.clone()))?
                    .send()
            })
            .await
            .map(drop)
    };
}

#[async_trait]
impl S3Write for Calls<'_> {
    async fn enable_versioning(&self, bucket: &Bucket) -> Result<(), CallError> {
        self.versioning_status(bucket, BucketVersioningStatus::Enabled).await
    }

    async fn suspend_versioning(&self, bucket: &Bucket) -> Result<(), CallError> {
        self.versioning_status(bucket, BucketVersioningStatus::Suspended).await
    }

    async fn put_ownership(&self, bucket: &Bucket, ownership: ObjectOwnership) -> Result<(), CallError> {
        let ownership = match ownership {
            ObjectOwnership::BucketOwnerEnforced => aws_sdk_s3::types::ObjectOwnership::BucketOwnerEnforced,
            ObjectOwnership::BucketOwnerPreferred => aws_sdk_s3::types::ObjectOwnership::BucketOwnerPreferred,
            ObjectOwnership::ObjectWriter => aws_sdk_s3::types::ObjectOwnership::ObjectWriter,
        };
        let controls = OwnershipControlsRule::builder()
            .object_ownership(ownership)
            .build()
            .and_then(|rule| OwnershipControls::builder().rules(rule).build())
            .map_err(|error| self.refused(bucket, "PutBucketOwnershipControls", error))?;
        plain!(
            self,
            bucket,
            "PutBucketOwnershipControls",
            put_bucket_ownership_controls,
            ownership_controls,
            controls
        )
    }

    async fn delete_ownership(&self, bucket: &Bucket) -> Result<(), CallError> {
        plain!(self, bucket, "DeleteBucketOwnershipControls", delete_bucket_ownership_controls)
    }

    async fn put_public_access_block(
        &self,
        bucket: &Bucket,
        block: PublicAccessBlock,
    ) -> Result<(), CallError> {
        let block = PublicAccessBlockConfiguration::builder()
            .block_public_acls(block.block_public_acls)
            .ignore_public_acls(block.ignore_public_acls)
            .block_public_policy(block.block_public_policy)
            .restrict_public_buckets(block.restrict_public_buckets)
            .build();
        plain!(
            self,
            bucket,
            "PutPublicAccessBlock",
            put_public_access_block,
            public_access_block_configuration,
            block
        )
    }

    async fn delete_public_access_block(&self, bucket: &Bucket) -> Result<(), CallError> {
        plain!(self, bucket, "DeletePublicAccessBlock", delete_public_access_block)
    }

    async fn put_policy(&self, bucket: &Bucket, policy: &str) -> Result<(), CallError> {
        plain!(self, bucket, "PutBucketPolicy", put_bucket_policy, policy, policy.to_owned())
    }

    async fn delete_policy(&self, bucket: &Bucket) -> Result<(), CallError> {
        plain!(self, bucket, "DeleteBucketPolicy", delete_bucket_policy)
    }

    async fn put_replication(&self, bucket: &Bucket, xml: &str) -> Result<(), CallError> {
        let typed = ReplicationConfiguration::builder().role("").set_rules(Some(Vec::new())).build();
        raw!(
            self,
            bucket,
            "PutBucketReplication",
            put_bucket_replication,
            replication_configuration,
            typed,
            xml
        )
    }

    async fn delete_replication(&self, bucket: &Bucket) -> Result<(), CallError> {
        plain!(self, bucket, "DeleteBucketReplication", delete_bucket_replication)
    }

    async fn put_lifecycle(&self, bucket: &Bucket, xml: &str) -> Result<(), CallError> {
        let typed = BucketLifecycleConfiguration::builder().set_rules(Some(Vec::new())).build();
        raw!(
            self,
            bucket,
            "PutBucketLifecycleConfiguration",
            put_bucket_lifecycle_configuration,
            lifecycle_configuration,
            typed,
            xml
        )
    }

    async fn delete_lifecycle(&self, bucket: &Bucket) -> Result<(), CallError> {
        plain!(self, bucket, "DeleteBucketLifecycle", delete_bucket_lifecycle)
    }

    async fn put_notifications(&self, bucket: &Bucket, xml: &str) -> Result<(), CallError> {
        let typed = Ok::<_, BuildError>(NotificationConfiguration::builder().build());
        raw!(
            self,
            bucket,
            "PutBucketNotificationConfiguration",
            put_bucket_notification_configuration,
            notification_configuration,
            typed,
            xml
        )
    }

    async fn put_object(&self, bucket: &Bucket, key: &str, body: &str) -> Result<(), CallError> {
        self.on(bucket, "PutObject", |client| {
            client
                .put_object()
                .bucket(bucket.name.as_str())
                .expected_bucket_owner(bucket.owner.as_str())
                .key(key)
                .content_type("text/plain")
                .body(ByteStream::from(body.as_bytes().to_vec()))
                .send()
        })
        .await
        .map(drop)
    }
}

impl Calls<'_> {
    async fn versioning_status(
        &self,
        bucket: &Bucket,
        status: BucketVersioningStatus,
    ) -> Result<(), CallError> {
        let versioning = VersioningConfiguration::builder().status(status).build();
        plain!(
            self,
            bucket,
            "PutBucketVersioning",
            put_bucket_versioning,
            versioning_configuration,
            versioning
        )
    }

    #[expect(clippy::needless_pass_by_value, reason = "for map_err")]
    fn refused(&self, bucket: &Bucket, operation: &'static str, error: BuildError) -> CallError {
        let call = self.session.call("s3", operation, &bucket.region, bucket.name.as_str());
        CallError::ours(call, error.to_string())
    }
}
