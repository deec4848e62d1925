//! `weir accounts offboard`: takes what is ours away, and leaves what is not.

use super::Shared;
use super::apply::{Output, carry_out};
use super::context::Context;
use crate::desired::Selection;
use crate::ids::AccountId;
use crate::inventory::Access;
use crate::plan;
use std::collections::BTreeSet;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// The accounts that leave
    #[arg(value_name = "ACCOUNT", required_unless_present = "all")]
    accounts: Vec<AccountId>,
    /// All accounts, and our statements in the log account
    #[arg(long, conflicts_with = "accounts")]
    all: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(arguments: &Arguments, shared: &Shared) -> anyhow::Result<u8> {
    let mut context = Context::open(shared, !arguments.output.json).await?;
    // Whoever leaves is looked at, whatever the selection says: nothing of ours may be overlooked.
    let select = &mut context.desired.members.select;
    if arguments.all {
        *select = Selection::default();
    } else {
        select.exclude.retain(|account| !arguments.accounts.contains(account));
        select.include.extend(arguments.accounts.iter().cloned());
    }
    let inventory = context.inventory().await?;
    let leaving: BTreeSet<AccountId> = if arguments.all {
        let active = inventory.members.values().filter(|member| member.access != Access::NotTried);
        active.map(|member| member.id.clone()).collect()
    } else {
        arguments.accounts.iter().cloned().collect()
    };
    let plan = plan::offboard(&inventory, &context.desired, &leaving);
    carry_out(&context, shared, &inventory.caller, &plan, arguments.yes, false, arguments.output).await
}
