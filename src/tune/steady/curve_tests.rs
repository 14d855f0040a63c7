use std::collections::BTreeMap;
use std::time::Duration;

use time::OffsetDateTime;

use super::curve::curve_figures;
use crate::record::session::{
    Attempt, CurveClass, CurveEnd, CurveFigures, ExchangeSample, FigureKind, QuotaReading,
    StartKind,
};
use crate::record::{Dimension, Failure};

/// A sample every 500 ms with this latency in milliseconds, of which a connection took a part.
fn sample(index: u32, latency: u64, connection: u64) -> ExchangeSample {
    let micros = |millis: u64| millis * 1_000;
    ExchangeSample {
        request: "tile".to_owned(),
        due: Duration::from_millis(500) * index,
        latency: Duration::from_millis(latency),
        parts: BTreeMap::from([
            (Dimension::Connect, micros(connection / 2)),
            (Dimension::Tls, micros(connection - connection / 2)),
            (Dimension::FirstByte, micros(latency - connection - 1)),
            (Dimension::Body, micros(1)),
        ]),
        failure: None,
        fresh: connection > 0,
        heat: None,
    }
}

/// Steady latencies from 38 to 42 ms.
fn steady_latency(index: u32) -> u64 {
    38 + u64::from(index * 7 % 5)
}

/// A boot of 2 s, ten requests of 120 ms, and 90 around 40 ms.
fn attempt() -> Attempt {
    let curve = (0..100)
        .map(|index| sample(index, if index < 10 { 120 } else { steady_latency(index) }, 0));
    Attempt {
        number: 3,
        round: 1,
        configuration: 0,
        started: OffsetDateTime::UNIX_EPOCH,
        cold_from: None,
        first_due: None,
        took: Duration::from_mins(1),
        machines_before: Vec::new(),
        machines_after: Vec::new(),
        machine: None,
        start: StartKind::Unknown,
        start_by_events: None,
        first: vec![sample(0, 2_000, 180)],
        curve: curve.collect(),
        curve_end: CurveEnd::Steady,
        steady: None,
        quota: QuotaReading::NotKnown("no token".to_owned()),
        problem: None,
    }
}

fn value(figures: &CurveFigures, kind: FigureKind) -> Option<f64> {
    let own = figures.values.iter().find(|(own, _)| *own == kind);
    own.map(|(_, value)| (value * 1e6).round() / 1e6)
}

#[test]
fn the_figures_of_a_curve_follow_from_its_steady_point() {
    let figures = curve_figures(&attempt());
    assert_eq!(figures.attempt, 3);
    assert_eq!(figures.class, Some(CurveClass::WarmUp));
    assert_eq!(figures.steady_from, Some(10));
    assert_eq!(value(&figures, FigureKind::FirstAnswer), Some(2.0));
    assert_eq!(value(&figures, FigureKind::ConnectionSetup), Some(0.18));
    assert_eq!(value(&figures, FigureKind::RequestsToSteady), Some(11.0));
    assert_eq!(value(&figures, FigureKind::TimeToSteady), Some(7.0));
    assert_eq!(value(&figures, FigureKind::ColdCost), Some(0.08));
    assert_eq!(value(&figures, FigureKind::SteadyP50), Some(0.04));
    assert_eq!(value(&figures, FigureKind::SteadyP95), Some(0.042));
}

#[test]
fn failed_requests_enter_no_figure_but_count_on_the_way_to_steady() {
    let mut attempt = attempt();
    attempt.first.insert(0, sample(0, 5_000, 0));
    attempt.first[0].failure = Some(Failure::Refused);
    attempt.first[1].due = Duration::from_secs(6);
    for index in [2, 50] {
        attempt.curve[index].failure = Some(Failure::Refused);
        attempt.curve[index].latency = Duration::from_secs(9);
    }
    let figures = curve_figures(&attempt);
    assert_eq!(figures.steady_from, Some(10));
    assert_eq!(value(&figures, FigureKind::FirstAnswer), Some(8.0));
    assert_eq!(value(&figures, FigureKind::RequestsToSteady), Some(12.0));
    assert_eq!(value(&figures, FigureKind::TimeToSteady), Some(13.0));
    // 9 of the 10 before the steady state were answered.
    assert_eq!(value(&figures, FigureKind::ColdCost), Some(0.08));
    assert_eq!(value(&figures, FigureKind::SteadyP95), Some(0.042));
}

#[test]
fn a_curve_that_is_too_short_has_only_the_figures_of_its_first_request() {
    let mut attempt = attempt();
    attempt.curve.truncate(20);
    let figures = curve_figures(&attempt);
    assert_eq!((figures.class, figures.steady_from), (None, None));
    let kinds: Vec<FigureKind> = figures.values.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [FigureKind::FirstAnswer, FigureKind::ConnectionSetup]);

    attempt.first.clear();
    attempt.curve.clear();
    assert_eq!(curve_figures(&attempt).values, []);
}

#[test]
fn a_flat_curve_has_no_cold_requests() {
    let mut attempt = attempt();
    attempt.curve.drain(..10);
    let figures = curve_figures(&attempt);
    assert_eq!(figures.class, Some(CurveClass::Flat));
    assert_eq!(value(&figures, FigureKind::RequestsToSteady), Some(1.0));
    assert_eq!(value(&figures, FigureKind::ColdCost), None);
}
