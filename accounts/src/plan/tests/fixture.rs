//! An organization to plan for, and what applying a plan makes of it.

use crate::codes::FailureCode;
use crate::desired::Desired;
use crate::ids::{AccountId, Arn, BucketName, OrganizationId, OuId, Partition, Region, RootId};
use crate::inventory::*;
use crate::plan::{Plan, Write};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub(super) const ALLOW_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

pub(super) const CONFIGURATION: &str = r#"
[log-account]
id = "999999999999"

[[destination]]
region = "eu-central-1"
bucket = "central-logs"
kms-key = "arn:aws:kms:eu-central-1:999999999999:key/replicas"
queue = "arn:aws:sqs:eu-central-1:999999999999:weir"
from-all-others = true

[members]
external-id = "weir-test"

[[source]]
buckets = ["*-logs-{account}-*"]
"#;

pub(super) struct World {
    pub(super) inventory: Inventory,
    pub(super) desired: Desired,
}

pub(super) fn account(number: u16) -> AccountId {
    AccountId::new(format!("{:012}", 100_000_000_000_u64 + u64::from(number))).unwrap()
}

pub(super) fn region(name: &str) -> Region {
    Region::new(name).unwrap()
}

pub(super) fn desired(text: &str) -> Desired {
    Desired::from_text(Path::new("accounts.toml"), text).unwrap()
}

pub(super) fn kms(account: &AccountId, region: &str, bucket_key: bool) -> Encryption {
    Encryption {
        algorithm: EncryptionAlgorithm::SseKms,
        key: Some(Arn::new(format!("arn:aws:kms:{region}:{account}:key/source")).unwrap()),
        bucket_key,
    }
}

/// A key that its own account decides about.
pub(super) fn key(arn: &str) -> Key {
    let arn = Arn::new(arn).unwrap();
    let account = arn.account().unwrap();
    Key {
        policy: Some(format!(
            r#"{{"Version":"2012-10-17","Id":"key-default-1","Statement":[{{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{account}:root"}},"Action":"kms:*","Resource":"*"}}]}}"#
        )),
        arn,
        account,
        state: KeyState::Enabled,
        manager: KeyManager::Customer,
    }
}

pub(super) fn sample(key: String) -> ObjectSample {
    ObjectSample { key, last_modified: None, replication_status: None, other_owner: None }
}

impl World {
    pub(super) fn new() -> Self {
        let log_account = AccountId::new("999999999999").unwrap();
        let management = AccountId::new("888888888888").unwrap();
        let destination = DestinationBucket {
            name: BucketName::new("central-logs").unwrap(),
            versioning: Versioning::Enabled,
            mfa_delete: false,
            ownership: Some(ObjectOwnership::BucketOwnerEnforced),
            public_access_block: None,
            policy: Some(r#"{"Version":"2012-10-17","Id":"mine","Statement":[{"Sid":"TlsOnly","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::central-logs","arn:aws:s3:::central-logs/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}"#.into()),
            encryption: Encryption::default(),
            object_lock: false,
            requester_pays: false,
            notifications: None,
            lifecycle: None,
            replication: None,
            control_tower: false,
            samples: Vec::new(),
        };
        let root = RootId::new("r-a1b2").unwrap();
        let unit = |name: &str| (unit_id(name), OrganizationalUnit { name: name.to_owned(), parent: None });
        let units = BTreeMap::from(["Infrastructure", "Workloads", "Sandbox"].map(unit));
        let full = OrganizationPolicy {
            name: "FullAWSAccess".into(),
            kind: PolicyKind::ServiceControlPolicy,
            content: ALLOW_ALL.into(),
        };
        let targets = [root.to_string()].into_iter().chain(units.keys().map(ToString::to_string));
        let attachments =
            targets.map(|target| Attachment { target, policies: vec!["p-FullAWSAccess".into()] }).collect();
        let destination_key = key("arn:aws:kms:eu-central-1:999999999999:key/replicas");
        let queue = Queue {
            arn: Arn::new("arn:aws:sqs:eu-central-1:999999999999:weir").unwrap(),
            exists: true,
            policy: Some(r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"SQS:SendMessage","Resource":"arn:aws:sqs:eu-central-1:999999999999:weir","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::central-logs"}}}]}"#.into()),
        };
        World {
            inventory: Inventory {
                format: FORMAT,
                organization: Organization {
                    id: OrganizationId::new("o-a1b2c3d4e5").unwrap(),
                    partition: Partition::Commercial,
                    management_account: management.clone(),
                    root,
                    units,
                    policies: BTreeMap::from([("p-FullAWSAccess".into(), full)]),
                    attachments,
                },
                caller: Caller {
                    arn: Arn::new(format!("arn:aws:sts::{management}:assumed-role/admin/me")).unwrap(),
                    account: management,
                    kind: CallerKind::ManagementAccount,
                },
                log_account: LogAccount {
                    access: Access::Reached {
                        role: Arn::new(format!("arn:aws:iam::{log_account}:role/weir-onboarding")).unwrap(),
                    },
                    id: log_account,
                    destinations: BTreeMap::from([(
                        region("eu-central-1"),
                        Destination::Found(Box::new(destination)),
                    )]),
                    keys: BTreeMap::from([(destination_key.arn.clone(), destination_key)]),
                    queues: BTreeMap::from([(queue.arn.clone(), queue)]),
                },
                members: BTreeMap::new(),
            },
            desired: desired(CONFIGURATION),
        }
    }

    /// A world of one account with one bucket.
    pub(super) fn of_one() -> (Self, AccountId) {
        let mut world = World::new();
        let id = world.add_account(1, "shop", "Workloads");
        world.add_bucket(&id, &format!("trail-logs-{id}-eu-central-1"));
        (world, id)
    }

    pub(super) fn add_account(&mut self, number: u16, name: &str, unit: &str) -> AccountId {
        let id = account(number);
        let key = key(&format!("arn:aws:kms:eu-central-1:{id}:key/source"));
        let member = Member {
            id: id.clone(),
            name: name.to_owned(),
            email: None,
            state: AccountState::Active,
            units: vec![unit_id(unit)],
            tags: None,
            in_organization: true,
            access: Access::Reached {
                role: Arn::new(format!("arn:aws:iam::{id}:role/weir-onboarding")).unwrap(),
            },
            regions: BTreeSet::new(),
            buckets: BTreeMap::new(),
            roles: BTreeMap::new(),
            keys: BTreeMap::from([(key.arn.clone(), key)]),
            failures: Vec::new(),
        };
        self.inventory.members.insert(id.clone(), member);
        self.inventory
            .organization
            .attachments
            .push(Attachment { target: id.to_string(), policies: vec!["p-FullAWSAccess".into()] });
        id
    }

    pub(super) fn member(&mut self, id: &AccountId) -> &mut Member {
        self.inventory.members.get_mut(id).unwrap()
    }

    pub(super) fn add_bucket(&mut self, id: &AccountId, name: &str) -> &mut SourceBucket {
        let bucket = SourceBucket {
            region: region("eu-central-1"),
            versioning: Versioning::Enabled,
            mfa_delete: false,
            replication: None,
            encryption: Encryption::default(),
            object_lock: false,
            ownership: Some(ObjectOwnership::BucketOwnerEnforced),
            policy: None,
            lifecycle: None,
            logging: None,
            samples: vec![sample(format!("AWSLogs/{id}/CloudTrail/eu-central-1/2026/11/25/{name}.json.gz"))],
            bytes_per_day: None,
        };
        let name = BucketName::new(name).unwrap();
        self.member(id).buckets.entry(name).or_insert(bucket)
    }

    /// The first bucket of an account.
    pub(super) fn bucket(&mut self, id: &AccountId) -> &mut SourceBucket {
        self.member(id).buckets.values_mut().next().unwrap()
    }

    pub(super) fn destination(&mut self) -> &mut DestinationBucket {
        match self.inventory.log_account.destinations.values_mut().next().unwrap() {
            Destination::Found(bucket) => bucket,
            other => panic!("{other:?}"),
        }
    }

    /// Rules of others with a role that can do all that ours need.
    pub(super) fn foreign_rules(&mut self, id: &AccountId, count: usize) {
        let rule = |number: usize| {
            format!(
                "<Rule><ID>backup-{number}</ID><Priority>{number}</Priority><Filter><Prefix>data/{number}/</Prefix></Filter><Status>Enabled</Status><DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::backups</Bucket></Destination></Rule>"
            )
        };
        let rules = (1..=count).map(rule).collect::<Vec<_>>().concat();
        let role = Arn::new(format!("arn:aws:iam::{id}:role/service/backup")).unwrap();
        self.bucket(id).replication = Some(format!(
            "<ReplicationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Role>{role}</Role>{rules}</ReplicationConfiguration>"
        ));
        let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
        let role = Role {
            arn: role.clone(),
            unique_id: "AROAEXAMPLE".into(),
            trust_policy: trust.into(),
            inline_policies: BTreeMap::from([("replicate".into(), ALLOW_ALL.into())]),
            attached_policies: BTreeMap::new(),
            permissions_boundary: None,
            tags: BTreeMap::new(),
        };
        self.member(id).roles.insert(role.arn.clone(), role);
    }

    pub(super) fn suspend(&mut self, number: u16) {
        let member = self.member(&account(number));
        member.state = AccountState::Suspended;
        member.access = Access::NotTried;
        member.buckets.clear();
    }

    pub(super) fn lock_out(&mut self, number: u16, code: FailureCode) {
        let member = self.member(&account(number));
        member.access = Access::Failed(Failure {
            code,
            resource: None,
            region: None,
            text: format!("role weir-onboarding does not exist in account {}", member.id),
            cure: "deploy the StackSet of infra/".into(),
        });
        member.buckets.clear();
    }

    /// Attaches a service control policy of one statement beside an allowance of everything.
    pub(super) fn service_control(&mut self, target: &str, name: &str, statement: &str) {
        let content = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
        let id = format!("p-{name}");
        self.inventory.organization.policies.insert(
            id.clone(),
            OrganizationPolicy { name: name.to_owned(), kind: PolicyKind::ServiceControlPolicy, content },
        );
        let attachment =
            self.inventory.organization.attachments.iter_mut().find(|attachment| attachment.target == target);
        attachment.unwrap().policies.push(id);
    }
}

pub(super) fn unit_id(name: &str) -> OuId {
    OuId::new(format!("ou-a1b2-{:0>8}", name.to_lowercase().chars().take(8).collect::<String>())).unwrap()
}

/// What AWS holds after the plan's writes.
pub(super) fn apply(inventory: &mut Inventory, plan: &Plan) {
    for action in &plan.actions {
        let account = action.account.clone();
        match &action.write {
            Write::PutBucketVersioning { bucket, change } => match destination_mut(inventory, bucket) {
                Some(destination) => destination.versioning = change.after,
                None => source_mut(inventory, &account, bucket).versioning = change.after,
            },
            Write::PutBucketOwnershipControls { bucket, change } => {
                destination_mut(inventory, bucket).unwrap().ownership = Some(change.after);
            }
            Write::PutPublicAccessBlock { bucket, change } => {
                destination_mut(inventory, bucket).unwrap().public_access_block = Some(change.after);
            }
            Write::PutBucketPolicy { bucket, document } => {
                let destination = destination_mut(inventory, bucket).unwrap();
                assert_eq!(destination.policy, document.before);
                destination.policy = Some(document.after.clone());
            }
            Write::DeleteBucketPolicy { bucket, before } => {
                let destination = destination_mut(inventory, bucket).unwrap();
                assert_eq!(destination.policy.as_ref(), Some(before));
                destination.policy = None;
            }
            Write::PutBucketNotificationConfiguration { bucket, document } => {
                destination_mut(inventory, bucket).unwrap().notifications = Some(document.after.clone());
            }
            Write::PutBucketLifecycleConfiguration { bucket, document } => {
                source_mut(inventory, &account, bucket).lifecycle = Some(document.after.clone());
            }
            Write::PutBucketReplication { bucket, document, .. } => {
                let source = source_mut(inventory, &account, bucket);
                assert_eq!(source.replication, document.before);
                source.replication = Some(document.after.clone());
            }
            Write::DeleteBucketReplication { bucket, before } => {
                let source = source_mut(inventory, &account, bucket);
                assert_eq!(source.replication.as_ref(), Some(before));
                source.replication = None;
            }
            Write::PutCanaryObject { bucket, key_prefix, .. } => {
                let source = source_mut(inventory, &account, bucket);
                source.samples.push(sample(format!("{key_prefix}1")));
            }
            Write::PutKeyPolicy { key, document } => {
                let key = inventory.log_account.keys.get_mut(key).unwrap();
                assert_eq!(key.policy, document.before);
                key.policy = Some(document.after.clone());
            }
            Write::CreateRole { role, trust_policy, tags, .. } => {
                let created = Role {
                    arn: role.clone(),
                    unique_id: "AROANEW".into(),
                    trust_policy: trust_policy.clone(),
                    inline_policies: BTreeMap::new(),
                    attached_policies: BTreeMap::new(),
                    permissions_boundary: None,
                    tags: tags.clone(),
                };
                assert!(roles_mut(inventory, &account).insert(role.clone(), created).is_none());
            }
            Write::UpdateAssumeRolePolicy { role, document, .. } => {
                roles_mut(inventory, &account).get_mut(role).unwrap().trust_policy = document.after.clone();
            }
            Write::PutRolePolicy { role, policy_name, document, .. } => {
                let role = roles_mut(inventory, &account).get_mut(role).unwrap();
                let before = role.inline_policies.insert(policy_name.clone(), document.after.clone());
                assert_eq!(before, document.before);
            }
            Write::DeleteRolePolicy { role, policy_name, .. } => {
                let role = roles_mut(inventory, &account).get_mut(role).unwrap();
                role.inline_policies.remove(policy_name).unwrap();
            }
            Write::DeleteRole { role, .. } => {
                let removed = roles_mut(inventory, &account).remove(role).unwrap();
                assert!(removed.inline_policies.is_empty());
            }
        }
    }
}

fn roles_mut<'a>(inventory: &'a mut Inventory, account: &AccountId) -> &'a mut BTreeMap<Arn, Role> {
    &mut inventory.members.get_mut(account).unwrap().roles
}

fn source_mut<'a>(
    inventory: &'a mut Inventory,
    account: &AccountId,
    name: &BucketName,
) -> &'a mut SourceBucket {
    inventory.members.get_mut(account).unwrap().buckets.get_mut(name).unwrap()
}

fn destination_mut<'a>(inventory: &'a mut Inventory, name: &BucketName) -> Option<&'a mut DestinationBucket> {
    inventory.log_account.destinations.values_mut().find_map(|destination| match destination {
        Destination::Found(bucket) if bucket.name == *name => Some(bucket.as_mut()),
        _ => None,
    })
}
