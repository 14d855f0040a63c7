//! Brings the machines back to what they were.

use std::time::Duration;

use super::{AppMachines, AppProblem, STATE_PATIENCE};
use crate::cli::exit::CommandError;
use crate::cli::fly_access::{client, parse_id};
use crate::cli::signals::RunSignals;
use crate::cli::tune::restore_file::RestoreStore;
use crate::fly::{AppName, FlyEnvironment, FlyProblem, LeaseNonce, MachineId};
use crate::tune::restore::{CurrentMachine, steps_to_restore};

/// How long the API may take to show that it is there after a restore has failed.
const SHORT_PATIENCE: Duration = Duration::from_secs(2);

impl AppMachines<'_> {
    /// Brings every machine back to what it was, and ends the leases. One signal does not stop it.
    /// A second one ends the process, and `tollgate tune restore` goes on from the restore file.
    pub(in crate::cli::tune) fn restore(
        &mut self,
        store: &mut RestoreStore,
    ) -> Result<(), AppProblem> {
        self.restores.set(true);
        let problems: Vec<String> = self
            .chosen
            .clone()
            .iter()
            .filter_map(|id| self.restore_machine(id, store).err().map(|problem| problem.0))
            .collect();
        // A lease ends by itself, so a failure here changes nothing, and is not worth a long wait.
        if problems.is_empty() || self.client.is_answering(SHORT_PATIENCE) {
            let _ends_by_itself = self.release_leases();
        }
        self.restores.set(false);
        if problems.is_empty() { Ok(()) } else { Err(AppProblem(problems.join("\n"))) }
    }

    /// A signal or a kill may have come between a change and its end, so the machine settles first.
    fn restore_machine(
        &mut self,
        id: &MachineId,
        store: &mut RestoreStore,
    ) -> Result<(), AppProblem> {
        let now = match self.client.wait_settled(id, STATE_PATIENCE) {
            Ok(machine) => Some(machine),
            Err(error) if matches!(error.problem(), FlyProblem::NotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let saved = self.saved[id.as_str()].clone();
        let current = now.as_ref().map(|machine| CurrentMachine {
            state: machine.state.as_str().to_owned(),
            config: machine.config.as_ref().map(|c| c.as_json().clone()).unwrap_or_default(),
        });
        let steps = steps_to_restore(&saved, current.as_ref()).ok_or_else(|| {
            AppProblem(format!(
                "machine {id} is gone, so it cannot be restored; `fly machine clone` makes one \
                 like another, and the restore file holds its configuration; remove that file once \
                 the app is as it should be"
            ))
        })?;
        if !steps.is_empty() {
            self.hold_lease(id, store)?;
        }
        for step in steps {
            self.carry_out(id, step)?;
        }
        Ok(())
    }
}

/// Restores an app from a file that a killed session left behind.
pub(in crate::cli::tune) fn restore_from(
    environment: &FlyEnvironment,
    store: &mut RestoreStore,
    signals: &RunSignals,
) -> Result<(), CommandError> {
    let file = store.content().clone();
    let app = AppName::parse(&file.app)
        .map_err(|error| CommandError::usage(format!("error: {error}")))?;
    let api = environment.machines_url().to_string();
    if file.api != api {
        return Err(CommandError::usage(format!(
            "error: the session changed app {app} through {}, and this command would use {api}; \
             set FLY_FLAPS_BASE_URL={} (if that API was simulated and is gone, remove {})",
            file.api,
            file.api,
            store.path().display()
        )));
    }
    let chosen = file.machines.keys().map(|id| parse_id(id)).collect::<Result<Vec<_>, _>>()?;
    let client = client(environment, &app, signals);
    let machines = AppMachines::new(client, api, file.machines, signals);
    let mut machines = AppMachines { chosen, allows_downtime: true, ..machines };
    for (id, nonce) in &file.leases {
        if let (Ok(id), Some(nonce)) = (MachineId::parse(id), LeaseNonce::parse(nonce)) {
            machines.client.adopt_lease(&id, nonce);
        }
    }
    machines.await_leases(store).map_err(CommandError::internal)?;
    machines.restore(store).map_err(|problem| CommandError::internal(problem.0))
}
