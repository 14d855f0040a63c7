//! What changed between two runs, and whether the change is more than chance.
//!
//! Each run gives an interval for a figure that excludes half the stated error rate on each side.
//! If the two intervals do not overlap, the target has changed. A wrong *slower* needs one of two
//! ends to be wrong, so it is no more likely than the stated rate (the union bound), and so is a
//! wrong *faster*. Overlapping intervals show neither a change nor its absence.

mod conditions;
mod estimate;
mod pairing;

use std::time::Duration;

use self::estimate::LatencyEstimate;
use self::pairing::NamedRequest;
use super::binomial::{ErrorRate, ExceedanceCount};
use crate::record::{
    ActualQuantile, BeforeAfter, BlameChange, BudgetChange, BudgetVerdict, ChangeVerdict,
    ComparedRun, Comparison, Dimension, Histogram, ProberHealth, QuantileChange,
    QuantileDifference, RequestComparison, RequestMeasurement, RequestName, RunRecord,
    ScenarioMeasurement, ShareChange, StageMeasurement,
};
use crate::units::{Quantile, Ratio};

const QUANTILES: [Quantile; 4] = [Quantile::P50, Quantile::P90, Quantile::P95, Quantile::P99];

/// How many figures of a request are called changed or not: its quantiles, and the share that
/// failed.
const FIGURES: usize = QUANTILES.len() + 1;

/// What is compared, and to what the stated error rate applies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComparisonSettings {
    /// Compares only requests with this name, or of the scenario with this name.
    pub name: Option<String>,
    /// Whether the stated error rate bounds all figures together, as an exit code needs, and not
    /// each figure (Bonferroni).
    pub bounds_all_figures: bool,
}

/// What changed from one run to another in the measured stage of the requests that both have.
pub fn compare(before: &RunRecord, after: &RunRecord, settings: &ComparisonSettings) -> Comparison {
    let runs = BeforeAfter { before, after };
    let requests = runs.map(|record| own_requests(record));
    let pairing = pairing::pair(requests, settings.name.as_deref());
    let figures = if settings.bounds_all_figures { FIGURES * pairing.pairs.len() } else { 1 };
    let alpha = ErrorRate::STATED.shared_by(figures);
    Comparison {
        runs: runs.map(|record| compared(record)),
        confidence: alpha.confidence(),
        bounds_all_figures: settings.bounds_all_figures,
        unlike: conditions::unlike(runs, &pairing.pairs),
        requests: pairing.pairs.iter().map(|pair| request(pair, runs, alpha)).collect(),
        only: pairing.only.map(|all| all.iter().map(NamedRequest::display_name).collect()),
    }
}

fn own_requests(record: &RunRecord) -> Vec<NamedRequest<'_>> {
    let scenarios = record.measurement.scenarios.iter();
    let requests = scenarios.flat_map(|scenario| {
        own(record, scenario)
            .map(|measurement| NamedRequest { scenario: &scenario.name, measurement })
    });
    requests.collect()
}

/// The requests of a scenario, hops left out.
fn own<'a>(
    record: &'a RunRecord,
    scenario: &'a ScenarioMeasurement,
) -> impl Iterator<Item = &'a RequestMeasurement> {
    let planned = record.planned(&scenario.name);
    scenario.requests.iter().filter(move |request| {
        let mut hops = planned.into_iter().flat_map(|planned| &planned.requests);
        !hops.any(|hop| hop.hop_of.is_some() && hop.name == request.name)
    })
}

fn compared(record: &RunRecord) -> ComparedRun {
    let from = &record.provenance;
    ComparedRun {
        run: record.name(),
        id: record.id,
        started: from.started,
        git_commit: from.git_commit.clone(),
        tags: from.tags.clone(),
        verdict: record.verdict.decision,
        prober: health(record),
    }
}

fn health(record: &RunRecord) -> ProberHealth {
    let run = &record.measurement;
    let mut lag = Histogram::default();
    for request in own_requests(record) {
        let stage = &request.measurement.measured;
        stage.series.get(Dimension::Lag).into_iter().for_each(|part| lag.add(part));
    }
    ProberHealth {
        lag_p99: lag.quantile(Quantile::P99),
        lag_max: lag.max(),
        hiccup_max: run.prober.hiccups.max(),
        unreleased: run.scenarios.iter().map(|scenario| scenario.unreleased).sum(),
    }
}

fn request(
    pair: &BeforeAfter<NamedRequest<'_>>,
    runs: BeforeAfter<&RunRecord>,
    alpha: ErrorRate,
) -> RequestComparison {
    let stages = pair.map(|request| &request.measurement.measured);
    let estimates = stages.map(|stage| LatencyEstimate::of(stage));
    let names = pair.map(|request| RequestName {
        scenario: request.scenario.to_owned(),
        request: request.measurement.name.clone(),
    });
    let budgets = budgets(&names, runs);
    let BeforeAfter { before, after } = names;
    RequestComparison {
        compared_with: (after != before).then_some(after),
        scenario: before.scenario,
        request: before.request,
        exchanges: stages.map(|stage| stage.tally.exchanges),
        failed: failures(stages, alpha),
        latency: QUANTILES.map(|quantile| at(quantile, &estimates, alpha)).to_vec(),
        max: estimates.map(LatencyEstimate::max),
        parts: Dimension::BLAME.into_iter().filter_map(|part| moved(part, stages)).collect(),
        budgets,
    }
}

fn failures(stages: BeforeAfter<&StageMeasurement>, alpha: ErrorRate) -> ShareChange {
    let counts = stages
        .map(|stage| ExceedanceCount { over: stage.tally.failed(), of: stage.tally.exchanges });
    let interval = counts.map(|counts| counts.interval(alpha.shared_by(2)));
    let change = if counts.before.of == 0 || counts.after.of == 0 {
        ChangeVerdict::NoData
    } else if interval.before.1 < interval.after.0 {
        ChangeVerdict::More
    } else if interval.after.1 < interval.before.0 {
        ChangeVerdict::Less
    } else {
        ChangeVerdict::NoneShown
    };
    let share = counts.map(|counts| Ratio::of(counts.over, counts.of));
    ShareChange { count: counts.map(|counts| counts.over), share, interval, change }
}

fn at(
    quantile: Quantile,
    estimates: &BeforeAfter<LatencyEstimate<'_>>,
    alpha: ErrorRate,
) -> QuantileChange {
    let actual = estimates.map(|estimate| estimate.quantile(quantile));
    let interval = estimates.map(|estimate| estimate.interval(quantile, alpha.shared_by(2)));
    QuantileChange {
        quantile,
        actual,
        interval,
        difference: QuantileDifference::between(actual.before, actual.after),
        change: estimate::change(interval),
    }
}

/// The change of one part of latency; `None` if neither run entered it.
fn moved(part: Dimension, stages: BeforeAfter<&StageMeasurement>) -> Option<BlameChange> {
    let histograms = stages.map(|stage| stage.series.get(part));
    let at = |quantile| {
        histograms.map(|histogram| {
            let read: Option<Duration> =
                histogram.and_then(|histogram| histogram.quantile(quantile));
            read.map_or(ActualQuantile::NoData, ActualQuantile::At)
        })
    };
    let count = histograms.map(|histogram| histogram.map_or(0, Histogram::count));
    let entered = count.before + count.after > 0;
    entered.then(|| BlameChange { part, count, p50: at(Quantile::P50), p95: at(Quantile::P95) })
}

/// The budgets that either run has for a request.
fn budgets(names: &BeforeAfter<RequestName>, runs: BeforeAfter<&RunRecord>) -> Vec<BudgetChange> {
    let judged = BeforeAfter {
        before: judged_budgets(runs.before, &names.before),
        after: judged_budgets(runs.after, &names.after),
    };
    let mut changes: Vec<BudgetChange> = Vec::new();
    for verdict in judged.before.iter().chain(&judged.after) {
        if changes.iter().all(|known| known.budget != verdict.budget) {
            let decision = judged.map(|judged| {
                judged
                    .iter()
                    .find(|other| other.budget == verdict.budget)
                    .map(|other| other.decision)
            });
            changes.push(BudgetChange { budget: verdict.budget, decision });
        }
    }
    changes
}

fn judged_budgets<'a>(record: &'a RunRecord, name: &RequestName) -> Vec<&'a BudgetVerdict> {
    let scenarios =
        record.verdict.scenarios.iter().filter(|judged| judged.scenario == name.scenario);
    let budgets = scenarios.flat_map(|judged| &judged.budgets);
    budgets.filter(|budget| budget.request == name.request).collect()
}

#[cfg(test)]
mod tests;
