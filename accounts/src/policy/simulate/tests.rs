//! The rules of evaluation, one by one.

use super::*;

fn account(digit: char) -> AccountId {
    AccountId::new(digit.to_string().repeat(12)).unwrap()
}

fn request(owner: char) -> Request {
    Request {
        principal: Principal::Role {
            arn: Arn::new("arn:aws:iam::111111111111:role/weir/weir-replication").unwrap(),
            account: account('1'),
            unique_id: Some("AROAEXAMPLE".into()),
        },
        action: "s3:ReplicateObject".into(),
        resource: "arn:aws:s3:::central/AWSLogs/111111111111/x".into(),
        resource_account: account(owner),
        context: Context::default().with("aws:PrincipalAccount", "111111111111").unknown("aws:SourceIp"),
    }
}

fn policy(name: &str, statements: &str) -> NamedPolicy {
    NamedPolicy::parse(name, &format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#)).unwrap()
}

const ALLOW_ALL: &str = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;

fn principal(effect: &str, principal: &str) -> String {
    format!(
        r#"{{"Sid":"P","Effect":"{effect}","Principal":{principal},"Action":"s3:Replicate*","Resource":"*"}}"#
    )
}

fn denial(decision: Decision) -> (Layer, Option<(String, String)>) {
    match decision {
        Decision::Denied(denial) => {
            (denial.layer, denial.statement.map(|name| (name.policy, name.statement)))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn across_accounts_both_sides_must_allow() {
    let identity = [policy("role", ALLOW_ALL)];
    let resource = policy("bucket", &principal("Allow", r#"{"AWS":"arn:aws:iam::111111111111:root"}"#));
    let both = Policies { identity: &identity, resource: Some(&resource), ..Policies::default() };
    assert_eq!(decide(&request('2'), &both), Decision::Allowed);
    let only_identity = Policies { resource: None, ..both };
    assert_eq!(denial(decide(&request('2'), &only_identity)), (Layer::Resource, None));
    let only_resource = Policies { identity: &[], ..both };
    assert_eq!(denial(decide(&request('2'), &only_resource)), (Layer::Identity, None));
}

#[test]
fn within_an_account_one_side_is_enough_but_for_keys() {
    let identity = [policy("role", ALLOW_ALL)];
    let by_role = policy(
        "bucket",
        &principal("Allow", r#"{"AWS":"arn:aws:iam::111111111111:role/weir/weir-replication"}"#),
    );
    let by_account = policy("bucket", &principal("Allow", r#"{"AWS":"111111111111"}"#));
    let none = Policies::default();
    assert_eq!(decide(&request('1'), &Policies { identity: &identity, ..none }), Decision::Allowed);
    assert_eq!(decide(&request('1'), &Policies { resource: Some(&by_role), ..none }), Decision::Allowed);
    // Naming the account leaves the decision to the role's policies.
    assert_eq!(
        denial(decide(&request('1'), &Policies { resource: Some(&by_account), ..none })),
        (Layer::Identity, None)
    );
    let key = Policies { identity: &identity, resource_policy_rules: true, ..none };
    assert_eq!(denial(decide(&request('1'), &key)), (Layer::Resource, None));
    assert_eq!(decide(&request('1'), &Policies { resource: Some(&by_account), ..key }), Decision::Allowed);
    assert_eq!(
        decide(&request('1'), &Policies { resource: Some(&by_role), identity: &[], ..key }),
        Decision::Allowed
    );
}

#[test]
fn a_deny_anywhere_wins_and_is_named() {
    let allow = [policy("role", ALLOW_ALL)];
    let resource = policy("bucket", &principal("Allow", r#""*""#));
    let allowed = Policies { identity: &allow, resource: Some(&resource), ..Policies::default() };
    assert_eq!(decide(&request('2'), &allowed), Decision::Allowed);

    let deny = r#"{"Sid":"No","Effect":"Deny","Action":"s3:replicateobject","Resource":"*"}"#;
    let levels =
        [vec![policy("FullAWSAccess", ALLOW_ALL)], vec![policy("guard", &format!("{ALLOW_ALL},{deny}"))]];
    let named = |policy: &str, sid: &str| Some((policy.to_owned(), format!("statement {sid}")));
    assert_eq!(
        denial(decide(&request('2'), &Policies { service_control: &levels, ..allowed })),
        (Layer::ServiceControl, named("guard", "No"))
    );
    let denying = [policy("role", ALLOW_ALL), policy("extra", deny)];
    assert_eq!(
        denial(decide(&request('2'), &Policies { identity: &denying, ..allowed })),
        (Layer::Identity, named("extra", "No"))
    );
    let both = policy(
        "bucket",
        &format!("{},{}", principal("Allow", r#""*""#), principal("Deny", r#"{"AWS":"*"}"#)),
    );
    assert_eq!(
        denial(decide(&request('2'), &Policies { resource: Some(&both), ..allowed })),
        (Layer::Resource, named("bucket", "P"))
    );
    let boundary = policy("boundary", deny);
    assert_eq!(
        denial(decide(&request('2'), &Policies { boundary: Some(&boundary), ..allowed })),
        (Layer::Boundary, named("boundary", "No"))
    );
}

#[test]
fn every_level_of_control_policies_must_allow() {
    let allow = [policy("role", ALLOW_ALL)];
    let resource = policy("bucket", &principal("Allow", r#""*""#));
    let levels = [
        vec![policy("FullAWSAccess", ALLOW_ALL)],
        vec![policy("only-ec2", r#"{"Effect":"Allow","Action":"ec2:*","Resource":"*"}"#)],
    ];
    let policies = Policies { identity: &allow, resource: Some(&resource), ..Policies::default() };
    assert_eq!(
        denial(decide(&request('2'), &Policies { service_control: &levels, ..policies })),
        (Layer::ServiceControl, None)
    );
    let guard = principal("Deny", r#""*""#).replace(
        "\"Resource\"",
        r#""Condition":{"StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}},"Resource""#,
    );
    let allow_resource = r#"{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}"#;
    let control = [vec![policy("perimeter", &format!("{allow_resource},{guard}"))]];
    let mut insider = request('2');
    insider.context = insider.context.with("aws:PrincipalOrgID", "o-a1b2c3d4e5");
    assert_eq!(decide(&insider, &Policies { resource_control: &control, ..policies }), Decision::Allowed);
    let mut stranger = request('2');
    stranger.context = stranger.context.with("aws:PrincipalOrgID", "o-other00000");
    assert_eq!(
        denial(decide(&stranger, &Policies { resource_control: &control, ..policies })).0,
        Layer::ResourceControl
    );
}

#[test]
fn a_boundary_limits_what_identity_policies_give() {
    let allow = [policy("role", ALLOW_ALL)];
    let boundary = policy("boundary", r#"{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}"#);
    let policies = Policies { identity: &allow, boundary: Some(&boundary), ..Policies::default() };
    assert_eq!(denial(decide(&request('1'), &policies)), (Layer::Boundary, None));
}

#[test]
fn not_elements_turn_around() {
    let deny_others = r#"{"Sid":"N","Effect":"Deny","NotAction":["s3:Get*","s3:List*"],"NotResource":"arn:aws:s3:::other/*"}"#;
    let identity = [policy("role", &format!("{ALLOW_ALL},{deny_others}"))];
    assert_eq!(
        denial(decide(&request('1'), &Policies { identity: &identity, ..Policies::default() })).0,
        Layer::Identity
    );
    let mut elsewhere = request('1');
    elsewhere.resource = "arn:aws:s3:::other/x".into();
    assert_eq!(
        decide(&elsewhere, &Policies { identity: &identity, ..Policies::default() }),
        Decision::Allowed
    );

    let spared = |principals: &str| {
        let deny = format!(
            r#"{{"Sid":"NP","Effect":"Deny","NotPrincipal":{{"AWS":{principals}}},"Action":"*","Resource":"*"}}"#
        );
        let resource = policy("bucket", &format!("{},{deny}", principal("Allow", r#""*""#)));
        let identity = [policy("role", ALLOW_ALL)];
        decide(
            &request('2'),
            &Policies { identity: &identity, resource: Some(&resource), ..Policies::default() },
        )
    };
    let role = "arn:aws:iam::111111111111:role/weir/weir-replication";
    assert_eq!(spared(&format!(r#"["{role}","111111111111"]"#)), Decision::Allowed);
    // The role without its account is not spared.
    assert_eq!(denial(spared(&format!(r#"["{role}"]"#))).0, Layer::Resource);
}

#[test]
fn variables_need_the_newer_version_of_the_language() {
    let statement = r#"{"Effect":"Allow","Principal":"*","Action":"*","Resource":"arn:aws:s3:::central/AWSLogs/${aws:PrincipalAccount}/*"}"#;
    let identity = [policy("role", ALLOW_ALL)];
    let new = policy("bucket", statement);
    let old =
        NamedPolicy::parse("bucket", &format!(r#"{{"Version":"2008-10-17","Statement":[{statement}]}}"#))
            .unwrap();
    let with = |resource| Policies { identity: &identity, resource: Some(resource), ..Policies::default() };
    assert_eq!(decide(&request('2'), &with(&new)), Decision::Allowed);
    assert_eq!(denial(decide(&request('2'), &with(&old))), (Layer::Resource, None));
}

#[test]
fn what_depends_on_the_unknown_is_uncertain() {
    let identity = [policy("role", ALLOW_ALL)];
    let deny = r#"{"Sid":"Net","Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}"#;
    let resource = policy("bucket", &format!("{},{deny}", principal("Allow", r#""*""#)));
    let policies = Policies { identity: &identity, resource: Some(&resource), ..Policies::default() };
    match decide(&request('2'), &policies) {
        Decision::Uncertain(denial) => assert_eq!(denial.statement.unwrap().statement, "statement Net"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_service_is_let_in_by_the_resource_alone() {
    let mut service = request('1');
    service.principal = Principal::Service { name: "s3.amazonaws.com".into() };
    service.action = "sts:AssumeRole".into();
    service.resource = "arn:aws:iam::111111111111:role/weir/weir-replication".into();
    let trust = policy(
        "trust",
        r#"{"Effect":"Allow","Principal":{"Service":["s3.amazonaws.com"]},"Action":"sts:AssumeRole"}"#,
    );
    let other = policy(
        "trust",
        r#"{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}"#,
    );
    let with = |resource| Policies { resource: Some(resource), ..Policies::default() };
    assert_eq!(decide(&service, &with(&trust)), Decision::Allowed);
    assert_eq!(denial(decide(&service, &with(&other))), (Layer::Resource, None));
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    fn statement(effect: &'static str) -> impl Strategy<Value = String> {
        let action = prop::sample::select(vec!["s3:*", "s3:ReplicateObject", "s3:Get*", "*", "kms:Decrypt"]);
        let resource = prop::sample::select(vec![
            "*",
            "arn:aws:s3:::central/*",
            "arn:aws:s3:::central/AWSLogs/${aws:PrincipalAccount}/*",
            "arn:aws:s3:::other/*",
        ]);
        let condition = prop::sample::select(vec![
            "",
            r#","Condition":{"StringEquals":{"aws:PrincipalAccount":"111111111111"}}"#,
            r#","Condition":{"StringNotEquals":{"aws:PrincipalAccount":"111111111111"}}"#,
            r#","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#,
        ]);
        let principal =
            prop::sample::select(vec![r#""*""#, r#"{"AWS":"111111111111"}"#, r#"{"AWS":"222222222222"}"#]);
        (action, resource, condition, principal).prop_map(move |(action, resource, condition, principal)| {
            format!(r#"{{"Effect":"{effect}","Principal":{principal},"Action":"{action}","Resource":"{resource}"{condition}}}"#)
        })
    }

    fn statements() -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec(prop_oneof![2 => statement("Allow"), 1 => statement("Deny")], 1..5)
    }

    fn answer(owner: char, identity: &[String], resource: &[String], levels: &[Vec<String>]) -> Decision {
        let identity = [policy("role", &identity.join(","))];
        let resource = policy("bucket", &resource.join(","));
        let levels: Vec<Vec<NamedPolicy>> =
            levels.iter().map(|level| vec![policy("control", &level.join(","))]).collect();
        let policies = Policies {
            identity: &identity,
            resource: Some(&resource),
            service_control: &levels,
            ..Policies::default()
        };
        decide(&request(owner), &policies)
    }

    proptest! {
        /// More statements of one effect never turn the answer the other way.
        #[test]
        fn allow_never_takes_away_and_deny_never_gives(
            identity in statements(),
            resource in statements(),
            level in statements(),
            allow in statement("Allow"),
            deny in statement("Deny"),
            owner in prop::sample::select(vec!['1', '2']),
        ) {
            let with = |mut list: Vec<String>, statement: &String| {
                list.push(statement.clone());
                list
            };
            let before = answer(owner, &identity, &resource, std::slice::from_ref(&level));
            let more = answer(owner, &with(identity.clone(), &allow), &with(resource.clone(), &allow), &[with(level.clone(), &allow)]);
            let less = answer(owner, &with(identity.clone(), &deny), &with(resource.clone(), &deny), &[with(level.clone(), &deny)]);
            if before == Decision::Allowed {
                prop_assert_eq!(more, Decision::Allowed);
            } else {
                prop_assert_ne!(less, Decision::Allowed);
            }
            if matches!(before, Decision::Denied(_)) {
                let again = answer(owner, &with(identity, &deny), &resource, &[level]);
                prop_assert!(matches!(again, Decision::Denied(_)));
            }
        }

        /// The order of statements does not matter, and neither does an uninvolved level that allows everything.
        #[test]
        fn order_and_full_access_do_not_matter(identity in statements(), resource in statements(), owner in prop::sample::select(vec!['1', '2'])) {
            let kind = |decision: Decision| match decision {
                Decision::Allowed => 0,
                Decision::Uncertain(_) => 1,
                Decision::Denied(_) => 2,
            };
            let reversed = |list: &[String]| list.iter().rev().cloned().collect::<Vec<_>>();
            let plain = kind(answer(owner, &identity, &resource, &[]));
            prop_assert_eq!(plain, kind(answer(owner, &reversed(&identity), &reversed(&resource), &[])));
            prop_assert_eq!(plain, kind(answer(owner, &identity, &resource, &[vec![ALLOW_ALL.to_owned()]])));
        }
    }
}
