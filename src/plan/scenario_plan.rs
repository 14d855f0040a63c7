//! What one scenario will do.

use super::load_plan::Load;
use super::request_plan::{AskPlan, RequestPlan};
use super::schedule::Shard;
use super::secrets::Secrets;
use super::target_plan::TargetPlan;
use crate::postgres::Address;
use crate::record::{Ceiling, PlannedScenario, RequestMeasurement, ScenarioMeasurement};

/// What one scenario will do.
#[derive(Debug, Clone)]
pub struct ScenarioPlan {
    /// The same in words and without secrets, for the record; holds the scenario's and the requests' names.
    pub shown: PlannedScenario,
    /// Where requests go, and on what terms.
    pub target: TargetPlan,
    /// The requests that each arrival carries out, in order.
    pub requests: Vec<RequestPlan>,
    /// When arrivals are due.
    pub load: Load,
    /// How many exchanges may be under way on one connection at once; 1 but for HTTP/2.
    pub streams: u32,
    /// Whether a connection carries more than one arrival.
    pub reuse: Reuse,
    /// What is sent before measuring.
    pub warmup: Warmup,
    /// The run's secrets: a target may echo those of any scenario.
    pub secrets: Secrets,
}

impl ScenarioPlan {
    /// The ceilings of each measured request, in their order; hops have none.
    pub fn ceilings(&self) -> Vec<Vec<Ceiling>> {
        let mut ceilings = vec![Vec::new(); self.shown.requests.len()];
        for request in &self.requests {
            ceilings[request.place].clone_from(&request.ceilings);
        }
        ceilings
    }

    /// Whether a step goes to a target over HTTP; where none does, only the timeouts of [`Self::target`] mean anything.
    pub fn asks_over_http(&self) -> bool {
        self.requests.iter().any(|request| request.http().is_some())
    }

    /// The databases that its steps ask, each once, by the scenario's names for them.
    pub fn databases(&self) -> Vec<(&str, &Address)> {
        let mut databases: Vec<(&str, &Address)> = Vec::new();
        for request in &self.requests {
            if let AskPlan::Sql(sql) = &request.ask
                && databases.iter().all(|(known, _)| *known != sql.database)
            {
                databases.push((&sql.database, &sql.address));
            }
        }
        databases
    }

    /// Whether an exchange may need a connection to another origin than the base URL's.
    pub fn goes_elsewhere(&self) -> bool {
        let home = self.target.base_url.origin();
        self.requests
            .iter()
            .filter_map(RequestPlan::http)
            .any(|http| http.redirects > 0 || http.url.origin() != home)
    }

    pub(super) fn nothing_measured(&self, shard: Shard) -> ScenarioMeasurement {
        let names = self.shown.requests.iter().map(|request| request.name.clone());
        let requests = names.zip(self.ceilings());
        let requests = requests.map(|(name, ceilings)| RequestMeasurement::new(name, ceilings));
        let planned = match &self.load {
            Load::Open { schedule, .. } => Some(shard.share(schedule.count())),
            Load::Closed { .. } => None,
        };
        ScenarioMeasurement {
            planned,
            ..ScenarioMeasurement::new(self.shown.name.clone(), requests.collect())
        }
    }

    /// The same with the connections that fall to one prober. Schedule and warm-up stay whole: they are dealt out by
    /// index.
    #[must_use]
    pub fn with_connections_of(mut self, shard: Shard) -> Self {
        let of = |all: u32| u32::try_from(shard.share(u64::from(all))).unwrap_or(all);
        match &mut self.load {
            Load::Open { connections, max_connections, .. } => {
                (*connections, *max_connections) = (of(*connections), of(*max_connections));
            }
            Load::Closed { connections, .. } => *connections = of(*connections),
        }
        self
    }
}

/// Whether a connection carries more than one arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// Connections are kept and used again.
    Keep,
    /// Every arrival opens a connection of its own (`connections = "fresh"`).
    Fresh,
}

/// What is sent before measuring; it is recorded apart and never judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warmup {
    /// How many connections are opened; at most the load's.
    pub connections: u32,
    /// How many arrivals are carried out over them, at least one a connection.
    pub requests: u64,
}
