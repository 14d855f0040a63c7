//! Series with a cycle of the day.

use std::ops::Range;

use proptest::prelude::*;
use time::{OffsetDateTime, Weekday};

use super::simulated_series::{DaySine, NoiseKind, simulate_series};
use super::tests::any_value;
use super::*;
use crate::record::Dimension;

/// Runs whose latency has noise, a step, and what `cycle` makes of the time of day.
fn series(
    kind: NoiseKind,
    (runs, runs_per_day): (usize, u32),
    change: (usize, f64),
    seed: u64,
    cycle: impl Fn(OffsetDateTime) -> f64,
) -> Vec<RunFigure> {
    let clock = DaySine { amplitude: 0.0, runs_per_day };
    let latencies = simulate_series(kind, runs, 0.1, change, seed);
    let figure = |(run, latency): (usize, f64)| {
        let started = clock.started(run, seed);
        RunFigure { value: Some(latency * cycle(started)), samples: 100, started: Some(started) }
    };
    latencies.into_iter().enumerate().map(figure).collect()
}

fn places(series: &[RunFigure]) -> Vec<usize> {
    let points = find_change_points(series, ChangeScale::Ratio);
    points.iter().map(|point| point.index).collect()
}

fn with_each_kind(amplitude: f64) -> [(f64, NoiseKind); 3] {
    NoiseKind::STATED.map(|kind| (amplitude, kind))
}

/// Histories of one day to a month.
const HISTORIES: [(usize, u32); 4] = [(120, 96), (288, 96), (120, 24), (120, 4)];

#[test]
fn a_cycle_of_the_day_is_not_a_change() {
    let (mut wrong, mut all) = (0, 0);
    for (runs, runs_per_day) in HISTORIES {
        for (amplitude, kind) in [0.1, 0.3].into_iter().flat_map(with_each_kind) {
            let sine = DaySine { amplitude, runs_per_day };
            let flat = |seed: &u64| {
                series(kind, (runs, runs_per_day), (runs, 1.0), *seed, |at| sine.factor(at))
            };
            wrong += (300..303).filter(|seed| !places(&flat(seed)).is_empty()).count();
            all += 3;
        }
    }
    assert!(wrong * 20 <= all, "{wrong} of {all} series with a cycle have a change");
}

#[test]
fn a_step_on_top_of_a_cycle_is_found() {
    for (runs, runs_per_day) in HISTORIES {
        let sine = DaySine { amplitude: 0.1, runs_per_day };
        let is_found = |seed: &u64| {
            let length = (runs, runs_per_day);
            let kind = NoiseKind::Independent;
            let stepped = series(kind, length, (runs / 2, 1.3), *seed, |at| sine.factor(at));
            places(&stepped).iter().any(|place| place.abs_diff(runs / 2) <= 5)
        };
        let found = (0..10).filter(is_found).count();
        assert!(found >= 8, "{runs} runs, {runs_per_day} a day: found in {found} of 10");
    }
}

/// 20 % slower from 9:00 to 18:00, and much slower for an hour of the night.
fn office_hours_and_a_nightly_job(started: OffsetDateTime) -> f64 {
    match started.hour() {
        9..18 => 1.2,
        3 => 1.5,
        _ => 1.0,
    }
}

#[test]
fn a_cycle_may_have_any_shape_after_four_days() {
    let length = (7 * 96, 96);
    let flat = |seed| {
        let cycle = office_hours_and_a_nightly_job;
        series(NoiseKind::Independent, length, (length.0, 1.0), seed, cycle)
    };
    let wrong = (0..10).filter(|seed| !places(&flat(*seed)).is_empty()).count();
    assert!(wrong <= 1, "{wrong} of 10 have a change");
    let stepped =
        series(NoiseKind::Independent, length, (500, 1.25), 3, office_hours_and_a_nightly_job);
    let [place] = places(&stepped)[..] else { panic!("{:?}", places(&stepped)) };
    assert!(place.abs_diff(500) <= 3, "{place}");
}

#[test]
fn quick_weekends_are_not_changes_and_a_step_among_them_is_one() {
    let weekend = |started: OffsetDateTime| match started.weekday() {
        Weekday::Saturday | Weekday::Sunday => 0.8,
        _ => 1.0,
    };
    let length = (42 * 24, 24);
    let flat = series(NoiseKind::Independent, length, (length.0, 1.0), 21, weekend);
    assert!(places(&flat).is_empty(), "{:?}", places(&flat));
    let stepped = series(NoiseKind::Independent, length, (700, 1.25), 21, weekend);
    let [place] = places(&stepped)[..] else { panic!("{:?}", places(&stepped)) };
    assert!(place.abs_diff(700) <= 3, "{place}");
}

#[test]
fn office_hours_that_only_working_days_have_are_not_changes() {
    let office = |started: OffsetDateTime| match (started.weekday(), started.hour()) {
        (Weekday::Saturday | Weekday::Sunday, _) => 0.9,
        (_, 8..18) => 1.25,
        _ => 1.0,
    };
    let length = (42 * 24, 24);
    let wrong = |seed: &u64| {
        let flat = series(NoiseKind::Independent, length, (length.0, 1.0), *seed, office);
        !places(&flat).is_empty()
    };
    assert_eq!((30..34).filter(wrong).count(), 0);
}

#[test]
fn the_effect_of_a_change_is_without_the_cycle() {
    // From the quick half of a day to the slow one of the next, after a week.
    let sine = DaySine { amplitude: 0.3, runs_per_day: 24 };
    let stepped = series(NoiseKind::Independent, (336, 24), (170, 1.25), 11, |at| sine.factor(at));
    let [point] = find_change_points(&stepped, ChangeScale::Ratio)[..] else {
        panic!("one change")
    };
    assert!(point.effect.low < 1.25 && 1.25 < point.effect.high, "{point:?}");
    assert!(point.effect.high / point.effect.low < 1.15, "{point:?}");
}

/// When hourly runs of two weeks started, and on the seventh day 20 more in each of some half
/// hours; and whether they started in these half hours.
fn runs_with_more_on_one_day(half_hours: Range<i64>) -> Vec<(i64, bool)> {
    const DAY: i64 = 6 * 86_400;
    let more = half_hours.clone().flat_map(|half_hour| (1..21).map(move |run| (half_hour, run)));
    let more = more.map(|(half_hour, run)| DAY + half_hour * 1_800 + run * 60);
    let mut starts: Vec<i64> = (0..14 * 24).map(|hour| hour * 3_600).chain(more).collect();
    starts.sort_unstable();
    let is_among = |start: i64| half_hours.contains(&(start - DAY).div_euclid(1_800));
    starts.into_iter().map(|start| (start, is_among(start))).collect()
}

#[test]
fn an_incident_in_half_hours_that_no_other_day_uses_is_not_a_cycle() {
    for half_hours in [25..26, 3..8] {
        let runs = runs_with_more_on_one_day(half_hours);
        let start = runs.iter().position(|run| run.1).unwrap();
        let end = runs.iter().rposition(|run| run.1).unwrap() + 1;
        for factor in [1.25, 2.0, 10.0] {
            let is_found = |seed: &u64| {
                let kind = NoiseKind::Independent;
                let noise = simulate_series(kind, runs.len(), 0.1, (runs.len(), 1.0), *seed);
                let figure = |((second, is_slow), value): (&(i64, bool), f64)| RunFigure {
                    value: Some(if *is_slow { value * factor } else { value }),
                    samples: 100,
                    started: OffsetDateTime::from_unix_timestamp(*second).ok(),
                };
                let series: Vec<RunFigure> = runs.iter().zip(noise).map(figure).collect();
                let found = places(&series);
                found.len() == 2 && found[0].abs_diff(start) <= 5 && found[1].abs_diff(end) <= 5
            };
            let found = (0..10).filter(is_found).count();
            assert!(found >= 9, "{start}..{end} × {factor}: found in {found} of 10");
        }
    }
}

#[test]
fn the_share_of_a_phase_is_without_its_cycle() {
    // TLS steps at the start of the office hours, in which the first byte is always slow.
    let runs = 9 * 24 + 9 + 5;
    let step = runs - 5;
    let clock = DaySine { amplitude: 0.0, runs_per_day: 24 };
    let phase = |level: f64, seed: u64, added: &dyn Fn(usize, OffsetDateTime) -> f64| {
        let noise = simulate_series(NoiseKind::Independent, runs, 0.02, (runs, 1.0), seed);
        let value = |(run, noise): (usize, f64)| {
            let started = clock.started(run, 0);
            let value = Some(noise / 0.2 * (level + added(run, started)));
            RunFigure { value, samples: 100, started: Some(started) }
        };
        noise.into_iter().enumerate().map(value).collect::<Vec<RunFigure>>()
    };
    let tls = phase(0.030, 41, &|run, _| if run < step { 0.0 } else { 0.015 });
    let office = |started: OffsetDateTime| (9..18).contains(&started.hour());
    let first_byte = phase(0.1, 42, &|_, started| if office(started) { 0.03 } else { 0.0 });
    let latency: Vec<RunFigure> = tls
        .iter()
        .zip(&first_byte)
        .map(|(tls, other)| RunFigure {
            value: tls.value.zip(other.value).map(|(tls, other)| tls + other),
            ..*tls
        })
        .collect();
    let phases = [(Dimension::Tls, &tls), (Dimension::FirstByte, &first_byte)]
        .map(|(dimension, figures)| PhaseSeries { dimension, figures });
    let [change] = &find_changes_by_phase(&latency, &phases)[..] else { panic!("one change") };
    assert!(change.latency.is_some() && change.index.abs_diff(step) <= 1, "{change:?}");
    let first = change.phases[0];
    assert_eq!(first.dimension, Dimension::Tls, "{change:?}");
    assert!(first.share.is_some_and(|share| (0.8..1.25).contains(&share)), "{change:?}");
    let is_small = |phase: &ChangedPhase| phase.share.is_some_and(|share| share.abs() < 0.3);
    assert!(change.phases[1..].iter().all(is_small), "{change:?}");
}

#[test]
fn a_phase_that_is_zero_for_a_quarter_of_each_day_has_no_changes_by_that() {
    let idle = |started: OffsetDateTime| if started.hour() < 6 { 0.0 } else { 1.0 };
    for length in [(14 * 24, 24), (14 * 96, 96)] {
        let flat = |seed| series(NoiseKind::Independent, length, (length.0, 1.0), seed, idle);
        let wrong = (0..10).filter(|seed| !places(&flat(*seed)).is_empty()).count();
        assert!(wrong <= 1, "{length:?}: {wrong} of 10 have a change");
        let stepped = series(NoiseKind::Independent, length, (200, 1.5), 3, idle);
        assert!(places(&stepped).iter().any(|place| place.abs_diff(200) <= 12), "{length:?}");
    }
}

#[test]
fn weekdays_of_one_run_a_day_are_not_changes() {
    let weekend = |started: OffsetDateTime| match started.weekday() {
        Weekday::Saturday | Weekday::Sunday => 0.6,
        _ => 1.0,
    };
    let flat = |seed| series(NoiseKind::Independent, (120, 1), (120, 1.0), seed, weekend);
    let wrong = (0..10).filter(|seed| !places(&flat(*seed)).is_empty()).count();
    assert!(wrong <= 1, "{wrong} of 10 have a change");
    let is_found = |seed: &u64| {
        let stepped = series(NoiseKind::Independent, (120, 1), (60, 1.2), *seed, weekend);
        places(&stepped).iter().any(|place| place.abs_diff(60) <= 5)
    };
    let found = (0..10).filter(is_found).count();
    assert!(found >= 9, "found in {found} of 10");
}

#[test]
fn final_changes_never_move_when_runs_with_a_cycle_are_appended() {
    let sine = DaySine { amplitude: 0.3, runs_per_day: 96 };
    let level = |runs: usize| if (runs / 180).is_multiple_of(2) { 1.0 } else { 1.5 };
    let mut series =
        series(NoiseKind::Independent, (1_200, 96), (1_200, 1.0), 12, |at| sine.factor(at));
    for (run, figure) in series.iter_mut().enumerate() {
        figure.value = figure.value.map(|value| value * level(run));
    }
    let mut detector = ChangeDetector::new(ChangeScale::Ratio);
    let mut known: Vec<ChangePoint> = Vec::new();
    for figure in &series {
        detector.append(*figure);
        assert_eq!(detector.final_points()[..known.len()], known);
        known = detector.final_points().to_vec();
    }
    assert!(known.len() >= 3, "{known:?}");
    assert_eq!(detector.change_points(), find_change_points(&series, ChangeScale::Ratio));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_figure_is_finite_whatever_the_times(
        runs in prop::collection::vec((any_value(), -377_705_116_800_i64..253_402_300_800), 0..400),
        days: bool,
        is_ratio: bool,
    ) {
        let figure = |(value, second): (Option<f64>, i64)| {
            // Any moment of history, or days of which all weekdays come twice; in any order.
            let second = if days { second.rem_euclid(21 * 86_400) } else { second };
            let started = OffsetDateTime::from_unix_timestamp(second).ok();
            RunFigure { value, samples: 1, started }
        };
        let series: Vec<RunFigure> = runs.into_iter().map(figure).collect();
        let scale = if is_ratio { ChangeScale::Ratio } else { ChangeScale::Difference };
        let points = find_change_points(&series, scale);
        prop_assert!(points.windows(2).all(|pair| pair[0].index < pair[1].index));
        for ChangePoint { effect, false_rate, .. } in points {
            let all = [effect.low, effect.size, effect.high, false_rate];
            prop_assert!(all.iter().all(|figure| figure.is_finite()), "{all:?}");
        }
    }
}
