//! `weir accounts discover`: what is there.

use super::context::Context;
use super::{CONVERGED, FAILED, Shared, view};
use crate::inventory::Access;
use anyhow::Context as _;
use std::path::PathBuf;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// Keep what was found, to plan from it later with `plan --inventory`
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the inventory as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments, shared: &Shared) -> anyhow::Result<u8> {
    let context = Context::open(shared, true).await?;
    let inventory = context.inventory().await?;
    if let Some(path) = &arguments.output {
        view::write_json(path, &inventory).context("the inventory was read and could not be kept")?;
    }
    if arguments.json {
        view::print_json(&inventory)?;
    } else {
        view::inventory(&inventory)?;
    }
    let failed = inventory
        .members
        .values()
        .any(|member| matches!(member.access, Access::Failed(_)) || !member.failures.is_empty())
        || matches!(inventory.log_account.access, Access::Failed(_));
    Ok(if failed { FAILED } else { CONVERGED })
}
