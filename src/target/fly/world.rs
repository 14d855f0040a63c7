//! The simulated app: its machines, the requests to it, and what happens when time passes.
//!
//! All moments are simulated time since the start. Nothing here waits: [`FlyWorld::advance`] lets
//! everything happen that is due by then, in order.

mod routing;

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::autostop::IdleWatch;
use super::config::{AutoStop, MachineShape};
use super::cpu_quota::CpuJob;
use super::effects::{WorkCost, cost_of};
use super::identifiers::IdSource;
use super::machine::{MOST_SUSPENDED_MB, Machine, Moment, ProgramState};
use super::metrics::MetricHistory;
use super::private_network::private_address;
use super::request::{
    ProxiedRequest, RequestEnd, RequestPhase, RequestProgress, RequestSource, RequestWork,
};
use super::settings::FlySettings;

/// The stream of the generator that draws latencies.
const LATENCIES: u64 = 16;

/// The simulation.
#[derive(Debug)]
pub(super) struct FlyWorld {
    pub(super) settings: FlySettings,
    pub(super) machines: Vec<Machine>,
    pub(super) metrics: MetricHistory,
    pub(super) ids: IdSource,
    now: Duration,
    /// Wall time of the start, since the Unix epoch.
    unix_start: Duration,
    requests: BTreeMap<u64, ProxiedRequest>,
    next_request: u64,
    next_ping: Option<Duration>,
    idle: IdleWatch,
    latencies: ChaCha8Rng,
}

impl FlyWorld {
    /// The app that `settings` describe, at its start.
    pub(super) fn new(settings: FlySettings, unix_start: Duration) -> Self {
        let mut latencies = ChaCha8Rng::seed_from_u64(settings.seed);
        latencies.set_stream(LATENCIES);
        let mut world = Self {
            ids: IdSource::new(settings.seed),
            machines: Vec::new(),
            metrics: MetricHistory::new(settings.metrics_every),
            now: Duration::ZERO,
            unix_start,
            requests: BTreeMap::new(),
            next_request: 0,
            next_ping: settings.self_ping,
            idle: IdleWatch::new(settings.idle),
            latencies,
            settings,
        };
        world.make_machines();
        world.sample();
        world
    }

    fn make_machines(&mut self) {
        let warm = self.settings.work.warming.map_or(0, |warming| warming.requests);
        for first in self.settings.machines.clone() {
            let index = self.add_machine(None, first.config, first.balance);
            let mut at = moment(self.now, wall(self.unix_start), &mut self.ids);
            self.machines[index].begin_as(first.state, warm, &mut at);
        }
    }

    /// Adds a machine that has never run, with a name of its own or by its number. Returns its
    /// index.
    pub(super) fn add_machine(
        &mut self,
        name: Option<String>,
        config: Value,
        balance: Duration,
    ) -> usize {
        let index = self.machines.len();
        let name = name.unwrap_or_else(|| format!("{}-{}", self.settings.app, index + 1));
        let mut at = moment(self.now, wall(self.wall_time(self.now)), &mut self.ids);
        let mut machine = Machine::new(name, config, balance, &mut at);
        machine.private_ip = private_address(index);
        machine.region.clone_from(&self.settings.region);
        machine.job = self.settings.job;
        self.machines.push(machine);
        index
    }

    pub(super) fn now(&self) -> Duration {
        self.now
    }

    /// Wall time of a simulated moment, since the Unix epoch.
    pub(super) fn wall_time(&self, moment: Duration) -> Duration {
        self.unix_start + self.settings.scale.real(moment)
    }

    /// The simulated moment of a wall time; `None` before the start.
    pub(super) fn moment_of(&self, wall: Duration) -> Option<Duration> {
        let since_start = wall.checked_sub(self.unix_start)?;
        Some(self.settings.scale.simulated(since_start))
    }

    /// Lets happen what is due by `now`, and returns whether a machine or a held request changed,
    /// so that whoever waits for one should look again.
    pub(super) fn advance(&mut self, now: Duration) -> bool {
        let mut changed = false;
        while let Some(next) = self.next_change().filter(|next| *next <= now) {
            changed |= self.step(next);
        }
        changed | self.step(now.max(self.now))
    }

    /// The next moment at which anything changes by itself.
    pub(super) fn next_change(&self) -> Option<Duration> {
        let machines = self.machines.iter().filter_map(Machine::next_change);
        let waits = self.requests.values().filter_map(|request| match request.phase {
            RequestPhase::Waiting { until, .. } => Some(until),
            _ => None,
        });
        let autostop = self.autostop_due().map(|(due, _)| due);
        let next = machines.chain(waits).chain(autostop).chain(self.next_ping);
        next.chain([self.metrics.next_sample()]).min().map(|next| next.max(self.now))
    }

    /// Accepts a request, pinned to the machine with the id `pin` if there is one. Returns its
    /// number and whether a machine works on it already.
    pub(super) fn admit(&mut self, pin: Option<&str>, work: RequestWork) -> (u64, bool) {
        let found = pin.map(|id| self.machines.iter().position(|machine| machine.id == id));
        let phase = match found {
            Some(None) => RequestPhase::Ended(RequestEnd::Refused(StatusCode::SERVICE_UNAVAILABLE)),
            _ => RequestPhase::Held,
        };
        let pin = found.flatten();
        let source = RequestSource::Proxy;
        let number = self.insert(ProxiedRequest { pin, work, source, phase });
        let phase = self.requests.get(&number).map(|request| request.phase);
        (number, !matches!(phase, Some(RequestPhase::Held | RequestPhase::Assigned(_))))
    }

    /// Accepts a request that came to the private address of the machine of this index. Returns its
    /// number; `None` if nothing listens there.
    pub(super) fn admit_privately(&mut self, index: usize, work: RequestWork) -> Option<u64> {
        self.machines.get(index).filter(|machine| machine.is_listening())?;
        let phase = RequestPhase::Assigned(index);
        let source = RequestSource::PrivateAddress;
        Some(self.insert(ProxiedRequest { pin: None, work, source, phase }))
    }

    /// Whether the request has ended; then it is forgotten.
    pub(super) fn progress(&mut self, request: u64) -> RequestProgress {
        let phase = self.requests.get(&request).map(|request| request.phase);
        let now = self.now;
        match phase {
            Some(RequestPhase::Ended(end)) => {
                self.requests.remove(&request);
                RequestProgress::Ended(end)
            }
            Some(RequestPhase::Waiting { until, .. }) => RequestProgress::NotBefore(until),
            Some(RequestPhase::Working { machine, rest, .. }) => {
                let end = self.machines[machine].quota.end_of(CpuJob::Request(request));
                RequestProgress::NotBefore(end.unwrap_or(now) + rest)
            }
            _ => RequestProgress::NotBefore(self.next_change().unwrap_or(now)),
        }
    }

    /// Forgets a request whose client is gone, and returns whether it was still in progress.
    pub(super) fn forget(&mut self, request: u64) -> bool {
        if self.requests.remove(&request).is_none() {
            return false;
        }
        for machine in &mut self.machines {
            machine.quota.remove(|job| job == CpuJob::Request(request));
        }
        self.assign();
        true
    }

    /// Requests that the machine serves or that are held for it, as far as the proxy knows.
    pub(super) fn load(&self, machine: usize) -> usize {
        let of = |request: &&ProxiedRequest| {
            request.machine() == Some(machine) && request.source != RequestSource::PrivateAddress
        };
        self.requests.values().filter(of).count()
    }

    /// Changes the machine of this index, by `order`, and then what depends on it.
    pub(super) fn order(
        &mut self,
        index: usize,
        order: impl FnOnce(&mut Machine, &WorkCost, &mut Moment<'_>),
    ) {
        let cost = self.cost(index);
        let mut at = moment(self.now, wall(self.wall_time(self.now)), &mut self.ids);
        order(&mut self.machines[index], &cost, &mut at);
        self.drop_broken();
        self.assign();
    }

    fn insert(&mut self, request: ProxiedRequest) -> u64 {
        self.next_request += 1;
        self.requests.insert(self.next_request, request);
        self.assign();
        self.watch_load();
        self.next_request
    }

    /// Moves everything to `now`, which is not after the next change.
    fn step(&mut self, now: Duration) -> bool {
        self.now = now;
        let mut changed = false;
        for index in 0..self.machines.len() {
            changed |= self.step_machine(index);
        }
        changed |= self.end_waits();
        if let Some(ping) = self.next_ping.filter(|ping| *ping <= now) {
            self.next_ping = self.settings.self_ping.map(|every| ping + every);
            self.ping();
        }
        if let Some((_, machine)) = self.autostop_due().filter(|(due, _)| *due <= now) {
            self.stop_surplus(machine);
            changed = true;
        }
        if changed {
            self.drop_broken();
            self.assign();
        }
        self.sample();
        changed
    }

    fn step_machine(&mut self, index: usize) -> bool {
        let mut changed = false;
        if self.machines[index].runs() {
            for job in self.machines[index].quota.advance(self.now) {
                changed |= self.end_job(index, job);
            }
        } else {
            self.machines[index].quota.skip(self.now);
        }
        // The cost depends on the whole config, and few steps end a transition.
        if self.machines[index].has_due_transition(self.now) {
            let cost = self.cost(index);
            let mut at = moment(self.now, wall(self.wall_time(self.now)), &mut self.ids);
            changed |= self.machines[index].finish_transition(&cost, &mut at);
        }
        changed
    }

    /// Returns whether the machine listens now.
    fn end_job(&mut self, index: usize, job: CpuJob) -> bool {
        match job {
            CpuJob::Boot => {
                self.machines[index].program = ProgramState::Listening;
                self.machines[index].running_since = self.now;
                true
            }
            CpuJob::Request(number) => {
                if let Some(request) = self.requests.get_mut(&number)
                    && let RequestPhase::Working { machine, begun, rest } = request.phase
                {
                    let until = self.now + rest;
                    request.phase = RequestPhase::Waiting { machine, begun, until };
                }
                false
            }
        }
    }

    /// Ends the requests whose time is over, and returns whether others wait for their places.
    fn end_waits(&mut self) -> bool {
        let now = self.now;
        if !self.requests.values().any(|request| request.is_over(now)) {
            return false;
        }
        self.watch_load();
        let mut held = false;
        for request in self.requests.values_mut() {
            held |= matches!(request.phase, RequestPhase::Held);
            if let RequestPhase::Waiting { begun, until, .. } = request.phase
                && until <= now
            {
                let worked = now.saturating_sub(begun);
                request.phase = RequestPhase::Ended(RequestEnd::Served { worked });
            }
        }
        // Nobody asks for the end of the app's own requests.
        self.requests.retain(|_, request| {
            request.source != RequestSource::App || !matches!(request.phase, RequestPhase::Ended(_))
        });
        held
    }

    fn ping(&mut self) {
        if self.machines.iter().any(Machine::is_listening) {
            let work = RequestWork::Page(Duration::ZERO);
            let phase = RequestPhase::Held;
            self.insert(ProxiedRequest { pin: None, work, source: RequestSource::App, phase });
        }
    }

    fn watch_load(&mut self) {
        let load = self
            .requests
            .values()
            .filter(|request| request.source == RequestSource::Proxy)
            .filter(|request| request.machine().is_some());
        self.idle.note_load(load.count(), &self.machines, self.now);
    }

    fn autostop_due(&self) -> Option<(Duration, usize)> {
        self.idle.next_stop(&self.machines, |index| self.load(index))
    }

    fn stop_surplus(&mut self, index: usize) {
        self.idle.note_stop(self.now);
        let mut at = moment(self.now, wall(self.wall_time(self.now)), &mut self.ids);
        let machine = &mut self.machines[index];
        let memory = MachineShape::of(&machine.config).memory_mb;
        if machine.rules().autostop == AutoStop::Suspend && memory <= MOST_SUSPENDED_MB {
            machine.suspend("proxy", &mut at);
        } else {
            machine.stop("proxy", &mut at);
        }
    }

    fn sample(&mut self) {
        while self.metrics.next_sample() <= self.now {
            let loads = (0..self.machines.len()).map(|index| self.load(index));
            let loads: Vec<usize> = loads.collect();
            self.metrics.take(&self.machines, &loads);
        }
    }

    fn cost(&self, index: usize) -> WorkCost {
        let shape = MachineShape::of(&self.machines[index].config);
        cost_of(&self.settings.work.cost, &self.settings.effects, &shape)
    }
}

fn moment(now: Duration, wall: u64, ids: &mut IdSource) -> Moment<'_> {
    Moment { now, wall, ids }
}

/// Milliseconds since the Unix epoch.
fn wall(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
