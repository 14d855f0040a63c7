//! Carries out a plan: one driver for every load model.
//!
//! A run's scenarios are dealt out as *lanes*: a lane is a share of one scenario's arrivals and connections, and
//! lives on one thread with a runtime of its own. Lanes share nothing; they report settled seconds to the
//! conductor, which adds them and hands them to the [`Observer`] in order.
//!
//! A lane has as many *places* for exchanges as it has connections times streams: on HTTP/1.1 a connection carries one
//! exchange at a time, on HTTP/2 as many as the scenario says. Each place is filled by a carrier, and those that share
//! a connection share a trunk.

mod account;
mod carrier;
mod chain;
mod channels;
pub mod clock;
mod conductor;
mod descriptors;
mod desk;
mod dial;
mod exchange;
mod flow;
mod hiccups;
mod hop;
mod http;
mod lane;
mod line;
mod liveness;
mod ports;
mod prepared;
pub mod probe;
mod redirect;
#[cfg(test)]
mod restless;
mod spin;
mod sql;
mod start;
mod stop;
#[cfg(test)]
mod tests;
mod tries;
mod trunk;
mod wire;
mod worker;

use std::num::NonZero;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use crate::plan::{Load, Pacing, Plan, Protocol, Reuse, ScenarioPlan, Shard};
use crate::record::{Histogram, Interval, Measurement};
use clock::{Alarm, Instant};
use conductor::Conductor;
use dial::{SystemResolver, TcpDial, Terms};
use hiccups::Hiccups;
use lane::Lane;
use line::{Command, Line};
use spin::Spin;
use start::Start;
use worker::Worker;

pub use ports::Doubt;
pub use stop::{Stop, Stopper, Urgency, stopper};

/// Why a run could not be carried out; none of it is the target's doing.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The target cannot be addressed as planned.
    #[error("{0}")]
    Target(String),
    /// The file of trusted certificates cannot be used.
    #[error("{}: {why}; `tls_ca` names a PEM file with at least one certificate", path.display())]
    Trust {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The client certificate or its key cannot be used.
    #[error(
        "{}: {why}; `tls_cert` and `tls_key` name PEM files, the first with the client certificate and those that lead \
         to its authority, the second with its private key",
        path.display()
    )]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The plan needs more file descriptors than this process may have.
    #[error(
        "{connections} connections need {needed} file descriptors and this process may open {allowed}; plan fewer \
         connections, or raise the limit with `ulimit -n {needed}`"
    )]
    Descriptors {
        /// Connections that may be open at once, over all scenarios and with those that redirects lead to.
        connections: u64,
        /// Descriptors they need.
        needed: u64,
        /// Descriptors the system allows.
        allowed: u64,
    },
    /// It was not ready when the measured phase had to start together with the other parts of a shared run.
    #[error(
        "the warm-up was not over at {}, when the measured phase had to start together with the other shards; nothing \
         was measured: give all of them a later `--start-at`, or a smaller warm-up",
        start.format(&Rfc3339).unwrap_or_else(|_| start.to_string())
    )]
    TooLate {
        /// When it had to start.
        start: OffsetDateTime,
    },
    /// The plan needs more local ports than this machine lends.
    #[error(
        "{connections} connections to {address} need as many local ports and this machine has {free}; plan fewer \
         connections, give the target more addresses with `resolve`, or allow more with `sysctl -w \
         net.ipv4.ip_local_port_range=\"1024 65535\"`"
    )]
    Ports {
        /// Connections to one address that may be open at once, over all scenarios.
        connections: u64,
        /// The address, with its port.
        address: String,
        /// Ports that connections to one address may have.
        free: u64,
    },
    /// The system gave no thread or runtime.
    #[error("the machine cannot start a worker: {0}")]
    Worker(std::io::Error),
    /// A worker died: a defect of tollgate.
    #[error("a worker ended before its work did; this is a defect of tollgate")]
    WorkerLost,
    /// What watched the run could not go on (a full disk, for instance).
    #[error(transparent)]
    Observer(Box<dyn std::error::Error + Send + Sync>),
}

/// Whether a run goes on after an interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flow {
    /// It goes on.
    Continue,
    /// It ends because the target is clearly down; says how that was seen.
    Stop(String),
}

/// Watches a run while it goes on.
pub trait Observer {
    /// Takes in one settled interval; those of a scenario come in order. An error ends the run at once.
    fn settled(
        &mut self,
        interval: &Interval,
    ) -> Result<Flow, Box<dyn std::error::Error + Send + Sync>>;

    /// Shows how far the run is, about five times a second.
    fn progress(&mut self, progress: &Progress);
}

/// How far a run is.
#[derive(Debug, Clone)]
pub struct Progress {
    /// How long the measured phase has lasted; `None` while warming up.
    pub measured: Option<Duration>,
    /// Each scenario, in the order of the plan.
    pub scenarios: Vec<ScenarioProgress>,
}

/// How far one scenario is; counts are of the measured phase.
#[derive(Debug, Clone)]
pub struct ScenarioProgress {
    /// Its name.
    pub name: String,
    /// How long its measured phase is planned to last.
    pub duration: Duration,
    /// Arrivals planned; `None` in the closed model.
    pub planned: Option<u64>,
    /// Arrivals released.
    pub released: u64,
    /// Exchanges that came to an end.
    pub done: u64,
    /// Of these, the ones that failed.
    pub failed: u64,
    /// Arrivals under way or waiting for a connection.
    pub in_flight: u64,
    /// Latency of the settled seconds.
    pub latency: Histogram,
}

/// A plan that is ready to be carried out: certificates read, requests put together, lanes dealt out.
pub struct Engine<'a> {
    plan: &'a Plan,
    /// The scenario of each lane.
    lanes: Vec<usize>,
    /// The lanes of each worker.
    crews: Vec<Vec<Berth>>,
}

impl<'a> Engine<'a> {
    /// Prepares a plan without sending anything.
    pub fn prepare(plan: &'a Plan) -> Result<Self, EngineError> {
        let own = own_part(plan);
        descriptors::provide(descriptors::connections(&own))?;
        ports::provide(&own)?;
        let terms = plan.scenarios.iter().map(terms_of).collect::<Result<Vec<_>, _>>()?;
        let assignments = deal(&own, cores());
        let berth = |lane: usize| {
            let Assignment { scenario, shard } = assignments[lane];
            Berth {
                lane,
                plan: plan.scenarios[scenario].clone(),
                shard,
                terms: terms[scenario].clone(),
            }
        };
        let crews = crews(&assignments, cores());
        let crews = crews.into_iter().map(|crew| crew.into_iter().map(berth).collect()).collect();
        let lanes = assignments.iter().map(|assignment| assignment.scenario).collect();
        Ok(Self { plan, lanes, crews })
    }

    /// Carries the plan out and returns all that was measured.
    ///
    /// Blocks until every arrival came to an end, or `stop` or the observer ended the run early.
    pub fn run(self, observer: &mut dyn Observer, stop: Stop) -> Result<Measurement, EngineError> {
        let runtime = runtime()?;
        let start = Start::now(self.plan)?;
        let (commands, listen) = watch::channel(Command::WarmUp);
        let (reports, inbox) = mpsc::channel(64);
        let mut workers = Vec::new();
        for (worker, crew) in self.crews.into_iter().enumerate() {
            let (commands, reports, pacing) = (listen.clone(), reports.clone(), self.plan.pacing);
            let thread =
                std::thread::Builder::new().name(format!("worker-{worker}")).spawn(move || {
                    watched(&reports, || work(crew, pacing, start.run, &commands, &reports))
                });
            workers.push(thread.map_err(EngineError::Worker)?);
        }
        drop((listen, reports));
        let conductor = Conductor::new(self.plan, &self.lanes, start, commands, observer);
        let measured = runtime.block_on(conductor.conduct(inbox, stop));
        for worker in workers {
            worker.join().map_err(|_| EngineError::WorkerLost)?;
        }
        measured
    }
}

/// A share of a scenario, to be carried out on one thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Assignment {
    scenario: usize,
    shard: Shard,
}

/// All a thread needs to set up one lane.
struct Berth {
    lane: usize,
    plan: ScenarioPlan,
    shard: Shard,
    terms: Terms,
}

fn terms_of(scenario: &ScenarioPlan) -> Result<Terms, EngineError> {
    Terms::new(&scenario.target, scenario.goes_elsewhere())
}

type Reports = mpsc::Sender<Result<line::Report, EngineError>>;

/// Tells the conductor of a worker that failed or panicked, which would wait for its lanes for ever.
fn watched(reports: &Reports, work: impl FnOnce() -> Result<(), EngineError>) {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    if let Err(error) = outcome.unwrap_or(Err(EngineError::WorkerLost)) {
        // The conductor is gone only when the run has failed already.
        let _gone = reports.blocking_send(Err(error));
    }
}

/// One worker: a thread with its own runtime, running its lanes side by side.
fn work(
    crew: Vec<Berth>,
    pacing: Pacing,
    run_start: Instant,
    commands: &watch::Receiver<Command>,
    reports: &Reports,
) -> Result<(), EngineError> {
    let runtime = runtime()?;
    let local = LocalSet::new();
    let timers_need_a_runtime = runtime.enter();
    let worker = Rc::new(Worker::new(pacing, clock::now()));
    for Berth { lane, plan, shard, terms } in crew {
        let line = Line { lane, commands: commands.clone(), reports: reports.clone() };
        let dial = TcpDial::new(terms, shard.index, Box::new(SystemResolver));
        let work = Rc::new(Lane::new(plan, shard, Box::new(dial), Rc::clone(&worker), run_start)?);
        local.spawn_local(work.run(Alarm::precise(Rc::clone(&worker.spin)), line));
    }
    let unspun = Alarm::precise(Rc::new(Spin::new(Pacing::Sleep, run_start)));
    local.spawn_local(Hiccups::watch(Rc::downgrade(&worker), unspun, run_start));
    // The meter ends with the lanes.
    drop((worker, timers_need_a_runtime));
    runtime.block_on(local);
    // A name look-up that hangs in the system must not keep the run from ending.
    runtime.shutdown_background();
    Ok(())
}

fn runtime() -> Result<Runtime, EngineError> {
    Builder::new_current_thread().enable_all().build().map_err(EngineError::Worker)
}

/// What this machine may run out of in the middle of a plan, depending on what only the run will show.
pub fn doubts(plan: &Plan) -> Vec<Doubt> {
    ports::doubts(&own_part(plan))
}

/// Processors this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// The plan with the connections of this prober's part alone.
fn own_part(plan: &Plan) -> Plan {
    let own = |scenario: &ScenarioPlan| scenario.clone().with_connections_of(plan.shard());
    Plan { scenarios: plan.scenarios.iter().map(own).collect(), ..plan.clone() }
}

/// Deals each scenario's part out in as few lanes as can carry it, so that splitting makes no wait of its own.
fn deal(plan: &Plan, cores: usize) -> Vec<Assignment> {
    let part = plan.shard();
    let mut assignments = Vec::new();
    for (scenario, plan) in plan.scenarios.iter().enumerate() {
        let of = u32::try_from(lanes_for(plan, part, cores)).unwrap_or(1);
        let shard = |index| part.then(Shard { index, of });
        assignments.extend((0..of).map(|index| Assignment { scenario, shard: shard(index) }));
    }
    assignments
}

/// How many exchanges may be under way on one connection at once.
///
/// Only HTTP/2 that is asked for carries more than one, and a connection opened for each arrival carries that alone.
fn streams(plan: &ScenarioPlan) -> u32 {
    match (plan.target.protocol, plan.reuse) {
        (Protocol::Http2, Reuse::Keep) => plan.streams.max(1),
        (Protocol::Negotiated | Protocol::Http1, _) | (_, Reuse::Fresh) => 1,
    }
}

/// How many exchanges of a scenario may be under way at once.
fn places(plan: &ScenarioPlan) -> u64 {
    u64::from(plan.load.max_connections()) * u64::from(streams(plan))
}

/// Arrivals a second that a lane carries with ease.
const ARRIVALS_A_LANE: f64 = 10_000.0;

/// A lane carries about [`ARRIVALS_A_LANE`] with ease, and a free place in another lane is of no use to an
/// arrival: only high rates over many places are split, and no connection is.
///
/// `part` says how much of the rate falls to this prober; the plan has its connections alone.
fn lanes_for(plan: &ScenarioPlan, part: Shard, cores: usize) -> usize {
    const PLACES_A_LANE: u64 = 32;
    let wanted = match &plan.load {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small positive number"
        )]
        Load::Open { schedule, .. } => {
            (schedule.peak().as_per_second() / f64::from(part.of) / ARRIVALS_A_LANE).ceil() as u64
        }
        Load::Closed { .. } => cores as u64,
    };
    // Further connections are for the worst case; what is shared out is what carries the load.
    let connections = u64::from(plan.load.connections());
    let filled = (connections * u64::from(streams(plan)) / PLACES_A_LANE).min(connections);
    usize::try_from(wanted.min(filled)).unwrap_or(cores).clamp(1, cores)
}

/// Which lanes each worker carries: in turn, on no more workers than there are cores.
fn crews(assignments: &[Assignment], cores: usize) -> Vec<Vec<usize>> {
    let workers = cores.min(assignments.len()).max(1);
    (0..workers).map(|worker| (worker..assignments.len()).step_by(workers).collect()).collect()
}
