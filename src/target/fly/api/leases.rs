//! Leases: who alone may change a machine.

use std::collections::BTreeMap;
use std::time::Duration;

/// The owner of every lease: all callers use the one token.
pub(super) const OWNER: &str = "rehearsal@tokens.example.com";

/// How long a lease lasts whose request does not say so.
const DEFAULT_TTL: Duration = Duration::from_mins(1);

/// The longest time that a lease lasts.
const LONGEST_TTL: Duration = Duration::from_hours(24);

/// A lease. Times are wall times since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) nonce: String,
    pub(super) description: String,
    pub(super) expires: Duration,
}

/// The leases of all machines, by their ids.
#[derive(Debug, Default)]
pub(super) struct LeaseBook(BTreeMap<String, Lease>);

/// Another lease holds the machine.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LeaseConflict(pub(super) Lease);

impl LeaseBook {
    /// The machine's lease, if one is valid at `now`.
    pub(super) fn current(&self, machine: &str, now: Duration) -> Option<&Lease> {
        self.0.get(machine).filter(|lease| lease.expires > now)
    }

    /// Whether a caller with `nonce` may change the machine: no one holds it, or the caller does.
    pub(super) fn check(
        &self,
        machine: &str,
        nonce: Option<&str>,
        now: Duration,
    ) -> Result<(), LeaseConflict> {
        match self.current(machine, now) {
            Some(lease) if nonce != Some(lease.nonce.as_str()) => Err(LeaseConflict(lease.clone())),
            _ => Ok(()),
        }
    }

    /// Gives a lease with the nonce `fresh`, or prolongs the one that the caller's `nonce` holds.
    pub(super) fn acquire(
        &mut self,
        machine: &str,
        (nonce, fresh): (Option<&str>, String),
        (ttl, description): (Option<Duration>, String),
        now: Duration,
    ) -> Result<Lease, LeaseConflict> {
        self.check(machine, nonce, now)?;
        let held = self.current(machine, now).map(|lease| lease.nonce.clone());
        let lease = Lease {
            nonce: held.unwrap_or(fresh),
            description,
            expires: now + ttl.unwrap_or(DEFAULT_TTL).min(LONGEST_TTL),
        };
        self.0.insert(machine.to_owned(), lease.clone());
        Ok(lease)
    }

    /// Ends the machine's lease.
    pub(super) fn release(&mut self, machine: &str) {
        self.0.remove(machine);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn only_the_holder_may_change_a_machine_until_its_lease_ends() {
        let mut leases = LeaseBook::default();
        assert_eq!(leases.check("m", None, seconds(0)), Ok(()));
        let wanted = |nonce: &'static str| (Some(seconds(30)), nonce.to_owned());
        let lease = leases.acquire("m", (None, "n1".into()), wanted("deploy"), seconds(0)).unwrap();
        assert_eq!((lease.nonce.as_str(), lease.expires), ("n1", seconds(30)));
        assert!(leases.check("m", None, seconds(29)).is_err());
        assert!(leases.check("m", Some("n2"), seconds(29)).is_err());
        assert_eq!(leases.check("m", Some("n1"), seconds(29)), Ok(()));
        assert_eq!(leases.check("other", None, seconds(29)), Ok(()));
        assert_eq!(leases.check("m", None, seconds(30)), Ok(()), "it has ended");
    }

    #[test]
    fn the_holder_prolongs_its_lease_and_keeps_the_nonce() {
        let mut leases = LeaseBook::default();
        let wanted = || (Some(seconds(30)), String::new());
        leases.acquire("m", (None, "n1".into()), wanted(), seconds(0)).unwrap();
        let other = leases.acquire("m", (None, "n2".into()), wanted(), seconds(10));
        assert_eq!(other.unwrap_err().0.nonce, "n1");
        let mine = leases.acquire("m", (Some("n1"), "n3".into()), wanted(), seconds(20)).unwrap();
        assert_eq!((mine.nonce.as_str(), mine.expires), ("n1", seconds(50)));
        leases.release("m");
        assert_eq!(leases.check("m", None, seconds(20)), Ok(()));
    }
}
