//! The machines of the app that a session may change: reading and changing them.

mod added;
mod leases;
mod restoring;
mod user_command;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;

use super::inventory::machine_facts;
use super::machine_choice::{AppRequest, choose_machines, runs, saved, serving};
use super::restore_file::RestoreStore;
use crate::cli::exit::CommandError;
use crate::cli::fly_access::{AppClient, api_error, client, parse_id};
use crate::cli::signals::RunSignals;
use crate::fly::{
    FlyEnvironment, FlyError, Machine, MachineConfig, MachineId, MachineState, MachineUpdate,
    StartKind as FlyStart, WaitGoal, WaitState, last_start,
};
use crate::record::session::{AddedMachine, ColdState, MachineFacts, StartKind};
use crate::tune::plan_file::ConfigurationChange;
use crate::tune::restore::{
    RESTORE_FORMAT, RestoreFile, RestoreStep, SavedMachine, refuse_downtime,
};

pub(super) use restoring::restore_from;

/// How long a machine may take to reach a state.
const STATE_PATIENCE: Duration = Duration::from_mins(3);

/// The machines of one app, of which a session changes some.
pub(super) struct AppMachines<'a> {
    client: AppClient<'a>,
    api: String,
    /// The machines that are changed, by id. The others are only counted.
    chosen: Vec<MachineId>,
    /// Every machine that may be changed, as it was before the first change.
    saved: BTreeMap<String, SavedMachine>,
    /// The configuration that the machines have now, by its index; `None` before the first one.
    applied: Option<usize>,
    /// Whether calls go on after a signal, because they restore the machines.
    restores: Rc<Cell<bool>>,
    allows_downtime: bool,
    /// Whether every request names the machine that has to answer it.
    is_pinned: bool,
    /// The machines that commands added.
    added: Vec<AddedMachine>,
    /// A command after which the machines were not listed yet.
    unlisted: Option<added::UnlistedCommand>,
    signals: &'a RunSignals,
}

impl<'a> AppMachines<'a> {
    /// Reads the machines of an app and chooses those to use. Changes nothing.
    pub(super) fn find(
        environment: &FlyEnvironment,
        request: &AppRequest<'_>,
        signals: &'a RunSignals,
    ) -> Result<Self, CommandError> {
        let (mut client, restores) = client(environment, request.app, signals);
        let machines = client.list_machines().map_err(|error| api_error(&error))?;
        let chosen = choose_machines(&machines, request)?;
        let saved = chosen.iter().copied().map(saved).collect::<Result<_, _>>()?;
        let chosen = chosen.iter().map(|m| parse_id(&m.id)).collect::<Result<_, _>>()?;
        let api = environment.machines_url().to_string();
        let allows_downtime = request.allows_downtime;
        let is_pinned = request.machine.is_some();
        let machines = Self::new((client, restores), api, saved, signals);
        Ok(Self { chosen, allows_downtime, is_pinned, ..machines })
    }

    /// Access to an app of which no machine is chosen yet.
    fn new(
        (client, restores): (AppClient<'a>, Rc<Cell<bool>>),
        api: String,
        saved: BTreeMap<String, SavedMachine>,
        signals: &'a RunSignals,
    ) -> Self {
        Self {
            client,
            api,
            chosen: Vec::new(),
            saved,
            applied: None,
            restores,
            allows_downtime: false,
            is_pinned: false,
            added: Vec::new(),
            unlisted: None,
            signals,
        }
    }

    /// What has to be on disk before the first change.
    pub(super) fn restore_file(&self, saved: OffsetDateTime) -> RestoreFile {
        RestoreFile {
            format: RESTORE_FORMAT,
            app: self.client.app().as_str().to_owned(),
            api: self.api.clone(),
            saved,
            machines: self.saved.clone(),
            leases: BTreeMap::new(),
        }
    }

    /// Whether machines that have had another configuration of the session are given this one.
    pub(super) fn is_changed_by(&self, index: usize) -> bool {
        self.applied.is_some_and(|applied| applied != index)
    }

    /// Gives the machines a configuration, unless they have it.
    pub(super) fn apply(
        &mut self,
        index: usize,
        change: &ConfigurationChange,
        store: &mut RestoreStore,
    ) -> Result<(), AppProblem> {
        if self.applied == Some(index) {
            return Ok(());
        }
        self.applied = None;
        self.hold_leases(store)?;
        let patch = match change {
            ConfigurationChange::Machine(patch) => Some(patch),
            ConfigurationChange::None | ConfigurationChange::Command(_) => None,
        };
        for id in self.chosen.clone() {
            self.configure(&id, patch)?;
        }
        if let ConfigurationChange::Command(words) = change {
            // The command takes leases itself.
            self.release_leases()?;
            self.run_command(index, words)?;
            self.hold_leases(store)?;
        }
        self.applied = Some(index);
        Ok(())
    }

    /// Gives one machine the configuration it had, with a patch, and waits until it runs.
    fn configure(&mut self, id: &MachineId, patch: Option<&Value>) -> Result<(), AppProblem> {
        let machine = self.client.wait_settled(id, STATE_PATIENCE)?;
        let original = &self.saved[id.as_str()].config;
        let config = MachineConfig::new(original.clone()).and_then(|config| match patch {
            Some(patch) => config.patched(patch),
            None => Some(config),
        });
        let config =
            config.ok_or_else(|| AppProblem(format!("machine {id} has no configuration")))?;
        if machine.config.as_ref().is_some_and(|now| now.as_json() == config.as_json()) {
            return Ok(());
        }
        if runs(&machine) {
            self.refuse_new_downtime()?;
        }
        let updated = self.client.update(id, &update(&machine, config, false))?;
        self.client.wait(
            id,
            &WaitGoal::of_version(WaitState::Started, &updated),
            STATE_PATIENCE,
        )?;
        Ok(())
    }

    /// Brings the machines into a cold state.
    pub(super) fn cool_down(
        &mut self,
        cold: ColdState,
        store: &mut RestoreStore,
    ) -> Result<(), AppProblem> {
        let step = match cold {
            ColdState::Stop => Some(RestoreStep::Stop),
            ColdState::Suspend => Some(RestoreStep::Suspend),
            ColdState::Restart => None,
            ColdState::Idle { .. } | ColdState::None => return Ok(()),
        };
        self.hold_leases(store)?;
        self.refuse_new_downtime()?;
        for id in self.chosen.clone() {
            let Some(step) = step else {
                // A restarted machine is met while it boots.
                self.client.restart(&id)?;
                continue;
            };
            if step == RestoreStep::Suspend && !runs(&self.client.machine(&id)?) {
                self.carry_out(&id, RestoreStep::Start)?;
            }
            self.carry_out(&id, step)?;
        }
        Ok(())
    }

    /// Starts the machines that the proxy would not start.
    pub(super) fn start_unless_proxy_does(&mut self) -> Result<(), AppProblem> {
        for id in self.chosen.clone() {
            let machine = self.client.machine(&id)?;
            let services = machine.config.as_ref().map(MachineConfig::services).unwrap_or_default();
            let autostarts = services.iter().any(|service| service.autostart.unwrap_or(true));
            if !runs(&machine) && !autostarts {
                self.carry_out(&id, RestoreStep::Start)?;
            }
        }
        Ok(())
    }

    /// The machines that are used, as they are now.
    pub(super) fn inventory(&mut self) -> Result<Vec<MachineFacts>, AppProblem> {
        let machines = self.client.list_machines()?;
        let chosen = |machine: &&Machine| self.chosen.iter().any(|id| id.as_str() == machine.id);
        let mut facts = Vec::new();
        for machine in machines.iter().filter(chosen) {
            facts.push(machine_facts(machine));
        }
        Ok(facts)
    }

    /// Whether Fly's API gives any answer within `limit`.
    pub(super) fn is_reachable(&mut self, limit: Duration) -> bool {
        self.client.is_answering(limit)
    }

    /// The machine that answers, if there is only one that can.
    pub(super) fn only_machine(&self) -> Option<&MachineId> {
        match self.chosen.as_slice() {
            [only] if self.is_pinned || self.added.is_empty() => Some(only),
            _ => None,
        }
    }

    /// How the only machine came to run in an attempt that began at `since`, as its events show it.
    pub(super) fn start_kind(&mut self, since: OffsetDateTime) -> Result<StartKind, AppProblem> {
        let Some(id) = self.only_machine().cloned() else { return Ok(StartKind::Unknown) };
        let machine = self.client.machine(&id)?;
        let start = last_start(&machine.events);
        Ok(match (start.at, start.kind) {
            (Some(at), _) if at < since && runs(&machine) => StartKind::Ran,
            (_, FlyStart::Booted) => StartKind::Booted,
            (_, FlyStart::Resumed) => StartKind::Resumed,
            (_, FlyStart::Unknown) => StartKind::Unknown,
        })
    }

    /// Refuses an answer that no machine of the app can have given.
    pub(super) fn refuse_stray_answer(&mut self) -> Result<(), AppProblem> {
        let rests = |machine: &Machine| {
            matches!(machine.state, MachineState::Stopped | MachineState::Suspended)
        };
        if self.client.list_machines()?.iter().all(rests) {
            return Err(AppProblem(format!(
                "the target answered while no machine of app `{}` ran; is the target (often \
                 TOLLGATE_TARGET) the address of another app?",
                self.client.app()
            )));
        }
        Ok(())
    }

    /// Refuses a change that would leave the app without a running machine: other machines may have
    /// stopped since the session began.
    fn refuse_new_downtime(&mut self) -> Result<(), AppProblem> {
        if self.allows_downtime {
            return Ok(());
        }
        let machines = self.client.list_machines()?;
        let running = serving(&machines).into_iter().filter(|machine| runs(machine));
        let running: Vec<String> = running.map(|machine| machine.id.clone()).collect();
        let chosen: Vec<String> = self.chosen.iter().map(ToString::to_string).collect();
        refuse_downtime(&running, &chosen).map_or(Ok(()), |why| Err(AppProblem(why)))
    }

    /// Carries out one step and waits for its end.
    fn carry_out(&mut self, id: &MachineId, step: RestoreStep) -> Result<(), AppProblem> {
        let goal = match step {
            RestoreStep::Update { launches } => {
                let machine = self.client.machine(id)?;
                let config = MachineConfig::new(self.saved[id.as_str()].config.clone());
                let config = config
                    .ok_or_else(|| AppProblem(format!("machine {id} has no configuration")))?;
                let updated = self.client.update(id, &update(&machine, config, !launches))?;
                let state = if launches { WaitState::Started } else { WaitState::Stopped };
                WaitGoal::of_version(state, &updated)
            }
            RestoreStep::Start => WaitGoal::new(WaitState::Started),
            RestoreStep::Stop => WaitGoal::new(WaitState::Stopped),
            RestoreStep::Suspend => WaitGoal::new(WaitState::Suspended),
        };
        self.begin_step(id, step)?;
        Ok(self.client.wait(id, &goal, STATE_PATIENCE)?)
    }

    fn begin_step(&mut self, id: &MachineId, step: RestoreStep) -> Result<(), FlyError> {
        match step {
            RestoreStep::Update { .. } => Ok(()),
            RestoreStep::Start => self.client.start(id),
            RestoreStep::Stop => self.client.stop(id),
            RestoreStep::Suspend => self.client.suspend(id),
        }
    }
}

/// Why the app could not be changed: a clause with its remedy.
#[derive(Debug)]
pub(super) struct AppProblem(pub(super) String);

impl From<FlyError> for AppProblem {
    fn from(error: FlyError) -> Self {
        Self(error.to_string())
    }
}

fn update(machine: &Machine, config: MachineConfig, skip_launch: bool) -> MachineUpdate {
    MachineUpdate { config, current_version: machine.instance_id.clone(), skip_launch }
}
