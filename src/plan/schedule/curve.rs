//! A piecewise linear rate over time, with its integral and the inverse of the integral in closed
//! form.
//!
//! Every time is computed from the start of a segment, never from the previous arrival, so that
//! errors do not add up. Over the 24 h of the longest schedule, a double is exact to 15 ps, and
//! each time is rounded to a nanosecond once.

use std::time::Duration;

use super::RampStep;
use crate::units::Rate;

/// A rate over time. Times are seconds, rates are arrivals per second.
#[derive(Debug, Clone)]
pub(super) struct RateCurve {
    segments: Vec<CurveSegment>,
    duration: Duration,
    count: u64,
}

#[derive(Debug, Clone, Copy)]
struct CurveSegment {
    start: f64,
    length: f64,
    from: f64,
    to: f64,
    /// The integral of the rate before this segment.
    before: f64,
}

impl CurveSegment {
    fn slope(self) -> f64 {
        (self.to - self.from) / self.length
    }

    /// Arrivals due within the first `elapsed` seconds of the segment.
    fn integral(self, elapsed: f64) -> f64 {
        self.from * elapsed + self.slope() * elapsed * elapsed / 2.0
    }

    /// Seconds into the segment after which `arrivals` are due: the root of `from·t + slope·t²/2 =
    /// arrivals`, in the form that stays exact if slope or start are zero.
    fn inverse(self, arrivals: f64) -> f64 {
        if arrivals <= 0.0 {
            return 0.0;
        }
        let root = (self.from * self.from + 2.0 * self.slope() * arrivals).max(0.0).sqrt();
        (2.0 * arrivals / (self.from + root)).min(self.length)
    }

    fn area(self) -> f64 {
        self.from.midpoint(self.to) * self.length
    }
}

impl RateCurve {
    pub(super) fn constant(rate: f64, duration: Duration) -> Self {
        Self::through(rate, [(duration, rate)])
    }

    pub(super) fn ramping(start: Option<Rate>, stages: &[RampStep]) -> Self {
        let number = |rate: Option<Rate>| rate.map_or(0.0, Rate::as_per_second);
        Self::through(number(start), stages.iter().map(|stage| (stage.duration, number(stage.to))))
    }

    fn through(mut from: f64, stages: impl IntoIterator<Item = (Duration, f64)>) -> Self {
        let mut segments: Vec<CurveSegment> = Vec::new();
        let (mut end, mut before) = (Duration::ZERO, 0.0);
        for (length, to) in stages {
            if !length.is_zero() {
                let segment = CurveSegment {
                    start: end.as_secs_f64(),
                    length: length.as_secs_f64(),
                    from,
                    to,
                    before,
                };
                before += segment.area();
                end += length;
                segments.push(segment);
            }
            from = to;
        }
        Self { segments, duration: end, count: arrivals_in(before) }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn duration(&self) -> Duration {
        self.duration
    }

    pub(super) fn peak(&self) -> Rate {
        let highest =
            self.segments.iter().map(|segment| segment.from.max(segment.to)).fold(0.0, f64::max);
        Rate::per_second(highest)
            .or_else(|_| Rate::per_second(f64::MIN_POSITIVE))
            .unwrap_or_else(|_| unreachable!("a positive rate"))
    }

    /// When arrival `index` is due; `index` is below [`Self::count`].
    pub(super) fn due(&self, index: u64) -> Duration {
        self.when(index as f64)
    }

    /// When the integral of the rate reaches `arrivals`, before the end of the stage.
    pub(super) fn when(&self, arrivals: f64) -> Duration {
        let at =
            self.segments.partition_point(|segment| segment.before <= arrivals).saturating_sub(1);
        let Some(segment) = self.segments.get(at) else { return Duration::ZERO };
        let seconds = segment.start + segment.inverse(arrivals - segment.before);
        nanoseconds(seconds).min(self.duration.saturating_sub(Duration::from_nanos(1)))
    }

    /// The integral of the rate from 0 to an offset.
    pub(super) fn integral(&self, offset: Duration) -> f64 {
        let seconds = offset.min(self.duration).as_secs_f64();
        let at =
            self.segments.partition_point(|segment| segment.start <= seconds).saturating_sub(1);
        self.segments.get(at).map_or(0.0, |segment| {
            segment.before + segment.integral((seconds - segment.start).min(segment.length))
        })
    }

    /// How many arrivals are due before an offset, by the same rounding as [`Self::due`].
    pub(super) fn count_before(&self, offset: Duration) -> u64 {
        if offset >= self.duration {
            return self.count;
        }
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.due(middle) < offset { low = middle + 1 } else { high = middle }
        }
        low
    }
}

/// How many arrivals an integral holds: one at 0, then one at each whole number below it. An
/// integral that misses a whole number only by rounding counts as that number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most 24 h of 10^6/s"
)]
fn arrivals_in(integral: f64) -> u64 {
    (integral - (integral * 1e-14).max(1e-9)).ceil().max(0.0) as u64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 24 h")]
fn nanoseconds(seconds: f64) -> Duration {
    Duration::from_nanos((seconds * 1e9).round() as u64)
}
