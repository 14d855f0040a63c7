//! The earlier runs that make a baseline, and the limits that follow from them.

use std::time::Duration;

use uuid::Uuid;

use super::estimate::{BaselineEstimate, RunDurations};
use crate::record::{
    BaselineLimit, BaselineWindow, Budget, Decision, ENVIRONMENT_TAG, IMPORTED_TAG, LearnedLimit,
    PlannedRequest, PlannedScenario, QuantileChange, RequestMeasurement, RunEnding, RunRecord,
    ScenarioVerdict, VerdictReason, without_length,
};
use crate::units::Quantile;
use crate::verdict::binomial::ErrorRate;

/// The earlier runs of one scenario that make its baseline, in the order of the window.
#[derive(Debug)]
pub struct BaselineRuns {
    planned: PlannedScenario,
    environment: Option<String>,
    window: BaselineWindow,
    /// What the HTTP version begins with that the plan asks for; empty for any.
    version: String,
    protocols: Vec<String>,
    runs: Vec<(Uuid, Vec<RequestMeasurement>)>,
}

/// Where runs were searched, for the reason why there are too few.
#[derive(Debug, Clone, Copy)]
pub struct HistoryWords<'a> {
    /// Where runs were searched, as the end of a sentence: `in reports/runs`.
    pub place: &'a str,
    /// Why some of them could not be read; `None` if all could.
    pub unreadable: Option<&'a str>,
}

impl BaselineRuns {
    /// The runs for a planned scenario, still none. `version` is the HTTP version that the plan
    /// asks for, such as `HTTP/2`; empty if the target chooses.
    pub fn new(
        planned: &PlannedScenario,
        (environment, version): (Option<&str>, &str),
        window: BaselineWindow,
    ) -> Self {
        Self {
            planned: planned.clone(),
            environment: environment.map(str::to_owned),
            window,
            version: version.to_owned(),
            protocols: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// Whether another run can still matter.
    pub fn needs_more(&self) -> bool {
        self.runs.len() < self.window.runs as usize
    }

    /// Adds the next run of the window, if it may be a part of the baseline.
    ///
    /// It may be if its scenario passed, with the same connections, load and warm-up, in the same
    /// environment. Only the length of the load may differ. Budgets that had no limit for want of
    /// history do not count against it, or no scenario would ever get a first baseline. Imported
    /// runs, shards and duets are never a part.
    pub fn add(&mut self, run: &RunRecord) {
        let is_early = self.window.since.is_some_and(|since| run.provenance.started < since);
        if is_early || !self.needs_more() || !self.is_like(run) {
            return;
        }
        let mut measured = run.measurement.scenarios.iter();
        let Some(measured) = measured.find(|measured| measured.name == self.planned.name) else {
            return;
        };
        if !measured.protocols.iter().all(|protocol| protocol.starts_with(&self.version)) {
            return;
        }
        // What the target chooses may change: all runs have to agree with the first.
        if self.runs.is_empty() {
            self.protocols.clone_from(&measured.protocols);
        }
        if self.protocols == measured.protocols {
            self.runs.push((run.id, measured.requests.clone()));
        }
    }

    fn is_like(&self, run: &RunRecord) -> bool {
        let Some(planned) = run.planned(&self.planned.name) else { return false };
        let tags = &run.provenance.tags;
        let sharing = run.measurement.sharing.as_ref();
        let is_part = sharing.is_some_and(|sharing| sharing.is_part(run.id));
        let is_foreign = tags.contains_key(IMPORTED_TAG)
            || matches!(run.measurement.ending, RunEnding::Imported(_));
        // Another environment has a latency of its own.
        let is_same = tags.get(ENVIRONMENT_TAG) == self.environment.as_ref()
            && without_length(&planned.load) == without_length(&self.planned.load)
            && planned.warmup == self.planned.warmup
            && planned.duet.is_none();
        let mut verdicts = run.verdict.scenarios.iter();
        let verdict = verdicts.find(|verdict| verdict.scenario == planned.name);
        is_same && !is_part && !is_foreign && verdict.is_some_and(has_passed)
    }

    /// What the runs make of a budget; `None` if it is not relative. `tested` is the number of
    /// tested budgets of the whole run, which share the error rate of a fail.
    pub fn limit(
        &self,
        request: &PlannedRequest,
        budget: Budget,
        (tested, history): (usize, HistoryWords<'_>),
    ) -> Option<BaselineLimit> {
        let Budget::Relative { quantile, dimension, .. } = budget else { return None };
        let runs: Vec<_> = self
            .runs
            .iter()
            .filter_map(|(id, requests)| {
                let request = requests.iter().find(|measured| measured.name == request.name)?;
                let durations = RunDurations::of(request, dimension)?;
                (durations.successes.count() > 0).then_some((*id, durations))
            })
            .collect();
        let (ids, durations): (Vec<_>, Vec<_>) = runs.into_iter().unzip();
        let exchanges = durations.iter().map(RunDurations::exchanges).sum();
        let found = shortfall((ids.len(), exchanges), quantile, history)
            .map_or_else(|| learn(&durations, budget, tested), Err);
        let (learned, obstacle) = match found {
            Ok(learned) => (Some(unlike_others(learned, request)), None),
            Err(obstacle) => (None, Some(obstacle)),
        };
        Some(BaselineLimit { written: budget, runs: ids, exchanges, learned, obstacle })
    }
}

/// A limit that no other budget of the request has: limits are found by their budget, and a fixed
/// ceiling next to a relative one must be judged as it is.
fn unlike_others(mut learned: LearnedLimit, request: &PlannedRequest) -> LearnedLimit {
    while request.budgets.contains(&learned.budget) {
        let Budget::Quantile { ceiling, .. } = &mut learned.budget else { break };
        *ceiling += Duration::from_micros(1);
        learned.high = learned.high.max(*ceiling);
    }
    learned
}

/// What the runs lack; `None` if they are enough.
fn shortfall(
    (runs, exchanges): (usize, u64),
    quantile: Quantile,
    history: HistoryWords<'_>,
) -> Option<VerdictReason> {
    let (fewest, needed) =
        (BaselineWindow::FEWEST as usize, QuantileChange::exchanges_for(quantile));
    let HistoryWords { place, unreadable } = history;
    let unread = unreadable.map(|why| format!("; runs could not be read: {why}"));
    let unread = unread.unwrap_or_default();
    if runs < fewest {
        let found = if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") };
        let are = if runs == 1 { "is" } else { "are" };
        return Some(VerdictReason {
            what: format!(
                "no limit yet: a baseline needs {fewest} passing runs, and {found} of this \
                 scenario, environment and load {are} {place}{unread}"
            ),
            next: format!(
                "keep runs {place} until there are {fewest}: a run that holds everything else \
                 counts; until then a fixed budget such as `{quantile} < 300ms` can decide"
            ),
        });
    }
    (exchanges < needed).then(|| VerdictReason {
        what: format!("no limit yet: the {runs} runs of the baseline have {exchanges} requests, and {quantile} needs {needed}"),
        next: "measure for longer, write a larger `runs` in `[baseline]`, or judge a lower quantile".to_owned(),
    })
}

/// Whether a run holds what could be decided.
fn has_passed(verdict: &ScenarioVerdict) -> bool {
    verdict.decision == Decision::Pass || verdict.without_limits == Some(Decision::Pass)
}

/// The limit of a budget by these runs.
pub(super) fn learn(
    runs: &[RunDurations],
    budget: Budget,
    tested: usize,
) -> Result<LearnedLimit, VerdictReason> {
    let unknown = || VerdictReason {
        what: "no limit: the quantile of the baseline falls among its failures".to_owned(),
        next: "write an `errors` budget, so that runs with failures do not pass".to_owned(),
    };
    let Budget::Relative { quantile, dimension, margin } = budget else { return Err(unknown()) };
    let estimate = BaselineEstimate::of(runs, quantile).ok_or_else(unknown)?;
    let half = ErrorRate::STATED.shared_by(2).as_f64();
    let to_fail = ErrorRate::STATED.shared_by(2 * tested.max(1)).as_f64();
    let ceiling = in_three_digits(margin.above(estimate.quantile));
    Ok(LearnedLimit {
        budget: Budget::Quantile { quantile, dimension, ceiling },
        baseline: estimate.quantile,
        low: whole_micros(margin.above(estimate.low(half))).min(ceiling),
        high: whole_micros(margin.above(estimate.high(to_fail))).max(ceiling),
    })
}

/// A limit as people write one, at least 1 µs: what is beyond three digits is far within its range.
fn in_three_digits(limit: Duration) -> Duration {
    let micros = whole_micros(limit).as_micros();
    let mut unit = 1;
    while micros / unit >= 1_000 {
        unit *= 10;
    }
    let rounded = (micros + unit / 2) / unit * unit;
    Duration::from_micros(u64::try_from(rounded).unwrap_or(u64::MAX))
}

fn whole_micros(limit: Duration) -> Duration {
    Duration::from_micros(u64::try_from(limit.as_micros()).unwrap_or(u64::MAX).max(1))
}
