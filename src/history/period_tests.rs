//! Periods, weeks, hours, gaps and budgets of series.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use time::macros::{date, datetime};
use uuid::Uuid;

use super::*;
use crate::record::NODE_CHECK;
use crate::record::{
    ActualQuantile, Budget, BudgetFigures, PhaseFigures, RequestFigures, RunConditions,
};
use crate::units::Quantile;

pub(super) const START: OffsetDateTime = datetime!(2026-11-02 00:00 UTC);

/// A run with the given latencies in milliseconds; `hours` after [`START`], a Monday.
pub(super) fn run(hours: u64, millis: &[u64]) -> RunSummary {
    let mut latency = Histogram::default();
    for value in millis {
        latency.record(Duration::from_millis(*value));
    }
    let count = millis.len() as u64;
    RunSummary {
        id: Uuid::from_u128(u128::from(hours) + 1),
        started: START + Duration::from_hours(hours),
        elapsed: Duration::from_secs(40),
        host: "h".to_owned(),
        git_commit: None,
        tags: BTreeMap::new(),
        parts: Vec::new(),
        decision: Decision::Pass,
        requests: vec![RequestSummary {
            scenario: "shop".to_owned(),
            request: "home".to_owned(),
            decision: Decision::Pass,
            exchanges: count,
            ok: count,
            latency: EncodedHistogram::of(&latency),
            figures: Some(Box::new(figures(count, 0))),
            imported: None,
        }],
    }
}

fn figures(judged: u64, exceeded: u64) -> RequestFigures {
    let (budget, decision) = (budget(), Decision::Pass);
    RequestFigures {
        conditions: Arc::new(RunConditions::default()),
        cold: EncodedHistogram::default(),
        phases: Vec::new(),
        budgets: vec![BudgetFigures { written: budget, budget, decision, judged, exceeded }],
    }
}

fn budget() -> Budget {
    "p95 < 300ms".parse().unwrap()
}

pub(super) fn scope(since: OffsetDateTime, days: u64, zone: &str) -> HistoryScope {
    let until = since + Duration::from_hours(24) * u32::try_from(days).unwrap();
    HistoryScope { since, until, over_until: until, zone: zone.parse().unwrap() }
}

fn histories(runs: Vec<RunSummary>, scope: &HistoryScope) -> Vec<ScenarioHistory> {
    let (series, _) = group_series(runs, &HistoryFilter::default(), scope);
    let of = |one| ScenarioHistory::of(one, scope, &|_| Vec::new()).0;
    series.into_iter().filter_map(of).collect()
}

pub(super) fn only(runs: Vec<RunSummary>, scope: &HistoryScope) -> RequestHistory {
    let mut all = histories(runs, scope);
    assert_eq!((all.len(), all[0].requests.len()), (1, 1));
    all.remove(0).requests.remove(0)
}

#[test]
fn quantiles_of_a_period_are_those_of_the_added_histograms() {
    let runs = vec![run(0, &[100; 10]), run(1, &[400; 10])];
    let history = only(runs, &scope(START, 7, "UTC"));
    let figures = history.period.figures();
    assert_eq!((figures.count, figures.p99), (20, None));
    assert_eq!(figures.p50.unwrap().as_millis(), 100);
    assert_eq!(figures.p95.unwrap().as_millis(), 400);
    let ActualQuantile::At(actual) = history.period.actual(&budget()).unwrap() else { panic!() };
    assert_eq!(actual.as_millis(), 400);
}

#[test]
fn failures_rank_above_every_latency_in_the_actual_of_a_budget() {
    let mut failing = run(0, &[100; 90]);
    failing.requests[0].exchanges = 100;
    let history = only(vec![failing], &scope(START, 7, "UTC"));
    assert_eq!(history.period.actual(&budget()), Some(ActualQuantile::Unbounded));
    assert_eq!(history.period.failed(), 10);
}

#[test]
fn attainment_counts_only_decided_runs() {
    let mut runs: Vec<RunSummary> = (0..4).map(|hours| run(hours, &[100; 20])).collect();
    runs[1].requests[0].decision = Decision::Fail;
    runs[2].requests[0].decision = Decision::Inconclusive;
    let all = histories(runs, &scope(START, 7, "UTC"));
    let attainment = all[0].attainment;
    assert_eq!((attainment.passed, attainment.failed, attainment.inconclusive), (2, 1, 1));
    assert_eq!((attainment.decided(), attainment.runs()), (3, 4));
}

#[test]
fn the_error_budget_left_follows_from_the_allowed_exceedances() {
    for (exceeded, left, is_met) in
        [(0, 1.0, true), (25, 0.5, true), (50, 0.0, true), (100, -1.0, false)]
    {
        let mut one = run(0, &[100; 20]);
        one.requests[0].figures = Some(Box::new(figures(1_000, exceeded)));
        let history = only(vec![one], &scope(START, 7, "UTC"));
        let [budget] = &history.period.budgets[..] else { panic!("one budget") };
        assert!((budget.left().unwrap() - left).abs() < 1e-9, "{exceeded}");
        assert_eq!((budget.is_met(), budget.is_current), (Some(is_met), true));
    }
}

#[test]
fn the_change_to_the_period_before_has_an_interval_and_needs_enough_runs() {
    let spread = |run: u64, scale: u64| -> Vec<u64> {
        (0..50).map(|value| (100 + value * 37 % 60 + run * run * 7 % 23) * scale / 100).collect()
    };
    let period = |scale: u64, runs: u64| {
        let earlier = (0..runs).map(|at| run(at, &spread(at, 100)));
        let later = (0..runs).map(|at| run(168 + at, &spread(at, scale)));
        let history = only(
            earlier.chain(later).collect(),
            &scope(START + Duration::from_hours(168), 7, "UTC"),
        );
        *history.change(Quantile::P50).unwrap()
    };
    let same = period(100, 40);
    assert_eq!((same.before, same.is_clear()), (same.after, Some(false)));
    let slower = period(120, 40);
    assert!((slower.ratio() - 1.2).abs() < 0.02, "{slower:?}");
    let (low, high) = slower.interval.unwrap();
    assert!(low > 1.1 && low < 1.2 && high > 1.2 && high < 1.3, "{low} {high}");
    assert_eq!(period(120, 9).interval, None);
}

#[test]
fn hours_weekdays_and_weeks_are_local() {
    // Sunday, 23:00 in UTC.
    let runs = vec![run(6 * 24 + 23, &[100; 20]), run(0, &[200; 20])];
    let history = only(runs, &scope(START - Duration::from_hours(24), 9, "Europe/Berlin"));
    let values: Vec<_> =
        history.grid.values().map(|(day, hour, _)| (day.to_string(), hour)).collect();
    assert_eq!(values, [("Monday".to_owned(), 0), ("Monday".to_owned(), 1)]);
    let mondays: Vec<_> = history.weeks.iter().map(|week| week.monday).collect();
    assert_eq!(mondays, [date!(2026 - 11 - 02), date!(2026 - 11 - 09)]);
}

#[test]
fn a_gap_is_longer_than_the_rhythm_of_the_series_and_breaks_the_line() {
    let hourly = (0..12).chain(36..48).map(|hours| run(hours, &[100; 20])).collect();
    let history = only(hourly, &scope(START, 2, "UTC"));
    let [gap] = &history.bins.gaps[..] else { panic!("{:?}", history.bins.gaps) };
    assert_eq!((gap.to - gap.from).whole_hours(), 25);
    assert_eq!(
        history.bins.stretches().iter().map(|bins| bins.len()).collect::<Vec<_>>(),
        [12, 12]
    );
    let nightly = (0..5).map(|night| run(night * 24, &[100; 20])).collect();
    assert!(only(nightly, &scope(START, 5, "UTC")).bins.gaps.is_empty());
    // The end of the period counts too: nothing has run since.
    let stopped = || (0..12).map(|hours| run(hours, &[100; 20])).collect();
    assert_eq!(only(stopped(), &scope(START, 5, "UTC")).bins.gaps.len(), 1);
    // What is not over lacks nothing yet, and neither does what was before the first run.
    let over_until = START + Duration::from_hours(12);
    let today = HistoryScope { over_until, ..scope(START, 5, "UTC") };
    assert!(only(stopped(), &today).bins.gaps.is_empty());
    let earlier = HistoryScope { since: START - Duration::from_hours(90), ..today };
    assert!(only(stopped(), &earlier).bins.gaps.is_empty());
}

#[test]
fn many_runs_become_bins_of_a_round_length_and_few_stay_points() {
    let hourly = |days: u64| (0..days * 24).map(|hours| run(hours, &[100; 5])).collect();
    let week = only(hourly(7), &scope(START, 7, "UTC"));
    assert_eq!((week.bins.length, week.bins.bins.len()), (None, 168));
    assert_eq!(week.bins.bins[0].latency.p95, None);
    let month = only(hourly(30), &scope(START, 30, "UTC"));
    assert_eq!(month.bins.length, Some(Duration::from_hours(6)));
    assert_eq!((month.bins.bins.len(), month.bins.bins[0].latency.count), (120, 30));
}

#[test]
fn environments_and_imported_runs_are_series_of_their_own() {
    let tagged = |hours, key: &str, value: &str| {
        let tags = [(key.to_owned(), value.to_owned())].into();
        RunSummary { tags, ..run(hours, &[100; 20]) }
    };
    let runs = vec![
        run(0, &[100; 20]),
        tagged(1, ENVIRONMENT_TAG, "staging"),
        tagged(2, ENVIRONMENT_TAG, "live"),
        tagged(3, IMPORTED_TAG, NODE_CHECK),
    ];
    let keys: Vec<SeriesKey> =
        histories(runs, &scope(START, 7, "UTC")).into_iter().map(|one| one.key).collect();
    let environments: Vec<_> = keys.iter().map(|key| key.environment.as_deref()).collect();
    assert_eq!(environments, [None, None, Some("live"), Some("staging")]);
    assert_eq!(keys[1].imported.as_deref(), Some(NODE_CHECK));
}

#[test]
fn a_budget_applies_from_its_first_run_to_the_first_run_without_it() {
    let mut runs: Vec<RunSummary> = (0..4).map(|hours| run(hours, &[100; 20])).collect();
    let other: Budget = "p95 < 250ms".parse().unwrap();
    for run in &mut runs[2..] {
        let figures = run.requests[0].figures.as_mut().unwrap();
        (figures.budgets[0].written, figures.budgets[0].budget) = (other, other);
    }
    let history = only(runs, &scope(START, 1, "UTC"));
    let spans: Vec<_> = history
        .budget_spans
        .iter()
        .map(|span| {
            (span.budget, (span.from - START).whole_hours(), (span.to - START).whole_hours())
        })
        .collect();
    assert_eq!(spans, [(budget(), 0, 2), (other, 2, 3)]);
    assert_eq!(history.period.budgets[0].budget, other, "the current one comes first");
}

#[test]
fn a_budget_relative_to_a_baseline_is_one_budget_whose_ceiling_moves() {
    let written: Budget = "p95 < baseline + 10%".parse().unwrap();
    let of = |hours, budget: &str| {
        let mut one = run(hours, &[100; 20]);
        let figures = one.requests[0].figures.as_mut().unwrap();
        (figures.budgets[0].written, figures.budgets[0].budget) =
            (written, budget.parse().unwrap());
        one
    };
    let limits = ["p95 < baseline + 10%", "p95 < 110ms", "p95 < 110ms", "p95 < 112ms"];
    let runs = (0..).zip(limits).map(|(hours, budget)| of(hours, budget)).collect();
    let history = only(runs, &scope(START, 1, "UTC"));
    let [period] = &history.period.budgets[..] else { panic!("{:?}", history.period.budgets) };
    let millis = |millis| Some(Duration::from_millis(millis));
    assert_eq!((period.budget, period.ceiling, period.is_current), (written, millis(112), true));
    assert_eq!((period.judged, period.attainment.passed), (80, 4));
    assert!(matches!(history.period.actual(&written), Some(ActualQuantile::At(_))));
    // The first run had no limit yet.
    let [span] = &history.budget_spans[..] else { panic!("{:?}", history.budget_spans) };
    let at = |hours| span.ceiling_at(START + Duration::from_hours(hours));
    assert_eq!([at(0), at(1), at(2), at(3)], [None, millis(110), millis(110), millis(112)]);
    assert_eq!(span.ceilings.len(), 2);
}

#[test]
fn a_bin_shows_the_parts_of_its_middle_run() {
    let with_phase = |hours, millis: u64| {
        let mut one = run(hours, &[millis; 20]);
        let micros = Some(millis * 900);
        one.requests[0].figures.as_mut().unwrap().phases = vec![PhaseFigures {
            dimension: crate::record::Dimension::FirstByte,
            count: 20,
            p50_us: micros,
        }];
        one
    };
    let runs = (0..240).map(|run| with_phase(run * 3, 100 + run % 2)).collect();
    let history = only(runs, &scope(START, 30, "UTC"));
    assert_eq!(history.bins.bins[0].phases[0].p50_us, Some(101 * 900));
}

#[test]
fn a_run_with_a_damaged_histogram_is_left_out_and_named() {
    let mut damaged = run(1, &[100; 20]);
    damaged.requests[0].latency.hdr.truncate(20);
    let period = scope(START, 7, "UTC");
    let (mut series, _) =
        group_series(vec![run(0, &[100; 20]), damaged], &HistoryFilter::default(), &period);
    let (history, left_out) = ScenarioHistory::of(series.remove(0), &period, &|_| Vec::new());
    assert_eq!(history.unwrap().attainment.runs(), 1);
    assert!(left_out[0].contains("00000002: the latency of home is"), "{left_out:?}");
}

#[test]
fn a_scenario_without_runs_in_the_period_has_no_history() {
    let later = scope(START + Duration::from_hours(24 * 30), 7, "UTC");
    assert!(histories(vec![run(0, &[100; 20])], &later).is_empty());
}
