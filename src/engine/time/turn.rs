//! When this thread's runtime last asked the kernel for events.

use std::cell::Cell;

use super::clock::Instant;

thread_local! {
    static LAST: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Notes that this thread's runtime has asked the kernel at `at` or later.
#[cfg(any(target_os = "linux", test))]
pub(in crate::engine) fn note(at: Instant) {
    LAST.set(LAST.get().max(Some(at)));
}

/// When this thread's runtime last asked the kernel, at the latest that its timers show.
pub(in crate::engine) fn last() -> Option<Instant> {
    LAST.get()
}
