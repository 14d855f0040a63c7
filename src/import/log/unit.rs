//! The unit of a log's values.

use std::time::Duration;

use super::super::ImportError;
use super::lines;
use crate::hlog::{HdrLogFields, HdrLogLine};

/// The unit of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogUnit {
    /// Nanoseconds.
    Nanos,
    /// Microseconds.
    Micros,
    /// Milliseconds.
    Millis,
}

/// Where the unit of a log is stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnitSource {
    /// The command line.
    Flag,
    /// The log's head.
    Head,
    /// The log's column `Interval_Max`.
    Max,
}

/// First words of a log that this program wrote.
const OURS: &str = "#[tollgate: values in microseconds";

impl LogUnit {
    /// The duration of `count` units.
    pub(super) fn times(self, count: u64) -> Duration {
        let nanos = u64::try_from(u128::from(count) * self.nanos());
        Duration::from_nanos(nanos.unwrap_or(u64::MAX))
    }

    fn nanos(self) -> u128 {
        match self {
            Self::Nanos => 1,
            Self::Micros => 1_000,
            Self::Millis => 1_000_000,
        }
    }

    /// Its name in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nanos => "nanoseconds",
            Self::Micros => "microseconds",
            Self::Millis => "milliseconds",
        }
    }
}

/// The unit of a log's values, and where it is stated.
///
/// A log has no field for the unit. By custom the column `Interval_Max` is in milliseconds, because
/// HdrHistogram's writer divides nanoseconds by a million. So the ratio to the greatest value gives
/// the unit. If the column equals the greatest value, it gives no unit.
pub(super) fn of(
    bytes: &[u8],
    given: Option<LogUnit>,
) -> Result<(LogUnit, UnitSource), ImportError> {
    if let Some(unit) = given {
        return Ok((unit, UnitSource::Flag));
    }
    let mut greatest: Option<(f64, HdrLogFields<'_>)> = None;
    for line in lines::of(bytes) {
        match line.line {
            Some(HdrLogLine::Text(text)) if text.starts_with(OURS) => {
                return Ok((LogUnit::Micros, UnitSource::Head));
            }
            Some(HdrLogLine::Interval(fields)) => {
                let max = fields.max.parse().ok().filter(|max: &f64| max.is_finite());
                greatest = match (greatest, max) {
                    (Some((known, _)), Some(max)) if max > known => Some((max, fields)),
                    (None, Some(max)) => Some((max, fields)),
                    (known, _) => known,
                };
            }
            _ => {}
        }
    }
    let unit = greatest.and_then(|(max, fields)| by_max(max, fields));
    unit.map(|unit| (unit, UnitSource::Max)).ok_or_else(|| {
        ImportError::of_file(
            "does not tell what its values count; add --unit ns, --unit us or --unit ms",
        )
    })
}

fn by_max(millis: f64, fields: HdrLogFields<'_>) -> Option<LogUnit> {
    let ratio = fields.counts().ok()?.max() as f64 / millis;
    match ratio {
        5e2..=2e3 => Some(LogUnit::Micros),
        5e5..=2e6 => Some(LogUnit::Nanos),
        _ => None,
    }
}
