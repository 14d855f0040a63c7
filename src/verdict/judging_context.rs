//! The run conditions that a budget is judged under.

use crate::record::{CapacityEstimate, ProberMeasurement};

/// What the judgement of a budget needs to know besides the measurement of its request.
#[derive(Clone, Copy)]
pub(super) struct JudgingContext<'a> {
    /// The prober's own measurements, such as the times during which it stood still.
    pub(super) prober: &'a ProberMeasurement,
    /// How many exchanges the scenario may have in progress; `None` in a closed model.
    pub(super) capacity: Option<&'a CapacityEstimate>,
}
