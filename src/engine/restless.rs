//! A clock that moves with each reading, so that under paused time nothing happens at the same instant.
//!
//! What is counted from one reading to another, and on from a third, then shows what it leaves out.

use std::cell::Cell;
use std::time::Duration;

thread_local! {
    static STEP: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static AHEAD: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Does some work by a clock that moves on by `step` with each reading on this thread.
pub(super) fn by<T>(step: Duration, work: impl FnOnce() -> T) -> T {
    STEP.set(step);
    let done = work();
    STEP.set(Duration::ZERO);
    done
}

/// How far the clock is ahead of tokio's at this reading.
pub(super) fn ahead() -> Duration {
    AHEAD.set(AHEAD.get() + STEP.get());
    AHEAD.get()
}
