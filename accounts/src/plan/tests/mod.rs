//! Plans over whole inventories.

mod cases;
mod fixture;
mod offboarding;
mod properties;

use self::fixture::{World, apply};
use super::*;
use crate::codes::FailureCode;
use std::collections::BTreeSet;

/// Twenty-five accounts in three units, several with rules, policies and faults of their own.
fn organization() -> World {
    let mut world = World::new();
    let units = ["Infrastructure", "Workloads", "Sandbox"];
    for number in 1..=25 {
        let unit = units[number % 3];
        let account = world.add_account(number as u16, &format!("account-{number:02}"), unit);
        world.add_bucket(&account, &format!("trail-logs-{account}-eu-central-1"));
        match number % 6 {
            1 => {
                let bucket = world.add_bucket(&account, &format!("flow-logs-{account}-eu-west-1"));
                bucket.region = Region::new("eu-west-1").unwrap();
                bucket.versioning = crate::inventory::Versioning::Unversioned;
            }
            2 => world.foreign_rules(&account, 2),
            3 => world.bucket(&account).encryption = fixture::kms(&account, "eu-central-1", true),
            _ => {}
        }
    }
    world.suspend(7);
    world.lock_out(11, FailureCode::RoleMissing);
    world
}

/// A bucket of its own Region, one with rules of others, one that has to be versioned and is elsewhere.
fn three_accounts() -> World {
    let mut world = World::new();
    let plain = world.add_account(1, "shop", "Workloads");
    world.add_bucket(&plain, &format!("trail-logs-{plain}-eu-central-1"));
    let shared = world.add_account(2, "bank", "Workloads");
    world.add_bucket(&shared, &format!("trail-logs-{shared}-eu-central-1"));
    world.foreign_rules(&shared, 1);
    let new = world.add_account(3, "laboratory", "Sandbox");
    let bucket = world.add_bucket(&new, &format!("flow-logs-{new}-eu-west-1"));
    bucket.region = Region::new("eu-west-1").unwrap();
    bucket.versioning = crate::inventory::Versioning::Unversioned;
    world
}

#[test]
fn a_plan_as_json_is_as_reviewed() {
    let world = three_accounts();
    insta::assert_json_snapshot!(
        "json",
        serde_json::from_str::<serde_json::Value>(
            &view::json(&build(&world.inventory, &world.desired)).unwrap()
        )
        .unwrap()
    );
}

#[test]
fn plans_for_people_are_as_reviewed() {
    let plain = view::Options { colour: false, documents: true };
    let world = three_accounts();
    insta::assert_snapshot!("three_accounts", view::human(&build(&world.inventory, &world.desired), &plain));
    let coloured = view::human(
        &build(&world.inventory, &world.desired),
        &view::Options { colour: true, documents: true },
    );
    insta::assert_snapshot!("three_accounts_in_colour", coloured.replace('\x1b', "ESC"));

    let mut world = organization();
    let short = view::Options { colour: false, documents: false };
    let first = build(&world.inventory, &world.desired);
    assert!(!first.is_stopped() && first.has_changes() && first.has_refusals());
    insta::assert_snapshot!("organization", view::human(&first, &short));
    apply(&mut world.inventory, &first);
    insta::assert_snapshot!(
        "organization_unchanged",
        view::human(&build(&world.inventory, &world.desired), &short)
    );
    let leaving = world.inventory.members.keys().take(2).cloned().collect();
    insta::assert_snapshot!(
        "offboarding",
        view::human(&offboard(&world.inventory, &world.desired, &leaving), &plain)
    );
    world.destination().requester_pays = true;
    insta::assert_snapshot!("stopped", view::human(&build(&world.inventory, &world.desired), &short));
}

#[test]
fn a_thousand_accounts_can_be_read() {
    let mut world = World::new();
    for number in 0..1000_u16 {
        let account = world.add_account(number, "account", "Workloads");
        world.add_bucket(&account, &format!("trail-logs-{account}-a")).ownership = None;
        if number % 10 == 0 {
            world.bucket(&account).mfa_delete = true;
            world.bucket(&account).versioning = crate::inventory::Versioning::Unversioned;
        }
    }
    let plan = build(&world.inventory, &world.desired);
    let text = view::human(&plan, &view::Options { colour: false, documents: false });
    assert!(
        text.contains("and 850 accounts more to change") && text.contains("and 990 more FOREIGN_OBJECTS"),
        "{text}"
    );
    assert!(text.contains("and 50 more MANUAL") && text.lines().count() < 500, "{}", text.lines().count());
    // A thousand refusals do not fill the screen either.
    for member in world.inventory.members.values_mut() {
        let bucket = member.buckets.values_mut().next().unwrap();
        bucket.mfa_delete = true;
        bucket.versioning = crate::inventory::Versioning::Unversioned;
    }
    let plan = build(&world.inventory, &world.desired);
    let text = view::human(&plan, &view::Options { colour: false, documents: false });
    assert!(text.contains("and 900 accounts more refused"), "{text}");
    assert!(text.lines().count() < 500, "{}", text.lines().count());
}

#[test]
fn colours_are_for_terminals() {
    for (is_terminal, no_color, expected) in
        [(true, None, true), (true, Some(""), true), (true, Some("1"), false), (false, None, false)]
    {
        assert_eq!(view::wants_colour(is_terminal, no_color), expected);
    }
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let text = |world: &World| serde_json::to_string(&build(&world.inventory, &world.desired)).unwrap();
    let world = organization();
    let stored: crate::inventory::Inventory =
        serde_json::from_str(&serde_json::to_string(&world.inventory).unwrap()).unwrap();
    assert_eq!(stored, world.inventory);
    assert_eq!(text(&world), text(&World { inventory: stored, desired: world.desired.clone() }));
}

#[test]
fn applying_a_plan_leaves_nothing_to_plan() {
    let mut world = organization();
    let plan = build(&world.inventory, &world.desired);
    apply(&mut world.inventory, &plan);
    let second = build(&world.inventory, &world.desired);
    assert_eq!(second.actions, [], "{:#?}", second.findings);
    // What was refused is refused still, and nothing new.
    let refused = |plan: &Plan| {
        plan.findings
            .iter()
            .filter(|finding| finding.severity <= Severity::Refused)
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(refused(&second), refused(&plan));
    assert!(second.accounts.iter().all(|account| account.state != PlannedState::Changes));
}

#[test]
fn the_log_account_comes_first_and_each_bucket_in_its_order() {
    let world = organization();
    let plan = build(&world.inventory, &world.desired);
    let first_member = plan.actions.iter().position(|action| action.account != plan.log_account).unwrap();
    assert!(plan.actions[first_member..].iter().all(|action| action.step >= Step::SourceVersioning));
    assert!(plan.actions[..first_member].iter().all(|action| action.step < Step::SourceVersioning));
    for account in &plan.accounts {
        let steps: Vec<Step> = plan
            .actions_in(&account.id)
            .filter(|action| action.step >= Step::SourceVersioning)
            .map(|action| action.step)
            .collect();
        assert!(steps.is_sorted(), "{steps:?}");
    }
    // Every change of a document says what it was planned against, and a widening follows its canary.
    for action in &plan.actions {
        if let Write::PutBucketReplication { bucket, stage: ReplicationStage::Wide, document } = &action.write
        {
            let canary = plan.actions.iter().find_map(|other| match &other.write {
                Write::PutBucketReplication { bucket: same, stage: ReplicationStage::Canary, document }
                    if same == bucket =>
                {
                    Some(document)
                }
                _ => None,
            });
            assert_eq!(document.before.as_ref(), Some(&canary.unwrap().after));
        }
    }
    let ids: std::collections::BTreeSet<&ActionId> = plan.actions.iter().map(|action| &action.id).collect();
    assert_eq!(ids.len(), plan.actions.len());
}

#[test]
fn what_is_written_needs_what_the_roles_may_do_and_no_more() {
    let mut world = organization();
    let new = world.destination();
    new.versioning = crate::inventory::Versioning::Unversioned;
    new.ownership = None;
    new.policy = None;
    let mut writes = Vec::new();
    let first = build(&world.inventory, &world.desired);
    apply(&mut world.inventory, &first);
    writes.extend(first.actions);
    // A trust policy that drifted, and everything taken back.
    for role in world.inventory.members.values_mut().flat_map(|member| member.roles.values_mut()) {
        role.trust_policy = fixture::ALLOW_ALL.to_owned();
    }
    let mended = build(&world.inventory, &world.desired);
    apply(&mut world.inventory, &mended);
    writes.extend(mended.actions);
    let everybody = world.inventory.members.keys().cloned().collect();
    world
        .inventory
        .members
        .retain(|_, member| matches!(member.access, crate::inventory::Access::Reached { .. }));
    writes.extend(offboard(&world.inventory, &world.desired, &everybody).actions);
    for (in_log_account, of) in
        [(false, crate::policy::PolicyOf::MemberRole), (true, crate::policy::PolicyOf::LogAccountRole)]
    {
        let needed: BTreeSet<&str> = writes
            .iter()
            .filter(|action| (action.account == first.log_account) == in_log_account)
            .flat_map(|action| action.write.permissions().iter().copied())
            .collect();
        let may: BTreeSet<&str> = crate::policy::reasons(of)
            .iter()
            .filter(|reason| reason.writes)
            .map(|reason| reason.action)
            .collect();
        // Jobs for existing objects are not part of a plan.
        let beyond: Vec<&&str> =
            may.difference(&needed).filter(|action| **action != "s3:CreateJob").collect();
        assert!(needed.is_subset(&may), "{of:?} lacks {:?}", needed.difference(&may));
        assert_eq!(beyond, Vec::<&&str>::new(), "{of:?}");
    }
}

#[test]
fn a_plan_file_is_read_back_and_a_changed_one_refused() {
    let world = organization();
    let plan = build(&world.inventory, &world.desired);
    let folder = std::env::temp_dir().join(format!("weir-plan-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("plan.json");
    let text = serde_json::to_string_pretty(&plan).unwrap();
    std::fs::write(&path, &text).unwrap();
    assert_eq!(Plan::load(&path).unwrap(), plan);
    std::fs::write(&path, text.replace("weir-canary/\",\n", "other/\",\n")).unwrap();
    assert!(matches!(
        Plan::load(&path).unwrap_err(),
        PlanFileError::Altered { .. } | PlanFileError::Syntax { .. }
    ));
    std::fs::write(&path, text.replacen("\"format\": 1", "\"format\": 9", 1)).unwrap();
    assert!(Plan::load(&path).unwrap_err().to_string().contains("format 9"));
    std::fs::write(&path, "{}").unwrap();
    assert!(matches!(Plan::load(&path).unwrap_err(), PlanFileError::Syntax { .. }));
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(matches!(Plan::load(&path).unwrap_err(), PlanFileError::Read { .. }));
}
