//! Directs the lanes through a run and adds up what they record.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::accounting::LaneCounters;
use super::connection::dial::{AddressCounts, AttemptCounts};
use super::error::EngineError;
use super::lane::conductor_link::{LaneCommand, LaneProgress, LaneReport, LaneUpdate};
use super::limits::stop::{StopSignal, StopUrgency};
use super::observer::{Continuation, Observer, RunProgress, ScenarioProgress};
use super::time::clock;
use super::time::start::{AppointedStart, RunStart};
use crate::plan::{Plan, ScenarioPlan};
use crate::record::session::ExchangeSample;
use crate::record::{
    Dimension, Histogram, Interval, Measurement, PeerMeasurement, ProberMeasurement, RunEnding,
    ScenarioMeasurement,
};
use crate::recorder::{SettledSecond, SettledSlot};

/// How long before the measured stage the conductor sends its start to the lanes.
///
/// The threads of all lanes must be awake by then. A busy processor lets a thread wait for about
/// this long. A thread that wakes later releases its first arrivals late, which their lag shows.
const LEAD: Duration = Duration::from_millis(3);

/// Lead before an agreed start. It is longer because it costs no time: the lanes are waiting.
const APPOINTED_LEAD: Duration = Duration::from_millis(20);

/// The shortest time between two updates of the shown progress. Lanes report about every 200 ms, so
/// a limit of that length would skip reports.
const SHOW_EVERY: Duration = Duration::from_millis(150);

/// Directs the lanes of one run.
pub(super) struct Conductor<'a> {
    start: RunStart,
    measured_from: Option<Duration>,
    scenarios: Vec<ScenarioTotals>,
    lanes: Vec<LaneStatus>,
    ending: RunEnding,
    prober: ProberMeasurement,
    commands: watch::Sender<LaneCommand>,
    observer: &'a mut dyn Observer,
}

/// What the conductor knows of a lane.
struct LaneStatus {
    scenario: usize,
    progress: LaneProgress,
    watermark: u64,
    counters: LaneCounters,
}

/// A scenario's totals, and its seconds that some lane has not settled yet.
struct ScenarioTotals {
    duration: Duration,
    /// The indices of the requests themselves, without those of their hops and tries.
    requests: Vec<usize>,
    pending: BTreeMap<u64, Vec<SettledSlot>>,
    /// How many more exchanges are kept one by one.
    samples_left: usize,
    totals: ScenarioMeasurement,
}

impl<'a> Conductor<'a> {
    /// A conductor for lanes that belong to these scenarios of the plan.
    pub(super) fn new(
        plan: &Plan,
        lane_scenarios: &[usize],
        start: RunStart,
        commands: watch::Sender<LaneCommand>,
        observer: &'a mut dyn Observer,
    ) -> Self {
        let lane = |&scenario: &usize| LaneStatus {
            scenario,
            progress: LaneProgress::WarmingUp,
            watermark: 0,
            counters: LaneCounters::default(),
        };
        Self {
            start,
            measured_from: None,
            scenarios: (plan.scenarios.iter())
                .zip(plan.empty_measurement().scenarios)
                .map(|(plan, totals)| ScenarioTotals::new(plan, totals))
                .collect(),
            lanes: lane_scenarios.iter().map(lane).collect(),
            ending: RunEnding::Complete,
            prober: ProberMeasurement::default(),
            commands,
            observer,
        }
    }

    /// Receives reports until every lane is finished, then sums up.
    pub(super) async fn conduct(
        mut self,
        mut reports: mpsc::Receiver<Result<LaneReport, EngineError>>,
        mut stop: StopSignal,
    ) -> Result<Measurement, EngineError> {
        let mut shown = clock::now();
        while self.lanes.iter().any(|lane| lane.progress < LaneProgress::Finished) {
            tokio::select! {
                // A report that the last lane is ready is read before the start is missed.
                biased;
                report = reports.recv() => self.take_in(report.ok_or(EngineError::ThreadLost)??)?,
                urgency = stop.requested() => self.stop(urgency, stop.agreed_ending()),
                appointment = reached(self.start), if self.is_waiting() => self.keep(appointment)?,
            }
            if clock::now() - shown >= SHOW_EVERY {
                shown = clock::now();
                self.show_progress();
            }
        }
        self.show_progress();
        Ok(self.sum_up())
    }

    fn take_in(&mut self, report: LaneReport) -> Result<(), EngineError> {
        let LaneReport { lane, update } = report;
        let LaneUpdate { progress, settled, watermark, counters, prober, peers } = update;
        self.prober.add(&prober);
        let lane = &mut self.lanes[lane];
        let scenario = lane.scenario;
        lane.progress = progress;
        lane.counters = counters;
        lane.watermark = match progress {
            LaneProgress::WarmedUp | LaneProgress::Finished => u64::MAX,
            LaneProgress::WarmingUp | LaneProgress::Measuring => watermark,
        };
        self.scenarios[scenario].hold(settled);
        self.scenarios[scenario].add_peers(&peers);
        self.settle(scenario)?;
        if self.measured_from.is_none() && self.start.measured.is_none() && self.is_warmed_up() {
            // Whole milliseconds, since interval logs count in these.
            let from = (clock::now() + LEAD - self.start.run).as_millis() + 1;
            self.start_measuring(Duration::from_millis(u64::try_from(from).unwrap_or(u64::MAX)));
        }
        Ok(())
    }

    fn is_warmed_up(&self) -> bool {
        self.lanes.iter().all(|lane| lane.progress >= LaneProgress::WarmedUp)
    }

    /// Whether the run waits for the agreed start of the measured stage; a stopping run does not.
    fn is_waiting(&self) -> bool {
        self.start.measured.is_some()
            && self.measured_from.is_none()
            && self.ending == RunEnding::Complete
    }

    /// Starts the measured stage together with the other probers; fails if a lane is not ready.
    fn keep(&mut self, AppointedStart { from, at }: AppointedStart) -> Result<(), EngineError> {
        if !self.is_warmed_up() {
            return Err(EngineError::TooLate { start: at });
        }
        self.start_measuring(from);
        Ok(())
    }

    /// Starts the measured stage at the same instant in every lane, unless the run is stopping.
    fn start_measuring(&mut self, from: Duration) {
        let start = self.start.run + from;
        self.measured_from = Some(from);
        self.lanes.iter_mut().for_each(|lane| lane.watermark = 0);
        self.commands.send_if_modified(|command| {
            let waiting = *command == LaneCommand::WarmUp;
            if waiting {
                *command = LaneCommand::Measure(start);
            }
            waiting
        });
    }

    /// Passes the seconds that all lanes of a scenario have settled to the observer, in order.
    fn settle(&mut self, scenario: usize) -> Result<(), EngineError> {
        let lanes = self.lanes.iter().filter(|lane| lane.scenario == scenario);
        let settled_up_to = lanes.map(|lane| lane.watermark).min().unwrap_or(0);
        let phase_start = self.measured_from.unwrap_or_default();
        let totals = &mut self.scenarios[scenario];
        for interval in totals.settle(settled_up_to, phase_start) {
            let ending = match self.observer.settled(&interval).map_err(EngineError::Observer)? {
                Continuation::Continue => continue,
                Continuation::TargetDown(why) => RunEnding::TargetDown(why),
                Continuation::ProvenEarly(early) => RunEnding::ProvenEarly(early),
                Continuation::SeenEnough => RunEnding::SeenEnough,
            };
            if self.ending == RunEnding::Complete {
                self.ending = ending;
                self.commands.send_replace(LaneCommand::Drain);
            }
        }
        Ok(())
    }

    fn stop(&mut self, urgency: StopUrgency, agreed: Option<&RunEnding>) {
        if self.ending == RunEnding::Complete {
            self.ending = agreed.unwrap_or(&RunEnding::Interrupted).clone();
        }
        self.commands.send_replace(match urgency {
            StopUrgency::Drain => LaneCommand::Drain,
            StopUrgency::Drop | StopUrgency::Abort => LaneCommand::Abort,
        });
    }

    fn show_progress(&mut self) {
        let now = clock::now() - self.start.run;
        let measured = self.measured_from.map(|from| now.saturating_sub(from));
        let scenarios = self.scenarios.iter().enumerate().map(|(index, totals)| {
            let mut progress = totals.progress();
            for lane in self.lanes.iter().filter(|lane| lane.scenario == index) {
                progress.released += lane.counters.released;
                progress.done += lane.counters.done;
                progress.failed += lane.counters.failed;
                progress.in_flight += lane.counters.in_flight + lane.counters.waiting;
            }
            progress
        });
        self.observer.progress(&RunProgress { measured, scenarios: scenarios.collect() });
    }

    fn sum_up(self) -> Measurement {
        let Self { lanes, scenarios, start, measured_from, ending, prober, .. } = self;
        let elapsed = clock::now() - start.run;
        let scenarios = scenarios.into_iter().enumerate().map(|(index, totals)| {
            totals.sum_up(
                lanes.iter().filter(|lane| lane.scenario == index).map(|lane| &lane.counters),
            )
        });
        let scenarios: Vec<_> = scenarios.collect();
        // An interruption after everything was sent and answered cut nothing short.
        let cut_nothing = ending == RunEnding::Interrupted && scenarios.iter().all(is_whole);
        let ending = if cut_nothing { RunEnding::Complete } else { ending };
        Measurement {
            scenarios,
            measured_from: measured_from.unwrap_or(elapsed),
            elapsed,
            ending,
            prober,
            sharing: None,
        }
    }
}

/// Whether every planned arrival ended; false for a load without a planned number.
fn is_whole(scenario: &ScenarioMeasurement) -> bool {
    let ScenarioMeasurement { planned, released, unreleased, abandoned, .. } = scenario;
    (*unreleased, *abandoned) == (0, 0) && planned.is_some_and(|planned| *released == planned)
}

/// Waits until the lanes must receive the agreed start; for ever if there is none.
async fn reached(start: RunStart) -> AppointedStart {
    let Some(appointment) = start.measured else { return std::future::pending().await };
    tokio::time::sleep_until(start.run + appointment.from.saturating_sub(APPOINTED_LEAD)).await;
    appointment
}

impl ScenarioTotals {
    fn new(plan: &ScenarioPlan, totals: ScenarioMeasurement) -> Self {
        let requests = plan.requests.iter().map(|request| request.index).collect();
        Self {
            duration: plan.load.duration(),
            requests,
            pending: BTreeMap::new(),
            samples_left: ExchangeSample::MAX_KEPT,
            totals,
        }
    }

    /// Adds the seconds of one lane to the same seconds of other lanes.
    fn hold(&mut self, settled: Vec<SettledSecond>) {
        for SettledSecond { second, slots } in settled {
            let held = self.pending.entry(second).or_default();
            for slot in slots {
                match held
                    .iter_mut()
                    .find(|known| known.request == slot.request && known.stage == slot.stage)
                {
                    Some(known) => known.slot.merge(&slot.slot),
                    None => held.push(slot),
                }
            }
        }
    }

    /// Adds what each address and connection of a finished lane carried.
    fn add_peers(&mut self, peers: &[PeerMeasurement]) {
        for (request, peers) in self.totals.requests.iter_mut().zip(peers) {
            request.peers.merge(peers);
        }
    }

    /// Turns the seconds before `up_to` into intervals and adds them to the totals.
    fn settle(&mut self, up_to: u64, phase_start: Duration) -> Vec<Interval> {
        let later = self.pending.split_off(&up_to);
        let mut intervals = Vec::new();
        for (second, mut slots) in std::mem::replace(&mut self.pending, later) {
            slots.sort_by_key(|slot| (slot.request, slot.stage));
            for SettledSlot { request, stage, mut slot } in slots {
                let samples = std::mem::take(&mut slot.samples);
                let totals = &mut self.totals.requests[request];
                let interval = Interval {
                    scenario: self.totals.name.clone(),
                    request: totals.name.clone(),
                    stage,
                    start: phase_start + Duration::from_secs(second),
                    tally: slot.tally.clone(),
                    series: slot.series(),
                    server_timings: slot.server_timings.clone(),
                    samples: named_samples(samples, &totals.name, &mut self.samples_left),
                };
                slot.add_to(totals.stage_mut(stage), &interval);
                intervals.push(interval);
            }
        }
        intervals
    }

    fn progress(&self) -> ScenarioProgress {
        let measured = self.requests.iter().map(|&place| &self.totals.requests[place].measured);
        let latency = measured.filter_map(|measured| measured.series.get(Dimension::Latency));
        let latency = latency.fold(Histogram::default(), |mut all, histogram| {
            all.add(histogram);
            all
        });
        ScenarioProgress {
            name: self.totals.name.clone(),
            duration: self.duration,
            planned: self.totals.planned,
            released: 0,
            done: 0,
            failed: 0,
            in_flight: 0,
            latency,
        }
    }

    fn sum_up<'a>(self, lanes: impl Iterator<Item = &'a LaneCounters>) -> ScenarioMeasurement {
        let mut totals = self.totals;
        let (mut protocols, mut reached) = (BTreeSet::new(), AddressCounts::default());
        let (mut unreached, mut attempts) = (AddressCounts::default(), AttemptCounts::default());
        for lane in lanes {
            let own: u64 = lane.own_failures.values().sum();
            totals.released += lane.released.saturating_sub(own);
            totals.unreleased += lane.unreleased + own;
            totals.add_own_failures(&lane.own_failures);
            totals.abandoned += lane.abandoned;
            totals.connections.add(lane.connections);
            totals.lookups.add(&lane.lookups);
            protocols.extend(lane.protocols.iter().copied());
            reached.add(&lane.reached);
            unreached.add(&lane.unreached);
            attempts.add(&lane.attempts);
        }
        totals.addresses = reached.named();
        totals.unreached = unreached.named();
        totals.attempts = attempts.named();
        totals.protocols = protocols.iter().map(ToString::to_string).collect();
        totals
    }
}

/// The samples of a request in the order of due times, as many as may still be kept.
fn named_samples(
    mut samples: Vec<ExchangeSample>,
    request: &str,
    left: &mut usize,
) -> Vec<ExchangeSample> {
    samples.sort_by_key(|sample| sample.due);
    samples.truncate(*left);
    *left -= samples.len();
    for sample in &mut samples {
        request.clone_into(&mut sample.request);
    }
    samples
}
