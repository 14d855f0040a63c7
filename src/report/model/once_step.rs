//! One step that runs once: in the setup or in the teardown.

use crate::record::{PlannedRequest, PlannedScenario, ScenarioMeasurement, StepRecord};
use crate::units::format_duration;

use super::words;

/// What a report shows about one step of a setup or a teardown.
#[derive(Debug, Clone)]
pub(in crate::report) struct OnceStepView {
    /// When it ran: `setup` or `teardown`.
    pub(in crate::report) stage: &'static str,
    /// Name, safe to display.
    pub(in crate::report) name: String,
    /// Method and path.
    pub(in crate::report) line: String,
    /// Headers, expectations and other rules, one per line.
    pub(in crate::report) rules: Vec<String>,
    /// How long it took, with all its tries; empty if it was not sent.
    pub(in crate::report) took: String,
    /// How it ended: `ok`, `ok after 3 tries`, `unexpected status: 401 instead of status = 200`,
    /// `not run`.
    pub(in crate::report) outcome: String,
    /// Whether it ended well.
    pub(in crate::report) state: OnceStepState,
}

/// Whether a step of a setup or a teardown ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum OnceStepState {
    /// It met its expectations.
    Ok,
    /// It failed.
    Failed,
    /// It was never sent, or what it asks for does not exist.
    NotJudged,
}

impl OnceStepState {
    fn of(record: &StepRecord) -> Self {
        match &record.failed {
            None => Self::Ok,
            Some(failed) if failed.failure.is_not_judged() => Self::NotJudged,
            Some(_) => Self::Failed,
        }
    }
}

/// The steps of a scenario's setup and teardown, in order.
///
/// Several probers that shared a run each ran these steps; their outcomes follow one another.
pub(super) fn all(
    planned: Option<&PlannedScenario>,
    measured: Option<&ScenarioMeasurement>,
) -> Vec<OnceStepView> {
    let Some(planned) = planned else { return Vec::new() };
    let (setup, teardown) = measured
        .map(|measured| (measured.setup.as_slice(), measured.teardown.as_slice()))
        .unwrap_or_default();
    let of = |stage, plans: &[PlannedRequest], records: &[StepRecord]| {
        let own = plans.iter().filter(|plan| plan.hop_of.is_none());
        own.flat_map(|plan| views(stage, plan, records)).collect::<Vec<_>>()
    };
    let setup = of("setup", &planned.setup, setup);
    setup.into_iter().chain(of("teardown", &planned.teardown, teardown)).collect()
}

/// One view for each time that the step ran; one if it did not.
fn views(stage: &'static str, plan: &PlannedRequest, records: &[StepRecord]) -> Vec<OnceStepView> {
    let view = |record: Option<&StepRecord>| {
        let rules = [&plan.headers, &plan.expectations, &plan.terms].into_iter().flatten();
        OnceStepView {
            stage,
            name: words::name(&plan.name),
            line: words::display(&plan.line, words::LINE),
            rules: rules.map(|line| words::display(line, words::LINE)).collect(),
            took: record.filter(|record| record.tries > 0).map(took).unwrap_or_default(),
            outcome: record.map_or_else(|| "not run".to_owned(), outcome),
            state: match record {
                None => OnceStepState::NotJudged,
                Some(record) => OnceStepState::of(record),
            },
        }
    };
    let own: Vec<_> = records.iter().filter(|record| record.name == plan.name).collect();
    if own.is_empty() {
        return vec![view(None)];
    }
    own.into_iter().map(|record| view(Some(record))).collect()
}

fn took(record: &StepRecord) -> String {
    format_duration(record.took)
}

fn outcome(record: &StepRecord) -> String {
    let Some(failed) = &record.failed else {
        return match record.tries {
            0 | 1 => "ok".to_owned(),
            tries => format!("ok after {tries} tries"),
        };
    };
    let description = words::display(&failed.description(), words::LINE);
    if description.is_empty() {
        return failed.failure.description().to_owned();
    }
    format!("{}: {description}", failed.failure)
}
