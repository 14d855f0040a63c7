//! Whether latency keeps rising while a step is measured.
//!
//! At a rate just above what a target can serve, its queue grows so slowly that a short step ends
//! before any exchange is too slow. All exchanges seen are then within budget, and yet the rate
//! does not hold. The queue shows in a latency that rises all the time.

use std::time::Duration;

/// The quantile of the standard normal distribution that a trend must exceed: at most 1 in 100
/// steps without a trend seems to have one. Such a step is measured longer.
const SIGNIFICANT: f64 = 2.326;

/// A trend that needs longer than this to break a budget does not matter.
const FARTHEST: Duration = Duration::from_hours(1);

/// A latency that rises while the rate stays the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RisingLatency {
    /// By how many seconds it rises in a second.
    slope: f64,
}

impl RisingLatency {
    /// The trend of the median latencies of consecutive seconds; `None` in a second without any.
    /// `None` if they do not rise, or if they may do so by chance.
    ///
    /// The test is that of Mann (*Nonparametric tests against trend*, 1945) and Kendall; the slope
    /// that of Theil and Sen (P. K. Sen, JASA 1968), the median of all pairwise slopes. Single
    /// stalls change neither much.
    pub fn of(medians: &[Option<Duration>]) -> Option<Self> {
        let points = medians.iter().enumerate();
        let points: Vec<(f64, f64)> = points
            .filter_map(|(second, median)| Some((second as f64, (*median)?.as_secs_f64())))
            .collect();
        let mut slopes: Vec<f64> = Vec::new();
        let mut sum = 0.0;
        for (at, earlier) in points.iter().enumerate() {
            for later in &points[at + 1..] {
                let rise = later.1 - earlier.1;
                sum += if rise == 0.0 { 0.0 } else { rise.signum() };
                slopes.push(rise / (later.0 - earlier.0));
            }
        }
        let n = points.len() as f64;
        let deviation = (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
        // One less: the sum is a whole number, and its distribution is approximated by a continuous
        // one.
        if slopes.is_empty() || (sum - 1.0) / deviation < SIGNIFICANT {
            return None;
        }
        let middle = slopes.len() / 2;
        let (_, slope, _) = slopes.select_nth_unstable_by(middle, f64::total_cmp);
        (*slope > 0.0).then_some(Self { slope: *slope })
    }

    /// How long it takes from `now` to `ceiling` at this pace; `None` if that is more than an hour.
    pub fn time_to(&self, ceiling: Duration, now: Duration) -> Option<Duration> {
        let seconds = ceiling.saturating_sub(now).as_secs_f64() / self.slope;
        Duration::try_from_secs_f64(seconds).ok().filter(|time| *time <= FARTHEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trend(micros: impl IntoIterator<Item = u64>) -> Option<RisingLatency> {
        let medians: Vec<_> =
            micros.into_iter().map(|micros| Some(Duration::from_micros(micros))).collect();
        RisingLatency::of(&medians)
    }

    const CEILING: Duration = Duration::from_millis(300);
    const NOW: Duration = Duration::from_millis(100);

    #[test]
    fn a_queue_that_grows_by_a_millisecond_a_second_is_found_behind_noise() {
        let noise = [0, 700, 100, 900, 300, 500].into_iter().cycle();
        let found = trend((0..30).zip(noise).map(|(s, noise)| 20_000 + 1_000 * s + noise)).unwrap();
        let time = found.time_to(CEILING, NOW).unwrap().as_secs_f64();
        assert!((180.0..220.0).contains(&time), "{time}");
    }

    #[test]
    fn noise_stalls_and_a_target_that_gets_faster_are_not_a_rising_latency() {
        let noise = [500, 100, 900, 300, 700, 200, 800];
        assert_eq!(trend((0..30).map(|s| 20_000 + noise[s % 7])), None);
        assert_eq!(trend((0..30).map(|s| if s % 11 == 5 { 90_000 } else { 20_000 })), None);
        assert_eq!(trend((0..30).map(|s| 90_000 - 1_000 * s)), None);
        assert_eq!(trend([20_000; 30]), None);
    }

    #[test]
    fn a_trend_needs_at_least_six_seconds() {
        assert_eq!(trend((0..5).map(|s| 1_000 * s)), None);
        assert!(trend((0..6).map(|s| 1_000 * s)).is_some());
        assert_eq!(trend([]), None);
        assert_eq!(RisingLatency::of(&[None, Some(NOW), None]), None);
    }

    #[test]
    fn a_trend_that_needs_more_than_an_hour_to_the_ceiling_does_not_matter() {
        let slow = trend((0..30).map(|s| 20_000 + 10 * s)).unwrap();
        assert_eq!(slow.time_to(CEILING, NOW), None);
        let fast = trend((0..30).map(|s| 20_000 + 10_000 * s)).unwrap();
        assert_eq!(fast.time_to(CEILING, CEILING * 2), Some(Duration::ZERO));
    }
}
