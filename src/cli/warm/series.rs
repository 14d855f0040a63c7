//! The samples of each request of a scenario.

use std::time::Duration;

use serde::Serialize;

use crate::record::session::{CurveClass, ExchangeSample};
use crate::record::{Failure, PlannedRequest, PlannedScenario, micros};
use crate::tune::steady::curve::find_steady_samples;
use crate::tune::steady::{LOOK_INTERVAL, is_steady_now};

/// How many of the last exchanges of a request decide whether it is answered as expected now.
const RECENT: usize = 10;

/// The samples of one request that say something about the target, in the order of due times.
pub(super) struct RequestSeries<'a> {
    pub(super) request: &'a str,
    pub(super) samples: Vec<&'a ExchangeSample>,
}

/// The samples of each request.
pub(super) struct ScenarioSeries<'a>(pub(super) Vec<RequestSeries<'a>>);

/// Steady latency, and what the requests before it cost. Requests count from the first one sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct SteadyFigures {
    /// How latency developed on the way.
    pub(super) class: CurveClass,
    /// The number of the request, from 1, from which latency was steady.
    pub(super) from_request: usize,
    /// When that request was due, counted from the first one sent.
    #[serde(rename = "after_us", with = "micros")]
    pub(super) after: Duration,
    /// Median latency from there on.
    #[serde(rename = "p50_us", with = "micros")]
    pub(super) p50: Duration,
    /// 95th percentile of latency from there on.
    #[serde(rename = "p95_us", with = "micros")]
    pub(super) p95: Duration,
    /// The steady requests that the quantiles rest on.
    pub(super) requests: usize,
    /// How much longer the requests before it took than as many of the median latency.
    #[serde(rename = "cold_cost_us", with = "micros")]
    pub(super) cold_cost: Duration,
}

/// Groups samples by request, in the order in which requests first appear. Leaves out those that
/// say nothing about the target: failures of the prober's own side, and absent resources.
pub(super) fn by_request(samples: &[ExchangeSample]) -> ScenarioSeries<'_> {
    let mut all: Vec<RequestSeries<'_>> = Vec::new();
    for sample in samples {
        if !sample.failure.is_none_or(Failure::counts_against_target) {
            continue;
        }
        match all.iter_mut().find(|series| series.request == sample.request) {
            Some(series) => series.samples.push(sample),
            None => all.push(RequestSeries { request: &sample.request, samples: vec![sample] }),
        }
    }
    ScenarioSeries(all)
}

/// The requests of a scenario that no sample says anything about, in order, unless the scenario
/// accepts that. Hops are part of their requests.
pub(super) fn unmeasured<'a>(
    plan: &'a PlannedScenario,
    samples: &[ExchangeSample],
) -> Vec<&'a PlannedRequest> {
    let planned = plan.requests.iter().filter(|request| request.hop_of.is_none());
    planned.filter(|request| !is_measured_or_accepted(request, samples)).collect()
}

/// Steps that were left out have no samples. One that the scenario allows to be missing is not
/// waited for: if it was left out because an earlier step failed, that step shows it.
fn is_measured_or_accepted(planned: &PlannedRequest, samples: &[ExchangeSample]) -> bool {
    let own = samples.iter().filter(|sample| sample.request == planned.name);
    let mut failures = own.map(|sample| sample.failure).peekable();
    if failures.peek().is_none() {
        return !planned.accepts.is_empty();
    }
    failures.any(|failure| {
        failure.is_none_or(|why| why.counts_against_target() || planned.accepts.contains(&why))
    })
}

impl ScenarioSeries<'_> {
    /// Whether each request that has samples is answered as expected, with a steady latency.
    pub(super) fn are_steady(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(RequestSeries::is_steady)
    }

    /// Whether some request is answered wrongly, or not at all, at the end.
    pub(super) fn is_any_failing(&self) -> bool {
        self.0.iter().any(RequestSeries::is_failing)
    }
}

impl RequestSeries<'_> {
    /// The latest exchanges.
    fn recent(&self) -> &[&ExchangeSample] {
        &self.samples[self.samples.len().saturating_sub(RECENT)..]
    }

    /// Whether no recent exchange failed and latency is steady.
    fn is_steady(&self) -> bool {
        let is_answered = self.recent().iter().all(|sample| sample.failure.is_none());
        is_answered && is_steady_now(&self.looked_at())
    }

    /// Whether half or more of the recent exchanges failed.
    fn is_failing(&self) -> bool {
        let recent = self.recent();
        let failed = recent.iter().filter(|sample| sample.failure.is_some()).count();
        failed > 0 && 2 * failed >= recent.len()
    }

    /// The exchanges up to the last multiple of [`LOOK_INTERVAL`]: requests of one
    /// scenario reach these numbers at different times, and all must be steady at once.
    fn looked_at(&self) -> Vec<ExchangeSample> {
        let count = self.samples.len() - self.samples.len() % LOOK_INTERVAL;
        self.samples[..count].iter().copied().cloned().collect()
    }

    /// The figures of the steady state of the curve that began `offset` after the first request;
    /// `before` are the first requests. `None` if it is not steady.
    pub(super) fn steady_figures(
        &self,
        before: &[&ExchangeSample],
        offset: Duration,
    ) -> Option<SteadyFigures> {
        if !self.is_steady() {
            return None;
        }
        let found = find_steady_samples(&self.looked_at());
        let (class, start) = (found.class?, found.steady_from?);
        let (cold, steady) = self.samples.split_at(start);
        let sorted = sorted_latencies(steady.iter().copied());
        let (p50, p95) = (rank(&sorted, 50)?, rank(&sorted, 95)?);
        let cold = sorted_latencies(before.iter().chain(cold).copied());
        let usual = p50 * u32::try_from(cold.len()).unwrap_or(u32::MAX);
        Some(SteadyFigures {
            class,
            from_request: before.len() + start + 1,
            after: offset + steady.first()?.due,
            p50,
            p95,
            requests: sorted.len(),
            cold_cost: cold.iter().sum::<Duration>().saturating_sub(usual),
        })
    }
}

/// The latencies of the exchanges that met every expectation, sorted.
pub(super) fn sorted_latencies<'a>(
    samples: impl Iterator<Item = &'a ExchangeSample>,
) -> Vec<Duration> {
    let ok = samples.filter(|sample| sample.failure.is_none());
    let mut latencies: Vec<_> = ok.map(|sample| sample.latency).collect();
    latencies.sort_unstable();
    latencies
}

/// The smallest value that at least this percentage of sorted values do not exceed.
pub(super) fn rank(sorted: &[Duration], percent: usize) -> Option<Duration> {
    sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture::planned;

    /// Samples of a request at 2/s with these latencies in milliseconds; zero is a failure.
    pub(super) fn sampled(
        request: &str,
        millis: impl IntoIterator<Item = u64>,
    ) -> Vec<ExchangeSample> {
        let sample = |(at, latency): (u32, u64)| ExchangeSample {
            request: request.to_owned(),
            due: Duration::from_millis(500) * at,
            latency: Duration::from_millis(latency.max(1)),
            parts: std::collections::BTreeMap::new(),
            failure: (latency == 0).then_some(Failure::Status),
            fresh: false,
            heat: None,
        };
        (0..).zip(millis).map(sample).collect()
    }

    /// Latency that falls from 120 ms to 40 ms over 40 requests, and `after` more.
    fn warming(after: usize) -> Vec<u64> {
        let falling = (0..40).map(|at| 120 - 2 * at);
        falling.chain(std::iter::repeat_n(40, after)).collect()
    }

    #[test]
    fn a_scenario_is_steady_when_each_of_its_requests_is() {
        let flat = sampled("flat", vec![40; 63]);
        let slow = sampled("slow", warming(20));
        assert!(by_request(&flat).are_steady());
        assert!(!by_request(&slow).are_steady());
        assert!(!by_request(&[flat, slow].concat()).are_steady());
        assert!(!by_request(&[]).are_steady());
    }

    #[test]
    fn the_cold_requests_cost_what_they_took_beyond_the_median() {
        let samples = sampled("page", warming(40));
        let series = by_request(&samples);
        let first = sampled("page", [2_040]);
        let first: Vec<_> = first.iter().collect();
        let offset = Duration::from_secs(3);
        let figures = series.0[0].steady_figures(&first, offset).unwrap();
        assert_eq!(
            (figures.p50, figures.p95),
            (Duration::from_millis(40), Duration::from_millis(40))
        );
        assert!((20..=42).contains(&figures.from_request), "{figures:?}");
        let at = figures.from_request - 2;
        assert_eq!(figures.after, offset + Duration::from_millis(500) * u32::try_from(at).unwrap());
        let cold: u64 = warming(0)[..at].iter().map(|latency| latency - 40).sum();
        assert_eq!(figures.cold_cost, Duration::from_millis(2_000 + cold));
    }

    #[test]
    fn failures_at_the_end_are_failing_and_failures_at_the_start_are_not() {
        let late = sampled("page", [vec![40; 60], vec![0; 6]].concat());
        assert!(by_request(&late).is_any_failing() && !by_request(&late).are_steady());
        let early = sampled("page", [vec![0; 6], vec![40; 60]].concat());
        assert!(!by_request(&early).is_any_failing() && by_request(&early).are_steady());
    }

    #[test]
    fn a_request_without_a_sample_that_counts_is_unmeasured_unless_the_scenario_accepts_that() {
        let text = |missing: &str| {
            format!(
                "[[request]]\nname = \"page\"\npath = \"/\"\n\
                 [[request]]\nname = \"order\"\npath = \"/order\"\n{missing}\n\
                 [load]\narrival_rate = \"2/s\"\nduration = \"9s\"\n"
            )
        };
        let page = sampled("page", vec![40; 3]);
        let order = |failure| {
            let mut order = sampled("order", vec![0; 2]);
            order[1].failure = Some(failure);
            [page.clone(), order[1..].to_vec()].concat()
        };
        for (missing, samples, expected) in [
            ("", page.clone(), &["order"][..]),
            ("", order(Failure::Prober), &["order"]),
            ("", order(Failure::Status), &[]),
            ("when_absent = \"report\"", order(Failure::Absent), &["order"]),
            ("when_absent = \"accept\"", order(Failure::Absent), &[]),
            ("when_unconfigured = \"accept\"", page.clone(), &[]),
        ] {
            let plan = planned(&text(missing), "").scenarios.remove(0).shown;
            let unmeasured = unmeasured(&plan, &samples).into_iter();
            let names: Vec<_> = unmeasured.map(|request| request.name.as_str()).collect();
            assert_eq!(names, expected, "{missing}, {samples:?}");
        }
    }

    #[test]
    fn what_says_nothing_about_the_target_enters_no_series() {
        let mut samples = sampled("page", vec![40; 3]);
        samples[0].failure = Some(Failure::Prober);
        samples[1].failure = Some(Failure::Absent);
        assert_eq!(by_request(&samples).0[0].samples.len(), 1);
    }
}
