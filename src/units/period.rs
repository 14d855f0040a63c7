//! Periods of a time that passes.

use std::time::Duration;

/// How long a period has lasted at `moment`; the first begins at zero. The period is not zero.
pub fn into_period(moment: Duration, period: Duration) -> Duration {
    Duration::from_nanos_u128(moment.as_nanos() % period.as_nanos())
}
