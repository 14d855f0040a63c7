//! Requests get machines, and machines work on them.

use std::time::Duration;

use http::StatusCode;

use super::super::super::latency::scaled;
use super::super::cpu_quota::CpuJob;
use super::super::proxy::{MachineView, RouteChoice, choose_machine, choose_pinned};
use super::super::request::{ProxiedRequest, RequestEnd, RequestPhase, RequestWork};
use super::{FlyWorld, moment, wall};

impl FlyWorld {
    /// Gives held requests to machines, and begins those whose machines listen.
    pub(super) fn assign(&mut self) {
        let assignable = |request: &ProxiedRequest| {
            matches!(request.phase, RequestPhase::Held | RequestPhase::Assigned(_))
        };
        let waiting = self.requests.iter().filter(|(_, request)| assignable(request));
        let waiting: Vec<(u64, bool)> =
            waiting.map(|(number, request)| (*number, request.pin.is_some())).collect();
        let mut all_full = false;
        for (number, pinned) in waiting {
            // When one that is not pinned must wait, so must all that came after it.
            if pinned || !all_full {
                let held = self.route(number);
                all_full |= held && !pinned;
            }
            self.begin(number);
        }
    }

    /// Gives a held request to a machine, and returns whether it must still wait for one.
    fn route(&mut self, number: u64) -> bool {
        let Some(request) = self.requests.get(&number) else { return false };
        if !matches!(request.phase, RequestPhase::Held) {
            return false;
        }
        let views: Vec<MachineView> =
            (0..self.machines.len()).map(|index| self.view(index)).collect();
        let choice = match request.pin {
            Some(index) => choose_pinned(&views[index], index),
            None => choose_machine(&views),
        };
        let phase = match choice {
            RouteChoice::To(index) => RequestPhase::Assigned(index),
            RouteChoice::Start(index) => {
                let resume = self.settings.work.cost.resume;
                let mut at = moment(self.now, wall(self.wall_time(self.now)), &mut self.ids);
                self.machines[index].start("proxy", resume, &mut at);
                RequestPhase::Assigned(index)
            }
            RouteChoice::Hold => RequestPhase::Held,
            RouteChoice::Refuse(status) => RequestPhase::Ended(RequestEnd::Refused(status)),
        };
        self.set_phase(number, phase);
        choice == RouteChoice::Hold
    }

    fn begin(&mut self, number: u64) {
        let Some(request) = self.requests.get(&number) else { return };
        let RequestPhase::Assigned(index) = request.phase else { return };
        if !self.machines[index].is_listening() {
            return;
        }
        let (begun, work) = (self.now, request.work);
        let RequestWork::Page(upstream) = work else {
            let end = RequestEnd::Served { worked: Duration::ZERO };
            self.set_phase(number, RequestPhase::Ended(end));
            return;
        };
        let (cpu, rest) = self.cost_of_request(index, upstream);
        let phase = if cpu.is_zero() {
            RequestPhase::Waiting { machine: index, begun, until: begun + rest }
        } else {
            self.machines[index].quota.add(CpuJob::Request(number), cpu);
            RequestPhase::Working { machine: index, begun, rest }
        };
        self.set_phase(number, phase);
    }

    /// CPU time and further latency of the machine's next request, which warms it.
    fn cost_of_request(&mut self, index: usize, upstream: Duration) -> (Duration, Duration) {
        let cost = self.cost(index);
        let work = &self.settings.work;
        let machine = &mut self.machines[index];
        let factor = work.warming.map_or(1.0, |warming| warming.factor_after(machine.served));
        machine.served += 1;
        let drawn = scaled(cost.latency.draw(&mut self.latencies), cost.latency_factor);
        let shift = Duration::try_from_secs_f64(cost.latency_shift.abs()).unwrap_or_default();
        let shifted = if cost.latency_shift < 0.0 {
            drawn.saturating_sub(shift)
        } else {
            drawn.saturating_add(shift)
        };
        let is_cold = machine.cached.is_none_or(|filled| self.now >= filled + work.cache_lifetime);
        let filling = if is_cold { work.cache_cost } else { Duration::ZERO };
        if is_cold {
            machine.cached = Some(self.now);
        }
        (scaled(cost.request_cpu, factor), scaled(shifted + upstream, factor) + filling)
    }

    /// Ends the requests in progress on machines that no longer listen; those that were only held
    /// for one are routed anew.
    pub(super) fn drop_broken(&mut self) {
        for (number, request) in &mut self.requests {
            let Some(index) = request.machine() else { continue };
            let machine = &mut self.machines[index];
            match request.phase {
                RequestPhase::Assigned(_) if !machine.comes_up() => {
                    request.phase = RequestPhase::Held;
                }
                RequestPhase::Working { .. } | RequestPhase::Waiting { .. }
                    if !machine.is_listening() =>
                {
                    machine.quota.remove(|job| job == CpuJob::Request(*number));
                    let end = RequestEnd::Refused(StatusCode::BAD_GATEWAY);
                    request.phase = RequestPhase::Ended(end);
                }
                _ => {}
            }
        }
    }

    fn view(&self, index: usize) -> MachineView {
        let machine = &self.machines[index];
        MachineView {
            state: machine.state,
            listening: machine.is_listening(),
            load: self.load(index),
            cordoned: machine.cordoned || !machine.has_service(),
            rules: machine.rules(),
        }
    }

    fn set_phase(&mut self, number: u64, phase: RequestPhase) {
        if let Some(request) = self.requests.get_mut(&number) {
            request.phase = phase;
        }
    }
}
