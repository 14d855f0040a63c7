//! What one scenario will do.

use super::alert_plan::AlertPlan;
use super::coin::{ArrivalCoin, share_of_arrivals};
use super::data::DataPlan;
use super::draw::RequestDraw;
use super::load_plan::LoadPlan;
use super::machine_plan::MachinePlan;
use super::request_plan::{RequestAction, RequestPlan};
use super::schedule::Shard;
use super::secrets::SecretSet;
use super::target_plan::TargetPlan;
use crate::postgres::DatabaseAddress;
use crate::record::{
    BaselineWindow, Ceiling, PlannedRequest, PlannedScenario, RequestMeasurement,
    ScenarioMeasurement,
};

/// What one scenario will do.
#[derive(Debug, Clone)]
pub struct ScenarioPlan {
    /// The plan in words and without secrets, for the record. It holds the names of the scenario
    /// and its requests.
    pub shown: PlannedScenario,
    /// How the target is reached.
    pub target: TargetPlan,
    /// The requests that each arrival sends, in order.
    pub requests: Vec<RequestPlan>,
    /// The steps that run once before the warm-up, in order. Arrivals and the teardown use the
    /// values that they capture.
    pub setup: Vec<RequestPlan>,
    /// The steps that run once after the load, in order.
    pub teardown: Vec<RequestPlan>,
    /// Which cookies requests send.
    pub cookies: CookiePolicy,
    /// When arrivals are due.
    pub load: LoadPlan,
    /// How many exchanges may share one connection at a time; always 1 without HTTP/2.
    pub streams: u32,
    /// Whether a connection is used for more than one arrival.
    pub reuse: ConnectionReuse,
    /// What is sent before the measured stage.
    pub warmup: WarmupPlan,
    /// The secrets of the whole run: a target may echo those of any scenario.
    pub secrets: SecretSet,
    /// The rows of the data file, of which each arrival uses one; `None` without such a file.
    pub data: Option<DataPlan>,
    /// How each arrival chooses the one request that it sends; `None` if it sends all of them.
    pub draw: Option<RequestDraw>,
    /// The Fly machines that serve the requests; `None` if the scenario names none.
    pub machines: Option<MachinePlan>,
    /// Who is told when its runs fail; `None` if nobody is.
    pub alert: Option<AlertPlan>,
    /// Which earlier runs give its relative budgets their limits.
    pub baseline: BaselineWindow,
    /// Whether the exchanges of the measured stage are also kept one by one, up to
    /// [`ExchangeSample::MAX_KEPT`](crate::record::session::ExchangeSample::MAX_KEPT); never in a
    /// plan from a file.
    pub keeps_samples: bool,
}

impl ScenarioPlan {
    /// The ceilings of each measured request, in the order of the requests. Hops have none.
    pub fn ceilings(&self) -> Vec<Vec<Ceiling>> {
        let mut ceilings = vec![Vec::new(); self.shown.requests.len()];
        for request in &self.requests {
            ceilings[request.index].clone_from(&request.ceilings);
        }
        ceilings
    }

    /// Which arrivals of its schedule it sends, if it is one side of a duet; `None` for all.
    pub fn coin(&self) -> Option<ArrivalCoin> {
        self.shown.duet.as_ref().map(|duet| ArrivalCoin::new(duet.seed, duet.side))
    }

    /// Whether any step sends an HTTP request. Otherwise only the timeouts of [`Self::target`] have
    /// a meaning.
    pub fn uses_http(&self) -> bool {
        self.steps().any(|step| step.http().is_some())
    }

    /// All its steps: those of the setup, the requests, those of the teardown.
    pub fn steps(&self) -> impl Iterator<Item = &RequestPlan> {
        self.setup.iter().chain(&self.requests).chain(&self.teardown)
    }

    /// The hosts that its steps name, in addition to that of the base URL.
    pub fn named_hosts(&self) -> impl Iterator<Item = &str> {
        self.steps().filter_map(|step| step.http()?.url.host_str())
    }

    /// Whether any step runs once, before or after the load.
    pub fn has_once_steps(&self) -> bool {
        !self.setup.is_empty() || !self.teardown.is_empty()
    }

    /// The same plan with the steps of its setup as its requests.
    #[must_use]
    pub fn for_setup(&self) -> Self {
        self.with_requests(self.setup.clone(), self.shown.setup.clone())
    }

    /// The same plan with the steps of its teardown as its requests.
    #[must_use]
    pub fn for_teardown(&self) -> Self {
        self.with_requests(self.teardown.clone(), self.shown.teardown.clone())
    }

    /// Redirects may still lead to the hosts that the replaced requests name.
    fn with_requests(&self, requests: Vec<RequestPlan>, shown: Vec<PlannedRequest>) -> Self {
        let mut plan = Self { requests, ..self.clone() };
        plan.shown.requests = shown;
        plan.target.allowed_hosts.extend(self.named_hosts().map(str::to_owned));
        plan
    }

    /// The databases that its steps query, each once, with the name that the scenario gives them.
    pub fn databases(&self) -> Vec<(&str, &DatabaseAddress)> {
        let mut databases: Vec<(&str, &DatabaseAddress)> = Vec::new();
        for request in self.steps() {
            if let RequestAction::Sql(sql) = &request.action
                && databases.iter().all(|(known, _)| *known != sql.database)
            {
                databases.push((&sql.database, &sql.address));
            }
        }
        databases
    }

    /// Whether an exchange may need a connection to an origin other than that of the base URL.
    pub fn may_leave_origin(&self) -> bool {
        let home = self.target.base_url.origin();
        self.steps()
            .filter_map(RequestPlan::http)
            .any(|http| http.redirects > 0 || http.url.origin() != home)
    }

    pub(super) fn nothing_measured(&self, shard: Shard) -> ScenarioMeasurement {
        let names = self.shown.requests.iter().map(|request| request.name.clone());
        let requests = names.zip(self.ceilings());
        let requests = requests.map(|(name, ceilings)| RequestMeasurement::new(name, ceilings));
        let planned = match &self.load {
            LoadPlan::Open { schedule, .. } => {
                Some(share_of_arrivals(self.coin(), shard, schedule.count()))
            }
            LoadPlan::Closed { .. } => None,
        };
        ScenarioMeasurement {
            planned,
            ..ScenarioMeasurement::new(self.shown.name.clone(), requests.collect())
        }
    }

    /// The same plan with only the connections of one prober.
    ///
    /// Schedule and warm-up stay whole, because probers take their arrivals by index.
    #[must_use]
    pub fn with_connections_for(mut self, shard: Shard) -> Self {
        let of = |all: u32| u32::try_from(shard.share(u64::from(all))).unwrap_or(all);
        match &mut self.load {
            LoadPlan::Open { connections, max_connections, .. } => {
                (*connections, *max_connections) = (of(*connections), of(*max_connections));
            }
            LoadPlan::Closed { connections, .. } => *connections = of(*connections),
        }
        self
    }
}

/// Which cookies requests send.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CookiePolicy {
    /// None.
    #[default]
    Off,
    /// Those that earlier answers of the same arrival set (`cookies = "arrival"`).
    Arrival,
    /// In addition those that the answers to the setup set (`cookies = "setup"`).
    Setup,
}

/// Whether a connection is used for more than one arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionReuse {
    /// Connections stay open and are used again.
    Keep,
    /// Every arrival opens its own connection (`connections = "fresh"`).
    Fresh,
}

/// What is sent before the measured stage. It is recorded separately and never judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WarmupPlan {
    /// How many connections are opened; at most those of the load.
    pub connections: u32,
    /// How many arrivals are sent over them; at least one for each connection.
    pub requests: u64,
}
