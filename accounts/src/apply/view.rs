//! The report for people.
//!
//! A small organization is shown account by account. In a large one accounts that ended alike share a line: what a reader
//! looks for are the codes, how many accounts each has, and what to do, not a thousand rows. Nothing is left out of
//! `--json` and `--full`.

use super::report::{AccountOutcome, AccountReport, Report};
use crate::codes::FailureCode;
use crate::ids::AccountId;
use crate::inventory::Failure;
use crate::plan::view::{counted, printable, table};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Up to so many accounts are listed one by one.
const FEW: usize = 60;
/// Runs of neighbours that a shared line names.
const MOST_RUNS: usize = 4;

/// The report as text. `full` lists every account and every failure, however many there are.
pub fn human(report: &Report, full: bool) -> String {
    let accounts: Vec<&AccountReport> =
        report.accounts.iter().filter(|account| account.state != AccountOutcome::Skipped).collect();
    let mut text = String::new();
    if full || accounts.len() <= FEW {
        one_by_one(&mut text, &accounts);
        failures_one_by_one(&mut text, &accounts);
    } else {
        together(&mut text, &accounts);
        failures_together(&mut text, &accounts);
    }
    summary(&mut text, report);
    text
}

fn put_table(text: &mut String, table: &comfy_table::Table) {
    for line in table.to_string().lines() {
        line_of(text, line);
    }
}

fn line_of(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

fn one_by_one(text: &mut String, accounts: &[&AccountReport]) {
    let mut rows = table(&["ACCOUNT", "NAME", "UNIT", "STATE", "WRITES", "WHY"]);
    for account in accounts {
        rows.add_row([
            account.account.to_string(),
            printable(&account.name),
            printable(&account.unit),
            account.state.as_str().to_owned(),
            account.writes.to_string(),
            why(account),
        ]);
    }
    put_table(text, &rows);
}

/// The codes, or what is waited for.
fn why(account: &AccountReport) -> String {
    if account.state == AccountOutcome::Interrupted {
        return FailureCode::Interrupted.to_string();
    }
    if account.failures.is_empty() {
        return waits(account);
    }
    let mut codes: Vec<&str> = account.failures.iter().map(|failure| failure.code.as_str()).collect();
    codes.dedup();
    codes.join(", ")
}

fn waits(account: &AccountReport) -> String {
    let Some(waiting) = account.waiting.first() else { return String::new() };
    let until = waiting.until.map_or(String::new(), |until| format!(" (until {until:.0})"));
    format!("{}: {}{until}", counted(account.waiting.len(), "bucket"), waiting.reason)
}

/// Failures and notes, each with the account that it is of. That the run was interrupted is said once, at the end.
fn all<'a>(accounts: &[&'a AccountReport]) -> impl Iterator<Item = (&'a AccountReport, &'a Failure)> {
    let of = |account: &'a AccountReport| {
        let notes = account.notes.iter().filter(|note| note.code != FailureCode::Interrupted);
        account.failures.iter().chain(notes)
    };
    accounts.iter().copied().flat_map(move |account| of(account).map(move |failure| (account, failure)))
}

fn failures_one_by_one(text: &mut String, accounts: &[&AccountReport]) {
    for (account, failure) in all(accounts) {
        line_of(text, &format!("\n{} {}: {}", account.account, failure.code, printable(&failure.text)));
        cure(text, &failure.cure);
    }
}

fn cure(text: &mut String, cure: &str) {
    if !cure.is_empty() {
        line_of(text, &format!("  → {}", printable(cure)));
    }
}

/// Accounts that ended alike, the gravest first.
fn together(text: &mut String, accounts: &[&AccountReport]) {
    let mut groups: BTreeMap<(AccountOutcome, String), Vec<usize>> = BTreeMap::new();
    for (place, account) in accounts.iter().enumerate() {
        let why = match account.state {
            AccountOutcome::Failed | AccountOutcome::Interrupted => why(account),
            // When a wait ends differs by seconds, and is told below.
            AccountOutcome::Waiting => {
                account.waiting.first().map_or(String::new(), |waiting| generic(account, &waiting.reason))
            }
            _ => String::new(),
        };
        groups.entry((account.state, why)).or_default().push(place);
    }
    let mut rows = table(&["STATE", "ACCOUNTS", "WRITES", "WHY", "WHICH"]);
    for ((state, why), places) in &groups {
        let members = || places.iter().filter_map(|place| accounts.get(*place));
        let writes: usize = members().map(|account| account.writes).sum();
        let until = members().flat_map(|account| &account.waiting).filter_map(|waiting| waiting.until).max();
        let until = until.filter(|_| *state == AccountOutcome::Waiting);
        let until = until.map_or(String::new(), |until| format!(" (until {until:.0})"));
        rows.add_row([
            state.as_str().to_owned(),
            places.len().to_string(),
            writes.to_string(),
            format!("{why}{until}"),
            runs(accounts, places),
        ]);
    }
    put_table(text, &rows);
}

/// Failures of one code that are mended alike: how many, where, one of them, and the cure.
fn failures_together(text: &mut String, accounts: &[&AccountReport]) {
    let places: BTreeMap<&AccountId, usize> =
        accounts.iter().enumerate().map(|(place, account)| (&account.account, place)).collect();
    let mut groups: BTreeMap<(FailureCode, String), Vec<(&AccountReport, &Failure)>> = BTreeMap::new();
    for (account, failure) in all(accounts) {
        // Cures name the bucket or role at hand; what they say besides is what they share.
        let mut shared = generic(account, &failure.cure);
        if let Some(resource) = &failure.resource {
            shared = shared.replace(&generic(account, resource), "…");
        }
        if let Some(region) = &failure.region {
            shared = shared.replace(region.as_str(), "…");
        }
        groups.entry((failure.code, shared)).or_default().push((account, failure));
    }
    for ((code, _), members) in &groups {
        let Some((first, failure)) = members.first() else { continue };
        if members.len() == 1 {
            line_of(text, &format!("\n{} {code}: {}", first.account, printable(&failure.text)));
        } else {
            let mut of: Vec<usize> =
                members.iter().filter_map(|(account, _)| places.get(&account.account).copied()).collect();
            of.dedup();
            let times =
                if members.len() == of.len() { String::new() } else { format!(", {} times", members.len()) };
            line_of(
                text,
                &format!("\n{code} in {}{times}: {}", counted(of.len(), "account"), runs(accounts, &of)),
            );
            line_of(text, &format!("  such as {}: {}", first.account, printable(&failure.text)));
        }
        cure(text, &failure.cure);
    }
}

/// A text without what is the account's own.
fn generic(account: &AccountReport, text: &str) -> String {
    text.replace(account.account.as_str(), "ACCOUNT")
}

/// Which accounts: neighbours of the report as `first to last`, the first few of them.
fn runs(accounts: &[&AccountReport], places: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for place in places {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *place => *last = *place,
            _ => runs.push((*place, *place)),
        }
    }
    let id = |place: usize| accounts.get(place).map_or("", |account| account.account.as_str());
    let mut text = String::new();
    for (number, (first, last)) in runs.iter().take(MOST_RUNS).enumerate() {
        let separator = if number == 0 { "" } else { ", " };
        let _ = match last - first {
            0 => write!(text, "{separator}{}", id(*first)),
            1 => write!(text, "{separator}{}, {}", id(*first), id(*last)),
            _ => write!(text, "{separator}{} to {}", id(*first), id(*last)),
        };
    }
    let left: usize = runs.iter().skip(MOST_RUNS).map(|(first, last)| last - first + 1).sum();
    if left > 0 {
        let _ = write!(text, " and {left} more");
    }
    text
}

fn summary(text: &mut String, report: &Report) {
    let interrupted = match report.count(AccountOutcome::Interrupted) {
        0 => String::new(),
        count => format!("{count} interrupted, "),
    };
    line_of(
        text,
        &format!(
            "\n{} done, {} unchanged, {} waiting, {interrupted}{} failed, {} skipped; {}",
            report.count(AccountOutcome::Done),
            report.count(AccountOutcome::Unchanged),
            report.count(AccountOutcome::Waiting),
            report.count(AccountOutcome::Failed),
            report.count(AccountOutcome::Skipped),
            counted(report.writes, "write"),
        ),
    );
    if report.interrupted {
        line_of(
            text,
            &format!(
                "{}: the run was interrupted; run it again to go on: the journal knows how far it came.",
                FailureCode::Interrupted
            ),
        );
    } else if report.count(AccountOutcome::Waiting) > 0 {
        line_of(
            text,
            "Run `weir accounts apply` again when the waits are over, or use --wait: it goes on from here.",
        );
    }
    let shown = report.accounts.len() - report.count(AccountOutcome::Skipped);
    if shown > FEW {
        line_of(text, "--full lists every account, --json everything.");
    }
}

#[cfg(test)]
mod tests;
