//! How the warm-up of a scenario ended.

use std::time::Duration;

use serde::Serialize;

use super::series::{self, SteadyFigures};
use crate::cli::exit::ExitStatus;
use crate::cli::warming::{CurveRun, FirstRequests, first_failure, is_answer};
use crate::record::session::{CurveEnd, ExchangeSample};
use crate::record::{
    Dimension, Failure, FailureEvidence, Measurement, PlannedScenario, RunEnding, micros,
};

/// How the warm-up of a scenario ended; a later one is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WarmingOutcome {
    /// Every request is answered as expected, with a steady latency.
    Steady,
    /// A signal ended it.
    Interrupted,
    /// Nothing was sent, or only failures of the prober's own side were seen.
    NothingSent,
    /// Some request was never measured, because it was left out. The others may be steady.
    NotMeasured,
    /// The limit was reached first.
    NotSteady,
    /// Some request was still answered wrongly at the limit.
    WrongAnswers,
    /// A step of the setup failed.
    SetupFailed,
    /// The target answered at first, and then no longer.
    TargetDown,
    /// The target never answered.
    NoAnswer,
}

impl WarmingOutcome {
    /// The exit code of a warm-up that ended so.
    pub(super) fn exit(self) -> ExitStatus {
        match self {
            Self::Steady => ExitStatus::Pass,
            Self::Interrupted | Self::NothingSent | Self::NotMeasured | Self::NotSteady => {
                ExitStatus::Inconclusive
            }
            Self::WrongAnswers | Self::SetupFailed | Self::TargetDown | Self::NoAnswer => {
                ExitStatus::Fail
            }
        }
    }

    /// The words for people.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Steady => "STEADY",
            Self::Interrupted => "INTERRUPTED",
            Self::NothingSent => "NOTHING SENT",
            Self::NotMeasured => "NOT MEASURED",
            Self::NotSteady => "NOT STEADY",
            Self::WrongAnswers => "WRONG ANSWERS",
            Self::SetupFailed => "SETUP FAILED",
            Self::TargetDown => "TARGET DOWN",
            Self::NoAnswer => "NO ANSWER",
        }
    }
}

/// The warm-up of one scenario.
#[derive(Debug, Serialize)]
pub(super) struct ScenarioWarming {
    /// The scenario's name.
    pub(super) scenario: String,
    /// The target.
    pub(super) base_url: String,
    /// How it ended.
    pub(super) outcome: WarmingOutcome,
    /// What failed, unless it is steady; `None` if nothing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<FailureEvidence>,
    /// From the start until the target answered anything; `None` if it never did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first_answer: Option<FirstAnswer>,
    /// Each request.
    pub(super) requests: Vec<RequestWarming>,
    /// The first requests.
    first: Vec<ExchangeSample>,
    /// The requests of the curve until it was decided.
    curve: Vec<ExchangeSample>,
    /// When the curve began, counted from the start.
    #[serde(rename = "curve_offset_us", with = "micros")]
    curve_offset: Duration,
}

/// When the target first answered.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct FirstAnswer {
    /// Counted from the first thing sent.
    #[serde(rename = "after_us", with = "micros")]
    pub(super) after: Duration,
    /// What opening the connection took of it: name, TCP, proxy and TLS. Zero if a step of the
    /// setup was answered first.
    #[serde(rename = "connection_us", with = "micros")]
    pub(super) connection: Duration,
}

impl FirstAnswer {
    fn of(after: Duration, first: &[ExchangeSample]) -> Self {
        let answered = first.iter().find(|sample| is_answer(sample.failure));
        let parts = answered.map(|sample| Dimension::SETUP.map(|part| sample.part(part)));
        Self { after, connection: parts.iter().flatten().sum() }
    }
}

/// The warm-up of one request.
#[derive(Debug, Serialize)]
pub(super) struct RequestWarming {
    /// Its name.
    pub(super) request: String,
    /// How often it was sent.
    pub(super) sent: usize,
    /// How often it failed.
    pub(super) failed: usize,
    /// Why it was left out, if it was never measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) left_out: Option<FailureEvidence>,
    /// Its steady state; `None` if it did not reach one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) steady: Option<SteadyFigures>,
    /// The median of its last ok exchanges.
    #[serde(skip)]
    pub(super) last_p50: Option<Duration>,
}

impl ScenarioWarming {
    /// The warm-up of a scenario: its first requests, and its curve with the time at which it
    /// began, if there was one.
    pub(super) fn of(
        plan: &PlannedScenario,
        first: FirstRequests,
        curve: Option<(Duration, &CurveRun)>,
    ) -> Self {
        let outcome = match curve {
            Some((_, curve)) => outcome_of_curve(plan, curve),
            None => outcome_of_first(&first),
        };
        let measurement = match curve {
            Some((_, curve)) => &curve.measurement,
            None => &first.measurement,
        };
        let failure = first_failure(measurement);
        let failure = failure.filter(|_| outcome != WarmingOutcome::Steady).cloned();
        let first_answer = first.answered_after.map(|after| FirstAnswer::of(after, &first.samples));
        let (curve_offset, samples) = curve.map_or((Duration::ZERO, &[][..]), |(at, curve)| {
            (at, &curve.samples[..curve.decided_by])
        });
        let left_out = |request: &str| left_out_of(measurement, request);
        let requests = requests(plan, &first.samples, (curve_offset, samples), left_out);
        let curve = samples.to_vec();
        Self {
            scenario: plan.name.clone(),
            base_url: plan.base_url.clone(),
            outcome,
            failure,
            first_answer,
            requests,
            first: first.samples,
            curve,
            curve_offset,
        }
    }
}

/// Whether the curve can follow the first requests.
pub(super) fn can_go_on(first: &FirstRequests) -> bool {
    first.answered_after.is_some() && first.measurement.ending == RunEnding::Complete
}

fn outcome_of_first(first: &FirstRequests) -> WarmingOutcome {
    let is_own = |sample: &ExchangeSample| sample.failure.is_some_and(Failure::is_own_fault);
    match &first.measurement.ending {
        RunEnding::Interrupted => WarmingOutcome::Interrupted,
        RunEnding::SetupFailed(_) => WarmingOutcome::SetupFailed,
        _ if first.samples.iter().all(is_own) => WarmingOutcome::NothingSent,
        _ => WarmingOutcome::NoAnswer,
    }
}

fn outcome_of_curve(plan: &PlannedScenario, curve: &CurveRun) -> WarmingOutcome {
    let series = series::by_request(&curve.samples);
    match (&curve.measurement.ending, curve.end) {
        (_, CurveEnd::Steady) => WarmingOutcome::Steady,
        (RunEnding::SetupFailed(_), _) => WarmingOutcome::SetupFailed,
        (RunEnding::TargetDown(_), _) => WarmingOutcome::TargetDown,
        (RunEnding::Interrupted, _) => WarmingOutcome::Interrupted,
        _ if series.0.is_empty() => WarmingOutcome::NothingSent,
        _ if series.is_any_failing() => WarmingOutcome::WrongAnswers,
        _ if !series::unmeasured(plan, &curve.samples).is_empty() => WarmingOutcome::NotMeasured,
        _ => WarmingOutcome::NotSteady,
    }
}

/// Each request of the scenario, over the first requests and the curve. `left_out` says why one of
/// them was left out.
fn requests(
    plan: &PlannedScenario,
    first: &[ExchangeSample],
    (offset, curve): (Duration, &[ExchangeSample]),
    left_out: impl Fn(&str) -> Option<FailureEvidence>,
) -> Vec<RequestWarming> {
    let of_curve = series::by_request(curve).0;
    let of_first = series::by_request(first).0;
    let request = |name: &str| {
        let before = of_first.iter().find(|series| series.request == name);
        let after = of_curve.iter().find(|series| series.request == name);
        let both = [before, after].into_iter().flatten();
        let all: Vec<&ExchangeSample> = both.flat_map(|series| &series.samples).copied().collect();
        let first = before.map(|series| series.samples.as_slice()).unwrap_or_default();
        RequestWarming {
            request: name.to_owned(),
            sent: all.len(),
            failed: all.iter().filter(|sample| sample.failure.is_some()).count(),
            left_out: if after.is_none() { left_out(name) } else { None },
            steady: after.and_then(|series| series.steady_figures(first, offset)),
            last_p50: last_median(&all),
        }
    };
    let planned = plan.requests.iter().filter(|request| request.hop_of.is_none());
    planned.map(|planned| request(&planned.name)).collect()
}

/// What left a request out of a measurement most often, if anything did.
fn left_out_of(measurement: &Measurement, request: &str) -> Option<FailureEvidence> {
    let mut requests = measurement.scenarios.iter().flat_map(|scenario| &scenario.requests);
    let evidence = &requests.find(|one| one.name == request)?.measured.evidence;
    evidence.by_count().into_iter().find(|one| one.failure.is_not_judged()).cloned()
}

/// The median latency of the last ok exchanges.
fn last_median(samples: &[&ExchangeSample]) -> Option<Duration> {
    const LAST: usize = 15;
    let ok = samples.iter().rev().filter(|sample| sample.failure.is_none());
    series::rank(&series::sorted_latencies(ok.take(LAST).copied()), 50)
}
