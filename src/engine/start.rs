//! When a run starts, and when its measured phase does where several probers agreed on that.

use std::time::Duration;

use time::OffsetDateTime;

use super::EngineError;
use super::clock::{self, Instant};
use crate::plan::Plan;

/// When a run starts, and when its measured phase does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    /// Where everything is counted from.
    pub(super) run: Instant,
    /// When the measured phase must start; `None` as soon as all is warmed up.
    pub(super) measured: Option<Appointment>,
}

/// A start of the measured phase that several probers keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Appointment {
    /// Counted from the start of the run: a whole number of milliseconds.
    pub(super) from: Duration,
    /// On the calendar.
    pub(super) at: OffsetDateTime,
}

impl Start {
    /// A run that starts now. The calendar is read this once; a clock that is set later moves nothing.
    pub(super) fn now(plan: &Plan) -> Result<Self, EngineError> {
        let now = clock::now();
        match plan.part {
            None => Ok(Self { run: now, measured: None }),
            Some(part) => Self::before(part.start, clock::wall_clock(), now)
                .ok_or(EngineError::TooLate { start: part.start }),
        }
    }

    /// A run that starts `now`, which the calendar calls `today`, and measures from `at` on; `None` where that is over.
    ///
    /// Interval logs count in milliseconds. So that the measured phase starts at `at` and not at the next of them, the
    /// run is taken to have started up to one earlier.
    fn before(at: OffsetDateTime, today: OffsetDateTime, now: Instant) -> Option<Self> {
        let ahead = Duration::try_from(at - today).ok()?;
        let from = Duration::from_millis(u64::try_from(ahead.as_nanos().div_ceil(1_000_000)).ok()?);
        Some(Self {
            run: now.checked_sub(from.saturating_sub(ahead))?,
            measured: Some(Appointment { from, at }),
        })
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_measured_phase_starts_on_the_dot_and_a_whole_number_of_milliseconds_into_the_run() {
        let now = clock::now() + Duration::from_secs(1);
        let start = datetime!(2026-11-24 15:00 UTC);
        for (today, ahead, measured) in [
            (datetime!(2026-11-24 14:59:58 UTC), Duration::from_secs(2), 2_000),
            (datetime!(2026-11-24 14:59:59.9993005 UTC), Duration::from_nanos(699_500), 1),
            (
                datetime!(2026-11-24 14:59:57.4999999 UTC),
                Duration::from_nanos(2_500_000_100),
                2_501,
            ),
            (start, Duration::ZERO, 0),
        ] {
            let started = Start::before(start, today, now).unwrap();
            let from = Duration::from_millis(measured);
            assert_eq!(started.measured, Some(Appointment { from, at: start }));
            assert_eq!(started.run + from, now + ahead);
        }
        assert_eq!(Start::before(start, start + Duration::from_nanos(1), now), None);
    }
}
