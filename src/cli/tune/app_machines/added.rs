//! Machines that commands of the plan add. A session names them and leaves them to the user.

use std::collections::BTreeSet;

use super::user_command;
use super::{AppMachines, AppProblem};
use crate::fly::{FlyError, MachineState};
use crate::record::session::AddedMachine;

/// A command after which the machines were not listed yet, and the machines that were there before
/// it.
pub(super) struct UnlistedCommand {
    /// The index of its configuration.
    configuration: usize,
    before: BTreeSet<String>,
}

impl AppMachines<'_> {
    /// Runs the command of a configuration, and notes which machines it added, also if it failed.
    pub(super) fn run_command(
        &mut self,
        configuration: usize,
        words: &[String],
    ) -> Result<(), AppProblem> {
        // What an earlier command added was not there before this one.
        self.note_added()?;
        let before = self.client.list_machines()?.into_iter().map(|machine| machine.id).collect();
        self.unlisted = Some(UnlistedCommand { configuration, before });
        let ran = user_command::run_command(words, self.signals);
        // A signal stops calls, too. The machines are then listed when they have been restored.
        let _listed_later = self.note_added();
        ran
    }

    fn note_added(&mut self) -> Result<(), FlyError> {
        let Some(command) = &self.unlisted else { return Ok(()) };
        let machines = self.client.list_machines()?;
        let is_new = |id: &String| {
            !command.before.contains(id) && self.added.iter().all(|added| added.id != *id)
        };
        let new = machines.into_iter().filter(|machine| is_new(&machine.id));
        let new: Vec<AddedMachine> = new
            .map(|machine| AddedMachine {
                id: machine.id,
                region: machine.region,
                configuration: command.configuration,
            })
            .collect();
        self.added.extend(new);
        self.unlisted = None;
        Ok(())
    }

    /// The machines that commands have added so far.
    pub(in crate::cli::tune) fn added(&self) -> &[AddedMachine] {
        &self.added
    }

    /// The machines of `known`, and those added by this process, that still exist; all of them if
    /// the list cannot be read.
    pub(in crate::cli::tune) fn still_added(
        &mut self,
        known: &[AddedMachine],
    ) -> Vec<AddedMachine> {
        self.restores.set(true);
        let _as_far_as_listed = self.note_added();
        let mut all = known.to_vec();
        all.extend(self.added.iter().filter(|own| !known.contains(own)).cloned());
        if !all.is_empty()
            && let Ok(machines) = self.client.list_machines()
        {
            let is_gone = |state: &MachineState| {
                matches!(state, MachineState::Destroyed | MachineState::Destroying)
            };
            all.retain(|added| {
                machines.iter().any(|one| one.id == added.id && !is_gone(&one.state))
            });
        }
        self.restores.set(false);
        all
    }
}
