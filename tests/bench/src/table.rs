//! Rows, for people and for programs.

use serde_json::{Value, json};
use std::fmt::Write;

/// One measurement.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) events_per_s: f64,
    pub(crate) mb_per_s: f64,
    /// Of rows that compare a parser with its native self: native speed, the ratio, and the speed with the answer's check.
    pub(crate) native: Option<Native>,
}

/// What a parser's row compares with.
pub(crate) struct Native {
    pub(crate) mb_per_s: f64,
    /// The median of the rounds' own ratios.
    pub(crate) ratio: f64,
    pub(crate) checked_mb_per_s: f64,
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

impl Row {
    pub(crate) fn to_json(&self) -> Value {
        let native = self.native.as_ref();
        json!({
            "name": self.name,
            "events_per_s": rounded(self.events_per_s, 0),
            "mb_per_s": rounded(self.mb_per_s, 1),
            "native_mb_per_s": native.map(|native| rounded(native.mb_per_s, 1)),
            "ratio": native.map(|native| rounded(native.ratio, 3)),
            "checked_mb_per_s": native.map(|native| rounded(native.checked_mb_per_s, 1)),
        })
    }
}

/// The rows as an aligned table, and the middle and the least of the ratios.
pub(crate) fn text(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or_default().max(4);
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "{:width$}  {:>11}  {:>7}  {:>7}  {:>6}  {:>8}",
        "", "events/s", "MB/s", "native", "ratio", "checked"
    );
    for row in rows {
        let _ = write!(out, "{:width$}  {:>11.0}  {:>7.1}", row.name, row.events_per_s, row.mb_per_s);
        if let Some(native) = &row.native {
            let _ = write!(
                out,
                "  {:>7.1}  {:>6.2}  {:>8.1}",
                native.mb_per_s, native.ratio, native.checked_mb_per_s
            );
        }
        out.push('\n');
    }
    let ratios: Vec<f64> =
        rows.iter().filter_map(|row| row.native.as_ref()).map(|native| native.ratio).collect();
    if !ratios.is_empty() {
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let _ =
            writeln!(out, "sandbox/native: median {:.2}, least {least:.2}", crate::measure::median(ratios));
    }
    out
}
