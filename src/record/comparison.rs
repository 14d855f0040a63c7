//! What changed between two runs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{ActualQuantile, Budget, Decision, Dimension, micros};
use crate::units::{Quantile, Ratio};

/// What changed between two runs, as data.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The runs.
    pub runs: BeforeAfter<ComparedRun>,
    /// One minus the error rate of each [`ChangeVerdict`] that is said to be one.
    pub confidence: Ratio,
    /// The requests that both runs have, hops left out, in the order of the first.
    pub requests: Vec<RequestComparison>,
    /// The requests that only one of them has.
    pub only: BeforeAfter<Vec<String>>,
    /// What makes the comparison unfair, one sentence each.
    pub unlike: Vec<String>,
}

/// The same of both runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct BeforeAfter<T> {
    /// Of the run named first.
    pub before: T,
    /// Of the run named second.
    pub after: T,
}

impl<T> BeforeAfter<T> {
    /// The same made of each.
    pub fn map<U>(&self, make: impl Fn(&T) -> U) -> BeforeAfter<U> {
        BeforeAfter { before: make(&self.before), after: make(&self.after) }
    }
}

/// One of the two runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparedRun {
    /// How it is called.
    pub run: String,
    /// Its id.
    pub id: Uuid,
    /// When it started.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// The git commit that was probed, where it is known.
    pub git_commit: Option<String>,
    /// What it was tagged with.
    pub tags: BTreeMap<String, String>,
    /// The decision on it.
    pub verdict: Decision,
    /// How the prober fared.
    pub prober: ProberHealth,
}

/// How a run's prober fared in the measured phase; durations are missing where nothing was released
/// or timed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ProberHealth {
    /// The 99th percentile of lag.
    #[serde(rename = "lag_p99_us", serialize_with = "some_micros")]
    pub lag_p99: Option<Duration>,
    /// The longest lag.
    #[serde(rename = "lag_max_us", serialize_with = "some_micros")]
    pub lag_max: Option<Duration>,
    /// The longest standstill.
    #[serde(rename = "hiccup_max_us", serialize_with = "some_micros")]
    pub hiccup_max: Option<Duration>,
    /// Arrivals that were never released.
    pub unreleased: u64,
}

/// What changed in one request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RequestComparison {
    /// The scenario it belongs to.
    pub scenario: String,
    /// Its name.
    pub request: String,
    /// Exchanges of the measured phase that came to an end.
    pub exchanges: BeforeAfter<u64>,
    /// Those that failed or were dropped.
    pub failed: ShareChange,
    /// Quantiles of latency over all exchanges, failures at +∞.
    pub latency: Vec<QuantileChange>,
    /// The longest latency. It describes the exchanges made, and says nothing of others.
    pub max: BeforeAfter<ActualQuantile>,
    /// The parts that latency is made of.
    pub parts: Vec<BlameChange>,
    /// Its budgets, with the decisions on them.
    pub budgets: Vec<BudgetChange>,
}

/// Whether two figures differ by more than chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeVerdict {
    /// The second is larger: slower, or failing more often.
    More,
    /// The second is smaller: faster, or failing less often.
    Less,
    /// Chance alone could have made the difference. That they are the same is not shown.
    NoneShown,
    /// One of the runs has no exchange.
    NoData,
}

/// What changed in the share that failed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ShareChange {
    /// How many there were.
    pub count: BeforeAfter<u64>,
    /// The share seen.
    pub share: BeforeAfter<Ratio>,
    /// The interval of the target's share.
    pub interval: BeforeAfter<(Ratio, Ratio)>,
    /// Whether it is more than chance.
    pub change: ChangeVerdict,
}

/// What changed in one quantile of latency.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct QuantileChange {
    /// Which.
    pub quantile: Quantile,
    /// The quantile seen.
    pub actual: BeforeAfter<ActualQuantile>,
    /// The interval of the target's quantile; an end for which the exchanges are too few excludes
    /// nothing.
    pub interval: BeforeAfter<(ActualQuantile, ActualQuantile)>,
    /// How much longer the second is.
    #[serde(flatten)]
    pub difference: Option<QuantileDifference>,
    /// Whether it is more than chance.
    pub change: ChangeVerdict,
}

/// How much longer a second duration is than a first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct QuantileDifference {
    /// In microseconds; below zero where it is shorter.
    #[serde(rename = "difference_us")]
    pub micros: i64,
    /// As a share of the first; `None` where that is nothing.
    #[serde(rename = "difference_share")]
    pub share: Option<f64>,
}

impl QuantileDifference {
    /// From one duration to another; `None` if either is not a duration.
    pub fn between(before: ActualQuantile, after: ActualQuantile) -> Option<Self> {
        let (ActualQuantile::At(before), ActualQuantile::At(after)) = (before, after) else {
            return None;
        };
        let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        let difference = micros(after) - micros(before);
        let share = (micros(before) > 0).then(|| difference as f64 / micros(before) as f64);
        Some(Self { micros: difference, share })
    }
}

/// What changed in one part of latency. Quantiles of parts do not add up to those of latency.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BlameChange {
    /// Which part.
    pub part: Dimension,
    /// The exchanges that entered it.
    pub count: BeforeAfter<u64>,
    /// Its median over them.
    pub p50: BeforeAfter<ActualQuantile>,
    /// Its 95th percentile.
    pub p95: BeforeAfter<ActualQuantile>,
}

/// What was decided on one budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BudgetChange {
    /// The budget.
    pub budget: Budget,
    /// The decision on it; `None` where the run does not have it.
    pub decision: BeforeAfter<Option<Decision>>,
}

#[expect(clippy::ref_option, reason = "serde hands a field over by reference")]
fn some_micros<S: serde::Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => micros::serialize(duration, serializer),
        None => serializer.serialize_none(),
    }
}
