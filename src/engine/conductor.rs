//! Conducts the lanes through a run and adds up what they record.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::clock;
use super::dial::Reached;
use super::line::{Command, Counters, LaneProgress, News, Report};
use super::start::{Appointment, Start};
use super::stop::{Stop, Urgency};
use super::{EngineError, Flow, Observer, Progress, ScenarioProgress};
use crate::plan::{Plan, ScenarioPlan};
use crate::record::{
    Dimension, Ending, Histogram, Interval, Measurement, Prober, ScenarioMeasurement,
};
use crate::recorder::{Settled, SettledSlot};

/// How long before the measured phase lanes are told when it starts.
const LEAD: Duration = Duration::from_millis(20);

/// Conducts one run.
pub(super) struct Conductor<'a> {
    start: Start,
    measured_from: Option<Duration>,
    scenarios: Vec<ScenarioTotals>,
    lanes: Vec<LaneView>,
    ending: Ending,
    prober: Prober,
    commands: watch::Sender<Command>,
    observer: &'a mut dyn Observer,
}

/// What the conductor knows of a lane.
struct LaneView {
    scenario: usize,
    progress: LaneProgress,
    watermark: u64,
    counters: Counters,
}

/// A scenario's seconds still open in some lane, and its totals.
struct ScenarioTotals {
    duration: Duration,
    /// The places of what was asked for, which the hops beside it are not.
    requests: Vec<usize>,
    pending: BTreeMap<u64, Vec<SettledSlot>>,
    totals: ScenarioMeasurement,
}

impl<'a> Conductor<'a> {
    /// A conductor for lanes that belong to these scenarios of the plan.
    pub(super) fn new(
        plan: &Plan,
        lane_scenarios: &[usize],
        start: Start,
        commands: watch::Sender<Command>,
        observer: &'a mut dyn Observer,
    ) -> Self {
        let lane = |&scenario: &usize| LaneView {
            scenario,
            progress: LaneProgress::WarmingUp,
            watermark: 0,
            counters: Counters::default(),
        };
        Self {
            start,
            measured_from: None,
            scenarios: (plan.scenarios.iter())
                .zip(plan.nothing_measured().scenarios)
                .map(|(plan, totals)| ScenarioTotals::new(plan, totals))
                .collect(),
            lanes: lane_scenarios.iter().map(lane).collect(),
            ending: Ending::Complete,
            prober: Prober::default(),
            commands,
            observer,
        }
    }

    /// Takes in reports until every lane is finished, then sums up.
    pub(super) async fn conduct(
        mut self,
        mut reports: mpsc::Receiver<Result<Report, EngineError>>,
        mut stop: Stop,
    ) -> Result<Measurement, EngineError> {
        let mut shown = clock::now();
        while self.lanes.iter().any(|lane| lane.progress < LaneProgress::Finished) {
            tokio::select! {
                // That the last lane is ready counts before it is too late.
                biased;
                report = reports.recv() => self.take_in(report.ok_or(EngineError::WorkerLost)??)?,
                urgency = stop.asked() => self.stop(urgency),
                appointment = reached(self.start), if self.is_waiting() => self.keep(appointment)?,
            }
            if clock::now() - shown >= Duration::from_millis(200) {
                shown = clock::now();
                self.show_progress();
            }
        }
        self.show_progress();
        Ok(self.sum_up())
    }

    fn take_in(&mut self, report: Report) -> Result<(), EngineError> {
        let Report { lane, news } = report;
        let News { progress, settled, watermark, counters, prober } = news;
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
        self.settle(scenario)?;
        if self.measured_from.is_none() && self.start.measured.is_none() && self.is_warmed_up() {
            // A whole number of milliseconds, so that interval logs, which count in those, give it back unchanged.
            let from = (clock::now() + LEAD - self.start.run).as_millis() + 1;
            self.start_measuring(Duration::from_millis(u64::try_from(from).unwrap_or(u64::MAX)));
        }
        Ok(())
    }

    fn is_warmed_up(&self) -> bool {
        self.lanes.iter().all(|lane| lane.progress >= LaneProgress::WarmedUp)
    }

    /// Whether the measured phase has an appointed start that is yet to come; a run that is being stopped waits no more.
    fn is_waiting(&self) -> bool {
        self.start.measured.is_some()
            && self.measured_from.is_none()
            && self.ending == Ending::Complete
    }

    /// Starts the measured phase when other probers do, or not at all.
    fn keep(&mut self, Appointment { from, at }: Appointment) -> Result<(), EngineError> {
        if !self.is_warmed_up() {
            return Err(EngineError::TooLate { start: at });
        }
        self.start_measuring(from);
        Ok(())
    }

    /// Starts the measured phase at the same instant in every lane, unless the run is being stopped.
    fn start_measuring(&mut self, from: Duration) {
        let start = self.start.run + from;
        self.measured_from = Some(from);
        self.lanes.iter_mut().for_each(|lane| lane.watermark = 0);
        self.commands.send_if_modified(|command| {
            let waiting = *command == Command::WarmUp;
            if waiting {
                *command = Command::Measure(start);
            }
            waiting
        });
    }

    /// Hands on, in order, the seconds of a scenario that are settled in all its lanes.
    fn settle(&mut self, scenario: usize) -> Result<(), EngineError> {
        let lanes = self.lanes.iter().filter(|lane| lane.scenario == scenario);
        let settled_up_to = lanes.map(|lane| lane.watermark).min().unwrap_or(0);
        let phase_start = self.measured_from.unwrap_or_default();
        let totals = &mut self.scenarios[scenario];
        for interval in totals.settle(settled_up_to, phase_start) {
            match self.observer.settled(&interval).map_err(EngineError::Observer)? {
                Flow::Stop(why) if self.ending == Ending::Complete => {
                    self.ending = Ending::TargetDown(why);
                    self.commands.send_replace(Command::Drain);
                }
                Flow::Continue | Flow::Stop(_) => {}
            }
        }
        Ok(())
    }

    fn stop(&mut self, urgency: Urgency) {
        if self.ending == Ending::Complete {
            self.ending = Ending::Interrupted;
        }
        self.commands.send_replace(match urgency {
            Urgency::Drain => Command::Drain,
            Urgency::Abort => Command::Abort,
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
        self.observer.progress(&Progress { measured, scenarios: scenarios.collect() });
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
        // Who asks for an end when all was sent, and gets every answer, has cut nothing short.
        let cut_nothing = ending == Ending::Interrupted && scenarios.iter().all(is_whole);
        let ending = if cut_nothing { Ending::Complete } else { ending };
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

/// Whether every arrival that was planned came to an end; of a load without a planned number nobody knows.
fn is_whole(scenario: &ScenarioMeasurement) -> bool {
    let ScenarioMeasurement { planned, released, unreleased, abandoned, .. } = scenario;
    (*unreleased, *abandoned) == (0, 0) && planned.is_some_and(|planned| *released == planned)
}

/// Waits until lanes must be told of an appointed start; for ever where there is none.
async fn reached(start: Start) -> Appointment {
    let Some(appointment) = start.measured else { return std::future::pending().await };
    tokio::time::sleep_until(start.run + appointment.from.saturating_sub(LEAD)).await;
    appointment
}

impl ScenarioTotals {
    fn new(plan: &ScenarioPlan, totals: ScenarioMeasurement) -> Self {
        let requests = plan.requests.iter().map(|request| request.place).collect();
        Self { duration: plan.load.duration(), requests, pending: BTreeMap::new(), totals }
    }

    /// Adds what one lane has settled to what other lanes settled of the same seconds.
    fn hold(&mut self, settled: Vec<Settled>) {
        for Settled { second, slots } in settled {
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

    /// Turns the seconds before `up_to` into intervals and adds them to the totals.
    fn settle(&mut self, up_to: u64, phase_start: Duration) -> Vec<Interval> {
        let later = self.pending.split_off(&up_to);
        let mut intervals = Vec::new();
        for (second, mut slots) in std::mem::replace(&mut self.pending, later) {
            slots.sort_by_key(|slot| (slot.request, slot.stage));
            for SettledSlot { request, stage, slot } in slots {
                let totals = &mut self.totals.requests[request];
                let interval = Interval {
                    scenario: self.totals.name.clone(),
                    request: totals.name.clone(),
                    stage,
                    start: phase_start + Duration::from_secs(second),
                    tally: slot.tally.clone(),
                    series: slot.series(),
                    server_timings: slot.server_timings.clone(),
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

    fn sum_up<'a>(self, lanes: impl Iterator<Item = &'a Counters>) -> ScenarioMeasurement {
        let mut totals = self.totals;
        let (mut protocols, mut reached) = (BTreeSet::new(), Reached::default());
        let mut unreached = Reached::default();
        for lane in lanes {
            totals.released += lane.released;
            totals.unreleased += lane.unreleased;
            totals.abandoned += lane.abandoned;
            totals.connections.add(lane.connections);
            totals.lookups.add(&lane.lookups);
            protocols.extend(lane.protocols.iter().copied());
            reached.add(&lane.reached);
            unreached.add(&lane.unreached);
        }
        totals.addresses = reached.named();
        totals.unreached = unreached.named();
        totals.protocols = protocols.iter().map(ToString::to_string).collect();
        totals
    }
}
