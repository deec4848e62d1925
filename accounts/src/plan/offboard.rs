//! Taking accounts out again: our rules, then our role, then what the log account grants.
//!
//! In that order, and before the account leaves the organization: rules whose destination no longer lets them in turn
//! objects FAILED, and S3 does not try those again. Versioning and lifecycle stay as they are: objects depend on them.

use super::access::access;
use super::action::{Action, DocumentChange, ReplicationStage, Step, Write};
use super::finding::{Finding, Severity};
use super::{AccountPlan, BucketPlan, CostEstimate, Plan, PlannedState, Purpose, sources};
use crate::codes::FailureCode;
use crate::desired::Desired;
use crate::ids::{AccountId, Arn, BucketName, Region};
use crate::inventory::{
    Access, AccountState, Destination, DestinationBucket, Inventory, Member, Role, SourceBucket,
};
use crate::policy::{INLINE_POLICY_NAME, KeyAccess, OwnStatement, merge};
use crate::replication::{LIFECYCLE_RULE_ID, ReplicationConfiguration, RoleOnConfiguration, remove};
use std::collections::BTreeSet;

/// Plans to take `accounts` out. Pure, like [`super::build()`].
pub fn offboard(inventory: &Inventory, desired: &Desired, accounts: &BTreeSet<AccountId>) -> Plan {
    let mut offboarding = Offboarding {
        inventory,
        desired,
        leaving: accounts.clone(),
        actions: Vec::new(),
        findings: Vec::new(),
        buckets: Vec::new(),
    };
    let planned = accounts.iter().map(|account| offboarding.account(account)).collect();
    offboarding.log_account();
    let Offboarding { mut actions, mut findings, buckets, .. } = offboarding;
    actions.sort_by(|left, right| left.sort_key().cmp(&right.sort_key()));
    findings.sort();
    findings.dedup();
    Plan {
        format: super::FORMAT,
        purpose: Purpose::Offboard,
        organization: inventory.organization.id.clone(),
        log_account: inventory.log_account.id.clone(),
        accounts: planned,
        buckets,
        actions,
        findings,
        cost: CostEstimate::default(),
    }
}

struct Offboarding<'a> {
    inventory: &'a Inventory,
    desired: &'a Desired,
    /// Accounts whose rules are gone when the log account's turn comes.
    leaving: BTreeSet<AccountId>,
    actions: Vec<Action>,
    findings: Vec<Finding>,
    buckets: Vec<BucketPlan>,
}

impl Offboarding<'_> {
    fn account(&mut self, id: &AccountId) -> AccountPlan {
        let mut plan = AccountPlan {
            id: id.clone(),
            name: String::new(),
            unit: String::new(),
            state: PlannedState::Refused,
        };
        let Some(member) = self.inventory.members.get(id) else {
            self.findings.push(
                Finding::new(
                    Severity::Warning,
                    FailureCode::LeftOrganization,
                    format!("account {id} is not in the organization; only what the log account grants it by name is taken back"),
                    "rules and role of the account have to be removed there",
                )
                .in_account(id),
            );
            return plan;
        };
        plan.name.clone_from(&member.name);
        plan.unit = self.inventory.organization.unit_names(&member.units);
        if let Some(finding) = unreachable(member) {
            self.findings.push(finding);
            // Rules that are left behind still need what the log account grants.
            self.leaving.remove(id);
            return plan;
        }
        let before = self.actions.len();
        let mut refused = false;
        let mut kept_roles = BTreeSet::new();
        for (name, bucket) in &member.buckets {
            match self.rules(member, name, bucket) {
                Ok(kept) => kept_roles.extend(kept),
                Err(finding) => {
                    refused = true;
                    self.findings.push(*finding);
                }
            }
        }
        if refused {
            // A rule of ours may still run: its role and its grants stay.
            self.leaving.remove(id);
            plan.state = PlannedState::Partly;
            return plan;
        }
        for role in member.roles.values() {
            self.role(member, role, &kept_roles);
        }
        plan.state =
            if self.actions.len() > before { PlannedState::Changes } else { PlannedState::Unchanged };
        plan
    }

    /// Takes our rules out of one bucket. The answer is the role of ours that rules of others use.
    fn rules(
        &mut self,
        member: &Member,
        name: &BucketName,
        bucket: &SourceBucket,
    ) -> Result<Option<String>, Box<Finding>> {
        let place = |finding: Finding| finding.in_account(&member.id).in_region(&bucket.region).on(name);
        let Some(text) = &bucket.replication else { return Ok(None) };
        let unreadable = |error: &dyn std::error::Error| {
            Box::new(place(Finding::new(
                Severity::Refused,
                FailureCode::CannotRoundTrip,
                format!("bucket {name}: {}", super::with_causes(error)),
                "remove the rules whose ID begins with `weir/` in the console",
            )))
        };
        let configuration = ReplicationConfiguration::parse(text).map_err(|error| unreadable(&error))?;
        let kept_role = match configuration.role_on_configuration() {
            RoleOnConfiguration::Shared(role) if role.contains(crate::desired::ROLE_PATH) => Some(role),
            _ => None,
        };
        let Some(merged) = remove(text).map_err(|error| unreadable(&error))? else { return Ok(kept_role) };
        if !merged.carried.is_empty() {
            self.findings.push(place(Finding::new(
                Severity::Note,
                FailureCode::ForeignRulesKept,
                format!("{} rules of others in bucket {name} stay as they are", merged.carried.len()),
                "",
            )));
        }
        if bucket.lifecycle.as_ref().is_some_and(|lifecycle| lifecycle.contains(LIFECYCLE_RULE_ID)) {
            self.findings.push(place(Finding::new(
                Severity::Note,
                FailureCode::ForeignRulesKept,
                format!(
                    "bucket {name} stays versioned, and the lifecycle rule {LIFECYCLE_RULE_ID} stays with it"
                ),
                "",
            )));
        }
        self.buckets.extend(self.bucket_plan(member, name, bucket, &configuration));
        let write = match merged.text {
            Some(after) => Write::PutBucketReplication {
                bucket: name.clone(),
                stage: ReplicationStage::Remove,
                document: DocumentChange { before: Some(text.clone()), after, carried: merged.carried },
            },
            None => Write::DeleteBucketReplication { bucket: name.clone(), before: text.clone() },
        };
        self.actions.push(Action::new(Step::RemoveRules, member.id.clone(), bucket.region.clone(), write));
        Ok(kept_role)
    }

    fn bucket_plan(
        &self,
        member: &Member,
        name: &BucketName,
        bucket: &SourceBucket,
        configuration: &ReplicationConfiguration,
    ) -> Option<BucketPlan> {
        let settings =
            self.desired.sources.iter().find(|source| source.covers(&member.id, name, &bucket.region))?;
        let destination = self.desired.destination_for(&bucket.region)?;
        let layout = crate::layout::resolve(
            settings,
            &member.id,
            &bucket.region,
            name,
            &self.inventory.organization.id,
        );
        Some(BucketPlan {
            account: member.id.clone(),
            bucket: name.clone(),
            region: bucket.region.clone(),
            destination: destination.bucket.clone(),
            destination_region: destination.region.clone(),
            role: Arn::new(configuration.role()?).ok()?,
            prefixes: layout.prefixes,
            canary_prefix: layout.canary_prefix,
            kms_key: destination.kms_key.clone(),
            time_control: settings.time_control.unwrap_or(self.desired.replication.time_control),
            state: PlannedState::Changes,
        })
    }

    /// Our role goes, or our policy on a role of others.
    fn role(&mut self, member: &Member, role: &Role, kept: &BTreeSet<String>) {
        let Some(name) = role.arn.role_name() else { return };
        let region = member.buckets.values().next().map_or_else(
            || self.desired.destinations.first().map(|destination| destination.region.clone()),
            |bucket| Some(bucket.region.clone()),
        );
        let Some(region) = region else { return };
        let mut act = |write: Write| {
            self.actions.push(Action::new(Step::RemoveRole, member.id.clone(), region.clone(), write));
        };
        let is_ours = is_own_role(self.desired, &role.arn);
        let others = role.inline_policies.keys().filter(|name| *name != INLINE_POLICY_NAME).count()
            + role.attached_policies.len();
        let is_needed = kept.contains(role.arn.as_str());
        if is_ours && is_needed {
            self.findings.push(
                Finding::new(
                    Severity::Warning,
                    FailureCode::ForeignRulesKept,
                    format!("role {} stays, since rules of others use it", role.arn),
                    "give those rules a role of their own, and delete this one",
                )
                .in_account(&member.id)
                .on(&role.arn),
            );
            return;
        }
        if let Some(before) = role.inline_policies.get(INLINE_POLICY_NAME) {
            act(Write::DeleteRolePolicy {
                role: role.arn.clone(),
                name: name.clone(),
                policy_name: INLINE_POLICY_NAME.to_owned(),
                before: before.clone(),
            });
        }
        if !is_ours {
            return;
        }
        if others > 0 {
            self.findings.push(
                Finding::new(
                    Severity::Warning,
                    FailureCode::ForeignRulesKept,
                    format!("role {} stays, since it has {others} policies of others", role.arn),
                    "delete it once nobody needs it",
                )
                .in_account(&member.id)
                .on(&role.arn),
            );
            return;
        }
        act(Write::DeleteRole {
            role: role.arn.clone(),
            name,
            before_trust_policy: role.trust_policy.clone(),
        });
    }

    /// What the destinations grant. The statements that hold for the whole organization go with its last account.
    fn log_account(&mut self) {
        if let Access::Failed(failure) = &self.inventory.log_account.access {
            self.findings.push(
                Finding::new(Severity::Stop, failure.code, failure.text.clone(), failure.cure.clone())
                    .in_account(&self.inventory.log_account.id),
            );
            return;
        }
        let mut found = sources::find(self.inventory, self.desired, &mut Vec::new());
        // What is replicated today is let in tomorrow, whatever else speaks against it.
        for source in &mut found.buckets {
            source.refused &= !source.has_own_rules;
        }
        let everything_goes = self.nobody_stays();
        for settings in &self.desired.destinations {
            let Some(Destination::Found(bucket)) =
                self.inventory.log_account.destinations.get(&settings.region)
            else {
                continue;
            };
            let granted =
                access(self.inventory, self.desired, settings, &found.buckets, bucket, &self.leaving);
            let (statements, key_statements) = if everything_goes {
                (Vec::new(), Vec::new())
            } else {
                (
                    granted.statements(),
                    KeyAccess { destination: &granted, region: &settings.region }.statements(),
                )
            };
            self.bucket_policy(bucket, &settings.region, &statements);
            let key = settings.kms_key.as_ref().or(bucket.encryption.key.as_ref());
            if let Some(key) = key.and_then(|arn| self.inventory.log_account.keys.get(arn)) {
                self.key_policy(key, &settings.region, &key_statements);
            }
        }
    }

    /// Whether no account but the leaving ones replicates, as far as all could be read.
    fn nobody_stays(&self) -> bool {
        let mut others = self.inventory.members.values().filter(|member| !self.leaving.contains(&member.id));
        others.all(|member| {
            let replicates =
                member.buckets.values().filter_map(|bucket| bucket.replication.as_deref()).any(|text| {
                    ReplicationConfiguration::parse(text).map_or(true, |known| !known.own().is_empty())
                });
            let is_read = matches!(member.access, Access::Reached { .. }) && member.failures.is_empty();
            let takes_part = member.state == AccountState::Active;
            !replicates && (is_read || !takes_part)
        })
    }

    fn bucket_policy(&mut self, bucket: &DestinationBucket, region: &Region, statements: &[OwnStatement]) {
        let Some(current) = &bucket.policy else { return };
        let merged = match merge(Some(current), statements) {
            Ok(merged) => merged,
            Err(error) => return self.unreadable(&format!("the policy of bucket {}", bucket.name), &error),
        };
        // Off-boarding only takes away: where nothing of ours is there, nothing is put.
        if !merged.changed || !holds_ours(current) {
            return;
        }
        let write = match merged.text {
            Some(after) => Write::PutBucketPolicy {
                bucket: bucket.name.clone(),
                document: DocumentChange { before: Some(current.clone()), after, carried: merged.carried },
            },
            None => Write::DeleteBucketPolicy { bucket: bucket.name.clone(), before: current.clone() },
        };
        self.act_in_log_account(region, write);
    }

    fn key_policy(&mut self, key: &crate::inventory::Key, region: &Region, statements: &[OwnStatement]) {
        let Some(current) = key.policy.as_ref().filter(|current| holds_ours(current)) else { return };
        let merged = match merge(Some(current), statements) {
            Ok(merged) => merged,
            Err(error) => return self.unreadable(&format!("the policy of key {}", key.arn), &error),
        };
        // A key without a policy could never be managed again; others always have a statement.
        if let (true, Some(after)) = (merged.changed && !merged.carried.is_empty(), merged.text) {
            let document = DocumentChange { before: Some(current.clone()), after, carried: merged.carried };
            self.act_in_log_account(region, Write::PutKeyPolicy { key: key.arn.clone(), document });
        }
    }

    fn act_in_log_account(&mut self, region: &Region, write: Write) {
        self.actions.push(Action::new(
            Step::RemoveStatements,
            self.inventory.log_account.id.clone(),
            region.clone(),
            write,
        ));
    }

    fn unreadable(&mut self, what: &str, error: &dyn std::error::Error) {
        self.findings.push(
            Finding::new(
                Severity::Refused,
                FailureCode::CannotRoundTrip,
                format!("{what}: {}", super::with_causes(error)),
                "mend the policy, or take our statements (`Weir…`) out by hand",
            )
            .in_account(&self.inventory.log_account.id),
        );
    }
}

/// Why an account cannot be entered.
fn unreachable(member: &Member) -> Option<Finding> {
    let (code, text, cure) = match &member.access {
        Access::Reached { .. } => return None,
        Access::Failed(failure) => (failure.code, failure.text.clone(), failure.cure.clone()),
        Access::NotTried if member.state == AccountState::Active => (
            FailureCode::Unexpected,
            format!("account {} was not read, so that its rules and role stay", member.id),
            "select it in accounts.toml, and plan again".to_owned(),
        ),
        Access::NotTried => (
            FailureCode::AccountNotActive,
            format!("account {} is {:?}, and cannot be entered", member.id, member.state),
            "remove rules and role there, if the account comes back".to_owned(),
        ),
    };
    Some(Finding::new(Severity::Refused, code, text, cure).in_account(&member.id))
}

/// Whether the role is one that we create.
fn is_own_role(desired: &Desired, arn: &Arn) -> bool {
    let prefix = format!("role{}{}", crate::desired::ROLE_PATH, desired.members.replication_role);
    arn.resource().strip_prefix(&prefix).is_some_and(|rest| {
        rest.is_empty()
            || rest.strip_prefix('-').is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

fn holds_ours(policy: &str) -> bool {
    crate::policy::PolicyDocument::parse(policy).is_ok_and(|document| {
        document.statements().iter().any(|statement| statement.sid().is_some_and(crate::policy::is_ours))
    })
}
