//! One measurement of a search: an ordinary run, judged again at the error rate of the search.

use std::time::Duration;

use crate::cli::exit::CommandError;
use crate::cli::outputs::{self, FinishedRun};
use crate::cli::session::{self, ReferencedRuns, RunFlags};
use crate::cli::signals::RunSignals;
use crate::cli::source;
use crate::plan::Plan;
use crate::record::{
    ActualQuantile, BudgetVerdict, Decision, Dimension, Interval, RunRecord, Stage, Verdict,
};
use crate::store::{self, StoreError};
use crate::tune::rate_search::RisingLatency;
use crate::units::{Quantile, format_duration};
use crate::verdict::{self, EarlierEvidence, VerdictContext, continuation_obstacle};

/// A measurement of a search, judged.
pub(super) struct MeasuredStep {
    /// The run, with its own verdict in its record.
    pub(super) run: FinishedRun,
    /// The decision at the error rate of the search, with the evidence of the run that this one
    /// continues.
    pub(super) decision: Decision,
    /// Why, in the words of the verdict.
    pub(super) reason: String,
    /// What a measurement that continues this one adds to.
    evidence: EarlierEvidence,
}

impl MeasuredStep {
    /// Measures a plan and judges it as one of `verdicts` that share the error rate.
    pub(super) fn run(
        plan: &Plan,
        flags: &RunFlags,
        signals: &RunSignals,
        (continued, verdicts): (Option<&Self>, usize),
    ) -> Result<Self, CommandError> {
        let run = session::execute(plan, flags, signals, ReferencedRuns::default())?;
        outputs::write_reports_or_warn(&run);
        let earlier = continued.map(|step| step.evidence.clone()).unwrap_or_default();
        let timelines = source::read_timelines(&run.folder)?;
        let context = VerdictContext { timelines, earlier, verdicts, ..VerdictContext::default() };
        let verdict =
            verdict::judge_in_context(&run.record.plan, &run.record.measurement, &context);
        let rising = match verdict.decision {
            Decision::Pass => rising_latency(&run, &verdict, plan)?,
            Decision::Fail | Decision::Inconclusive => None,
        };
        let (decision, reason) = match rising {
            Some(reason) => (Decision::Inconclusive, reason),
            None => (verdict.decision, reason(&verdict)),
        };
        let evidence = evidence(&run.record, verdict);
        Ok(Self { run, decision, reason, evidence })
    }

    /// Whether the target may still be busy with what it was sent.
    pub(super) fn overloaded(&self) -> bool {
        self.decision == Decision::Fail
    }

    /// The p95 of all latencies; `None` if none was measured.
    pub(super) fn p95(&self) -> Option<Duration> {
        let scenarios = self.run.record.measurement.scenarios.iter();
        let requests = scenarios.flat_map(|scenario| &scenario.requests);
        let p95s = requests.filter_map(|request| {
            request.measured.series.quantile(Dimension::Latency, Quantile::P95)
        });
        p95s.max()
    }
}

/// The blocks that a longer measurement adds to. Data that are not believed add nothing.
fn evidence(record: &RunRecord, verdict: Verdict) -> EarlierEvidence {
    // A search decides by its own verdict; that of the record has a larger error rate.
    let judged = RunRecord {
        verdict: Verdict { decision: Decision::Inconclusive, ..verdict },
        ..record.clone()
    };
    match continuation_obstacle(&judged) {
        None => EarlierEvidence::of(&judged),
        Some(_) => EarlierEvidence::default(),
    }
}

/// What the verdict says about the first budget that does not pass, or about the run.
fn reason(verdict: &Verdict) -> String {
    if verdict.decision == Decision::Pass {
        return String::new();
    }
    let Some(scenario) =
        verdict.scenarios.iter().find(|scenario| scenario.decision == verdict.decision)
    else {
        return String::new();
    };
    let budget = scenario.budgets.iter().find(|budget| budget.decision == verdict.decision);
    match (budget, scenario.reasons.first()) {
        (Some(budget), _) => format!("{}: {}", budget.budget, budget.reason.what),
        (None, Some(reason)) => reason.what.clone(),
        (None, None) => String::new(),
    }
}

/// Why a step in which every budget holds does not prove that its rate does: its latency rises and
/// reaches a ceiling soon. A budget without a ceiling breaks at the timeout.
fn rising_latency(
    run: &FinishedRun,
    verdict: &Verdict,
    plan: &Plan,
) -> Result<Option<String>, StoreError> {
    let intervals: Vec<Interval> = store::read_intervals(&run.folder)?.collect::<Result<_, _>>()?;
    let scenarios = verdict.scenarios.iter().zip(&plan.scenarios);
    let reason = scenarios
        .flat_map(|(scenario, planned)| {
            let timeout = planned.target.timeouts.whole;
            scenario.budgets.iter().map(move |budget| (scenario.scenario.as_str(), budget, timeout))
        })
        .find_map(|(scenario, budget, timeout)| {
            let (dimension, ceiling) =
                budget.budget.ceiling().unwrap_or((Dimension::Latency, timeout));
            let trend = RisingLatency::of(&medians(&intervals, (scenario, budget), dimension))?;
            let now = match budget.actual {
                Some(ActualQuantile::At(now)) => now,
                _ => Duration::ZERO,
            };
            let left = trend.time_to(ceiling, now)?;
            Some(format!(
                "{}: it holds so far, but the median rises all the time: at this pace it breaks after {}",
                budget.budget,
                format_duration(left)
            ))
        });
    Ok(reason)
}

/// The median of each measured second of a budget's request.
fn medians(
    intervals: &[Interval],
    (scenario, budget): (&str, &BudgetVerdict),
    dimension: Dimension,
) -> Vec<Option<Duration>> {
    let own = intervals.iter().filter(|interval| {
        interval.stage == Stage::Measured
            && interval.scenario == scenario
            && interval.request == budget.request
    });
    let mut seconds: Vec<_> = own
        .map(|interval| (interval.start, interval.series.quantile(dimension, Quantile::P50)))
        .collect();
    seconds.sort_by_key(|(start, _)| *start);
    seconds.into_iter().map(|(_, median)| median).collect()
}
