//! What a person sees while it runs: one bar on a terminal, nothing in a pipe.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// A bar, or nothing.
#[derive(Clone, Debug)]
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// A bar on standard error, if that is a terminal and `wanted`.
    pub fn on_terminal(wanted: bool) -> Self {
        if !wanted || !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::new(0);
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(Some(bar))
    }

    /// No bar.
    pub fn hidden() -> Self {
        Self(None)
    }

    /// A stage of `total` pieces begins.
    pub fn begin(&self, stage: &str, total: usize) {
        let Some(bar) = &self.0 else { return };
        bar.reset();
        bar.set_length(total as u64);
        let template = if total == 0 {
            "{spinner} {prefix} {msg}"
        } else {
            "{spinner} {prefix} [{bar:30}] {pos}/{len} {msg}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("█▌ "));
        }
        bar.set_prefix(stage.to_owned());
        bar.set_message("");
    }

    /// One piece is done; `what` is shown beside the bar.
    pub fn advance(&self, what: &str) {
        if let Some(bar) = &self.0 {
            bar.inc(1);
            bar.set_message(what.to_owned());
        }
    }

    /// What is being done.
    pub fn say(&self, what: &str) {
        if let Some(bar) = &self.0 {
            bar.set_message(what.to_owned());
        }
    }

    /// The bar goes, and leaves nothing behind.
    pub fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
