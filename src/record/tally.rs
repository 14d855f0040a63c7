//! Counts of exchanges.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Dimension, Failure, SlotCounts, counts, micros};

/// A duration whose exceedances are counted exactly during the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ceiling {
    /// The part of an exchange that is compared with the limit.
    pub dimension: Dimension,
    /// The first value that exceeds the ceiling.
    #[serde(rename = "limit_us", with = "micros")]
    #[schemars(with = "u64")]
    pub limit: Duration,
}

/// How many exchanges exceeded a ceiling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CeilingCount {
    /// Exchanges that entered the dimension: those with a value, and those that failed in it or
    /// before it ended.
    #[serde(deserialize_with = "counts::read")]
    pub judged: u64,
    /// The judged exchanges that were at or above the limit or failed.
    #[serde(deserialize_with = "counts::read")]
    pub exceeded: u64,
    /// What `exceeded` would be without the time that the prober itself may have added: lag, and
    /// standstills during the exchange.
    #[serde(deserialize_with = "counts::read")]
    pub exceeded_without_lag: u64,
    /// What `exceeded` would be without the wait for a connection. A dropped exchange only waited.
    #[serde(default)]
    #[serde(deserialize_with = "counts::read")]
    pub exceeded_without_wait: u64,
}

impl CeilingCount {
    /// Adds another count.
    pub fn add(&mut self, other: Self) {
        self.judged += other.judged;
        self.exceeded += other.exceeded;
        self.exceeded_without_lag += other.exceeded_without_lag;
        self.exceeded_without_wait += other.exceeded_without_wait;
    }

    /// Adds the counts of several ceilings, in the order of the request's plan.
    pub fn add_each(mine: &mut Vec<Self>, theirs: &[Self]) {
        mine.resize(mine.len().max(theirs.len()), Self::default());
        for (mine, theirs) in mine.iter_mut().zip(theirs) {
            mine.add(*theirs);
        }
    }
}

/// Counts of exchanges.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tally {
    /// Finished exchanges: ok, failed or dropped.
    #[serde(deserialize_with = "counts::read")]
    pub exchanges: u64,
    /// Exchanges that met every expectation.
    #[serde(deserialize_with = "counts::read")]
    pub ok: u64,
    /// Exchanges that failed, by the kind of failure.
    #[serde(deserialize_with = "counts::read_map")]
    pub failures: BTreeMap<Failure, u64>,
    /// Exceedances, one count per ceiling, in the order of the request's plan.
    pub ceilings: Vec<CeilingCount>,
    /// Exchanges for which a connection was opened.
    #[serde(deserialize_with = "counts::read")]
    pub fresh: u64,
    /// Body bytes received.
    pub body_bytes: u64,
    /// Exchanges that the target answered beyond a limit of tollgate. They enter no other count,
    /// and are known only while the run lasts.
    #[serde(skip)]
    pub beyond_limits: u64,
    /// The same exchanges by due time, in slots of some milliseconds. Only the tally of an interval
    /// of the measured stage has them; those of earlier versions have none.
    #[serde(default, skip_serializing_if = "SlotCounts::is_empty")]
    pub slots: SlotCounts,
}

impl Tally {
    /// Exchanges that failed or were dropped.
    pub fn failed(&self) -> u64 {
        self.exchanges.saturating_sub(self.ok)
    }

    /// How many exchanges had each outcome: `ok` first, then the names of failures.
    pub fn outcomes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let failures = self.failures.iter().map(|(failure, count)| (failure.name(), *count));
        std::iter::once(("ok", self.ok)).chain(failures)
    }

    /// Exchanges with a given kind of failure.
    pub fn failed_by(&self, failure: Failure) -> u64 {
        self.failures.get(&failure).copied().unwrap_or(0)
    }

    /// Attempted exchanges that got no answer at all.
    pub fn unanswered(&self) -> u64 {
        self.failures
            .iter()
            .filter(|(failure, _)| failure.is_without_answer())
            .map(|(_, count)| count)
            .sum()
    }

    /// Exchanges that got an answer, right or wrong.
    pub fn answered(&self) -> u64 {
        let others = self.unanswered() + self.failed_by(Failure::Dropped);
        self.exchanges.saturating_sub(others)
    }

    /// Adds another tally of the same request and the same interval.
    pub fn merge(&mut self, other: &Self) {
        self.add(other);
        self.slots.merge(&other.slots);
    }

    /// Adds another tally of the same request, without its slots: a total of a whole run keeps
    /// none.
    pub fn add(&mut self, other: &Self) {
        self.exchanges += other.exchanges;
        self.ok += other.ok;
        self.fresh += other.fresh;
        self.body_bytes = self.body_bytes.saturating_add(other.body_bytes);
        self.beyond_limits += other.beyond_limits;
        for (failure, count) in &other.failures {
            *self.failures.entry(*failure).or_default() += count;
        }
        CeilingCount::add_each(&mut self.ceilings, &other.ceilings);
    }
}
