//! How often a step is tried, and when it is given up.

use std::time::Duration;

use super::clock::Instant;
use crate::plan::Tries;
use crate::record::Dimension;
use crate::recorder::{Exchange, Part, Parts};

/// The tries of one step of one arrival.
#[derive(Debug)]
pub(super) struct Trying {
    planned: Tries,
    begun: Instant,
    /// How many there were.
    pub(super) count: u32,
    /// What those before the last one add to all of them together.
    pub(super) earlier: Earlier,
}

/// What tries add that were not the last one.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    /// Set-up of the connections that were opened, and its phases.
    pub(super) opened: Parts,
    /// Whether one was opened.
    pub(super) fresh: bool,
    /// Body bytes received.
    pub(super) body_bytes: u64,
}

impl Earlier {
    fn add(&mut self, exchange: &Exchange) {
        use Dimension::{Setup, TlsFull, TlsResumed};
        self.body_bytes += exchange.body_bytes;
        if exchange.parts.get(Setup) == Part::Died {
            return;
        }
        for dimension in Dimension::SETUP.into_iter().chain([Setup, TlsFull, TlsResumed]) {
            if let Part::Took(took) = exchange.parts.get(dimension) {
                self.opened.add(dimension, took);
                self.fresh = true;
            }
        }
    }
}

impl Trying {
    /// Begins with the first try.
    pub(super) fn begin(planned: Tries, now: Instant) -> Self {
        Self { planned, begun: now, count: 1, earlier: Earlier::default() }
    }

    /// Whether each try is recorded beside all of them together.
    pub(super) fn are_several(&self) -> bool {
        self.planned != Tries::One
    }

    /// When a try must be over: the one that is under way when the time is over has as long as a pause takes.
    pub(super) fn end(&self) -> Option<Instant> {
        match self.planned {
            Tries::Poll { every, within } => Some(self.begun + within + every),
            Tries::One | Tries::Retry { .. } => None,
        }
    }

    /// The pause before another try after one that failed by `now`; `None` where there is no other. The last one of those
    /// that poll is made when the time is over, so that nothing that comes within it is missed.
    pub(super) fn again(&mut self, failed: &Exchange, now: Instant) -> Option<Duration> {
        let pause = match self.planned {
            Tries::One => None,
            Tries::Retry { times, after } => (self.count <= times).then_some(after),
            Tries::Poll { every, within } => {
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
    use super::super::clock;
    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_step_is_tried_again_as_often_as_is_said() {
        let (now, failed) = (clock::now(), Exchange::default());
        let mut trying = Trying::begin(Tries::Retry { times: 2, after: millis(50) }, now);
        assert_eq!(
            [0, 1, 2].map(|_| trying.again(&failed, now)),
            [Some(millis(50)), Some(millis(50)), None]
        );
        assert_eq!((trying.count, trying.end()), (3, None));
        assert_eq!(Trying::begin(Tries::One, now).again(&failed, now), None);
    }

    #[test]
    fn polling_ends_with_a_try_at_the_end_of_its_time() {
        let (now, failed) = (clock::now(), Exchange::default());
        let mut trying =
            Trying::begin(Tries::Poll { every: millis(200), within: millis(1_000) }, now);
        assert_eq!(trying.again(&failed, now + millis(799)), Some(millis(200)));
        assert_eq!(trying.again(&failed, now + millis(950)), Some(millis(50)));
        assert_eq!(trying.again(&failed, now + millis(1_000)), None);
        assert_eq!((trying.count, trying.end()), (3, Some(now + millis(1_200))));
    }
}
