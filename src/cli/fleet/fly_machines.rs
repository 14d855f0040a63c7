//! The machines of a fleet: made, waited for, and destroyed.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use super::fly_journal::JournalFile;
use crate::cli::exit::CommandError;
use crate::cli::fly_access::{AppClient, api_error, client, parse_id};
use crate::cli::signals::RunSignals;
use crate::engine::clock;
use crate::fleet::{FLEET_MARK, FleetMachine, FlyFleet, JournalLine, ListedMachine};
use crate::fly::{
    AppName, FlyEnvironment, FlyError, FlyProblem, Machine, MachineConfig, MachineState, NewMachine,
};
use crate::units::format_duration;

/// How often machines are looked at until they have ended. Fly allows one list a second.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long one call may take while machines are destroyed. A longer outage is waited for by going
/// through all of them again.
const SHORT_PATIENCE: Duration = Duration::from_secs(20);

/// How long destroying may take, also while the API is away.
const DESTROY_LIMIT: Duration = Duration::from_mins(3);

/// How long after its last call a create without an answer may still make a machine. A call is
/// given up after 20 s, but Fly may carry it out later.
const LISTED_WITHIN: Duration = Duration::from_mins(1);

/// How long after the journal's last line a create may be sent again.
const CREATED_WITHIN: Duration = Duration::from_mins(1);

/// The number of unusable answers in a row that end the wait for the machines. The API may give a
/// few while it is changed or restarted.
const MAX_UNUSABLE_ANSWERS: u32 = 5;

/// The number of looks in a row that must not find a machine before it counts as gone.
const LOOKS_UNTIL_GONE: u32 = 3;

/// The machines of one fleet, in one app.
pub(super) struct FleetMachines<'a> {
    client: AppClient<'a>,
    /// Whether calls go on after a signal, because they destroy the machines.
    undoes: Rc<Cell<bool>>,
    journal: JournalFile,
    signals: &'a RunSignals,
}

/// What the wait for the machines knows.
#[derive(Default)]
struct FleetWatch {
    /// The machines that have ended, by name.
    ended: BTreeMap<String, EndedMachine>,
    /// How many looks in a row have not found a machine, by name.
    unseen: BTreeMap<String, u32>,
    /// The number of unusable answers in a row.
    unusable: u32,
}

/// A machine that has ended.
#[derive(Debug)]
pub(super) struct EndedMachine {
    /// Its name, which ends with the number of its shard.
    pub(super) name: String,
    pub(super) id: String,
    /// The program's exit code; `None` if Fly does not say it, or it was destroyed by somebody.
    pub(super) exit_code: Option<i64>,
}

/// How the wait for the machines ended.
#[derive(Debug)]
pub(super) struct FleetEnd {
    pub(super) ended: Vec<EndedMachine>,
    /// The names of the machines that still ran.
    pub(super) running: Vec<String>,
    pub(super) was_interrupted: bool,
}

impl<'a> FleetMachines<'a> {
    /// The machines of a journal, of which some may exist.
    pub(super) fn new(
        environment: &FlyEnvironment,
        app: &AppName,
        journal: JournalFile,
        signals: &'a RunSignals,
    ) -> Self {
        let (client, undoes) = client(environment, app, signals);
        Self { client, undoes, journal, signals }
    }

    /// Makes all machines, one after the other. On an error, some may have been made.
    pub(super) fn make(&mut self, fleet: &FlyFleet) -> Result<(), CommandError> {
        for machine in fleet.machines() {
            if self.signals.stops_within(Duration::ZERO) {
                return Ok(());
            }
            self.make_one(machine)?;
        }
        Ok(())
    }

    fn make_one(&mut self, machine: FleetMachine) -> Result<(), CommandError> {
        let FleetMachine { name, region, config } = machine;
        let config = MachineConfig::new(config)
            .ok_or_else(|| CommandError::internal("the configuration is not an object"))?;
        // On disk before the call: a kill may come before its answer.
        self.journal.note(JournalLine::Making(name.clone()))?;
        let new = NewMachine { name, region, config };
        match self.client.create(&new) {
            Ok(made) => {
                tracing::info!("Made machine {} ({}) in {}", made.id, new.name, new.region);
                self.journal.note(JournalLine::Made { name: new.name, id: made.id })
            }
            Err(failed) => {
                if !failed.may_exist {
                    self.journal.note(JournalLine::Refused(new.name))?;
                }
                match failed.error.problem() {
                    FlyProblem::Stopped { .. } => Ok(()),
                    // The answer names what is wrong: the image, the region or the size.
                    FlyProblem::Invalid { .. } if !failed.error.problem().is_about_capacity() => {
                        Err(CommandError::usage(format!("error: {}", failed.error)))
                    }
                    _ => Err(api_error(&failed.error)),
                }
            }
        }
    }

    /// Whether a machine was made, or may have been.
    pub(super) fn may_exist(&self) -> bool {
        let journal = self.journal.content();
        journal.made().next().is_some() || journal.unclear().next().is_some()
    }

    /// Waits until all machines have ended, for at most `limit`, or until a signal. While the API
    /// gives no answer the wait goes on: the machines do not need it.
    pub(super) fn await_end(&mut self, limit: Duration) -> Result<FleetEnd, CommandError> {
        let start = clock::now();
        let mut watch = FleetWatch::default();
        loop {
            let was_interrupted = self.signals.stops_within(LOOK_EVERY);
            let before = watch.ended.len();
            if !was_interrupted {
                match self.note_ended(&mut watch) {
                    Ok(()) => watch.unusable = 0,
                    Err(error) => watch.survive(&error)?,
                }
            }
            let ended = &watch.ended;
            let made = self.journal.content().made().map(|(name, _)| name);
            let running = made.filter(|name| !ended.contains_key(*name));
            let running: Vec<String> = running.map(str::to_owned).collect();
            if ended.len() > before {
                tracing::info!(
                    "{} of {} machines have ended",
                    ended.len(),
                    ended.len() + running.len()
                );
            }
            let is_over = clock::now().saturating_duration_since(start) >= limit;
            if running.is_empty() || is_over || was_interrupted {
                return Ok(FleetEnd {
                    ended: watch.ended.into_values().collect(),
                    running,
                    was_interrupted,
                });
            }
        }
    }

    /// Adds the machines that have ended meanwhile.
    fn note_ended(&mut self, watch: &mut FleetWatch) -> Result<(), FlyError> {
        let machines = self.client.list_machines()?;
        let made: Vec<(String, String)> = {
            let made = self.journal.content().made();
            made.map(|(name, id)| (name.to_owned(), id.to_owned())).collect()
        };
        for (name, id) in made {
            let listed = machines.iter().find(|machine| machine.id == id);
            let runs = listed.is_some_and(|machine| !has_ended(&machine.state));
            if runs {
                watch.unseen.remove(&name);
            }
            if runs || watch.ended.contains_key(&name) {
                continue;
            }
            let Ok(machine_id) = parse_id(&id) else { continue };
            // A list may lack a machine that was just made.
            let machine = match self.client.machine(&machine_id) {
                Ok(machine) if !has_ended(&machine.state) => continue,
                Ok(machine) => Some(machine),
                Err(error) if matches!(error.problem(), FlyProblem::NotFound { .. }) => None,
                Err(error) => return Err(error),
            };
            if machine.is_none() && !watch.is_gone(&name) {
                continue;
            }
            let exit_code = machine.as_ref().and_then(exit_code);
            watch.ended.insert(name.clone(), EndedMachine { name, id, exit_code });
        }
        Ok(())
    }

    /// Destroys every machine of the fleet that is left, and returns the ids of those that it
    /// destroyed. One signal does not stop it.
    pub(super) fn destroy_all(&mut self) -> Result<BTreeSet<String>, FlyError> {
        self.undoes.set(true);
        self.client.set_patience(SHORT_PATIENCE);
        let destroyed = self.destroy_until_none_is_left();
        self.undoes.set(false);
        destroyed
    }

    fn destroy_until_none_is_left(&mut self) -> Result<BTreeSet<String>, FlyError> {
        let start = clock::now();
        let mut destroyed = BTreeSet::new();
        let mut unclear: BTreeSet<String> =
            self.journal.content().unclear().map(str::to_owned).collect();
        let latest = (CREATED_WITHIN + LISTED_WITHIN).saturating_sub(self.journal.age());
        let listed_within = latest.min(LISTED_WITHIN);
        let (mut is_said, mut unusable) = (false, 0);
        loop {
            let round = self.destroy_listed(&mut destroyed, &mut unclear);
            let passed = clock::now().saturating_duration_since(start);
            if round.is_ok() {
                unusable = 0;
            }
            match round {
                Ok(0) if unclear.is_empty() || passed >= listed_within => return Ok(destroyed),
                Ok(0) if !is_said => {
                    is_said = true;
                    tracing::info!(
                        "Waiting up to {} for {}: the create call got no answer, so the machine may still appear",
                        format_duration(listed_within),
                        unclear.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
                    );
                }
                Err(error) => {
                    unusable = if is_worth_repeating(&error) { 0 } else { unusable + 1 };
                    if passed >= DESTROY_LIMIT || unusable >= MAX_UNUSABLE_ANSWERS {
                        return Err(error);
                    }
                    tracing::warn!("WARNING: {error}; trying again");
                }
                Ok(_) => {}
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Destroys the machines that are listed, and returns how many there were. An error of one is
    /// returned after all were tried.
    fn destroy_listed(
        &mut self,
        destroyed: &mut BTreeSet<String>,
        unclear: &mut BTreeSet<String>,
    ) -> Result<usize, FlyError> {
        let machines = self.client.list_machines()?;
        let own = machines.into_iter().filter(|machine| self.owns(machine));
        let own: Vec<Machine> = own.collect();
        let mut problem = None;
        for machine in &own {
            unclear.remove(&machine.name);
            let Ok(id) = parse_id(&machine.id) else { continue };
            match self.client.destroy(&id) {
                Ok(true) => {
                    destroyed.insert(machine.id.clone());
                }
                Ok(false) => {}
                Err(error) => problem = Some(error),
            }
        }
        problem.map_or(Ok(own.len()), Err)
    }

    fn owns(&self, machine: &Machine) -> bool {
        let config = machine.config.as_ref().or(machine.incomplete_config.as_ref());
        let listed = ListedMachine {
            id: &machine.id,
            name: &machine.name,
            mark: config.and_then(|config| config.metadata(FLEET_MARK)),
        };
        !machine.state.is_gone() && self.journal.content().owns(listed)
    }

    /// The journal, which is removed once nothing is left.
    pub(super) fn into_journal(self) -> JournalFile {
        self.journal
    }
}

impl FleetWatch {
    /// Notes that a look has not found a machine. Returns whether it counts as gone.
    fn is_gone(&mut self, name: &str) -> bool {
        let looks = self.unseen.entry(name.to_owned()).or_default();
        *looks += 1;
        *looks >= LOOKS_UNTIL_GONE
    }

    /// Decides whether the wait goes on after an error.
    fn survive(&mut self, error: &FlyError) -> Result<(), CommandError> {
        if matches!(error.problem(), FlyProblem::Stopped { .. }) {
            return Ok(());
        }
        if !error.is_transient() && !matches!(error.problem(), FlyProblem::OutOfTime) {
            self.unusable += 1;
        }
        if self.unusable >= MAX_UNUSABLE_ANSWERS {
            return Err(CommandError::internal(format!(
                "the Machines API gave {MAX_UNUSABLE_ANSWERS} unusable answers in a row: {error}"
            )));
        }
        tracing::warn!("WARNING: {error}; the machines run on, and the wait goes on");
        Ok(())
    }
}

/// Whether a machine's program runs no more, and will not run again.
fn has_ended(state: &MachineState) -> bool {
    matches!(state, MachineState::Stopped | MachineState::Failed) || state.is_gone()
}

fn exit_code(machine: &Machine) -> Option<i64> {
    machine.events.iter().find(|event| event.kind == "exit")?.exit_code()
}

/// Whether the API may answer otherwise in a while.
fn is_worth_repeating(error: &FlyError) -> bool {
    error.is_transient()
        || matches!(
            error.problem(),
            FlyProblem::OutOfTime
                | FlyProblem::LeaseHeld { .. }
                | FlyProblem::Conflict { .. }
                | FlyProblem::PreconditionFailed { .. }
                | FlyProblem::NotJson { .. }
        )
}
