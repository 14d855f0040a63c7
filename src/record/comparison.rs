//! What changed between two runs.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{ActualQuantile, Budget, Decision, Dimension};
use crate::units::{Quantile, Ratio};

/// What changed between two runs, or between the two sides of a duet, as data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// The two runs. Both are the same run if it was a duet.
    pub runs: BeforeAfter<ComparedRun>,
    /// The base URLs of the two sides of a duet; `None` if the runs were made one after the other,
    /// so that whatever else changed between them counts as a difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duet: Option<BeforeAfter<String>>,
    /// One minus the error rate of each [`ChangeVerdict`] that reports a change.
    pub confidence: Ratio,
    /// Whether the stated error rate, 1 in 20, bounds all figures together and not each figure. A
    /// comparison that decides an exit code needs that.
    pub bounds_all_figures: bool,
    /// The requests that both runs have, without hops, paired by both names, then by their own
    /// name, then because each run has only one.
    pub requests: Vec<RequestComparison>,
    /// The requests that only one of the runs has.
    pub only: BeforeAfter<Vec<String>>,
    /// What makes the comparison unfair, one sentence each.
    pub unlike: Vec<String>,
}

impl Comparison {
    /// Whether the second side is slower: fail if a figure of a request is, inconclusive if a
    /// request has no data, too little time or no latency that can be compared, or is missing from
    /// the second run.
    pub fn decision(&self) -> Decision {
        let has = |change| self.requests.iter().any(|request| request.has(change));
        if has(ChangeVerdict::More) {
            Decision::Fail
        } else if has(ChangeVerdict::NoData)
            || has(ChangeVerdict::TooShort)
            || !self.requests.iter().all(RequestComparison::compares_latency)
            || self.requests.is_empty()
            || !self.only.before.is_empty()
        {
            Decision::Inconclusive
        } else {
            Decision::Pass
        }
    }
}

/// The same value for both runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BeforeAfter<T> {
    /// The value for the run named first.
    pub before: T,
    /// The value for the run named second.
    pub after: T,
}

impl<T> BeforeAfter<T> {
    /// Applies a function to both values.
    pub fn map<U>(&self, make: impl Fn(&T) -> U) -> BeforeAfter<U> {
        BeforeAfter { before: make(&self.before), after: make(&self.after) }
    }
}

/// One of the two runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedRun {
    /// Its name; see [`run_name`](super::run_name).
    pub run: String,
    /// Its id.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub id: Uuid,
    /// When it started.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started: OffsetDateTime,
    /// The git commit that was probed, if known.
    pub git_commit: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The decision on it.
    pub verdict: Decision,
    /// How well the prober kept to the schedule.
    pub prober: ProberHealth,
}

/// How well a run's prober kept to the schedule in the measured stage. Durations are `None` if
/// nothing was released or timed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProberHealth {
    /// The 99th percentile of lag.
    #[serde(rename = "lag_p99_us", with = "some_micros")]
    #[schemars(with = "Option<u64>")]
    pub lag_p99: Option<Duration>,
    /// The longest lag.
    #[serde(rename = "lag_max_us", with = "some_micros")]
    #[schemars(with = "Option<u64>")]
    pub lag_max: Option<Duration>,
    /// The longest standstill.
    #[serde(rename = "hiccup_max_us", with = "some_micros")]
    #[schemars(with = "Option<u64>")]
    pub hiccup_max: Option<Duration>,
    /// Arrivals that were not released or failed on the prober's side, which includes its proxy.
    pub unreleased: u64,
}

/// The two names that identify a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestName {
    /// The scenario it belongs to.
    pub scenario: String,
    /// Its own name.
    pub request: String,
}

/// What changed in one request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RequestComparison {
    /// The scenario it belongs to.
    pub scenario: String,
    /// Its name.
    pub request: String,
    /// The request of the second run, if its names differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compared_with: Option<RequestName>,
    /// Finished exchanges of the measured stage.
    pub exchanges: BeforeAfter<u64>,
    /// By how many blocks of time each side was compared; `None` if it could not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<BeforeAfter<usize>>,
    /// Why nothing can be said about its figures, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<String>,
    /// The exchanges that failed or were dropped.
    pub failed: ShareChange,
    /// Quantiles of latency over all exchanges, with failures at +∞.
    pub latency: Vec<QuantileChange>,
    /// The longest latency. It describes only the exchanges made, not the target.
    pub max: BeforeAfter<ActualQuantile>,
    /// The parts of latency.
    pub parts: Vec<BlameChange>,
    /// Its budgets with their decisions.
    pub budgets: Vec<BudgetChange>,
}

impl RequestComparison {
    /// Whether the share that failed or any quantile has this verdict.
    pub fn has(&self, change: ChangeVerdict) -> bool {
        self.failed.change == change || self.latency.iter().any(|figure| figure.change == change)
    }

    /// Whether any quantile of latency was compared. None is if there are too few exchanges, or if
    /// most of them failed on both sides.
    pub fn compares_latency(&self) -> bool {
        let is_changed = |change| matches!(change, ChangeVerdict::More | ChangeVerdict::Less);
        self.latency.iter().any(|figure| figure.interval.is_some() || is_changed(figure.change))
    }
}

/// Whether two figures differ by more than chance explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeVerdict {
    /// The second is larger: slower, or failing more often.
    More,
    /// The second is smaller: faster, or failing less often.
    Less,
    /// Chance alone could explain the difference. This does not show that the figures are equal.
    NoneShown,
    /// Too few exchanges for this quantile.
    TooFew,
    /// The measured time has too few independent blocks, or is not known by blocks.
    TooShort,
    /// One of the runs has no exchanges.
    NoData,
}

/// What changed in the share that failed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShareChange {
    /// How many exchanges failed.
    pub count: BeforeAfter<u64>,
    /// The observed share.
    pub share: BeforeAfter<Ratio>,
    /// The interval of the difference between the target's shares, from −1 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<(f64, f64)>,
    /// Whether the difference is more than chance explains.
    pub change: ChangeVerdict,
}

/// What changed in one quantile of latency.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuantileChange {
    /// The quantile.
    pub quantile: Quantile,
    /// The observed value.
    pub actual: BeforeAfter<ActualQuantile>,
    /// How much longer the second value is, in microseconds; negative if it is shorter. `None` if
    /// either is not a duration.
    #[serde(default, rename = "difference_us")]
    pub difference: Option<i64>,
    /// The difference as a share of the first value; `None` if that is zero.
    #[serde(default)]
    pub difference_share: Option<f64>,
    /// The interval of the difference between the target's quantiles, in microseconds.
    #[serde(default, rename = "interval_us", skip_serializing_if = "Option::is_none")]
    pub interval: Option<(i64, i64)>,
    /// Whether the difference is more than chance explains.
    pub change: ChangeVerdict,
}

impl QuantileChange {
    /// How many exchanges each side needs beyond a quantile.
    const EXCHANGES_BEYOND: f64 = 20.0;

    /// The difference of the observed values; `None` if either is not a duration.
    pub fn whole_difference(&self) -> Option<QuantileDifference> {
        Some(QuantileDifference { micros: self.difference?, share: self.difference_share })
    }

    /// How many exchanges each side needs for this quantile: 20 beyond it, which are 40 for a p50,
    /// 400 for a p95 and 2,000 for a p99.
    pub fn needed_exchanges(&self) -> u64 {
        Self::exchanges_for(self.quantile)
    }

    /// How many exchanges each side needs for a quantile.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
    pub fn exchanges_for(quantile: Quantile) -> u64 {
        (Self::EXCHANGES_BEYOND / quantile.allowed_exceedance().as_f64()).round() as u64
    }
}

/// How much longer a second duration is than a first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantileDifference {
    /// In microseconds; negative if the second is shorter.
    pub micros: i64,
    /// As a share of the first; `None` if the first is zero.
    pub share: Option<f64>,
}

impl QuantileDifference {
    /// The difference from `before` to `after`; `None` if either is not a duration.
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
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BlameChange {
    /// The part.
    pub part: Dimension,
    /// How many exchanges entered it.
    pub count: BeforeAfter<u64>,
    /// Its median over those exchanges.
    pub p50: BeforeAfter<ActualQuantile>,
    /// Its 95th percentile.
    pub p95: BeforeAfter<ActualQuantile>,
}

/// The decisions on one budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetChange {
    /// The budget.
    pub budget: Budget,
    /// The decision on it; `None` if the run does not have the budget.
    pub decision: BeforeAfter<Option<Decision>>,
}

/// Durations as whole microseconds, `null` if there is none.
mod some_micros {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::record::micros;

    #[expect(clippy::ref_option, reason = "serde hands a field over by reference")]
    pub(super) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => micros::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_micros))
    }
}
