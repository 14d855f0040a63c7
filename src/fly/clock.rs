//! The time that calls are paced by, so that tests advance it instead of sleeping.

use std::time::Duration;

use time::OffsetDateTime;

use crate::engine::clock::{self, Instant};

/// How long a pause or a call lasts before it looks whether calls are to stop.
pub(super) const SLICE: Duration = Duration::from_millis(50);

/// Calls are to stop, for instance after Ctrl-C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallsStopped;

/// A monotonic clock, and the only place where calls wait.
pub trait CallClock {
    /// Time since any fixed instant; never falls.
    fn now(&self) -> Duration;
    /// The current date and time.
    fn wall_clock(&self) -> OffsetDateTime;
    /// Whether calls are to stop.
    fn is_stopped(&self) -> bool;
    /// Waits. Fails at once, or during the pause, if calls are to stop.
    fn pause(&mut self, duration: Duration) -> Result<(), CallsStopped>;
    /// A random number of [0, 1), which spreads the repeats of several clients.
    fn draw(&mut self) -> f64;
}

/// The real clock.
pub struct SystemCallClock<S> {
    start: Instant,
    is_stopped: S,
}

impl SystemCallClock<fn() -> bool> {
    /// A clock whose pauses always last to their end.
    pub fn new() -> Self {
        Self::with_stop(|| false)
    }
}

impl Default for SystemCallClock<fn() -> bool> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Fn() -> bool> SystemCallClock<S> {
    /// A clock whose pauses end early once `is_stopped` answers true.
    pub fn with_stop(is_stopped: S) -> Self {
        Self { start: clock::now(), is_stopped }
    }
}

impl<S: Fn() -> bool> CallClock for SystemCallClock<S> {
    fn now(&self) -> Duration {
        clock::now().saturating_duration_since(self.start)
    }

    fn wall_clock(&self) -> OffsetDateTime {
        clock::wall_clock()
    }

    fn is_stopped(&self) -> bool {
        (self.is_stopped)()
    }

    fn pause(&mut self, duration: Duration) -> Result<(), CallsStopped> {
        let end = self.now().saturating_add(duration);
        loop {
            if self.is_stopped() {
                return Err(CallsStopped);
            }
            let left = end.saturating_sub(self.now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(SLICE));
        }
    }

    fn draw(&mut self) -> f64 {
        // A version-4 UUID has 62 random low bits; 53 of them are a double's precision.
        let bits = uuid::Uuid::new_v4().as_u64_pair().1 & ((1 << 53) - 1);
        bits as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_pause_ends_when_calls_are_to_stop() {
        let looks = Cell::new(0);
        let mut clock = SystemCallClock::with_stop(|| looks.replace(looks.get() + 1) >= 1);
        assert_eq!(clock.pause(Duration::from_hours(1)), Err(CallsStopped));
        assert_eq!(clock.pause(Duration::ZERO), Err(CallsStopped));
        assert_eq!(SystemCallClock::new().pause(Duration::ZERO), Ok(()));
    }

    #[test]
    fn draws_are_spread_over_the_unit_interval() {
        let mut clock = SystemCallClock::new();
        let draws: Vec<f64> = (0..200).map(|_| clock.draw()).collect();
        assert!(draws.iter().all(|draw| (0.0..1.0).contains(draw)), "{draws:?}");
        assert!(draws.iter().any(|draw| *draw < 0.5) && draws.iter().any(|draw| *draw >= 0.5));
    }
}
