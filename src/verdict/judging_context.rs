//! The run conditions that a budget is judged under.

use std::collections::HashMap;

use super::continuation::EarlierEvidence;
use super::exceedance_timeline::{RequestTimelines, RunTimelines};
use super::rule::DecisionRule;
use crate::record::{CapacityEstimate, ProberMeasurement, StallHorizon};

/// What a verdict reads in addition to the plan and the measurement.
#[derive(Debug, Clone, Default)]
pub struct VerdictContext {
    /// When the exceedances occurred; empty if that is not known. Budgets are then decided by
    /// counts alone.
    pub timelines: RunTimelines,
    /// For each scenario that an earlier run has, the command that compares the two runs.
    pub comparisons: HashMap<String, String>,
    /// What the run takes over from those that it continues.
    pub earlier: EarlierEvidence,
    /// How many verdicts together may err as often as one states, as those of a search do. Up to 1
    /// if this one stands alone.
    pub verdicts: usize,
}

/// What the judgement of a budget needs to know besides the measurement of its request.
#[derive(Clone, Copy)]
pub(super) struct JudgingContext<'a> {
    /// The prober's own measurements, such as the times during which it stood still.
    pub(super) prober: &'a ProberMeasurement,
    /// How many exchanges the scenario may have in progress; `None` in a closed model.
    pub(super) capacity: Option<&'a CapacityEstimate>,
    /// When the exceedances of the request occurred.
    pub(super) timelines: Option<&'a RequestTimelines>,
    /// The rule for all budgets of the run.
    pub(super) rule: DecisionRule,
    /// The blocks that the plan decides by.
    pub(super) stalls: Option<&'a StallHorizon>,
    /// The share of the arrivals that send the request.
    pub(super) share: f64,
    /// What the run takes over from those that it continues.
    pub(super) earlier: &'a EarlierEvidence,
    /// The name of the scenario.
    pub(super) scenario: &'a str,
    /// The command that compares the run with an earlier one.
    pub(super) comparison: Option<&'a str>,
}
