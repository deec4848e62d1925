//! A plan to be read: by people, and by programs.

mod diff;
mod human;
mod summary;

pub use self::human::human;
pub(crate) use self::human::printable;
pub use self::summary::Summary;
pub(crate) use self::summary::counted;

use super::Plan;
use comfy_table::{Table, presets};
use serde::Serialize;

/// How a plan is shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// See [`wants_colour`].
    pub colour: bool,
    /// Whether the documents of members are shown too; those of the log account always are.
    pub documents: bool,
}

/// Colours are for terminals, and for those who did not say no (<https://no-color.org>).
pub fn wants_colour(is_terminal: bool, no_color: Option<&str>) -> bool {
    is_terminal && no_color.is_none_or(str::is_empty)
}

/// A table without lines.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header);
    table
}

/// The plan with its summary first, as `--json` prints it.
///
/// # Errors
/// None that is known: plain data always serialises.
pub fn json(plan: &Plan) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct View<'a> {
        summary: Summary,
        #[serde(flatten)]
        plan: &'a Plan,
    }
    serde_json::to_string_pretty(&View { summary: Summary::of(plan), plan })
}
