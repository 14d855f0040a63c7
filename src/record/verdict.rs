//! What was decided, and why.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ActualQuantile, Budget};
use crate::units::Ratio;

/// The three answers a verdict may give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// The name used in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// The decision over several: one fail fails all, then one inconclusive; nothing at all is
    /// inconclusive.
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

/// A reason, and what would settle or mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictReason {
    /// What is the case.
    pub what: String,
    /// What to do next; empty where nothing needs doing.
    pub next: String,
}

/// The decision on one budget of one request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BudgetVerdict {
    /// The request that was judged.
    pub request: String,
    /// The budget.
    pub budget: Budget,
    /// The decision on it.
    pub decision: Decision,
    /// Exchanges judged.
    pub judged: u64,
    /// Of these, the ones over the budget's limit.
    pub exceeded: u64,
    /// The share that may exceed; `None` where not one may and no confidence is stated.
    pub allowed: Option<Ratio>,
    /// The 90 % interval of the target's exceedance; `None` where no confidence is stated.
    pub exceedance: Option<(Ratio, Ratio)>,
    /// The quantile or maximum seen, failures at +∞; `None` for a budget on a count.
    pub actual: Option<ActualQuantile>,
    /// The 90 % interval of the target's quantile; `None` where no confidence is stated.
    pub interval: Option<(ActualQuantile, ActualQuantile)>,
    /// The same quantile of the successes alone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub of_successes: Option<Duration>,
    /// Why it was decided so.
    pub reason: VerdictReason,
}

/// The decision on one scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenarioVerdict {
    /// The scenario's name.
    pub scenario: String,
    /// The decision over its budgets and reasons.
    pub decision: Decision,
    /// Each budget of each request.
    pub budgets: Vec<BudgetVerdict>,
    /// What speaks against believing the data, or what failed beside the budgets.
    pub reasons: Vec<VerdictReason>,
}

/// The decision on a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The decision over all scenarios.
    pub decision: Decision,
    /// The rule by which quantiles and shares were decided: `exact binomial`.
    pub rule: String,
    /// One minus the error rate of each side of the test.
    pub confidence: Ratio,
    /// Each scenario.
    pub scenarios: Vec<ScenarioVerdict>,
}
