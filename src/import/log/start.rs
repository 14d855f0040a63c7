//! When a log and its intervals started.

use std::time::Duration;

use time::OffsetDateTime;

use super::super::ImportError;
use super::lines;
use crate::hlog::HdrLogLine;

/// How many seconds after the log's start an interval may start.
const LONGEST: f64 = 366.0 * 86_400.0;
/// How many seconds before the log's start an interval may start, because the clock is read at
/// different moments.
const EARLY: f64 = 1.0;
/// A start more than this many seconds before the log's start is not a calendar time: it counts
/// from the log's start, as in HdrHistogram's reader
/// (<https://github.com/HdrHistogram/HdrHistogram/blob/master/src/main/java/org/HdrHistogram/HistogramLogReader.java>).
const YEAR: f64 = 365.0 * 86_400.0;
/// The end of the year 9999, in seconds since 1970.
const LAST: f64 = 253_402_300_799.0;

/// The time from which the starts of intervals count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LogClock {
    /// When the log started, in seconds since 1970.
    started: f64,
    /// Whether the log states its start.
    pub(super) has_start: bool,
    start: Option<f64>,
    base: Option<f64>,
}

impl LogClock {
    /// Reads when a log started: at the time that its head states, or with its first interval.
    pub(super) fn of(bytes: &[u8]) -> Result<Self, ImportError> {
        let mut clock = Self { started: 0.0, has_start: false, start: None, base: None };
        for line in lines::of(bytes) {
            let Some(log_line) = line.line else { continue };
            clock.read_head(log_line);
            let HdrLogLine::Interval(fields) = log_line else { continue };
            let first = fields.start.parse().ok().map(|start| clock.absolute(start));
            let started = first.map(|first| clock.start.map_or(first, |start| start.min(first)));
            let started = started.filter(|started| (0.0..=LAST).contains(started));
            let started = started.ok_or_else(|| {
                ImportError::at(line.number, "the log starts at no time of a calendar")
            })?;
            return Ok(Self { started, has_start: started >= YEAR, start: None, base: None });
        }
        Err(ImportError::of_file(
            "contains no interval: it is not an HdrHistogram log, or nothing was written to it",
        ))
    }

    /// When the log started.
    pub(super) fn started(self) -> OffsetDateTime {
        let millis =
            Duration::try_from_secs_f64(self.started).unwrap_or_default().as_secs_f64() * 1e3;
        #[expect(clippy::cast_possible_truncation, reason = "it is before the year 10000")]
        let nanos = millis.round() as i128 * 1_000_000;
        OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// Reads a head of a log. A log that was joined from several has several heads.
    pub(super) fn read_head(&mut self, line: HdrLogLine<'_>) {
        match line {
            HdrLogLine::StartTime(seconds) => (self.start, self.base) = (Some(seconds), None),
            HdrLogLine::BaseTime(seconds) => self.base = Some(seconds),
            HdrLogLine::Text(_) | HdrLogLine::Interval(_) => {}
        }
    }

    /// When an interval starts, counted from the log's start, in whole milliseconds as in logs.
    pub(super) fn offset(&self, start: &str) -> Result<Duration, String> {
        let seconds: f64 =
            start.parse().map_err(|_| format!("`{}` is not a start", shortened(start)))?;
        let offset = self.absolute(seconds) - self.started;
        if !(-EARLY..=LONGEST).contains(&offset) {
            return Err(format!(
                "it starts at {seconds} s, which is before the log does or more than a year later"
            ));
        }
        Ok(Duration::from_secs_f64((offset.max(0.0) * 1e3).round() / 1e3))
    }

    fn absolute(&self, seconds: f64) -> f64 {
        match (self.base, self.start) {
            (Some(base), _) => base + seconds,
            (None, Some(start)) if seconds < start - YEAR => start + seconds,
            _ => seconds,
        }
    }
}

/// The length of an interval.
pub(super) fn length(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=LONGEST).contains(seconds));
    seconds
        .map(Duration::from_secs_f64)
        .ok_or_else(|| format!("`{}` is not a length in seconds", shortened(text)))
}

fn shortened(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(40).collect()
}
