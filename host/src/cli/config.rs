//! `weir config`: is the configuration right, and what does it come to?

use super::view;
use crate::config::Config;
use crate::host::Host;
use std::io::{Write, stdout};
use std::path::Path;

/// Check or show the configuration.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Read the configuration, the databases and the parsers, and say what is wrong
    #[command(after_help = "Example:\n  weir config check --config /etc/weir.toml")]
    Check,
    /// Print the configuration in force, defaults and environment included, without secrets
    #[command(after_help = "Example:\n  WEIR__INDEX__RETENTION_DAYS=30 weir config show")]
    Show {
        /// JSON instead of TOML
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub(super) fn run(command: &Command, path: Option<&Path>) -> anyhow::Result<()> {
    let config = Config::load(path)?;
    match command {
        Command::Check => {
            let host = Host::open(config)?;
            let parsers = host.registry.parsers();
            for source in &host.config.sources {
                let path = host.config.resolve(&source.path);
                if !path.is_dir() {
                    writeln!(
                        stdout(),
                        "note: the folder {} of source `{}` does not exist yet",
                        path.display(),
                        source.name
                    )?;
                }
            }
            if let Some(error) = host.misnamed().into_iter().next() {
                return Err(error.into());
            }
            let rows = [
                ["parsers".to_owned(), parsers.len().to_string()],
                ["sources".to_owned(), host.config.sources.len().to_string()],
                ["routes".to_owned(), host.config.routes.len().to_string()],
                ["volume rules".to_owned(), host.config.volume_rules.len().to_string()],
                ["redactions".to_owned(), host.config.redactions.len().to_string()],
                ["data".to_owned(), host.config.resolve(&host.config.data).display().to_string()],
            ];
            writeln!(stdout(), "{}\nthe configuration is right", view::table(["setting", "value"], rows))?;
        }
        Command::Show { json: true } => writeln!(stdout(), "{}", serde_json::to_string(&config)?)?,
        Command::Show { json: false } => write!(stdout(), "{}", toml::to_string_pretty(&config)?)?,
    }
    Ok(())
}
