use std::collections::BTreeMap;
use std::time::Duration;

use super::simulated_curve::{CurveShape, SimulatedCurve};
use super::*;
use crate::record::Dimension;
use crate::record::session::ExchangeSample;

fn requests(values: &[f64]) -> SteadyState {
    find_steady_state(values, SequenceKind::Requests)
}

fn iterations(values: &[f64]) -> SteadyState {
    find_steady_state(values, SequenceKind::Iterations)
}

/// A sequence without random numbers whose values scatter by ± 3 %.
fn around(mean: f64, count: usize) -> Vec<f64> {
    (0..count).map(|at| mean * (1.0 + 0.03 * ((at * 7 % 11) as f64 / 5.0 - 1.0))).collect()
}

fn assert_sound(values: &[f64], found: &SteadyState) {
    assert_eq!(found.segments.first().map(|segment| segment.range.start), Some(0));
    assert_eq!(found.segments.last().map(|segment| segment.range.end), Some(values.len()));
    for pair in found.segments.windows(2) {
        assert_eq!(pair[0].range.end, pair[1].range.start);
    }
    assert!(found.segments.iter().all(|one| one.mean.is_finite() && one.spread.is_finite()));
    assert!(found.steady_from.is_none_or(|from| from < values.len()));
    assert_eq!(
        found.steady_from.is_some(),
        found.class.is_some_and(|class| class != CurveClass::NoSteadyState)
    );
}

#[test]
fn a_flat_sequence_is_steady_from_the_start() {
    for found in [requests(&around(20.0, 120)), iterations(&around(20.0, 900))] {
        assert_eq!((found.class, found.steady_from), (Some(CurveClass::Flat), Some(0)));
    }
}

#[test]
fn a_warm_up_of_two_steps_is_steady_after_the_second() {
    let values = [around(9.0, 20), around(4.0, 30), around(2.0, 100)].concat();
    let found = requests(&values);
    assert_eq!((found.class, found.steady_from), (Some(CurveClass::WarmUp), Some(50)));
    let starts: Vec<usize> = found.segments.iter().map(|segment| segment.range.start).collect();
    assert_eq!(starts, [0, 20, 50]);
    assert!((found.segments[2].mean - 2.0).abs() < 0.02);

    let values = [around(9.0, 300), around(4.0, 500), around(2.0, 1_200)].concat();
    let found = iterations(&values);
    assert_eq!(found.class, Some(CurveClass::WarmUp));
    assert!(found.steady_from.is_some_and(|from| from.abs_diff(800) <= 3));
}

#[test]
fn a_sequence_that_ends_slower_than_an_earlier_part_is_a_slowdown() {
    let values = [around(3.0, 30), around(1.0, 60), around(1.4, 90)].concat();
    let found = requests(&values);
    assert_eq!((found.class, found.steady_from), (Some(CurveClass::Slowdown), Some(90)));
    let values = [around(1.0, 400), around(1.4, 1_000)].concat();
    assert_eq!(iterations(&values).class, Some(CurveClass::Slowdown));
}

#[test]
fn a_drift_that_never_ends_has_no_steady_state() {
    let growing: Vec<f64> = around(1.0, 300)
        .iter()
        .zip(0..)
        .map(|(value, at)| value * (1.0 + f64::from(at) / 100.0))
        .collect();
    let found = requests(&growing);
    assert_eq!((found.class, found.steady_from), (Some(CurveClass::NoSteadyState), None));
    let falling: Vec<f64> = growing.into_iter().rev().collect();
    assert_eq!(requests(&falling).class, Some(CurveClass::NoSteadyState));
}

#[test]
fn cycles_that_never_end_are_no_steady_state() {
    let values: Vec<f64> = (0..15).flat_map(|turn| around(1.0 + f64::from(turn % 2), 20)).collect();
    assert_eq!(requests(&values).class, Some(CurveClass::NoSteadyState));
}

#[test]
fn two_values_in_turn_are_steady() {
    let values: Vec<f64> = (0..200).map(|at| f64::from(1 + at % 2)).collect();
    assert_eq!(requests(&values).class, Some(CurveClass::Flat));
}

#[test]
fn single_spikes_change_neither_the_class_nor_the_mean() {
    let mut values = around(1.0, 200);
    for at in [17, 60, 61, 140, 199] {
        values[at] = 40.0;
    }
    let found = requests(&values);
    assert_eq!(found.class, Some(CurveClass::Flat));
    assert!((found.segments[0].mean - 1.0).abs() < 0.01);
}

#[test]
fn a_slow_first_request_is_a_warm_up_of_one_request() {
    for factor in [2.0, 10.0, 400.0] {
        let values = [vec![factor], around(1.0, 100)].concat();
        let found = requests(&values);
        assert_eq!((found.class, found.steady_from), (Some(CurveClass::WarmUp), Some(1)));
        assert_eq!(found.segments[0].range, 0..1);
    }
}

#[test]
fn equal_values_are_flat_even_if_they_are_zero() {
    for value in [0.0, 1e-9, 1.0, 1e12] {
        for found in [requests(&[value; 60]), iterations(&[value; 400])] {
            assert_eq!((found.class, found.steady_from), (Some(CurveClass::Flat), Some(0)));
            assert!((found.segments[0].mean - value).abs() <= value * 1e-9);
            assert!(found.segments[0].spread <= value * 1e-9);
        }
    }
}

#[test]
fn what_is_too_short_is_not_known_yet() {
    for count in 1..MIN_STEADY {
        let values = around(1.0, count);
        for found in [requests(&values), iterations(&values)] {
            assert_eq!((found.class, found.steady_from), (None, None), "{count} values");
            assert_sound(&values, &found);
        }
    }
    let just_steady = [around(3.0, 20), around(1.0, 15)].concat();
    assert_eq!(requests(&just_steady).class, None);
    assert_eq!(requests(&[]), SteadyState { segments: vec![], steady_from: None, class: None });
}

#[test]
fn a_steady_state_in_the_last_sixth_comes_too_late() {
    let values = [around(2.0, 280), around(1.0, 50)].concat();
    assert_eq!(requests(&values).class, Some(CurveClass::NoSteadyState));
    let values = [around(2.0, 240), around(1.0, 60)].concat();
    assert_eq!(requests(&values).steady_from, Some(240));
}

#[test]
fn a_difference_of_less_than_5_percent_is_none() {
    let values = [around(1.03, 100), around(1.0, 100)].concat();
    assert_eq!(requests(&values).class, Some(CurveClass::Flat));
    let values = [around(1.09, 100), around(1.0, 100)].concat();
    assert_eq!(requests(&values).class, Some(CurveClass::WarmUp));
}

#[test]
fn the_unit_does_not_matter() {
    let curve = SimulatedCurve::new(CurveShape::Exponential(40.0), 200, 0.2);
    let seconds = curve.draw(3);
    let nanoseconds: Vec<f64> = seconds.iter().map(|second| second * 1e9).collect();
    assert_eq!(requests(&seconds).steady_from, requests(&nanoseconds).steady_from);
}

#[test]
fn values_that_are_not_latencies_are_missing() {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0];
    let mut values = [around(5.0, 40), around(1.0, 100)].concat();
    for (at, value) in [3, 50, 51, 139].into_iter().zip(odd) {
        values[at] = value;
    }
    let found = requests(&values);
    assert_sound(&values, &found);
    assert_eq!((found.class, found.steady_from), (Some(CurveClass::WarmUp), Some(40)));
    assert_eq!(requests(&odd), SteadyState { segments: vec![], steady_from: None, class: None });
}

#[test]
fn no_sequence_of_any_latencies_gives_an_unsound_answer() {
    let extremes = [0.0, f64::MIN_POSITIVE, 1e-300, 1.0, 1e300, f64::MAX];
    for seed in 0..60_u64 {
        let count = 1 + (seed * 37 % 240) as usize;
        let pick = |at: usize| extremes[(at as u64 * (seed + 3) / 7 % 6) as usize];
        let values: Vec<f64> = (0..count).map(pick).collect();
        assert_sound(&values, &requests(&values));
        assert_sound(&values, &iterations(&values));
    }
}

#[test]
fn a_very_long_sequence_is_averaged_and_keeps_its_indices() {
    let values = [around(2.0, 1_500), around(1.0, 8_000)].concat();
    let found = requests(&values);
    assert_eq!(found.class, Some(CurveClass::WarmUp));
    assert!(found.steady_from.is_some_and(|from| from.abs_diff(1_500) <= 2));
    assert_sound(&values, &found);
}

/// The share of so many seeded curves of which something is true, their variations from 10 to
/// 30 %.
fn share(
    curves: u64,
    (shape, requests): (CurveShape, usize),
    holds: impl Fn(&SimulatedCurve, &SteadyState) -> bool,
) -> f64 {
    let is_true = |seed: &u64| {
        let variation = 0.1 + 0.2 * (*seed as f64 / curves as f64);
        let curve = SimulatedCurve::new(shape, requests, variation);
        holds(&curve, &find_steady_state(&curve.draw(*seed), SequenceKind::Requests))
    };
    (0..curves).filter(is_true).count() as f64 / curves as f64
}

fn is_near(curve: &SimulatedCurve, found: &SteadyState) -> bool {
    found.class == Some(CurveClass::WarmUp)
        && found.steady_from.is_some_and(|from| from.abs_diff(curve.steady_from()) <= 15)
}

#[test]
fn the_end_of_a_straight_slope_is_found_within_15_requests_in_80_percent() {
    let near = share(200, (CurveShape::Line(40.0), 300), is_near);
    assert!(near >= 0.8, "{near}");
}

#[test]
fn the_end_of_an_exponential_slope_is_found_within_15_requests_in_80_percent() {
    let near = share(200, (CurveShape::Exponential(40.0), 300), is_near);
    assert!(near >= 0.8, "{near}");
}

#[test]
fn a_flat_curve_is_called_flat_in_95_percent() {
    for count in [60, 300] {
        let flat =
            share(200, (CurveShape::Flat, count), |_, found| found.class == Some(CurveClass::Flat));
        assert!(flat >= 0.95, "{count} requests: {flat}");
    }
}

#[test]
fn two_noisy_steps_are_a_warm_up_that_ends_with_the_second() {
    let near = share(50, (CurveShape::TwoSteps(20.0), 150), is_near);
    assert!(near >= 0.9, "{near}");
}

#[test]
fn a_noisy_curve_that_becomes_slower_is_a_slowdown() {
    let is_slowdown = |_: &SimulatedCurve, found: &SteadyState| {
        found.class == Some(CurveClass::Slowdown)
            && found.steady_from.is_some_and(|from| from.abs_diff(60) <= 15)
    };
    let slower = share(50, (CurveShape::Slowdown(60.0), 150), is_slowdown);
    assert!(slower >= 0.8, "{slower}");
}

#[test]
fn noisy_cycles_are_no_steady_state() {
    let never = |_: &SimulatedCurve, found: &SteadyState| found.steady_from.is_none();
    let share = share(50, (CurveShape::Cycles(20.0), 200), never);
    assert!(share >= 0.9, "{share}");
}

#[test]
fn a_curve_that_ends_on_its_slope_is_not_steady() {
    let unfinished = |_: &SimulatedCurve, found: &SteadyState| found.steady_from.is_none();
    let share = share(100, (CurveShape::Line(40.0), 40), unfinished);
    assert!(share >= 0.95, "{share}");
}

fn sample(index: usize, seconds: f64) -> ExchangeSample {
    let latency = Duration::from_secs_f64(seconds);
    ExchangeSample {
        request: "tile".to_owned(),
        due: Duration::from_millis(500) * u32::try_from(index).unwrap(),
        latency,
        parts: BTreeMap::from([(
            Dimension::FirstByte,
            u64::try_from(latency.as_micros()).unwrap(),
        )]),
        failure: None,
        fresh: false,
        heat: None,
    }
}

fn samples(seconds: &[f64]) -> Vec<ExchangeSample> {
    seconds.iter().enumerate().map(|(index, seconds)| sample(index, *seconds)).collect()
}

/// After how many samples a curve is ended.
fn stop_of(curve: &SimulatedCurve, seed: u64) -> Option<usize> {
    let samples = samples(&curve.draw(seed));
    (1..=samples.len()).find(|count| is_steady_now(&samples[..*count]))
}

#[test]
fn a_growing_curve_is_ended_soon_after_it_is_steady() {
    let curve =
        SimulatedCurve { boot: 100.0, ..SimulatedCurve::new(CurveShape::Line(40.0), 150, 0.15) };
    let stops: Vec<usize> = (0..10).filter_map(|seed| stop_of(&curve, seed)).collect();
    assert!(stops.len() >= 9, "{stops:?}");
    assert!(stops.iter().filter(|stop| (75..=110).contains(*stop)).count() >= 9, "{stops:?}");
}

#[test]
fn a_curve_that_still_changes_is_not_ended() {
    for shape in [CurveShape::EndlessDrift, CurveShape::Line(120.0)] {
        let curve = SimulatedCurve::new(shape, 100, 0.1);
        assert!((0..5).all(|seed| stop_of(&curve, seed).is_none()), "{shape:?}");
    }
}

#[test]
fn a_growing_curve_is_not_ended_while_requests_fail() {
    let mut samples = samples(&around(0.05, 60));
    assert!(is_steady_now(&samples));
    samples[58].failure = Some(crate::record::Failure::Refused);
    assert!(!is_steady_now(&samples));
    assert!(!is_steady_now(&samples[..10]));
    assert!(!is_steady_now(&[]));
}

#[test]
fn requests_of_different_latency_make_one_curve() {
    let mut samples = samples(&[around(0.15, 40), around(0.05, 120)].concat());
    for (index, sample) in samples.iter_mut().enumerate() {
        if index % 3 == 0 {
            sample.request = "page".to_owned();
            sample.latency *= 20;
        }
    }
    let found = curve::find_steady_samples(&samples);
    assert_eq!((found.class, found.steady_from), (Some(CurveClass::WarmUp), Some(40)));
}

#[test]
fn restarts_that_differ_are_inconsistent() {
    use CurveClass::{Flat, Inconsistent, NoSteadyState, WarmUp};
    assert_eq!(classify_restarts([Some(WarmUp), None, Some(WarmUp)]), Some(WarmUp));
    assert_eq!(classify_restarts([Some(Flat), Some(WarmUp)]), Some(Inconsistent));
    assert_eq!(classify_restarts([Some(WarmUp), Some(NoSteadyState)]), Some(Inconsistent));
    assert_eq!(classify_restarts([None, None]), None);
}
