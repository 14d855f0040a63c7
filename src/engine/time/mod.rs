//! Time: the clock, precise timers, and how late this thread runs.

pub mod clock;
pub(super) mod hiccups;
pub(super) mod io_poll;
pub(super) mod slack;
pub(super) mod spin;
pub(super) mod start;
#[cfg(test)]
pub(super) mod stepping_clock;
pub(super) mod tick;
pub(super) mod timer;
