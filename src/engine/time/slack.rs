//! Whether a dispatcher keeps ahead of its schedule.

use std::time::Duration;

use super::clock::Instant;

/// Watches whether a dispatcher ever gets ahead of its schedule.
///
/// A dispatcher that never waits for a due time shares a thread with more work than it can do. The
/// prober then does not know whether a connection was free: it did not look in time.
#[derive(Debug)]
pub(in crate::engine) struct DispatchSlack {
    since: Instant,
    spare: Duration,
    gone: bool,
}

impl DispatchSlack {
    /// How long slack accumulates before it is judged.
    const WINDOW: Duration = Duration::from_millis(10);
    /// Divisor of a window: the part that must be spare.
    const ENOUGH: u32 = 20;

    pub(in crate::engine) fn new(now: Instant) -> Self {
        Self { since: now, spare: Duration::ZERO, gone: false }
    }

    /// Notes that the dispatcher turns to an arrival due at `due`.
    ///
    /// Returns whether its thread is saturated.
    pub(in crate::engine) fn is_exhausted(&mut self, now: Instant, due: Instant) -> bool {
        self.spare += due.saturating_duration_since(now);
        let gathered = now.saturating_duration_since(self.since);
        if gathered >= Self::WINDOW {
            self.gone = self.spare < gathered / Self::ENOUGH;
            (self.since, self.spare) = (now, Duration::ZERO);
        }
        self.gone
    }
}

#[cfg(test)]
mod tests {
    use super::super::clock::now;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_dispatcher_that_never_gets_ahead_is_out_of_slack() {
        let start = now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut slack = DispatchSlack::new(start);
        assert!((0..10).all(|tick| !slack.is_exhausted(at(tick), at(tick))));
        assert!(slack.is_exhausted(at(10), at(9)));
        assert!((11..20).all(|tick| slack.is_exhausted(at(tick), at(tick + 1))));
        assert!(!slack.is_exhausted(at(20), at(21)));
    }
}
