//! What will happen: a scenario with its environment read, its secrets wrapped and its defaults gone.

mod body;
pub(crate) mod capacity;
mod capture;
mod environment;
mod expectation;
mod filling;
mod given;
pub mod live;
mod load;
mod part;
mod pattern;
mod request;
mod resolve;
mod schedule;
mod secrets;
mod sql;
mod step;
mod steps;
mod target;
mod terms;
mod warnings;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use time::OffsetDateTime;
use url::Url;

use crate::postgres::Address;
use crate::record::{
    Ceiling, Ending, Measurement, PlannedScenario, RequestMeasurement, ScenarioMeasurement,
};

pub use environment::Environment;
pub use resolve::Overrides;
pub use schedule::{Arrivals, Ramp, Schedule, Shard};
pub use secrets::Secrets;
pub use steps::{AskPlan, HttpPlan, RequestPlan, SqlPlan, Tries};

/// Everything one run will do: its scenarios, carried out at the same time.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The scenarios, in the order of the command; their names differ.
    pub scenarios: Vec<ScenarioPlan>,
    /// The values that must never be shown, to be blotted out of anything a target or an error may echo.
    pub secrets: Secrets,
    /// How often the whole is repeated, each time as a run of its own; `None` for one run.
    pub every: Option<Duration>,
    /// How the prober waits for due times.
    pub pacing: Pacing,
    /// The part of the run that this prober carries out; `None` for the whole.
    pub part: Option<PlannedPart>,
}

/// How the prober waits for due times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pacing {
    /// By a timer set short of the due time, and by spinning for the rest, within a bound.
    #[default]
    Spin,
    /// By a timer alone.
    Sleep,
}

/// The part of a run that one of several probers carries out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedPart {
    /// Which arrivals of each schedule.
    pub shard: Shard,
    /// When the measured phase starts, on the calendar.
    pub start: OffsetDateTime,
}

impl Plan {
    /// A plan of these scenarios, to be carried out once and whole, that knows no secrets.
    pub fn of(scenarios: Vec<ScenarioPlan>) -> Self {
        Self { scenarios, ..Self::default() }
    }

    /// The measurement of a run that has not begun: every scenario and request, and nothing counted. Where the run is
    /// shared out, as many arrivals are planned as fall to this prober.
    pub fn nothing_measured(&self) -> Measurement {
        let scenarios =
            self.scenarios.iter().map(|scenario| scenario.nothing_measured(self.shard()));
        Measurement::of(scenarios.collect(), Ending::Recovered)
    }
}

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

    fn nothing_measured(&self, shard: Shard) -> ScenarioMeasurement {
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
}

/// Where requests go, and on what terms.
#[derive(Debug, Clone)]
pub struct TargetPlan {
    /// Scheme, host and port, with a path that requests are appended to; no user information. Where every request names a
    /// whole URL, the first of these.
    pub base_url: Url,
    /// Which version of HTTP is spoken.
    pub protocol: Protocol,
    /// Which certificates are believed.
    pub trust: Trust,
    /// The certificate that the prober shows, where the target asks for one.
    pub identity: Option<ClientIdentity>,
    /// Which addresses of a name are used.
    pub family: Family,
    /// Names whose addresses are given here and not looked up; the first that fits counts.
    pub resolve: Vec<Resolve>,
    /// Further hosts that redirects may lead to, lower case; the base URL's own is always allowed.
    pub allowed_hosts: Vec<String>,
    /// How old the addresses found for a name may be before they are looked up again; zero looks them up for each
    /// connection.
    pub dns_refresh: Duration,
    /// Whether TLS sessions are resumed; each handshake is a full one otherwise.
    pub tls_resumption: bool,
    /// How long each phase, and an exchange as a whole, may take.
    pub timeouts: Timeouts,
}

/// Which version of HTTP is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Over TLS what the target chooses by ALPN (HTTP/2 is offered first), else HTTP/1.1.
    Negotiated,
    /// HTTP/1.1 alone.
    Http1,
    /// HTTP/2 alone: over TLS by ALPN, else with prior knowledge. A target that does not speak it fails.
    Http2,
}

/// Which certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The system's roots, or Mozilla's where the system has none.
    System,
    /// The certificates of a PEM file and no others.
    File(PathBuf),
    /// Any certificate: nobody knows who answers.
    Anything,
}

/// The certificate and key that the prober shows to a target that asks for one: PEM files, the chain leaf first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The certificate, and those that lead to its authority.
    pub certificate: PathBuf,
    /// Its private key; may be the same file.
    pub key: PathBuf,
}

/// Which addresses of a name are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// All of them, in the order of the resolver.
    Any,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

/// The addresses of one host and port, given instead of looked up, as by curl's `--resolve`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolve {
    /// The name, lower case.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The addresses, at least one.
    pub addresses: Vec<IpAddr>,
}

/// How long an exchange and its phases may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Name lookup.
    pub dns: Duration,
    /// The TCP handshake.
    pub connect: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// From sent to the first byte of the answer.
    pub first_byte: Duration,
    /// From the moment a connection takes the arrival to done, opening the connection included. An arrival that
    /// waited this long for a connection in vain is dropped.
    pub whole: Duration,
}

/// When arrivals are due.
#[derive(Debug, Clone)]
pub enum Load {
    /// Arrivals do not wait for answers.
    Open {
        /// When each arrival is due.
        schedule: Schedule,
        /// How many connections arrivals are waited with; they are the ones that are warmed up.
        connections: u32,
        /// How many may be open at once: where those above are all taken, an arrival opens another one up to here.
        max_connections: u32,
    },
    /// Each connection sends again when it is answered.
    Closed {
        /// How many connections send.
        connections: u32,
        /// When the last arrival may start.
        until: Duration,
        /// How many arrivals there are at most, over all connections.
        iterations: Option<u64>,
    },
}

impl Load {
    /// How many connections there are to begin with.
    pub fn connections(&self) -> u32 {
        match self {
            Self::Open { connections, .. } | Self::Closed { connections, .. } => *connections,
        }
    }

    /// How many connections may be open at once.
    pub fn max_connections(&self) -> u32 {
        match self {
            Self::Open { max_connections, .. } => *max_connections,
            Self::Closed { connections, .. } => *connections,
        }
    }

    /// The length of the measured phase; the last answers may come later.
    pub fn duration(&self) -> Duration {
        match self {
            Self::Open { schedule, .. } => schedule.duration(),
            Self::Closed { until, .. } => *until,
        }
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
