//! Splits scenarios into lanes and assigns the lanes to threads.

use std::collections::BTreeMap;
use std::num::NonZero;

use crate::plan::{ConnectionReuse, HttpProtocol, LoadPlan, Plan, ScenarioPlan, Shard};

/// Arrivals per second that one lane sends with ease.
pub(super) const ARRIVALS_PER_LANE: f64 = 10_000.0;

/// Exchange slots below which a lane is not worth splitting off.
const SLOTS_PER_LANE: u64 = 32;

/// A share of one scenario that runs on one thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LaneAssignment {
    /// The scenario's index in the plan.
    pub(super) scenario: usize,
    /// The lane's share of the scenario's arrivals.
    pub(super) shard: Shard,
}

/// Processors this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// The plan reduced to this prober's share of the connections.
pub(super) fn own_share(plan: &Plan) -> Plan {
    let own = |scenario: &ScenarioPlan| scenario.clone().with_connections_for(plan.shard());
    Plan { scenarios: plan.scenarios.iter().map(own).collect(), ..plan.clone() }
}

/// Splits each scenario across as few lanes as can sustain its rate.
///
/// A free connection in one lane cannot serve another lane, so extra lanes would add waiting.
pub(super) fn assign_lanes(plan: &Plan, cores: usize) -> Vec<LaneAssignment> {
    let prober = plan.shard();
    let mut assignments = Vec::new();
    for (scenario, plan) in plan.scenarios.iter().enumerate() {
        let of = u32::try_from(lanes_for(plan, prober, cores)).unwrap_or(1);
        let shard = |index| prober.subdivide(Shard { index, of });
        assignments.extend((0..of).map(|index| LaneAssignment { scenario, shard: shard(index) }));
    }
    assignments
}

/// The lanes of each thread, in turn, on at most as many threads as there are cores.
pub(super) fn assign_threads(assignments: &[LaneAssignment], cores: usize) -> Vec<Vec<usize>> {
    in_turn((0..assignments.len()).map(|lane| vec![lane]).collect(), cores)
}

/// The lanes of each thread if each pair of scenarios is the two sides of a duet. The lanes of both
/// sides share a thread, so that its standstills and its caches do not favour one side.
pub(super) fn assign_threads_of_duets(
    assignments: &[LaneAssignment],
    cores: usize,
) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<(usize, u32), Vec<usize>> = BTreeMap::new();
    for (lane, LaneAssignment { scenario, shard }) in assignments.iter().enumerate() {
        groups.entry((scenario / 2, shard.index)).or_default().push(lane);
    }
    in_turn(groups.into_values().collect(), cores)
}

fn in_turn(groups: Vec<Vec<usize>>, cores: usize) -> Vec<Vec<usize>> {
    let mut threads = vec![Vec::new(); cores.min(groups.len()).max(1)];
    let number = threads.len();
    for (at, group) in groups.into_iter().enumerate() {
        threads[at % number].extend(group);
    }
    threads
}

/// Maximum number of concurrent exchanges on one connection.
///
/// Only HTTP/2 with prior agreement carries more than one. A connection opened for a single
/// arrival carries only that arrival.
pub(super) fn streams_per_connection(plan: &ScenarioPlan) -> u32 {
    match (plan.target.protocol, plan.reuse) {
        (HttpProtocol::Http2, ConnectionReuse::Keep) => plan.streams.max(1),
        (HttpProtocol::Negotiated | HttpProtocol::Http1, _) | (_, ConnectionReuse::Fresh) => 1,
    }
}

/// Maximum number of concurrent exchanges of a scenario.
pub(super) fn exchange_slots(plan: &ScenarioPlan) -> u64 {
    u64::from(plan.load.max_connections()) * u64::from(streams_per_connection(plan))
}

/// The number of lanes for a scenario.
///
/// One lane sends about [`ARRIVALS_PER_LANE`] with ease, and an arrival cannot use a free slot in
/// another lane. So only high rates over many slots are split, and a connection never is.
///
/// `prober` is this prober's share of the rate; `plan` already has only its connections.
pub(super) fn lanes_for(plan: &ScenarioPlan, prober: Shard, cores: usize) -> usize {
    let wanted = match &plan.load {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small positive number"
        )]
        LoadPlan::Open { schedule, .. } => {
            (schedule.peak().as_per_second() / f64::from(prober.of) / ARRIVALS_PER_LANE).ceil()
                as u64
        }
        LoadPlan::Closed { .. } => cores as u64,
    };
    // Connections beyond the base are for the worst case; the base ones carry the load.
    let connections = u64::from(plan.load.connections());
    let slots = connections * u64::from(streams_per_connection(plan));
    let supported = (slots / SLOTS_PER_LANE).min(connections);
    usize::try_from(wanted.min(supported)).unwrap_or(cores).clamp(1, cores)
}
