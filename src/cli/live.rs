//! Observes a run: keeps its intervals, shows progress, and ends it if the target is down or the
//! verdict is proven.

use std::error::Error;
use std::time::Duration;

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::log::{self, PROGRAMS_ONLY};
use super::rendezvous::LinkEnds;
use crate::engine::{Continuation, Observer, OnceStage, RunProgress, ScenarioProgress};
use crate::plan::{Plan, ScenarioPlan};
use crate::record::{EarlyEnd, Interval, RunEnding};
use crate::store::RunFolder;
use crate::units::{Quantile, format_duration};
use crate::verdict::{CircuitBreaker, EarlyEndWatch, RunTimelines};

/// Keeps each settled interval, shows progress, and ends the run when the target is clearly down or
/// the verdict is proven.
pub(super) struct LiveObserver {
    pub(super) folder: RunFolder,
    /// When exceedances occurred, for the verdict.
    pub(super) timelines: RunTimelines,
    breaker: CircuitBreaker,
    early: EarlyEndWatch,
    /// Where the end of the whole run is announced, if this prober decides it for others too.
    announcer: Option<LinkEnds>,
    display: ProgressDisplay,
    /// Whether the measured stage has begun.
    measuring: bool,
}

enum ProgressDisplay {
    Bars(Vec<ProgressBar>),
    Lines { next: Duration },
    Nothing,
}

/// Width of a bar in columns. The template in `bars` repeats it.
const BAR_COLUMNS: usize = 16;

/// The time between two progress lines.
const LINE_PERIOD: Duration = Duration::from_secs(5);

impl LiveObserver {
    /// Shows progress as bars on a terminal and as lines elsewhere.
    pub(super) fn new(folder: RunFolder, plan: &Plan, announcer: Option<LinkEnds>) -> Self {
        let display = match (log::shows_progress(), log::may_draw()) {
            (false, _) => ProgressDisplay::Nothing,
            (true, false) => ProgressDisplay::Lines { next: LINE_PERIOD },
            (true, true) => ProgressDisplay::bars(plan),
        };
        let breaker = CircuitBreaker::of(plan.scenarios.iter().map(|scenario| &scenario.shown));
        Self {
            folder,
            timelines: RunTimelines::default(),
            breaker,
            early: early_end_watch(plan, announcer.is_some()),
            announcer,
            display,
            measuring: false,
        }
    }

    /// Removes the bars from the screen. The verdict takes their place.
    pub(super) fn clear(&self) {
        if let ProgressDisplay::Bars(bars) = &self.display {
            bars.iter().for_each(ProgressBar::finish_and_clear);
        }
    }

    fn announce(&mut self, how: RunEnding) {
        if let Some(announcer) = self.announcer.take() {
            announcer.announce(how);
        }
    }
}

impl Observer for LiveObserver {
    fn settled(
        &mut self,
        interval: &Interval,
    ) -> Result<Continuation, Box<dyn Error + Send + Sync>> {
        self.folder.add(interval)?;
        self.timelines.add(interval);
        tracing::debug!(
            target: PROGRAMS_ONLY,
            scenario = interval.scenario,
            request = interval.request,
            stage = interval.stage.name(),
            second = interval.start.as_secs(),
            ok = interval.tally.ok,
            failed = interval.tally.failed(),
            "settled"
        );
        if let Some(why) = self.breaker.observe(interval) {
            tracing::warn!(target: PROGRAMS_ONLY, scenario = interval.scenario, "the target is down: {why}");
            self.announce(RunEnding::TargetDown(why.clone()));
            return Ok(Continuation::TargetDown(why));
        }
        let early = self.early.observe(interval, &self.timelines);
        Ok(early.map_or(Continuation::Continue, |early| {
            log_early_end(&early);
            self.announce(RunEnding::ProvenEarly(early.clone()));
            Continuation::ProvenEarly(early)
        }))
    }

    fn progress(&mut self, progress: &RunProgress) {
        if !self.measuring && progress.measured.is_some() {
            self.measuring = true;
            tracing::info!(target: PROGRAMS_ONLY, "warm-up done; measuring");
        }
        match &mut self.display {
            ProgressDisplay::Nothing => {}
            ProgressDisplay::Bars(bars) => {
                for (bar, scenario) in bars.iter().zip(&progress.scenarios) {
                    bar.set_position(millis(
                        progress.measured.unwrap_or_default().min(scenario.duration),
                    ));
                    let occupied = bar.prefix().chars().count() + BAR_COLUMNS + 2;
                    let width = usize::from(Term::stderr().size().1).saturating_sub(occupied);
                    bar.set_message(progress_line(progress.measured, scenario, width));
                }
            }
            ProgressDisplay::Lines { next } => {
                if progress.measured.is_some_and(|measured| measured >= *next) {
                    *next += LINE_PERIOD;
                    progress
                        .scenarios
                        .iter()
                        .for_each(|scenario| log_progress(progress.measured, scenario));
                }
            }
        }
    }

    fn runs_once(&mut self, stage: OnceStage, scenario: &str, step: &str) {
        let line = once_line(stage, step);
        match &self.display {
            ProgressDisplay::Nothing => {
                tracing::info!(target: PROGRAMS_ONLY, scenario, step, "{line}");
            }
            ProgressDisplay::Bars(bars) => {
                let own = bars.iter().filter(|bar| bar.prefix().trim_end() == scenario);
                own.for_each(|bar| bar.set_message(line.clone()));
            }
            ProgressDisplay::Lines { .. } => tracing::info!(scenario, step, "{scenario}  {line}"),
        }
    }
}

/// Watches for evidence that ends the run, as far as every scenario allows that.
///
/// A shard ends early only by a breach, and only if it decides for all: each prober that decided
/// would err with the stated rate.
fn early_end_watch(plan: &Plan, decides: bool) -> EarlyEndWatch {
    let is_shard = plan.shard_plan.is_some();
    if is_shard && !decides {
        return EarlyEndWatch::default();
    }
    let durations = plan.scenarios.iter().map(|scenario| scenario.load.duration());
    let shown = plan.scenarios.iter().map(|scenario| &scenario.shown);
    let watch = EarlyEndWatch::new(shown, &plan.empty_measurement(), durations);
    if is_shard { watch.for_breaches() } else { watch }
}

fn log_early_end(early: &EarlyEnd) {
    let (after_s, planned_s) = (early.after.as_secs_f64(), early.planned.as_secs_f64());
    tracing::info!(target: PROGRAMS_ONLY, after_s, planned_s, "the run {}", early.words());
}

/// `setting up: log in`.
fn once_line(stage: OnceStage, step: &str) -> String {
    let doing = match stage {
        OnceStage::Setup => "setting up",
        OnceStage::Teardown => "tearing down",
    };
    format!("{doing}: {step}")
}

/// Logs the progress of a scenario.
fn log_progress(measured: Option<Duration>, scenario: &ScenarioProgress) {
    let millis = |quantile| {
        scenario.latency.quantile(quantile).map(|latency| latency.as_micros() as f64 / 1e3)
    };
    tracing::info!(
        scenario = scenario.name,
        measured_s = measured.unwrap_or_default().min(scenario.duration).as_secs(),
        planned_s = scenario.duration.as_secs(),
        released = scenario.released,
        done = scenario.done,
        failed = scenario.failed,
        in_flight = scenario.in_flight,
        p50_ms = millis(Quantile::P50),
        p95_ms = millis(Quantile::P95),
        "{}  {}",
        scenario.name,
        progress_line(measured, scenario, usize::MAX)
    );
}

impl ProgressDisplay {
    fn bars(plan: &Plan) -> Self {
        let names = plan.scenarios.iter().map(|scenario| scenario.shown.name.as_str());
        let width = names.map(|name| name.chars().count()).max().unwrap_or(0);
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8));
        let style = ProgressStyle::with_template("{prefix:.bold} {bar:16.cyan/dim} {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━━─");
        let bar = |scenario: &ScenarioPlan| {
            let bar = all.add(ProgressBar::new(millis(scenario.load.duration())));
            bar.set_style(style.clone());
            bar.set_prefix(format!("{:width$}", scenario.shown.name));
            bar.set_message("warming up");
            bar
        };
        Self::Bars(plan.scenarios.iter().map(bar).collect())
    }
}

/// Progress in one line of at most `width` columns. Drops whole fields, the least important first.
fn progress_line(measured: Option<Duration>, scenario: &ScenarioProgress, width: usize) -> String {
    let Some(measured) = measured else { return "warming up".to_owned() };
    let elapsed = measured.min(scenario.duration);
    let rate = scenario.released as f64 / elapsed.as_secs_f64().max(0.2);
    let quantile = |quantile| {
        let value = scenario.latency.quantile(quantile).map_or("–".to_owned(), format_duration);
        format!("{quantile} {value}")
    };
    let mut fields = vec![
        (0, format!("{}/{}s", elapsed.as_secs(), scenario.duration.as_secs())),
        (3, format!("{rate:.0}/s")),
        (4, format!("{} in flight", scenario.in_flight)),
        (6, quantile(Quantile::P50)),
        (2, quantile(Quantile::P95)),
        (5, quantile(Quantile::P99)),
        (1, format!("{} of {} failed", scenario.failed, scenario.done)),
    ];
    let text = |fields: &[(u8, String)]| {
        fields.iter().map(|(_, field)| field.as_str()).collect::<Vec<_>>().join("  ")
    };
    for least in (1..=6).rev() {
        if text(&fields).chars().count() <= width {
            break;
        }
        fields.retain(|(rank, _)| *rank != least);
    }
    text(&fields)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Histogram;

    #[test]
    fn a_narrow_terminal_drops_whole_fields_and_keeps_failures_longest() {
        let mut latency = Histogram::default();
        latency.record(Duration::from_millis(498));
        let scenario = ScenarioProgress {
            name: "s".to_owned(),
            duration: Duration::from_secs(40),
            planned: None,
            released: 920,
            done: 900,
            failed: 3,
            in_flight: 20,
            latency,
        };
        let at = |width| progress_line(Some(Duration::from_secs(38)), &scenario, width);
        assert_eq!(
            at(200),
            "38/40s  24/s  20 in flight  p50 498 ms  p95 498 ms  p99 498 ms  3 of 900 failed"
        );
        assert_eq!(at(60), "38/40s  24/s  20 in flight  p95 498 ms  3 of 900 failed");
        assert_eq!(at(30), "38/40s  3 of 900 failed");
        assert_eq!(at(3), "38/40s");
    }
}
