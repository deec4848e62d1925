//! What a person sees: tables, and errors with their causes.

use crate::apply::{self, Report, RolledBack};
use crate::backfill::{Estimate, Job};
use crate::ids::AccountId;
use crate::inventory::{Access, Failure, Inventory};
use crate::plan::view::{counted, printable, table};
use crate::plan::{self, Plan};
use crate::status::Status;
use crate::verify::{PathProof, Proof};
use anyhow::Context;
use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::path::Path;

/// An error, its causes, each on a line of its own.
pub(super) fn print_error(error: &anyhow::Error) {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (red, plain) = if colour { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
    eprintln!("{red}error{plain}: {error}");
    let mut last = error.to_string();
    for cause in error.chain().skip(1) {
        let text = cause.to_string();
        // Transparent wrappers say the same twice.
        if text != last {
            eprintln!("  caused by: {text}");
        }
        last = text;
    }
}

/// `weir accounts plan | head` ends when `head` has enough.
pub(super) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// Prints a value as JSON on standard output.
pub(super) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    Ok(())
}

/// Writes a value as JSON to a file that only its owner reads.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).with_context(|| {
        format!("cannot write {}; check that its folder is yours to write", path.display())
    })?;
    let mut out = std::io::BufWriter::new(file);
    serde_json::to_writer_pretty(&mut out, value)
        .map_err(anyhow::Error::from)
        .and_then(|()| Ok(out.flush()?))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn print(text: &impl std::fmt::Display) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}")?;
    Ok(())
}

/// What was found, account by account.
pub(super) fn inventory(inventory: &Inventory) -> anyhow::Result<()> {
    let mut rows = table(&["ACCOUNT", "NAME", "UNIT", "STATE", "ENTERED", "LOG BUCKETS", "FAILURES"]);
    for member in inventory.members.values() {
        let entered = match &member.access {
            Access::Reached { .. } => "yes".to_owned(),
            Access::Failed(failure) => failure.code.to_string(),
            Access::NotTried => "not selected".to_owned(),
        };
        rows.add_row([
            member.id.to_string(),
            printable(&member.name),
            printable(&inventory.organization.unit_names(&member.units)),
            crate::apply::plain_word(&member.state),
            entered,
            member.buckets.len().to_string(),
            member.failures.len().to_string(),
        ]);
    }
    print(&rows)?;
    let failures = inventory.members.values().flat_map(|member| {
        let access = match &member.access {
            Access::Failed(failure) => Some(failure),
            Access::Reached { .. } | Access::NotTried => None,
        };
        access.into_iter().chain(&member.failures).map(|failure| (&member.id, failure))
    });
    print_failures(failures)?;
    if let Access::Failed(failure) = &inventory.log_account.access {
        print_failures([(&inventory.log_account.id, failure)])?;
    }
    print(&format!(
        "\norganization {}: {} in {}, {}",
        inventory.organization.id,
        counted(inventory.members.len(), "account"),
        counted(inventory.organization.units.len(), "unit"),
        counted(inventory.members.values().map(|member| member.buckets.len()).sum::<usize>(), "log bucket"),
    ))
}

/// Code, text and cure of each.
fn print_failures<'a>(
    failures: impl IntoIterator<Item = (&'a AccountId, &'a Failure)>,
) -> anyhow::Result<()> {
    for (account, failure) in failures {
        print(&format!(
            "\n{account} {}: {}\n  → {}",
            failure.code,
            printable(&failure.text),
            printable(&failure.cure)
        ))?;
    }
    Ok(())
}

/// What became of every account.
pub(super) fn report(report: &Report, full: bool) -> anyhow::Result<()> {
    print(&apply::view::human(report, full).trim_end())
}

/// The proof, bucket by bucket.
pub(super) fn proof(proof: &Proof) -> anyhow::Result<()> {
    let mut rows = table(&["ACCOUNT", "NAME", "REGION", "LOG BUCKET", "PATH", "LAST OBJECT"]);
    for bucket in &proof.buckets {
        let path = match &bucket.path {
            PathProof::Proven { .. } => "proven".to_owned(),
            PathProof::Waiting { .. } => "waiting".to_owned(),
            PathProof::Failed { failure } => failure.code.to_string(),
            PathProof::NotOnboarded { .. } => "not onboarded".to_owned(),
            PathProof::NotTried => "not tried".to_owned(),
        };
        let last = bucket.coverage.iter().filter_map(|coverage| coverage.last_seen.as_ref()).max();
        rows.add_row([
            bucket.account.to_string(),
            printable(&bucket.name),
            bucket.region.to_string(),
            bucket.bucket.to_string(),
            path,
            last.map_or_else(|| "none".to_owned(), Clone::clone),
        ]);
    }
    print(&rows)?;
    for bucket in &proof.buckets {
        let (PathProof::Waiting { reason } | PathProof::NotOnboarded { reason }) = &bucket.path else {
            continue;
        };
        print(&format!("\n{} {}: {reason}", bucket.account, bucket.bucket))?;
    }
    let failed = proof.buckets.iter().filter_map(|bucket| match &bucket.path {
        PathProof::Failed { failure } | PathProof::Proven { note: Some(failure) } => {
            Some((&bucket.account, failure))
        }
        _ => None,
    });
    print_failures(failed.chain(proof.failures.iter().map(|(account, failure)| (account, failure))))?;
    let proven =
        proof.buckets.iter().filter(|bucket| matches!(bucket.path, PathProof::Proven { .. })).count();
    print(&format!(
        "\n{proven} of {} log buckets proven; {} accounts could not be looked at",
        proof.buckets.len(),
        proof.failures.len()
    ))
}

/// What has drifted.
pub(super) fn status(status: &Status) -> anyhow::Result<()> {
    for (what, accounts) in [
        ("joined, and is to be onboarded", &status.joined),
        ("left the organization", &status.left),
        ("is not active any more", &status.suspended),
    ] {
        for account in accounts {
            print(&format!("{} {} {what}", account.account, printable(&account.name)))?;
        }
    }
    for drift in &status.changes {
        print(&format!("{} {} differs: {}", drift.account, printable(&drift.name), drift.writes.join(", ")))?;
    }
    for finding in &status.findings {
        let account = finding.account.as_ref().map_or_else(String::new, |account| format!("{account} "));
        print(&format!(
            "{} {account}{}: {}",
            finding.severity.as_str(),
            finding.code,
            printable(&finding.text)
        ))?;
    }
    if status.is_drifted() {
        print(&"\nsee `weir accounts plan`, and mend it with `weir accounts apply`")
    } else {
        print(&"nothing has drifted")
    }
}

/// What was put back.
pub(super) fn rolled_back(account: &AccountId, outcome: &RolledBack) -> anyhow::Result<()> {
    for (operation, resource) in &outcome.undone {
        print(&format!("undone: {operation} of {resource}"))?;
    }
    print_failures(outcome.failures.iter().map(|failure| (account, failure)))?;
    print(&format!("\n{account}: {} writes undone, {} left", outcome.undone.len(), outcome.failures.len()))
}

/// What would change, and what stands in the way.
pub(super) fn plan(plan: &Plan, documents: bool) -> anyhow::Result<()> {
    let no_color = std::env::var("NO_COLOR").ok();
    let colour = plan::view::wants_colour(std::io::stdout().is_terminal(), no_color.as_deref());
    print(&plan::view::human(plan, &plan::view::Options { colour, documents }).trim_end())
}

/// The same for programs.
pub(super) fn plan_json(plan: &Plan) -> anyhow::Result<()> {
    print(&plan::view::json(plan)?)
}

/// Jobs for objects from before.
pub(super) fn jobs(jobs: &[Job]) -> anyhow::Result<()> {
    let mut rows = table(&["ACCOUNT", "REGION", "LOG BUCKET", "OBJECTS", "GB", "ONCE"]);
    for job in jobs {
        let of = |text: fn(&Estimate) -> String| job.estimate.as_ref().map_or_else(|| "?".to_owned(), text);
        rows.add_row([
            job.account.to_string(),
            job.region.to_string(),
            job.bucket.to_string(),
            of(|estimate| format!("{}{}", estimate.objects, if estimate.at_least { " or more" } else { "" })),
            of(|estimate| format!("{:.2}", estimate.gigabytes)),
            of(|estimate| format!("${:.2}", estimate.dollars)),
        ]);
    }
    print(&rows)?;
    let dollars: f64 = jobs.iter().filter_map(|job| job.estimate.map(|estimate| estimate.dollars)).sum();
    print(&format!(
        "\n{} jobs, ${dollars:.2} once; S3 leaves out what is replicated already, and replication time control does not apply",
        jobs.len()
    ))
}

/// What failed, with its cure.
pub(super) fn failures(failures: &[(AccountId, Failure)]) {
    for (account, failure) in failures {
        eprintln!("{account} {}: {}\n  → {}", failure.code, failure.text, failure.cure);
    }
}

/// Asks on the terminal; without one, `--yes` is needed.
pub(super) fn confirmed(question: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        anyhow::bail!("there is nobody to ask; give --yes to go on without asking");
    }
    eprint!("{question} Type yes: ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("cannot read the answer")?;
    Ok(answer.trim() == "yes")
}
