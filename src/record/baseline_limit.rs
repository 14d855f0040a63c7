//! Limits of budgets that are learned from earlier runs.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Budget, VerdictReason, micros};
use crate::units::format_duration;

/// Which earlier runs make a baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BaselineWindow {
    /// How many runs.
    pub runs: u32,
    /// The start from which on the oldest runs are taken, so that the baseline stays where it is;
    /// `None` for the newest runs.
    pub since: Option<OffsetDateTime>,
}

impl BaselineWindow {
    /// With fewer runs there is no baseline: how much runs differ would be a guess.
    pub const FEWEST: u32 = 5;
    /// The most runs that can be written.
    pub const MOST: u32 = 100;
}

impl Default for BaselineWindow {
    fn default() -> Self {
        Self { runs: 10, since: None }
    }
}

/// A budget that is relative to a baseline, and what earlier runs make of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BaselineLimit {
    /// The budget as it is written: `p95 < baseline + 10%`.
    pub written: Budget,
    /// The ids of the runs that make the baseline: the newest first, or from `[baseline] since` on.
    #[schemars(with = "Vec<String>")]
    pub runs: Vec<Uuid>,
    /// Number of their exchanges that entered the judged part.
    pub exchanges: u64,
    /// The limit; `None` if the runs give none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned: Option<LearnedLimit>,
    /// Why there is no limit; `None` if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<VerdictReason>,
}

/// A limit from earlier runs.
///
/// The baseline is measured, so the limit is known only within a range. The budget holds if it
/// holds against the lower end, and is breached if it is breached against the upper end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LearnedLimit {
    /// The budget with its limit: `p95 < 231ms`.
    pub budget: Budget,
    /// The quantile of the added histograms of the runs.
    #[serde(rename = "baseline_us", with = "micros")]
    #[schemars(with = "u64")]
    pub baseline: Duration,
    /// The lower end of the limit: only a quantile proven to be below it holds the budget.
    #[serde(rename = "low_us", with = "micros")]
    #[schemars(with = "u64")]
    pub low: Duration,
    /// The upper end of the limit: only a quantile proven not to be below it breaches the budget.
    #[serde(rename = "high_us", with = "micros")]
    #[schemars(with = "u64")]
    pub high: Duration,
}

impl BaselineLimit {
    /// The budget that is judged: with its limit if there is one, else as it is written.
    pub fn budget(&self) -> Budget {
        self.learned.map_or(self.written, |learned| learned.budget)
    }

    /// A judged budget as the scenario has it: relative if one of `limits` gave its limit.
    pub fn written_budget(limits: &[Self], judged: Budget) -> Budget {
        let limit = limits.iter().find(|limit| limit.budget() == judged);
        limit.map_or(judged, |limit| limit.written)
    }

    /// The budget against another ceiling; `None` if it is on no quantile.
    pub fn with_ceiling(&self, ceiling: Duration) -> Option<Budget> {
        match self.written {
            Budget::Relative { quantile, dimension, .. } => {
                Some(Budget::Quantile { quantile, dimension, ceiling })
            }
            _ => None,
        }
    }

    /// Where the limit comes from: `baseline 210 ms of 10 runs + 10%`; `None` without a limit.
    pub fn origin(&self) -> Option<String> {
        let learned = self.learned?;
        let margin = match self.written {
            Budget::Relative { margin, .. } => margin.to_string(),
            _ => String::new(),
        };
        let (baseline, runs) = (format_duration(learned.baseline), self.runs.len());
        Some(format!("baseline {baseline} of {runs} runs{margin}"))
    }
}
