//! Over random organizations: what is foreign stays, and a plan that was applied leaves nothing to do.

use super::fixture::{World, apply};
use crate::ids::Region;
use crate::inventory::{Destination, Inventory, Versioning};
use crate::plan::{build, offboard};
use crate::policy::{PolicyDocument, is_ours};
use crate::replication::{Element, ReplicationConfiguration};
use proptest::prelude::*;

/// What one account looks like.
#[derive(Debug, Clone)]
struct Shape {
    foreign_rules: usize,
    unversioned: bool,
    other_region: bool,
    second_bucket: bool,
    foreign_lifecycle: bool,
}

fn shape() -> impl Strategy<Value = Shape> {
    (0usize..4, any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(foreign_rules, unversioned, other_region, second_bucket, foreign_lifecycle)| Shape {
            foreign_rules,
            unversioned,
            other_region,
            second_bucket,
            foreign_lifecycle,
        },
    )
}

fn statement() -> impl Strategy<Value = String> {
    ("[A-Za-z]{1,8}", "[ -~&&[^\"\\\\$]]{0,10}", any::<bool>()).prop_map(|(sid, text, spaced)| {
        let space = if spaced { "  " } else { "" };
        format!(r#"{{{space}"Sid":{space}"{sid}","Effect":"Allow","Principal":{{"AWS":"444444444444"}},"Action":"s3:GetObject","Resource":"arn:aws:s3:::central-logs/{text}"{space}}}"#)
    })
}

fn world(shapes: &[Shape], statements: &[String]) -> World {
    let mut world = World::new();
    for (number, shape) in shapes.iter().enumerate() {
        let id = world.add_account(number as u16 + 1, &format!("account-{number}"), "Workloads");
        world.add_bucket(&id, &format!("trail-logs-{id}-a"));
        if shape.foreign_rules > 0 {
            world.foreign_rules(&id, shape.foreign_rules);
        }
        let bucket = world.bucket(&id);
        if shape.unversioned && shape.foreign_rules == 0 {
            bucket.versioning = Versioning::Unversioned;
        }
        if shape.other_region {
            bucket.region = Region::new("eu-west-1").unwrap();
        }
        if shape.foreign_lifecycle {
            bucket.lifecycle = Some("<LifecycleConfiguration><Rule><ID>archive</ID><Filter><Prefix>a/</Prefix></Filter><Status>Enabled</Status><Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition></Rule></LifecycleConfiguration>".into());
        }
        if shape.second_bucket {
            world.add_bucket(&id, &format!("flow-logs-{id}-b"));
        }
    }
    if !statements.is_empty() {
        let policy = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(", "));
        world.destination().policy = Some(policy.clone());
        for key in world.inventory.log_account.keys.values_mut() {
            // A key keeps the statement that lets its account decide.
            let own = key.policy.as_ref().unwrap();
            key.policy =
                Some(own.replace("\"Statement\":[", &format!("\"Statement\":[{},", statements.join(","))));
        }
    }
    world
}

/// Everything in an inventory that is not ours.
fn foreign(inventory: &Inventory) -> Vec<String> {
    let mut found = Vec::new();
    for member in inventory.members.values() {
        for (name, bucket) in &member.buckets {
            if let Some(text) = &bucket.replication {
                let configuration = ReplicationConfiguration::parse(text).unwrap();
                if !configuration.foreign().is_empty() {
                    found.push(format!("{name} {}", configuration.role().unwrap()));
                }
                found.extend(configuration.foreign().into_iter().map(|(_, rule)| format!("{name} {rule}")));
            }
            if let Some(text) = &bucket.lifecycle {
                let rules = Element::parse(text, "LifecycleConfiguration").unwrap();
                let others = rules.children().iter().filter(|rule| rule.text_at(&["ID"]) == Some("archive"));
                found.extend(others.map(|rule| format!("{name} {rule}")));
            }
        }
        for role in member.roles.values().filter(|role| !role.arn.resource().starts_with("role/weir/")) {
            found.push(format!(
                "{} {} {:?}",
                role.arn,
                role.trust_policy,
                role.inline_policies.get("replicate")
            ));
        }
    }
    let buckets = inventory.log_account.destinations.values().filter_map(|destination| match destination {
        Destination::Found(bucket) => bucket.policy.as_ref(),
        _ => None,
    });
    let keys = inventory.log_account.keys.values().filter_map(|key| key.policy.as_ref());
    for text in buckets.chain(keys) {
        let document = PolicyDocument::parse(text).unwrap();
        let others = document.statements().iter().filter(|statement| !statement.sid().is_some_and(is_ours));
        found.extend(others.map(|statement| statement.text().to_owned()));
    }
    found
}

/// Our rules, roles and statements.
fn ours(inventory: &Inventory) -> Vec<String> {
    let mut found = Vec::new();
    for member in inventory.members.values() {
        for text in member.buckets.values().filter_map(|bucket| bucket.replication.as_ref()) {
            let configuration = ReplicationConfiguration::parse(text).unwrap();
            found.extend(configuration.own().into_iter().map(ToString::to_string));
        }
        found.extend(
            member
                .roles
                .keys()
                .filter(|arn| arn.resource().starts_with("role/weir/"))
                .map(ToString::to_string),
        );
        let shared =
            member.roles.values().filter(|role| role.inline_policies.contains_key("weir-replication"));
        found.extend(shared.map(|role| role.arn.to_string()));
    }
    let text = serde_json::to_string(&inventory.log_account).unwrap();
    found.extend(
        ["WeirReplicate", "WeirEncrypt", "WeirRead"]
            .into_iter()
            .filter(|sid| text.contains(sid))
            .map(str::to_owned),
    );
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_foreign_survives_apply_change_and_offboarding(
        shapes in prop::collection::vec(shape(), 1..5),
        statements in prop::collection::vec(statement(), 0..4),
    ) {
        let mut world = world(&shapes, &statements);
        let before = foreign(&world.inventory);
        let first = build(&world.inventory, &world.desired);
        prop_assert!(!first.has_refusals(), "{:#?}", first.findings);
        apply(&mut world.inventory, &first);
        prop_assert_eq!(&foreign(&world.inventory), &before);
        let second = build(&world.inventory, &world.desired);
        prop_assert_eq!(&second.actions, &[]);

        world.desired.replication.time_control = true;
        world.desired.replication.noncurrent_days = 14;
        let change = build(&world.inventory, &world.desired);
        prop_assert!(change.has_changes());
        apply(&mut world.inventory, &change);
        prop_assert_eq!(&foreign(&world.inventory), &before);
        prop_assert_eq!(&build(&world.inventory, &world.desired).actions, &[]);

        let accounts = world.inventory.members.keys().cloned().collect();
        let leave = offboard(&world.inventory, &world.desired, &accounts);
        apply(&mut world.inventory, &leave);
        prop_assert_eq!(&foreign(&world.inventory), &before);
        prop_assert_eq!(ours(&world.inventory), Vec::<String>::new());
        prop_assert_eq!(&offboard(&world.inventory, &world.desired, &accounts).actions, &[]);
    }
}
