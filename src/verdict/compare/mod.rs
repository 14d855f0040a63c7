//! What changed between two runs, or between the two sides of a duet, and whether the change is
//! more than chance.
//!
//! Requests are not independent, so the error of a difference comes from blocks of time: each
//! figure is taken again without each block (jackknife), and what the blocks change gives an
//! interval for the difference, which leaves out half of its error rate on each side. A *slower*
//! whose interval begins above zero is therefore wrong at most as often as stated, if nothing hangs
//! together for longer than a block. Of two runs made one after the other, the interval cannot
//! exclude what else changed between them; the two sides of a duet share their blocks.

mod conditions;
mod estimate;
mod figures;
mod jackknife;
mod leave_one_out;
mod pairing;
mod student_t;

use std::time::Duration;

use self::figures::ComparedSides;
use self::pairing::NamedRequest;
use super::binomial::ErrorRate;
use crate::record::{
    ActualQuantile, BeforeAfter, BlameChange, BudgetChange, BudgetVerdict, ComparedRun, Comparison,
    Decision, Dimension, DuetSide, Histogram, ProberHealth, RequestComparison, RequestMeasurement,
    RequestName, RunRecord, ScenarioMeasurement, StageMeasurement,
};
use crate::units::Quantile;

pub(super) use self::jackknife::LeftOutFigure;
pub(crate) use self::student_t::upper_quantile as upper_t_quantile;

pub use self::leave_one_out::add_block_figures;

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
    let requests = runs.map(|record| own_requests(record, |_| true));
    let pairing = pairing::pair(requests, settings.name.as_deref());
    let unlike = conditions::unlike(runs, &pairing.pairs);
    Comparison { unlike, ..compared_pairs(runs, &pairing, settings.bounds_all_figures) }
}

/// What differs between the two sides of a duet; `None` if the run was none. All figures together
/// have the stated error rate, because the comparison decides how the program ends.
pub fn compare_duet(record: &RunRecord) -> Option<Comparison> {
    let urls = duet_urls(record)?;
    let of_side =
        |side: DuetSide| own_requests(record, |scenario| record.duet_side(scenario) == Some(side));
    let requests = BeforeAfter { before: of_side(DuetSide::A), after: of_side(DuetSide::B) };
    let other = |scenario: &str| Some(record.planned(scenario)?.duet.as_ref()?.other.as_str());
    let pairing = pairing::pair_sides(requests, other);
    let runs = BeforeAfter { before: record, after: record };
    let unlike = conditions::unlike_sides(record, &pairing.pairs);
    Some(Comparison { duet: Some(urls), unlike, ..compared_pairs(runs, &pairing, true) })
}

/// The decision on a run whose comparison may decide it too.
///
/// A run with a baseline has to keep its budgets and, if the comparison bounds all its figures, not
/// to be slower. A duet is decided by its difference and by its second side: by the budgets, by
/// data that must not be trusted, and by a fail that the first side does not share. A budget that
/// the first side breaks is not the fault of the new one.
pub fn decide_with_comparison(record: &RunRecord) -> Decision {
    let Some(comparison) = record.comparison.as_deref().filter(|one| one.bounds_all_figures) else {
        return record.gate_decision();
    };
    let compared = comparison.decision();
    if comparison.duet.is_none() {
        return Decision::combine([record.gate_decision(), compared]);
    }
    let of_side = |side: DuetSide| {
        let judged = record.verdict.scenarios.iter();
        judged.filter(move |judged| record.duet_side(&judged.scenario) == Some(side))
    };
    let old_fails = of_side(DuetSide::A).any(|judged| judged.decision == Decision::Fail);
    let of_new = of_side(DuetSide::B).map(|judged| match judged.decision {
        // If both sides are down, it is not shown that the new one is worse.
        Decision::Fail if old_fails => Decision::Inconclusive,
        decision => decision,
    });
    let budgets = of_side(DuetSide::B).flat_map(|judged| &judged.budgets);
    let budgets = budgets.map(|budget| budget.decision);
    let is_whole = record.measurement.ending.is_planned();
    let cut_off = (!is_whole).then_some(Decision::Inconclusive);
    Decision::combine(budgets.chain(of_new).chain([compared]).chain(cut_off))
}

/// The base URLs of the sides.
fn duet_urls(record: &RunRecord) -> Option<BeforeAfter<String>> {
    let of_side = |side: DuetSide| {
        let mut plans = record.plan.iter();
        let planned = plans.find(|planned| record.duet_side(&planned.name) == Some(side))?;
        Some(planned.base_url.clone())
    };
    Some(BeforeAfter { before: of_side(DuetSide::A)?, after: of_side(DuetSide::B)? })
}

fn compared_pairs(
    runs: BeforeAfter<&RunRecord>,
    pairing: &pairing::Pairing<'_>,
    bounds_all_figures: bool,
) -> Comparison {
    let figures = pairing.pairs.iter().map(|pair| ComparedSides::of(pair, runs).figures());
    let figures = if bounds_all_figures { figures.sum() } else { 1 };
    let alpha = ErrorRate::STATED.shared_by(figures);
    Comparison {
        runs: runs.map(|record| compared(record)),
        duet: None,
        confidence: alpha.confidence(),
        bounds_all_figures,
        unlike: Vec::new(),
        requests: pairing.pairs.iter().map(|pair| request(pair, runs, alpha)).collect(),
        only: pairing.only.map(|all| all.iter().map(NamedRequest::display_name).collect()),
    }
}

/// The requests of the scenarios that are wanted by name.
fn own_requests(record: &RunRecord, is_wanted: impl Fn(&str) -> bool) -> Vec<NamedRequest<'_>> {
    let scenarios = record.measurement.scenarios.iter();
    let requests = scenarios.filter(|scenario| is_wanted(&scenario.name)).flat_map(|scenario| {
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
    for request in own_requests(record, |_| true) {
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
    let names = pair.map(|request| RequestName {
        scenario: request.scenario.to_owned(),
        request: request.measurement.name.clone(),
    });
    let budgets = budgets(&names, runs);
    let sides = ComparedSides::of(pair, runs);
    let failed = sides.failures(alpha);
    let BeforeAfter { before, after } = names;
    RequestComparison {
        compared_with: (after != before).then_some(after),
        scenario: before.scenario,
        request: before.request,
        exchanges: stages.map(|stage| stage.tally.exchanges),
        blocks: sides.block_numbers(),
        obstacle: sides.obstacle(),
        failed,
        latency: sides.latencies(failed.change, alpha).to_vec(),
        max: sides.max(),
        parts: Dimension::BLAME.into_iter().filter_map(|part| moved(part, stages)).collect(),
        budgets,
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
mod simulation;
#[cfg(test)]
mod tests;
