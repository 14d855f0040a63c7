//! Provides enough file descriptors for the planned connections, or refuses the plan.

use rustix::process::{Resource, getrlimit};

use crate::engine::assignment::exchange_slots;
use crate::engine::connection::set::ConnectionSet;
use crate::engine::error::EngineError;
use crate::files;
use crate::plan::{Plan, ScenarioPlan};

/// Descriptors a run needs in addition to its connections: runtimes, timers, files, streams.
const BESIDES: u64 = 64;

/// Maximum number of connections a plan holds open at once.
///
/// Each exchange slot may keep some to other origins, and one to each database.
pub(in crate::engine) fn connections(plan: &Plan) -> u64 {
    let of = |scenario: &ScenarioPlan| {
        let elsewhere =
            if scenario.may_leave_origin() { ConnectionSet::MAX_ELSEWHERE as u64 } else { 0 };
        let sessions = scenario.databases().len() as u64;
        let connections = u64::from(scenario.load.max_connections());
        connections.saturating_add(exchange_slots(scenario).saturating_mul(elsewhere + sessions))
    };
    plan.scenarios.iter().map(of).fold(0, u64::saturating_add)
}

/// The file descriptors that a plan needs, and how many this process may open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DescriptorNeed {
    /// Connections that may be open at once.
    pub connections: u64,
    /// Descriptors needed for these and for everything else.
    pub needed: u64,
    /// The highest limit this process can set; `None` if there is no limit.
    pub allowed: Option<u64>,
}

/// What a plan needs, and what this process may open.
pub(in crate::engine) fn look_at(plan: &Plan) -> DescriptorNeed {
    let connections = connections(plan);
    let allowed = getrlimit(Resource::Nofile).maximum;
    DescriptorNeed { connections, needed: connections.saturating_add(BESIDES), allowed }
}

/// Raises the process's limit as far as `connections` need.
///
/// Fails if the system does not allow that: a run that ran out of descriptors would look like a
/// target that cannot be reached.
pub(in crate::engine) fn provide(connections: u64) -> Result<(), EngineError> {
    let needed = connections.saturating_add(BESIDES);
    files::allow_descriptors(needed).map_err(|allowed| EngineError::Descriptors {
        connections,
        needed,
        allowed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::harness;
    use crate::plan::{HttpProtocol, LoadPlan};

    #[test]
    fn every_connection_that_may_be_opened_is_counted() {
        let mut scenario = harness::open(1.0, 1, 10);
        if let LoadPlan::Open { max_connections, .. } = &mut scenario.load {
            *max_connections = 64;
        }
        assert_eq!(connections(&Plan::from_scenarios(vec![scenario])), 64);
    }

    #[test]
    fn each_exchange_slot_that_follows_redirects_counts_its_connections_to_other_origins() {
        let mut scenario = harness::open(1.0, 1, 10);
        (scenario.target.protocol, scenario.streams) = (HttpProtocol::Http2, 4);
        let count = |scenario: &ScenarioPlan| {
            let scenarios = vec![scenario.clone(), harness::open(1.0, 1, 3)];
            connections(&Plan::from_scenarios(scenarios))
        };
        assert_eq!(count(&scenario), 13);
        scenario.requests[0].http_mut().redirects = 1;
        assert_eq!(count(&scenario), 10 + 40 * 2 + 3);
    }
}
