//! When this thread's runtime last polled the kernel for events, as far as the timers that release
//! arrivals show it.

use std::cell::Cell;

use super::clock::Instant;

thread_local! {
    static LAST: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Notes that this thread's runtime polled the kernel at `at` or later.
pub(in crate::engine) fn note_poll(at: Instant) {
    LAST.set(LAST.get().max(Some(at)));
}

/// The latest known time at which this thread's runtime polled the kernel; `None` if it is not
/// known, as everywhere but on Linux.
pub(in crate::engine) fn last_poll() -> Option<Instant> {
    LAST.get()
}

/// Forgets what is known.
#[cfg(test)]
pub(in crate::engine) fn forget() {
    LAST.set(None);
}
