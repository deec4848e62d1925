//! What the policies allow, held together: isolation, least privilege, prediction.

use super::simulate::{Context, Decision, NamedPolicy, Policies, Principal, Request, decide};
use super::*;
use crate::desired::SourceSettings;
use crate::ids::{AccountId, Arn, BucketName, OrganizationId, Partition, Region};
use crate::inventory::{Key, KeyManager, KeyState};
use crate::layout::{Isolation, KeyLayout, resolve};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn account(digit: char) -> AccountId {
    AccountId::new(digit.to_string().repeat(12)).unwrap()
}

fn region(name: &str) -> Region {
    Region::new(name).unwrap()
}

fn organization() -> OrganizationId {
    OrganizationId::new("o-a1b2c3d4e5").unwrap()
}

fn role(account: &AccountId) -> Arn {
    Arn::new(format!("arn:aws:iam::{account}:role/weir/weir-replication")).unwrap()
}

fn layout(source: &str, account: &AccountId) -> KeyLayout {
    let source: SourceSettings = toml::from_str(&format!("buckets = [\"*\"]\n{source}")).unwrap();
    resolve(&source, account, &region("eu-west-1"), &BucketName::new("source").unwrap(), &organization())
}

/// The log account's documents for sources of account 1, of account 2, and an organization trail of account 3.
struct World {
    bucket: BucketName,
    organization: OrganizationId,
    region: Region,
    by_account: BTreeSet<String>,
    by_owner: BTreeMap<String, BTreeSet<AccountId>>,
    outside: BTreeSet<AccountId>,
}

impl World {
    fn new(sources: &[&str]) -> Self {
        let mut world = World {
            bucket: BucketName::new("central").unwrap(),
            organization: organization(),
            region: region("eu-central-1"),
            by_account: BTreeSet::new(),
            by_owner: BTreeMap::new(),
            outside: BTreeSet::new(),
        };
        for source in sources {
            match layout(source, &account('3')).isolation {
                Isolation::ByAccount { pattern } => {
                    world.by_account.insert(pattern);
                }
                Isolation::ByOwner { pattern } => {
                    world.by_owner.entry(pattern).or_default().insert(account('3'));
                }
                Isolation::Impossible { .. } => panic!("{source}"),
            }
        }
        world
    }

    fn access(&self) -> DestinationAccess<'_> {
        DestinationAccess {
            partition: Partition::Commercial,
            bucket: &self.bucket,
            organization: &self.organization,
            by_account: self.by_account.clone(),
            by_owner: self.by_owner.clone(),
            shared_roles: BTreeSet::new(),
            outside: self.outside.clone(),
        }
    }

    fn bucket_policy(&self) -> String {
        merge(None, &self.access().statements()).unwrap().text.unwrap()
    }

    fn key_policy(&self) -> String {
        let access = self.access();
        merge(None, &KeyAccess { destination: &access, region: &self.region }.statements())
            .unwrap()
            .text
            .unwrap()
    }

    /// Whether a role of `who` that may do everything on its own side can write `key`.
    fn may_write(&self, who: &AccountId, role: &Arn, organization: Option<&str>, key: &str) -> bool {
        let everything =
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
        let identity = [NamedPolicy::parse("everything", everything).unwrap()];
        let resource = NamedPolicy::parse("bucket policy", &self.bucket_policy()).unwrap();
        let mut context = Context::default()
            .with("aws:PrincipalAccount", who.to_string())
            .with("aws:PrincipalArn", role.to_string());
        if let Some(organization) = organization {
            context = context.with("aws:PrincipalOrgID", organization);
        }
        let request = Request {
            principal: Principal::Role { arn: role.clone(), account: who.clone(), unique_id: None },
            action: "s3:ReplicateObject".into(),
            resource: format!("arn:aws:s3:::central/{key}"),
            resource_account: account('9'),
            context,
        };
        let policies = Policies { identity: &identity, resource: Some(&resource), ..Policies::default() };
        decide(&request, &policies) == Decision::Allowed
    }
}

const LAYOUTS: [&str; 8] = [
    "layout = \"aws-logs\"",
    "layout = \"aws-logs\"\nprefix = \"delivery/\"",
    "layout = \"waf\"",
    "layout = \"waf\"\nprefix = \"edge/\"",
    "layout = \"s3-access-logs\"\nprefix = \"s3-access/{account}/\"",
    "layout = \"s3-access-logs-partitioned\"\nprefix = \"access/\"",
    "layout = \"firehose\"\nprefix = \"streams/{account}/{region}/\"",
    "layout = \"custom\"\nprefix = \"application/{account}/{bucket}/\"",
];

#[test]
fn an_account_writes_its_own_keys_and_nobody_elses_in_every_layout() {
    let ours = organization();
    for source in LAYOUTS {
        let world = World::new(&[source]);
        for (who, other) in [('1', '2'), ('2', '1')] {
            let (who, other) = (account(who), account(other));
            let own = layout(source, &who);
            let foreign = layout(source, &other);
            for prefix in own.prefixes.iter().chain([&own.canary_prefix]) {
                let key = format!("{prefix}2026/11/25/object");
                assert!(world.may_write(&who, &role(&who), Some(ours.as_str()), &key), "{source}: {key}");
                assert!(
                    !world.may_write(&other, &role(&other), Some(ours.as_str()), &key),
                    "{source}: {key}"
                );
            }
            // Neither by hiding the own id further down, nor from outside, nor with another role.
            let hidden = format!("{}{who}/object", foreign.base);
            assert!(!world.may_write(&who, &role(&who), Some(ours.as_str()), &hidden), "{source}: {hidden}");
            let key = format!("{}object", own.prefixes[0]);
            assert!(!world.may_write(&who, &role(&who), Some("o-zzzzzzzzzz"), &key), "{source}");
            assert!(!world.may_write(&who, &role(&who), None, &key), "{source}");
            let admin = Arn::new(format!("arn:aws:iam::{who}:role/admin")).unwrap();
            assert!(!world.may_write(&who, &admin, Some(ours.as_str()), &key), "{source}");
            assert!(!world.may_write(&who, &role(&who), Some(ours.as_str()), "elsewhere/object"), "{source}");
        }
    }
}

#[test]
fn the_trail_of_an_organization_comes_from_its_account_alone() {
    let world = World::new(&["layout = \"organization-trail\"", LAYOUTS[0]]);
    let ours = organization();
    let key = "AWSLogs/o-a1b2c3d4e5/111111111111/CloudTrail/object";
    let may = |who: char| world.may_write(&account(who), &role(&account(who)), Some(ours.as_str()), key);
    assert!(may('3') && !may('1') && !may('2'));
    // And that account still writes no other account's own keys.
    let other = "AWSLogs/111111111111/CloudTrail/object";
    assert!(!world.may_write(&account('3'), &role(&account('3')), Some(ours.as_str()), other));
}

#[test]
fn accounts_outside_are_named_and_isolated_too() {
    let mut world = World::new(&[LAYOUTS[0]]);
    world.outside.insert(account('5'));
    let may = |who: char, key: &str| {
        world.may_write(&account(who), &role(&account(who)), Some("o-zzzzzzzzzz"), key)
    };
    assert!(may('5', "AWSLogs/555555555555/x"));
    assert!(!may('5', "AWSLogs/111111111111/x") && !may('6', "AWSLogs/666666666666/x"));
}

#[test]
fn the_documents_are_as_reviewed() {
    let mut world = World::new(&LAYOUTS);
    world.by_owner.insert("AWSLogs/o-a1b2c3d4e5/*".into(), [account('3')].into());
    world.outside.insert(account('5'));
    let pretty = |text: String| {
        serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(&text).unwrap()).unwrap()
    };
    insta::assert_snapshot!("bucket_policy", pretty(world.bucket_policy()));
    insta::assert_snapshot!("key_policy", pretty(world.key_policy()));
    assert!(world.bucket_policy().len() < BUCKET_POLICY_BYTES / 4);
}

fn actions_of(documents: &[String]) -> BTreeSet<String> {
    documents
        .iter()
        .flat_map(|text| PolicyDocument::parse(text).unwrap().statements().to_vec())
        .flat_map(|statement| statement.value()["Action"].as_array().unwrap().clone())
        .map(|action| action.as_str().unwrap().to_owned())
        .collect()
}

fn full_role_bucket() -> RoleBucket {
    RoleBucket {
        partition: Partition::Commercial,
        bucket: BucketName::new("source").unwrap(),
        region: region("eu-west-1"),
        base: "AWSLogs/111111111111/".into(),
        object_lock: true,
        source_key: Some(Arn::new("arn:aws:kms:eu-west-1:111111111111:key/s").unwrap()),
        destination: BucketName::new("central").unwrap(),
        destination_region: region("eu-central-1"),
        destination_key: Some(Arn::new("arn:aws:kms:eu-central-1:999999999999:key/d").unwrap()),
    }
}

#[test]
fn every_action_of_every_policy_has_a_reason_and_every_reason_an_action() {
    let world = World::new(&LAYOUTS);
    let documents = [
        (PolicyOf::ReplicationRole, vec![inline_policy(&[full_role_bucket()], true)]),
        (PolicyOf::DestinationBucket, vec![world.bucket_policy()]),
        (PolicyOf::DestinationKey, vec![world.key_policy()]),
    ];
    for (of, documents) in documents {
        let named: BTreeSet<String> = reasons(of).iter().map(|reason| reason.action.to_owned()).collect();
        assert_eq!(actions_of(&documents), named, "{of:?}");
    }
    for of in [
        PolicyOf::ReplicationRole,
        PolicyOf::DestinationBucket,
        PolicyOf::DestinationKey,
        PolicyOf::MemberRole,
        PolicyOf::LogAccountRole,
        PolicyOf::Caller,
    ] {
        let mut seen = BTreeSet::new();
        for reason in reasons(of) {
            assert!(seen.insert(reason.action), "{} twice", reason.action);
            assert!(!reason.action.contains('*') && reason.why.len() > 15, "{reason:?}");
        }
        assert!(!seen.contains("s3:ReplicateDelete") && !seen.contains("s3:DeleteObject"), "{of:?}");
    }
}

#[test]
fn without_any_one_action_of_the_role_the_prediction_names_it() {
    let bucket = full_role_bucket();
    let policy = inline_policy(std::slice::from_ref(&bucket), false);
    let world = World::new(&[LAYOUTS[0]]);
    assert_eq!(foretell(&policy, &world.bucket_policy(), &world.key_policy(), false), []);
    for action in [
        "s3:GetReplicationConfiguration",
        "s3:ListBucket",
        "s3:GetObjectVersionForReplication",
        "s3:GetObjectVersionAcl",
        "s3:GetObjectVersionTagging",
        "s3:GetObjectRetention",
        "s3:GetObjectLegalHold",
        "s3:ReplicateObject",
        "s3:ReplicateTags",
        "s3:ObjectOwnerOverrideToBucketOwner",
        "kms:Decrypt",
        "kms:Encrypt",
    ] {
        let without = policy.replace(&format!("\"{action}\""), "\"s3:GetNothing\"");
        let found = foretell(&without, &world.bucket_policy(), &world.key_policy(), false);
        assert_eq!(found.len(), 1, "{action}: {found:?}");
        assert_eq!(found[0].action, Some(action));
        assert!(found[0].certain && found[0].why.contains("the role's policies"), "{}", found[0].why);
    }
}

/// Predicts for account 1 with keys on both sides.
fn foretell(inline: &str, bucket_policy: &str, key_policy: &str, bucket_key: bool) -> Vec<Prediction> {
    let source = full_role_bucket();
    let member = account('1');
    let log_account = account('9');
    let trust = NamedPolicy::parse("trust policy", &trust_policy(&member, false, false)).unwrap();
    let identity = [NamedPolicy::parse("weir-replication", inline).unwrap()];
    let key = |arn: &Option<Arn>, owner: &AccountId| Key {
        arn: arn.clone().unwrap(),
        account: owner.clone(),
        state: KeyState::Enabled,
        manager: KeyManager::Customer,
        policy: None,
    };
    let source_key = key(&source.source_key, &member);
    let destination_key = key(&source.destination_key, &log_account);
    let source_key_policy = NamedPolicy::parse(
        "source key",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"kms:*","Resource":"*"}]}"#,
    )
    .unwrap();
    let bucket_policy = NamedPolicy::parse("bucket policy of central", bucket_policy).unwrap();
    let key_policy = NamedPolicy::parse("key policy", key_policy).unwrap();
    let organization = organization();
    predict(&ReplicationPath {
        partition: Partition::Commercial,
        account: &member,
        organization: Some(&organization),
        organization_path: None,
        role: &role(&member),
        role_unique_id: None,
        trust: &trust,
        identity: &identity,
        boundary: None,
        service_control: &[],
        source: SourceSide {
            bucket: &source.bucket,
            region: &source.region,
            policy: None,
            object_lock: true,
            key: Some(&source_key),
            key_policy: Some(&source_key_policy),
            bucket_key,
        },
        destination: DestinationSide {
            account: &log_account,
            bucket: &source.destination,
            region: &source.destination_region,
            policy: Some(&bucket_policy),
            resource_control: &[],
            versioned: true,
            object_lock: true,
            key: Some(&destination_key),
            key_policy: Some(&key_policy),
            bucket_key: false,
        },
        key: "AWSLogs/111111111111/CloudTrail/x",
    })
}

#[test]
fn a_foreign_deny_is_named_with_policy_and_sid() {
    let world = World::new(&[LAYOUTS[0]]);
    let deny = r#"{"Version":"2012-10-17","Statement":[{"Sid":"OnlyTrail","Effect":"Deny","Principal":"*","Action":"s3:Replicate*","Resource":"arn:aws:s3:::central/*","Condition":{"StringNotEquals":{"aws:PrincipalAccount":"333333333333"}}}]}"#;
    let merged = merge(Some(deny), &world.access().statements()).unwrap().text.unwrap();
    let inline = inline_policy(&[full_role_bucket()], false);
    let found = foretell(&inline, &merged, &world.key_policy(), false);
    let reasons: Vec<FailureReason> = found.iter().map(|found| found.reason).collect();
    assert_eq!(reasons, [FailureReason::DstPutObjectNotPermitted, FailureReason::DstPutTaggingNotPermitted]);
    assert_eq!(found[0].why, "statement OnlyTrail of bucket policy of central denies it");
}

#[test]
fn a_condition_from_before_the_bucket_key_is_recognized() {
    let world = World::new(&[LAYOUTS[0]]);
    let inline = inline_policy(&[full_role_bucket()], false);
    assert_eq!(foretell(&inline, &world.bucket_policy(), &world.key_policy(), true), []);
    // Objects only, as it was written before.
    let old = world.key_policy().replace("\"arn:aws:s3:::central\",", "");
    let found = foretell(&inline, &world.bucket_policy(), &old, true);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.iter().all(|found| found.bucket_key_context.as_deref() == Some("arn:aws:s3:::central")));
    assert_eq!(foretell(&inline, &world.bucket_policy(), &old, false), []);
}

proptest! {
    /// Whatever key an account tries, the policy lets it in only under its own id.
    #[test]
    fn no_key_of_another_account_can_be_written(
        places in prop::collection::vec(prop::sample::select(vec!["AWSLogs", "delivery", "access", "s3-access", "111111111111", "222222222222", "weir-canary", "x", ""]), 1..7),
    ) {
        let world = World::new(&LAYOUTS);
        let key = places.join("/");
        let own = world.may_write(&account('1'), &role(&account('1')), Some("o-a1b2c3d4e5"), &key);
        let first_id = places.iter().find(|place| place.len() == 12);
        if own {
            prop_assert_eq!(first_id, Some(&"111111111111"), "{}", key);
        }
    }
}
