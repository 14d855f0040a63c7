//! When a run starts, and when its measured stage does if several probers share the run.

use std::time::Duration;

use time::OffsetDateTime;

use super::clock::{self, Instant};
use crate::engine::error::EngineError;
use crate::plan::Plan;

/// When a run starts, and when its measured stage does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct RunStart {
    /// The origin of all times of the run.
    pub(in crate::engine) run: Instant,
    /// When the measured stage must start; `None` means as soon as all lanes are warmed up.
    pub(in crate::engine) measured: Option<AppointedStart>,
}

/// A start of the measured stage that several probers agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct AppointedStart {
    /// Time from the start of the run, in whole milliseconds.
    pub(in crate::engine) from: Duration,
    /// Its date and time.
    pub(in crate::engine) at: OffsetDateTime,
}

impl RunStart {
    /// A run that starts now.
    ///
    /// Reads the wall clock only once, so that setting the clock later has no effect.
    pub(in crate::engine) fn now(plan: &Plan) -> Result<Self, EngineError> {
        let now = clock::now();
        match plan.shard_plan {
            None => Ok(Self { run: now, measured: None }),
            Some(part) => Self::before(part.start, part.common_clock(clock::wall_clock()), now)
                .ok_or(EngineError::TooLate { start: part.start }),
        }
    }

    /// A run that starts `now`, at wall-clock time `today`, and measures from `at` on; `None` if
    /// `at` has passed.
    ///
    /// Interval logs count in milliseconds. The run counts as started up to one millisecond
    /// earlier, so that the measured stage starts exactly at `at`.
    fn before(at: OffsetDateTime, today: OffsetDateTime, now: Instant) -> Option<Self> {
        let ahead = Duration::try_from(at - today).ok()?;
        let from = Duration::from_millis(u64::try_from(ahead.as_nanos().div_ceil(1_000_000)).ok()?);
        Some(Self {
            run: now.checked_sub(from.saturating_sub(ahead))?,
            measured: Some(AppointedStart { from, at }),
        })
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::plan::{Shard, ShardPlan};
    use crate::record::ShardClock;

    #[test]
    fn a_prober_whose_clock_is_off_starts_when_the_common_clock_says() {
        for seconds in [-90, 0, 90] {
            // This clock is `seconds` behind the common one.
            let clock = Some(ShardClock { offset_us: seconds * 1_000_000, error_us: 100 });
            let common = clock::wall_clock() + time::Duration::seconds(seconds);
            let start = common + Duration::from_secs(1_000);
            let plan = Plan {
                shard_plan: Some(ShardPlan { shard: Shard { index: 0, of: 2 }, start, clock }),
                ..Plan::default()
            };
            let begun = RunStart::now(&plan).unwrap();
            let appointed = begun.measured.unwrap();
            assert_eq!(appointed.at, start);
            let ahead = appointed.from.as_secs_f64();
            assert!((900.0..=1_001.0).contains(&ahead), "{seconds}: {ahead}");
        }
    }

    #[test]
    fn the_measured_stage_starts_exactly_on_time_and_whole_milliseconds_into_the_run() {
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
            let started = RunStart::before(start, today, now).unwrap();
            let from = Duration::from_millis(measured);
            assert_eq!(started.measured, Some(AppointedStart { from, at: start }));
            assert_eq!(started.run + from, now + ahead);
        }
        assert_eq!(RunStart::before(start, start + Duration::from_nanos(1), now), None);
    }
}
