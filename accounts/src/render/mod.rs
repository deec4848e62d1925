//! No-write mode: templates and scripts that do what applying would, for people who change their accounts with tools of
//! their own. `verify` proves the result alike.
//!
//! Contract: a document that holds something of others is never put into a template, since a stack or a state would then
//! own it and one day replace or delete it. Such documents go into the bundle: a script for each account that compares
//! what is there with what was planned from, refuses when it moved, and puts exactly the planned document. Everything
//! comes out of the same plan that applying carries out.
//!
//! CloudFormation cannot configure a bucket that it did not make, so with it all buckets are the bundle's; Terraform can.

mod bundle;
mod cli_json;
mod cloudformation;
mod error;
mod output;
mod readme;
mod terraform;
#[cfg(test)]
mod tests;
mod wanted;

pub use self::error::RenderError;
pub use self::output::{Rendered, RenderedFile};

use self::wanted::Wanted;
use crate::desired::Desired;
use crate::inventory::{
    Destination, DestinationBucket, Encryption, EncryptionAlgorithm, Inventory, ObjectOwnership,
    PublicAccessBlock, Versioning,
};
use crate::plan::{self, Finding, Plan, Severity};
use std::collections::BTreeSet;

/// What is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A StackSet for the members, a stack for each destination that is to be made, and the bundle
    Cloudformation,
    /// A root module for the log account and one for each member, and the bundle
    Terraform,
}

/// Renders what `accounts.toml` asks for. Pure: the same inputs give the same bytes.
///
/// Destination buckets that do not exist yet are part of the templates, and everything else is planned as if they were
/// there already.
///
/// # Errors
/// When the plan is stopped, or a document cannot be written in the form that a tool takes.
pub fn render(inventory: &Inventory, desired: &Desired, format: Format) -> Result<Rendered, RenderError> {
    let (assumed, regions) = with_missing_destinations(inventory, desired);
    let plan = plan::build(&assumed, desired);
    if plan.is_stopped() {
        return Err(RenderError::Stopped { reasons: reasons(&plan) });
    }
    let wanted = Wanted::find(&plan, &assumed, desired, &regions)?;
    let mut rendered = Rendered::default();
    let covered = match format {
        Format::Cloudformation => cloudformation::write(&wanted, &mut rendered)?,
        Format::Terraform => terraform::write(&wanted, &mut rendered)?,
    };
    bundle::write(&plan, &covered, &mut rendered);
    for finding in plan.findings.iter().filter(|finding| finding.severity <= Severity::Warning) {
        rendered.notes.push(finding_text(finding));
    }
    rendered.is_partial |= plan.has_refusals();
    readme::write(&wanted, format, &mut rendered);
    Ok(rendered)
}

/// The inventory with destination buckets that are missing, as the templates will make them.
fn with_missing_destinations(
    inventory: &Inventory,
    desired: &Desired,
) -> (Inventory, BTreeSet<crate::ids::Region>) {
    let mut assumed = inventory.clone();
    let mut regions = BTreeSet::new();
    for settings in &desired.destinations {
        let found = assumed.log_account.destinations.get_mut(&settings.region);
        let Some(destination) = found.filter(|found| matches!(found, Destination::Missing { .. })) else {
            continue;
        };
        let encryption = settings.kms_key.clone().map_or_else(Encryption::default, |key| Encryption {
            algorithm: EncryptionAlgorithm::SseKms,
            key: Some(key),
            bucket_key: true,
        });
        *destination = Destination::Found(Box::new(DestinationBucket {
            name: settings.bucket.clone(),
            versioning: Versioning::Enabled,
            mfa_delete: false,
            ownership: Some(ObjectOwnership::BucketOwnerEnforced),
            public_access_block: Some(PublicAccessBlock::ALL),
            policy: None,
            encryption,
            object_lock: false,
            requester_pays: false,
            notifications: None,
            lifecycle: None,
            replication: None,
            control_tower: false,
            samples: Vec::new(),
        }));
        regions.insert(settings.region.clone());
    }
    (assumed, regions)
}

fn reasons(plan: &Plan) -> String {
    let stops = plan.findings.iter().filter(|finding| finding.severity == Severity::Stop);
    stops.map(finding_text).collect::<Vec<_>>().join("; ")
}

/// One finding as one line.
fn finding_text(finding: &Finding) -> String {
    let account = finding.account.as_ref().map_or_else(String::new, |account| format!(" {account}:"));
    let cure = if finding.cure.is_empty() { String::new() } else { format!("; {}", finding.cure) };
    format!("{}{account} {}{cure}", finding.code, finding.text)
}
