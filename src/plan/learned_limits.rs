//! Gives budgets that are relative to a baseline the limits that earlier runs gave.

use super::capacity;
use super::run_plan::Plan;
use super::scenario_plan::ScenarioPlan;
use super::target_plan::HttpProtocol;
use crate::record::{BaselineLimit, Budget, Ceiling, PlannedRequest};

impl Plan {
    /// Whether any budget needs earlier runs.
    pub fn needs_baseline(&self) -> bool {
        self.scenarios.iter().any(ScenarioPlan::needs_baseline)
    }

    /// Number of budgets that are statements about the target.
    pub fn tested_budgets(&self) -> usize {
        let requests = self.scenarios.iter().flat_map(|scenario| &scenario.shown.requests);
        let budgets = requests.flat_map(|request| &request.budgets);
        budgets.filter(|budget| budget.allowed().is_some()).count()
    }
}

impl ScenarioPlan {
    /// Whether any budget needs earlier runs.
    pub fn needs_baseline(&self) -> bool {
        let mut budgets = self.shown.requests.iter().flat_map(|request| &request.budgets);
        budgets.any(Budget::lacks_limit)
    }

    /// What the HTTP version begins with that the target must speak: `HTTP/2`; empty if it chooses.
    pub fn required_version(&self) -> &'static str {
        match self.target.protocol {
            HttpProtocol::Negotiated => "",
            HttpProtocol::Http1 => "HTTP/1.1",
            HttpProtocol::Http2 => "HTTP/2",
        }
    }

    /// Gives each budget the limit that `limit_of` has for it; a budget without one stays as it is.
    pub fn set_limits(
        &mut self,
        limit_of: impl Fn(&PlannedRequest, Budget) -> Option<BaselineLimit>,
    ) {
        for request in &mut self.shown.requests {
            for at in 0..request.budgets.len() {
                // A limit is found by its budget, so the next one must see those that are set.
                let Some(limit) = limit_of(request, request.budgets[at]) else { continue };
                request.budgets[at] = limit.budget();
                request.baselines.push(limit);
            }
        }
        for request in &mut self.requests {
            let Some(shown) = self.shown.requests.get(request.index) else { continue };
            for ceiling in shown.baselines.iter().flat_map(ceilings) {
                if !request.ceilings.contains(&ceiling) {
                    request.ceilings.push(ceiling);
                }
            }
        }
        let (shown, streams) = (&self.shown, self.streams);
        self.shown.capacity =
            capacity::of(&self.load, streams, self.reuse, &shown.requests, shown.draw.as_ref());
    }
}

/// What a request is counted against for a limit: the limit and both of its ends.
fn ceilings(limit: &BaselineLimit) -> Vec<Ceiling> {
    let Some(learned) = limit.learned else { return Vec::new() };
    let Some((dimension, ceiling)) = learned.budget.ceiling() else { return Vec::new() };
    [learned.low, ceiling, learned.high].map(|limit| Ceiling { dimension, limit }).to_vec()
}
