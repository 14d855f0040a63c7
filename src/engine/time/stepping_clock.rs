//! A clock that advances with each reading, so that under paused time no two readings are equal.
//!
//! A duration that misses the time between two readings then shows up as a difference.

use std::cell::Cell;
use std::time::Duration;

thread_local! {
    static STEP: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static AHEAD: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Runs `work` while each reading on this thread advances the clock by `step`.
pub(in crate::engine) fn advancing_by<T>(step: Duration, work: impl FnOnce() -> T) -> T {
    STEP.set(step);
    let done = work();
    STEP.set(Duration::ZERO);
    done
}

/// How far the clock is ahead of tokio's at this reading; advances it.
pub(super) fn ahead() -> Duration {
    AHEAD.set(AHEAD.get() + STEP.get());
    AHEAD.get()
}
