//! Checks a plan before it starts, and runs it.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use super::assignment::{
    LaneAssignment, assign_lanes, assign_threads, assign_threads_of_duets, cores, own_share,
};
use super::conductor::Conductor;
use super::connection::dial::{ConnectionTerms, Dialer, SystemResolver, TcpDialer};
use super::connection::sends::SendLimit;
use super::error::EngineError;
use super::exchange::setup_state::SetupState;
use super::lane::Lane;
use super::lane::conductor_link::{ConductorLink, LaneCommand, ReportSender};
use super::limits::ports::PortWarning;
use super::limits::stop::StopSignal;
use super::limits::{descriptors, ports};
use super::observer::Observer;
use super::once::{OnceSteps, SetupEnd, unmeasured};
use super::thread::{ThreadState, current_thread_runtime};
use super::time::clock::{self, Instant};
use super::time::spin::SpinBudget;
use super::time::start::RunStart;
use super::time::timer::PreciseTimer;
use crate::plan::{PacingMode, Plan, ScenarioPlan, Shard};
use crate::record::Measurement;

/// Reports the engine can hold before a lane has to wait for the conductor.
const REPORT_QUEUE: usize = 64;

/// A plan that is ready to run: certificates read, lanes assigned to threads.
pub struct Engine<'a> {
    plan: &'a Plan,
    /// The scenario of each lane.
    lanes: Vec<usize>,
    /// The lanes of each thread.
    threads: Vec<Vec<LaneSetup>>,
    /// How the connections of each scenario are opened.
    terms: Vec<ConnectionTerms>,
}

/// Everything a thread needs to set up one lane.
struct LaneSetup {
    lane: usize,
    plan: ScenarioPlan,
    shard: Shard,
    terms: ConnectionTerms,
}

impl<'a> Engine<'a> {
    /// Prepares a plan without sending anything.
    pub fn prepare(plan: &'a Plan) -> Result<Self, EngineError> {
        let own = own_share(plan);
        descriptors::provide(descriptors::connections(&own))?;
        ports::provide(&own)?;
        let limit = SendLimit::of(plan);
        let terms = plan
            .scenarios
            .iter()
            .map(|scenario| connection_terms(scenario).map(|terms| terms.limited(limit.clone())));
        let terms = terms.collect::<Result<Vec<_>, _>>()?;
        let assignments = assign_lanes(&own, cores());
        let setup = |lane: usize| {
            let LaneAssignment { scenario, shard } = assignments[lane];
            LaneSetup {
                lane,
                plan: plan.scenarios[scenario].clone(),
                shard,
                terms: terms[scenario].clone(),
            }
        };
        let is_duet = plan.scenarios.iter().any(|scenario| scenario.coin().is_some());
        let assign = if is_duet { assign_threads_of_duets } else { assign_threads };
        let threads = assign(&assignments, cores());
        let threads =
            threads.into_iter().map(|lanes| lanes.into_iter().map(setup).collect()).collect();
        let lanes = assignments.iter().map(|assignment| assignment.scenario).collect();
        Ok(Self { plan, lanes, threads, terms })
    }

    /// Runs the plan and returns everything that was measured.
    ///
    /// Blocks until every arrival has ended, or until `stop` or the observer ends the run early.
    /// If a setup fails, nothing is measured. What was set up is torn down, however the run ends.
    pub fn run(
        self,
        observer: &mut dyn Observer,
        stop: StopSignal,
    ) -> Result<Measurement, EngineError> {
        let runtime = current_thread_runtime()?;
        let result = LocalSet::new().block_on(&runtime, self.run_all(observer, stop));
        // A name look-up that hangs in the system must not keep the run from ending.
        runtime.shutdown_background();
        result
    }

    async fn run_all(
        self,
        observer: &mut dyn Observer,
        stop: StopSignal,
    ) -> Result<Measurement, EngineError> {
        let (plan, terms) = (self.plan, self.terms.clone());
        let dialer = |scenario: usize| -> Box<dyn Dialer> {
            let shard = plan.shard().index;
            Box::new(TcpDialer::new(terms[scenario].clone(), shard, Box::new(SystemResolver)))
        };
        let start = RunStart::now(plan)?;
        let mut once = OnceSteps::new(plan, &dialer)?;
        let end = once.set_up(observer, stop.clone()).await;
        let begins = end == SetupEnd::Ready;
        let measured = if begins {
            self.measure(&once.states(), start, observer, stop.clone()).await
        } else {
            Ok(unmeasured(plan, end, start.run))
        };
        once.tear_down(begins, observer, stop).await;
        let mut measurement = measured?;
        once.record_in(&mut measurement);
        Ok(measurement)
    }

    /// Runs the load: warm-up and measured stage.
    async fn measure(
        self,
        setups: &[SetupState],
        start: RunStart,
        observer: &mut dyn Observer,
        stop: StopSignal,
    ) -> Result<Measurement, EngineError> {
        let (commands, listen) = watch::channel(LaneCommand::WarmUp);
        let (reports, inbox) = mpsc::channel(REPORT_QUEUE);
        let mut threads = Vec::new();
        for (index, lanes) in self.threads.into_iter().enumerate() {
            let (commands, reports, pacing) = (listen.clone(), reports.clone(), self.plan.pacing);
            let setups: Vec<_> =
                lanes.iter().map(|setup| setups[self.lanes[setup.lane]].clone()).collect();
            let lanes = lanes.into_iter().zip(setups).collect();
            let work = move || run_lanes(lanes, pacing, start.run, &commands, &reports);
            threads.push(spawn_thread(index, work)?);
        }
        drop((listen, reports));
        let conductor = Conductor::new(self.plan, &self.lanes, start, commands, observer);
        let measured = conductor.conduct(inbox, stop).await;
        for thread in threads {
            thread.join().map_err(|_| EngineError::ThreadLost)?;
        }
        measured
    }
}

/// Which ports this machine may run out of during a plan, depending on how the run goes.
pub fn port_warnings(plan: &Plan) -> Vec<PortWarning> {
    ports::warnings(&own_share(plan))
}

fn connection_terms(scenario: &ScenarioPlan) -> Result<ConnectionTerms, EngineError> {
    ConnectionTerms::new(&scenario.target, scenario.may_leave_origin())
}

fn spawn_thread(
    index: usize,
    work: impl FnOnce() + Send + 'static,
) -> Result<std::thread::JoinHandle<()>, EngineError> {
    let builder = std::thread::Builder::new().name(format!("worker-{index}"));
    builder.spawn(work).map_err(EngineError::Thread)
}

/// Runs the lanes of one thread, and reports a failure or panic to the conductor.
///
/// Without that report the conductor would wait for the thread's lanes for ever.
fn run_lanes(
    lanes: Vec<(LaneSetup, SetupState)>,
    pacing: PacingMode,
    run_start: Instant,
    commands: &watch::Receiver<LaneCommand>,
    reports: &ReportSender,
) {
    let work = || run_lanes_to_end(lanes, pacing, run_start, commands, reports);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    if let Err(error) = outcome.unwrap_or(Err(EngineError::ThreadLost)) {
        // The conductor is gone only after the run has failed.
        let _gone = reports.blocking_send(Err(error));
    }
}

/// Runs the lanes of one thread concurrently on its own runtime.
fn run_lanes_to_end(
    lanes: Vec<(LaneSetup, SetupState)>,
    pacing: PacingMode,
    run_start: Instant,
    commands: &watch::Receiver<LaneCommand>,
    reports: &ReportSender,
) -> Result<(), EngineError> {
    let runtime = current_thread_runtime()?;
    let local = LocalSet::new();
    let (timers_need_a_runtime, tasks_need_a_set) = (runtime.enter(), local.enter());
    let now = clock::now();
    // The meter counts whole milliseconds of the run. The time before this start, such as that of
    // the setup, is not a standstill.
    let meter_start = run_start + Duration::from_millis(whole_millis(now - run_start));
    let thread = Rc::new(ThreadState::new(pacing, now));
    for (LaneSetup { lane, plan, shard, terms }, setup) in lanes {
        let link = ConductorLink { lane, commands: commands.clone(), reports: reports.clone() };
        let dialer = TcpDialer::new(terms, shard.index, Box::new(SystemResolver));
        let lane = Lane::new(plan, &setup, shard, Box::new(dialer), Rc::clone(&thread), run_start)?;
        let timer = PreciseTimer::precise(Rc::clone(&thread.spin));
        local.spawn_local(Rc::new(lane).run(timer, link));
    }
    let unspun = PreciseTimer::precise(Rc::new(SpinBudget::new(PacingMode::Sleep, run_start)));
    thread.start_meter(unspun, meter_start);
    // The hiccup meter ends when the lanes drop the thread's state.
    drop((thread, tasks_need_a_set, timers_need_a_runtime));
    runtime.block_on(local);
    // A name look-up that hangs in the system must not keep the run from ending.
    runtime.shutdown_background();
    Ok(())
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
