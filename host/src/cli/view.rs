//! What a person sees: tables, errors with their causes.

use std::io::IsTerminal;

/// An error, its causes, each on a line of its own.
pub fn print_error(error: &anyhow::Error) {
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

/// A table with a header and aligned columns, fit for a terminal and for a pipe.
pub fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(header);
    for row in rows {
        table.add_row(row);
    }
    table
}

/// The totals as the two equations that they are.
pub fn totals(totals: &crate::ledger::Totals) -> String {
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
pub fn shorten_left(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width {
        text.to_owned()
    } else {
        format!("…{}", text.chars().skip(count + 1 - width).collect::<String>())
    }
}

/// A bar of a chart: up to 40 blocks.
pub fn bar(count: u64, most: u64) -> String {
    "█".repeat((count * 40).checked_div(most).unwrap_or(0) as usize)
}
