//! The rate limits of the Machines API:
//! <https://fly.io/docs/machines/api/working-with-machines-api/>.

use std::collections::HashMap;
use std::time::Duration;

/// Calls a second of one action on one machine, and how many may come at once.
const OTHERS: (f64, f64) = (1.0, 3.0);

/// The same for the action that gets a machine.
const GET: (f64, f64) = (5.0, 10.0);

/// The action that has a limit of its own.
pub(super) const GET_ACTION: &str = "get";

/// A token bucket for each action and machine.
#[derive(Debug, Default)]
pub(super) struct RateLimits {
    buckets: HashMap<(&'static str, String), (f64, Duration)>,
}

impl RateLimits {
    /// Whether a call of `action` on `machine` is within the limits at `now`, a real time. One that
    /// is not takes no token.
    pub(super) fn allows(&mut self, action: &'static str, machine: &str, now: Duration) -> bool {
        let (rate, burst) = if action == GET_ACTION { GET } else { OTHERS };
        let bucket = self.buckets.entry((action, machine.to_owned())).or_insert((burst, now));
        let passed = now.saturating_sub(bucket.1).as_secs_f64();
        *bucket = ((bucket.0 + passed * rate).min(burst), now.max(bucket.1));
        let allowed = bucket.0 >= 1.0;
        if allowed {
            bucket.0 -= 1.0;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(limits: &mut RateLimits, action: &'static str, millis: u64, calls: u32) -> u32 {
        let at = Duration::from_millis(millis);
        (0..calls).map(|_| u32::from(limits.allows(action, "a", at))).sum()
    }

    #[test]
    fn each_action_has_a_burst_of_3_and_then_1_a_second() {
        let mut limits = RateLimits::default();
        assert_eq!(allowed(&mut limits, "stop", 0, 5), 3);
        assert_eq!(allowed(&mut limits, "start", 0, 5), 3);
        assert_eq!(allowed(&mut limits, "stop", 999, 5), 0);
        assert_eq!(allowed(&mut limits, "stop", 1_000, 5), 1);
        assert_eq!(allowed(&mut limits, "stop", 60_000, 5), 3);
        assert!(limits.allows("stop", "b", Duration::ZERO));
    }

    #[test]
    fn getting_a_machine_has_a_burst_of_10_and_then_5_a_second() {
        let mut limits = RateLimits::default();
        assert_eq!(allowed(&mut limits, GET_ACTION, 0, 12), 10);
        assert_eq!(allowed(&mut limits, GET_ACTION, 1_000, 12), 5);
    }
}
