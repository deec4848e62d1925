//! The offline simulator of `weir accounts` held against the fake's own evaluation, over random policies.
//!
//! Both say whether an object would be replicated, and why not; they share no code. Where they chose different names for
//! a reason that AWS does not document, or where the simulator asks for more on purpose, this file says so.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use weir_accounts::ids::{AccountId, Arn, BucketName, OrganizationId, Partition, Region};
use weir_accounts::inventory::{Key, KeyManager, KeyState};
use weir_accounts::policy::simulate::NamedPolicy;
use weir_accounts::policy::{
    DestinationAccess, DestinationSide, FailureReason, KeyAccess, ReplicationPath, RoleBucket, SourceSide,
    inline_policy, merge, predict, trust_policy,
};
use weir_aws_fake::World;
use weir_aws_fake::builder::{Blueprint, LOG, member};
use weir_aws_fake::oracle::replicate;

const REGION: &str = "eu-west-1";
const ORGANIZATION: &str = "o-a1b2c3d4e5";
const DESTINATION: &str = "weir-logs-eu-west-1";
const SOURCE_KEY: &str = "11111111-2222-3333-4444-555555555555";
const DESTINATION_KEY: &str = "66666666-7777-8888-9999-000000000000";
/// Cases at least and at most, and the time that more than the least may take.
const CASES: u32 = 300;
const MOST: u32 = 10_000;
const TIME: Duration = Duration::from_secs(10);

/// What is wrong with our own documents.
#[derive(Debug, Clone)]
struct Case {
    /// An action that the role's policy lacks.
    lacks: Option<usize>,
    /// An action that the destination's bucket policy lacks.
    bucket_lacks: Option<usize>,
    /// An action that the destination's key policy lacks.
    key_lacks: Option<usize>,
    /// Another organization, another path of roles, another account in the bucket policy.
    stranger: Option<usize>,
    denies: Vec<Deny>,
    trust: usize,
    source_kms: bool,
    destination_kms: bool,
    bucket_key: bool,
    enforced: bool,
    suspended: bool,
    disabled: Option<usize>,
}

/// A statement that denies, in one of five policies.
#[derive(Debug, Clone)]
struct Deny {
    place: usize,
    action: usize,
    condition: usize,
    resource: usize,
}

const ACTIONS: [&str; 12] = [
    "s3:GetReplicationConfiguration",
    "s3:ListBucket",
    "s3:GetObjectVersionForReplication",
    "s3:GetObjectVersionAcl",
    "s3:ReplicateObject",
    "s3:Replicate*",
    "s3:ObjectOwnerOverrideToBucketOwner",
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "s3:*",
    "*",
];

fn conditions() -> Vec<Value> {
    vec![
        json!({}),
        json!({ "Bool": { "aws:SecureTransport": "false" } }),
        json!({ "StringNotEquals": { "aws:PrincipalOrgID": ORGANIZATION } }),
        json!({ "StringEquals": { "aws:PrincipalAccount": member(0) } }),
        json!({ "StringNotLike": { "aws:PrincipalArn": "arn:aws:iam::*:role/weir/*" } }),
        json!({ "ArnLike": { "aws:PrincipalArn": "arn:aws:iam::*:role/weir/*" } }),
        json!({ "StringNotEquals": { "kms:ViaService": format!("s3.{REGION}.amazonaws.com") } }),
        json!({ "StringLike": { "kms:ViaService": "s3.*.amazonaws.com" } }),
        json!({ "ArnLike": { "kms:EncryptionContext:aws:s3:arn": format!("arn:aws:s3:::{DESTINATION}/*") } }),
        json!({ "StringNotEqualsIfExists": { "aws:PrincipalOrgID": "o-zzzzzzzzzz" } }),
        json!({ "Null": { "aws:PrincipalOrgID": "true" } }),
        json!({ "StringNotEquals": { "s3:ResourceAccount": LOG } }),
    ]
}

fn deny() -> impl Strategy<Value = Deny> {
    (0..5_usize, 0..ACTIONS.len(), 0..conditions().len(), 0..3_usize)
        .prop_map(|(place, action, condition, resource)| Deny { place, action, condition, resource })
}

fn case() -> impl Strategy<Value = Case> {
    let seldom = |count: usize| proptest::option::weighted(0.25, 0..count);
    (
        (seldom(ACTIONS.len()), seldom(ACTIONS.len()), seldom(ACTIONS.len()), seldom(3)),
        proptest::collection::vec(deny(), 0..3),
        prop_oneof![6 => Just(0_usize), 1 => Just(1), 1 => Just(2)],
        (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()),
        prop_oneof![9 => Just(false), 1 => Just(true)],
        proptest::option::weighted(0.1, 0..2_usize),
    )
        .prop_map(
            |((lacks, bucket_lacks, key_lacks, stranger), denies, trust, flags, suspended, disabled)| {
                let (source_kms, destination_kms, bucket_key, enforced) = flags;
                // Objects of KMS need a key for their replicas.
                let destination_kms = destination_kms || source_kms;
                Case {
                    lacks,
                    bucket_lacks,
                    key_lacks,
                    stranger,
                    denies,
                    trust,
                    source_kms,
                    destination_kms,
                    bucket_key: bucket_key && destination_kms,
                    enforced,
                    suspended,
                    disabled,
                }
            },
        )
}

/// The texts of a case.
struct Documents {
    trust: String,
    role: String,
    source: Option<String>,
    destination: String,
    source_key: String,
    destination_key: String,
}

fn bucket() -> String {
    format!("logs-{}-{REGION}", member(0))
}

fn key_arn(account: &str, id: &str) -> String {
    format!("arn:aws:kms:{REGION}:{account}:key/{id}")
}

impl Case {
    fn documents(&self) -> Documents {
        let account: AccountId = member(0).parse().unwrap();
        let (region, destination): (Region, BucketName) =
            (REGION.parse().unwrap(), DESTINATION.parse().unwrap());
        let organization: OrganizationId = ORGANIZATION.parse().unwrap();
        let key = |is: bool, account: &str, id: &str| is.then(|| key_arn(account, id).parse().unwrap());
        let role = inline_policy(
            &[RoleBucket {
                partition: Partition::Commercial,
                bucket: bucket().parse().unwrap(),
                region: region.clone(),
                base: format!("AWSLogs/{account}/"),
                object_lock: false,
                source_key: key(self.source_kms, &member(0), SOURCE_KEY),
                destination: destination.clone(),
                destination_region: region.clone(),
                destination_key: key(self.destination_kms, LOG, DESTINATION_KEY),
            }],
            false,
        );
        let access = DestinationAccess {
            partition: Partition::Commercial,
            bucket: &destination,
            organization: &organization,
            by_account: BTreeSet::from(["AWSLogs/${aws:PrincipalAccount}/*".to_owned()]),
            by_owner: BTreeMap::new(),
            shared_roles: BTreeSet::new(),
            outside: BTreeSet::new(),
        };
        let policy = merge(None, &access.statements()).unwrap().text.unwrap();
        let policy = match self.stranger {
            Some(0) => policy.replace(ORGANIZATION, "o-zzzzzzzzzz"),
            Some(1) => policy.replace("role/weir/", "role/other/"),
            Some(2) => policy.replace("${aws:PrincipalAccount}", "999999999999"),
            _ => policy,
        };
        let root = |account: &str| {
            json!({ "Sid": "Root", "Effect": "Allow",
            "Principal": { "AWS": format!("arn:aws:iam::{account}:root") }, "Action": "kms:*", "Resource": "*" })
        };
        let source_key = json!({ "Version": "2012-10-17", "Statement": [root(&member(0))] }).to_string();
        let log_root = json!({ "Version": "2012-10-17", "Statement": [root(LOG)] }).to_string();
        let statements = KeyAccess { destination: &access, region: &region }.statements();
        let destination_key = merge(Some(&log_root), &statements).unwrap().text.unwrap();
        let trust = match self.trust {
            0 => trust_policy(&account, false, false),
            1 => trust_policy(&account, false, true),
            _ => trust_policy(&account, false, false).replace("s3.amazonaws.com", "lambda.amazonaws.com"),
        };
        let denied = |place: usize, text: String, resources: [String; 3], principal: bool| {
            self.denied(place, &text, &resources, principal)
        };
        let any = || [String::from("*"), String::from("*"), String::from("*")];
        let of = |name: &str| {
            [
                format!("arn:aws:s3:::{name}"),
                format!("arn:aws:s3:::{name}/*"),
                format!("arn:aws:s3:::{name}/AWSLogs/*"),
            ]
        };
        let nothing = json!({ "Version": "2012-10-17", "Statement": [] }).to_string();
        let source = denied(1, nothing, of(&bucket()), true);
        Documents {
            trust,
            role: denied(0, without(&role, self.lacks), any(), false),
            source: source.contains("Deny").then_some(source),
            destination: denied(2, without(&policy, self.bucket_lacks), of(DESTINATION), true),
            source_key: denied(3, source_key, any(), true),
            destination_key: denied(4, without(&destination_key, self.key_lacks), any(), true),
        }
    }

    /// The policy with the statements that deny there. S3 takes only its own actions in a bucket policy.
    fn denied(&self, place: usize, text: &str, resources: &[String; 3], principal: bool) -> String {
        let mut policy: Value = serde_json::from_str(text).unwrap();
        for (number, deny) in self.denies.iter().enumerate().filter(|(_, deny)| deny.place == place) {
            let mut statement = json!({ "Sid": format!("Deny{number}"), "Effect": "Deny", "Action": ACTIONS[deny.action],
                "Resource": resources[deny.resource], "Condition": conditions()[deny.condition] });
            if principal {
                statement["Principal"] = json!("*");
            }
            policy["Statement"].as_array_mut().unwrap().push(statement);
        }
        policy.to_string()
    }

    fn world(&self, documents: &Documents) -> World {
        let blueprint =
            Blueprint { accounts: 1, units: 1, regions: vec![REGION.to_owned()], ..Blueprint::default() };
        let mut world = serde_json::to_value(blueprint.build().unwrap()).unwrap();
        let policy = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let key = |number: usize, text: &str| {
            json!({ "region": REGION, "policy": policy(text),
            "state": if self.disabled == Some(number) { "Disabled" } else { "Enabled" } })
        };
        let id = member(0);
        world["accounts"][&id]["roles"]["weir-replication"] = json!({ "path": "/weir/",
            "trust": policy(&documents.trust), "inline_policies": { "weir-replication": policy(&documents.role) } });
        world["accounts"][&id]["keys"][SOURCE_KEY] = key(0, &documents.source_key);
        world["accounts"][LOG]["keys"][DESTINATION_KEY] = key(1, &documents.destination_key);
        let mut encrypted = String::new();
        let mut selection = String::new();
        if self.source_kms {
            encrypted = format!(
                "<EncryptionConfiguration><ReplicaKmsKeyID>{}</ReplicaKmsKeyID></EncryptionConfiguration>",
                key_arn(LOG, DESTINATION_KEY)
            );
            "<SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Enabled</Status></SseKmsEncryptedObjects></SourceSelectionCriteria>"
                .clone_into(&mut selection);
        }
        let rule = format!(
            "<Rule><ID>weir/1</ID><Priority>1</Priority><Filter><Prefix>AWSLogs/{id}/</Prefix></Filter><Status>Enabled</Status>\
             {selection}<DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication>\
             <Destination><Bucket>arn:aws:s3:::{DESTINATION}</Bucket><Account>{LOG}</Account>\
             <AccessControlTranslation><Owner>Destination</Owner></AccessControlTranslation>{encrypted}</Destination></Rule>"
        );
        let role = format!("arn:aws:iam::{id}:role/weir/weir-replication");
        let source = &mut world["buckets"][bucket()];
        source["replication"] = json!(weir_aws_fake::builder::replication_configuration(&role, &[rule]));
        if let Some(text) = &documents.source {
            source["policy"] = policy(text);
        }
        let destination = &mut world["buckets"][DESTINATION];
        destination["policy"] = policy(&documents.destination);
        destination["ownership"] =
            json!(if self.enforced { "BucketOwnerEnforced" } else { "BucketOwnerPreferred" });
        if self.suspended {
            destination["versioning"]["status"] = json!("Suspended");
        }
        if self.destination_kms {
            destination["encryption"] = json!(format!(
                "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>\
                 <KMSMasterKeyID>{}</KMSMasterKeyID></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>{}</BucketKeyEnabled></Rule>\
                 </ServerSideEncryptionConfiguration>",
                key_arn(LOG, DESTINATION_KEY),
                self.bucket_key
            ));
        }
        World::from_json(world.to_string().as_bytes()).unwrap()
    }

    /// What the fake says: the reason of failure, none if a replica comes to be.
    fn of_fake(&self, documents: &Documents) -> Option<&'static str> {
        let kms = self.source_kms.then(|| key_arn(&member(0), SOURCE_KEY));
        let key = format!("AWSLogs/{}/object", member(0));
        let found = replicate(&self.world(documents), &bucket(), &key, kms.as_deref());
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].failure
    }

    /// What the simulator says: each reason, and whether it is certain.
    fn of_simulator(&self, documents: &Documents) -> Vec<(String, bool)> {
        let (account, log): (AccountId, AccountId) = (member(0).parse().unwrap(), LOG.parse().unwrap());
        let organization: OrganizationId = ORGANIZATION.parse().unwrap();
        let (source, destination): (BucketName, BucketName) =
            (bucket().parse().unwrap(), DESTINATION.parse().unwrap());
        let region: Region = REGION.parse().unwrap();
        let role: Arn = format!("arn:aws:iam::{account}:role/weir/weir-replication").parse().unwrap();
        let parse = |text: &str| NamedPolicy::parse("a policy", text).unwrap();
        let key = |number: usize, account: &AccountId, id: &str, text: &str| Key {
            arn: key_arn(account.as_str(), id).parse().unwrap(),
            account: account.clone(),
            state: if self.disabled == Some(number) { KeyState::Disabled } else { KeyState::Enabled },
            manager: KeyManager::Customer,
            policy: Some(text.to_owned()),
        };
        let source_key = key(0, &account, SOURCE_KEY, &documents.source_key);
        let destination_key = key(1, &log, DESTINATION_KEY, &documents.destination_key);
        let (source_key_policy, destination_key_policy) =
            (parse(&documents.source_key), parse(&documents.destination_key));
        let (trust, identity) = (parse(&documents.trust), [parse(&documents.role)]);
        let (source_policy, destination_policy) =
            (documents.source.as_deref().map(parse), parse(&documents.destination));
        let predictions = predict(&ReplicationPath {
            partition: Partition::Commercial,
            account: &account,
            organization: Some(&organization),
            organization_path: None,
            role: &role,
            role_unique_id: None,
            trust: &trust,
            identity: &identity,
            boundary: None,
            service_control: &[],
            source: SourceSide {
                bucket: &source,
                region: &region,
                policy: source_policy.as_ref(),
                object_lock: false,
                key: self.source_kms.then_some(&source_key),
                key_policy: self.source_kms.then_some(&source_key_policy),
                bucket_key: false,
            },
            destination: DestinationSide {
                account: &log,
                bucket: &destination,
                region: &region,
                policy: Some(&destination_policy),
                resource_control: &[],
                versioned: !self.suspended,
                object_lock: false,
                key: self.destination_kms.then_some(&destination_key),
                key_policy: self.destination_kms.then_some(&destination_key_policy),
                bucket_key: self.bucket_key,
            },
            key: &format!("AWSLogs/{account}/object"),
        });
        predictions
            .into_iter()
            // The object here has no tags; logs may have some, so the simulator always asks.
            .filter(|found| {
                !matches!(
                    found.reason,
                    FailureReason::SrcGetTaggingNotPermitted | FailureReason::DstPutTaggingNotPermitted
                )
            })
            // A bucket that enforces its ownership needs no override; the simulator asks for it, since that may change.
            .filter(|found| !(self.enforced && found.reason == FailureReason::DstPutAclNotPermitted))
            // For replicas of KMS objects AWS names Encrypt and, with a Bucket Key, Decrypt. That the Bucket Key itself is a
            // data key it says elsewhere ("Reducing the cost of SSE-KMS with S3 Bucket Keys"): the simulator asks for both.
            .filter(|found| !(self.source_kms && found.action == Some("kms:GenerateDataKey")))
            .map(|found| {
                // AWS documents no reason for a role that may not list the bucket; the fake takes the one for its rules.
                let reason = match found.reason {
                    FailureReason::SrcHeadObjectNotPermitted => {
                        FailureReason::SrcBucketReplicationConfigMissing
                    }
                    other => other,
                };
                (reason.to_string(), found.certain)
            })
            .collect()
    }
}

/// The policy without an action, wherever it stands.
fn without(text: &str, action: Option<usize>) -> String {
    let Some(action) = action.map(|place| ACTIONS[place]) else { return text.to_owned() };
    let mut policy: Value = serde_json::from_str(text).unwrap();
    let statements = policy["Statement"].as_array_mut().unwrap();
    for statement in statements.iter_mut() {
        if let Some(actions) = statement["Action"].as_array_mut() {
            actions.retain(|found| found != action);
        }
    }
    statements.retain(|statement| statement["Action"] != json!([]) && statement["Action"] != action);
    policy.to_string()
}

#[test]
fn the_simulator_and_the_fake_agree_about_random_policies() {
    let began = Instant::now();
    let mut runner = TestRunner::new(Config { cases: MOST, failure_persistence: None, ..Config::default() });
    let (cases, failing) = (Cell::new(0), Cell::new(0));
    runner
        .run(&case(), |case| {
            if cases.get() >= CASES && began.elapsed() > TIME {
                return Ok(());
            }
            let documents = case.documents();
            let (fake, simulator) = (case.of_fake(&documents), case.of_simulator(&documents));
            cases.set(cases.get() + 1);
            failing.set(failing.get() + u32::from(fake.is_some()));
            match fake {
                None => {
                    let certain: Vec<_> = simulator.iter().filter(|(_, certain)| *certain).collect();
                    prop_assert!(certain.is_empty(), "replicated, though {certain:?} were foretold");
                }
                Some(reason) => prop_assert!(
                    simulator.iter().any(|(foretold, _)| foretold == reason),
                    "failed with {reason}, foretold was {simulator:?}"
                ),
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    let (cases, failing) = (cases.get(), failing.get());
    // Neither everything nor nothing fails, or the comparison says little.
    assert!(failing > cases / 5 && failing < cases * 9 / 10, "{failing} of {cases} fail");
    println!("figures: {cases} cases, {failing} of them fail");
}
