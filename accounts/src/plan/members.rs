//! The members: versioning, roles and rules of their buckets.

use super::action::{Action, Change, DocumentChange, ReplicationStage, Step, Write};
use super::controls::{Controls, organization_path};
use super::destinations::{Destinations, PlannedDestination};
use super::finding::{Finding, Severity};
use super::forecast::{self, Forecast};
use super::roles::{PlannedRole, Roles};
use super::sources::{RoleChoice, Source};
use super::{BucketPlan, PlannedState};
use crate::codes::FailureCode;
use crate::desired::{Desired, ForeignRole};
use crate::ids::Arn;
use crate::inventory::{EncryptionAlgorithm, Inventory, Member, PolicyKind, Versioning};
use crate::policy::simulate::NamedPolicy;
use crate::replication::{RuleSettings, Stages, WantedRules, expire_noncurrent, stages};

/// What the members need.
#[derive(Debug, Default)]
pub(super) struct MemberPlans {
    pub(super) actions: Vec<Action>,
    pub(super) buckets: Vec<BucketPlan>,
}

/// What one bucket needs besides its role.
#[derive(Debug)]
struct Draft {
    versioning: bool,
    lifecycle: Option<DocumentChange>,
    stages: Stages,
}

impl Draft {
    fn changes(&self) -> bool {
        self.versioning || self.lifecycle.is_some() || self.stages.needs_proof || self.stages.wide.is_some()
    }
}

/// Plans every member with buckets. `sources` are sorted by account.
pub(super) fn plan(
    inventory: &Inventory,
    desired: &Desired,
    sources: &mut [Source<'_>],
    destinations: &Destinations<'_>,
    findings: &mut Vec<Finding>,
) -> MemberPlans {
    let controls = Controls::of(inventory);
    for name in &controls.unreadable {
        findings.push(Finding::new(
            Severity::Warning,
            FailureCode::CannotRoundTrip,
            format!("policy {name} of the organization is no JSON that can be read, and what it denies cannot be foretold"),
            "look at it in Organizations",
        ));
    }
    let log_account = &inventory.log_account.id;
    let resource_control = controls.levels_of(inventory, log_account, PolicyKind::ResourceControlPolicy);
    let mut plans = MemberPlans::default();
    for group in sources.chunk_by_mut(|left, right| left.member.id == right.member.id) {
        let Some(member) = group.first().map(|source| source.member) else { continue };
        let planner = MemberPlanner {
            inventory,
            desired,
            member,
            destinations,
            service_control: controls.levels(inventory, member, PolicyKind::ServiceControlPolicy),
            organization_path: organization_path(inventory, member),
            resource_control: &resource_control,
        };
        planner.plan(group, findings, &mut plans);
    }
    plans
}

struct MemberPlanner<'a> {
    inventory: &'a Inventory,
    desired: &'a Desired,
    member: &'a Member,
    destinations: &'a Destinations<'a>,
    service_control: Vec<Vec<NamedPolicy>>,
    organization_path: String,
    resource_control: &'a [Vec<NamedPolicy>],
}

impl MemberPlanner<'_> {
    fn plan(&self, sources: &mut [Source<'_>], findings: &mut Vec<Finding>, plans: &mut MemberPlans) {
        for source in sources.iter_mut() {
            source.refused |= !self.has_key_where_needed(source, findings);
        }
        // A bucket that is refused leaves its role, which may move others: again, until nothing is refused any more.
        let (roles, drafts) = loop {
            let roles = Roles::assign(self.desired, self.member, sources, |source| self.destination(source));
            let mut refused = false;
            let mut drafts: Vec<Option<Draft>> = Vec::new();
            for (place, source) in sources.iter_mut().enumerate() {
                let draft = if source.refused { None } else { self.draft(source, roles.of(place), findings) };
                refused |= !source.refused && draft.is_none();
                source.refused |= draft.is_none();
                drafts.push(draft);
            }
            if !refused {
                break (roles, drafts);
            }
        };
        for (role, region) in roles.in_use(sources) {
            for write in &role.writes {
                plans.actions.push(Action::new(
                    Step::ReplicationRole,
                    self.member.id.clone(),
                    region.clone(),
                    write.clone(),
                ));
            }
        }
        for (place, (source, draft)) in sources.iter().zip(drafts).enumerate() {
            let role = roles.of(place).map_or_else(|| self.default_role(source), |role| role.arn.clone());
            let state = match &draft {
                None => PlannedState::Refused,
                Some(draft) if draft.changes() => PlannedState::Changes,
                Some(_) => PlannedState::Unchanged,
            };
            plans.buckets.push(self.bucket_plan(source, role, state));
            if let Some(draft) = draft {
                self.act(source, draft, &mut plans.actions);
            }
        }
    }

    fn destination(&self, source: &Source<'_>) -> Option<&PlannedDestination<'_>> {
        self.destinations.usable.get(&source.destination.region)
    }

    fn default_role(&self, source: &Source<'_>) -> Arn {
        match &source.role {
            RoleChoice::Shared(role) => role.clone(),
            RoleChoice::Ours => Arn::of_role(
                self.inventory.organization.partition,
                &self.member.id,
                &Desired::role_path(),
                &self.desired.members.replication_role,
            ),
        }
    }

    fn finding(
        &self,
        source: &Source<'_>,
        severity: Severity,
        code: FailureCode,
        text: String,
        cure: String,
    ) -> Finding {
        Finding::new(severity, code, text, cure)
            .in_account(&self.member.id)
            .in_region(&source.bucket.region)
            .on(source.name)
    }

    /// Objects encrypted with KMS are replicated only with a key for the replicas.
    fn has_key_where_needed(&self, source: &Source<'_>, findings: &mut Vec<Finding>) -> bool {
        if source.refused {
            return false;
        }
        // The destination's own finding says why it is not usable.
        let Some(destination) = self.destination(source) else { return false };
        if source.bucket.encryption.algorithm == EncryptionAlgorithm::SseS3 || destination.key.is_some() {
            return true;
        }
        findings.push(self.finding(
            source,
            Severity::Refused,
            FailureCode::KmsKeyUnusable,
            format!(
                "bucket {} encrypts with KMS, and bucket {} has no key for the replicas; S3 does not replicate such objects to SSE-S3",
                source.name, destination.bucket.name
            ),
            "set `kms-key` of the [[destination]] in accounts.toml".to_owned(),
        ));
        false
    }

    /// What the bucket needs; none when it is refused, and a finding says why.
    fn draft(
        &self,
        source: &Source<'_>,
        role: Option<&PlannedRole>,
        findings: &mut Vec<Finding>,
    ) -> Option<Draft> {
        let destination = self.destination(source)?;
        let Some(role) = role else {
            findings.push(self.finding(
                source,
                Severity::Refused,
                FailureCode::RolePolicyTooLarge,
                format!(
                    "the permissions that replication of bucket {} needs are longer than IAM takes in a role",
                    source.name
                ),
                "shorten `prefix` of its [[source]] in accounts.toml".to_owned(),
            ));
            return None;
        };
        if let Some(excess) = role.excess {
            findings.push(self.finding(
                source,
                Severity::Refused,
                FailureCode::RolePolicyTooLarge,
                format!("the inline policies of role {} would have {excess} characters, and IAM takes 10,240", role.arn),
                "move policies of others from inline to managed ones, or give the bucket's other rules a role of their own".to_owned(),
            ));
            return None;
        }
        let wanted = self.wanted(source, destination);
        let stages = match stages(
            source.bucket.replication.as_deref(),
            &role.arn,
            &wanted,
            self.desired.replication.convert_v1_rules,
        ) {
            Ok(stages) => stages,
            Err(error) => {
                let (code, cure) = forecast::cure_of(&error);
                let text = format!("bucket {}: {}", source.name, super::with_causes(&error));
                findings.push(self.finding(source, Severity::Refused, code, text, cure.to_owned()));
                return None;
            }
        };
        let versioning = source.bucket.versioning != Versioning::Enabled;
        let lifecycle = self.lifecycle(source, versioning, findings)?;
        let draft = Draft { versioning, lifecycle, stages };
        let forecast = Forecast {
            inventory: self.inventory,
            member: self.member,
            source,
            destination,
            role,
            organization_path: &self.organization_path,
            service_control: &self.service_control,
            resource_control: self.resource_control,
            may_extend_role: self.desired.replication.foreign_role == ForeignRole::Extend,
        };
        let mut found = forecast.replication();
        found.extend(forecast.own_calls(&self.calls(&draft, role, source)));
        let refused = found.iter().any(|finding| finding.severity == Severity::Refused);
        findings.append(&mut found);
        if refused {
            return None;
        }
        self.tell(source, &draft, findings);
        Some(draft)
    }

    fn wanted(&self, source: &Source<'_>, destination: &PlannedDestination<'_>) -> WantedRules {
        WantedRules {
            settings: RuleSettings {
                partition: self.inventory.organization.partition,
                account: self.member.id.clone(),
                source: source.name.clone(),
                destination: destination.bucket.name.clone(),
                destination_account: self.inventory.log_account.id.clone(),
                kms_key: destination.key.map(|key| key.arn.clone()),
                time_control: source.settings.time_control.unwrap_or(self.desired.replication.time_control),
                storage_class: self.desired.replication.storage_class,
            },
            base: source.layout.base.clone(),
            prefixes: source.layout.prefixes.clone(),
            canary_prefix: source.layout.canary_prefix.clone(),
        }
    }

    /// The lifecycle rule for old versions: where the plan enables versioning, or where our rule is there already.
    #[expect(clippy::option_option, reason = "refused, nothing to do, or a change")]
    fn lifecycle(
        &self,
        source: &Source<'_>,
        versioning: bool,
        findings: &mut Vec<Finding>,
    ) -> Option<Option<DocumentChange>> {
        let current = source.bucket.lifecycle.as_deref();
        let days = self.desired.replication.noncurrent_days;
        let is_ours = current.is_some_and(|text| text.contains(crate::replication::LIFECYCLE_RULE_ID));
        if days == 0 || !(versioning || is_ours) {
            return Some(None);
        }
        match expire_noncurrent(current, days) {
            Ok(change) => Some(change.map(|(after, carried)| DocumentChange {
                before: source.bucket.lifecycle.clone(),
                after,
                carried,
            })),
            Err(error) => {
                findings.push(self.finding(
                    source,
                    Severity::Refused,
                    FailureCode::CannotRoundTrip,
                    format!("the lifecycle of bucket {}: {}", source.name, super::with_causes(&error)),
                    "mend the configuration, or set `noncurrent-days = 0` in accounts.toml".to_owned(),
                ));
                None
            }
        }
    }

    /// The calls that the draft leads to, as IAM actions with their resources.
    fn calls(&self, draft: &Draft, role: &PlannedRole, source: &Source<'_>) -> Vec<(&'static str, String)> {
        let bucket = Arn::of_bucket(self.inventory.organization.partition, source.name).to_string();
        let mut calls = Vec::new();
        if draft.versioning {
            calls.push(("s3:PutBucketVersioning", bucket.clone()));
        }
        if draft.lifecycle.is_some() {
            calls.push(("s3:PutLifecycleConfiguration", bucket.clone()));
        }
        if draft.stages.canary.is_some() || draft.stages.wide.is_some() {
            calls.push(("s3:PutReplicationConfiguration", bucket.clone()));
            calls.push(("iam:PassRole", role.arn.to_string()));
        }
        if draft.stages.needs_proof {
            calls.push(("s3:PutObject", format!("{bucket}/{}canary", source.layout.canary_prefix)));
        }
        for write in &role.writes {
            calls.extend(write.permissions().iter().map(|action| (*action, role.arn.to_string())));
        }
        calls
    }

    /// What a reader of the plan should know about the rules.
    fn tell(&self, source: &Source<'_>, draft: &Draft, findings: &mut Vec<Finding>) {
        let stages = &draft.stages;
        for overlap in &stages.overlaps {
            let (winner, loser) = if overlap.ours_wins {
                (&overlap.ours, &overlap.foreign)
            } else {
                (&overlap.foreign, &overlap.ours)
            };
            findings.push(self.finding(
                source,
                Severity::Warning,
                FailureCode::RuleOverlap,
                format!(
                    "rules {} and {} of bucket {} both replicate `{}` to {}; {winner} wins by its priority over {loser}",
                    overlap.foreign,
                    overlap.ours,
                    source.name,
                    if overlap.prefix.is_empty() { "everything" } else { &overlap.prefix },
                    source.destination.bucket
                ),
                "remove one of the two, if that is not what you want".to_owned(),
            ));
        }
        if !stages.converted.is_empty() {
            findings.push(self.finding(
                source,
                Severity::Warning,
                FailureCode::RulesOfVersion1,
                format!("the plan converts the rules {} of bucket {} to the second version, with delete markers replicated as before", stages.converted.join(", "), source.name),
                "whoever manages those rules has to write the second version from now on".to_owned(),
            ));
        }
        let carried =
            stages.canary.as_ref().or(stages.wide.as_ref()).map_or(0, |merged| merged.carried.len());
        if carried > 0 {
            findings.push(self.finding(
                source,
                Severity::Note,
                FailureCode::ForeignRules,
                format!("{carried} rules of others in bucket {} are carried through unchanged", source.name),
                String::new(),
            ));
        }
    }

    fn bucket_plan(&self, source: &Source<'_>, role: Arn, state: PlannedState) -> BucketPlan {
        BucketPlan {
            account: self.member.id.clone(),
            bucket: source.name.clone(),
            region: source.bucket.region.clone(),
            destination: source.destination.bucket.clone(),
            destination_region: source.destination.region.clone(),
            role,
            prefixes: source.layout.prefixes.clone(),
            canary_prefix: source.layout.canary_prefix.clone(),
            kms_key: self.destination(source).and_then(|destination| Some(destination.key?.arn.clone())),
            time_control: source.settings.time_control.unwrap_or(self.desired.replication.time_control),
            state,
        }
    }

    fn act(&self, source: &Source<'_>, draft: Draft, actions: &mut Vec<Action>) {
        let mut act = |step: Step, write: Write| {
            actions.push(Action::new(step, self.member.id.clone(), source.bucket.region.clone(), write));
        };
        let bucket = || source.name.clone();
        if let Some(document) = draft.lifecycle {
            act(
                Step::SourceVersioning,
                Write::PutBucketLifecycleConfiguration { bucket: bucket(), document },
            );
        }
        if draft.versioning {
            let change = Change { before: Some(source.bucket.versioning), after: Versioning::Enabled };
            act(Step::SourceVersioning, Write::PutBucketVersioning { bucket: bucket(), change });
        }
        let current = source.bucket.replication.clone();
        let canary_text = draft.stages.canary.as_ref().and_then(|merged| merged.text.clone());
        let before_wide = canary_text.clone().or_else(|| current.clone());
        if let Some(merged) = draft.stages.canary
            && let Some(after) = merged.text
        {
            let document = DocumentChange { before: current, after, carried: merged.carried };
            let write =
                Write::PutBucketReplication { bucket: bucket(), stage: ReplicationStage::Canary, document };
            act(Step::Canary, write);
        }
        if draft.stages.needs_proof {
            act(
                Step::Canary,
                Write::PutCanaryObject {
                    bucket: bucket(),
                    key_prefix: source.layout.canary_prefix.clone(),
                    destination: source.destination.bucket.clone(),
                    destination_region: source.destination.region.clone(),
                    rule_id: draft.stages.canary_rule.clone(),
                },
            );
        }
        if let Some(merged) = draft.stages.wide
            && let Some(after) = merged.text
        {
            let document = DocumentChange { before: before_wide, after, carried: merged.carried };
            let write =
                Write::PutBucketReplication { bucket: bucket(), stage: ReplicationStage::Wide, document };
            act(Step::Widen, write);
        }
    }
}
