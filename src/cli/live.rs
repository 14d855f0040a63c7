//! What is seen and kept of a run while it goes on.

use std::error::Error;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::console::Console;
use crate::engine::{Flow, Observer, Progress, ScenarioProgress};
use crate::record::Interval;
use crate::store::RunFolder;
use crate::units::{Quantile, show};
use crate::verdict::Breaker;

/// Keeps each settled interval, shows progress, and ends the run when the target is clearly down.
pub(super) struct Live {
    pub(super) folder: RunFolder,
    breaker: Breaker,
    display: Display,
    console: Console,
}

enum Display {
    Bars(Vec<ProgressBar>),
    Lines { next: Duration },
    Nothing,
}

/// How often a plain line is printed.
const LINE_EVERY: Duration = Duration::from_secs(5);

impl Live {
    /// Progress of scenarios with these names and durations: bars on a terminal, lines elsewhere.
    pub(super) fn new(folder: RunFolder, console: Console, scenarios: &[(String, Duration)]) -> Self {
        let display = match (console.quiet, std::io::stderr().is_terminal()) {
            (true, _) => Display::Nothing,
            (false, false) => Display::Lines { next: LINE_EVERY },
            (false, true) => Display::bars(scenarios),
        };
        Self { folder, breaker: Breaker::default(), display, console }
    }

    /// Takes the bars off the screen; the verdict takes their place.
    pub(super) fn clear(&self) {
        if let Display::Bars(bars) = &self.display {
            bars.iter().for_each(ProgressBar::finish_and_clear);
        }
    }
}

impl Observer for Live {
    fn settled(&mut self, interval: &Interval) -> Result<Flow, Box<dyn Error + Send + Sync>> {
        self.folder.add(interval)?;
        Ok(self.breaker.settled(interval).map_or(Flow::Continue, Flow::Stop))
    }

    fn progress(&mut self, progress: &Progress) {
        match &mut self.display {
            Display::Nothing => {}
            Display::Bars(bars) => {
                for (bar, scenario) in bars.iter().zip(&progress.scenarios) {
                    bar.set_position(millis(progress.measured.unwrap_or_default().min(scenario.duration)));
                    bar.set_message(line(progress.measured, scenario));
                }
            }
            Display::Lines { next } => {
                if progress.measured.is_some_and(|measured| measured >= *next) {
                    *next += LINE_EVERY;
                    for scenario in &progress.scenarios {
                        self.console.say(&format!(
                            "{}  {}",
                            scenario.name,
                            line(progress.measured, scenario)
                        ));
                    }
                }
            }
        }
    }
}

impl Display {
    fn bars(scenarios: &[(String, Duration)]) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8));
        let width = scenarios.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let style = ProgressStyle::with_template("{prefix:.bold} {bar:16.cyan/dim} {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━━─");
        let bar = |(name, duration): &(String, Duration)| {
            let bar = all.add(ProgressBar::new(millis(*duration)));
            bar.set_style(style.clone());
            bar.set_prefix(format!("{name:width$}"));
            bar.set_message("warming up");
            bar
        };
        Self::Bars(scenarios.iter().map(bar).collect())
    }
}

fn line(measured: Option<Duration>, scenario: &ScenarioProgress) -> String {
    let Some(measured) = measured else { return "warming up".to_owned() };
    let elapsed = measured.min(scenario.duration);
    let rate = scenario.released as f64 / elapsed.as_secs_f64().max(1.0);
    let mut line = format!(
        "{}/{}s  {rate:.0}/s  {} in flight",
        elapsed.as_secs(),
        scenario.duration.as_secs(),
        scenario.in_flight
    );
    for quantile in [Quantile::P50, Quantile::P95, Quantile::P99] {
        let value = scenario.latency.quantile(quantile).map_or("–".to_owned(), show);
        // Writing to a string cannot fail.
        let _infallible = write!(line, "  {quantile} {value}");
    }
    format!("{line}  {} of {} failed", scenario.failed, scenario.done)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
