//! A plan for people: the log account, a table of accounts, what was found, the cost, and one line that sums it up.

use super::diff::{self, Line};
use super::summary::{Summary, counted};
use super::{Options, table};
use crate::codes::FailureCode;
use crate::ids::AccountId;
use crate::inventory::{ObjectOwnership, PublicAccessBlock, Versioning};
use crate::plan::{AccountPlan, Action, Finding, Plan, PlannedState, ReplicationStage, Severity, Write};
use anstyle::{AnsiColor, Style};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The plan as text. Lines are as long as they are: a terminal wraps them.
pub fn human(plan: &Plan, options: &Options) -> String {
    let mut view = View { text: String::new(), options: *options };
    view.line(&format!(
        "{} {} {} {}",
        view.strong("Organization"),
        plan.organization,
        view.strong("log account"),
        plan.log_account
    ));
    view.log_account(plan);
    view.accounts(plan);
    if options.documents {
        view.members(plan);
    }
    view.findings(&plan.findings);
    view.cost(plan);
    view.text.push('\n');
    let summary = Summary::of(plan);
    let style = if summary.stopped { red() } else { Style::new().bold() };
    let text = view.paint(style, &summary.to_string());
    view.line(&text);
    view.text
}

fn red() -> Style {
    Style::new().bold().fg_color(Some(AnsiColor::Red.into()))
}

fn colour(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(colour.into()))
}

/// Accounts to change that the table lists.
const MOST_CHANGES: usize = 50;
/// Accounts that are refused, wholly or partly, that it lists.
const MOST_REFUSED: usize = 100;
/// Refusals of one kind that are listed.
const MOST_REFUSALS: usize = 50;
/// Warnings and notes of one kind that are listed.
const MOST_OTHERS: usize = 10;

struct View {
    text: String,
    options: Options,
}

impl View {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.options.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn strong(&self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    fn heading(&mut self, text: &str) {
        let text = self.strong(text);
        self.line("");
        self.line(&text);
    }

    fn log_account(&mut self, plan: &Plan) {
        let actions: Vec<&Action> =
            plan.actions.iter().filter(|action| action.account == plan.log_account).collect();
        if actions.is_empty() {
            return;
        }
        self.heading("Log account");
        for action in actions {
            self.action(action, true);
        }
    }

    /// One row for each account; those that nothing happens to share one line.
    fn accounts(&mut self, plan: &Plan) {
        if plan.accounts.is_empty() {
            return;
        }
        self.heading("Accounts");
        let mut writes: BTreeMap<&AccountId, usize> = BTreeMap::new();
        for action in plan.actions.iter().filter(|action| action.account != plan.log_account) {
            *writes.entry(&action.account).or_default() += 1;
        }
        let mut buckets: BTreeMap<&AccountId, usize> = BTreeMap::new();
        for bucket in &plan.buckets {
            *buckets.entry(&bucket.account).or_default() += 1;
        }
        let quiet =
            |account: &&AccountPlan| matches!(account.state, PlannedState::Unchanged | PlannedState::Skipped);
        let mut table = table(&["account", "name", "unit", "buckets", "writes", "state"]);
        let mut rows = 0;
        let (mut changes, mut refused) = (0, 0);
        for account in plan.accounts.iter().filter(|account| !quiet(account)) {
            let (shown, most) = if account.state == PlannedState::Changes {
                (&mut changes, MOST_CHANGES)
            } else {
                (&mut refused, MOST_REFUSED)
            };
            *shown += 1;
            if *shown > most {
                continue;
            }
            let count = |counts: &BTreeMap<&AccountId, usize>| {
                counts.get(&account.id).copied().unwrap_or(0).to_string()
            };
            table.add_row([
                account.id.to_string(),
                printable(&account.name),
                printable(&account.unit),
                count(&buckets),
                count(&writes),
                state_text(account.state).to_owned(),
            ]);
            rows += 1;
        }
        if rows > 0 {
            for line in table.to_string().lines() {
                let line = self.with_coloured_state(line.trim_end());
                self.line(&line);
            }
        }
        for (count, most, what) in
            [(changes, MOST_CHANGES, "to change"), (refused, MOST_REFUSED, "refused or partly so")]
        {
            if count > most {
                let more = counted(count - most, "account");
                self.line(&format!(" … and {more} more {what}; --json lists all"));
            }
        }
        for (state, text) in [(PlannedState::Unchanged, "unchanged"), (PlannedState::Skipped, "skipped")] {
            let count = plan.accounts.iter().filter(|account| account.state == state).count();
            if count > 0 {
                self.line(&format!(" {} {text}", counted(count, "account")));
            }
        }
    }

    /// The state is the last word of a row.
    fn with_coloured_state(&self, line: &str) -> String {
        let Some((front, state)) = line.rsplit_once(' ') else { return line.to_owned() };
        let style = match state {
            "change" => colour(AnsiColor::Yellow),
            "refused" => red(),
            "partly" => colour(AnsiColor::Magenta),
            _ => return line.to_owned(),
        };
        format!("{front} {}", self.paint(style, state))
    }

    fn members(&mut self, plan: &Plan) {
        for account in &plan.accounts {
            let actions: Vec<&Action> =
                plan.actions_in(&account.id).filter(|_| account.id != plan.log_account).collect();
            if actions.is_empty() {
                continue;
            }
            self.heading(&format!("{} {}", account.id, printable(&account.name)));
            for action in actions {
                self.action(action, self.options.documents);
            }
        }
    }

    fn action(&mut self, action: &Action, documents: bool) {
        let (sign, style) = match sign_of(&action.write) {
            '+' => ("+", colour(AnsiColor::Green)),
            '-' => ("-", colour(AnsiColor::Red)),
            _ => ("~", colour(AnsiColor::Yellow)),
        };
        let sign = self.paint(style, sign);
        let line = format!(
            "  {sign} {:<36} {}  {}",
            action.write.operation(),
            action.write.target(),
            describe(&action.write)
        );
        self.line(&line);
        let Some((document, kind)) = action.write.document().filter(|_| documents) else { return };
        for line in diff::lines(document, kind) {
            let text = match line {
                Line::Kept(text) => format!("        {text}"),
                Line::Removed(text) => self.paint(colour(AnsiColor::Red), &format!("      - {text}")),
                Line::Added(text) => self.paint(colour(AnsiColor::Green), &format!("      + {text}")),
                Line::Gap => "        …".to_owned(),
            };
            self.line(&text);
        }
    }

    /// The findings, the gravest first; of one kind only so many as a reader takes in.
    fn findings(&mut self, findings: &[Finding]) {
        if findings.is_empty() {
            return;
        }
        self.heading("Found");
        let mut shown: BTreeMap<(Severity, FailureCode), usize> = BTreeMap::new();
        for (place, finding) in findings.iter().enumerate() {
            let kind = (finding.severity, finding.code);
            let most = match finding.severity {
                Severity::Stop | Severity::Refused => MOST_REFUSALS,
                Severity::Warning | Severity::Note => MOST_OTHERS,
            };
            let count = shown.entry(kind).or_default();
            *count += 1;
            if *count > most {
                // Findings are sorted, so that the last of a kind is followed by another kind.
                let is_last = findings.get(place + 1).is_none_or(|next| (next.severity, next.code) != kind);
                if is_last {
                    let more = *count - most;
                    self.line(&format!("          … and {more} more {}; --json lists all", finding.code));
                }
                continue;
            }
            let style = match finding.severity {
                Severity::Stop | Severity::Refused => red(),
                Severity::Warning => colour(AnsiColor::Yellow),
                Severity::Note => Style::new().dimmed(),
            };
            let severity = self.paint(style, finding.severity.as_str());
            let pad = " ".repeat(7usize.saturating_sub(finding.severity.as_str().len()));
            let account = finding.account.as_ref().map_or(String::new(), |account| format!("{account} "));
            self.line(&format!("  {severity}{pad} {} {account}{}", finding.code, printable(&finding.text)));
            if !finding.cure.is_empty() {
                self.line(&format!("          → {}", printable(&finding.cure)));
            }
        }
    }

    fn cost(&mut self, plan: &Plan) {
        if plan.cost.items.is_empty() {
            return;
        }
        self.heading("Cost a month, estimated");
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        for item in &plan.cost.items {
            table.add_row([
                item.name.clone(),
                format!("{:.2}", item.quantity),
                item.unit.clone(),
                format!("× ${}", item.price),
                format!("${:.2}", item.dollars_per_month),
            ]);
        }
        table.add_row([
            "total".to_owned(),
            String::new(),
            String::new(),
            String::new(),
            format!("${:.2}", plan.cost.dollars_per_month),
        ]);
        for place in [1, 4] {
            if let Some(column) = table.column_mut(place) {
                column.set_cell_alignment(comfy_table::CellAlignment::Right);
            }
        }
        for line in table.to_string().lines() {
            self.line(line);
        }
        for assumption in &plan.cost.assumptions {
            self.line(&format!("  assumed: {assumption}"));
        }
    }
}

/// Names come from others: what moves a terminal's cursor is not printed.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '·' } else { character }).collect()
}

fn state_text(state: PlannedState) -> &'static str {
    match state {
        PlannedState::Unchanged => "unchanged",
        PlannedState::Changes => "change",
        PlannedState::Refused => "refused",
        PlannedState::Partly => "partly",
        PlannedState::Skipped => "skipped",
    }
}

fn sign_of(write: &Write) -> char {
    match write {
        Write::CreateRole { .. } | Write::PutCanaryObject { .. } => '+',
        Write::DeleteBucketPolicy { .. }
        | Write::DeleteBucketReplication { .. }
        | Write::DeleteRolePolicy { .. }
        | Write::DeleteRole { .. } => '-',
        other => match other.document() {
            Some((document, _)) if document.before.is_none() => '+',
            _ => '~',
        },
    }
}

/// What the write does, in a few words.
fn describe(write: &Write) -> String {
    let carried = |names: &[String]| match names.len() {
        0 => String::new(),
        count => format!("; {count} of others unchanged"),
    };
    match write {
        Write::PutBucketVersioning { change, .. } => {
            format!("{} → {}", change.before.map_or("none", versioning), versioning(change.after))
        }
        Write::PutBucketOwnershipControls { change, .. } => {
            format!("{} → {}", change.before.map_or("none", ownership), ownership(change.after))
        }
        Write::PutPublicAccessBlock { change, .. } => {
            format!("{} → {}", change.before.map_or("none".to_owned(), blocked), blocked(change.after))
        }
        Write::PutBucketPolicy { document, .. } => format!("who may replicate{}", carried(&document.carried)),
        Write::PutKeyPolicy { document, .. } => {
            format!("who may encrypt replicas{}", carried(&document.carried))
        }
        Write::PutBucketLifecycleConfiguration { document, .. } => {
            format!("old versions go{}", carried(&document.carried))
        }
        Write::PutBucketNotificationConfiguration { document, .. } => {
            format!("the queue hears of new objects{}", carried(&document.carried))
        }
        Write::PutBucketReplication { stage, document, .. } => {
            let stage = match stage {
                ReplicationStage::Canary => "canary rule",
                ReplicationStage::Wide => "widen, once the canary was seen",
                ReplicationStage::Remove => "without our rules",
            };
            format!("{stage}{}", carried(&document.carried))
        }
        Write::DeleteBucketPolicy { .. } => "held our statements alone".to_owned(),
        Write::DeleteBucketReplication { .. } => "held our rules alone".to_owned(),
        Write::PutCanaryObject { key_prefix, destination, .. } => {
            format!("{key_prefix}…, to be seen in {destination}")
        }
        Write::CreateRole { .. } | Write::UpdateAssumeRolePolicy { .. } => "trusted by S3".to_owned(),
        Write::PutRolePolicy { policy_name, .. } | Write::DeleteRolePolicy { policy_name, .. } => {
            policy_name.clone()
        }
        Write::DeleteRole { .. } => String::new(),
    }
}

fn versioning(state: Versioning) -> &'static str {
    match state {
        Versioning::Unversioned => "unversioned",
        Versioning::Enabled => "versioned",
        Versioning::Suspended => "suspended",
    }
}

fn ownership(ownership: ObjectOwnership) -> &'static str {
    match ownership {
        ObjectOwnership::BucketOwnerEnforced => "BucketOwnerEnforced",
        ObjectOwnership::BucketOwnerPreferred => "BucketOwnerPreferred",
        ObjectOwnership::ObjectWriter => "ObjectWriter",
    }
}

fn blocked(block: PublicAccessBlock) -> String {
    if block == PublicAccessBlock::ALL {
        return "all blocked".to_owned();
    }
    let mut text = String::new();
    for (name, set) in [
        ("acls", block.block_public_acls),
        ("ignore acls", block.ignore_public_acls),
        ("policy", block.block_public_policy),
        ("restrict", block.restrict_public_buckets),
    ] {
        let separator = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{separator}{name} {}", if set { "on" } else { "off" });
    }
    text
}
