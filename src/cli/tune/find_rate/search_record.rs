//! What a search prints: its heading, a line for each step, and the whole of it as JSON.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use uuid::Uuid;

use super::step_run::MeasuredStep;
use crate::plan::Plan;
use crate::record::{Decision, micros};
use crate::tune::rate_search::{RateInterval, SearchBounds, SearchStep, StepPurpose};
use crate::units::{Rate, duration_literal, format_duration};

/// A search as JSON.
#[derive(Debug, Serialize)]
pub(super) struct SearchRecord {
    /// The id of the search, which is the tag `search` of its runs.
    pub(super) search: Uuid,
    scenario: String,
    lowest: Rate,
    limit: Rate,
    step_us: u64,
    resolution: f64,
    /// The largest number of steps. Each verdict has this part of the error rate of 5 %.
    most_steps: usize,
    steps: Vec<StepRecord>,
    /// The answer; `None` while the search goes on.
    #[serde(flatten)]
    pub(super) interval: Option<RateInterval>,
}

/// One measurement as JSON.
#[derive(Debug, Serialize)]
struct StepRecord {
    step: usize,
    rate: Rate,
    purpose: StepPurpose,
    /// Whether its verdict counts the evidence of the measurement before it too.
    continues: bool,
    decision: Decision,
    reason: String,
    p95_us: Option<u64>,
    run: String,
    folder: PathBuf,
}

impl SearchRecord {
    /// A search that has measured nothing yet.
    pub(super) fn new(search: Uuid, plan: &Plan, bounds: SearchBounds) -> Self {
        let names = plan.scenarios.iter().map(|scenario| scenario.shown.name.clone());
        Self {
            search,
            scenario: names.collect::<Vec<_>>().join(", "),
            lowest: bounds.lowest(),
            limit: bounds.limit(),
            step_us: micros::whole(bounds.step()),
            resolution: bounds.resolution(),
            most_steps: bounds.most_steps(),
            steps: Vec::new(),
            interval: None,
        }
    }

    /// What the search will do.
    pub(super) fn heading(&self) -> String {
        let step = Duration::from_micros(self.step_us);
        let steps = u32::try_from(self.most_steps).unwrap_or(u32::MAX);
        format!(
            "{}: the largest rate within budget, from {} to at most {}\n\
             up to {steps} steps of {}, about {} in total; a step that is inconclusive takes three \
             times as long\n",
            self.scenario,
            self.lowest,
            self.limit,
            duration_literal(step),
            format_duration(step.saturating_mul(steps)),
        )
    }

    /// Adds a measurement.
    pub(super) fn add(&mut self, step: &SearchStep, measured: &MeasuredStep) {
        self.steps.push(StepRecord {
            step: step.number,
            rate: step.rate,
            purpose: step.purpose,
            continues: step.continues,
            decision: measured.decision,
            reason: measured.reason.clone(),
            p95_us: measured.p95().map(micros::whole),
            run: measured.run.record.name(),
            folder: measured.run.folder.clone(),
        });
    }
}

/// A measurement in one line: `3  29.9/s  pass  p95 41 ms`.
pub(super) fn step_line(step: &SearchStep, measured: &MeasuredStep) -> String {
    const MAX_REASON: usize = 160;
    let number = match (step.continues, step.purpose) {
        (true, _) => "longer".to_owned(),
        (false, StepPurpose::Confirm) => "again".to_owned(),
        (false, _) => step.number.to_string(),
    };
    let p95 = measured.p95().map_or_else(|| "-".to_owned(), format_duration);
    let decision = measured.decision.name();
    let mut reason: String = measured.reason.chars().take(MAX_REASON).collect();
    if reason.len() < measured.reason.len() {
        reason.push('…');
    }
    let line = format!(
        "{number:>6}  {:>9}  {decision:<12}  p95 {p95:<8}  {reason}",
        step.rate.to_string()
    );
    line.replace(char::is_control, " ").trim_end().to_owned()
}
