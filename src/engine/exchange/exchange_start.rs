//! When an exchange was due and released.

use std::time::Duration;

use crate::engine::time::clock::Instant;

/// When an exchange was due and released.
#[derive(Clone, Copy)]
pub(in crate::engine) struct ExchangeStart {
    pub(in crate::engine) due: Instant,
    pub(in crate::engine) dispatched: Instant,
    /// Total time the prober had stood still by then.
    pub(in crate::engine) stood_still: Duration,
    /// Time spent since then on building the arrival's own request, from captured values, cookies
    /// or a row of the data file. It is the prober's own time.
    pub(in crate::engine) built: Duration,
}
