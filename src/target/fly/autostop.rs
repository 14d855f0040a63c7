//! When Fly's proxy stops a surplus machine.

use std::time::Duration;

use super::config::AutoStop;
use super::machine::Machine;

/// Watches how many machines the load needs.
///
/// A machine is surplus when for `idle` the others could have served all requests below their soft
/// limits; the last one, when for `idle` there was no request. At most one is stopped in each
/// `idle`, and never one below the minimum. The app's requests to itself do not count. A machine
/// that is cordoned is not known to the proxy, so it neither counts nor is stopped; Fly does not
/// document that.
#[derive(Debug)]
pub(super) struct IdleWatch {
    idle: Duration,
    /// When all machines that ran were last needed.
    needed: Duration,
    /// When one was last stopped.
    stopped: Duration,
}

impl IdleWatch {
    pub(super) fn new(idle: Duration) -> Self {
        Self { idle, needed: Duration::ZERO, stopped: Duration::ZERO }
    }

    /// Records the requests in progress at `now`.
    pub(super) fn note_load(&mut self, load: usize, machines: &[Machine], now: Duration) {
        let running = machines.iter().filter(|machine| is_known(machine));
        let mut limits: Vec<usize> = running.map(|machine| machine.rules().soft_limit).collect();
        limits.sort_unstable();
        let without_one: usize =
            limits.iter().skip(1).fold(0, |sum, limit| sum.saturating_add(*limit));
        if load > without_one {
            self.needed = now;
        }
    }

    /// Records that one is stopped at `now`.
    pub(super) fn note_stop(&mut self, now: Duration) {
        self.stopped = now;
    }

    /// The next machine to stop, and when; `None` if there is none for now. `load` is the number of
    /// requests that a machine has.
    pub(super) fn next_stop(
        &self,
        machines: &[Machine],
        load: impl Fn(usize) -> usize,
    ) -> Option<(Duration, usize)> {
        let running = || machines.iter().enumerate().filter(|(_, machine)| is_known(machine));
        let least = running().map(|(_, machine)| machine.rules().min_machines_running).max()?;
        if running().count() <= least {
            return None;
        }
        let since = running().map(|(_, machine)| machine.running_since).max()?;
        let candidate = running().rev().find(|(index, machine)| {
            machine.rules().autostop != AutoStop::Off && machine.is_listening() && load(*index) == 0
        });
        let due = self.needed.max(self.stopped).max(since) + self.idle;
        candidate.map(|(index, _)| (due, index))
    }
}

/// Whether the machine runs and the proxy knows it.
fn is_known(machine: &Machine) -> bool {
    machine.runs() && !machine.cordoned && machine.has_service()
}
