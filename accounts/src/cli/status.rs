//! `weir accounts status`: drift, for schedules.

use super::context::Context;
use super::{CHANGES, CONVERGED, FAILED, STOPPED, Shared, view};
use crate::plan;
use crate::status::compare;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments, shared: &Shared) -> anyhow::Result<u8> {
    let context = Context::open(shared, !arguments.json).await?;
    let inventory = context.inventory().await?;
    let plan = plan::build(&inventory, &context.desired);
    let status = compare(&shared.data, &inventory, &plan)?;
    if arguments.json {
        view::print_json(&status)?;
    } else {
        view::status(&status)?;
    }
    Ok(if plan.is_stopped() {
        STOPPED
    } else if plan.has_refusals() {
        FAILED
    } else if status.is_drifted() {
        CHANGES
    } else {
        CONVERGED
    })
}
