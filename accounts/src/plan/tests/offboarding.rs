//! Taking accounts out again.

use super::fixture::{ALLOW_ALL, World, account, apply};
use crate::codes::FailureCode;
use crate::ids::AccountId;
use crate::inventory::{Access, Destination};
use crate::plan::{Plan, PlannedState, Severity, Step, Write, build, offboard};
use std::collections::BTreeSet;

/// Two onboarded accounts; the first replicates for others too.
fn onboarded() -> (World, AccountId, AccountId) {
    let (mut world, first) = World::of_one();
    world.foreign_rules(&first, 2);
    let second = world.add_account(2, "bank", "Workloads");
    world.add_bucket(&second, &format!("trail-logs-{second}-eu-central-1"));
    let plan = build(&world.inventory, &world.desired);
    apply(&mut world.inventory, &plan);
    (world, first, second)
}

fn leave(world: &World, accounts: &[&AccountId]) -> Plan {
    let accounts: BTreeSet<AccountId> = accounts.iter().map(|account| (*account).clone()).collect();
    offboard(&world.inventory, &world.desired, &accounts)
}

fn operations(plan: &Plan) -> Vec<(Step, &'static str)> {
    plan.actions.iter().map(|action| (action.step, action.write.operation())).collect()
}

fn says(plan: &Plan, severity: Severity, code: FailureCode, text: &str) {
    let found = plan
        .findings
        .iter()
        .any(|finding| finding.severity == severity && finding.code == code && finding.text.contains(text));
    assert!(found, "{code} {text}: {:#?}", plan.findings);
}

fn bucket_policy(world: &World) -> String {
    match world.inventory.log_account.destinations.values().next().unwrap() {
        Destination::Found(bucket) => bucket.policy.clone().unwrap_or_default(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn rules_go_before_roles_and_roles_before_statements() {
    let (mut world, first, second) = onboarded();
    let plan = leave(&world, &[&first, &second]);
    assert_eq!(
        operations(&plan),
        [
            (Step::RemoveRules, "PutBucketReplication"),
            (Step::RemoveRules, "DeleteBucketReplication"),
            (Step::RemoveRole, "DeleteRolePolicy"),
            (Step::RemoveRole, "DeleteRole"),
            (Step::RemoveStatements, "PutBucketPolicy"),
            (Step::RemoveStatements, "PutKeyPolicy"),
        ]
    );
    says(&plan, Severity::Note, FailureCode::ForeignRulesKept, "2 rules of others");
    apply(&mut world.inventory, &plan);
    assert!(bucket_policy(&world).contains("TlsOnly") && !bucket_policy(&world).contains("Weir"));
    assert_eq!(leave(&world, &[&first, &second]).actions, []);
}

#[test]
fn one_account_leaves_and_the_others_go_on() {
    let (mut world, first, second) = onboarded();
    // What holds for all stays; only a role that was named goes.
    let plan = leave(&world, &[&second]);
    assert!(plan.actions.iter().all(|action| action.account == second), "{:?}", operations(&plan));
    let plan = leave(&world, &[&first]);
    assert_eq!(plan.actions.last().unwrap().step, Step::RemoveStatements);
    apply(&mut world.inventory, &plan);
    let policy = bucket_policy(&world);
    assert!(policy.contains("WeirReplicate") && !policy.contains("role/service/backup"), "{policy}");
    // The rest is as it was planned: onboarding again brings back the one that left, and nothing else.
    let again = build(&world.inventory, &world.desired);
    assert!(again.actions_in(&second).next().is_none() && again.actions_in(&first).next().is_some());
}

#[test]
fn an_account_that_was_not_read_keeps_its_grants() {
    let (mut world, first, second) = onboarded();
    world.member(&first).access = Access::NotTried;
    world.member(&first).buckets.clear();
    let plan = leave(&world, &[&second]);
    assert!(plan.actions.iter().all(|action| action.account == second), "{:?}", operations(&plan));
    // Asked for by name it is refused, since its rules would be left behind.
    let plan = leave(&world, &[&first]);
    says(&plan, Severity::Refused, FailureCode::Unexpected, "was not read");
    assert_eq!(plan.actions, []);
    assert_eq!(plan.accounts[0].state, PlannedState::Refused);
}

#[test]
fn an_account_that_left_the_organization_loses_what_names_it() {
    let (mut world, first, second) = onboarded();
    world.inventory.members.remove(&first);
    let plan = leave(&world, &[&first]);
    says(&plan, Severity::Warning, FailureCode::LeftOrganization, "only what the log account grants");
    assert_eq!(
        operations(&plan),
        [(Step::RemoveStatements, "PutBucketPolicy"), (Step::RemoveStatements, "PutKeyPolicy")]
    );
    apply(&mut world.inventory, &plan);
    assert!(!bucket_policy(&world).contains("role/service/backup"));
    assert!(build(&world.inventory, &world.desired).actions_in(&second).next().is_none());
}

#[test]
fn a_role_of_ours_that_others_use_stays() {
    let (mut world, _, second) = onboarded();
    let bucket = world.bucket(&second);
    let foreign = "<Rule><ID>theirs</ID><Priority>900</Priority><Filter><Prefix>x/</Prefix></Filter><Status>Enabled</Status><DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::x</Bucket></Destination></Rule></ReplicationConfiguration>";
    bucket.replication =
        bucket.replication.as_ref().map(|text| text.replace("</ReplicationConfiguration>", foreign));
    let plan = leave(&world, &[&second]);
    assert_eq!(operations(&plan), [(Step::RemoveRules, "PutBucketReplication")]);
    says(&plan, Severity::Warning, FailureCode::ForeignRulesKept, "since rules of others use it");

    let (mut world, _, second) = onboarded();
    let role = world.member(&second).roles.values_mut().next().unwrap();
    role.inline_policies.insert("theirs".into(), ALLOW_ALL.into());
    let plan = leave(&world, &[&second]);
    assert!(!plan.actions.iter().any(|action| matches!(action.write, Write::DeleteRole { .. })));
    says(&plan, Severity::Warning, FailureCode::ForeignRulesKept, "policies of others");
}

#[test]
fn what_cannot_be_read_is_left_with_its_role() {
    let (mut world, _, second) = onboarded();
    world.bucket(&second).replication =
        Some("<ReplicationConfiguration><New/></ReplicationConfiguration>".into());
    let plan = leave(&world, &[&second]);
    assert_eq!(plan.actions, []);
    says(&plan, Severity::Refused, FailureCode::CannotRoundTrip, "<New>");
    assert_eq!(plan.accounts[0].state, PlannedState::Partly);
    // Not even when everybody else goes: the rule that is left still needs its statements.
    let first = account(1);
    let plan = leave(&world, &[&first, &second]);
    assert!(bucket_policy(&world).contains("role/service/backup"));
    assert!(plan.actions.iter().all(|action| !matches!(action.write, Write::DeleteBucketPolicy { .. })));
    apply(&mut world.inventory, &plan);
    assert!(bucket_policy(&world).contains("WeirReplicate"));
}
