//! `weir accounts offboard`: takes what is ours away, and leaves what is not.

use super::Shared;
use super::apply::carry_out;
use super::context::Context;
use crate::ids::AccountId;
use crate::inventory::Access;
use crate::plan;
use anyhow::bail;
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
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments, shared: &Shared) -> anyhow::Result<u8> {
    let context = Context::open(shared, !arguments.json).await?;
    let inventory = context.inventory().await?;
    if let Some(unknown) = arguments.accounts.iter().find(|account| !inventory.members.contains_key(account)) {
        bail!("{unknown} is not in the organization; list its accounts with `weir accounts discover`");
    }
    let leaving: BTreeSet<AccountId> = if arguments.all {
        let entered = inventory.members.values().filter(|member| member.access != Access::NotTried);
        entered.map(|member| member.id.clone()).collect()
    } else {
        arguments.accounts.iter().cloned().collect()
    };
    let plan = plan::offboard(&inventory, &context.desired, &leaving);
    carry_out(&context, shared, &inventory.caller, &plan, arguments.yes, false, arguments.json).await
}
