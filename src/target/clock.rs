//! The server's clock: all moments are offsets from the start.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::timer::WaitTimer;

/// Counts from the moment the server was bound.
#[derive(Debug)]
pub(super) struct ServerClock {
    start: Instant,
    unix_start: Duration,
    timer: WaitTimer,
}

impl ServerClock {
    /// A clock that starts now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the target is a process of its own: this is its clock"
    )]
    pub(super) fn start() -> Self {
        let unix_start =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), unix_start, timer: WaitTimer::default() }
    }

    /// Wall time of the start, as an offset from the Unix epoch.
    pub(super) fn unix_start(&self) -> Duration {
        self.unix_start
    }

    /// Time since the start; monotonic.
    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Waits until `moment` after the start, never less. It ends some tens of microseconds later if
    /// the kernel's timers are used and [`Self::drive_timer`] is polled, otherwise up to about 2 ms
    /// later.
    pub(super) async fn sleep_until(&self, moment: Duration) {
        self.timer.sleep_until(self.start + moment).await;
    }

    /// Ends waits when they are due; never completes.
    pub(super) async fn drive_timer(&self) {
        self.timer.drive().await;
    }
}
