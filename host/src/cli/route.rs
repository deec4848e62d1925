//! `weir route explain`: where an object goes, and why.

use super::view;
use crate::host::{Host, HostError};
use crate::ingest::source::LOCAL_BUCKET;
use crate::ingest::stream::StreamKey;
use crate::route::Router;
use std::io::{Write, stdout};

/// Say where objects go.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Say which parser reads the object at KEY, and why
    #[command(
        after_help = "Examples:\n  weir route explain AWSLogs/111122223333/vpcflowlogs/eu-west-1/2026/01/15/x.log.gz\n  weir route explain firehose/app/x.gz --log-group /aws/vpc-flow\n  weir route explain AWSLogs/111122223333/vpcflowlogs/eu-west-1/2026/01/15/x.log.gz --header 'version resource-type account-id tgw-id'"
    )]
    Explain {
        key: String,
        /// The bucket or source
        #[arg(long, default_value = LOCAL_BUCKET)]
        bucket: String,
        /// The CloudWatch Logs group of a stream inside the object
        #[arg(long)]
        log_group: Option<String>,
        /// The container of a stream inside the object
        #[arg(long)]
        container: Option<String>,
        /// The first line of the object, or the column names of a Parquet file with blanks between
        #[arg(long, value_name = "LINE")]
        header: Option<String>,
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub(super) fn run(command: &Command, open: impl FnOnce() -> Result<Host, HostError>) -> anyhow::Result<()> {
    let Command::Explain { key, bucket, log_group, container, header, json } = command;
    let host = open()?;
    let stream =
        StreamKey { log_group: log_group.clone(), container: container.clone(), ..StreamKey::default() };
    let explanation =
        Router::new(&host.config, &host.registry).explain(bucket, key, &stream, header.as_deref());
    let located = &explanation.located;
    let time = located.time.and_then(|time| jiff::Timestamp::from_nanosecond(time.into()).ok());
    if *json {
        let route = explanation.route.as_ref();
        let answer = serde_json::json!({
            "bucket": bucket, "key": key,
            "account": located.account, "region": located.region, "time": time.map(|time| time.to_string()),
            "log_type": route.map(|route| &route.log_type),
            "parser": route.map(|route| &route.parser.manifest().name),
            "team": route.and_then(|route| route.team.as_ref()),
            "reason": route.map(|route| &route.reason).or(explanation.refused.as_ref()),
            "considered": explanation.considered.iter().map(|(log_type, priority, reason)| {
                serde_json::json!({ "log_type": log_type, "priority": priority, "reason": reason })
            }).collect::<Vec<_>>(),
        });
        writeln!(stdout(), "{answer}")?;
        return Ok(());
    }
    let shown = |value: Option<&str>| value.unwrap_or("-").to_owned();
    writeln!(
        stdout(),
        "account {}, region {}, time {}",
        shown(located.account.as_deref()),
        shown(located.region.as_deref()),
        time.map_or("-".to_owned(), |time| time.to_string())
    )?;
    match (&explanation.route, &explanation.refused) {
        (Some(route), _) => {
            let manifest = route.parser.manifest();
            writeln!(
                stdout(),
                "→ {} (parser {} {}), because {}",
                route.log_type,
                manifest.name,
                manifest.version,
                route.reason
            )?;
        }
        (None, Some(refused)) => writeln!(stdout(), "→ no parser, because {refused}")?,
        (None, None) => {
            writeln!(
                stdout(),
                "→ no parser wants it; add a [[route]] to weir.toml or a pattern to a parser's manifest"
            )?;
        }
    }
    if explanation.considered.len() > 1 {
        writeln!(stdout(), "\nsuggestions that fit, best first:")?;
        let rows = explanation
            .considered
            .into_iter()
            .map(|(log_type, priority, reason)| [log_type, priority.to_string(), reason]);
        writeln!(stdout(), "{}", view::table(["log type", "priority", "reason"], rows))?;
    }
    Ok(())
}
