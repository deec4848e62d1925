//! The failure list, as far as a plan can see it: code, severity, text, cure, and that others go on.

use super::fixture::{ALLOW_ALL, CONFIGURATION, World, account, apply, desired, key, kms, region, sample};
use crate::codes::FailureCode::{self, *};
use crate::ids::{AccountId, Arn, BucketName};
use crate::inventory::*;
use crate::plan::{Finding, Plan, PlannedState, Severity, Step, Write, build};

/// A world of two accounts; the first is to be spoilt.
fn two() -> (World, AccountId) {
    let (mut world, first) = World::of_one();
    let second = world.add_account(2, "bank", "Workloads");
    world.add_bucket(&second, &format!("trail-logs-{second}-eu-central-1"));
    (world, first)
}

fn plan(world: &World) -> Plan {
    build(&world.inventory, &world.desired)
}

fn the(plan: &Plan, code: FailureCode) -> &Finding {
    let found: Vec<&Finding> = plan.findings.iter().filter(|finding| finding.code == code).collect();
    assert_eq!(found.len(), 1, "{code}: {:#?}", plan.findings);
    found[0]
}

/// The first account is refused with `code`, saying `text` and `cure`; the second is planned as ever.
fn refuses(world: &World, code: FailureCode, text: &str, cure: &str) -> Plan {
    let plan = plan(world);
    let finding = the(&plan, code);
    assert_eq!((finding.severity, finding.account.as_ref()), (Severity::Refused, Some(&account(1))));
    says(finding, text, cure);
    assert!(plan.actions_in(&account(1)).next().is_none(), "{:#?}", plan.actions);
    assert_eq!(state(&plan, 1), PlannedState::Refused);
    assert_eq!(state(&plan, 2), PlannedState::Changes);
    assert!(!plan.is_stopped());
    plan
}

/// Nothing may be applied.
fn stops(world: &World, code: FailureCode, text: &str, cure: &str) {
    let plan = plan(world);
    let finding = the(&plan, code);
    assert_eq!(finding.severity, Severity::Stop);
    says(finding, text, cure);
    assert!(plan.is_stopped());
}

/// The account is planned all the same.
fn tells(world: &World, severity: Severity, code: FailureCode, text: &str) -> Plan {
    let plan = plan(world);
    let finding = the(&plan, code);
    assert_eq!(finding.severity, severity, "{finding:#?}");
    says(finding, text, "");
    assert_eq!(state(&plan, 1), PlannedState::Changes, "{:#?}", plan.findings);
    plan
}

fn says(finding: &Finding, text: &str, cure: &str) {
    assert!(finding.text.contains(text), "`{text}` in {finding:#?}");
    assert!(finding.cure.contains(cure), "`{cure}` in {finding:#?}");
}

fn state(plan: &Plan, number: u16) -> PlannedState {
    plan.accounts.iter().find(|found| found.id == account(number)).unwrap().state
}

#[test]
fn case_01_the_caller_may_not_list_the_organization() {
    let (mut world, _) = two();
    world.inventory.caller.kind = CallerKind::Member;
    stops(
        &world,
        CallerNotAllowed,
        "neither in the management account 888888888888",
        "organizations:ListAccounts",
    );
}

#[test]
fn case_03_an_account_that_is_not_active_is_skipped() {
    let (mut world, _) = two();
    world.suspend(1);
    let plan = plan(&world);
    says(the(&plan, AccountNotActive), "Suspended", "");
    assert_eq!((state(&plan, 1), state(&plan, 2)), (PlannedState::Skipped, PlannedState::Changes));
}

#[test]
fn cases_04_and_05_an_account_that_cannot_be_entered() {
    for code in [RoleMissing, RoleDenied] {
        let (mut world, _) = two();
        world.lock_out(1, code);
        refuses(&world, code, "weir-onboarding", "StackSet");
    }
}

#[test]
fn case_08_a_region_is_not_opted_in() {
    let (mut world, id) = two();
    world.member(&id).regions = [region("us-east-1")].into();
    refuses(&world, RegionDisabled, "eu-central-1", "enable the Region");
    let (mut world, _) = two();
    let log_account = world.add_account(3, "log", "Infrastructure");
    let mut member = world.inventory.members.remove(&log_account).unwrap();
    member.id = world.inventory.log_account.id.clone();
    member.regions = [region("us-east-1")].into();
    world.inventory.members.insert(member.id.clone(), member);
    stops(&world, RegionDisabled, "log account 999999999999 has not opted in", "choose another");
}

#[test]
fn case_09_a_service_control_policy_denies() {
    let deny = |action: &str, condition: &str| {
        format!(r#"{{"Sid":"Guard","Effect":"Deny","Action":"{action}","Resource":"*"{condition}}}"#)
    };
    for (action, named) in [
        ("s3:PutReplicationConfiguration", "s3:PutReplicationConfiguration"),
        ("iam:*", "iam:PassRole, iam:CreateRole, iam:TagRole, iam:PutRolePolicy"),
        ("s3:ReplicateObject", "s3:ReplicateObject"),
    ] {
        let (mut world, id) = two();
        world.service_control(id.as_str(), "guard", &deny(action, ""));
        let plan = refuses(
            &world,
            ScpDeny,
            "statement Guard of service control policy guard (p-guard) denies it",
            "except",
        );
        says(the(&plan, ScpDeny), named, "");
    }
    // With an exception for our roles nothing is denied, and what depends on the unknown is a warning.
    let except = r#","Condition":{"ArnNotLike":{"aws:PrincipalArn":["arn:aws:iam::*:role/weir-onboarding","arn:aws:iam::*:role/weir/*"]}}"#;
    let (mut world, id) = two();
    world.service_control(id.as_str(), "guard", &deny("*", except));
    assert!(!plan(&world).has_refusals());
    let (mut world, id) = two();
    let network = r#","Condition":{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#;
    world.service_control(id.as_str(), "guard", &deny("s3:Put*", network));
    tells(&world, Severity::Warning, ScpDeny, "may be denied");
    // The management account is not limited by them.
    let (mut world, _) = two();
    world.inventory.organization.management_account = account(1);
    world.service_control(account(1).as_str(), "guard", &deny("*", ""));
    assert!(!plan(&world).has_refusals());
}

#[test]
fn case_10_control_tower_keeps_replication_in_the_region() {
    let (mut world, id) = two();
    world.bucket(&id).region = region("eu-west-1");
    world.service_control(
        id.as_str(),
        "aws-guardrails-AbCdEf",
        r#"{"Sid":"GRDISALLOWCROSSREGIONREPLICATION","Effect":"Deny","Action":"s3:PutReplicationConfiguration","Resource":"*"}"#,
    );
    refuses(&world, CrossRegionDenied, "GRDISALLOWCROSSREGIONREPLICATION", "region = \"eu-west-1\"");
}

#[test]
fn cases_11_16_and_42_the_destination_stops_the_run() {
    let (mut world, _) = two();
    world.destination().control_tower = true;
    stops(&world, ControlTowerBucket, "central-logs", "make a bucket of your own");
    let (mut world, _) = two();
    world.destination().versioning = Versioning::Suspended;
    stops(&world, DestinationUnversioned, "somebody suspended it", "enable versioning");
    let (mut world, _) = two();
    world.destination().versioning = Versioning::Unversioned;
    world.desired = desired(&CONFIGURATION.replace("[log-account]", "[log-account]\nmanage-buckets = false"));
    stops(&world, DestinationUnversioned, "manage-buckets = false", "enable versioning");
    let (mut world, _) = two();
    world.destination().requester_pays = true;
    stops(&world, RequesterPays, "Requester Pays", "put-bucket-request-payment");
}

#[test]
fn a_new_destination_is_put_in_order() {
    let (mut world, _) = two();
    world.destination().versioning = Versioning::Unversioned;
    world.destination().ownership = None;
    let plan = tells(&world, Severity::Warning, DestinationUnversioned, "the plan enables it");
    let operations: Vec<&str> = plan
        .actions
        .iter()
        .filter(|action| action.step < Step::SourceVersioning)
        .map(|action| action.write.operation())
        .collect();
    assert_eq!(
        operations,
        [
            "PutBucketVersioning",
            "PutBucketOwnershipControls",
            "PutPublicAccessBlock",
            "PutKeyPolicy",
            "PutBucketPolicy",
            "PutBucketNotificationConfiguration"
        ]
    );
}

#[test]
fn case_12_a_bucket_is_gone_or_belongs_to_others() {
    for (code, text) in [(BucketGone, "gone"), (OwnerMismatch, "another account")] {
        let (mut world, id) = two();
        let failure = Failure {
            code,
            resource: Some("trail-logs".into()),
            region: None,
            text: format!("bucket trail-logs is {text}"),
            cure: "correct the source".into(),
        };
        world.member(&id).failures.push(failure);
        let plan = plan(&world);
        says(the(&plan, code), text, "correct");
        assert_eq!((state(&plan, 1), state(&plan, 2)), (PlannedState::Partly, PlannedState::Changes));
    }
    let name = BucketName::new("central-logs").unwrap();
    for (there, code) in [
        (Destination::Missing { bucket: name.clone() }, BucketGone),
        (Destination::OtherOwner { bucket: name.clone() }, OwnerMismatch),
        (Destination::OtherRegion { bucket: name, region: region("eu-west-1") }, WrongRegion),
    ] {
        let (mut world, _) = two();
        world.inventory.log_account.destinations.insert(region("eu-central-1"), there);
        stops(&world, code, "central-logs", "accounts.toml");
    }
}

#[test]
fn cases_14_and_15_a_source_that_is_not_versioned() {
    let (mut world, id) = two();
    world.bucket(&id).versioning = Versioning::Unversioned;
    let plan = tells(&world, Severity::Warning, SourceUnversioned, "old versions go after 7 days");
    let operations: Vec<&str> = plan.actions_in(&id).map(|action| action.write.operation()).collect();
    assert_eq!(operations[..2], ["PutBucketLifecycleConfiguration", "PutBucketVersioning"]);
    world.desired.replication.versioning = crate::desired::VersioningPolicy::Require;
    refuses(&world, SourceUnversioned, "versioning = \"require\"", "enable versioning");
    world.bucket(&id).mfa_delete = true;
    refuses(&world, Manual, "MFA delete", "root user");
}

#[test]
fn cases_17_and_18_rules_and_roles_of_others() {
    let (mut world, id) = two();
    world.foreign_rules(&id, 3);
    let plan = plan(&world);
    let texts: Vec<&str> = plan
        .findings
        .iter()
        .filter(|finding| finding.code == ForeignRules)
        .map(|finding| finding.text.as_str())
        .collect();
    assert!(
        texts.iter().any(|text| text.contains("3 rules of others") && text.contains("unchanged")),
        "{texts:?}"
    );
    assert!(texts.iter().any(|text| text.contains("role/service/backup")), "{texts:?}");
    // The role suffices: it is shared, and the destination lets it in.
    let role = Arn::new(format!("arn:aws:iam::{id}:role/service/backup")).unwrap();
    assert_eq!(plan.buckets[0].role, role);
    assert!(!plan.actions_in(&id).any(|action| action.step == Step::ReplicationRole));
    let policy = plan.actions.iter().find_map(|action| match &action.write {
        Write::PutBucketPolicy { document, .. } => Some(document),
        _ => None,
    });
    assert!(policy.unwrap().after.contains(role.as_str()));

    // It lacks something: refused, unless it may be extended.
    let narrow = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::backups/*"}]}"#;
    world.member(&id).roles.get_mut(&role).unwrap().inline_policies.insert("replicate".into(), narrow.into());
    refuses(&world, Conflict, "no statement of the role's policies allows it", "foreign-role = \"extend\"");
    world.desired.replication.foreign_role = crate::desired::ForeignRole::Extend;
    let plan = super::build(&world.inventory, &world.desired);
    let put = plan.actions_in(&id).find(|action| action.step == Step::ReplicationRole).unwrap();
    assert!(
        matches!(&put.write, Write::PutRolePolicy { policy_name, .. } if policy_name == "weir-replication")
    );
    // And never taken over.
    for action in plan.actions_in(&id) {
        if let Write::PutBucketReplication { document, .. } = &action.write {
            assert!(document.after.contains(&format!("<Role>{role}</Role>")));
        }
    }
}

#[test]
fn case_18_a_role_that_cannot_be_shared() {
    for (role, text) in [
        ("arn:aws:iam::100000000001:role/a,arn:aws:iam::999999999999:role/b", "not one role"),
        ("arn:aws:iam::100000000002:role/a", "another account"),
        ("arn:aws:iam::100000000001:role/unread", "could not be read"),
    ] {
        let (mut world, id) = two();
        world.foreign_rules(&id, 1);
        let bucket = world.bucket(&id);
        let configuration = bucket.replication.as_ref().unwrap();
        bucket.replication =
            Some(configuration.replace("arn:aws:iam::100000000001:role/service/backup", role));
        refuses(&world, Conflict, text, "role");
    }
}

#[test]
fn case_19_rules_of_the_first_version() {
    let (mut world, id) = two();
    world.foreign_rules(&id, 1);
    let bucket = world.bucket(&id);
    let configuration = bucket.replication.as_ref().unwrap();
    bucket.replication = Some(
        configuration
            .replace("<Filter><Prefix>data/1/</Prefix></Filter>", "<Prefix>data/1/</Prefix>")
            .replace("<Priority>1</Priority>", ""),
    );
    refuses(&world, RulesOfVersion1, "backup-1", "convert-v1-rules = true");
    world.desired.replication.convert_v1_rules = true;
    tells(&world, Severity::Warning, RulesOfVersion1, "converts the rules backup-1");
}

#[test]
fn cases_20_and_21_limits_and_overlaps_of_rules() {
    let (mut world, id) = two();
    world.foreign_rules(&id, 1000);
    refuses(&world, RuleLimit, "1001 rules", "join some of them");
    let (mut world, id) = two();
    world.foreign_rules(&id, 1);
    let bucket = world.bucket(&id);
    let configuration = bucket.replication.as_ref().unwrap();
    bucket.replication = Some(
        configuration.replace("data/1/", "").replace("arn:aws:s3:::backups", "arn:aws:s3:::central-logs"),
    );
    tells(&world, Severity::Warning, RuleOverlap, "wins by its priority over backup-1");
}

#[test]
fn case_22_keys_that_do_not_tell_accounts_apart() {
    let (mut world, _) = two();
    world.desired = desired(&CONFIGURATION.replace(
        "buckets = [\"*-logs-{account}-*\"]",
        "buckets = [\"*-logs-100000000001-*\"]\nlayout = \"firehose\"\n[[source]]\nbuckets = [\"*-logs-{account}-*\"]",
    ));
    refuses(&world, CollisionRisk, "do not hold the account id", "UpdateDestination");

    // Two buckets of an account with the same key.
    let (mut world, id) = two();
    world.add_bucket(&id, &format!("other-logs-{id}-eu-central-1"));
    for bucket in world.member(&id).buckets.values_mut() {
        bucket.samples = vec![sample(format!("AWSLogs/{id}/fixed-name"))];
    }
    refuses(&world, CollisionRisk, "both hold `AWSLogs/100000000001/fixed-name`", "prefixes of their own");
    for bucket in world.member(&id).buckets.values_mut() {
        bucket.samples = vec![sample(format!("AWSLogs/{id}/ELBAccessLogTestFile"))];
    }
    tells(&world, Severity::Note, CollisionRisk, "nothing is lost");

    // A statement of others that lets everybody write everything.
    let (mut world, _) = two();
    world.destination().policy = Some(r#"{"Version":"2012-10-17","Statement":[{"Sid":"Open","Effect":"Allow","Principal":"*","Action":"s3:*Object","Resource":"arn:aws:s3:::central-logs/*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}}]}"#.into());
    tells(
        &world,
        Severity::Warning,
        CollisionRisk,
        "statement Open of the policy of bucket central-logs lets any account",
    );
}

#[test]
fn keys_outside_of_the_prefix_are_told() {
    let (mut world, id) = two();
    world.bucket(&id).samples.push(sample("AWSLogs/100000000009/x".into()));
    tells(&world, Severity::Warning, KeysOutsidePrefix, "1 of 2 sampled keys");
}

#[test]
fn case_23_object_lock_on_one_side() {
    let (mut world, id) = two();
    world.bucket(&id).object_lock = true;
    refuses(
        &world,
        ObjectLockMissing,
        "DstBucketObjectLockConfigMissing",
        "enable Object Lock on bucket central-logs",
    );
    world.destination().object_lock = true;
    assert!(!plan(&world).has_refusals());
}

#[test]
fn case_24_keys_that_cannot_be_used() {
    let destination_key = Arn::new("arn:aws:kms:eu-central-1:999999999999:key/replicas").unwrap();
    let spoilt = |spoil: &dyn Fn(&mut Key)| {
        let (mut world, _) = two();
        spoil(world.inventory.log_account.keys.get_mut(&destination_key).unwrap());
        let plan = plan(&world);
        assert_eq!((state(&plan, 1), state(&plan, 2)), (PlannedState::Refused, PlannedState::Refused));
        assert_eq!(plan.actions, []);
        the(&plan, KmsKeyUnusable).text.clone()
    };
    assert!(spoilt(&|key| key.state = KeyState::Disabled).contains("is Disabled"));
    assert!(spoilt(&|key| key.state = KeyState::Missing).contains("does not exist"));
    assert!(spoilt(&|key| key.manager = KeyManager::Aws).contains("managed by AWS"));
    assert!(spoilt(&|key| key.policy = None).contains("could not be read"));
    assert!(
        spoilt(&|key| key.arn = Arn::new("arn:aws:kms:eu-west-1:999999999999:key/x").unwrap())
            .contains("is not in eu-central-1")
    );

    let (mut world, _) = two();
    world.desired = desired(&CONFIGURATION.replace("kms-key", "# kms-key"));
    world.destination().encryption = Encryption { key: None, ..kms(&account(1), "eu-central-1", false) };
    says(the(&plan(&world), KmsKeyUnusable), "aws/s3", "customer managed key");

    // On the source's side: a disabled key, and a destination without any.
    let (mut world, id) = two();
    world.bucket(&id).encryption = kms(&id, "eu-central-1", false);
    world.member(&id).keys.values_mut().for_each(|key| key.state = KeyState::PendingDeletion);
    refuses(&world, KmsKeyUnusable, "PendingDeletion", "enable the key");
    world.member(&id).keys.values_mut().for_each(|key| key.state = KeyState::Enabled);
    assert!(!plan(&world).has_refusals());
    world.member(&id).keys.clear();
    tells(&world, Severity::Warning, KmsKeyUnusable, "could not be read");
    world.member(&id).keys =
        [key(&format!("arn:aws:kms:eu-central-1:{id}:key/source"))].map(|key| (key.arn.clone(), key)).into();
    world.desired = desired(&CONFIGURATION.replace("kms-key", "# kms-key"));
    refuses(&world, KmsKeyUnusable, "has no key for the replicas", "set `kms-key`");
}

#[test]
fn case_25_a_condition_from_before_the_bucket_key() {
    let (mut world, id) = two();
    let mut source_key = key(&format!("arn:aws:kms:eu-central-1:{id}:key/source"));
    source_key.policy = Some(format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"ByObject","Effect":"Allow","Principal":{{"AWS":"{id}"}},"Action":"kms:*","Resource":"*","Condition":{{"StringLike":{{"kms:EncryptionContext:aws:s3:arn":"arn:aws:s3:::*/*"}}}}}}]}}"#
    ));
    world.member(&id).keys.insert(source_key.arn.clone(), source_key);
    world.bucket(&id).encryption = kms(&id, "eu-central-1", true);
    refuses(
        &world,
        BucketKeyContext,
        "SrcGetObjectNotPermitted",
        "\"kms:EncryptionContext:aws:s3:arn\": [\"arn:aws:s3:::trail-logs-100000000001-eu-central-1\"",
    );
}

#[test]
fn case_26_a_policy_that_would_be_too_large() {
    let (mut world, _) = two();
    let accounts: Vec<String> = (0..500)
        .map(|number| format!("\"arn:aws:iam::{:012}:role/replication\"", number + 300_000_000_000_u64))
        .collect();
    world.destination().policy = Some(format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"ByRole","Effect":"Allow","Principal":{{"AWS":[{}]}},"Action":"s3:ReplicateObject","Resource":"arn:aws:s3:::central-logs/old/*"}}]}}"#,
        accounts.join(",")
    ));
    let plan = plan(&world);
    let finding = the(&plan, PolicyTooLarge);
    says(finding, "`ByRole`", "\"aws:PrincipalOrgID\": \"o-a1b2c3d4e5\"");
    says(finding, "S3 takes 20480", "");
    assert_eq!(plan.actions, []);
}

#[test]
fn case_27_a_statement_of_others_denies() {
    let (mut world, id) = two();
    world.bucket(&id).policy = Some(format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"OnlyVpc","Effect":"Deny","Principal":"*","Action":"s3:GetObject*","Resource":"arn:aws:s3:::trail-logs-{id}-eu-central-1/*","Condition":{{"StringNotEquals":{{"aws:SourceVpce":"vpce-1"}}}}}}]}}"#
    ));
    refuses(
        &world,
        PolicyDeny,
        "statement OnlyVpc of the policy of bucket trail-logs-100000000001-eu-central-1 denies it",
        "except the role",
    );
}

#[test]
fn case_28_what_was_planned_against_is_in_every_action() {
    let (world, _) = two();
    for action in plan(&world).actions {
        if let Some((document, _)) = action.write.document() {
            let is_new = matches!(
                &action.write,
                Write::PutRolePolicy { .. }
                    | Write::PutBucketNotificationConfiguration { .. }
                    | Write::PutBucketReplication { stage: crate::plan::ReplicationStage::Canary, .. }
            );
            assert_eq!(document.before.is_none(), is_new, "{}", action.write.operation());
        }
    }
}

#[test]
fn case_29_a_named_role_that_was_made_anew() {
    let (mut world, _) = two();
    world.destination().policy = Some(r#"{"Version":"2012-10-17","Statement":[{"Sid":"WeirReplicate","Effect":"Allow","Principal":{"AWS":"AROAEXAMPLE"},"Action":"s3:ReplicateObject","Resource":"arn:aws:s3:::central-logs/*"}]}"#.into());
    let plan = tells(&world, Severity::Warning, StalePrincipal, "AROAEXAMPLE");
    let policy = plan.actions.iter().find(|action| action.write.operation() == "PutBucketPolicy").unwrap();
    assert!(!policy.write.document().unwrap().0.after.contains("AROAEXAMPLE"));
}

#[test]
fn case_37_a_bucket_of_replicas() {
    let (mut world, id) = two();
    world.bucket(&id).samples[0].replication_status = Some(ReplicationStatus::Replica);
    refuses(&world, SourceIsReplica, "receives replicas", "delivered first");
    world.bucket(&id).samples.push(sample(format!("AWSLogs/{id}/own")));
    tells(&world, Severity::Warning, SourceIsReplica, "also receives replicas");
    // Known from the other side: a rule of another bucket points at it.
    let (mut world, id) = two();
    world.bucket(&id).samples.clear();
    world.foreign_rules(&account(2), 1);
    let bucket = world.bucket(&account(2));
    bucket.replication = bucket
        .replication
        .as_ref()
        .map(|text| text.replace("backups", "trail-logs-100000000001-eu-central-1"));
    refuses(&world, SourceIsReplica, "receives replicas", "");
}

#[test]
fn cases_38_and_41_accounts_outside_of_the_organization() {
    let (mut world, _) = two();
    world.desired.members.select.include = vec![account(1), account(2), account(3)];
    let plan = plan(&world);
    let finding = the(&plan, LeftOrganization);
    assert_eq!(finding.severity, Severity::Refused);
    says(finding, "account 100000000003", "members.outside-organization");
    assert_eq!(state(&plan, 1), PlannedState::Changes);

    let (mut world, id) = two();
    world.member(&id).in_organization = false;
    assert_eq!(state(&super::build(&world.inventory, &world.desired), 1), PlannedState::Skipped);
    world.desired.members.outside_organization = vec![id.clone()];
    let plan = tells(&world, Severity::Note, OutsideOrganization, "named one by one");
    let policy = plan.actions.iter().find(|action| action.write.operation() == "PutBucketPolicy").unwrap();
    assert!(policy.write.document().unwrap().0.after.contains("WeirReplicateOutside"));
}

#[test]
fn case_40_versioning_was_suspended_later() {
    let (mut world, id) = two();
    let first = plan(&world);
    apply(&mut world.inventory, &first);
    world.bucket(&id).versioning = Versioning::Suspended;
    let plan = tells(&world, Severity::Warning, VersioningSuspended, "suspended after it was onboarded");
    assert!(plan.actions_in(&id).any(|action| action.write.operation() == "PutBucketVersioning"));
}

#[test]
fn case_43_objects_of_other_accounts() {
    let (mut world, id) = two();
    world.bucket(&id).ownership = None;
    tells(&world, Severity::Note, ForeignObjects, "would not be replicated");
    world.bucket(&id).samples[0].other_owner = Some("canonical-id".into());
    tells(&world, Severity::Warning, ForeignObjects, "1 of 1 sampled objects");
}

#[test]
fn case_44_a_role_that_would_be_too_large() {
    // Many buckets: more roles.
    let (mut world, id) = two();
    for number in 0..120 {
        world.add_bucket(&id, &format!("a-rather-long-name-of-logs-{number:03}-logs-{id}-x"));
    }
    let plan = plan(&world);
    let created =
        |plan: &Plan| plan.actions_in(&id).filter(|action| action.write.operation() == "CreateRole").count();
    assert!(created(&plan) > 1 && !plan.has_refusals());
    apply(&mut world.inventory, &plan);
    assert_eq!(super::build(&world.inventory, &world.desired).actions, []);
    // A shared role with no room left.
    let (mut world, id) = two();
    world.foreign_rules(&id, 1);
    world.desired.replication.foreign_role = crate::desired::ForeignRole::Extend;
    let long = ALLOW_ALL.replace("\"*\"}", &format!("[\"*\",\"{}\"]}}", "x".repeat(9_500)));
    world.member(&id).roles.values_mut().next().unwrap().inline_policies.insert("long".into(), long);
    refuses(&world, RolePolicyTooLarge, "role/service/backup", "managed ones");
}

#[test]
fn a_document_that_cannot_be_carried_through_is_refused() {
    let (mut world, id) = two();
    world.bucket(&id).replication =
        Some("<ReplicationConfiguration><Role>r</Role><Future/></ReplicationConfiguration>".into());
    refuses(&world, CannotRoundTrip, "<Future>", "console");
    let (mut world, _) = two();
    world.destination().policy = Some(r#"{"Statement":[],"Statement":[]}"#.into());
    let plan = plan(&world);
    assert_eq!((the(&plan, CannotRoundTrip).severity, plan.actions.len()), (Severity::Refused, 0));
}

#[test]
fn the_queue_must_hear_of_new_objects() {
    let (mut world, _) = two();
    world.inventory.log_account.queues.values_mut().for_each(|queue| queue.exists = false);
    says(the(&plan(&world), NotificationMissing), "there is no queue", "infra/");
    let (mut world, _) = two();
    world.inventory.log_account.queues.values_mut().for_each(|queue| queue.policy = None);
    says(
        the(&plan(&world), NotificationMissing),
        "does not let bucket central-logs send",
        "\"aws:SourceArn\":\"arn:aws:s3:::central-logs\"",
    );
    let (mut world, _) = two();
    world.desired = desired(&CONFIGURATION.replace("queue", "# queue"));
    tells(&world, Severity::Warning, NotificationMissing, "nobody is told");
}

#[test]
fn a_trail_that_arrives_twice_is_told() {
    let (mut world, _) = two();
    world.destination().samples =
        vec![sample("AWSLogs/o-a1b2c3d4e5/100000000001/CloudTrail/eu-central-1/x.json.gz".into())];
    let plan = plan(&world);
    let twice: Vec<&Finding> =
        plan.findings.iter().filter(|finding| finding.code == DoubleIngestion).collect();
    assert_eq!(twice.len(), 2);
    says(twice[0], "ingested twice", "services");
    assert_eq!(twice[0].severity, Severity::Warning);
}

#[test]
fn a_bucket_without_destination_or_that_is_one() {
    let (mut world, id) = two();
    world.desired = desired(&CONFIGURATION.replace("from-all-others = true", ""));
    world.bucket(&id).region = region("ap-south-1");
    let plan = plan(&world);
    says(the(&plan, NoDestination), "ap-south-1", "add a [[destination]] for ap-south-1");
    assert_eq!(state(&plan, 2), PlannedState::Changes);
    let (mut world, id) = two();
    world.desired = desired(&CONFIGURATION.replace("*-logs-{account}-*", "*-logs*"));
    world.add_bucket(&id, "central-logs");
    tells(&world, Severity::Note, SourceIsDestination, "central-logs is a destination");
}

#[test]
fn the_trail_of_an_organization_is_let_in_from_its_account_alone() {
    let (mut world, id) = two();
    world.desired = desired(&CONFIGURATION.replace(
        "[[source]]",
        "[[source]]\nbuckets = [\"trail-logs-100000000001-*\"]\nlayout = \"organization-trail\"\n[[source]]",
    ));
    world.bucket(&id).samples = vec![sample("AWSLogs/o-a1b2c3d4e5/100000000002/CloudTrail/x".into())];
    let first = plan(&world);
    assert!(!first.has_refusals(), "{:#?}", first.findings);
    let policy = |plan: &Plan| {
        plan.actions.iter().find_map(|action| match &action.write {
            Write::PutBucketPolicy { document, .. } => Some(document.after.clone()),
            _ => None,
        })
    };
    assert!(policy(&first).unwrap().contains(r#""aws:PrincipalAccount":["100000000001"]"#));
    // An account that left is told, and its name taken out.
    let mut left = World { inventory: world.inventory.clone(), desired: world.desired.clone() };
    apply(&mut left.inventory, &first);
    left.inventory.members.remove(&id);
    let plan_without = plan(&left);
    says(the(&plan_without, LeftOrganization), "account 100000000001 is named", "before they leave");
    assert!(!policy(&plan_without).unwrap().contains("100000000001"));
    // A later run that cannot enter the account does not take its right away.
    apply(&mut world.inventory, &first);
    world.lock_out(1, RoleMissing);
    assert_eq!(policy(&plan(&world)), None);
}
