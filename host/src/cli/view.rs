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
pub fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(header);
    for row in rows {
        table.add_row(row);
    }
    table
}
