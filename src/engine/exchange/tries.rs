//! How often a step is tried, and when the prober gives up.

use std::time::Duration;

use crate::engine::time::clock::Instant;
use crate::plan::RetryPlan;
use crate::record::{Dimension, Failure};
use crate::recorder::{Exchange, ExchangeParts, PartOutcome, UsedConnection};

/// The tries of one step of one arrival.
#[derive(Debug)]
pub(in crate::engine) struct StepTries {
    planned: RetryPlan,
    begun: Instant,
    /// How many tries there were.
    pub(super) count: u32,
    /// What the tries before the last one add to the total.
    pub(super) earlier: EarlierTries,
}

/// What the tries before the last one add to the total.
#[derive(Debug, Default)]
pub(super) struct EarlierTries {
    /// Set-up of the connections they opened, and its phases.
    pub(super) opened: ExchangeParts,
    /// Whether they opened a connection.
    pub(super) fresh: bool,
    /// The connections that carried them.
    pub(super) connection: UsedConnection,
    /// Body bytes received.
    pub(super) body_bytes: u64,
}

impl EarlierTries {
    fn add(&mut self, exchange: &Exchange) {
        use Dimension::{Setup, TlsFull, TlsResumed};
        self.body_bytes += exchange.body_bytes;
        self.connection.add(exchange.connection);
        if exchange.parts.get(Setup) == PartOutcome::Died {
            return;
        }
        for dimension in Dimension::SETUP.into_iter().chain([Setup, TlsFull, TlsResumed]) {
            if let PartOutcome::Took(took) = exchange.parts.get(dimension) {
                self.opened.add(dimension, took);
                self.fresh = true;
            }
        }
    }
}

impl StepTries {
    /// Starts with the first try.
    pub(in crate::engine) fn begin(planned: RetryPlan, now: Instant) -> Self {
        Self { planned, begun: now, count: 1, earlier: EarlierTries::default() }
    }

    /// Whether each try is recorded in addition to the whole.
    pub(in crate::engine) fn are_several(&self) -> bool {
        self.planned != RetryPlan::Once
    }

    /// When a try must be over: a poll's last try may run for one pause beyond the poll's time.
    pub(in crate::engine) fn end(&self) -> Option<Instant> {
        match self.planned {
            RetryPlan::Poll { every, within } => Some(self.begun + within + every),
            RetryPlan::Once | RetryPlan::Retry { .. } => None,
        }
    }

    /// The pause before the next try after one that failed by `now`; `None` if there is none.
    ///
    /// A poll makes its last try when its time ends, so that it misses no change within that time.
    pub(in crate::engine) fn again(&mut self, failed: &Exchange, now: Instant) -> Option<Duration> {
        // A limit of tollgate would end the next try too.
        let is_own_limit =
            failed.failed.as_ref().is_some_and(|why| why.failure == Failure::OwnLimit);
        let pause = match self.planned {
            RetryPlan::Once => None,
            RetryPlan::Retry { .. } | RetryPlan::Poll { .. } if is_own_limit => None,
            RetryPlan::Retry { times, after } => (self.count <= times).then_some(after),
            RetryPlan::Poll { every, within } => {
                let left = (self.begun + within).saturating_duration_since(now);
                (!left.is_zero()).then_some(left.min(every))
            }
        };
        if pause.is_some() {
            self.count += 1;
            self.earlier.add(failed);
        }
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::time::clock;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_step_is_tried_again_as_often_as_planned() {
        let (now, failed) = (clock::now(), Exchange::default());
        let mut trying = StepTries::begin(RetryPlan::Retry { times: 2, after: millis(50) }, now);
        assert_eq!(
            [0, 1, 2].map(|_| trying.again(&failed, now)),
            [Some(millis(50)), Some(millis(50)), None]
        );
        assert_eq!((trying.count, trying.end()), (3, None));
        assert_eq!(StepTries::begin(RetryPlan::Once, now).again(&failed, now), None);
    }

    #[test]
    fn polling_ends_with_a_try_at_the_end_of_its_time() {
        let (now, failed) = (clock::now(), Exchange::default());
        let mut trying =
            StepTries::begin(RetryPlan::Poll { every: millis(200), within: millis(1_000) }, now);
        assert_eq!(trying.again(&failed, now + millis(799)), Some(millis(200)));
        assert_eq!(trying.again(&failed, now + millis(950)), Some(millis(50)));
        assert_eq!(trying.again(&failed, now + millis(1_000)), None);
        assert_eq!((trying.count, trying.end()), (3, Some(now + millis(1_200))));
    }
}
