//! The progress of a warm-up: one line on a terminal, and a few lines elsewhere.

use std::cell::Cell;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::log;
use crate::record::session::ExchangeSample;
use crate::units::{Rate, duration_literal, format_duration};

/// The time between two progress lines.
const LINE_PERIOD: Duration = Duration::from_secs(10);

/// Shows how far the warm-up of a scenario is.
pub(super) struct WarmingDisplay {
    scenario: String,
    /// The line on a terminal.
    line: Option<ProgressBar>,
    /// When the next progress line is due elsewhere.
    next: Cell<Duration>,
}

impl WarmingDisplay {
    /// A display for a scenario.
    pub(super) fn new(scenario: &str) -> Self {
        let is_drawn = log::shows_progress() && log::may_draw();
        let line = is_drawn.then(|| {
            let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
            let style = ProgressStyle::with_template("{spinner} {prefix:.bold}  {wide_msg}");
            line.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            line.set_prefix(scenario.to_owned());
            line.enable_steady_tick(Duration::from_millis(125));
            line
        });
        Self { scenario: scenario.to_owned(), line, next: Cell::new(LINE_PERIOD) }
    }

    /// The first requests are sent.
    pub(super) fn waits(&self, limit: Duration) {
        self.say(&format!("waiting up to {} for the first answer", duration_literal(limit)));
    }

    /// The curve begins.
    pub(super) fn follows(&self, rate: Rate, limit: Duration) {
        let limit = duration_literal(limit);
        self.say(&format!("answers; warming up at {rate} until it is steady, at most {limit}"));
    }

    /// These samples of the curve are settled.
    pub(super) fn shows(&self, samples: &[ExchangeSample]) {
        let Some(last) = samples.last() else { return };
        let is_failed = |sample: &&ExchangeSample| sample.failure.is_some();
        let text = format!(
            "{}s  {} requests, {} failed, the last one {}",
            last.due.as_secs(),
            samples.len(),
            samples.iter().filter(is_failed).count(),
            format_duration(last.latency)
        );
        if let Some(line) = &self.line {
            line.set_message(text);
        } else if last.due >= self.next.get() {
            self.next.set(last.due + LINE_PERIOD);
            self.say(&text);
        }
    }

    fn say(&self, text: &str) {
        if let Some(line) = &self.line {
            line.set_message(text.to_owned());
        } else {
            tracing::info!(scenario = self.scenario, "{}: {text}", self.scenario);
        }
    }
}

impl Drop for WarmingDisplay {
    fn drop(&mut self) {
        if let Some(line) = &self.line {
            line.finish_and_clear();
        }
    }
}
