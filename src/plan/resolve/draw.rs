//! The draw among the weighted requests of a scenario.

use crate::plan::draw::RequestDraw;
use crate::record::{PlannedDraw, PlannedWeight};
use crate::scenario::Scenario;
use crate::scenario::file::RequestSection;

/// The draw for the engine; `None` if each arrival sends all requests.
pub(super) fn plan(scenario: &Scenario) -> Option<RequestDraw> {
    let weights = scenario.file.requests().map(RequestSection::weight);
    scenario.file.is_weighted().then(|| RequestDraw::new(seed(scenario), weights))
}

/// The draw for the record.
pub(super) fn words(scenario: &Scenario) -> Option<PlannedDraw> {
    let weight = |request: &RequestSection| PlannedWeight {
        request: request.name().to_owned(),
        weight: request.weight(),
    };
    scenario.file.is_weighted().then(|| PlannedDraw {
        seed: seed(scenario),
        weights: scenario.file.requests().map(weight).collect(),
    })
}

fn seed(scenario: &Scenario) -> u64 {
    scenario.file.seed.value().copied().unwrap_or_default()
}
