//! The figures of one attempt's warm-up curve.

use std::collections::BTreeMap;

use super::outliers::{median, quantile};
use super::{SequenceKind, SteadyState, find_steady_state};
use crate::record::session::{Attempt, CurveFigures, ExchangeSample, FigureKind};
use crate::tune::first_answer::FirstAnswer;

/// The steady state of a curve, from its samples in the order of due times. Indices are those of
/// the samples; failed ones count as missing.
pub fn find_steady_samples(samples: &[ExchangeSample]) -> SteadyState {
    find_steady_state(&relative_latencies(samples), SequenceKind::Requests)
}

/// The latency of each sample in medians of its own request, so that different requests make one
/// sequence; NaN for those that failed.
pub(super) fn relative_latencies(samples: &[ExchangeSample]) -> Vec<f64> {
    let medians = medians_by_request(samples);
    let relative = |sample: &ExchangeSample| {
        let typical = medians.get(sample.request.as_str()).copied().unwrap_or_default();
        let latency = sample.latency.as_secs_f64();
        match (&sample.failure, typical > 0.0) {
            (Some(_), _) => f64::NAN,
            (None, true) => latency / typical,
            // Half of the latencies are zero: those that are not are still slower.
            (None, false) => latency,
        }
    };
    samples.iter().map(relative).collect()
}

/// The median latency of each request in seconds, of its samples that did not fail.
fn medians_by_request(samples: &[ExchangeSample]) -> BTreeMap<&str, f64> {
    let mut latencies: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| sample.failure.is_none()) {
        latencies.entry(&sample.request).or_default().push(sample.latency.as_secs_f64());
    }
    latencies.into_iter().map(|(request, latencies)| (request, median(&latencies))).collect()
}

/// The figures of an attempt's curve that are estimated over restarts.
///
/// Without a steady state no request is known to be cold, so only those of the first answer are
/// there.
pub fn curve_figures(attempt: &Attempt) -> CurveFigures {
    let found = find_steady_samples(&attempt.curve);
    let mut values = first_figures(attempt);
    if let Some(from) = found.steady_from {
        let (cold, steady) = attempt.curve.split_at(from);
        values.extend(warm_up_figures(attempt, from));
        values.extend(cold_cost(cold, steady).map(|cost| (FigureKind::ColdCost, cost)));
        values.extend(steady_figures(attempt, steady));
    }
    CurveFigures {
        attempt: attempt.number,
        class: found.class,
        steady_from: found.steady_from,
        values,
    }
}

/// First answer and its connection.
fn first_figures(attempt: &Attempt) -> Vec<(FigureKind, f64)> {
    let Some(first) = FirstAnswer::of(attempt) else { return Vec::new() };
    let answer = (FigureKind::FirstAnswer, first.total.as_secs_f64());
    let setup = first.connection().map(|time| (FigureKind::ConnectionSetup, time.as_secs_f64()));
    [Some(answer), setup].into_iter().flatten().collect()
}

/// Requests and time until the curve is steady, first requests included. The pause between them and
/// the curve is not in the samples and so not in the time.
fn warm_up_figures(attempt: &Attempt, steady_from: usize) -> Vec<(FigureKind, f64)> {
    let requests = attempt.first.len() + steady_from;
    let first = attempt.first.iter().map(|sample| sample.due + sample.latency).max();
    let into_curve = attempt.curve.get(steady_from).map(|sample| sample.due);
    let time = first.unwrap_or_default() + into_curve.unwrap_or_default();
    vec![
        (FigureKind::RequestsToSteady, requests as f64),
        (FigureKind::TimeToSteady, time.as_secs_f64()),
    ]
}

/// The mean latency of answered requests above the steady median of the same request, in seconds;
/// `None` without any.
fn cold_cost(cold: &[ExchangeSample], steady: &[ExchangeSample]) -> Option<f64> {
    let medians = medians_by_request(steady);
    let cost = |sample: &ExchangeSample| {
        Some(sample.latency.as_secs_f64() - medians.get(sample.request.as_str())?)
    };
    let answered = cold.iter().filter(|sample| sample.failure.is_none());
    let costs: Vec<f64> = answered.filter_map(cost).collect();
    (!costs.is_empty()).then(|| costs.iter().sum::<f64>() / costs.len() as f64)
}

/// p50 and p95 of the steady stage, which has more exchanges, or else of the steady part of the
/// curve.
fn steady_figures(attempt: &Attempt, steady: &[ExchangeSample]) -> Vec<(FigureKind, f64)> {
    let answered = steady.iter().filter(|sample| sample.failure.is_none());
    let mut latencies: Vec<f64> = answered.map(|sample| sample.latency.as_secs_f64()).collect();
    latencies.sort_by(f64::total_cmp);
    let of_stage = |share| attempt.steady.as_ref().and_then(|stage| stage.latency.at_share(share));
    let figure =
        |share| of_stage(share).map_or_else(|| quantile(&latencies, share), |at| at.as_secs_f64());
    vec![(FigureKind::SteadyP50, figure(0.5)), (FigureKind::SteadyP95, figure(0.95))]
}
