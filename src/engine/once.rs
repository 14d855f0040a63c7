//! Runs the steps that a run executes once: `[[setup]]` before the warm-up, `[[teardown]]` after
//! the load.

use std::rc::Rc;
use std::time::Duration;

use super::connection::dial::Dialer;
use super::error::EngineError;
use super::exchange::arrival_state::ArrivalState;
use super::exchange::context::ExchangeContext;
use super::exchange::setup_state::{ArrivalStart, SetupState};
use super::exchange::step_runner::StepRunner;
use super::limits::stop::{StopSignal, StopUrgency};
use super::observer::{Observer, OnceStage};
use super::thread::ThreadState;
use super::time::clock::{self, Instant};
use crate::plan::{CookiePolicy, PacingMode, Plan, RequestPlan, ScenarioPlan};
use crate::record::{
    Failure, Measurement, PlannedRequest, RunEnding, Stage, StepRecord, is_teardown_owed,
};
use crate::recorder::ExchangeFailure;

/// How long all teardowns together may take once the run was asked to stop. Without a signal,
/// their own timeouts are the only limit.
const TEARDOWN_LIMIT: Duration = Duration::from_secs(10);

/// Makes the dialer of a scenario, by its index in the plan.
pub(super) type MakeDialer<'a> = &'a dyn Fn(usize) -> Box<dyn Dialer>;

/// How the setup of all scenarios ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SetupEnd {
    /// The load can start.
    Ready,
    /// A step of this scenario's setup failed.
    Failed(String),
    /// The run was asked to stop.
    Interrupted,
}

/// The setups and teardowns of a run.
pub(super) struct OnceSteps<'a> {
    plan: &'a Plan,
    scenarios: Vec<ScenarioOnce>,
}

/// The setup and the teardown of one scenario.
struct ScenarioOnce {
    /// What the setup captured; the teardown continues with it.
    state: Option<ArrivalState>,
    setup: Option<OncePhase>,
    teardown: Option<OncePhase>,
    /// The steps of the setup that ended.
    setup_records: Vec<StepRecord>,
    /// The steps of the teardown that ended.
    teardown_records: Vec<StepRecord>,
}

impl<'a> OnceSteps<'a> {
    /// Prepares the steps; fails, before anything is sent, if one of them cannot be sent.
    pub(super) fn new(plan: &'a Plan, dialer: MakeDialer<'_>) -> Result<Self, EngineError> {
        let scenario = |(at, plan): (usize, &ScenarioPlan)| {
            // Within a setup and its teardown, cookies are kept in either mode.
            let own = SetupState::without_steps(plan.cookies);
            let phase = |steps: &[RequestPlan], plan: &dyn Fn() -> ScenarioPlan| {
                (!steps.is_empty()).then(|| OncePhase::new(&plan(), dialer(at))).transpose()
            };
            Ok(ScenarioOnce {
                state: plan
                    .has_once_steps()
                    .then(|| ArrivalState::begin(&ArrivalStart::after(&own), None)),
                setup: phase(&plan.setup, &|| plan.for_setup())?,
                teardown: phase(&plan.teardown, &|| plan.for_teardown())?,
                setup_records: Vec::new(),
                teardown_records: Vec::new(),
            })
        };
        let scenarios = plan.scenarios.iter().enumerate().map(scenario);
        Ok(Self { plan, scenarios: scenarios.collect::<Result<_, EngineError>>()? })
    }

    /// Runs the setup of each scenario in turn, until a step fails or the run is asked to stop.
    ///
    /// The first signal lets the step that was sent end, unless it is to drop it; the second one
    /// drops it in any case.
    pub(super) async fn set_up(
        &mut self,
        observer: &mut dyn Observer,
        mut stop: StopSignal,
    ) -> SetupEnd {
        for (plan, once) in self.plan.scenarios.iter().zip(&mut self.scenarios) {
            let Some(mut phase) = once.setup.take() else { continue };
            if stop.is_requested() {
                return SetupEnd::Interrupted;
            }
            let context = Rc::clone(&phase.context);
            let end = {
                let work = phase.set_up(plan, once, observer);
                tokio::pin!(work);
                loop {
                    tokio::select! {
                        biased;
                        urgency = stop.requested() => match urgency {
                            StopUrgency::Drain => context.drain.start(),
                            StopUrgency::Drop => break None,
                            StopUrgency::Abort => return SetupEnd::Interrupted,
                        },
                        end = &mut work => break Some(end),
                    }
                }
            };
            let Some(end) = end else {
                let dropped = phase.planned(once.setup_records.len(), &plan.shown.setup);
                // It may have been sent, so that the teardown is owed.
                let sent = phase.runner.ended_tries.max(1);
                once.setup_records.push(cut_off(&dropped.name, sent));
                return SetupEnd::Interrupted;
            };
            if end != SetupEnd::Ready {
                return end;
            }
        }
        SetupEnd::Ready
    }

    /// What the arrivals of each scenario start with.
    pub(super) fn states(&self) -> Vec<SetupState> {
        let scenarios = self.plan.scenarios.iter().zip(&self.scenarios);
        let state = |(plan, once): (&ScenarioPlan, &ScenarioOnce)| match &once.state {
            Some(state) if !plan.setup.is_empty() => state.to_setup_state(plan.cookies),
            Some(_) | None => SetupState::without_steps(plan.cookies),
        };
        scenarios.map(state).collect()
    }

    /// Runs the teardown of each scenario in turn, whatever fails: of those whose setup sent
    /// anything, and, if the load began, of those without a setup.
    ///
    /// Ends early once the run was asked to stop [`TEARDOWN_LIMIT`] ago, or asked twice.
    pub(super) async fn tear_down(
        &mut self,
        began: bool,
        observer: &mut dyn Observer,
        mut stop: StopSignal,
    ) {
        let work = async {
            for (plan, once) in self.plan.scenarios.iter().zip(&mut self.scenarios) {
                let has_setup = !plan.setup.is_empty();
                let is_owed = is_teardown_owed(has_setup, &once.setup_records, began);
                if let Some(phase) = once.teardown.take().filter(|_| is_owed) {
                    phase.tear_down(plan, once, observer).await;
                }
            }
        };
        tokio::select! {
            biased;
            () = time_is_over(&mut stop) => {}
            () = work => {}
        }
    }

    /// Adds how the steps ended to a measurement of the same plan.
    pub(super) fn record_in(self, measurement: &mut Measurement) {
        for (measured, once) in measurement.scenarios.iter_mut().zip(self.scenarios) {
            (measured.setup, measured.teardown) = (once.setup_records, once.teardown_records);
        }
    }
}

/// Waits until a teardown must end.
async fn time_is_over(stop: &mut StopSignal) {
    if stop.requested().await < StopUrgency::Abort {
        tokio::select! {
            _urgency = stop.requested() => {}
            () = tokio::time::sleep(TEARDOWN_LIMIT) => {}
        }
    }
}

/// The measurement of a run whose load never began.
pub(super) fn unmeasured(plan: &Plan, end: SetupEnd, run_start: Instant) -> Measurement {
    let elapsed = clock::now() - run_start;
    let ending = match end {
        SetupEnd::Failed(scenario) => RunEnding::SetupFailed(scenario),
        SetupEnd::Ready | SetupEnd::Interrupted => RunEnding::Interrupted,
    };
    Measurement { ending, elapsed, measured_from: elapsed, ..plan.empty_measurement() }
}

/// One scenario's setup or teardown in progress, on its own connection.
struct OncePhase {
    context: Rc<ExchangeContext>,
    runner: StepRunner,
}

impl OncePhase {
    /// Prepares a plan whose requests are the steps to run.
    fn new(plan: &ScenarioPlan, dialer: Box<dyn Dialer>) -> Result<Self, EngineError> {
        let now = clock::now();
        let thread = Rc::new(ThreadState::new(PacingMode::Sleep, now));
        let own = SetupState::without_steps(CookiePolicy::Off);
        let context = Rc::new(ExchangeContext::new(plan, &own, dialer, 1, thread, now)?);
        Ok(Self { runner: StepRunner::new(Rc::clone(&context), None), context })
    }

    async fn set_up(
        &mut self,
        plan: &ScenarioPlan,
        once: &mut ScenarioOnce,
        observer: &mut dyn Observer,
    ) -> SetupEnd {
        let name = &plan.shown.name;
        for at in 0..self.context.steps.len() {
            if self.context.drain.is_started() {
                return SetupEnd::Interrupted;
            }
            let planned = self.planned(at, &plan.shown.setup);
            observer.runs_once(OnceStage::Setup, name, &planned.name);
            let record = self.run(at, &planned.name, &mut once.state).await;
            let sent = self.runner.ended_tries;
            let record = record.unwrap_or_else(|| cut_off(&planned.name, sent));
            let has_failed = is_unaccepted(&record, planned);
            once.setup_records.push(record);
            if self.context.drain.is_started() {
                return SetupEnd::Interrupted;
            }
            if has_failed {
                return SetupEnd::Failed(name.clone());
            }
        }
        SetupEnd::Ready
    }

    async fn tear_down(
        mut self,
        plan: &ScenarioPlan,
        once: &mut ScenarioOnce,
        observer: &mut dyn Observer,
    ) {
        for at in 0..self.context.steps.len() {
            let step = &self.planned(at, &plan.shown.teardown).name;
            observer.runs_once(OnceStage::Teardown, &plan.shown.name, step);
            let record = self.run(at, step, &mut once.state).await;
            once.teardown_records.extend(record);
        }
    }

    fn planned<'p>(&self, at: usize, shown: &'p [PlannedRequest]) -> &'p PlannedRequest {
        &shown[self.context.steps[at].index]
    }

    /// Runs one step; `None` if the run started to drain before one of its tries.
    async fn run(
        &mut self,
        at: usize,
        name: &str,
        state: &mut Option<ArrivalState>,
    ) -> Option<StepRecord> {
        let context = Rc::clone(&self.context);
        let prepared = &context.steps[at];
        let start = context.start_now(None);
        let (took, tries, failed) = match prepared.for_arrival(state.as_ref()) {
            Err(failed) => (Duration::ZERO, 0, Some(failed)),
            Ok(step) => {
                let end = self.runner.run_step(&step, start, Stage::Warmup, state).await?;
                (end.done - start.dispatched, end.tries, end.exchange.failed)
            }
        };
        if let Some(failed) = &failed {
            prepared.note_failure(state, failed.failure);
        }
        let failed = failed.as_deref().map(ExchangeFailure::to_evidence);
        Some(StepRecord { name: name.to_owned(), took, tries, failed })
    }
}

/// A step that the end of the run cut off after it was sent `tries` times: before its first try,
/// between two of them, or in one that was dropped. Only a step that was sent makes a teardown
/// necessary.
fn cut_off(name: &str, tries: u32) -> StepRecord {
    let failed = ExchangeFailure::new(Failure::Prober, "cut off by the end of the run");
    let evidence = failed.to_evidence();
    StepRecord { name: name.to_owned(), took: Duration::ZERO, tries, failed: Some(evidence) }
}

/// Whether a step failed in a way that it does not accept.
fn is_unaccepted(record: &StepRecord, planned: &PlannedRequest) -> bool {
    let accepts = |failure: Failure| planned.accepts.contains(&failure);
    record.failed.as_ref().is_some_and(|evidence| !accepts(evidence.failure))
}
