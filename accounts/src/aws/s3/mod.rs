//! S3: buckets, their configuration, and objects. Reading and writing are two traits, so that what only looks cannot
//! change anything.
//!
//! Every call on a bucket names the account that must own it: a bucket that was deleted and taken by somebody else is
//! refused instead of read or written. A bucket in another Region than thought is asked for there, and remembered.

mod read;
mod write;

pub use self::read::{EncryptionFacts, S3Read};
pub use self::write::S3Write;

use super::error::{CallError, Kind};
use super::session::Session;
use crate::ids::{AccountId, BucketName, Region};
use crate::inventory::ReplicationStatus;
use aws_sdk_s3::Client;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Mutex, PoisonError};

/// A bucket as calls need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub name: BucketName,
    /// The account that must own it.
    pub owner: AccountId,
    pub region: Region,
}

/// A bucket of the account (`ListBuckets`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketFacts {
    pub name: BucketName,
    /// None where the service does not say it in the list.
    pub region: Option<Region>,
}

/// An object (`HeadObject`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectFacts {
    pub last_modified: Option<Timestamp>,
    /// None when no rule applied to the object.
    pub replication_status: Option<ReplicationStatus>,
    pub version_id: Option<String>,
}

/// The S3 of one account, in all Regions.
pub struct Calls<'a> {
    session: &'a Session,
    clients: Mutex<BTreeMap<Region, Client>>,
}

impl Session {
    /// S3, in whatever Region a bucket is.
    pub fn s3(&self) -> Calls<'_> {
        Calls { session: self, clients: Mutex::default() }
    }
}

impl Calls<'_> {
    fn client(&self, region: &Region) -> Client {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients
            .entry(region.clone())
            .or_insert_with(|| {
                let config = aws_sdk_s3::config::Builder::from(&self.session.config(region))
                    .retry_partition(self.session.partition())
                    .interceptor(self.session.observer())
                    .force_path_style(self.session.path_style())
                    .build();
                Client::from_conf(config)
            })
            .clone()
    }

    /// Makes a call on a bucket, where the bucket is.
    async fn on<T, E, F>(
        &self,
        bucket: &Bucket,
        operation: &'static str,
        send: impl Fn(Client) -> F,
    ) -> Result<T, CallError>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let mut region = self.session.bucket_region(&bucket.name).unwrap_or_else(|| bucket.region.clone());
        let mut redirected = false;
        loop {
            let call = self.session.call("s3", operation, &region, bucket.name.as_str());
            let client = self.client(&region);
            let answer = self.session.run(&call, None, || send(client.clone())).await;
            match &answer {
                Err(error @ CallError { kind: Kind::WrongRegion(right), .. }) if !redirected => {
                    tracing::info!(code = %error.code_of_report(), "{error}; the call is sent there");
                    self.session.set_bucket_region(&bucket.name, right.clone());
                    region = right.clone();
                    redirected = true;
                }
                _ => return answer,
            }
        }
    }
}

/// A reading that may find nothing.
fn found<T>(answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match answer {
        // A bucket that is gone is a failure, a configuration that is not there is an answer.
        Err(error) if error.is_not_found() && !error.has_code("NoSuchBucket") => Ok(None),
        answer => answer.map(Some),
    }
}
