//! What is rendered is held against goldens, which tests/infra gives to the tools themselves, and against the plan.

use super::*;
use crate::ids::AccountId;
use crate::inventory::{Role, Versioning};
use crate::plan::{DocumentKind, Write};
use crate::policy::{PolicyOf, Reason, equivalent, reasons};
use crate::replication::same_xml;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/render/goldens")
}

fn inventory() -> Inventory {
    let text = std::fs::read_to_string(goldens().join("inventory.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn desired() -> Desired {
    Desired::load(Some(&goldens().join("accounts.toml"))).unwrap()
}

/// The plan that is rendered.
fn plan() -> (Inventory, Plan) {
    let (assumed, _) = with_missing_destinations(&inventory(), &desired());
    let plan = plan::build(&assumed, &desired());
    (assumed, plan)
}

fn files(format: Format) -> BTreeMap<String, String> {
    let rendered = render(&inventory(), &desired(), format).unwrap();
    rendered.files.into_iter().map(|file| (file.path, file.text)).collect()
}

/// All strings in a JSON value.
fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(strings).collect(),
        Value::Object(fields) => fields.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

/// With WEIR_UPDATE_GOLDENS set, writes them instead.
fn hold_against_goldens(format: Format, name: &str) {
    let folder = goldens().join(name);
    let rendered = render(&inventory(), &desired(), format).unwrap();
    if std::env::var_os("WEIR_UPDATE_GOLDENS").is_some() {
        rendered.write(&folder).unwrap();
    }
    let listed: BTreeSet<String> =
        serde_json::from_str(&std::fs::read_to_string(folder.join("rendered.json")).unwrap()).unwrap();
    let written: BTreeSet<String> = rendered.files.iter().map(|file| file.path.clone()).collect();
    assert_eq!(listed, written);
    for file in &rendered.files {
        let golden = std::fs::read_to_string(folder.join(&file.path)).unwrap();
        assert_eq!(golden, file.text, "{}; set WEIR_UPDATE_GOLDENS=1 to take it", file.path);
    }
}

#[test]
fn cloudformation_is_as_reviewed() {
    hold_against_goldens(Format::Cloudformation, "cloudformation");
}

#[test]
fn terraform_is_as_reviewed() {
    hold_against_goldens(Format::Terraform, "terraform");
}

#[test]
fn every_write_of_the_plan_is_in_a_template_or_in_a_script() {
    let (assumed, plan) = plan();
    let desired = desired();
    let regions = BTreeSet::from([crate::ids::Region::new("us-east-1").unwrap()]);
    let wanted = Wanted::find(&plan, &assumed, &desired, &regions).unwrap();
    for format in [Format::Cloudformation, Format::Terraform] {
        let mut rendered = Rendered::default();
        let covered = match format {
            Format::Cloudformation => cloudformation::write(&wanted, &mut rendered).unwrap(),
            Format::Terraform => terraform::write(&wanted, &mut rendered).unwrap(),
        };
        let templates: String = rendered.files.iter().map(|file| file.text.as_str()).collect();
        let files = files(format);
        let mut in_scripts = 0;
        for action in &plan.actions {
            let target = action.write.target().to_string();
            if covered.has(&action.write) {
                let name = target.rsplit('/').next().unwrap();
                assert!(templates.contains(name), "{format:?} {} {target}", action.write.operation());
                continue;
            }
            in_scripts += 1;
            let script = &files[&format!("bundle/{}/run.sh", action.account)];
            let name = target.rsplit('/').next().unwrap();
            assert!(script.contains(name), "{format:?} {} {target}\n{script}", action.write.operation());
        }
        assert!(in_scripts > 0 && in_scripts < plan.actions.len(), "{format:?}");
    }
}

#[test]
fn templates_own_nothing_of_others() {
    let of_others =
        ["DenyInsecureTransport", "Administrators", "thumbnails", "exports-to-glacier", "billing-backup"];
    for format in [Format::Cloudformation, Format::Terraform] {
        let files = files(format);
        let is_tools = |path: &str| path.starts_with("bundle/") || path == "README.md";
        for (path, text) in files.iter().filter(|(path, _)| !is_tools(path)) {
            for name in of_others {
                assert!(!text.contains(name), "{path} holds {name}");
            }
        }
        let bundle: String = files
            .iter()
            .filter(|(path, _)| path.starts_with("bundle/"))
            .map(|(_, text)| text.as_str())
            .collect();
        for name in of_others {
            assert!(bundle.contains(name), "the bundle carries {name} through");
        }
    }
}

#[test]
fn roles_in_the_stack_set_have_the_planned_policies() {
    let (_, plan) = plan();
    let template: Value = serde_json::from_str(&files(Format::Cloudformation)["members-1.json"]).unwrap();
    let resources: Vec<&Value> = template["Resources"].as_object().unwrap().values().collect();
    let mut seen = 0;
    for action in &plan.actions {
        let account = format!("Account{}", action.account);
        let of_account = |name: &str| {
            resources
                .iter()
                .find(|resource| {
                    resource["Condition"] == account.as_str() && resource["Properties"]["RoleName"] == name
                })
                .unwrap_or_else(|| panic!("{account} {name}"))
        };
        match &action.write {
            Write::CreateRole { name, trust_policy, .. } => {
                let document = &of_account(name.as_str())["Properties"]["AssumeRolePolicyDocument"];
                assert!(equivalent(&document.to_string(), trust_policy));
                seen += 1;
            }
            Write::PutRolePolicy { name, document, policy_name, .. } => {
                let properties = &of_account(name.as_str())["Properties"];
                let (given, policy) = match properties.get("Policies") {
                    Some(policies) => (&policies[0]["PolicyName"], &policies[0]["PolicyDocument"]),
                    None => (&properties["PolicyName"], &properties["PolicyDocument"]),
                };
                assert_eq!(given, policy_name.as_str());
                assert!(equivalent(&policy.to_string(), &document.after));
                seen += 1;
            }
            _ => {}
        }
    }
    assert_eq!(seen, 7);
    let conditions = template["Conditions"].as_object().unwrap();
    assert_eq!(conditions.len(), 3);
}

/// What the writes of the plan make of an inventory.
fn applied(inventory: &Inventory, plan: &Plan) -> Inventory {
    let mut after = inventory.clone();
    for action in &plan.actions {
        let log_account = &mut after.log_account;
        let destination = log_account.destinations.get_mut(&action.region);
        if let (true, Some(Destination::Found(bucket))) = (action.account == log_account.id, destination) {
            match &action.write {
                Write::PutBucketVersioning { .. } => bucket.versioning = Versioning::Enabled,
                Write::PutBucketOwnershipControls { change, .. } => bucket.ownership = Some(change.after),
                Write::PutPublicAccessBlock { change, .. } => bucket.public_access_block = Some(change.after),
                Write::PutBucketPolicy { document, .. } => bucket.policy = Some(document.after.clone()),
                Write::PutBucketNotificationConfiguration { document, .. } => {
                    bucket.notifications = Some(document.after.clone());
                }
                Write::PutKeyPolicy { key, document } => {
                    log_account.keys.get_mut(key).unwrap().policy = Some(document.after.clone());
                }
                other => panic!("{}", other.operation()),
            }
            continue;
        }
        let member = after.members.get_mut(&action.account).unwrap();
        match &action.write {
            Write::PutBucketVersioning { bucket, .. } => {
                member.buckets.get_mut(bucket).unwrap().versioning = Versioning::Enabled;
            }
            Write::PutBucketLifecycleConfiguration { bucket, document } => {
                member.buckets.get_mut(bucket).unwrap().lifecycle = Some(document.after.clone());
            }
            Write::PutBucketReplication { bucket, document, .. } => {
                let bucket = member.buckets.get_mut(bucket).unwrap();
                // Each stage was planned from the one before.
                assert_eq!(bucket.replication, document.before);
                bucket.replication = Some(document.after.clone());
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
                member.roles.insert(role.clone(), created);
            }
            Write::PutRolePolicy { role, policy_name, document, .. } => {
                let policies = &mut member.roles.get_mut(role).unwrap().inline_policies;
                policies.insert(policy_name.clone(), document.after.clone());
            }
            Write::PutCanaryObject { .. } => {}
            other => panic!("{}", other.operation()),
        }
    }
    after
}

#[test]
fn once_it_is_done_the_templates_stay_and_the_scripts_go() {
    let (assumed, plan) = plan();
    let done = applied(&assumed, &plan);
    // The bucket that was missing is there now.
    let again = render(&done, &desired(), Format::Terraform).unwrap();
    let before = render(&inventory(), &desired(), Format::Terraform).unwrap();
    assert!(!again.files.iter().any(|file| file.path.starts_with("bundle/")), "{:?}", again.files);
    let module = |rendered: &Rendered, path: &str| -> Value {
        let file = rendered.files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("{path}"));
        serde_json::from_str(&file.text).unwrap()
    };
    for account in ["111111111111", "222222222222", "333333333333"] {
        let path = format!("members/{account}/main.tf.json");
        let (old, new) = (module(&before, &path), module(&again, &path));
        // A resource that vanished would be destroyed.
        assert_eq!(old["resource"], new["resource"], "{path}");
        let imports = new["import"].as_array().unwrap().len();
        let resources: usize =
            new["resource"].as_object().unwrap().values().map(|kind| kind.as_object().unwrap().len()).sum();
        assert_eq!(imports, resources, "everything that is there is imported: {path}");
    }
    let again = render(&done, &desired(), Format::Cloudformation).unwrap();
    let template = |rendered: &Rendered| {
        rendered.files.iter().find(|file| file.path == "members-1.json").unwrap().text.clone()
    };
    assert_eq!(
        template(&again),
        template(&render(&inventory(), &desired(), Format::Cloudformation).unwrap())
    );
}

#[test]
fn a_large_organization_gets_several_templates() {
    let mut inventory = inventory();
    let model = inventory.members[&AccountId::new("111111111111").unwrap()].clone();
    let model_bucket = model.buckets.values().next().unwrap().clone();
    for number in 0..700_u64 {
        let id = AccountId::new((400_000_000_000 + number).to_string()).unwrap();
        let mut member = model.clone();
        member.access = crate::inventory::Access::Reached {
            role: crate::ids::Arn::new(format!("arn:aws:iam::{id}:role/weir-onboarding")).unwrap(),
        };
        let mut bucket = model_bucket.clone();
        bucket.samples.clear();
        let name = crate::ids::BucketName::new(format!("many-logs-{id}-eu")).unwrap();
        member.buckets = BTreeMap::from([(name, bucket)]);
        member.id = id.clone();
        inventory.members.insert(id, member);
    }
    let rendered = render(&inventory, &desired(), Format::Cloudformation).unwrap();
    let templates: Vec<&RenderedFile> =
        rendered.files.iter().filter(|file| file.path.starts_with("members-")).collect();
    assert!(templates.len() > 1);
    let mut accounts = BTreeSet::new();
    for template in templates {
        // What CloudFormation takes from a bucket.
        assert!(template.text.len() <= 1_000_000, "{} has {} bytes", template.path, template.text.len());
        let template: Value = serde_json::from_str(&template.text).unwrap();
        assert!(template["Resources"].as_object().unwrap().len() <= 500);
        for condition in template["Conditions"].as_object().unwrap().keys() {
            assert!(accounts.insert(condition.clone()), "{condition} is in two templates");
        }
    }
    assert_eq!(accounts.len(), 703);
}

#[test]
fn documents_of_the_scripts_are_the_planned_ones() {
    let (_, plan) = plan();
    let files = files(Format::Cloudformation);
    let mut compared = 0;
    for action in &plan.actions {
        let Some((document, DocumentKind::Json)) = action.write.document() else { continue };
        let kind = match &action.write {
            Write::PutBucketPolicy { .. } => "bucket-policy",
            Write::PutKeyPolicy { .. } => "key-policy",
            _ => continue,
        };
        let target = action.write.target().to_string();
        let short = target.rsplit('/').next().unwrap();
        let Some(text) = files.get(&format!("bundle/{}/{kind}-{short}.json", action.account)) else {
            continue;
        };
        let (rendered, planned): (Value, Value) =
            (serde_json::from_str(text).unwrap(), serde_json::from_str(&document.after).unwrap());
        assert_eq!(rendered, planned);
        compared += 1;
    }
    assert_eq!(compared, 2);
}

#[test]
fn the_cli_gets_every_element_or_none() {
    let known = r#"<ReplicationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Role>r</Role><Rule><ID>a</ID><Priority>7</Priority><Filter><And><Prefix>p &amp; q</Prefix><Tag><Key>k</Key><Value>v</Value></Tag><Tag><Key>l</Key><Value>w</Value></Tag></And></Filter><Status>Enabled</Status><SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Enabled</Status></SseKmsEncryptedObjects></SourceSelectionCriteria><DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Destination><Bucket>b</Bucket><Metrics><Status>Enabled</Status><EventThreshold><Minutes>15</Minutes></EventThreshold></Metrics></Destination></Rule></ReplicationConfiguration>"#;
    let json = cli_json::replication(known).unwrap();
    assert_eq!(json["Rules"][0]["Filter"]["And"]["Prefix"], "p & q");
    assert_eq!(json["Rules"][0]["Filter"]["And"]["Tags"][1]["Value"], "w");
    assert_eq!(json["Rules"][0]["Priority"], 7);
    assert_eq!(json["Rules"][0]["Destination"]["Metrics"]["EventThreshold"]["Minutes"], 15);
    for (from, to) in [
        ("<Role>", "<Account>1</Account><Role>"),
        ("<Priority>7", "<Priority>high"),
        ("<Status>Enabled</Status><Source", "<Status>Enabled</Status><Status>Disabled</Status><Source"),
        ("<Bucket>b</Bucket>", "<Bucket><Name>b</Name></Bucket>"),
    ] {
        let error = cli_json::replication(&known.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains('<'), "{error}");
    }
    let lifecycle = r"<LifecycleConfiguration><Rule><ID>a</ID><Filter><ObjectSizeGreaterThan>1</ObjectSizeGreaterThan></Filter><Status>Enabled</Status><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration><Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition></Rule></LifecycleConfiguration>";
    let json = cli_json::lifecycle(lifecycle).unwrap();
    assert_eq!(json["Rules"][0]["Expiration"]["ExpiredObjectDeleteMarker"], true);
    assert_eq!(json["Rules"][0]["Transitions"][0]["Days"], 1);
}

#[test]
fn a_rule_that_the_cli_cannot_carry_is_left_to_apply() {
    let mut inventory = inventory();
    let member = inventory.members.get_mut(&AccountId::new("222222222222").unwrap()).unwrap();
    let bucket = member.buckets.values_mut().find(|bucket| bucket.replication.is_some()).unwrap();
    let text = bucket.replication.clone().unwrap();
    bucket.replication =
        Some(text.replace("<Status>Enabled</Status>", "<Status>Enabled</Status><Novelty>1</Novelty>"));
    let rendered = render(&inventory, &desired(), Format::Cloudformation).unwrap();
    assert!(
        rendered.notes.iter().any(|note| note.contains("<Novelty>") && note.contains("weir accounts apply")),
        "{:#?}",
        rendered.notes
    );
    assert!(rendered.is_partial);
    let script = rendered.files.iter().find(|file| file.path == "bundle/222222222222/run.sh").unwrap();
    assert!(!script.text.contains("replace replication exports-logs"), "{}", script.text);
    assert!(!script.text.contains("canary exports-logs"), "a canary needs its rule\n{}", script.text);
}

#[test]
fn a_stopped_plan_renders_nothing() {
    let mut inventory = inventory();
    inventory.caller.kind = crate::inventory::CallerKind::Member;
    let error = render(&inventory, &desired(), Format::Terraform).unwrap_err().to_string();
    assert!(error.contains("CALLER_NOT_ALLOWED"), "{error}");
}

#[test]
fn a_folder_is_kept_free_of_old_scripts_and_of_surprises() {
    let folder = std::env::temp_dir().join(format!("weir-render-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let file =
        |path: &str| RenderedFile { path: path.into(), text: "x".into(), executable: path.ends_with(".sh") };
    let first =
        Rendered { files: vec![file("a/run.sh"), file("b.json")], notes: Vec::new(), is_partial: false };
    first.write(&folder).unwrap();
    std::fs::write(folder.join("a/terraform.tfstate"), "state").unwrap();
    let second = Rendered { files: vec![file("b.json")], notes: Vec::new(), is_partial: false };
    second.write(&folder).unwrap();
    assert!(!folder.join("a/run.sh").exists(), "an old script must not stay");
    assert!(folder.join("a/terraform.tfstate").exists(), "what we did not write stays");
    std::fs::remove_file(folder.join("rendered.json")).unwrap();
    let error = second.write(&folder).unwrap_err().to_string();
    assert!(error.contains("did not write"), "{error}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn words_reach_the_shell_as_they_are() {
    let mut inventory = inventory();
    let mut desired = desired();
    desired.sources[0].prefix = "it's $(here)/".to_owned();
    for member in inventory.members.values_mut() {
        for bucket in member.buckets.values_mut() {
            bucket.samples.clear();
        }
    }
    let rendered = render(&inventory, &desired, Format::Cloudformation);
    // A `$` cannot come from accounts.toml, but the renderer does not rely on that.
    let rendered = rendered.unwrap();
    let script = rendered.files.iter().find(|file| file.path == "bundle/111111111111/run.sh").unwrap();
    assert!(script.text.contains(r"'it'\''s $(here)/AWSLogs/111111111111/weir-canary/'"), "{}", script.text);
}

#[test]
fn terraform_looks_for_no_templates_in_policies() {
    for (path, text) in files(Format::Terraform) {
        if !path.ends_with(".tf.json") {
            continue;
        }
        let module: Value = serde_json::from_str(&text).unwrap();
        for string in strings(&module) {
            assert!(!string.replace("$${", "").contains("${"), "{path}: {string}");
        }
    }
    let module = &files(Format::Terraform)["log-account/main.tf.json"];
    assert!(module.contains("$${aws:PrincipalAccount}"), "{module}");
}

#[test]
fn rules_of_terraform_say_what_the_planned_rules_say() {
    let (_, plan) = plan();
    let files = files(Format::Terraform);
    let mut compared = 0;
    for action in &plan.actions {
        let Write::PutBucketReplication { bucket, stage: plan::ReplicationStage::Wide, document } =
            &action.write
        else {
            continue;
        };
        let module: Value =
            serde_json::from_str(&files[&format!("members/{}/main.tf.json", action.account)]).unwrap();
        let all = module["resource"]["aws_s3_bucket_replication_configuration"].as_object().unwrap();
        let Some(resource) = all.values().find(|resource| resource["bucket"] == bucket.as_str()) else {
            assert!(!document.carried.is_empty(), "{bucket}");
            continue;
        };
        assert!(same_xml(&xml(resource), &document.after), "{}\n{}", xml(resource), document.after);
        compared += 1;
    }
    assert_eq!(compared, 4);
}

/// What the provider sends for the resource, in the order of S3's API reference.
fn xml(resource: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rules: String = resource["rule"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| {
            let destination = &rule["destination"];
            let mut parts = format!(
                "<Bucket>{}</Bucket><Account>{}</Account><AccessControlTranslation><Owner>{}</Owner></AccessControlTranslation>",
                text(&destination["bucket"]),
                text(&destination["account"]),
                text(&destination["access_control_translation"]["owner"])
            );
            if let Some(key) = destination.get("encryption_configuration") {
                parts += &format!(
                    "<EncryptionConfiguration><ReplicaKmsKeyID>{}</ReplicaKmsKeyID></EncryptionConfiguration>",
                    text(&key["replica_kms_key_id"])
                );
            }
            if let Some(time) = destination.get("replication_time") {
                parts += &format!(
                    "<ReplicationTime><Status>{}</Status><Time><Minutes>{}</Minutes></Time></ReplicationTime><Metrics><Status>{}</Status><EventThreshold><Minutes>{}</Minutes></EventThreshold></Metrics>",
                    text(&time["status"]),
                    time["time"]["minutes"],
                    text(&destination["metrics"]["status"]),
                    destination["metrics"]["event_threshold"]["minutes"]
                );
            }
            let criteria = rule.get("source_selection_criteria").map_or_else(String::new, |criteria| {
                format!(
                    "<SourceSelectionCriteria><SseKmsEncryptedObjects><Status>{}</Status></SseKmsEncryptedObjects></SourceSelectionCriteria>",
                    text(&criteria["sse_kms_encrypted_objects"]["status"])
                )
            });
            format!(
                "<Rule><ID>{}</ID><Priority>{}</Priority><Filter><Prefix>{}</Prefix></Filter><Status>{}</Status>{criteria}<DeleteMarkerReplication><Status>{}</Status></DeleteMarkerReplication><Destination>{parts}</Destination></Rule>",
                text(&rule["id"]),
                rule["priority"],
                text(&rule["filter"]["prefix"]),
                text(&rule["status"]),
                text(&rule["delete_marker_replication"]["status"]),
            )
        })
        .collect();
    format!(
        "<ReplicationConfiguration><Role>{}</Role>{rules}</ReplicationConfiguration>",
        text(&resource["role"])
    )
}

/// Actions of a template of infra/, each with the comment beside it.
fn explained_actions(template: &str) -> BTreeMap<String, BTreeSet<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/cloudformation").join(template);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut actions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines() {
        let Some(item) = line.trim().strip_prefix("- ") else { continue };
        let Some((action, why)) = item.split_once(" # ") else { continue };
        if action.contains(':') && !action.contains(' ') {
            actions.entry(action.to_owned()).or_default().insert(why.to_owned());
        }
    }
    actions
}

fn assert_explains(template: &str, expected: &[Reason], besides: &[&str]) {
    let mut actions = explained_actions(template);
    for other in besides {
        assert!(actions.remove(*other).is_some(), "{template} lacks {other}");
    }
    for reason in expected {
        let why =
            actions.remove(reason.action).unwrap_or_else(|| panic!("{template} lacks {}", reason.action));
        assert!(why.contains(reason.why), "{template}, {}: {why:?} and {:?}", reason.action, reason.why);
    }
    assert!(actions.is_empty(), "{template} asks for what nobody needs: {actions:?}");
}

/// The templates of infra/ ask for exactly what the calls need, and say why.
#[test]
fn templates_ask_for_what_is_needed_and_say_why() {
    let trust = ["sts:AssumeRole"];
    assert_explains("member-role.yaml", reasons(PolicyOf::MemberRole), &trust);
    assert_explains("log-account-role.yaml", reasons(PolicyOf::LogAccountRole), &trust);
    for reason in reasons(PolicyOf::Caller) {
        let why = &explained_actions("drift.yaml")[reason.action];
        assert!(why.contains(reason.why), "{}: {why:?}", reason.action);
    }
    let log_account = explained_actions("log-account.yaml");
    for reason in reasons(PolicyOf::DestinationBucket).iter().chain(reasons(PolicyOf::DestinationKey)) {
        assert!(log_account[reason.action].contains(reason.why), "{}", reason.action);
    }
}
