//! `weir accounts render`: templates and scripts that do what applying would.

use super::context::Context;
use super::{CONVERGED, FAILED, Shared};
use crate::desired::Desired;
use crate::inventory::Inventory;
use crate::render::{Format, render};
use std::path::PathBuf;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// What to write
    #[arg(long, value_enum, default_value = "cloudformation")]
    format: Format,
    /// The folder; new, empty, or written by an earlier run
    #[arg(short, long, value_name = "DIR", default_value = "rendered")]
    output: PathBuf,
    /// Render from an inventory that `discover -o` kept, without AWS
    #[arg(long, value_name = "FILE")]
    inventory: Option<PathBuf>,
}

pub(super) async fn run(arguments: &Arguments, shared: &Shared) -> anyhow::Result<u8> {
    let (desired, inventory) = if let Some(path) = &arguments.inventory {
        (Desired::load(shared.file.as_deref())?, Inventory::load(path)?)
    } else {
        let context = Context::open(shared, true).await?;
        let inventory = context.inventory().await?;
        (context.desired, inventory)
    };
    let rendered = render(&inventory, &desired, arguments.format)?;
    rendered.write(&arguments.output)?;
    println!(
        "wrote {} files to {}; its README.md says in which order they are put to work",
        rendered.files.len(),
        arguments.output.display()
    );
    for note in &rendered.notes {
        println!("- {note}");
    }
    Ok(if rendered.is_partial { FAILED } else { CONVERGED })
}
