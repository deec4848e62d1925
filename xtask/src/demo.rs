//! `cargo xtask demo`: everything built, then a day of a fictitious company's logs taken in, accounted for and searched.
//!
//! The logs are made here and are the same in every run, byte for byte, so that a second demo finds its objects done.
//! They go to `demo-data/logs`, laid out as S3 keys; index, archive, quarantine and ledger go where weir.toml says.
//! Three incidents lie in the noise, and hang together: a scan of the shop finds an access key, the key is used from
//! abroad, and then somebody guesses a password of the bastion.

mod cloud;
mod company;
mod damage;
mod hosts;
mod moment;
mod objects;
mod random;
mod shop;
mod traffic;

use crate::parsers;
use crate::process;
use crate::project::{HOST, Project};
use crate::target::WasmTarget;
use anyhow::{Context, Result};
use objects::Objects;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the logs go, and what weir.toml names as source.
const LOGS: &str = "demo-data/logs";
/// The example searches: what an analyst wants to know, and the arguments that answer it.
const SEARCHES: [(&str, &[&str]); 3] = [
    (
        "Who of the intruder's network left traces, and in which logs? (any log type, one schema)",
        &["search", "source.ip:203.0.113.0/24", "--top", "event.dataset"],
    ),
    (
        "What did the stolen key achieve, once refusals and downloads are left out?",
        &[
            "search",
            "source.ip:203.0.113.66 AND event.dataset:aws.cloudtrail AND event.outcome:success AND NOT event.action:GetObject",
            "--limit",
            "10",
        ],
    ),
    (
        "When did all this happen? (the scan, the key, the passwords)",
        &[
            "search",
            "(source.ip:203.0.113.0/24 OR source.ip:198.51.100.23) AND NOT event.dataset:aws.vpcflow",
            "--histogram",
        ],
    ),
];

/// Builds the parsers and the host, takes the logs in, and shows what to do with them.
pub(crate) fn run(project: &Project) -> Result<()> {
    let root = project.root.join(LOGS);
    fs::create_dir_all(&root).with_context(|| format!("cannot make {}", root.display()))?;
    let written = make_logs()?.write(&root)?;
    parsers::build(project, &WasmTarget::get(project)?)?;
    let weir = Weir { project, program: project.build_program(HOST)? };
    println!(
        "\nA day of Kestrel Moss, which sells outdoor gear: {} objects, {:.1} MB, in {LOGS} ({}).",
        written.objects,
        written.bytes as f64 / 1e6,
        if written.changed == 0 { "unchanged".to_owned() } else { format!("{} written", written.changed) }
    );
    weir.show("Take them in. Five objects are damaged or unknown on purpose.", &["ingest", LOGS])?;
    weir.show("What became of each object? Here are the first ones.", &["ledger", "show", "--limit", "6"])?;
    for (question, arguments) in SEARCHES {
        weir.show(question, arguments)?;
    }
    println!("\nGo on:");
    for (arguments, purpose) in [
        (
            "search 'source.ip:198.51.100.23 AND http.response.status_code:200'",
            "the one thing that the scan found",
        ),
        (
            "search 'host.name:bastion-1 AND process.name:sudo' --from 2026-03-11T04:37:00Z --to 2026-03-11T05:00:00Z --json",
            "what the intruder did on the bastion",
        ),
        ("quarantine list", "what could not be parsed, and why"),
        (
            "dump demo-data/logs/hosts/222233334444/eu-central-1/bastion-1/secure-2026-03-11-00.gz --original",
            "events of one file",
        ),
        ("run", "watch the folder, serve search and metrics on http://127.0.0.1:7413"),
    ] {
        println!("  {} {arguments}\n      {purpose}", weir.shown());
    }
    println!("  README.md says more; weir.toml is the configuration, every setting explained.");
    Ok(())
}

/// Everything that happened at the company that day.
fn make_logs() -> Result<Objects> {
    let mut objects = Objects::default();
    shop::write(&mut objects)?;
    traffic::write(&mut objects)?;
    cloud::write(&mut objects)?;
    hosts::write(&mut objects)?;
    damage::write(&mut objects)?;
    Ok(objects)
}

/// The host program, run from the root of the checkout.
struct Weir<'a> {
    project: &'a Project,
    program: PathBuf,
}

impl Weir<'_> {
    /// The program as a person types it.
    fn shown(&self) -> String {
        self.project.show(&self.program).to_string()
    }

    /// Says what comes, shows the command, and runs it.
    fn show(&self, purpose: &str, arguments: &[&str]) -> Result<()> {
        let quoted = |word: &&str| {
            if word.contains([' ', ':', '*']) { format!("'{word}'") } else { (*word).to_owned() }
        };
        let words: Vec<String> = arguments.iter().map(quoted).collect();
        println!("\n# {purpose}\n$ {} {}", self.shown(), words.join(" "));
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(&self.project.root);
        let folder = parsers::folder(self.project);
        if folder != self.project.root.join(Path::new("target/parsers")) {
            // weir.toml names the usual target folder.
            command.env("WEIR__PARSERS__FOLDER", folder);
        }
        process::run(&mut command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logs_are_the_same_each_time_and_name_only_documentation_addresses() {
        let (one, other) = (make_logs().unwrap(), make_logs().unwrap());
        assert!(one.0 == other.0, "two runs gave different objects");
        assert!(one.0.len() > 150, "{}", one.0.len());
        let allowed = ["10.", "192.0.2.", "198.51.100.", "203.0.113."];
        for (key, bytes) in
            one.0.iter().filter(|(key, _)| key.contains("_wholesale_") || key.contains("s3-access/"))
        {
            let text = String::from_utf8(bytes.clone()).unwrap();
            for word in text.split([' ', '"']) {
                let address = word.rsplit_once(':').map_or(word, |(address, _)| address);
                if address.parse::<std::net::Ipv4Addr>().is_ok() {
                    assert!(allowed.iter().any(|start| address.starts_with(start)), "{key}: {address}");
                }
            }
        }
    }
}
