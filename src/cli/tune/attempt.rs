//! One attempt: from the configuration to the steady stage.

mod api_watch;

use std::time::Duration;

use time::OffsetDateTime;

use self::api_watch::ApiWatch;
use super::app_machines::{AppMachines, AppProblem};
use super::restore_file::RestoreStore;
use crate::cli::evidence::EvidenceFile;
use crate::cli::exit::CommandError;
use crate::cli::log;
use crate::cli::outputs::{self, FinishedRun};
use crate::cli::session::{self, ReferencedRuns, RunFlags};
use crate::cli::signals::RunSignals;
use crate::cli::{warm, warming};
use crate::engine::clock;
use crate::plan::{ConnectionReuse, Plan, ScenarioPlan};
use crate::record::session::{Attempt, ColdState, CurveEnd, QuotaReading, StartKind, SteadyStage};
use crate::record::{Dimension, FailureEvidence, Histogram, RunEnding, RunRecord};
use crate::tune::plan_file::{ConfigurationChange, SessionPlan};
use crate::tune::rounds::PlannedAttempt;

/// What every attempt of a session uses.
pub(super) struct AttemptContext<'a> {
    pub(super) plan: &'a SessionPlan,
    /// The scenario, resolved: the load of the steady stage, secrets, pacing.
    pub(super) load: &'a Plan,
    pub(super) flags: &'a RunFlags,
    pub(super) signals: &'a RunSignals,
    /// How long the first request may take, boot included.
    pub(super) first_limit: Duration,
    /// How long machines rest after an attempt and before they are made cold; see
    /// `QuotaMeter::rest`.
    pub(super) rest: Duration,
    /// Sends a finished run to where runs are stored in addition to their folder.
    pub(super) store_run: &'a dyn Fn(&FinishedRun),
    /// The file that gets an entry for each attempt.
    pub(super) evidence: &'a EvidenceFile,
}

/// The machines of a session, and what restores them; `None` if no app is named.
pub(super) type ManagedApp<'a, 'b> = Option<(&'b mut AppMachines<'a>, &'b mut RestoreStore)>;

impl AttemptContext<'_> {
    fn scenario(&self) -> &ScenarioPlan {
        &self.load.scenarios[0]
    }

    /// Makes an attempt. What goes wrong with the app or the target is in the attempt; an error is
    /// a failure of the prober itself.
    pub(super) fn make(
        &self,
        number: u32,
        planned: PlannedAttempt,
        app: ManagedApp<'_, '_>,
    ) -> Result<Attempt, CommandError> {
        let began = clock::now();
        let mut attempt = empty_attempt(number, planned, clock::wall_clock());
        let made = self.fill(&mut attempt, app);
        attempt.took = clock::now() - began;
        match made {
            Ok(()) => Ok(attempt),
            Err(AttemptFailure::Attempt(problem)) => {
                attempt.problem = Some(log::redact(&problem));
                Ok(attempt)
            }
            Err(AttemptFailure::Prober(error)) => Err(error),
        }
    }

    fn fill(
        &self,
        attempt: &mut Attempt,
        mut app: ManagedApp<'_, '_>,
    ) -> Result<(), AttemptFailure> {
        if let Some((machines, store)) = &mut app {
            self.prepare_machines(attempt, machines, store)?;
        }
        if let ColdState::Idle { pause } = self.plan.cold {
            self.signals.stops_within(pause);
        }
        self.check_signals()?;
        self.send_first(attempt, app.as_mut().map(|(machines, _)| &mut **machines))?;
        if let Some((machines, _)) = &mut app {
            machines.refuse_stray_answer()?;
            attempt.start = machines.start_kind(attempt.started)?;
        }
        self.follow_curve(attempt)?;
        self.measure_steady(attempt)?;
        if let Some((machines, _)) = &mut app {
            attempt.machines_after = machines.inventory()?;
        }
        Ok(())
    }

    /// Applies the configuration and brings the app into its cold state.
    fn prepare_machines(
        &self,
        attempt: &mut Attempt,
        machines: &mut AppMachines<'_>,
        store: &mut RestoreStore,
    ) -> Result<(), AttemptFailure> {
        let change: &ConfigurationChange = &self.plan.configurations[attempt.configuration].change;
        if machines.is_changed_by(attempt.configuration) {
            self.let_rest()?;
        }
        machines.apply(attempt.configuration, change, store)?;
        self.check_signals()?;
        attempt.machines_before = machines.inventory()?;
        attempt.machine = machines.only_machine().map(|id| id.as_str().to_owned());
        self.let_rest()?;
        attempt.cold_from = Some(clock::wall_clock());
        machines.cool_down(self.plan.cold, store)?;
        self.check_signals()?;
        Ok(machines.start_unless_proxy_does()?)
    }

    fn send_first(
        &self,
        attempt: &mut Attempt,
        mut machines: Option<&mut AppMachines<'_>>,
    ) -> Result<(), AttemptFailure> {
        let (load, limit) = (self.load, self.first_limit);
        attempt.first_due = Some(clock::wall_clock());
        let mut watch = ApiWatch::new(|patience| {
            machines.as_mut().is_none_or(|machines| machines.is_reachable(patience))
        });
        let first = warming::first_requests(
            load,
            self.scenario(),
            limit,
            self.signals,
            &mut |unconnected| watch.goes_on(unconnected),
        )?;
        let is_answered = first.answered_after.is_some();
        let is_set_up = !matches!(first.measurement.ending, RunEnding::SetupFailed(_));
        let evidence = first.evidence().map(FailureEvidence::description);
        attempt.first = first.samples;
        self.check_signals()?;
        if is_answered {
            return if is_set_up { Ok(()) } else { Err(setup_failed()) };
        }
        let why = evidence.map(|why| format!(": {why}")).unwrap_or_default();
        if watch.is_lost() {
            return Err(AttemptFailure::Attempt(format!(
                "neither the app nor Fly's API can be reached{why}; check this machine's network"
            )));
        }
        Err(AttemptFailure::Attempt(format!(
            "the app gave no answer within {}{why}",
            crate::units::duration_literal(limit)
        )))
    }

    fn follow_curve(&self, attempt: &mut Attempt) -> Result<(), AttemptFailure> {
        let curve = (self.plan.curve.rate, self.plan.curve.limit);
        let (load, scenario) = (self.load, self.scenario());
        let mut is_steady = |samples: &[_]| warm::is_curve_steady(&scenario.shown, samples);
        let run = warming::follow_curve(load, scenario, curve, self.signals, &mut is_steady)?;
        (attempt.curve, attempt.curve_end) = (run.samples, run.end);
        self.check_signals()?;
        match run.measurement.ending {
            RunEnding::TargetDown(why) => {
                Err(AttemptFailure::Attempt(format!("the app went down: {why}")))
            }
            RunEnding::SetupFailed(_) => Err(setup_failed()),
            _ => Ok(()),
        }
    }

    fn measure_steady(&self, attempt: &mut Attempt) -> Result<(), AttemptFailure> {
        let configuration = &self.plan.configurations[attempt.configuration].name;
        let flags = self
            .flags
            .clone()
            .or_environment(super::ENVIRONMENT)
            .tagged("tune.session", self.plan.name.clone())
            .tagged("tune.attempt", attempt.number.to_string())
            .tagged("tune.configuration", configuration.clone());
        let run = session::execute(self.load, &flags, self.signals, ReferencedRuns::default())?;
        outputs::write_reports_or_warn(&run);
        (self.store_run)(&run);
        let interrupted = run.record.measurement.ending == RunEnding::Interrupted;
        // A stage that ended by itself counts, also if a signal comes right after it.
        if interrupted {
            return Err(interrupted_attempt());
        }
        attempt.steady = Some(steady_stage(&run.record, self.scenario()));
        Ok(())
    }

    /// Lets the machines rest, so that no growth of their counters belongs to two stages.
    fn let_rest(&self) -> Result<(), AttemptFailure> {
        self.signals.stops_within(self.rest);
        self.check_signals()
    }

    fn check_signals(&self) -> Result<(), AttemptFailure> {
        if self.signals.stops_within(Duration::ZERO) {
            return Err(interrupted_attempt());
        }
        Ok(())
    }
}

fn interrupted_attempt() -> AttemptFailure {
    AttemptFailure::Attempt("it was interrupted".to_owned())
}

fn empty_attempt(number: u32, planned: PlannedAttempt, started: OffsetDateTime) -> Attempt {
    Attempt {
        number,
        round: planned.round,
        configuration: planned.configuration,
        started,
        cold_from: None,
        first_due: None,
        took: Duration::ZERO,
        machines_before: Vec::new(),
        machines_after: Vec::new(),
        machine: None,
        start: StartKind::Unknown,
        start_by_events: None,
        first: Vec::new(),
        curve: Vec::new(),
        curve_end: CurveEnd::Skipped,
        steady: None,
        quota: QuotaReading::NotKnown("the metrics were not read yet".to_owned()),
        problem: None,
    }
}

/// Why an attempt is not complete.
enum AttemptFailure {
    /// The app, its API or a signal; the attempt keeps the reason.
    Attempt(String),
    /// The prober itself.
    Prober(CommandError),
}

fn setup_failed() -> AttemptFailure {
    AttemptFailure::Attempt(
        "a step of [[setup]] failed; fix that step in the scenario, or the app".to_owned(),
    )
}

impl From<AppProblem> for AttemptFailure {
    fn from(problem: AppProblem) -> Self {
        Self::Attempt(problem.0)
    }
}

impl From<CommandError> for AttemptFailure {
    fn from(error: CommandError) -> Self {
        Self::Prober(error)
    }
}

/// The steady stage as a session keeps it. Hops belong to their requests and are left out.
fn steady_stage(record: &RunRecord, plan: &ScenarioPlan) -> SteadyStage {
    let mut latency = Histogram::default();
    let (mut exchanges, mut failed, mut opened) = (0, 0, 0);
    for scenario in &record.measurement.scenarios {
        let connections = &scenario.connections;
        let replaced = connections.reopened_after_idle_close + connections.replaced;
        opened += connections.opened.saturating_sub(replaced);
        let planned = record.planned(&scenario.name);
        let is_hop = |name: &str| {
            let mut requests = planned.iter().flat_map(|planned| &planned.requests);
            requests.any(|request| request.name == name && request.hop_of.is_some())
        };
        for request in scenario.requests.iter().filter(|request| !is_hop(&request.name)) {
            exchanges += request.measured.tally.exchanges;
            failed += request.measured.tally.failed();
            if let Some(series) = request.measured.series.get(Dimension::Latency) {
                latency.add(series);
            }
        }
    }
    SteadyStage {
        run: record.id,
        run_name: record.name(),
        decision: record.verdict.decision,
        latency,
        exchanges,
        failed,
        // Those that replaced a failed connection are not told apart, so the plan limits the count.
        connections: (plan.reuse == ConnectionReuse::Keep)
            .then(|| opened.min(plan.load.max_connections().into())),
        lasted: record.measurement.elapsed.saturating_sub(record.measurement.measured_from),
    }
}
