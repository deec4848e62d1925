//! Objects from before: one S3 Batch Replication job for each bucket, with what it costs. Nothing is created unasked, and
//! a created job waits until somebody confirms it.
//!
//! Replication rules are for new objects alone. Older ones, and those whose replication failed, are for a job of S3 Batch
//! Operations (S3 user guide, "Replicating existing objects with Batch Replication").

use crate::aws::{Bucket, CallError, S3Read, Session};
use crate::desired::{Desired, PriceName};
use crate::ids::{AccountId, Arn, BucketName, Region};
use crate::plan::{BucketPlan, Plan, PlannedState};
use serde::Serialize;

/// A job to be created.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Job {
    pub account: AccountId,
    pub region: Region,
    pub bucket: BucketName,
    pub destination: BucketName,
    pub destination_region: Region,
    pub role: Arn,
    /// Keys that begin with one of these.
    pub prefixes: Vec<String>,
    /// None until the bucket is counted.
    pub estimate: Option<Estimate>,
}

/// What a job costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Estimate {
    /// Objects under the prefixes; those that were replicated already are left out by S3.
    pub objects: u64,
    /// Whether counting stopped before the end.
    pub at_least: bool,
    /// By the mean size of accounts.toml.
    pub gigabytes: f64,
    /// US dollars, once.
    pub dollars: f64,
}

/// Per job (S3 pricing, "S3 Batch Operations", us-east-1, 2025).
const DOLLARS_PER_JOB: f64 = 0.25;
/// Per million objects: the operation, and the manifest that S3 makes.
const DOLLARS_PER_MILLION: f64 = 1.00 + 0.015;

impl Job {
    /// The jobs of a plan: one for every bucket that is onboarded.
    pub fn of(plan: &Plan) -> Vec<Self> {
        let onboarded = plan.buckets.iter().filter(|bucket| bucket.state == PlannedState::Unchanged);
        onboarded.map(Self::of_bucket).collect()
    }

    fn of_bucket(bucket: &BucketPlan) -> Self {
        Self {
            account: bucket.account.clone(),
            region: bucket.region.clone(),
            bucket: bucket.bucket.clone(),
            destination: bucket.destination.clone(),
            destination_region: bucket.destination_region.clone(),
            role: bucket.role.clone(),
            prefixes: bucket.prefixes.clone(),
            estimate: None,
        }
    }

    /// The same bucket and prefixes give the same token, so that a job is created once.
    pub fn token(&self) -> String {
        let content = format!("{} {} {:?}", self.account, self.bucket, self.prefixes);
        blake3::hash(content.as_bytes()).to_hex().chars().take(32).collect()
    }

    pub fn bucket_arn(&self) -> String {
        Arn::of_bucket(self.region.partition(), &self.bucket).to_string()
    }

    /// At most 256 characters.
    pub fn description(&self) -> String {
        format!("Weir: objects of {} from before replication, to {}", self.bucket, self.destination)
    }

    /// Counts what is under the prefixes, up to `most` objects.
    ///
    /// # Errors
    /// When the bucket cannot be listed.
    pub async fn count(&self, session: &Session, most: u64) -> Result<(u64, bool), CallError> {
        let bucket =
            Bucket { name: self.bucket.clone(), owner: self.account.clone(), region: self.region.clone() };
        let s3 = session.s3();
        let mut objects = 0;
        for prefix in &self.prefixes {
            let mut after: Option<String> = None;
            loop {
                let page = s3.keys(&bucket, prefix, after.as_deref(), PAGE).await?;
                objects += page.len() as u64;
                if objects >= most {
                    return Ok((objects, true));
                }
                if page.len() < usize::from(PAGE) {
                    break;
                }
                after = page.last().map(|last| last.key.clone());
            }
        }
        Ok((objects, false))
    }

    /// What the job costs.
    pub fn estimate(&mut self, desired: &Desired, (objects, at_least): (u64, bool)) {
        let price = |name: PriceName| crate::plan::price(desired, name);
        let gigabytes = objects as f64 * desired.cost.kilobytes_per_object / 1e6;
        let crosses = self.region != self.destination_region;
        let transfer = if crosses { gigabytes * price(PriceName::TransferGigabyte) } else { 0.0 };
        let dollars = DOLLARS_PER_JOB
            + objects as f64 / 1e6 * DOLLARS_PER_MILLION
            + objects as f64 / 1e3 * price(PriceName::PutThousand)
            + transfer;
        self.estimate = Some(Estimate { objects, at_least, gigabytes, dollars });
    }
}

/// Keys of a page.
const PAGE: u16 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_costs_its_objects_and_crossing_regions_costs_more() {
        let desired =
            Desired::from_text(std::path::Path::new("accounts.toml"), crate::desired::template()).unwrap();
        let mut job = Job {
            account: "111111111111".parse().unwrap(),
            region: "eu-west-1".parse().unwrap(),
            bucket: "logs".parse().unwrap(),
            destination: "central".parse().unwrap(),
            destination_region: "eu-west-1".parse().unwrap(),
            role: "arn:aws:iam::111111111111:role/weir/weir-replication".parse().unwrap(),
            prefixes: vec!["AWSLogs/111111111111/".into()],
            estimate: None,
        };
        job.estimate(&desired, (1_000_000, false));
        // 0.25 for the job, 1.015 for a million objects, 1,000 times 0.005 for the writes.
        let near = job.estimate.unwrap();
        assert!((near.dollars - 6.265).abs() < 1e-6, "{near:?}");
        job.destination_region = "us-east-1".parse().unwrap();
        job.estimate(&desired, (1_000_000, false));
        let far = job.estimate.unwrap();
        assert!((far.dollars - 6.265 - 256.0 * 0.02).abs() < 1e-6, "{far:?}");
        assert_eq!(job.token(), job.clone().token());
    }
}
