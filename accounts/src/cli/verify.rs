//! `weir accounts verify`: the proof, and what has arrived.

use super::context::{Context, stop_on_signal};
use super::{CONVERGED, FAILED, Shared, view};
use crate::discover::Entrance;
use crate::plan;
use crate::verify::{Manner, verify};

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// Wait for replicas up to 15 minutes, instead of half a minute
    #[arg(long)]
    wait: bool,
    /// Write no canaries: only show what has arrived
    #[arg(long)]
    no_canaries: bool,
    /// Print the proof as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments, shared: &Shared) -> anyhow::Result<u8> {
    let context = Context::open(shared, !arguments.json).await?;
    let inventory = context.inventory().await?;
    let plan = plan::build(&inventory, &context.desired);
    let entrance = Entrance::new(&context.connection, &context.desired, &inventory.caller);
    let stop = stop_on_signal();
    let manner = Manner {
        wait: arguments.wait,
        canaries: !arguments.no_canaries,
        stop: &stop,
        progress: &context.progress,
    };
    let proof = verify(&entrance, &plan, &shared.data, manner).await?;
    if arguments.json {
        view::print_json(&proof)?;
    } else {
        view::proof(&proof)?;
    }
    Ok(if proof.is_complete() { CONVERGED } else { FAILED })
}
