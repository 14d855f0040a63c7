//! The one place where the engine reads time.

use time::OffsetDateTime;
pub use tokio::time::Instant;

/// The current instant of the monotonic clock; follows tokio's paused time in tests.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> Instant {
    let now = Instant::now();
    #[cfg(test)]
    let now = now + super::stepping_clock::ahead();
    now
}

/// The current date and time in UTC.
pub fn wall_clock() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
