//! Sends a target its first requests and follows its warm-up curve, through the engine: for `warm`
//! and `tune`.

use std::error::Error;
use std::time::Duration;

use super::exit::CommandError;
use super::session;
use super::signals::RunSignals;
use crate::engine::{self, Continuation, Engine, Observer, RunProgress, StopUrgency, clock};
use crate::plan::{Plan, ScenarioPlan};
use crate::record::session::{CurveEnd, ExchangeSample};
use crate::record::{
    Dimension, Failure, FailureEvidence, Interval, Measurement, PlannedScenario, RunEnding,
    StepRecord,
};
use crate::units::Rate;
use crate::verdict::CircuitBreaker;

/// The pause before the first requests are sent again to a target that gave no answer.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Decides whether a target that cannot be connected to is tried again, given for how long that has
/// lasted.
pub(super) type KeepTrying<'a> = &'a mut dyn FnMut(Duration) -> bool;

/// Decides whether a curve can end, given the samples so far in the order of due times.
pub(super) type StopWhen<'a> = &'a mut dyn FnMut(&[ExchangeSample]) -> bool;

/// The first requests to a target.
#[derive(Debug)]
pub(super) struct FirstRequests {
    /// The requests in the order in which they were due. A target that gives no answer is asked
    /// again, so there may be several of each. Due times count from the start of the first try.
    pub(super) samples: Vec<ExchangeSample>,
    /// From the start of the first try until the target answered anything; `None` if it did not.
    pub(super) answered_after: Option<Duration>,
    /// What the last try measured, without secrets.
    pub(super) measurement: Measurement,
}

/// A warm-up curve.
#[derive(Debug)]
pub(super) struct CurveRun {
    /// Its requests in the order in which they were due.
    pub(super) samples: Vec<ExchangeSample>,
    /// Why it ended. If it was cut off, the ending of `measurement` says why.
    pub(super) end: CurveEnd,
    /// How many of the samples showed that it could end; all of them if nothing showed it.
    pub(super) decided_by: usize,
    /// What the curve measured in addition to the samples, without secrets.
    pub(super) measurement: Measurement,
}

impl FirstRequests {
    /// What failed in the last try, without secrets: a step of the setup or a request.
    pub(super) fn evidence(&self) -> Option<&FailureEvidence> {
        first_failure(&self.measurement)
    }
}

/// Sends the requests of a scenario once, on a new connection, and waits up to `limit` for the
/// target to answer. If it gives no answer, or fails a step of the setup, as while it boots, all of
/// it is sent again until then, unless `goes_on` ends it.
///
/// `plan` contributes its secrets and its pacing. Setup and teardown run as in a run.
pub(super) fn first_requests(
    plan: &Plan,
    scenario: &ScenarioPlan,
    limit: Duration,
    signals: &RunSignals,
    goes_on: KeepTrying<'_>,
) -> Result<FirstRequests, CommandError> {
    let began = clock::now();
    let mut samples = Vec::new();
    let mut connected = began;
    loop {
        let offset = clock::now() - began;
        let left = limit.saturating_sub(offset).max(RETRY_PAUSE);
        let first = scenario.as_first_request(left);
        let mut observer = SampleObserver::new(&first.shown, None);
        let measurement = measure(plan, first, &mut observer, signals, StopUrgency::Drop)?;
        let answered = answered_after(&measurement, &observer.samples);
        if !is_unconnected(&measurement, &observer.samples) {
            connected = clock::now();
        }
        let after_setup = offset + time_of_setup(&measurement);
        samples.extend(
            observer
                .samples
                .into_iter()
                .map(|sample| ExchangeSample { due: after_setup + sample.due, ..sample }),
        );
        let is_ready = !matches!(measurement.ending, RunEnding::SetupFailed(_));
        let is_over = answered.is_some() && is_ready
            || measurement.ending == RunEnding::Interrupted
            || clock::now() - began + RETRY_PAUSE >= limit
            || !goes_on(clock::now() - connected)
            || signals.stops_within(RETRY_PAUSE);
        if is_over {
            let mut measurement = measurement;
            if answered.is_none() && signals.stops_within(Duration::ZERO) {
                measurement.ending = RunEnding::Interrupted;
            }
            let answered_after = answered.map(|answered| offset + answered);
            return Ok(FirstRequests { samples, answered_after, measurement });
        }
    }
}

/// Follows the warm-up curve of a scenario at a low constant rate, until `stop_when` says that it
/// can end, until `limit`, until a signal, or until the target is clearly down.
///
/// `stop_when` is asked after each settled second that had a request, and at the end. A curve also
/// ends once [`ExchangeSample::MAX_KEPT`] samples are kept, as at its limit. `plan` contributes its
/// secrets and its pacing. Setup and teardown run as in a run.
pub(super) fn follow_curve(
    plan: &Plan,
    scenario: &ScenarioPlan,
    (rate, limit): (Rate, Duration),
    signals: &RunSignals,
    stop_when: StopWhen<'_>,
) -> Result<CurveRun, CommandError> {
    let curve = scenario.as_curve(rate, limit);
    let mut observer = SampleObserver::new(&curve.shown, Some(stop_when));
    let measurement = measure(plan, curve, &mut observer, signals, StopUrgency::Drain)?;
    if measurement.ending.is_planned() {
        observer.look();
    }
    let end = match (observer.stopped_at, measurement.ending.is_planned()) {
        (Some(_), _) => CurveEnd::Steady,
        (None, true) => CurveEnd::Limit,
        (None, false) => CurveEnd::CutOff,
    };
    let SampleObserver { samples, stopped_at, .. } = observer;
    let decided_by = stopped_at.unwrap_or(samples.len());
    Ok(CurveRun { samples, end, decided_by, measurement })
}

/// Runs one scenario through the engine. The first signal asks for `first_stop`.
fn measure(
    plan: &Plan,
    scenario: ScenarioPlan,
    observer: &mut SampleObserver<'_>,
    signals: &RunSignals,
    first_stop: StopUrgency,
) -> Result<Measurement, CommandError> {
    let secrets = plan.secrets.clone();
    let plan = Plan {
        secrets,
        pacing: plan.pacing,
        consent: plan.consent,
        ..Plan::from_scenarios(vec![scenario])
    };
    let engine = Engine::prepare(&plan)?;
    let (stopper, stop) = engine::stop_channel();
    let measured = signals.during(stopper.with_first(first_stop), || engine.run(observer, stop))?;
    Ok(session::redact_evidence(measured, &plan.secrets))
}

/// When the target answered anything, counted from the start of a run: a step of the setup, or the
/// first request with an answer.
fn answered_after(measurement: &Measurement, samples: &[ExchangeSample]) -> Option<Duration> {
    let mut before = Duration::ZERO;
    for step in setup(measurement) {
        before += step.took;
        if step.tries > 0 && is_answer(step.failed.as_ref().map(|failed| failed.failure)) {
            return Some(before);
        }
    }
    let answered = samples.iter().find(|sample| is_answer(sample.failure))?;
    Some(time_of_setup(measurement) + answered.due + answered.latency)
}

/// Whether an exchange that ended like this was answered; a wrong answer is one too.
pub(super) fn is_answer(failure: Option<Failure>) -> bool {
    failure.is_none_or(|failure| {
        let is_sent = failure != Failure::Dropped && !failure.is_own_fault();
        is_sent && !failure.is_without_answer()
    })
}

/// Whether nothing could be sent in a try, because no connection was made.
fn is_unconnected(measurement: &Measurement, samples: &[ExchangeSample]) -> bool {
    let is_cut_off = |failure, phase| match failure {
        Failure::Dns | Failure::Refused | Failure::Unreachable => true,
        Failure::TimedOut => matches!(phase, Some(Dimension::Dns | Dimension::Connect)),
        _ => false,
    };
    // A sample that timed out lacks the phases that it did not complete.
    let phase = |sample: &ExchangeSample| {
        let is_connected = sample.parts.contains_key(&Dimension::Connect);
        (!is_connected).then_some(Dimension::Connect)
    };
    let mut steps = setup(measurement).filter_map(|step| step.failed.as_ref());
    let mut samples = samples.iter();
    steps.any(|failed| is_cut_off(failed.failure, failed.phase))
        || samples.len() > 0
            && samples
                .all(|sample| sample.failure.is_some_and(|why| is_cut_off(why, phase(sample))))
}

fn setup(measurement: &Measurement) -> impl Iterator<Item = &StepRecord> {
    measurement.scenarios.iter().flat_map(|scenario| &scenario.setup)
}

fn time_of_setup(measurement: &Measurement) -> Duration {
    setup(measurement).map(|step| step.took).sum()
}

/// What failed first in a measurement: a step of the setup or a request. A request that was left
/// out did not fail.
pub(super) fn first_failure(measurement: &Measurement) -> Option<&FailureEvidence> {
    let of_setup = setup(measurement).find_map(|step| step.failed.as_ref());
    let requests = measurement.scenarios.iter().flat_map(|scenario| &scenario.requests);
    let mut of_requests = requests.flat_map(|request| request.measured.evidence.by_count());
    of_setup.or_else(|| of_requests.find(|evidence| !evidence.failure.is_not_judged()))
}

/// Collects samples until enough were seen or the target is clearly down.
struct SampleObserver<'a> {
    /// The samples so far, in the order of due times up to the last settled second.
    samples: Vec<ExchangeSample>,
    breaker: CircuitBreaker,
    stop_when: Option<StopWhen<'a>>,
    /// The start of the second whose intervals arrive.
    second: Duration,
    /// How many samples there were when `stop_when` was asked last.
    looked_at: usize,
    /// How many samples there were when `stop_when` said that it was enough.
    stopped_at: Option<usize>,
}

impl<'a> SampleObserver<'a> {
    fn new(plan: &PlannedScenario, stop_when: Option<StopWhen<'a>>) -> Self {
        Self {
            samples: Vec::new(),
            breaker: CircuitBreaker::of([plan]),
            stop_when,
            second: Duration::ZERO,
            looked_at: 0,
            stopped_at: None,
        }
    }

    /// Asks `stop_when` if there are new samples.
    fn look(&mut self) {
        let has_news = self.samples.len() > self.looked_at && self.stopped_at.is_none();
        if let (true, Some(stop)) = (has_news, &mut self.stop_when) {
            self.looked_at = self.samples.len();
            self.stopped_at = stop(&self.samples).then_some(self.samples.len());
        }
    }
}

impl Observer for SampleObserver<'_> {
    fn settled(
        &mut self,
        interval: &Interval,
    ) -> Result<Continuation, Box<dyn Error + Send + Sync>> {
        // A second has one interval for each request: it is whole when a later one arrives.
        if interval.start > self.second {
            self.second = interval.start;
            self.look();
        }
        self.samples.extend_from_slice(&interval.samples);
        // A stable sort: steps that were due at the same time stay in their order.
        self.samples.sort_by_key(|sample| sample.due);
        if let Some(why) = self.breaker.observe(interval) {
            return Ok(Continuation::TargetDown(why));
        }
        let is_full = self.samples.len() >= ExchangeSample::MAX_KEPT;
        let has_seen_enough = self.stopped_at.is_some() || is_full;
        Ok(if has_seen_enough { Continuation::SeenEnough } else { Continuation::Continue })
    }

    fn progress(&mut self, _progress: &RunProgress) {}
}
