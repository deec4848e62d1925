//! The role that S3 replicates with: whom it trusts and what it may do.

use super::canonical::{INLINE_POLICY_CHARACTERS, counted_characters};
use super::document::{OwnStatement, own_document};
use crate::ids::{AccountId, Arn, BucketName, Partition, Region};
use std::collections::BTreeSet;

/// The name of our inline policy, on our role and on shared ones.
pub const INLINE_POLICY_NAME: &str = "weir-replication";

/// Where manifests and reports of S3 Batch Replication go, in the source bucket.
pub const BATCH_PREFIX: &str = "weir-batch/";

/// One source bucket, as its role needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleBucket {
    pub partition: Partition,
    pub bucket: BucketName,
    pub region: Region,
    /// Keys that are replicated begin with it; canaries lie within.
    pub base: String,
    pub object_lock: bool,
    /// The customer managed key of the source's default encryption.
    pub source_key: Option<Arn>,
    pub destination: BucketName,
    pub destination_region: Region,
    pub destination_key: Option<Arn>,
}

/// Who may assume the role: S3, and S3 Batch Operations where existing objects are to be replicated.
pub fn trust_policy(account: &AccountId, existing_objects: bool, source_account: bool) -> String {
    let mut services = vec!["s3.amazonaws.com".to_owned()];
    if existing_objects {
        services.push("batchoperations.s3.amazonaws.com".to_owned());
    }
    let mut statement =
        OwnStatement::allow("WeirAssume", vec!["sts:AssumeRole"], Vec::new()).principal("Service", services);
    if source_account {
        statement = statement.condition("StringEquals", "aws:SourceAccount", vec![account.to_string()]);
    }
    own_document(&[statement])
}

/// The description of a role that we create.
pub fn role_description() -> &'static str {
    "S3 replicates logs to the log account with this role. Managed by weir accounts."
}

/// What the role may do for `buckets`, as one inline policy.
pub fn inline_policy(buckets: &[RoleBucket], existing_objects: bool) -> String {
    own_document(&statements(buckets, existing_objects))
}

fn statements(buckets: &[RoleBucket], existing_objects: bool) -> Vec<OwnStatement> {
    let arn = |partition: Partition, bucket: &BucketName| format!("arn:{partition}:s3:::{bucket}");
    let sources: BTreeSet<String> =
        buckets.iter().map(|bucket| arn(bucket.partition, &bucket.bucket)).collect();
    let objects = |wanted: &dyn Fn(&&RoleBucket) -> bool| -> Vec<String> {
        let set: BTreeSet<String> = buckets
            .iter()
            .filter(wanted)
            .map(|bucket| format!("{}/{}*", arn(bucket.partition, &bucket.bucket), bucket.base))
            .collect();
        set.into_iter().collect()
    };
    let destinations: BTreeSet<String> =
        buckets.iter().map(|bucket| arn(bucket.partition, &bucket.destination)).collect();
    let replicas: BTreeSet<String> = buckets
        .iter()
        .map(|bucket| format!("{}/{}*", arn(bucket.partition, &bucket.destination), bucket.base))
        .collect();

    let mut statements = vec![
        OwnStatement::allow(
            "WeirReadConfiguration",
            vec!["s3:GetReplicationConfiguration", "s3:ListBucket"],
            sources.iter().cloned().collect(),
        ),
        OwnStatement::allow(
            "WeirReadObjects",
            vec!["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"],
            objects(&|_| true),
        ),
        OwnStatement::allow(
            "WeirReplicate",
            vec!["s3:ReplicateObject", "s3:ReplicateTags", "s3:ObjectOwnerOverrideToBucketOwner"],
            replicas.into_iter().collect(),
        ),
        OwnStatement::allow(
            "WeirReadVersioning",
            vec!["s3:GetBucketVersioning"],
            destinations.into_iter().collect(),
        ),
    ];
    let locked = objects(&|bucket| bucket.object_lock);
    if !locked.is_empty() {
        statements.push(OwnStatement::allow(
            "WeirReadLocks",
            vec!["s3:GetObjectRetention", "s3:GetObjectLegalHold"],
            locked,
        ));
    }
    statements.extend(key_statements(
        "WeirDecryptSources",
        &["kms:Decrypt"],
        buckets.iter().filter_map(|bucket| {
            Some((
                bucket.source_key.as_ref()?,
                &bucket.region,
                arn(bucket.partition, &bucket.bucket),
                bucket.partition,
            ))
        }),
    ));
    statements.extend(key_statements(
        "WeirEncryptReplicas",
        &["kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt"],
        buckets.iter().filter_map(|bucket| {
            let destination = arn(bucket.partition, &bucket.destination);
            Some((
                bucket.destination_key.as_ref()?,
                &bucket.destination_region,
                destination,
                bucket.partition,
            ))
        }),
    ));
    if existing_objects {
        statements.push(OwnStatement::allow(
            "WeirBatchStart",
            vec!["s3:InitiateReplication"],
            objects(&|_| true),
        ));
        statements.push(OwnStatement::allow(
            "WeirBatchManifest",
            vec!["s3:PutInventoryConfiguration"],
            sources.iter().cloned().collect(),
        ));
        let files = sources.iter().map(|source| format!("{source}/{BATCH_PREFIX}*")).collect();
        statements.push(OwnStatement::allow(
            "WeirBatchFiles",
            vec!["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"],
            files,
        ));
    }
    statements
}

/// One statement per Region: `kms:ViaService` names it. The encryption context is the object's ARN, or the bucket's
/// where a Bucket Key is on; both are allowed.
fn key_statements<'a>(
    sid: &str,
    actions: &[&'static str],
    uses: impl Iterator<Item = (&'a Arn, &'a Region, String, Partition)>,
) -> Vec<OwnStatement> {
    let mut by_region: Vec<(&Region, Partition, BTreeSet<String>, BTreeSet<String>)> = Vec::new();
    for (key, region, bucket, partition) in uses {
        let contexts = [format!("{bucket}/*"), bucket];
        match by_region.iter_mut().find(|(other, ..)| *other == region) {
            Some((_, _, keys, known)) => {
                keys.insert(key.to_string());
                known.extend(contexts);
            }
            None => by_region.push((region, partition, [key.to_string()].into(), contexts.into())),
        }
    }
    by_region.sort_by_key(|(region, ..)| *region);
    by_region
        .into_iter()
        .enumerate()
        .map(|(place, (region, partition, keys, contexts))| {
            let sid = if place == 0 { sid.to_owned() } else { format!("{sid}{}", place + 1) };
            OwnStatement::allow(sid, actions.to_vec(), keys.into_iter().collect())
                .condition(
                    "StringEquals",
                    "kms:ViaService",
                    vec![format!("s3.{region}.{}", partition.dns_suffix())],
                )
                .condition("StringLike", "kms:EncryptionContext:aws:s3:arn", contexts.into_iter().collect())
        })
        .collect()
}

/// Spreads buckets over as few roles as IAM's quota for inline policies asks for. `assigned` is the number of the role
/// that a bucket has already, and keeps while it fits: a bucket that changes its role needs a new canary.
///
/// The answer has a list of places in `buckets` for each role; a bucket that fits no role by itself is in the last list.
pub fn split_into_roles(
    buckets: &[RoleBucket],
    assigned: impl Fn(&RoleBucket) -> Option<usize>,
    existing_objects: bool,
) -> (Vec<Vec<usize>>, Vec<usize>) {
    let mut roles: Vec<Vec<usize>> = Vec::new();
    let mut too_large = Vec::new();
    let fits = |places: &[usize]| {
        let members: Vec<RoleBucket> =
            places.iter().filter_map(|place| buckets.get(*place).cloned()).collect();
        counted_characters(&inline_policy(&members, existing_objects)) <= INLINE_POLICY_CHARACTERS
    };
    // Those that have a role choose first.
    let mut order: Vec<usize> = (0..buckets.len()).collect();
    order.sort_by_key(|place| {
        let role = buckets.get(*place).and_then(&assigned);
        (role.is_none(), role, *place)
    });
    for place in order {
        let preferred = buckets.get(place).and_then(&assigned).unwrap_or(0);
        if !fits(&[place]) {
            too_large.push(place);
            continue;
        }
        // A number far beyond what could be needed is not ours.
        if preferred < buckets.len() && roles.len() <= preferred {
            roles.resize(preferred + 1, Vec::new());
        }
        let candidates = [preferred].into_iter().chain(0..roles.len());
        let found = candidates.filter(|role| *role < roles.len()).find(|role| {
            roles.get(*role).is_some_and(|members| {
                let with: Vec<usize> = members.iter().copied().chain([place]).collect();
                fits(&with)
            })
        });
        match found.and_then(|role| roles.get_mut(role)) {
            Some(members) => members.push(place),
            None => roles.push(vec![place]),
        }
    }
    for members in &mut roles {
        members.sort_unstable();
    }
    (roles, too_large)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bucket(name: &str) -> RoleBucket {
        RoleBucket {
            partition: Partition::Commercial,
            bucket: BucketName::new(name).unwrap(),
            region: Region::new("eu-west-1").unwrap(),
            base: "AWSLogs/111111111111/".into(),
            object_lock: false,
            source_key: None,
            destination: BucketName::new("central").unwrap(),
            destination_region: Region::new("eu-central-1").unwrap(),
            destination_key: None,
        }
    }

    fn key(region: &str) -> Arn {
        Arn::new(format!("arn:aws:kms:{region}:222222222222:key/1")).unwrap()
    }

    #[test]
    fn the_policies_are_as_reviewed() {
        let account = AccountId::new("111111111111").unwrap();
        let plain = [bucket("first"), bucket("second")];
        let full = [RoleBucket {
            object_lock: true,
            source_key: Some(key("eu-west-1")),
            destination_key: Some(key("eu-central-1")),
            ..bucket("locked")
        }];
        let pretty = |text: String| {
            serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(&text).unwrap()).unwrap()
        };
        insta::assert_snapshot!("trust", pretty(trust_policy(&account, true, true)));
        insta::assert_snapshot!("inline_plain", pretty(inline_policy(&plain, false)));
        insta::assert_snapshot!("inline_full", pretty(inline_policy(&full, true)));
    }

    #[test]
    fn many_buckets_are_spread_over_roles_and_stay_there() {
        let buckets: Vec<RoleBucket> =
            (0..120).map(|number| bucket(&format!("a-rather-long-name-of-a-bucket-{number:03}"))).collect();
        let (roles, too_large) = split_into_roles(&buckets, |_| None, false);
        assert!(roles.len() > 1 && too_large.is_empty(), "{}", roles.len());
        for places in &roles {
            let members: Vec<RoleBucket> = places.iter().map(|place| buckets[*place].clone()).collect();
            assert!(counted_characters(&inline_policy(&members, false)) <= INLINE_POLICY_CHARACTERS);
        }
        // A bucket that comes before all others in the order moves none.
        let of = |name: &BucketName| {
            roles.iter().position(|places| places.iter().any(|place| buckets[*place].bucket == *name))
        };
        let mut more = vec![bucket("a-bucket-before-the-others")];
        more.extend(buckets.iter().cloned());
        let (again, _) = split_into_roles(&more, |bucket| of(&bucket.bucket), false);
        for (number, places) in again.iter().enumerate() {
            for place in places.iter().filter(|place| **place > 0) {
                assert_eq!(of(&more[*place].bucket), Some(number));
            }
        }
    }

    #[test]
    fn a_bucket_that_fits_no_role_is_named() {
        let huge = RoleBucket { base: "x".repeat(11_000), ..bucket("huge") };
        let (roles, too_large) = split_into_roles(&[bucket("small"), huge], |_| None, false);
        assert_eq!((roles, too_large), (vec![vec![0]], vec![1]));
    }

    proptest! {
        #[test]
        fn every_bucket_gets_one_role(count in 1usize..60, seed in prop::collection::vec(prop::option::of(0usize..100), 60)) {
            let buckets: Vec<RoleBucket> = (0..count).map(|number| bucket(&format!("bucket-{number:059}"))).collect();
            let place = |found: &RoleBucket| buckets.iter().position(|other| other == found).unwrap();
            let (roles, too_large) = split_into_roles(&buckets, |bucket| seed[place(bucket)], false);
            let mut all: Vec<usize> = roles.into_iter().flatten().chain(too_large).collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..count).collect::<Vec<_>>());
        }
    }
}
