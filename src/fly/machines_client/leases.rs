//! Leases, whose nonces the client keeps and presents.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::MachinesClient;
use crate::fly::caller::{ApiRequest, RepeatPolicy, read_json};
use crate::fly::clock::CallClock;
use crate::fly::error::{FlyError, FlyProblem};
use crate::fly::lease::{LeaseNonce, MachineLease};
use crate::fly::names::MachineId;
use crate::fly::rate_limit::ApiAction;
use crate::fly::transport::HttpTransport;

/// How long to wait before asking again for a lease that somebody else holds.
const ASK_EVERY: Duration = Duration::from_secs(5);

impl<T: HttpTransport, C: CallClock> MachinesClient<T, C> {
    /// Takes a machine's lease for `ttl`, in whole seconds. From then on, every change of the
    /// machine carries its nonce.
    ///
    /// Fails with [`FlyProblem::LeaseHeld`] while somebody else holds it.
    pub fn acquire_lease(
        &mut self,
        id: &MachineId,
        ttl: Duration,
        description: &str,
    ) -> Result<MachineLease, FlyError> {
        self.nonces.remove(id);
        self.post_lease("take the lease of", id, ttl, Some(description))
    }

    /// Takes a machine's lease as [`Self::acquire_lease`] does, and waits for up to `patience`
    /// while somebody else holds it. A holder that was killed cannot end its lease.
    pub fn await_lease(
        &mut self,
        id: &MachineId,
        ttl: Duration,
        description: &str,
        patience: Duration,
    ) -> Result<MachineLease, FlyError> {
        let deadline = self.caller.clock.now().saturating_add(patience);
        loop {
            let error = match self.acquire_lease(id, ttl, description) {
                Err(error) if matches!(error.problem, FlyProblem::LeaseHeld { .. }) => error,
                result => return result,
            };
            if self.caller.clock.now() >= deadline {
                return Err(error);
            }
            let paused = self.caller.clock.pause(ASK_EVERY);
            let problem = FlyProblem::Stopped { was_sent: false };
            paused.map_err(|_| FlyError { problem, ..error })?;
        }
    }

    /// Whether this client took a lease and has not ended it; it may have ended by itself.
    pub fn holds_lease(&self, id: &MachineId) -> bool {
        self.nonces.contains_key(id)
    }

    /// Extends a lease that this client holds to `ttl` from now.
    pub fn refresh_lease(
        &mut self,
        id: &MachineId,
        ttl: Duration,
    ) -> Result<MachineLease, FlyError> {
        self.post_lease("extend the lease of", id, ttl, None)
    }

    /// Presents a nonce that an earlier process got, so that this client holds that lease.
    pub fn adopt_lease(&mut self, id: &MachineId, nonce: LeaseNonce) {
        self.nonces.insert(id.clone(), nonce);
    }

    /// Ends a lease that this client holds; nothing happens if it holds none, or if it has ended.
    pub fn release_lease(&mut self, id: &MachineId) -> Result<(), FlyError> {
        if !self.nonces.contains_key(id) {
            return Ok(());
        }
        let action = ApiAction::ReleaseLease;
        let request = ApiRequest {
            repeats: RepeatPolicy::Always,
            ..self.change_request("end the lease of", action, Method::DELETE, id, &["lease"])
        };
        match self.send(&request) {
            Err(error) if !matches!(error.problem, FlyProblem::NotFound { .. }) => Err(error),
            _ => {
                self.nonces.remove(id);
                Ok(())
            }
        }
    }

    /// The lease of a machine; `None` if it has none.
    pub fn show_lease(&mut self, id: &MachineId) -> Result<Option<MachineLease>, FlyError> {
        let task = "read the lease of";
        let request = self.machine_request(task, ApiAction::ShowLease, Method::GET, id, &["lease"]);
        match self.send(&request) {
            Ok(reply) => {
                let answer: Value = read_json(&request, &reply)?;
                Ok(Some(MachineLease::from_json(&answer)))
            }
            Err(error) if matches!(error.problem, FlyProblem::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn post_lease(
        &mut self,
        verb: &str,
        id: &MachineId,
        ttl: Duration,
        description: Option<&str>,
    ) -> Result<MachineLease, FlyError> {
        let mut request =
            self.change_request(verb, ApiAction::AcquireLease, Method::POST, id, &["lease"]);
        let mut body = json!({"ttl": ttl.as_secs().max(1)});
        if let Some(description) = description {
            body["description"] = json!(description);
        }
        request.body = Some(body);
        let reply = self.send_change(&request)?;
        let answer: Value = read_json(&request, &reply)?;
        let lease = MachineLease::from_json(&answer);
        let Some(nonce) = lease.nonce.clone() else {
            let why = "it lacks `nonce`".to_owned();
            return Err(request.error(FlyProblem::NotJson { why }));
        };
        self.nonces.insert(id.clone(), nonce);
        Ok(lease)
    }
}
