use super::*;
use crate::ids::{AccountId, Arn, BucketName, Partition};
use proptest::prelude::*;

fn wanted(prefixes: &[&str]) -> WantedRules {
    WantedRules {
        settings: RuleSettings {
            partition: Partition::Commercial,
            account: AccountId::new("111111111111").unwrap(),
            source: BucketName::new("source").unwrap(),
            destination: BucketName::new("central").unwrap(),
            destination_account: AccountId::new("222222222222").unwrap(),
            kms_key: None,
            time_control: false,
            storage_class: None,
        },
        base: "AWSLogs/111111111111/".into(),
        prefixes: prefixes.iter().map(|prefix| (*prefix).to_owned()).collect(),
        canary_prefix: "AWSLogs/111111111111/weir-canary/".into(),
    }
}

const BASE: &[&str] = &["AWSLogs/111111111111/"];

fn role() -> Arn {
    Arn::new("arn:aws:iam::111111111111:role/weir/weir-replication").unwrap()
}

fn text(merged: Option<&Merged>) -> String {
    merged.expect("a document").text.clone().expect("rules")
}

/// Applies the stages, and says how many documents were put.
fn apply(current: Option<String>, wanted: &WantedRules) -> (Option<String>, usize) {
    let mut current = current;
    let mut puts = 0;
    for _ in 0..2 {
        let stages = stages(current.as_deref(), &role(), wanted, true).unwrap();
        for merged in [stages.canary, stages.wide].into_iter().flatten() {
            current = merged.text;
            puts += 1;
        }
    }
    (current, puts)
}

fn configuration(rules: &str) -> String {
    format!(
        r#"<ReplicationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Role>arn:aws:iam::111111111111:role/foreign</Role>{rules}</ReplicationConfiguration>"#
    )
}

const FOREIGN: &str = "<Rule><ID>backup</ID><Priority>7</Priority><Filter><And><Prefix>data/</Prefix><Tag><Key>a</Key><Value>b &amp; c</Value></Tag></And></Filter><Status>Enabled</Status><SourceSelectionCriteria><ReplicaModifications><Status>Enabled</Status></ReplicaModifications></SourceSelectionCriteria><DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::elsewhere</Bucket></Destination></Rule>";

const VERSION_1: &str = "<Rule><ID>old</ID><Prefix>data/</Prefix><Status>Enabled</Status><Destination><Bucket>arn:aws:s3:::elsewhere</Bucket></Destination></Rule>";

#[test]
fn from_nothing_the_canary_comes_first_and_widens_under_the_same_id() {
    let wanted = wanted(BASE);
    let stages = stages(None, &role(), &wanted, false).unwrap();
    let canary = ReplicationConfiguration::parse(&text(stages.canary.as_ref())).unwrap();
    let wide = ReplicationConfiguration::parse(&text(stages.wide.as_ref())).unwrap();
    assert!(stages.needs_proof);
    let rule = |configuration: &ReplicationConfiguration, path: &[&str]| {
        assert_eq!(configuration.rules().count(), 1);
        configuration.rules().next().unwrap().text_at(path).unwrap().to_owned()
    };
    assert_eq!(rule(&canary, &["ID"]), rule(&wide, &["ID"]));
    assert_eq!(rule(&canary, &["ID"]), stages.canary_rule);
    assert_eq!(rule(&canary, &["Filter", "Prefix"]), "AWSLogs/111111111111/weir-canary/");
    assert_eq!(rule(&wide, &["Filter", "Prefix"]), "AWSLogs/111111111111/");
    insta::assert_snapshot!("wide", text(stages.wide.as_ref()));
    // Between the two stages nothing is put twice, and afterwards nothing at all.
    let again = super::stages(Some(&text(stages.canary.as_ref())), &role(), &wanted, false).unwrap();
    assert!(again.canary.is_none() && again.needs_proof && again.wide == stages.wide);
    let done = super::stages(Some(&text(stages.wide.as_ref())), &role(), &wanted, false).unwrap();
    assert!(done.canary.is_none() && done.wide.is_none() && !done.needs_proof);
}

#[test]
fn what_s3_adds_to_say_that_a_part_is_unused_is_no_change() {
    let mut wanted = wanted(BASE);
    let put = text(stages(None, &role(), &wanted, false).unwrap().wide.as_ref());
    let given_back = put.replace(
        "<DeleteMarkerReplication>",
        "<SourceSelectionCriteria><ReplicaModifications><Status>Disabled</Status></ReplicaModifications></SourceSelectionCriteria><ExistingObjectReplication><Status>Disabled</Status></ExistingObjectReplication><DeleteMarkerReplication>",
    );
    assert_ne!(put, given_back);
    let again = stages(Some(&given_back), &role(), &wanted, false).unwrap();
    assert!(again.canary.is_none() && again.wide.is_none() && !again.needs_proof);
    // What it adds in earnest is a change, and so is what we want in earnest.
    let enabled = given_back.replacen("Disabled", "Enabled", 1);
    assert!(stages(Some(&enabled), &role(), &wanted, false).unwrap().wide.is_some());
    wanted.settings.time_control = true;
    assert!(stages(Some(&given_back), &role(), &wanted, false).unwrap().wide.is_some());
}

#[test]
fn folders_have_rules_of_their_own_and_the_canary_keeps_its_rule() {
    let wanted = wanted(&["AWSLogs/111111111111/CloudTrail/", "AWSLogs/111111111111/vpcflowlogs/"]);
    let stages = stages(None, &role(), &wanted, false).unwrap();
    let wide = ReplicationConfiguration::parse(&text(stages.wide.as_ref())).unwrap();
    let prefixes: Vec<&str> = wide.rules().map(|rule| rule.text_at(&["Filter", "Prefix"]).unwrap()).collect();
    assert_eq!(
        prefixes,
        [
            "AWSLogs/111111111111/weir-canary/",
            "AWSLogs/111111111111/CloudTrail/",
            "AWSLogs/111111111111/vpcflowlogs/"
        ]
    );
    // One folder less: nothing new has to be proven.
    let fewer = super::stages(
        Some(&text(stages.wide.as_ref())),
        &role(),
        &super::tests::wanted(&["AWSLogs/111111111111/CloudTrail/"]),
        false,
    )
    .unwrap();
    assert!(fewer.canary.is_none() && !fewer.needs_proof);
    assert_eq!(ReplicationConfiguration::parse(&text(fewer.wide.as_ref())).unwrap().rules().count(), 2);
}

#[test]
fn a_change_is_proven_beside_the_rules_in_force() {
    let before = text(stages(None, &role(), &wanted(BASE), false).unwrap().wide.as_ref());
    let mut changed = wanted(BASE);
    changed.settings.time_control = true;
    changed.settings.storage_class = Some(crate::desired::StorageClass::StandardIa);
    changed.settings.kms_key = Some(Arn::new("arn:aws:kms:eu-central-1:222222222222:key/1").unwrap());
    let stages = stages(Some(&before), &role(), &changed, false).unwrap();
    let canary = ReplicationConfiguration::parse(&text(stages.canary.as_ref())).unwrap();
    let rules: Vec<&Element> = canary.rules().collect();
    assert_eq!(rules.len(), 2);
    assert!(rules[0].text_at(&["Destination", "ReplicationTime", "Status"]).is_none());
    assert_eq!(rules[1].text_at(&["ID"]), Some(stages.canary_rule.as_str()));
    let priority = |rule: &Element| rule.text_at(&["Priority"]).unwrap().parse::<u32>().unwrap();
    assert!(priority(rules[1]) > priority(rules[0]), "the canary's rule decides");
    assert_eq!(rules[1].text_at(&["Filter", "Prefix"]), Some("AWSLogs/111111111111/weir-canary/"));
    let wide = text(stages.wide.as_ref());
    assert_eq!(ReplicationConfiguration::parse(&wide).unwrap().rules().count(), 1);
    insta::assert_snapshot!("wide_with_everything", wide);
    let between = super::stages(Some(&text(stages.canary.as_ref())), &role(), &changed, false).unwrap();
    assert!(between.canary.is_none() && between.wide == stages.wide);
    assert!(super::stages(Some(&wide), &role(), &changed, false).unwrap().wide.is_none());
}

#[test]
fn foreign_rules_stay_as_they_are_and_priorities_are_free() {
    let before = configuration(FOREIGN);
    let (after, puts) = apply(Some(before.clone()), &wanted(BASE));
    assert_eq!(puts, 2);
    let after = after.unwrap();
    assert!(after.contains(FOREIGN), "{after}");
    let parsed = ReplicationConfiguration::parse(&after).unwrap();
    assert_eq!(parsed.own()[0].text_at(&["Priority"]), Some("8"));
    assert_eq!(parsed.foreign()[0].0, "backup");
    // Off-boarding gives back the configuration, with the role that was on it.
    let removed = remove(&after).unwrap().unwrap();
    assert_eq!(removed.carried, ["backup"]);
    assert!(removed.text.unwrap().contains(FOREIGN));
    assert!(remove(&before).unwrap().is_none());
    let only_ours = apply(None, &wanted(BASE)).0.unwrap();
    assert_eq!(remove(&only_ours).unwrap().unwrap().text, None);
}

#[test]
fn the_role_is_shared_only_with_rules_of_others() {
    let role = |text: &str| ReplicationConfiguration::parse(text).unwrap().role_on_configuration();
    assert_eq!(
        role(&configuration(FOREIGN)),
        RoleOnConfiguration::Shared("arn:aws:iam::111111111111:role/foreign".into())
    );
    assert_eq!(role(&configuration("")), RoleOnConfiguration::Free);
    assert_eq!(role(&apply(None, &wanted(BASE)).0.unwrap()), RoleOnConfiguration::Free);
}

#[test]
fn rules_of_the_first_version_are_converted_only_on_request() {
    let before = configuration(&format!(
        "{VERSION_1}<Rule><Prefix/><Status>Disabled</Status><Destination><Bucket>arn:aws:s3:::x</Bucket></Destination></Rule>"
    ));
    let refused = stages(Some(&before), &role(), &wanted(BASE), false).unwrap_err();
    assert!(
        matches!(&refused, ReplicationError::Version1(names) if *names == ["old", "rule 2"]),
        "{refused}"
    );
    let stages = stages(Some(&before), &role(), &wanted(BASE), true).unwrap();
    assert_eq!(stages.converted, ["old", "rule 2"]);
    insta::assert_snapshot!(
        "converted",
        Element::parse(&text(stages.canary.as_ref()), "ReplicationConfiguration").unwrap().to_pretty()
    );
}

#[test]
fn overlaps_say_which_rule_wins() {
    let foreign = |prefix: &str, bucket: &str, priority: &str| {
        format!(
            "<Rule><ID>a</ID><Priority>{priority}</Priority><Filter><Prefix>{prefix}</Prefix></Filter><Status>Enabled</Status><Destination><Bucket>arn:aws:s3:::{bucket}</Bucket></Destination></Rule>"
        )
    };
    let found =
        |rules: &str| stages(Some(&configuration(rules)), &role(), &wanted(BASE), false).unwrap().overlaps;
    let overlap = &found(&foreign("", "central", "5"))[0];
    assert_eq!((overlap.foreign.as_str(), overlap.prefix.as_str(), overlap.ours_wins), ("a", BASE[0], true));
    let overlap = &found(&foreign("AWSLogs/111111111111/CloudTrail/", "central", "2147483647"))[0];
    assert_eq!((overlap.prefix.as_str(), overlap.ours_wins), ("AWSLogs/111111111111/CloudTrail/", false));
    assert!(found(&foreign("other/", "central", "5")).is_empty());
    assert!(found(&foreign("", "elsewhere", "5")).is_empty());
    assert!(found(&foreign("", "central", "5").replace("Enabled", "Disabled")).is_empty());
}

#[test]
fn limits_of_s3_are_kept_before_a_call() {
    let rule =
        |id: &str, priority: &str| FOREIGN.replace("backup", id).replace(">7<", &format!(">{priority}<"));
    let refusal =
        |rules: String| stages(Some(&configuration(&rules)), &role(), &wanted(BASE), false).unwrap_err();
    let many: String = (0..1000).map(|number| rule(&number.to_string(), &number.to_string())).collect();
    assert!(matches!(refusal(many), ReplicationError::TooMany(1001)));
    let most: String = (0..999).map(|number| rule(&number.to_string(), &number.to_string())).collect();
    assert!(stages(Some(&configuration(&most)), &role(), &wanted(BASE), false).is_ok());
    assert!(
        matches!(refusal(rule("a", "1") + &rule("a", "2")), ReplicationError::DuplicateId(id) if id == "a")
    );
    assert!(matches!(refusal(rule("a", "1") + &rule("b", "1")), ReplicationError::DuplicatePriority(1)));
    assert!(matches!(refusal(rule("a", "-1")), ReplicationError::Priority { .. }));
    assert!(matches!(refusal(rule("a", "high")), ReplicationError::Priority { .. }));
}

#[test]
fn what_cannot_be_written_back_is_refused() {
    for (text, part) in [
        ("", "no element"),
        ("<ReplicationConfiguration>", "ends within"),
        ("<LifecycleConfiguration/>", "not a <ReplicationConfiguration>"),
        ("<!DOCTYPE a [<!ENTITY b \"c\">]><ReplicationConfiguration/>", "document type"),
        ("<ReplicationConfiguration><Role>&b;</Role></ReplicationConfiguration>", "entity"),
        ("<ReplicationConfiguration>text<Role/></ReplicationConfiguration>", "text beside"),
        ("<ReplicationConfiguration><New/></ReplicationConfiguration>", "<New>"),
    ] {
        let error = ReplicationConfiguration::parse(text).unwrap_err();
        let chain = format!(
            "{error} {}",
            std::error::Error::source(&error).map_or(String::new(), ToString::to_string)
        );
        assert!(chain.contains(part), "{text}: {chain}");
    }
    let deep = "<a>".repeat(40) + &"</a>".repeat(40);
    assert!(Element::parse(&deep, "a").is_err());
}

#[test]
fn namespaces_order_and_white_space_do_not_matter_and_content_does() {
    let left = "<?xml version='1.0'?>\n<s3:A xmlns:s3='x'>\n  <s3:B>1</s3:B>\n  <s3:C/>\n</s3:A>";
    assert!(same_xml(left, "<A xmlns='y'><C></C><B>1</B></A>"));
    assert!(!same_xml(left, "<A><C/><B>1 </B></A>"));
    assert!(!same_xml(left, "<A><C/><B>1</B><B>1</B></A>"));
    assert!(same_xml("<A> <!-- note --><B/></A>", "<A><B/></A>"));
    assert!(same_xml("<A><![CDATA[<&]]></A>", "<A>&lt;&#38;</A>"));
}

#[test]
fn lifecycle_rules_of_others_stay_and_ours_is_put_once() {
    let (text, carried) = expire_noncurrent(None, 7).unwrap().unwrap();
    assert!(text.contains("<NoncurrentDays>7</NoncurrentDays>") && carried.is_empty());
    assert!(expire_noncurrent(Some(&text), 7).unwrap().is_none());
    assert!(expire_noncurrent(Some(&text), 8).unwrap().is_some());
    let foreign = "<Rule><ID>archive</ID><Prefix>a/</Prefix><Status>Enabled</Status><Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition></Rule>";
    let before = format!("<LifecycleConfiguration>{foreign}</LifecycleConfiguration>");
    let (text, carried) = expire_noncurrent(Some(&before), 7).unwrap().unwrap();
    assert!(text.contains(foreign) && carried == ["archive"]);
    // Beside the older form ours has it too: S3 takes one form only.
    assert!(text.contains("<ID>weir/noncurrent-versions</ID><Prefix/>"), "{text}");
    let (kept, _) = keep_lifecycle_of_others(&text).unwrap().unwrap();
    assert!(same_xml(&kept, &before));
    assert!(keep_lifecycle_of_others(&before).unwrap().is_none());
    let removes_all = "<LifecycleConfiguration><Rule><Filter/><Status>Enabled</Status><NoncurrentVersionExpiration><NoncurrentDays>90</NoncurrentDays></NoncurrentVersionExpiration></Rule></LifecycleConfiguration>";
    assert!(expire_noncurrent(Some(removes_all), 7).unwrap().is_none());
}

#[test]
fn notifications_of_others_stay() {
    let queue = Arn::new("arn:aws:sqs:eu-central-1:222222222222:weir").unwrap();
    let foreign = "<TopicConfiguration><Id>t</Id><Topic>arn:aws:sns:eu-central-1:222222222222:t</Topic><Event>s3:ObjectCreated:Put</Event></TopicConfiguration><EventBridgeConfiguration/>";
    let before = format!("<NotificationConfiguration>{foreign}</NotificationConfiguration>");
    assert!(!announces_to(Some(&before), &queue).unwrap() && !announces_to(None, &queue).unwrap());
    let (text, carried) = announce_to_queue(Some(&before), &queue).unwrap();
    assert!(text.contains(foreign) && announces_to(Some(&text), &queue).unwrap());
    assert_eq!(carried, ["t", "EventBridgeConfiguration 2"]);
    let (kept, _) = stop_announcing(&text).unwrap().unwrap();
    assert!(same_xml(&kept, &before));
    let filtered = text.replace("<Event>s3:ObjectCreated:*</Event>", "<Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>prefix</Name><Value>a</Value></FilterRule></S3Key></Filter>");
    assert!(!announces_to(Some(&filtered), &queue).unwrap());
}

/// Rules as others may write them, of both versions, with elements that we do not know.
fn foreign_rule(number: usize) -> impl Strategy<Value = String> {
    let text = "[ -~äß&&[^<>&]]{0,10}";
    (any::<bool>(), any::<bool>(), text, prop::sample::select(vec!["", "<New a='b &amp;'><Deep>x</Deep><Deep/></New>", "<ExistingObjectReplication><Status>Enabled</Status></ExistingObjectReplication>"]), any::<bool>())
        .prop_map(move |(version_1, has_id, prefix, extra, ours)| {
            let id = if has_id { format!("<ID>rule-{number}</ID>") } else { String::new() };
            let bucket = if ours { "central" } else { "elsewhere" };
            let destination = format!("<Destination><Bucket>arn:aws:s3:::{bucket}</Bucket></Destination>");
            if version_1 {
                format!("<Rule>{id}<Prefix>{prefix}</Prefix><Status>Enabled</Status>{extra}{destination}</Rule>")
            } else {
                format!("<Rule>{id}<Priority>{}</Priority><Filter><Prefix>{prefix}</Prefix></Filter><Status>Enabled</Status>{extra}<DeleteMarkerReplication><Status>Enabled</Status></DeleteMarkerReplication>{destination}</Rule>", number * 3)
            }
        })
}

fn element() -> impl Strategy<Value = Element> {
    let name = "[A-Za-z][A-Za-z0-9]{0,6}";
    let leaf = (name, "[ -~\r\n\tä]{0,12}").prop_map(|(name, text)| Element::with_text(&name, text));
    leaf.prop_recursive(4, 30, 4, move |inner| {
        (name, prop::collection::vec(inner, 1..4))
            .prop_map(|(name, children)| Element::with_children(&name, children))
    })
}

proptest! {
    #[test]
    fn foreign_rules_survive_apply_change_and_removal(
        rules in (0usize..6).prop_flat_map(|count| (0..count).map(foreign_rule).collect::<Vec<_>>()),
        folders in any::<bool>(),
    ) {
        let before = configuration(&rules.concat());
        let first = wanted(if folders { &["AWSLogs/111111111111/CloudTrail/"] } else { BASE });
        let mut second = first.clone();
        second.settings.time_control = true;
        let parsed = ReplicationConfiguration::parse(&before).unwrap();
        let has_version_1 = parsed.rules().any(|rule| rule.child("Filter").is_none());
        let refused = stages(Some(&before), &role(), &first, false);
        prop_assert_eq!(refused.is_err(), has_version_1);
        let (applied, _) = apply(Some(before.clone()), &first);
        let (changed, puts) = apply(applied.clone(), &second);
        prop_assert_eq!(puts, 2);
        prop_assert_eq!(apply(changed.clone(), &second).1, 0);
        let removed = remove(changed.as_deref().unwrap()).unwrap().unwrap().text;
        prop_assert_eq!(removed.is_none(), rules.is_empty());
        for document in [applied, changed, removed].into_iter().flatten() {
            let after = ReplicationConfiguration::parse(&document).unwrap();
            let kept: Vec<&Element> = after.foreign().into_iter().map(|(_, rule)| rule).collect();
            let expected: Vec<&Element> = parsed.foreign().into_iter().map(|(_, rule)| rule).collect();
            prop_assert_eq!(kept.len(), expected.len());
            for (kept, expected) in kept.into_iter().zip(expected) {
                if expected.child("Filter").is_some() {
                    prop_assert_eq!(kept, expected);
                } else {
                    // Converted: everything but the prefix's place is as it was.
                    prop_assert_eq!(kept.text_at(&["Filter", "Prefix"]), expected.text_at(&["Prefix"]));
                    for child in expected.children().iter().filter(|child| child.name() != "Prefix") {
                        prop_assert!(kept.children().contains(child));
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_written_is_read_back(element in element()) {
        // White space beside elements is layout; in a leaf it is content.
        let document = element.to_document();
        prop_assert_eq!(Element::parse_any(&document).unwrap(), element);
    }

    #[test]
    fn any_text_is_read_without_panic(text in "[<>/&;!?\\[\\]a-z \"=-]{0,60}") {
        let _ = Element::parse(&text, "a");
        let _ = same_xml(&text, "<a/>");
    }
}
