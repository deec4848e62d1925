//! What a person sees: tables, errors with their causes.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};

/// Of one cause of an error a person reads this much; some libraries quote whole files.
const CAUSE_CHARACTERS: usize = 600;

/// Whether standard error may have colours.
pub(super) fn is_coloured() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Text that cannot steer the terminal: log lines and keys come from others. Line breaks and tabs stay if asked for.
pub(super) fn printable(text: &str, line_breaks: bool) -> Cow<'_, str> {
    // Besides control characters those that turn the writing direction round.
    let steers = |c: char| {
        c.is_control() && !(line_breaks && matches!(c, '\n' | '\t'))
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if steers(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// A line on standard error. Where nobody reads it (`2>&1 | head`) it is lost, which is no reason to fail.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// An error, its causes, each on a line of its own.
pub(super) fn print_error(error: &anyhow::Error) {
    let (red, plain) = if is_coloured() { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
    say(&format!("{red}error{plain}: {}", printable(&error.to_string(), true)));
    let mut last = error.to_string();
    for cause in error.chain().skip(1) {
        let text = cause.to_string();
        // Transparent wrappers say the same twice.
        if text != last {
            let shown = match text.char_indices().nth(CAUSE_CHARACTERS) {
                Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
                None => text.clone(),
            };
            say(&format!("  caused by: {}", printable(&shown, true)));
        }
        last = text;
    }
}

/// A table with a header and aligned columns, fit for a terminal and for a pipe.
pub(super) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(header);
    for row in rows {
        table.add_row(row.map(|cell| printable(&cell, false).into_owned()));
    }
    table
}

/// The totals as the two equations that they are.
pub(super) fn totals(totals: &crate::ledger::Totals) -> String {
    let t = totals;
    let balance = if t.unexplained == 0 {
        "nothing unexplained".to_owned()
    } else {
        format!("{} UNEXPLAINED", t.unexplained)
    };
    format!(
        "{} objects, {} read\n{} frames = {} parsed + {} skipped + {} quarantined + {} waiting + {} unrouted\n\
         {} events = {} indexed ({} of them again) + {} archived only + {} reduced + {} dead-lettered\n{balance}",
        t.objects,
        indicatif::HumanBytes(t.bytes),
        t.frames,
        t.parsed,
        t.skipped,
        t.quarantined,
        t.waiting,
        t.unrouted,
        t.events,
        t.indexed,
        t.duplicates,
        t.archived_only,
        t.reduced,
        t.dead_lettered,
    )
}

/// The end of a long text: of a key, that is the telling part.
pub(super) fn shorten_left(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width {
        text.to_owned()
    } else {
        format!("…{}", text.chars().skip(count + 1 - width).collect::<String>())
    }
}

/// A bar of a chart: up to 40 blocks.
pub(super) fn bar(count: u64, most: u64) -> String {
    "█".repeat((count * 40).checked_div(most).unwrap_or(0) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_log_steers_the_terminal() {
        assert_eq!(printable("a\u{1b}[31mred\u{7}\u{9b}2J", false), "a\\u{1b}[31mred\\u{7}\\u{9b}2J");
        assert_eq!(printable("evil\u{202e}gnp.exe", false), "evil\\u{202e}gnp.exe");
        assert_eq!(printable("two\nlines", false), "two\\nlines");
        assert_eq!(printable("two\nlines\t\r", true), "two\nlines\t\\r");
        assert!(matches!(printable("käse ☃", false), Cow::Borrowed(_)));
        let drawn = table(["user"], [["\u{1b}]0;title\u{7}".to_owned()]]).to_string();
        assert!(!drawn.contains('\u{1b}') && drawn.contains("title"), "{drawn:?}");
    }
}
