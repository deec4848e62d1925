//! What the plan will cost in a month, with what that assumes.

use super::{BucketPlan, PlannedState};
use crate::desired::{Desired, PriceName};
use crate::inventory::{EncryptionAlgorithm, Inventory};
use serde::{Deserialize, Serialize};

const DAYS: f64 = 30.0;
const GIGABYTE: f64 = 1_000_000_000.0;

/// An estimate, in US dollars a month.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostEstimate {
    /// The dearest first; items of no cost are left out.
    pub items: Vec<CostItem>,
    /// The sum of the items.
    pub dollars_per_month: f64,
    /// What was assumed, one sentence each.
    pub assumptions: Vec<String>,
}

/// One line of the estimate: quantity × price.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostItem {
    pub name: String,
    /// Per month.
    pub quantity: f64,
    /// What the quantity counts, such as `GB`.
    pub unit: String,
    /// US dollars for one unit.
    pub price: f64,
    pub dollars_per_month: f64,
}

/// List prices of us-east-1 in US dollars, as published for 2025.
fn list_price(name: PriceName) -> f64 {
    match name {
        PriceName::TimeControlGigabyte => 0.015,
        PriceName::TransferGigabyte => 0.02,
        PriceName::PutThousand => 0.005,
        PriceName::StorageGigabyteMonth => 0.023,
        PriceName::KmsTenThousand => 0.03,
        PriceName::KmsKeyMonth => 1.0,
        PriceName::MetricMonth => 0.30,
    }
}

/// What one bucket adds, per month.
#[derive(Debug, Default)]
struct Sums {
    gigabytes: f64,
    time_control: f64,
    transfer: f64,
    objects: f64,
    noncurrent: f64,
    kms_requests: f64,
    metrics: f64,
    /// Buckets whose volume is assumed.
    assumed: usize,
    buckets: usize,
}

/// A price of accounts.toml, or the list price, in US dollars.
pub(crate) fn price(desired: &Desired, name: PriceName) -> f64 {
    desired.cost.prices.get(&name).copied().unwrap_or_else(|| list_price(name))
}

/// Estimates what the buckets of a plan cost while they replicate, refused ones left out.
pub(super) fn estimate(inventory: &Inventory, desired: &Desired, buckets: &[BucketPlan]) -> CostEstimate {
    let price = |name: PriceName| price(desired, name);
    let mut sums = Sums::default();
    for plan in buckets.iter().filter(|bucket| bucket.state != PlannedState::Refused) {
        let Some(source) =
            inventory.members.get(&plan.account).and_then(|member| member.buckets.get(&plan.bucket))
        else {
            continue;
        };
        sums.buckets += 1;
        sums.assumed += usize::from(source.bytes_per_day.is_none());
        let daily = source
            .bytes_per_day
            .map_or(desired.cost.gigabytes_per_bucket_and_day, |bytes| bytes as f64 / GIGABYTE);
        let gigabytes = daily * DAYS;
        let objects = gigabytes * 1_000_000.0 / desired.cost.kilobytes_per_object;
        sums.gigabytes += gigabytes;
        sums.objects += objects;
        if plan.time_control {
            sums.time_control += gigabytes;
            // Three metrics for each rule and destination (S3 User Guide, "Monitoring replication").
            sums.metrics += 3.0 * plan.prefixes.len() as f64;
        }
        if plan.region != plan.destination_region {
            sums.transfer += gigabytes;
        }
        if plan.kms_key.is_some() {
            let source_calls =
                if source.encryption.algorithm == EncryptionAlgorithm::SseS3 { 0.0 } else { 1.0 };
            // A Bucket Key spares nearly all calls.
            let factor = if source.encryption.bucket_key { 0.01 } else { 1.0 };
            sums.kms_requests += objects * (1.0 + source_calls) * factor;
        }
        let enables_versioning = source.versioning != crate::inventory::Versioning::Enabled;
        if enables_versioning {
            // Logs are seldom written twice; what versioning keeps are versions that lifecycle rules delete.
            sums.noncurrent += daily * f64::from(desired.replication.noncurrent_days);
        }
    }
    let keys: std::collections::BTreeSet<_> =
        buckets.iter().filter_map(|bucket| bucket.kms_key.as_ref()).collect();
    let lines = [
        ("Replication Time Control", sums.time_control, "GB", PriceName::TimeControlGigabyte, 1.0),
        (
            "CloudWatch metrics of Replication Time Control",
            sums.metrics,
            "metrics",
            PriceName::MetricMonth,
            1.0,
        ),
        ("Transfer between Regions", sums.transfer, "GB", PriceName::TransferGigabyte, 1.0),
        ("Replica PUT requests", sums.objects, "1,000 requests", PriceName::PutThousand, 1_000.0),
        ("Replicas, a month of them", sums.gigabytes, "GB-months", PriceName::StorageGigabyteMonth, 1.0),
        (
            "Old versions in source buckets",
            sums.noncurrent,
            "GB-months",
            PriceName::StorageGigabyteMonth,
            1.0,
        ),
        ("KMS requests", sums.kms_requests, "10,000 requests", PriceName::KmsTenThousand, 10_000.0),
        ("KMS keys of destinations", keys.len() as f64, "keys", PriceName::KmsKeyMonth, 1.0),
    ];
    let mut items: Vec<CostItem> = lines
        .into_iter()
        .map(|(name, amount, unit, price_name, per)| {
            let (quantity, price) = (round(amount / per), price(price_name));
            CostItem {
                name: name.to_owned(),
                quantity,
                unit: unit.to_owned(),
                price,
                dollars_per_month: round(quantity * price),
            }
        })
        .filter(|item| item.dollars_per_month > 0.0)
        .collect();
    items.sort_by(|left, right| {
        right.dollars_per_month.total_cmp(&left.dollars_per_month).then_with(|| left.name.cmp(&right.name))
    });
    CostEstimate {
        dollars_per_month: round(items.iter().map(|item| item.dollars_per_month).sum()),
        items,
        assumptions: assumptions(desired, &sums),
    }
}

fn assumptions(desired: &Desired, sums: &Sums) -> Vec<String> {
    if sums.buckets == 0 {
        return Vec::new();
    }
    let cost = &desired.cost;
    let mut assumptions = vec![
        "list prices of us-east-1 in US dollars, but for those in `prices` of accounts.toml".to_owned(),
        "a month of 30 days; storage grows by as much every month that nothing expires".to_owned(),
        format!("objects of {} KB on average", cost.kilobytes_per_object),
    ];
    if sums.assumed > 0 {
        assumptions.push(format!(
            "{} GB a day in each of {} buckets whose volume is not known",
            cost.gigabytes_per_bucket_and_day, sums.assumed
        ));
    }
    if sums.noncurrent > 0.0 {
        assumptions.push(format!(
            "in buckets that become versioned, as much is deleted as arrives, and kept for {} days more",
            desired.replication.noncurrent_days
        ));
    }
    if sums.kms_requests > 0.0 {
        assumptions.push(
            "one KMS request for each object read and written; with a Bucket Key one in a hundred".to_owned(),
        );
    }
    assumptions
}

/// To a hundredth: more digits would claim more than is known.
fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
