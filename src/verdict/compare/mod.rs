//! What changed between two runs, and whether the change is more than chance.
//!
//! Each run gives an interval for a figure that excludes half the stated error rate on each side.
//! If the two intervals do not overlap, the target has changed. A wrong *slower* needs one of two
//! ends to be wrong, so it is no more likely than the stated rate (the union bound), and so is a
//! wrong *faster*. Overlapping intervals show neither a change nor its absence.

mod conditions;
mod estimate;

use std::time::Duration;

use self::estimate::LatencyEstimate;
use super::binomial::{ErrorRate, ExceedanceCount};
use crate::record::{
    ActualQuantile, BeforeAfter, BlameChange, BudgetChange, ChangeVerdict, ComparedRun, Comparison,
    Dimension, Histogram, ProberHealth, QuantileChange, QuantileDifference, RequestComparison,
    RequestMeasurement, RunRecord, ScenarioMeasurement, ShareChange, StageMeasurement,
};
use crate::units::{Quantile, Ratio};

const QUANTILES: [Quantile; 4] = [Quantile::P50, Quantile::P90, Quantile::P95, Quantile::P99];

/// What changed from one run to another in the measured stage of the requests that both have.
pub fn compare(before: &RunRecord, after: &RunRecord) -> Comparison {
    let runs = BeforeAfter { before, after };
    let requests = runs.map(|record| own_requests(record));
    let shared = requests.before.iter().filter_map(|(scenario, one)| {
        let found = |(name, other): &&NamedRequest<'_>| name == scenario && other.name == one.name;
        let (_, other) = requests.after.iter().find(found)?;
        Some(request(scenario, runs, BeforeAfter { before: one, after: other }))
    });
    let shared: Vec<_> = shared.collect();
    let only = requests.map(|all| {
        let is_shared = |name: &str, request: &str| {
            shared.iter().any(|both| both.scenario == name && both.request == request)
        };
        let lone = all.iter().filter(|(scenario, request)| !is_shared(scenario, &request.name));
        lone.map(|(scenario, request)| format!("{scenario} · {}", request.name)).collect()
    });
    Comparison {
        runs: runs.map(|record| compared(record)),
        confidence: ErrorRate::STATED.confidence(),
        unlike: conditions::unlike(runs, &shared),
        requests: shared,
        only,
    }
}

/// A request with its scenario's name.
type NamedRequest<'a> = (&'a str, &'a RequestMeasurement);

fn own_requests(record: &RunRecord) -> Vec<NamedRequest<'_>> {
    let scenarios = record.measurement.scenarios.iter();
    scenarios
        .flat_map(|scenario| own(record, scenario).map(|request| (scenario.name.as_str(), request)))
        .collect()
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
    for (_, request) in own_requests(record) {
        request.measured.series.get(Dimension::Lag).into_iter().for_each(|part| lag.add(part));
    }
    ProberHealth {
        lag_p99: lag.quantile(Quantile::P99),
        lag_max: lag.max(),
        hiccup_max: run.prober.hiccups.max(),
        unreleased: run.scenarios.iter().map(|scenario| scenario.unreleased).sum(),
    }
}

fn request(
    scenario: &str,
    runs: BeforeAfter<&RunRecord>,
    requests: BeforeAfter<&RequestMeasurement>,
) -> RequestComparison {
    let stages = requests.map(|request| &request.measured);
    let estimates = stages.map(|stage| LatencyEstimate::of(stage));
    RequestComparison {
        scenario: scenario.to_owned(),
        request: requests.before.name.clone(),
        exchanges: stages.map(|stage| stage.tally.exchanges),
        failed: failures(stages),
        latency: QUANTILES.map(|quantile| at(quantile, &estimates)).to_vec(),
        max: estimates.map(LatencyEstimate::max),
        parts: Dimension::BLAME.into_iter().filter_map(|part| moved(part, stages)).collect(),
        budgets: budgets(scenario, &requests.before.name, runs),
    }
}

fn failures(stages: BeforeAfter<&StageMeasurement>) -> ShareChange {
    let counts = stages
        .map(|stage| ExceedanceCount { over: stage.tally.failed(), of: stage.tally.exchanges });
    let interval = counts.map(|counts| counts.interval(ErrorRate::STATED.shared_by(2)));
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

fn at(quantile: Quantile, estimates: &BeforeAfter<LatencyEstimate<'_>>) -> QuantileChange {
    let actual = estimates.map(|estimate| estimate.quantile(quantile));
    let interval = estimates.map(|estimate| estimate.interval(quantile));
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
fn budgets(scenario: &str, request: &str, runs: BeforeAfter<&RunRecord>) -> Vec<BudgetChange> {
    let judged = runs.map(|record| {
        let scenarios =
            record.verdict.scenarios.iter().filter(|judged| judged.scenario == scenario);
        let budgets = scenarios.flat_map(|judged| &judged.budgets);
        budgets.filter(|budget| budget.request == request).collect::<Vec<_>>()
    });
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

#[cfg(test)]
mod tests;
