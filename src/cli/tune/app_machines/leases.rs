//! The leases of the machines, which keep others from changing them meanwhile.

use std::time::Duration;

use super::AppMachines;
use crate::cli::tune::restore_file::RestoreStore;
use crate::fly::{FlyError, FlyProblem, MachineId, MachineLease};
use crate::units::format_duration;

/// How long a lease lasts. It is extended before each change, and ends by itself if this process is
/// killed.
const LEASE: Duration = Duration::from_mins(5);

/// How long a new lease lasts until its nonce is noted. Only whoever knows the nonce can end it, so
/// it should end soon if this process is killed in between.
const NEW_LEASE: Duration = Duration::from_secs(15);

/// How long a restore waits for the lease of a session that was killed.
const LEASE_PATIENCE: Duration = Duration::from_secs(310);

/// Who holds the leases, for whoever meets one.
const LEASE_DESCRIPTION: &str = "tollgate tune changes this machine and restores it";

impl AppMachines<'_> {
    /// Takes or extends the leases of the machines, and notes their nonces in the restore file.
    pub(super) fn hold_leases(&mut self, store: &mut RestoreStore) -> Result<(), FlyError> {
        self.chosen.clone().iter().try_for_each(|id| self.hold_lease(id, store))
    }

    pub(super) fn hold_lease(
        &mut self,
        id: &MachineId,
        store: &mut RestoreStore,
    ) -> Result<(), FlyError> {
        if self.client.holds_lease(id) {
            match self.client.refresh_lease(id, LEASE) {
                Ok(lease) => {
                    note(store, id, &lease);
                    return Ok(());
                }
                // Whoever asks for a new lease presents no nonce, and would meet the one that is
                // held.
                Err(error) if !is_refused(&error) => return Err(error),
                // It has ended.
                Err(_) => {}
            }
        }
        let lease = self.client.acquire_lease(id, NEW_LEASE, LEASE_DESCRIPTION)?;
        self.keep(id, &lease, store)
    }

    /// Notes the nonce of a new lease and extends it.
    fn keep(
        &mut self,
        id: &MachineId,
        lease: &MachineLease,
        store: &mut RestoreStore,
    ) -> Result<(), FlyError> {
        note(store, id, lease);
        self.client.refresh_lease(id, LEASE).map(drop)
    }

    /// Waits while leases are held by somebody else: a session that was killed right after it took
    /// one has not noted its nonce. Other failures are left to the changes that follow.
    pub(super) fn await_leases(&mut self, store: &mut RestoreStore) -> Result<(), FlyError> {
        for id in self.chosen.clone() {
            let Err(error) = self.hold_lease(&id, store) else { continue };
            if let FlyProblem::LeaseHeld { .. } = error.problem() {
                tracing::warn!("{error}; waiting for up to {}", format_duration(LEASE_PATIENCE));
                let lease =
                    self.client.await_lease(&id, NEW_LEASE, LEASE_DESCRIPTION, LEASE_PATIENCE)?;
                self.keep(&id, &lease, store)?;
            }
        }
        Ok(())
    }

    /// Ends the leases that are held.
    pub(super) fn release_leases(&mut self) -> Result<(), FlyError> {
        for id in self.chosen.clone() {
            self.client.release_lease(&id)?;
        }
        Ok(())
    }
}

/// Notes the nonce of a lease in the restore file.
fn note(store: &mut RestoreStore, id: &MachineId, lease: &MachineLease) {
    if let Some(nonce) = &lease.nonce {
        store.note_lease(id.as_str(), nonce.as_str());
    }
}

/// Whether the API answered that a lease cannot be extended, for instance because it has ended.
fn is_refused(error: &FlyError) -> bool {
    matches!(
        error.problem(),
        FlyProblem::NotFound { .. }
            | FlyProblem::LeaseHeld { .. }
            | FlyProblem::Conflict { .. }
            | FlyProblem::PreconditionFailed { .. }
            | FlyProblem::Invalid { .. }
    )
}
