//! The change points that a site shows.

use std::time::Duration;

use super::period_tests::{START, run, scope};
use super::*;
use crate::record::{Dimension, PhaseFigures};

/// Microseconds of the parts of one run.
#[derive(Debug, Clone, Copy)]
struct Parts {
    tls: f64,
    first_byte: f64,
}

const USUAL: Parts = Parts { tls: 8_000.0, first_byte: 192_000.0 };

/// The marks of so many hourly runs, each with the parts that `parts` gives it and noise of ± 5 %.
fn marks(runs: u64, parts: impl Fn(u64) -> Parts) -> Vec<ChangeMark> {
    let run = |number: u64| {
        let noise = |step: u64| 0.95 + 0.1 * ((number * step) % 101) as f64 / 101.0;
        let Parts { tls, first_byte } = parts(number);
        let micros = [tls * noise(7_919), first_byte * noise(6_101)];
        phased_run(number, micros.map(|micros| Duration::from_secs_f64(micros / 1e6)))
    };
    let period = scope(START, 365, "UTC");
    let (mut series, _) = group_series((0..runs).map(run), &HistoryFilter::default(), &period);
    change_marks(&series.remove(0).requests.remove(0))
}

fn phased_run(number: u64, parts: [Duration; 2]) -> RunSummary {
    let mut summary = run(number, &[]);
    let request = &mut summary.requests[0];
    let mut latency = Histogram::default();
    (0..20).for_each(|_| latency.record(parts.iter().sum()));
    (request.exchanges, request.ok) = (20, 20);
    request.latency = EncodedHistogram::of(&latency);
    let phase = |(dimension, part): (Dimension, Duration)| {
        let micros = u64::try_from(part.as_micros()).ok();
        PhaseFigures { dimension, count: 20, p50_us: micros }
    };
    let named = [Dimension::Tls, Dimension::FirstByte].into_iter().zip(parts);
    request.figures.as_mut().unwrap().phases = named.map(phase).collect();
    summary
}

/// The usual parts, and others from a run on.
fn changed_at(change: u64, after: Parts) -> impl Fn(u64) -> Parts {
    move |run| if run < change { USUAL } else { after }
}

#[test]
fn the_part_that_explains_a_change_is_named_with_its_effect_and_interval() {
    let slower = Parts { first_byte: USUAL.first_byte * 1.25, ..USUAL };
    let [mark] = marks(120, changed_at(60, slower))[..] else { panic!("one change") };
    assert!(mark.run.abs_diff(60) <= 1 && mark.is_confirmed, "{mark:?}");
    let named = (Dimension::Latency, Some(Dimension::FirstByte));
    assert_eq!((mark.dimension, mark.explained_by), named);
    let (low, high) = mark.interval;
    assert!(low < 1.24 && 1.24 < high && low < mark.ratio && mark.ratio < high, "{mark:?}");
}

#[test]
fn parts_that_change_in_both_directions_leave_latency_unchanged_and_are_shown() {
    let moved = Parts { tls: 40_000.0, first_byte: USUAL.first_byte - 30_000.0 };
    let [mark] = marks(120, changed_at(60, moved))[..] else { panic!("one change") };
    assert_eq!((mark.dimension, mark.explained_by), (Dimension::Tls, None), "{mark:?}");
}

#[test]
fn a_change_of_the_newest_runs_is_not_yet_confirmed() {
    let slower = Parts { first_byte: USUAL.first_byte * 1.5, ..USUAL };
    let [early] = marks(123, changed_at(120, slower))[..] else { panic!("one change") };
    assert!(early.run.abs_diff(120) <= 1 && !early.is_confirmed, "{early:?}");
    let [later] = marks(130, changed_at(120, slower))[..] else { panic!("one change") };
    assert!(later.is_confirmed, "{later:?}");
}

#[test]
fn half_as_much_again_of_a_part_is_shown_though_it_is_2_percent_of_latency() {
    let slower = Parts { tls: USUAL.tls * 1.5, ..USUAL };
    let [mark] = marks(120, changed_at(70, slower))[..] else { panic!("one change") };
    assert!(mark.run.abs_diff(70) <= 1 && mark.is_confirmed, "{mark:?}");
    assert_eq!((mark.dimension, mark.explained_by), (Dimension::Tls, None));
    assert!((mark.ratio - 1.5).abs() < 0.05, "{mark:?}");
}

#[test]
fn a_change_of_a_part_by_less_than_1_percent_of_latency_is_not_shown() {
    let slower = Parts { tls: USUAL.tls * 1.2, ..USUAL };
    assert_eq!(marks(120, changed_at(70, slower)), []);
}

#[test]
fn a_cycle_of_the_day_is_not_shown_as_changes() {
    let slow_days = |run: u64| match run % 24 {
        8..20 => Parts { first_byte: USUAL.first_byte * 1.4, ..USUAL },
        _ => USUAL,
    };
    assert_eq!(marks(24 * 10, slow_days), []);
}
