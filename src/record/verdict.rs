//! Verdicts: decisions and their reasons.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ActualQuantile, Budget, counts, micros};
use crate::units::Ratio;

/// The three possible decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Every budget holds, with the stated confidence.
    Pass,
    /// A budget does not hold, with the stated confidence.
    Fail,
    /// The data cannot tell, or must not be believed.
    Inconclusive,
}

impl Decision {
    /// All decisions.
    pub const ALL: [Self; 3] = [Self::Pass, Self::Fail, Self::Inconclusive];

    /// The name in capitals, as people read it first: `PASS`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Inconclusive => "INCONCLUSIVE",
        }
    }

    /// The name used in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// Combines decisions. One fail fails the whole; otherwise one inconclusive makes the whole
    /// inconclusive. No decisions at all are inconclusive.
    pub fn combine(decisions: impl IntoIterator<Item = Self>) -> Self {
        let mut any = false;
        let mut worst = Self::Pass;
        for decision in decisions {
            any = true;
            worst = match (worst, decision) {
                (Self::Fail, _) | (_, Self::Fail) => Self::Fail,
                (Self::Inconclusive, _) | (_, Self::Inconclusive) => Self::Inconclusive,
                _ => Self::Pass,
            };
        }
        if any { worst } else { Self::Inconclusive }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A reason, and what would settle or fix it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VerdictReason {
    /// The fact.
    pub what: String,
    /// What to do next; empty if nothing needs to be done.
    pub next: String,
}

/// The decision on one budget of one request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetVerdict {
    /// The request's name.
    pub request: String,
    /// The budget.
    pub budget: Budget,
    /// The decision on it.
    pub decision: Decision,
    /// Number of exchanges judged.
    #[serde(deserialize_with = "counts::read")]
    pub judged: u64,
    /// The judged exchanges that exceed the budget.
    #[serde(deserialize_with = "counts::read")]
    pub exceeded: u64,
    /// The share that may exceed it; `None` if none may, so that no confidence is stated.
    pub allowed: Option<Ratio>,
    /// The 90 % interval for the target's exceedance; `None` if no confidence is stated.
    pub exceedance: Option<(Ratio, Ratio)>,
    /// The observed quantile or maximum, with failures at +∞; `None` for a budget on a count.
    pub actual: Option<ActualQuantile>,
    /// The 90 % interval for the target's quantile; `None` if no confidence is stated.
    pub interval: Option<(ActualQuantile, ActualQuantile)>,
    /// The same quantile of the successes alone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub of_successes: Option<Duration>,
    /// The blocks of time that decided it; `None` if it was decided by counts alone, and in older
    /// records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<BudgetEvidence>,
    /// The blocks counted against the upper end of the limit, if the limit comes from earlier runs:
    /// only they can prove a breach. `evidence` then has those against the lower end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_evidence: Option<BudgetEvidence>,
    /// The reason for the decision.
    pub reason: VerdictReason,
}

/// The blocks of time that decided one budget. They are all that a later run needs to continue
/// from this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetEvidence {
    /// The longest stall up to which the budget holds; `None` if it does not hold against any.
    #[serde(default, rename = "reach_us", with = "optional_micros")]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u64>")]
    pub reach: Option<Duration>,
    /// Blocks of the stall horizon.
    pub at_horizon: BlockCounts,
    /// Blocks of the longer length that the data ask for; `None` if they ask for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longer: Option<BlockCounts>,
    /// The blocks of the runs that this one continues, oldest first. They count for the decision
    /// too; absent if there are none, and from older records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<EarlierBlocks>,
}

/// The blocks of one budget in an earlier run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EarlierBlocks {
    /// The id of the run.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub run: Uuid,
    /// Blocks of the stall horizon.
    pub at_horizon: BlockCounts,
    /// Blocks of the longer length that the data asked for; `None` if they asked for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longer: Option<BlockCounts>,
}

/// The blocks of one length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BlockCounts {
    /// Length of a block.
    #[serde(rename = "length_us", with = "micros")]
    #[schemars(with = "u64")]
    pub length: Duration,
    /// Number of exchanges that the plan makes due in its busiest block. A block with fewer counts
    /// for less.
    pub peak: f64,
    /// Each different block: exceedances, exchanges judged, and how many such blocks there are.
    pub blocks: Vec<(u64, u64, u64)>,
}

/// Optional durations as whole microseconds.
mod optional_micros {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::micros;

    #[expect(clippy::ref_option, reason = "the signature that serde calls")]
    pub(super) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        duration.map(micros::whole).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Option::<u64>::deserialize(deserializer).map(|micros| micros.map(Duration::from_micros))
    }
}

/// The decision on one scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioVerdict {
    /// The scenario's name.
    pub scenario: String,
    /// The combined decision on its budgets and reasons.
    pub decision: Decision,
    /// Each budget of each request.
    pub budgets: Vec<BudgetVerdict>,
    /// Why the data are not reliable, or what failed in addition to the budgets.
    pub reasons: Vec<VerdictReason>,
    /// The decision without the budgets that have no limit for want of earlier runs; `None` if each
    /// has one, and in older records. Such a run may itself become a part of a baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_limits: Option<Decision>,
    /// What went wrong without changing the decision, such as a dead address of the target or a
    /// failed teardown step; absent from records of earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<VerdictReason>,
}

/// The decision on a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The combined decision on all scenarios.
    pub decision: Decision,
    /// The rule that decided quantiles and shares: `blocks of time, betting e-process`, or `exact
    /// binomial` if only counts are known, and in older records.
    pub rule: String,
    /// One minus the error rate of each side of the test.
    pub confidence: Ratio,
    /// The ids of the runs that this one continues, oldest first: their evidence counts too. Absent
    /// if there are none, and from older records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub continues: Vec<Uuid>,
    /// The verdict on each scenario.
    pub scenarios: Vec<ScenarioVerdict>,
}
