//! `weir accounts apply`: asks, then writes; and puts one account back.

use super::context::{Context, stop_on_signal};
use super::{CONVERGED, FAILED, STOPPED, Shared, view};
use crate::apply::{self, Manner, Report};
use crate::discover::Entrance;
use crate::discover::read_organization;
use crate::ids::AccountId;
use crate::inventory::Caller;
use crate::plan::{self, Plan, Purpose};
use crate::status;
use anyhow::bail;
use std::collections::BTreeSet;
use std::path::PathBuf;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// A plan that `plan -o` kept; without, a new one is made and shown
    plan: Option<PathBuf>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Stay until every canary came through and every rule is wide, up to half an hour
    #[arg(long)]
    wait: bool,
    /// Put one account back to what it was before the last run that wrote in it
    #[arg(long, value_name = "ACCOUNT", conflicts_with_all = ["plan", "wait"])]
    rollback: Option<AccountId>,
    #[command(flatten)]
    output: Output,
}

/// How much of the report is printed, and for whom.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Output {
    /// Print the report as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// List every account in the report, also of a large organization
    #[arg(long, conflicts_with = "json")]
    pub(super) full: bool,
}

pub(super) async fn run(arguments: &Arguments, shared: &Shared) -> anyhow::Result<u8> {
    if let Some(account) = &arguments.rollback {
        return roll_back(arguments, shared, account).await;
    }
    // A plan file is read before anything is asked of AWS.
    let kept = arguments.plan.as_deref().map(Plan::load).transpose()?;
    let context = Context::open(shared, !arguments.output.json).await?;
    let (plan, caller) = if let Some(plan) = kept {
        let caller = check(&context, &plan).await?;
        (plan, caller)
    } else {
        let inventory = context.inventory().await?;
        (plan::build(&inventory, &context.desired), inventory.caller)
    };
    carry_out(&context, shared, &caller, &plan, arguments.yes, arguments.wait, arguments.output).await
}

/// Shows a plan, asks, applies it, and reports.
pub(super) async fn carry_out(
    context: &Context,
    shared: &Shared,
    caller: &Caller,
    plan: &Plan,
    yes: bool,
    wait: bool,
    output: Output,
) -> anyhow::Result<u8> {
    if !output.json {
        view::plan(plan, false)?;
    }
    if plan.is_stopped() {
        bail!("the plan must not be applied; the findings above say why and what to do");
    }
    if plan.has_changes() && !yes && !confirmed(plan)? {
        eprintln!("nothing was written");
        return Ok(STOPPED);
    }
    let entrance = Entrance::new(&context.connection, &context.desired, caller);
    let stop = stop_on_signal();
    let manner = Manner { wait, stop: &stop, progress: &context.progress };
    let report = apply::apply(&entrance, plan, &shared.data, manner).await?;
    if plan.purpose == Purpose::Onboard && !report.interrupted {
        status::remember(&shared.data, plan)?;
    }
    show(&report, output)?;
    Ok(if report.is_converged() { CONVERGED } else { FAILED })
}

fn show(report: &Report, output: Output) -> anyhow::Result<()> {
    if output.json { view::print_json(report) } else { view::report(report, output.full) }
}

/// A plan is for one organization and one log account, whoever kept it.
async fn check(context: &Context, plan: &Plan) -> anyhow::Result<Caller> {
    let (caller, organization, _) =
        read_organization(&context.connection, &context.desired, &context.progress).await?;
    if organization.id != plan.organization {
        bail!(
            "the plan is for organization {}, and the credentials are of {}; use credentials of the former",
            plan.organization,
            organization.id
        );
    }
    if context.desired.log_account.id != plan.log_account {
        bail!(
            "the plan is for log account {}, and accounts.toml names {}; make the plan again",
            plan.log_account,
            context.desired.log_account.id
        );
    }
    Ok(caller)
}

/// Asks whether to write.
fn confirmed(plan: &Plan) -> anyhow::Result<bool> {
    let accounts: BTreeSet<_> = plan.actions.iter().map(|action| &action.account).collect();
    view::confirmed(&format!("\n{} writes in {} accounts. Apply them?", plan.actions.len(), accounts.len()))
}

async fn roll_back(arguments: &Arguments, shared: &Shared, account: &AccountId) -> anyhow::Result<u8> {
    let context = Context::open(shared, !arguments.output.json).await?;
    if !arguments.yes {
        let question =
            format!("Put account {account} back to what it was before the last run that wrote in it?");
        if !view::confirmed(&question)? {
            eprintln!("nothing was written");
            return Ok(STOPPED);
        }
    }
    let (caller, _, _) = read_organization(&context.connection, &context.desired, &context.progress).await?;
    let entrance = Entrance::new(&context.connection, &context.desired, &caller);
    let outcome = apply::roll_back(&entrance, &shared.data, account).await?;
    view::rolled_back(account, &outcome)?;
    Ok(if outcome.failures.is_empty() { CONVERGED } else { FAILED })
}
