//! The figures of one attempt's warm-up curve.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::outliers::{median, quantile};
use super::{SequenceKind, SteadyState, find_steady_state};
use crate::record::Dimension;
use crate::record::session::{Attempt, CurveFigures, ExchangeSample, FigureKind};

/// The parts of a latency that opening the connection takes, of each redirect hop too.
const CONNECTION_PARTS: [Dimension; 4] =
    [Dimension::Dns, Dimension::Connect, Dimension::Proxy, Dimension::Tls];

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

/// Where the time of one or more exchanges went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LatencySplit {
    /// From due to done.
    pub total: Duration,
    /// Names, TCP, a proxy's tunnel and TLS, also of redirect hops.
    pub connection: Duration,
    /// First byte and body: what the target did, and the way there and back.
    pub server: Duration,
}

impl LatencySplit {
    /// The split of one exchange.
    pub fn of(sample: &ExchangeSample) -> Self {
        let connection = CONNECTION_PARTS.iter().map(|part| sample.part(*part)).sum();
        Self { total: sample.latency, connection, server: sample.service() }
    }

    /// What is neither: the prober's lag, and waiting for a connection.
    pub fn rest(&self) -> Duration {
        self.total.saturating_sub(self.connection).saturating_sub(self.server)
    }

    /// The sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            total: self.total.saturating_add(other.total),
            connection: self.connection.saturating_add(other.connection),
            server: self.server.saturating_add(other.server),
        }
    }
}

impl fmt::Display for LatencySplit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (server, total) = (self.server.as_millis(), self.total.as_millis());
        write!(f, "at most {server} of {total} ms are the machine's; no size changes the rest")
    }
}

/// One request before the steady state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColdRequest {
    /// Its index in the curve.
    pub index: usize,
    /// When it was due, counted from the start of the curve.
    pub due: Duration,
    /// Its latency above the steady median of the same request, in seconds; negative if it was
    /// faster.
    pub cost_seconds: f64,
    /// Where its time went.
    pub split: LatencySplit,
}

/// What an attempt's curve shows.
#[derive(Debug, Clone, PartialEq)]
pub struct CurveSummary {
    /// Segments, steady point and class.
    pub steady_state: SteadyState,
    /// The figures that are estimated over restarts.
    pub figures: CurveFigures,
    /// Where the time of the first answer went; `None` if nothing was answered.
    pub first: Option<LatencySplit>,
    /// The answered requests of the curve before the steady state, in order. Empty without one,
    /// because then no request is known to be cold.
    pub cold: Vec<ColdRequest>,
    /// The sum of their costs in seconds, and where their time went together.
    pub cold_cost_seconds: f64,
    /// Where their time went together.
    pub cold_split: LatencySplit,
}

impl CurveSummary {
    /// Summarises an attempt.
    pub fn of(attempt: &Attempt) -> Self {
        let steady_state = find_steady_samples(&attempt.curve);
        let steady = steady_state.steady_from.map(|from| &attempt.curve[from..]);
        let cold = steady_state.steady_from.map_or_else(Vec::new, |from| {
            cold_requests(&attempt.curve[..from], &attempt.curve[from..])
        });
        let values = [
            first_figures(attempt),
            steady_state.steady_from.map_or_else(Vec::new, |from| warm_up_figures(attempt, from)),
            cold_cost(&cold).map(|cost| (FigureKind::ColdCost, cost)).into_iter().collect(),
            steady.map_or_else(Vec::new, |steady| steady_figures(attempt, steady)),
        ];
        Self {
            figures: CurveFigures {
                attempt: attempt.number,
                class: steady_state.class,
                steady_from: steady_state.steady_from,
                values: values.concat(),
            },
            first: first_answer(attempt).map(LatencySplit::of),
            cold_cost_seconds: cold.iter().map(|request| request.cost_seconds).sum(),
            cold_split: cold.iter().fold(LatencySplit::default(), |sum, one| sum.plus(one.split)),
            steady_state,
            cold,
        }
    }
}

/// The figures of an attempt's curve that are estimated over restarts; see [`CurveSummary`].
pub fn curve_figures(attempt: &Attempt) -> CurveFigures {
    CurveSummary::of(attempt).figures
}

/// The first request that was answered as expected.
fn first_answer(attempt: &Attempt) -> Option<&ExchangeSample> {
    attempt.first.iter().find(|sample| sample.failure.is_none())
}

/// First answer and its connection. The first answer counts from the first try, because a target
/// that gives none is asked again.
fn first_figures(attempt: &Attempt) -> Vec<(FigureKind, f64)> {
    let Some(first) = first_answer(attempt) else { return Vec::new() };
    let answer = (FigureKind::FirstAnswer, (first.due + first.latency).as_secs_f64());
    // The parts of an imported sample are not known.
    let setup = (!first.parts.is_empty())
        .then(|| (FigureKind::ConnectionSetup, LatencySplit::of(first).connection.as_secs_f64()));
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

fn cold_requests(cold: &[ExchangeSample], steady: &[ExchangeSample]) -> Vec<ColdRequest> {
    let medians = medians_by_request(steady);
    let answered = cold.iter().enumerate().filter(|(_, sample)| sample.failure.is_none());
    let request = |(index, sample): (usize, &ExchangeSample)| {
        let typical = medians.get(sample.request.as_str())?;
        Some(ColdRequest {
            index,
            due: sample.due,
            cost_seconds: sample.latency.as_secs_f64() - typical,
            split: LatencySplit::of(sample),
        })
    };
    answered.filter_map(request).collect()
}

fn cold_cost(cold: &[ColdRequest]) -> Option<f64> {
    let sum: f64 = cold.iter().map(|request| request.cost_seconds).sum();
    (!cold.is_empty()).then(|| sum / cold.len() as f64)
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
