//! `weir accounts init`: a commented accounts.toml that loads as written.

use super::{CONVERGED, Shared};
use crate::desired::{FILE_NAME, template};
use anyhow::{Context, bail};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
}

pub(super) fn run(arguments: &Arguments, shared: &Shared) -> anyhow::Result<u8> {
    let path = shared.file.clone().unwrap_or_else(|| PathBuf::from(FILE_NAME));
    let mut options = OpenOptions::new();
    options.write(true);
    if arguments.force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let mut file = match options.open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("there is a {} already; edit it, or write over it with --force", path.display());
        }
        Err(error) => {
            return Err(error).with_context(|| {
                format!("cannot write {}; check that the folder is yours to write", path.display())
            });
        }
    };
    file.write_all(template().as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    println!(
        "wrote {}: name the log account, its buckets and your log buckets in it, then run `weir accounts plan`",
        path.display()
    );
    Ok(CONVERGED)
}
