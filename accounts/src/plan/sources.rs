//! Which buckets of which members are to be replicated, and what speaks against one by itself.

use super::finding::{Finding, Severity};
use super::{AccountPlan, PlannedState};
use crate::codes::FailureCode;
use crate::desired::{
    Candidate as SelectionCandidate, Desired, DestinationSettings, ForeignRole, Selected, SourceSettings,
    VersioningPolicy,
};
use crate::ids::{AccountId, Arn, BucketName};
use crate::inventory::{
    Access, AccountState, Encryption, EncryptionAlgorithm, Inventory, KeyState, Member, ObjectOwnership,
    ReplicationStatus, SourceBucket, Versioning,
};
use crate::layout::{Isolation, KeyLayout, is_test_file, resolve};
use crate::replication::{ReplicationConfiguration, RoleOnConfiguration};
use std::collections::{BTreeMap, BTreeSet};

/// A bucket that accounts.toml selects.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) member: &'a Member,
    pub(super) name: &'a BucketName,
    pub(super) bucket: &'a SourceBucket,
    pub(super) settings: &'a SourceSettings,
    pub(super) destination: &'a DestinationSettings,
    pub(super) layout: KeyLayout,
    pub(super) role: RoleChoice,
    /// Rules of ours are there already.
    pub(super) has_own_rules: bool,
    /// A finding says why it is left out.
    pub(super) refused: bool,
}

/// Which role is on the replication configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RoleChoice {
    Ours,
    /// One of others, which S3 makes us share.
    Shared(Arn),
}

/// What was found in the members.
#[derive(Debug, Default)]
pub(super) struct Sources<'a> {
    pub(super) buckets: Vec<Source<'a>>,
    /// Accounts without buckets here have their final state; those of others are set later.
    pub(super) accounts: BTreeMap<&'a AccountId, AccountPlan>,
}

/// Looks at every member.
pub(super) fn find<'a>(
    inventory: &'a Inventory,
    desired: &'a Desired,
    findings: &mut Vec<Finding>,
) -> Sources<'a> {
    let mut sources = Sources::default();
    for id in &desired.members.select.include {
        if !inventory.members.contains_key(id) {
            findings.push(
                Finding::new(
                    Severity::Refused,
                    FailureCode::LeftOrganization,
                    format!(
                        "account {id} is named in `members.select.include`, and is not in the organization"
                    ),
                    "take it off the list in accounts.toml, or name it in `members.outside-organization`",
                )
                .in_account(id),
            );
        }
    }
    let destination_of_others = replicated_to(inventory);
    for (id, member) in &inventory.members {
        let mut account = AccountPlan {
            id: id.clone(),
            name: member.name.clone(),
            unit: inventory.organization.unit_names(&member.units),
            state: PlannedState::Skipped,
        };
        if is_wanted(inventory, desired, member, &mut account, findings) {
            let before = sources.buckets.len();
            for (name, bucket) in &member.buckets {
                sources.buckets.extend(look_at(inventory, desired, member, name, bucket, findings));
            }
            if sources.buckets.len() == before && account.state == PlannedState::Skipped {
                findings.push(
                    Finding::new(
                        Severity::Note,
                        FailureCode::NothingSelected,
                        format!("account {id} has no bucket that a [[source]] of accounts.toml names"),
                        "",
                    )
                    .in_account(id),
                );
            }
        }
        sources.accounts.insert(id, account);
    }
    for source in &mut sources.buckets {
        check(source, desired, &destination_of_others, findings);
    }
    check_same_keys(&mut sources.buckets, findings);
    sources
}

/// Whether the account takes part; findings say why not.
fn is_wanted(
    inventory: &Inventory,
    desired: &Desired,
    member: &Member,
    account: &mut AccountPlan,
    findings: &mut Vec<Finding>,
) -> bool {
    let id = &member.id;
    if member.in_organization {
        let units: Vec<_> = member
            .units
            .iter()
            .map(|unit| {
                let name = inventory.organization.units.get(unit).map_or(unit.as_str(), |known| &known.name);
                (unit, name)
            })
            .collect();
        let candidate =
            SelectionCandidate { id, name: &member.name, units: &units, tags: member.tags.as_ref() };
        if desired.members.select.decide(&candidate) != Selected::Yes {
            return false;
        }
    } else if desired.members.outside_organization.contains(id) {
        findings.push(
            Finding::new(
                Severity::Note,
                FailureCode::OutsideOrganization,
                format!("account {id} is outside of the organization, and named one by one in the policies of the destinations"),
                "",
            )
            .in_account(id),
        );
    } else {
        return false;
    }
    if member.state != AccountState::Active {
        findings.push(
            Finding::new(
                Severity::Note,
                FailureCode::AccountNotActive,
                format!("account {id} ({}) is {:?}, and skipped", member.name, member.state),
                "",
            )
            .in_account(id),
        );
        return false;
    }
    let failed = match &member.access {
        Access::Reached { .. } => None,
        Access::Failed(failure) => Some((failure.code, failure.text.clone(), failure.cure.clone())),
        Access::NotTried => Some((
            FailureCode::Unexpected,
            format!("account {id} was not read, although accounts.toml selects it"),
            "take a new inventory with `weir accounts discover`".to_owned(),
        )),
    };
    if let Some((code, text, cure)) = failed {
        account.state = PlannedState::Refused;
        findings.push(Finding::new(Severity::Refused, code, text, cure).in_account(id));
        return false;
    }
    for failure in &member.failures {
        account.state = PlannedState::Partly;
        let mut finding =
            Finding::new(Severity::Refused, failure.code, failure.text.clone(), failure.cure.clone())
                .in_account(id);
        finding.region.clone_from(&failure.region);
        finding.resource.clone_from(&failure.resource);
        findings.push(finding);
    }
    true
}

/// The bucket with its destination and layout; none when it takes no part.
fn look_at<'a>(
    inventory: &'a Inventory,
    desired: &'a Desired,
    member: &'a Member,
    name: &'a BucketName,
    bucket: &'a SourceBucket,
    findings: &mut Vec<Finding>,
) -> Option<Source<'a>> {
    let settings = desired.sources.iter().find(|source| source.covers(&member.id, name, &bucket.region))?;
    let finding = |severity, code, text: String, cure: String| {
        Finding::new(severity, code, text, cure).in_account(&member.id).in_region(&bucket.region).on(name)
    };
    if desired.destinations.iter().any(|destination| destination.bucket == *name) {
        findings.push(finding(
            Severity::Note,
            FailureCode::SourceIsDestination,
            format!("bucket {name} is a destination, and not replicated"),
            String::new(),
        ));
        return None;
    }
    let Some(destination) = desired.destination_for(&bucket.region) else {
        findings.push(finding(
            Severity::Refused,
            FailureCode::NoDestination,
            format!("bucket {name} is in {}, for which accounts.toml has no destination", bucket.region),
            format!(
                "add a [[destination]] for {}, or name the Region in `from` of another; or leave the bucket out with `regions` of its [[source]]",
                bucket.region
            ),
        ));
        return None;
    };
    let layout = resolve(settings, &member.id, &bucket.region, name, &inventory.organization.id);
    let (role, has_own_rules, refused) = match role_choice(bucket, member) {
        Ok((role, has_own_rules)) => (role, has_own_rules, false),
        Err((code, text, cure)) => {
            findings.push(finding(Severity::Refused, code, text, cure));
            (RoleChoice::Ours, false, true)
        }
    };
    Some(Source { member, name, bucket, settings, destination, layout, role, has_own_rules, refused })
}

type Refusal = (FailureCode, String, String);

/// Which role the configuration has, or must have.
fn role_choice(bucket: &SourceBucket, member: &Member) -> Result<(RoleChoice, bool), Refusal> {
    let Some(text) = &bucket.replication else { return Ok((RoleChoice::Ours, false)) };
    let configuration = ReplicationConfiguration::parse(text).map_err(|error| {
        (
            FailureCode::CannotRoundTrip,
            super::with_causes(&error),
            "look at the configuration in the console, and put it again without what is not known".to_owned(),
        )
    })?;
    let has_own_rules = !configuration.own().is_empty();
    let RoleOnConfiguration::Shared(role) = configuration.role_on_configuration() else {
        return Ok((RoleChoice::Ours, has_own_rules));
    };
    let conflict = |text: String, cure: &str| (FailureCode::Conflict, text, cure.to_owned());
    // The oldest configurations across accounts have two roles, separated by a comma, which a name may hold too.
    let is_one = |arn: &Arn| arn.role_name().is_some() && !arn.resource().contains(",arn:");
    let arn = Arn::new(role.trim()).ok().filter(is_one).ok_or_else(|| {
        conflict(
            format!("the replication configuration names `{role}`, which is not one role"),
            "give the configuration one role that all its rules can use",
        )
    })?;
    if arn.account().as_ref() != Some(&member.id) {
        return Err(conflict(
            format!("the replication configuration has the role {arn} of another account"),
            "give the configuration a role of the bucket's account",
        ));
    }
    if arn.resource().starts_with(&format!("role{}", crate::desired::ROLE_PATH)) {
        // Rules of others use our role: it stays ours.
        return Ok((RoleChoice::Ours, has_own_rules));
    }
    if !member.roles.contains_key(&arn) {
        return Err(conflict(
            format!("the replication configuration has the role {arn}, which could not be read"),
            "let the member role read it (iam:GetRole, iam:ListRolePolicies, iam:ListAttachedRolePolicies), or make the role again",
        ));
    }
    Ok((RoleChoice::Shared(arn), has_own_rules))
}

/// Buckets that some configuration of the organization replicates to, as ARNs.
fn replicated_to(inventory: &Inventory) -> BTreeSet<String> {
    let configurations = inventory.members.values().flat_map(|member| member.buckets.values());
    configurations
        .filter_map(|bucket| ReplicationConfiguration::parse(bucket.replication.as_deref()?).ok())
        .flat_map(|configuration| {
            configuration.destinations().into_iter().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

/// What speaks against the bucket by itself.
fn check(
    source: &mut Source<'_>,
    desired: &Desired,
    destination_of_others: &BTreeSet<String>,
    findings: &mut Vec<Finding>,
) {
    let mut found: Vec<(Severity, FailureCode, String, String)> = Vec::new();
    check_region(source, &mut found);
    check_layout(source, &mut found);
    check_versioning(source, desired, &mut found);
    check_chain(source, destination_of_others, &mut found);
    check_ownership(source, &mut found);
    check_key(source, &mut found);
    if let RoleChoice::Shared(role) = &source.role {
        let text = format!(
            "bucket {} replicates for others with the role {role}, and S3 takes one role per bucket",
            source.name
        );
        let action = match desired.replication.foreign_role {
            ForeignRole::Refuse => "our rules use it if it can already do what they need",
            ForeignRole::Extend => "our inline policy `weir-replication` is added to it",
        };
        found.push((Severity::Note, FailureCode::ForeignRules, format!("{text}: {action}"), String::new()));
    }
    for (severity, code, text, cure) in found {
        source.refused |= severity == Severity::Refused;
        findings.push(
            Finding::new(severity, code, text, cure)
                .in_account(&source.member.id)
                .in_region(&source.bucket.region)
                .on(source.name),
        );
    }
}

type Found = Vec<(Severity, FailureCode, String, String)>;

fn check_region(source: &Source<'_>, found: &mut Found) {
    let regions = &source.member.regions;
    if !regions.is_empty() && !regions.contains(&source.bucket.region) {
        found.push((
            Severity::Refused,
            FailureCode::RegionDisabled,
            format!(
                "account {} has not opted in to {}, where bucket {} is",
                source.member.id, source.bucket.region, source.name
            ),
            format!("enable the Region {} in the account", source.bucket.region),
        ));
    }
}

fn check_layout(source: &Source<'_>, found: &mut Found) {
    let name = source.name;
    if let Isolation::Impossible { reason, proposal } = &source.layout.isolation {
        found.push((
            Severity::Refused,
            FailureCode::CollisionRisk,
            format!("bucket {name}: {reason}; one account could overwrite another's logs"),
            proposal.clone(),
        ));
        return;
    }
    let check = source.layout.check_keys(&source.bucket.samples);
    if let Some(key) = check.without_account.first() {
        found.push((
            Severity::Refused,
            FailureCode::CollisionRisk,
            format!(
                "bucket {name} holds keys without an account id where the layout `{}` has one, such as `{key}`",
                source.settings.layout.as_str()
            ),
            "set `layout` and `prefix` of the [[source]] in accounts.toml to what the keys look like".to_owned(),
        ));
    }
    if let Some(key) = check.outside.first() {
        found.push((
            Severity::Warning,
            FailureCode::KeysOutsidePrefix,
            format!(
                "{} of {} sampled keys of bucket {name} are not under {}, and will not be replicated, such as `{key}`",
                check.outside.len(),
                check.outside.len() + check.inside,
                list(&source.layout.prefixes)
            ),
            "if they are logs, add a [[source]] or set `layout` and `prefix` in accounts.toml".to_owned(),
        ));
    }
}

fn list(prefixes: &[String]) -> String {
    prefixes.iter().map(|prefix| format!("`{prefix}`")).collect::<Vec<_>>().join(" or ")
}

fn check_versioning(source: &Source<'_>, desired: &Desired, found: &mut Found) {
    let name = source.name;
    let bucket = source.bucket;
    if bucket.versioning == Versioning::Enabled {
        return;
    }
    if bucket.mfa_delete {
        found.push((
            Severity::Refused,
            FailureCode::Manual,
            format!("bucket {name} is not versioned, and MFA delete guards its versioning"),
            "enable versioning with the root user's device: `aws s3api put-bucket-versioning --mfa …`"
                .to_owned(),
        ));
        return;
    }
    if desired.replication.versioning == VersioningPolicy::Require {
        found.push((
            Severity::Refused,
            FailureCode::SourceUnversioned,
            format!("bucket {name} is not versioned, and accounts.toml says `versioning = \"require\"`"),
            "enable versioning of the bucket, or set `versioning = \"enable\"` in [replication] of accounts.toml".to_owned(),
        ));
        return;
    }
    if source.has_own_rules {
        found.push((
            Severity::Warning,
            FailureCode::VersioningSuspended,
            format!("versioning of bucket {name} was suspended after it was onboarded; nothing is replicated until it is enabled again"),
            "find out who suspended it; the plan enables it".to_owned(),
        ));
        return;
    }
    let days = desired.replication.noncurrent_days;
    let old_versions = if days == 0 {
        "old versions are kept for ever (`noncurrent-days = 0`)".to_owned()
    } else {
        format!("old versions go after {days} days")
    };
    found.push((
        Severity::Warning,
        FailureCode::SourceUnversioned,
        format!("bucket {name} is not versioned; the plan enables it, and {old_versions}"),
        String::new(),
    ));
}

fn check_chain(source: &Source<'_>, destination_of_others: &BTreeSet<String>, found: &mut Found) {
    let name = source.name;
    let covered = || source.bucket.samples.iter().filter(|sample| source.layout.covers(&sample.key));
    let replicas =
        covered().filter(|sample| sample.replication_status == Some(ReplicationStatus::Replica)).count();
    let others = covered().count() - replicas;
    let is_destination =
        destination_of_others.iter().any(|arn| arn.rsplit(':').next() == Some(name.as_str()));
    let cure =
        "replicate from the bucket where the logs are delivered first: S3 does not replicate replicas again";
    if replicas > 0 && others == 0 || is_destination && covered().count() == 0 {
        found.push((
            Severity::Refused,
            FailureCode::SourceIsReplica,
            format!("bucket {name} receives replicas of another bucket"),
            cure.to_owned(),
        ));
    } else if replicas > 0 || is_destination {
        found.push((
            Severity::Warning,
            FailureCode::SourceIsReplica,
            format!("bucket {name} also receives replicas of another bucket; those go no further"),
            cure.to_owned(),
        ));
    }
}

fn check_ownership(source: &Source<'_>, found: &mut Found) {
    if source.bucket.ownership == Some(ObjectOwnership::BucketOwnerEnforced) {
        return;
    }
    let foreign = source.bucket.samples.iter().filter(|sample| sample.other_owner.is_some()).count();
    let cure = "set Object Ownership of the bucket to BucketOwnerEnforced";
    if foreign > 0 {
        found.push((
            Severity::Warning,
            FailureCode::ForeignObjects,
            format!(
                "{foreign} of {} sampled objects of bucket {} belong to other accounts, and are not replicated",
                source.bucket.samples.len(),
                source.name
            ),
            cure.to_owned(),
        ));
    } else {
        found.push((
            Severity::Note,
            FailureCode::ForeignObjects,
            format!(
                "objects that other accounts write to bucket {} belong to them, and would not be replicated",
                source.name
            ),
            cure.to_owned(),
        ));
    }
}

fn check_key(source: &Source<'_>, found: &mut Found) {
    let Encryption { algorithm, key: Some(arn), .. } = &source.bucket.encryption else { return };
    if *algorithm == EncryptionAlgorithm::SseS3 {
        return;
    }
    let Some(key) = source.member.keys.get(arn) else {
        found.push((
            Severity::Warning,
            FailureCode::KmsKeyUnusable,
            format!(
                "the key {arn} of bucket {} could not be read, so that nobody knows before the canary whether it can be used",
                source.name
            ),
            "let the member role read it (kms:DescribeKey, kms:GetKeyPolicy)".to_owned(),
        ));
        return;
    };
    if key.state != KeyState::Enabled {
        found.push((
            Severity::Refused,
            FailureCode::KmsKeyUnusable,
            format!("the key {arn} of bucket {} is {:?}", source.name, key.state),
            "enable the key, or give the bucket another one".to_owned(),
        ));
    }
}

/// Two buckets of an account that hold the same key would write the same replica.
fn check_same_keys(sources: &mut [Source<'_>], findings: &mut Vec<Finding>) {
    let mut seen: BTreeMap<(&BucketName, &str), usize> = BTreeMap::new();
    let mut clashes: Vec<(usize, usize, &str)> = Vec::new();
    for (place, source) in sources.iter().enumerate() {
        for sample in source.bucket.samples.iter().filter(|sample| source.layout.covers(&sample.key)) {
            if sample.key.starts_with(&source.layout.canary_prefix) {
                continue;
            }
            if let Some(first) = seen.insert((&source.destination.bucket, &sample.key), place)
                && first != place
            {
                clashes.push((first, place, &sample.key));
            }
        }
    }
    let mut told = BTreeSet::new();
    for (first, second, key) in clashes {
        let (Some(one), Some(other)) = (sources.get(first), sources.get(second)) else { continue };
        let is_harmless = is_test_file(key);
        if !told.insert((first, second, is_harmless)) {
            continue;
        }
        let (severity, text) = if is_harmless {
            (Severity::Note, "it is a file that a service writes to test its access, so that nothing is lost")
        } else {
            (Severity::Refused, "the later would replace the earlier")
        };
        findings.push(
            Finding::new(
                severity,
                FailureCode::CollisionRisk,
                format!(
                    "buckets {} and {} both hold `{key}`, and go to {}: {text}",
                    one.name, other.name, one.destination.bucket
                ),
                if is_harmless {
                    ""
                } else {
                    "give the deliveries prefixes of their own, and set `prefix` in accounts.toml"
                },
            )
            .in_account(&other.member.id)
            .in_region(&other.bucket.region)
            .on(other.name),
        );
        if !is_harmless {
            for place in [first, second] {
                if let Some(source) = sources.get_mut(place) {
                    source.refused = true;
                }
            }
        }
    }
}
