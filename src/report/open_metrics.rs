//! The run as OpenMetrics text
//! (<https://prometheus.io/docs/specs/om/open_metrics_spec/>).
//!
//! Every family is a gauge or a histogram, and no sample has a timestamp: the textfile collector
//! of `node_exporter` reads nothing else. GitLab reads the same file as a metrics report.

mod text;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::record::{
    Budget, BudgetVerdict, Decision, Dimension, Histogram, RequestMeasurement, RunRecord,
    ScenarioMeasurement,
};
use crate::units::{Quantile, Ratio};

use super::ci::CiContext;
use text::{Label, MetricKind, MetricsText};

/// The quantiles of each dimension.
const QUANTILES: [Quantile; 4] = [Quantile::P50, Quantile::P90, Quantile::P95, Quantile::P99];

/// Upper ends of the buckets in microseconds, in addition to the ceilings of the budgets.
const BUCKETS: [u64; 14] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 30_000_000,
];

/// Renders a run as OpenMetrics text: verdicts, budgets, counts by outcome, quantiles and
/// histograms of the measured stage. Durations are in seconds.
pub fn open_metrics(record: &RunRecord, ci: &CiContext) -> String {
    let mut text = MetricsText::default();
    run(&mut text, record, ci);
    verdicts(&mut text, record, ci);
    budgets(&mut text, record);
    counts(&mut text, record);
    quantiles(&mut text, record);
    histograms(&mut text, record);
    text.finish()
}

fn run(text: &mut MetricsText, record: &RunRecord, ci: &CiContext) {
    let from = &record.provenance;
    let id = record.id.to_string();
    text.family("tollgate_run", MetricKind::Gauge, "", "Which run these metrics are about");
    let commit = from.git_commit.as_deref().unwrap_or_default();
    let mut labels: Vec<Label<'_>> = vec![
        ("run", &id),
        ("commit", commit),
        ("folder", &ci.folder),
        ("version", &from.tollgate),
        ("host", &from.host.name),
    ];
    labels.retain(|(_, value)| !value.is_empty());
    text.sample("", &labels, 1.0);
    text.family(
        "tollgate_run_start_time_seconds",
        MetricKind::Gauge,
        "seconds",
        "When the run started, in seconds since 1970",
    );
    text.sample("", &[], from.started.unix_timestamp_nanos() as f64 / 1e9);
    text.family(
        "tollgate_run_elapsed_seconds",
        MetricKind::Gauge,
        "seconds",
        "How long the run took, warm-up included",
    );
    text.sample("", &[], record.measurement.elapsed.as_secs_f64());
}

fn verdicts(text: &mut MetricsText, record: &RunRecord, ci: &CiContext) {
    text.family(
        "tollgate_run_gate",
        MetricKind::Gauge,
        "",
        "1 for what the exit code says, else 0: the verdict after the gate's policy",
    );
    states(text, &[], ci.gate);
    text.family(
        "tollgate_run_verdict",
        MetricKind::Gauge,
        "",
        "1 for the verdict on the run, else 0",
    );
    states(text, &[], record.verdict.decision);
    text.family(
        "tollgate_scenario_verdict",
        MetricKind::Gauge,
        "",
        "1 for the verdict on the scenario, else 0",
    );
    for scenario in &record.verdict.scenarios {
        states(text, &[("scenario", &scenario.scenario)], scenario.decision);
    }
    text.family(
        "tollgate_budget_verdict",
        MetricKind::Gauge,
        "",
        "1 for the verdict on the budget, else 0",
    );
    for_each_budget(record, |labels, budget| states(text, labels, budget.decision));
}

/// One sample for each possible decision, 1 for the one that was made.
fn states(text: &mut MetricsText, labels: &[Label<'_>], made: Decision) {
    for decision in Decision::ALL {
        let labels = [labels, &[("verdict", decision.name())]].concat();
        text.sample("", &labels, if decision == made { 1.0 } else { 0.0 });
    }
}

fn budgets(text: &mut MetricsText, record: &RunRecord) {
    text.family("tollgate_budget_judged", MetricKind::Gauge, "", "Exchanges judged by the budget");
    for_each_budget(record, |labels, budget| text.sample("", labels, budget.judged as f64));
    text.family(
        "tollgate_budget_exceeded",
        MetricKind::Gauge,
        "",
        "Judged exchanges that exceed the budget, failures included",
    );
    for_each_budget(record, |labels, budget| text.sample("", labels, budget.exceeded as f64));
    text.family(
        "tollgate_budget_allowed_ratio",
        MetricKind::Gauge,
        "ratio",
        "Share of the exchanges that may exceed the budget; 0 if none may",
    );
    for_each_budget(record, |labels, budget| {
        text.sample("", labels, budget.allowed.map_or(0.0, Ratio::as_f64));
    });
    text.family(
        "tollgate_budget_reach_seconds",
        MetricKind::Gauge,
        "seconds",
        "Longest stall up to which the budget holds",
    );
    for_each_budget(record, |labels, budget| {
        let reach = budget.evidence.as_ref().and_then(|evidence| evidence.reach);
        if let Some(reach) = reach {
            text.sample("", labels, reach.as_secs_f64());
        }
    });
}

fn for_each_budget(record: &RunRecord, mut each: impl FnMut(&[Label<'_>], &BudgetVerdict)) {
    for scenario in &record.verdict.scenarios {
        for verdict in &scenario.budgets {
            let budget = verdict.budget.to_string();
            let labels = [
                ("scenario", scenario.scenario.as_str()),
                ("request", verdict.request.as_str()),
                ("budget", budget.as_str()),
            ];
            each(&labels, verdict);
        }
    }
}

fn counts(text: &mut MetricsText, record: &RunRecord) {
    text.family(
        "tollgate_exchanges",
        MetricKind::Gauge,
        "",
        "Exchanges of the measured stage, by outcome",
    );
    for_each_request(record, |labels, _, request| {
        for (outcome, count) in request.measured.tally.outcomes() {
            text.sample("", &[labels, &[("outcome", outcome)]].concat(), count as f64);
        }
    });
    text.family(
        "tollgate_arrivals",
        MetricKind::Gauge,
        "",
        "Arrivals of the schedule, and what became of them at the prober",
    );
    for scenario in &record.measurement.scenarios {
        let planned = scenario.planned.map(|planned| ("planned", planned));
        let others = [
            ("released", scenario.released),
            ("unreleased", scenario.unreleased),
            ("abandoned", scenario.abandoned),
        ];
        for (state, count) in planned.into_iter().chain(others) {
            text.sample("", &[("scenario", &scenario.name), ("state", state)], count as f64);
        }
    }
}

fn for_each_request(
    record: &RunRecord,
    mut each: impl FnMut(&[Label<'_>], &ScenarioMeasurement, &RequestMeasurement),
) {
    for scenario in &record.measurement.scenarios {
        for request in &scenario.requests {
            let labels = [("scenario", scenario.name.as_str()), ("request", request.name.as_str())];
            each(&labels, scenario, request);
        }
    }
}

fn quantiles(text: &mut MetricsText, record: &RunRecord) {
    text.family(
        "tollgate_duration_quantile_seconds",
        MetricKind::Gauge,
        "seconds",
        "Quantiles of each part of the ok exchanges of the measured stage",
    );
    for_each_request(record, |labels, _, request| {
        for (dimension, histogram) in request.measured.series.iter() {
            for quantile in QUANTILES {
                let share = quantile.as_f64().to_string();
                let own = [("dimension", dimension.name()), ("quantile", share.as_str())];
                let labels = [labels, &own].concat();
                if let Some(value) = histogram.quantile(quantile) {
                    text.sample("", &labels, value.as_secs_f64());
                }
            }
        }
    });
}

/// A histogram of each dimension that a budget judges, and of latency. A file with all dimensions
/// would be long and say little more than the quantiles do.
fn histograms(text: &mut MetricsText, record: &RunRecord) {
    text.family(
        "tollgate_duration_seconds",
        MetricKind::Histogram,
        "seconds",
        "Durations of the ok exchanges of the measured stage; the ceilings of budgets are buckets",
    );
    for_each_request(record, |labels, scenario, request| {
        let ceilings = ceilings(record, &scenario.name, &request.name);
        let judged = ceilings.iter().map(|(dimension, _)| *dimension);
        let dimensions: BTreeSet<_> = judged.chain([Dimension::Latency]).collect();
        for dimension in dimensions {
            let labels = [labels, &[("dimension", dimension.name())]].concat();
            let empty = Histogram::default();
            let histogram = request.measured.series.get(dimension).unwrap_or(&empty);
            write_buckets(text, &labels, histogram, &bounds(&ceilings, dimension));
        }
    });
}

/// The ceilings of a request's budgets.
fn ceilings(record: &RunRecord, scenario: &str, request: &str) -> Vec<(Dimension, Duration)> {
    let requests = record.planned(scenario).map_or(&[][..], |plan| &plan.requests);
    let planned = requests.iter().filter(|planned| planned.name == request);
    planned.flat_map(|planned| &planned.budgets).filter_map(Budget::ceiling).collect()
}

/// The upper ends of the buckets, in rising order.
fn bounds(ceilings: &[(Dimension, Duration)], dimension: Dimension) -> BTreeSet<Duration> {
    let own = ceilings.iter().filter(|(judged, _)| *judged == dimension);
    let own = own.map(|(_, ceiling)| *ceiling);
    BUCKETS.into_iter().map(Duration::from_micros).chain(own).collect()
}

fn write_buckets(
    text: &mut MetricsText,
    labels: &[Label<'_>],
    histogram: &Histogram,
    bounds: &BTreeSet<Duration>,
) {
    let mut steps = histogram.steps().peekable();
    let (mut counted, mut sum) = (0, 0.0);
    let mut count_up_to = |bound: Option<Duration>| {
        while let Some((value, count)) =
            steps.next_if(|(value, _)| bound.is_none_or(|b| *value <= b))
        {
            counted += count;
            sum += value.as_secs_f64() * count as f64;
        }
        (counted, sum)
    };
    for bound in bounds {
        let end = text::canonical(bound.as_secs_f64());
        let (counted, _) = count_up_to(Some(*bound));
        text.sample("_bucket", &[labels, &[("le", end.as_str())]].concat(), counted as f64);
    }
    let (counted, sum) = count_up_to(None);
    text.sample("_bucket", &[labels, &[("le", "+Inf")]].concat(), counted as f64);
    text.sample("_count", labels, counted as f64);
    text.sample("_sum", labels, sum);
}

#[cfg(test)]
mod tests;
