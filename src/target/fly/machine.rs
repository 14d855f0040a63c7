//! One simulated machine: its states, and what moves it from one to the next.

use std::collections::VecDeque;
use std::net::Ipv6Addr;
use std::time::Duration;

use serde_json::{Value, json};

use super::config::{MachineShape, ServiceRules};
use super::cpu_quota::{CpuJob, CpuKind, CpuQuota};
use super::effects::WorkCost;
use super::identifiers::IdSource;

/// From the order to start until the machine runs and its program begins to boot.
const VM_START: Duration = Duration::from_millis(200);

/// From the order to stop until the program has ended, unless it is killed before.
const STOP: Duration = Duration::from_millis(500);

/// From the order to suspend until memory is saved.
const SUSPEND: Duration = Duration::from_millis(500);

/// Events that a machine's answer holds.
const EVENTS: usize = 20;

/// Most memory of a machine that can be suspended.
pub(super) const MOST_SUSPENDED_MB: u64 = 2048;

/// A state of a machine, as the Machines API names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MachineState {
    Created,
    Starting,
    Started,
    Stopping,
    Stopped,
    Suspending,
    Suspended,
    Replacing,
    Destroyed,
}

/// What follows when a transition ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NextStep {
    /// Run, and boot the program.
    Boot,
    /// Run on where it was suspended.
    Resume,
    Rest(MachineState),
    /// The program ends by itself.
    Exit,
    /// Stop, and start again: a restart.
    StartAgain,
    /// Replace the machine, and start it unless it is to stay stopped.
    Launch {
        start: bool,
    },
}

/// The program in the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProgramState {
    Down,
    Booting,
    Listening,
}

/// How a machine without a service ends by itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct JobEnd {
    /// How long it runs.
    pub(super) after: Duration,
    pub(super) exit_code: i64,
}

/// One event of a machine. The timestamp is wall time in milliseconds.
#[derive(Debug, Clone)]
pub(super) struct MachineEvent {
    id: String,
    kind: &'static str,
    status: &'static str,
    source: &'static str,
    timestamp: u64,
    request: Option<Value>,
}

/// Now, and the source of new identifiers.
pub(super) struct Moment<'a> {
    /// Simulated time since the start.
    pub(super) now: Duration,
    /// Wall time, in milliseconds since the Unix epoch.
    pub(super) wall: u64,
    pub(super) ids: &'a mut IdSource,
}

/// A machine.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) region: String,
    pub(super) instance_id: String,
    pub(super) private_ip: Ipv6Addr,
    pub(super) config: Value,
    pub(super) state: MachineState,
    pub(super) program: ProgramState,
    pub(super) cordoned: bool,
    pub(super) quota: CpuQuota,
    pub(super) created: u64,
    pub(super) updated: u64,
    /// Saved CPU time that each vCPU begins with.
    pub(super) fresh_balance: Duration,
    /// Requests served since the boot.
    pub(super) served: u64,
    /// When the program's cache was filled; `None` if it is empty.
    pub(super) cached: Option<Duration>,
    /// When the program began to listen, or the machine was last told to run.
    pub(super) running_since: Duration,
    /// How it ends by itself if it has no service.
    pub(super) job: Option<JobEnd>,
    transition: Option<(Duration, NextStep)>,
    events: VecDeque<MachineEvent>,
}

impl MachineState {
    /// The word of the Machines API.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Starting => "starting",
            Self::Started => "started",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Suspending => "suspending",
            Self::Suspended => "suspended",
            Self::Replacing => "replacing",
            Self::Destroyed => "destroyed",
        }
    }

    /// Whether it stays so until someone changes it.
    pub(super) fn is_settled(self) -> bool {
        matches!(
            self,
            Self::Created | Self::Started | Self::Stopped | Self::Suspended | Self::Destroyed
        )
    }
}

impl Machine {
    /// A new machine that has never run.
    pub(super) fn new(name: String, config: Value, balance: Duration, at: &mut Moment<'_>) -> Self {
        let kind = cpu_kind(&config);
        let mut machine = Self {
            id: at.ids.machine(),
            name,
            region: String::new(),
            instance_id: at.ids.ulid(at.wall),
            private_ip: Ipv6Addr::UNSPECIFIED,
            config,
            state: MachineState::Created,
            program: ProgramState::Down,
            cordoned: false,
            quota: CpuQuota::new(kind, balance, at.now),
            created: at.wall,
            updated: at.wall,
            fresh_balance: balance,
            served: 0,
            cached: None,
            running_since: at.now,
            job: None,
            transition: None,
            events: VecDeque::new(),
        };
        machine.note(("launch", "created", "user"), None, at);
        machine
    }

    /// Puts a new machine into the state that it begins with; a started one is warm.
    pub(super) fn begin_as(&mut self, state: MachineState, warm_after: u64, at: &mut Moment<'_>) {
        self.state = state;
        match state {
            MachineState::Started => {
                self.program = ProgramState::Listening;
                self.served = warm_after;
                self.note(("start", "started", "flyd"), None, at);
            }
            MachineState::Suspended => {
                self.program = ProgramState::Listening;
                self.served = warm_after;
                self.note(("suspend", "suspended", "flyd"), None, at);
            }
            _ => self.note_exit(0, at),
        }
    }

    /// The rules of its service.
    pub(super) fn rules(&self) -> ServiceRules {
        ServiceRules::of(&self.config)
    }

    /// Whether the proxy can know it.
    pub(super) fn has_service(&self) -> bool {
        self.config["services"].as_array().is_some_and(|services| !services.is_empty())
    }

    /// Whether it runs, so that it uses and saves CPU time.
    pub(super) fn runs(&self) -> bool {
        self.state == MachineState::Started
    }

    /// Whether it runs or will run without anyone's doing.
    pub(super) fn comes_up(&self) -> bool {
        matches!(
            self.state,
            MachineState::Starting | MachineState::Started | MachineState::Replacing
        )
    }

    pub(super) fn is_listening(&self) -> bool {
        self.runs() && self.program == ProgramState::Listening
    }

    /// Its last events, the newest first.
    pub(super) fn events(&self) -> impl Iterator<Item = Value> {
        self.events.iter().rev().map(|event| {
            let mut value = json!({
                "id": event.id,
                "type": event.kind,
                "status": event.status,
                "source": event.source,
                "timestamp": event.timestamp,
            });
            if let Some(request) = &event.request {
                value["request"] = request.clone();
            }
            value
        })
    }

    /// The next moment at which something in it changes by itself.
    pub(super) fn next_change(&self) -> Option<Duration> {
        let by_work = self.runs().then(|| self.quota.next_change()).flatten();
        let by_transition = self.transition.map(|(end, _)| end);
        by_work.into_iter().chain(by_transition).min()
    }

    /// Orders a start. The machine must be stopped, suspended or new.
    pub(super) fn start(&mut self, source: &'static str, resume: Duration, at: &mut Moment<'_>) {
        let (wait, next) = match self.state {
            MachineState::Suspended => (resume, NextStep::Resume),
            _ => (VM_START, NextStep::Boot),
        };
        self.enter(MachineState::Starting, Some((at.now + wait, next)), at);
        self.note(("start", "starting", source), None, at);
    }

    /// Orders a stop. A suspended machine loses its memory at once.
    pub(super) fn stop(&mut self, source: &'static str, at: &mut Moment<'_>) {
        self.note(("stop", "stopping", source), None, at);
        if self.state == MachineState::Suspended {
            self.end(MachineState::Stopped, 0, at);
            return;
        }
        let next = NextStep::Rest(MachineState::Stopped);
        self.enter(MachineState::Stopping, Some((at.now + STOP, next)), at);
    }

    /// Orders a suspension of a machine that runs.
    pub(super) fn suspend(&mut self, source: &'static str, at: &mut Moment<'_>) {
        let next = NextStep::Rest(MachineState::Suspended);
        self.enter(MachineState::Suspending, Some((at.now + SUSPEND, next)), at);
        self.note(("suspend", "suspending", source), None, at);
    }

    /// Orders a restart: a stop, unless it stands already, and a boot. The balance is kept.
    pub(super) fn restart(&mut self, at: &mut Moment<'_>) {
        self.note(("restart", "stopping", "user"), None, at);
        let stop = if self.state == MachineState::Stopped { Duration::ZERO } else { STOP };
        self.enter(MachineState::Stopping, Some((at.now + stop, NextStep::StartAgain)), at);
    }

    /// Replaces it by one with another config: a new instance, with a fresh balance.
    ///
    /// A deploy is such an update. Fly does not document whether other updates reset the balance
    /// too; its users report that they do.
    pub(super) fn update(&mut self, config: Value, start: bool, at: &mut Moment<'_>) {
        self.quota.replace(cpu_kind(&config), self.fresh_balance);
        let stop = if self.runs() { STOP } else { Duration::ZERO };
        self.config = config;
        self.instance_id = at.ids.ulid(at.wall);
        self.enter(MachineState::Replacing, Some((at.now + stop, NextStep::Launch { start })), at);
        self.note(("update", "replacing", "user"), None, at);
    }

    /// Starts a new machine, or leaves it stopped.
    pub(super) fn begin(&mut self, start: bool, at: &mut Moment<'_>) {
        let boot = start.then_some((at.now + VM_START, NextStep::Boot));
        let state = if start { MachineState::Starting } else { MachineState::Stopped };
        self.enter(state, boot, at);
    }

    /// Ends it for good.
    pub(super) fn destroy(&mut self, at: &mut Moment<'_>) {
        self.enter(MachineState::Destroyed, None, at);
        self.forget_memory();
        self.note(("destroy", "destroyed", "flyd"), None, at);
    }

    /// Whether a transition ends by `now`.
    pub(super) fn has_due_transition(&self, now: Duration) -> bool {
        self.transition.is_some_and(|(end, _)| end <= now)
    }

    /// Ends the transition that is due at `at`, if one is.
    pub(super) fn finish_transition(&mut self, cost: &WorkCost, at: &mut Moment<'_>) -> bool {
        let Some((_, next)) = self.transition.take_if(|(end, _)| *end <= at.now) else {
            return false;
        };
        match next {
            NextStep::Boot => {
                let job = self.job.filter(|_| !self.has_service());
                let exit = job.map(|job| (at.now + job.after, NextStep::Exit));
                self.enter(MachineState::Started, exit, at);
                self.note(("start", "started", "flyd"), None, at);
                self.boot(cost.boot_cpu);
            }
            NextStep::Resume => {
                self.enter(MachineState::Started, None, at);
                self.note(("start", "started", "flyd"), None, at);
            }
            NextStep::Rest(MachineState::Suspended) => {
                self.enter(MachineState::Suspended, None, at);
                self.note(("suspend", "suspended", "flyd"), None, at);
            }
            NextStep::Rest(state) => self.end(state, 0, at),
            NextStep::Exit => {
                let code = self.job.map_or(0, |job| job.exit_code);
                self.end(MachineState::Stopped, code, at);
            }
            NextStep::StartAgain => {
                self.forget_memory();
                self.note_exit(0, at);
                let boot = Some((at.now + VM_START, NextStep::Boot));
                self.enter(MachineState::Starting, boot, at);
                self.note(("restart", "starting", "flyd"), None, at);
            }
            NextStep::Launch { start } => self.launch(start, at),
        }
        true
    }

    /// Ends the program. The machine is gone afterwards if its config says so.
    fn end(&mut self, state: MachineState, exit_code: i64, at: &mut Moment<'_>) {
        self.forget_memory();
        self.enter(state, None, at);
        self.note_exit(exit_code, at);
        if self.config["auto_destroy"] == true {
            self.destroy(at);
        }
    }

    fn launch(&mut self, start: bool, at: &mut Moment<'_>) {
        self.forget_memory();
        self.note(("launch", "created", "user"), None, at);
        self.begin(start, at);
    }

    fn boot(&mut self, work: Duration) {
        if work.is_zero() {
            self.program = ProgramState::Listening;
        } else {
            self.program = ProgramState::Booting;
            self.quota.add(CpuJob::Boot, work);
        }
    }

    fn forget_memory(&mut self) {
        self.program = ProgramState::Down;
        self.quota.remove(|_| true);
        self.served = 0;
        self.cached = None;
    }

    fn enter(
        &mut self,
        state: MachineState,
        transition: Option<(Duration, NextStep)>,
        at: &Moment<'_>,
    ) {
        self.state = state;
        self.transition = transition;
        self.updated = at.wall;
        self.running_since = at.now;
    }

    fn note_exit(&mut self, exit_code: i64, at: &mut Moment<'_>) {
        self.note(("exit", "stopped", "flyd"), Some(exit(exit_code)), at);
    }

    fn note(
        &mut self,
        (kind, status, source): (&'static str, &'static str, &'static str),
        request: Option<Value>,
        at: &mut Moment<'_>,
    ) {
        let id = at.ids.ulid(at.wall);
        self.events.push_back(MachineEvent {
            id,
            kind,
            status,
            source,
            timestamp: at.wall,
            request,
        });
        if self.events.len() > EVENTS {
            self.events.pop_front();
        }
    }
}

/// The details of an `exit` event, in Fly's form. A requested stop ends with 0.
fn exit(code: i64) -> Value {
    json!({ "exit_event": {
        "requested_stop": code == 0,
        "restarting": false,
        "guest_exit_code": code,
        "guest_signal": -1,
        "exit_code": code,
        "signal": -1,
        "oom_killed": false,
    }})
}

fn cpu_kind(config: &Value) -> CpuKind {
    let shape = MachineShape::of(config);
    CpuKind { vcpus: shape.cpus, shared: shape.is_shared() }
}
