//! Fly's rate limits, kept by the caller.
//!
//! Fly allows one request per second for each action and machine, and 3 at once; for *Get Machine*
//! 5 per second, and 10 at once. Actions on an app as a whole are counted by app.
//! <https://fly.io/docs/machines/api/working-with-machines-api/#rate-limits>

use std::collections::BTreeMap;
use std::time::Duration;

use super::names::MachineId;

/// What a call does, as Fly counts calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ApiAction {
    List,
    ListSecrets,
    Create,
    Get,
    Start,
    Stop,
    Suspend,
    Restart,
    Update,
    Destroy,
    Wait,
    ShowLease,
    AcquireLease,
    ReleaseLease,
}

/// How often an action is allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
struct ActionLimit {
    per_second: f64,
    burst: f64,
}

impl ApiAction {
    fn limit(self) -> ActionLimit {
        match self {
            Self::Get => ActionLimit { per_second: 5.0, burst: 10.0 },
            _ => ActionLimit { per_second: 1.0, burst: 3.0 },
        }
    }
}

/// One token bucket for each action and machine.
#[derive(Debug, Default)]
pub(super) struct RateLimiter {
    buckets: BTreeMap<(ApiAction, Option<MachineId>), TokenBucket>,
}

impl RateLimiter {
    /// Reserves the next call and returns how long to wait before it is sent.
    ///
    /// `now` is the time since any fixed instant.
    pub(super) fn reserve(
        &mut self,
        action: ApiAction,
        machine: Option<&MachineId>,
        now: Duration,
    ) -> Duration {
        let limit = action.limit();
        let full = TokenBucket { level: limit.burst, at: now };
        let bucket = self.buckets.entry((action, machine.cloned())).or_insert(full);
        bucket.reserve(limit, now)
    }
}

/// A bucket that fills at the limit's rate up to its burst, and gives one token to each call. Its
/// level is negative while reserved calls wait.
#[derive(Debug)]
struct TokenBucket {
    level: f64,
    at: Duration,
}

impl TokenBucket {
    fn reserve(&mut self, limit: ActionLimit, now: Duration) -> Duration {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.level = (self.level + passed * limit.per_second).min(limit.burst) - 1.0;
        self.at = now;
        Duration::from_secs_f64((-self.level / limit.per_second).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> MachineId {
        MachineId::parse(text).unwrap()
    }

    fn waits(limiter: &mut RateLimiter, action: ApiAction, calls: usize, now: u64) -> Vec<u64> {
        let machine = id("m1");
        let now = Duration::from_millis(now);
        let wait = |_| limiter.reserve(action, Some(&machine), now).as_millis();
        (0..calls).map(wait).map(|wait| u64::try_from(wait).unwrap()).collect()
    }

    #[test]
    fn three_calls_of_an_action_go_at_once_and_then_one_a_second() {
        let mut limiter = RateLimiter::default();
        assert_eq!(waits(&mut limiter, ApiAction::Stop, 5, 0), [0, 0, 0, 1_000, 2_000]);
        // The two that wait are paid for at 2 s; half a second later half a call is free.
        assert_eq!(waits(&mut limiter, ApiAction::Stop, 1, 2_500), [500]);
        assert_eq!(waits(&mut limiter, ApiAction::Stop, 4, 60_000), [0, 0, 0, 1_000]);
    }

    #[test]
    fn ten_gets_go_at_once_and_then_five_a_second() {
        let mut limiter = RateLimiter::default();
        let mut expected = vec![0; 10];
        expected.extend([200, 400]);
        assert_eq!(waits(&mut limiter, ApiAction::Get, 12, 0), expected);
    }

    #[test]
    fn actions_and_machines_are_counted_on_their_own() {
        let mut limiter = RateLimiter::default();
        waits(&mut limiter, ApiAction::Stop, 3, 0);
        assert_eq!(waits(&mut limiter, ApiAction::Start, 1, 0), [0]);
        let other = limiter.reserve(ApiAction::Stop, Some(&id("m2")), Duration::ZERO);
        let app = limiter.reserve(ApiAction::Stop, None, Duration::ZERO);
        assert_eq!((other, app), (Duration::ZERO, Duration::ZERO));
        assert_eq!(waits(&mut limiter, ApiAction::Stop, 1, 0), [1_000]);
    }

    #[test]
    fn a_clock_that_stands_still_or_falls_gives_no_tokens() {
        let mut limiter = RateLimiter::default();
        waits(&mut limiter, ApiAction::Wait, 3, 5_000);
        assert_eq!(waits(&mut limiter, ApiAction::Wait, 1, 1_000), [1_000]);
    }
}
