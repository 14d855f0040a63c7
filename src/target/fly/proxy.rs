//! Which machine Fly's proxy gives a request to.

use http::StatusCode;

use super::config::ServiceRules;
use super::machine::MachineState;

/// What the proxy sees of a machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct MachineView {
    pub(super) state: MachineState,
    pub(super) listening: bool,
    /// Requests that it serves or that are held for it.
    pub(super) load: usize,
    pub(super) cordoned: bool,
    pub(super) rules: ServiceRules,
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RouteChoice {
    /// This machine serves it, as soon as it listens.
    To(usize),
    /// This machine is started for it.
    Start(usize),
    /// It waits until something changes.
    Hold,
    Refuse(StatusCode),
}

impl MachineView {
    fn stands(&self) -> bool {
        matches!(self.state, MachineState::Stopped | MachineState::Suspended)
    }

    /// Whether it will listen without anyone's doing.
    fn comes_up(&self) -> bool {
        !self.listening
            && matches!(
                self.state,
                MachineState::Starting | MachineState::Started | MachineState::Replacing
            )
    }

    fn goes_down(&self) -> bool {
        matches!(self.state, MachineState::Stopping | MachineState::Suspending)
    }
}

/// Chooses the machine of a request that is not pinned.
///
/// As Fly's proxy, it prefers the least loaded machine below its soft limit. If all that run exceed
/// it, it starts another one and holds the request for it; only without another one do they get
/// requests up to their hard limits.
pub(super) fn choose_machine(machines: &[MachineView]) -> RouteChoice {
    let served = || machines.iter().enumerate().filter(|(_, machine)| !machine.cordoned);
    let least = |wanted: &dyn Fn(&MachineView) -> bool| {
        let fitting = served().filter(|(_, machine)| wanted(machine));
        fitting.min_by_key(|(_, machine)| machine.load).map(|(index, _)| index)
    };
    let below_soft = |machine: &MachineView| machine.load < machine.rules.soft_limit;
    let below_hard = |machine: &MachineView| machine.load < machine.rules.hard_limit;
    let ready = least(&|machine| machine.listening && below_soft(machine));
    let coming = least(&|machine| machine.comes_up() && below_soft(machine));
    let standing = || least(&|machine| machine.stands() && machine.rules.autostart);
    let crowded = || least(&|machine| machine.listening && below_hard(machine));
    if let Some(ready) = ready {
        return RouteChoice::To(ready);
    }
    if let Some(coming) = coming {
        // It was started because the others are above their limits; until it listens, they serve.
        return RouteChoice::To(crowded().unwrap_or(coming));
    }
    if let Some(standing) = standing() {
        return RouteChoice::Start(standing);
    }
    match crowded() {
        Some(crowded) => RouteChoice::To(crowded),
        None if served().any(|(_, machine)| waits(machine)) => RouteChoice::Hold,
        None => RouteChoice::Refuse(StatusCode::SERVICE_UNAVAILABLE),
    }
}

/// Chooses for a request that is pinned to `machine` by `fly-force-instance-id`.
///
/// Fly documents that there is no fallback. That a pinned machine that stands is answered by 502
/// where the proxy may not start it, and one that is cordoned by 503, is this simulation's choice.
pub(super) fn choose_pinned(machine: &MachineView, index: usize) -> RouteChoice {
    match machine.state {
        MachineState::Destroyed | MachineState::Created => {
            RouteChoice::Refuse(StatusCode::SERVICE_UNAVAILABLE)
        }
        _ if machine.cordoned => RouteChoice::Refuse(StatusCode::SERVICE_UNAVAILABLE),
        _ if machine.stands() && machine.rules.autostart => RouteChoice::Start(index),
        _ if machine.stands() => RouteChoice::Refuse(StatusCode::BAD_GATEWAY),
        _ if machine.goes_down() => RouteChoice::Hold,
        _ if machine.load < machine.rules.hard_limit => RouteChoice::To(index),
        _ => RouteChoice::Hold,
    }
}

/// Whether a request may wait for this machine.
fn waits(machine: &MachineView) -> bool {
    machine.listening || machine.comes_up() || (machine.goes_down() && machine.rules.autostart)
}

#[cfg(test)]
mod tests {
    use super::super::config::AutoStop;
    use super::*;

    const RULES: ServiceRules = ServiceRules {
        autostart: true,
        autostop: AutoStop::Stop,
        min_machines_running: 0,
        soft_limit: 2,
        hard_limit: 3,
    };

    fn up(load: usize) -> MachineView {
        let state = MachineState::Started;
        MachineView { state, listening: true, load, cordoned: false, rules: RULES }
    }

    fn down(state: MachineState) -> MachineView {
        MachineView { state, listening: false, ..up(0) }
    }

    #[test]
    fn the_least_loaded_machine_below_its_soft_limit_serves() {
        assert_eq!(choose_machine(&[up(1), up(0), up(1)]), RouteChoice::To(1));
        assert_eq!(choose_machine(&[up(2), up(1)]), RouteChoice::To(1));
    }

    #[test]
    fn another_machine_starts_only_when_all_that_run_are_at_their_soft_limits() {
        let stopped = down(MachineState::Stopped);
        assert_eq!(choose_machine(&[up(1), stopped]), RouteChoice::To(0));
        assert_eq!(choose_machine(&[up(2), stopped]), RouteChoice::Start(1));
        assert_eq!(choose_machine(&[down(MachineState::Suspended)]), RouteChoice::Start(0));
        assert_eq!(
            choose_machine(&[up(2), down(MachineState::Starting), stopped]),
            RouteChoice::To(0),
            "one is started already"
        );
        assert_eq!(choose_machine(&[up(3), down(MachineState::Starting)]), RouteChoice::To(1));
    }

    #[test]
    fn without_another_machine_requests_go_up_to_the_hard_limit_and_then_wait() {
        assert_eq!(choose_machine(&[up(2)]), RouteChoice::To(0));
        assert_eq!(choose_machine(&[up(3)]), RouteChoice::Hold);
    }

    #[test]
    fn nothing_is_started_without_autostart_and_nothing_goes_to_a_cordoned_machine() {
        let refused = RouteChoice::Refuse(StatusCode::SERVICE_UNAVAILABLE);
        let mut stopped = down(MachineState::Stopped);
        stopped.rules.autostart = false;
        assert_eq!(choose_machine(&[stopped]), refused);
        let cordoned = MachineView { cordoned: true, ..up(0) };
        assert_eq!(choose_machine(&[cordoned]), refused);
        assert_eq!(choose_pinned(&cordoned, 0), refused);
        assert_eq!(choose_pinned(&stopped, 0), RouteChoice::Refuse(StatusCode::BAD_GATEWAY));
    }

    #[test]
    fn a_pin_starts_its_machine_and_waits_for_one_that_stops() {
        assert_eq!(choose_pinned(&down(MachineState::Stopped), 4), RouteChoice::Start(4));
        assert_eq!(choose_pinned(&down(MachineState::Stopping), 4), RouteChoice::Hold);
        assert_eq!(choose_pinned(&up(2), 4), RouteChoice::To(4));
        assert_eq!(choose_pinned(&up(3), 4), RouteChoice::Hold);
    }
}
