//! Progress bars, on stderr if that is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// The interval at which the bar is redrawn.
const TICK: Duration = Duration::from_millis(100);

/// Starts a bar for `len` steps, labeled `what`.
pub(crate) fn bar(len: usize, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(len).unwrap_or(u64::MAX));
    let template = "{msg} {wide_bar} {human_pos} of {human_len}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar.enable_steady_tick(TICK);
    bar
}
