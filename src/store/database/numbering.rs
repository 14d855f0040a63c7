//! The positions of a record's scenarios and requests, which identify them in the rows.

use crate::record::{
    PlannedRequest, PlannedScenario, RequestMeasurement, RunRecord, ScenarioMeasurement,
};

/// The scenarios and requests of a record with their positions. The same record always has the same
/// positions.
pub(super) struct RowNumbering<'a> {
    pub(super) scenarios: Vec<NumberedScenario<'a>>,
    pub(super) requests: Vec<NumberedRequest<'a>>,
}

/// A scenario with its plan, measurement and verdict.
pub(super) struct NumberedScenario<'a> {
    pub(super) name: &'a str,
    pub(super) planned: Option<&'a PlannedScenario>,
    pub(super) measured: Option<&'a ScenarioMeasurement>,
}

/// A request of a scenario with its plan and measurement.
pub(super) struct NumberedRequest<'a> {
    /// The position of its scenario.
    pub(super) scenario: usize,
    pub(super) name: &'a str,
    pub(super) planned: Option<&'a PlannedRequest>,
    pub(super) measured: Option<&'a RequestMeasurement>,
}

impl<'a> RowNumbering<'a> {
    /// Scenarios have the order of the plan; those that were measured without a plan follow. The
    /// same holds for requests.
    pub(super) fn of(record: &'a RunRecord) -> Self {
        let planned = record.plan.iter().map(|scenario| scenario.name.as_str());
        let measured = record.measurement.scenarios.iter().map(|scenario| scenario.name.as_str());
        let mut numbering = Self { scenarios: Vec::new(), requests: Vec::new() };
        for name in once_each(planned.chain(measured)) {
            let scenario = NumberedScenario {
                name,
                planned: record.planned(name),
                measured: record
                    .measurement
                    .scenarios
                    .iter()
                    .find(|scenario| scenario.name == name),
            };
            let position = numbering.scenarios.len();
            numbering.requests.extend(requests(position, &scenario));
            numbering.scenarios.push(scenario);
        }
        numbering
    }

    /// The position of a request; `None` if it is not in the record.
    pub(super) fn request(&self, scenario: &str, request: &str) -> Option<usize> {
        self.requests.iter().position(|known| {
            known.name == request
                && self.scenarios.get(known.scenario).is_some_and(|of| of.name == scenario)
        })
    }

    /// The position of a scenario.
    pub(super) fn scenario(&self, name: &str) -> Option<usize> {
        self.scenarios.iter().position(|known| known.name == name)
    }
}

fn requests<'a>(position: usize, scenario: &NumberedScenario<'a>) -> Vec<NumberedRequest<'a>> {
    let (plan, measurement) = (scenario.planned, scenario.measured);
    let planned = plan.into_iter().flat_map(|scenario| &scenario.requests);
    let measured = measurement.into_iter().flat_map(|scenario| &scenario.requests);
    let names = planned.map(|it| it.name.as_str()).chain(measured.map(|it| it.name.as_str()));
    let request = |name| NumberedRequest {
        scenario: position,
        name,
        planned: plan.and_then(|plan| plan.requests.iter().find(|it| it.name == name)),
        measured: measurement
            .and_then(|measured| measured.requests.iter().find(|it| it.name == name)),
    };
    once_each(names).into_iter().map(request).collect()
}

fn once_each<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut once = Vec::new();
    for name in names {
        if !once.contains(&name) {
            once.push(name);
        }
    }
    once
}
