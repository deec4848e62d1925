//! `weir accounts plan`: what would change, and what stands in the way.

use super::context::Context;
use super::{CHANGES, CONVERGED, FAILED, STOPPED, Shared, view};
use crate::desired::Desired;
use crate::inventory::Inventory;
use crate::plan::{self, Plan};
use anyhow::Context as _;
use std::path::PathBuf;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// Keep the plan, to apply exactly it later
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Plan from an inventory that `discover -o` kept, without AWS
    #[arg(long, value_name = "FILE")]
    inventory: Option<PathBuf>,
    /// Print the plan as JSON
    #[arg(long)]
    json: bool,
    /// Show the documents of members, too
    #[arg(long)]
    documents: bool,
}

pub(super) async fn run(arguments: &Arguments, shared: &Shared) -> anyhow::Result<u8> {
    let (desired, inventory) = if let Some(path) = &arguments.inventory {
        (Desired::load(shared.file.as_deref())?, Inventory::load(path)?)
    } else {
        let context = Context::open(shared, true).await?;
        let inventory = context.inventory().await?;
        (context.desired, inventory)
    };
    let plan = plan::build(&inventory, &desired);
    if let Some(path) = &arguments.output {
        view::write_json(path, &plan).context("the plan was made and could not be kept")?;
    }
    if arguments.json {
        view::plan_json(&plan)?;
    } else {
        view::plan(&plan, arguments.documents)?;
        if let Some(path) = arguments.output.as_ref().filter(|_| plan.has_changes()) {
            println!("\nApply it with: weir accounts apply {}", path.display());
        }
    }
    Ok(exit_code(&plan))
}

/// What a plan says about the world.
pub(super) fn exit_code(plan: &Plan) -> u8 {
    if plan.is_stopped() {
        STOPPED
    } else if plan.has_refusals() {
        FAILED
    } else if plan.has_changes() {
        CHANGES
    } else {
        CONVERGED
    }
}
