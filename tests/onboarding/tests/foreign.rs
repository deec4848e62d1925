//! What belongs to others stays, end to end: random rules and statements in the forms that AWS takes, through apply, a
//! change of accounts.toml, and off-boarding.
//!
//! Worlds come from seeds, so that a failure names one that fails again. `WEIR_FOREIGN_CASES` sets how many there are,
//! `WEIR_FOREIGN_SEED` the first of them.

use crate::support::{REGION, Scene, blueprint, desired_with};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use quick_xml::events::Event;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use weir_aws_fake::World;
use weir_aws_fake::builder::{Blueprint, LOG, member, replication_configuration};

const DESTINATION: &str = "weir-logs-eu-west-1";
const ARCHIVE: &str = "foreign-archive-eu-west-1";
const KEY: &str = "66666666-7777-8888-9999-000000000000";
const MEMBERS: usize = 3;
const CASES: u64 = 12;
/// The commands mostly wait for the clock.
const AT_ONCE: usize = 4;

/// What others have in a world.
#[derive(Debug, Clone)]
struct Others {
    members: Vec<OfMember>,
    bucket_policy: Vec<String>,
    key_policy: Vec<String>,
}

/// What others have in a member.
#[derive(Debug, Clone)]
struct OfMember {
    /// Rules without priority, which their place gives.
    rules: Vec<Vec<String>>,
    lifecycle: Vec<String>,
    unversioned: bool,
}

/// JSON objects have no order, and AWS takes white space anywhere.
fn object(members: Vec<(&'static str, String)>) -> impl Strategy<Value = String> {
    (Just(members).prop_shuffle(), "[ \n]{0,2}").prop_map(|(members, space)| {
        let members: Vec<String> =
            members.into_iter().map(|(name, value)| format!("{space}\"{name}\":{space}{value}")).collect();
        format!("{{{}{space}}}", members.join(","))
    })
}

/// IAM takes a text for a list of one.
fn one_or_list(value: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![Just(format!("\"{value}\"")), Just(format!("[\"{value}\"]"))]
}

fn condition() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        Just(None),
        Just(Some(r#"{"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}"#.to_owned())),
        Just(Some(r#"{"StringLike":{"aws:PrincipalArn":["arn:aws:iam::*:role/caf\u00e9-*","arn:aws:iam::*:role/é"]},"Bool":{"aws:SecureTransport":"true"}}"#.to_owned())),
        Just(Some(r#"{"Bool":{"aws:SecureTransport":true},"NumericLessThan":{"s3:TlsVersion":1.2}}"#.to_owned())),
        Just(Some(r#"{"IpAddress":{"aws:SourceIp":["10.0.0.0\/8","192.0.2.0/24"]}}"#.to_owned())),
    ]
}

/// A statement of others; `mark` makes its Sid, if it has one, its own.
fn statement(
    actions: &'static [&'static str],
    resources: &'static [&'static str],
) -> impl Strategy<Value = String> {
    let action = prop_oneof![
        prop::sample::select(actions).prop_flat_map(one_or_list),
        prop::sample::subsequence(actions, 2..=actions.len()).prop_map(|list| json!(list).to_string()),
    ];
    let resource = prop_oneof![
        prop::sample::select(resources).prop_flat_map(one_or_list),
        Just(json!(resources).to_string()),
    ];
    let principal = prop_oneof![
        Just(format!(r#"{{"AWS":"arn:aws:iam::{LOG}:root"}}"#)),
        Just(format!(r#"{{ "AWS" : ["{LOG}","arn:aws:iam::{}:root"]}}"#, member(1))),
        Just(r#"{"Service":["logging.s3.amazonaws.com"]}"#.to_owned()),
    ];
    (prop::option::of("[A-Za-z0-9]{1,12}"), action, resource, principal, condition()).prop_flat_map(
        |(sid, action, resource, principal, condition)| {
            let mut members = vec![
                ("Effect", "\"Allow\"".to_owned()),
                ("Principal", principal),
                ("Action", action),
                ("Resource", resource),
            ];
            // Statements that begin as ours are ours.
            members.extend(sid.map(|sid| ("Sid", format!("\"x{sid}\""))));
            members.extend(condition.map(|condition| ("Condition", condition)));
            object(members)
        },
    )
}

fn statements(
    actions: &'static [&'static str],
    resources: &'static [&'static str],
) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(statement(actions, resources), 0..4).prop_map(|mut statements| {
        // A Sid is there once.
        let mut seen = std::collections::BTreeSet::new();
        statements.retain(|text| {
            let value: Value = serde_json::from_str(text).unwrap();
            value.get("Sid").is_none_or(|sid| seen.insert(sid.to_string()))
        });
        statements
    })
}

/// The parts of a rule of the second version, in any order; the ID and the priority come from its place.
fn rule() -> impl Strategy<Value = Vec<String>> {
    let prefix = prop::sample::select(&["", "data/", "a b/ü/", "AWSLogs/", "x&amp;y/"][..]);
    let tags = "<Tag><Key>keep</Key><Value>yes &lt;1&gt;</Value></Tag>";
    let filter = (prefix, 0..4_usize).prop_map(move |(prefix, form)| match form {
        0 => (format!("<Filter><Prefix>{prefix}</Prefix></Filter>"), false),
        1 => (format!("<Filter>\n  <And><Prefix>{prefix}</Prefix>{tags}</And>\n</Filter>"), true),
        2 => (format!("<Filter><And>{tags}<Tag><Key>k</Key><Value/></Tag></And></Filter>"), true),
        _ => (format!("<Filter>{tags}</Filter>"), true),
    });
    let destination = prop_oneof![
        Just(String::new()),
        Just("<StorageClass>GLACIER_IR</StorageClass>".to_owned()),
        Just("<ReplicationTime><Status>Enabled</Status><Time><Minutes>15</Minutes></Time></ReplicationTime><Metrics><Status>Enabled</Status><EventThreshold><Minutes>15</Minutes></EventThreshold></Metrics>".to_owned()),
        Just("<Account>900000000000</Account><AccessControlTranslation><Owner>Destination</Owner></AccessControlTranslation>".to_owned()),
    ];
    let more = prop::sample::subsequence(
        vec![
            "<ExistingObjectReplication><Status>Disabled</Status></ExistingObjectReplication>",
            "<SourceSelectionCriteria><ReplicaModifications><Status>Enabled</Status></ReplicaModifications></SourceSelectionCriteria>",
        ],
        0..=2,
    );
    (filter, destination, more, any::<bool>(), any::<bool>()).prop_flat_map(
        |((filter, has_tags), destination, more, enabled, markers)| {
            let status = |on: bool| if on { "Enabled" } else { "Disabled" };
            let mut parts = vec![
                filter,
                format!("<Status>{}</Status>", status(enabled)),
                format!(
                    "<DeleteMarkerReplication><Status>{}</Status></DeleteMarkerReplication>",
                    status(markers && !has_tags)
                ),
                format!("<Destination><Bucket>arn:aws:s3:::{ARCHIVE}</Bucket>{destination}</Destination>"),
            ];
            parts.extend(more.into_iter().map(str::to_owned));
            Just(parts).prop_shuffle()
        },
    )
}

fn lifecycle() -> impl Strategy<Value = Vec<String>> {
    let rule = prop_oneof![
        Just("<Rule><ID>expire</ID><Filter><Prefix>tmp/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>30</Days></Expiration></Rule>".to_owned()),
        Just("<Rule><Status>Disabled</Status><ID>move it &amp; keep</ID><Filter><And><Prefix/><ObjectSizeGreaterThan>1024</ObjectSizeGreaterThan></And></Filter><Transition><StorageClass>GLACIER</StorageClass><Days>90</Days></Transition></Rule>".to_owned()),
    ];
    prop::collection::vec(rule, 0..2)
}

fn others() -> impl Strategy<Value = Others> {
    let of_member = (prop::collection::vec(rule(), 0..4), lifecycle(), any::<bool>())
        .prop_map(|(rules, lifecycle, unversioned)| OfMember { rules, lifecycle, unversioned });
    (
        prop::collection::vec(of_member, MEMBERS..=MEMBERS),
        statements(
            &["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging"],
            &[
                "arn:aws:s3:::weir-logs-eu-west-1/*",
                "arn:aws:s3:::weir-logs-eu-west-1/a b/é/${aws:username}/*",
            ],
        ),
        statements(&["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey*"], &["*"]),
    )
        .prop_map(|(members, bucket_policy, key_policy)| Others { members, bucket_policy, key_policy })
}

/// The world that a seed stands for.
fn from_seed(seed: u64) -> Others {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    others().new_tree(&mut TestRunner::new_with_rng(Config::default(), rng)).unwrap().current()
}

fn scene(others: &Others) -> Scene {
    let world = Blueprint { foreign_rule_every: 1, ..blueprint(MEMBERS) }.build().unwrap();
    let mut world = serde_json::to_value(world).unwrap();
    for (number, of) in others.members.iter().enumerate() {
        let bucket = &mut world["buckets"][format!("logs-{}-{REGION}", member(number))];
        let role = format!("arn:aws:iam::{}:role/foreign-replication", member(number));
        let rules: Vec<String> = of
            .rules
            .iter()
            .enumerate()
            .map(|(place, parts)| {
                let priority = place * 7 + number;
                format!(
                    "<Rule>{}<ID>others {place}</ID><Priority>{priority}</Priority></Rule>",
                    parts.concat()
                )
            })
            .collect();
        bucket["replication"] =
            if rules.is_empty() { Value::Null } else { json!(replication_configuration(&role, &rules)) };
        if rules.is_empty() && of.unversioned {
            bucket["versioning"] = json!({});
        }
        if !of.lifecycle.is_empty() {
            bucket["lifecycle"] =
                json!(format!("<LifecycleConfiguration>{}</LifecycleConfiguration>", of.lifecycle.concat()));
        }
    }
    if !others.bucket_policy.is_empty() {
        world["buckets"][DESTINATION]["policy"] = json!(format!(
            "{{\"Statement\": [{}],\n \"Id\": \"theirs\", \"Version\": \"2012-10-17\"}}",
            others.bucket_policy.join(", ")
        ));
    }
    let root = format!(
        r#"{{"Principal":{{"AWS":"arn:aws:iam::{LOG}:root"}},"Sid":"Enable IAM User Permissions","Effect":"Allow","Resource":"*","Action":"kms:*"}}"#
    );
    let mut key_policy = others.key_policy.clone();
    key_policy.insert(key_policy.len() / 2, root);
    world["accounts"][LOG]["keys"][KEY] = json!({ "region": REGION,
        "policy": format!("{{\"Version\":\"2012-10-17\",\"Statement\":[{}]}}", key_policy.join(",")) });
    let scene = Scene::new(World::from_json(world.to_string().as_bytes()).unwrap());
    // The quarter of an hour after the first versioning is three seconds.
    scene.control("POST", "clock", &json!({ "speed": 300 }));
    scene
}

fn configuration(replication: &str) -> String {
    desired_with(
        &format!("kms-key = \"arn:aws:kms:{REGION}:{LOG}:key/{KEY}\""),
        "aws-logs",
        &format!("[replication]\nforeign-role = \"extend\"\n{replication}"),
    )
}

/// A document as its start tags, texts and end tags: `<a/>` is `<a></a>`, and white space between tags is nothing.
fn canonical_xml(text: &str) -> Vec<String> {
    let mut reader = quick_xml::Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut parts: Vec<String> = Vec::new();
    // A text with references comes in pieces.
    let mut said = String::new();
    loop {
        let event = reader.read_event().unwrap();
        match &event {
            Event::Text(piece) => {
                said.push_str(piece.as_ref());
                continue;
            }
            Event::GeneralRef(name) => {
                said.push_str(&format!("&{};", &**name));
                continue;
            }
            _ => {}
        }
        if !said.trim().is_empty() {
            parts.push(said.trim().to_owned());
        }
        said.clear();
        match event {
            Event::Start(tag) => parts.push(format!("<{}", tag.local_name().as_ref())),
            Event::End(tag) => parts.push(format!(">{}", tag.local_name().as_ref())),
            Event::Eof => return parts,
            _ => {}
        }
    }
}

/// The elements `name` below the root of a document whose id is not ours, sorted: their order says nothing.
fn foreign_elements(document: &Value, name: &str, id: &str) -> Vec<Vec<String>> {
    let parts = canonical_xml(document.as_str().unwrap_or_default());
    let (start, end, id) = (format!("<{name}"), format!(">{name}"), format!("<{id}"));
    let mut found: Vec<Vec<String>> = parts
        .split(|part| *part == end)
        .filter_map(|piece| {
            let at = piece.iter().position(|part| *part == start)?;
            Some(piece.get(at..)?.to_vec())
        })
        .filter(|element| {
            let text = element.iter().position(|part| *part == id).and_then(|at| element.get(at + 1));
            !text.is_some_and(|text| text.starts_with("weir/"))
        })
        .collect();
    found.sort();
    found
}

/// AWS shows an account id among principals as the ARN of the account's root, once a policy is put ("AWS JSON policy
/// elements: Principal", IAM User Guide). Everything else of a statement is compared as it is.
fn with_root_arns(statement: &Value) -> Value {
    let arn = |principal: &mut Value| {
        let id = principal
            .as_str()
            .filter(|text| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()));
        if let Some(id) = id.map(str::to_owned) {
            *principal = json!(format!("arn:aws:iam::{id}:root"));
        }
    };
    let mut statement = statement.clone();
    match statement.pointer_mut("/Principal/AWS") {
        Some(Value::Array(list)) => list.iter_mut().for_each(arn),
        Some(single) => arn(single),
        None => {}
    }
    statement
}

/// A policy without our statements, as JSON; their order among each other stays.
fn foreign_statements(policy: &Value) -> Value {
    let text = policy.get("text").unwrap_or(policy);
    let Some(text) = text.as_str().filter(|text| !text.is_empty()) else { return json!([]) };
    let document: Value = serde_json::from_str(text).unwrap();
    let is_ours = |statement: &&Value| {
        statement["Sid"]
            .as_str()
            .and_then(|sid| sid.strip_prefix("Weir"))
            .is_some_and(|rest| rest.starts_with(char::is_uppercase))
    };
    let others: Vec<Value> = document["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| !is_ours(one))
        .map(with_root_arns)
        .collect();
    if others.is_empty() { json!([]) } else { json!([document["Version"], document["Id"], others]) }
}

/// Everything in a world that is not ours.
fn foreign(world: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for (name, bucket) in world["buckets"].as_object().unwrap() {
        let mut keep = |what: &str, value: Value| found.insert(format!("{what} of {name}"), value);
        keep("rules", json!(foreign_elements(&bucket["replication"], "Rule", "ID")));
        keep("lifecycle", json!(foreign_elements(&bucket["lifecycle"], "Rule", "ID")));
        keep("notifications", json!(foreign_elements(&bucket["notification"], "QueueConfiguration", "Id")));
        keep("statements", foreign_statements(&bucket["policy"]));
    }
    for (id, account) in world["accounts"].as_object().unwrap() {
        for (key, value) in account["keys"].as_object().into_iter().flatten() {
            found.insert(format!("statements of {key}"), foreign_statements(&value["policy"]));
        }
        for (name, role) in account["roles"].as_object().into_iter().flatten() {
            if role["path"] != "/weir/" {
                let mut role = role.clone();
                let policies = role["inline_policies"].to_string();
                assert!(
                    name.starts_with("foreign") || !policies.contains("weir-replication"),
                    "{id} {name}: {policies}"
                );
                role["inline_policies"] = Value::Null;
                found
                    .insert(format!("role {name} of {id}"), json!([role["trust"], role["managed_policies"]]));
            }
        }
    }
    found
}

/// What is left of ours.
fn ours(world: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (name, bucket) in world["buckets"].as_object().unwrap() {
        found.extend(
            bucket["replication"]
                .as_str()
                .filter(|xml| xml.contains("weir/"))
                .map(|_| format!("a rule of {name}")),
        );
        found.extend(
            ["WeirReplicate", "WeirRead"]
                .iter()
                .filter(|sid| bucket["policy"].to_string().contains(**sid))
                .map(|sid| format!("{sid} of {name}")),
        );
    }
    for (id, account) in world["accounts"].as_object().unwrap() {
        found.extend(
            account["keys"]
                .to_string()
                .contains("\"WeirEncrypt")
                .then(|| format!("a statement of the key of {id}")),
        );
        for (name, role) in account["roles"].as_object().into_iter().flatten() {
            let text = role.to_string();
            found.extend(
                (role["path"] == "/weir/" || text.contains("weir-replication"))
                    .then(|| format!("role {name} of {id}")),
            );
        }
    }
    found
}

fn unchanged(seed: u64, after: &str, scene: &Scene, before: &BTreeMap<String, Value>) {
    let now = foreign(&scene.get("world"));
    for (what, value) in before {
        assert_eq!(now.get(what), Some(value), "seed {seed}, {after}: {what}");
    }
}

fn survives(seed: u64) {
    let others = from_seed(seed);
    let scene = scene(&others);
    let before = foreign(&scene.get("world"));
    let rules: usize = others.members.iter().map(|of| of.rules.len()).sum();
    let found: usize = before
        .iter()
        .filter(|(what, _)| what.starts_with("rules of logs-"))
        .map(|(_, rules)| rules.as_array().unwrap().len())
        .sum();
    assert_eq!(found, rules, "seed {seed}: the test overlooks rules");

    let apply = |after: &str| {
        let outcome = scene.apply();
        assert_eq!(outcome.code, 0, "seed {seed}, {after}: {outcome:#?}");
        unchanged(seed, after, &scene, &before);
        let again = scene.run(&["plan"]);
        assert_eq!(again.code, 0, "seed {seed}, {after}, planned again: {}", again.stdout);
    };
    scene.write_desired(&configuration(""));
    apply("apply");
    let first = scene.writes();
    scene.write_desired(&configuration(
        "time-control = true\nnoncurrent-days = 14\nstorage-class = \"STANDARD_IA\"\n",
    ));
    apply("change");
    assert!(scene.writes() > first, "seed {seed}: the change wrote nothing");
    let outcome = scene.run(&["offboard", "--all", "--yes"]);
    assert_eq!(outcome.code, 0, "seed {seed}, offboard: {outcome:#?}");
    unchanged(seed, "offboard", &scene, &before);
    assert_eq!(ours(&scene.get("world")), Vec::<String>::new(), "seed {seed}: off-boarding left it");
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

#[test]
fn what_is_foreign_survives_apply_change_and_offboarding_end_to_end() {
    let first = number("WEIR_FOREIGN_SEED").unwrap_or(0);
    let end = first + number("WEIR_FOREIGN_CASES").unwrap_or(CASES);
    let next = AtomicU64::new(first);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        break;
                    }
                    survives(seed);
                }
            });
        }
    });
}
