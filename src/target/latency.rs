//! Latency distributions: parsed from a flag, drawn with a seeded generator.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rand::Rng;
use rand_distr::StandardNormal;

use crate::units::{Ratio, UnitError, duration_literal, parse_duration};

/// The longest wait that a flag or a draw can have.
pub(super) const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// Log-normal spread of either hump of a bimodal latency: about ±10 %.
const HUMP_SIGMA: f64 = 0.1;

/// The widest log-normal: at sigma 5 the 99th percentile is already 100,000 times the median.
const WIDEST_SIGMA: f64 = 5.0;

const REMEDY: &str = "write `constant:20ms`, `normal:40ms,8ms` (mean, deviation), `lognormal:40ms,0.35` (median, sigma) \
                      or `bimodal:40ms,400ms,5%` (fast, slow, share of slow)";

/// A distribution of durations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LatencyDistribution {
    /// Always the same.
    Constant(Duration),
    /// The normal distribution, cut at zero.
    Normal {
        /// Mean before the cut.
        mean: Duration,
        /// Standard deviation before the cut.
        deviation: Duration,
    },
    /// The log-normal distribution: `median · exp(sigma · z)` with z standard normal.
    LogNormal {
        /// The value that half the draws are below.
        median: Duration,
        /// Standard deviation of the logarithm, without unit.
        sigma: f64,
    },
    /// Two humps, each log-normal with sigma 0.1: a cache hit and a miss.
    Bimodal {
        /// Median of the fast hump.
        fast: Duration,
        /// Median of the slow hump.
        slow: Duration,
        /// Share of draws from the slow hump.
        slow_share: Ratio,
    },
}

impl LatencyDistribution {
    /// Draws one latency, at most a day.
    pub fn draw(&self, rng: &mut impl Rng) -> Duration {
        match *self {
            Self::Constant(latency) => latency,
            Self::Normal { mean, deviation } => {
                let z: f64 = rng.sample(StandardNormal);
                from_seconds(mean.as_secs_f64() + z * deviation.as_secs_f64())
            }
            Self::LogNormal { median, sigma } => log_normal(median, sigma, rng),
            Self::Bimodal { fast, slow, slow_share } => {
                let median = if draw_event(slow_share, rng) { slow } else { fast };
                log_normal(median, HUMP_SIGMA, rng)
            }
        }
    }
}

/// Draws true with probability `share`.
pub(super) fn draw_event(share: Ratio, rng: &mut impl Rng) -> bool {
    rng.random::<f64>() < share.as_f64()
}

/// `wait` times `factor`, at most a day.
pub(super) fn scaled(wait: Duration, factor: f64) -> Duration {
    from_seconds(wait.as_secs_f64() * factor)
}

fn log_normal(median: Duration, sigma: f64, rng: &mut impl Rng) -> Duration {
    let z: f64 = rng.sample(StandardNormal);
    scaled(median, (sigma * z).exp())
}

fn from_seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT)
}

/// Reads a duration of at most a day.
pub(super) fn parse_wait(text: &str) -> Result<Duration, UnitError> {
    let wait = parse_duration(text)?;
    if wait <= LONGEST_WAIT {
        Ok(wait)
    } else {
        Err(UnitError::new(
            format!("`{}` is longer than a day", text.trim()),
            "write at most `24h`",
        ))
    }
}

impl FromStr for LatencyDistribution {
    type Err = UnitError;

    /// Reads `constant:20ms`, `normal:40ms,8ms`, `lognormal:40ms,0.35` or `bimodal:40ms,400ms,5%`.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError::new(format!("`{text}` is not a latency"), REMEDY);
        let (name, rest) = text.trim().split_once(':').ok_or_else(wrong)?;
        let parameters: Vec<&str> = rest.split(',').map(str::trim).collect();
        match (name, parameters.as_slice()) {
            ("constant", [latency]) => Ok(Self::Constant(parse_wait(latency)?)),
            ("normal", [mean, deviation]) => {
                Ok(Self::Normal { mean: parse_wait(mean)?, deviation: parse_wait(deviation)? })
            }
            ("lognormal", [median, sigma]) => {
                Ok(Self::LogNormal { median: parse_wait(median)?, sigma: parse_sigma(sigma)? })
            }
            ("bimodal", [fast, slow, share]) => Ok(Self::Bimodal {
                fast: parse_wait(fast)?,
                slow: parse_wait(slow)?,
                slow_share: share.parse()?,
            }),
            _ => Err(wrong()),
        }
    }
}

fn parse_sigma(text: &str) -> Result<f64, UnitError> {
    text.parse().ok().filter(|sigma| (0.0..=WIDEST_SIGMA).contains(sigma)).ok_or_else(|| {
        UnitError::new(
            format!("`{text}` is not a sigma"),
            "write a number from 0 to 5 without a unit: `0.35`",
        )
    })
}

impl fmt::Display for LatencyDistribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Constant(latency) => write!(f, "constant:{}", duration_literal(latency)),
            Self::Normal { mean, deviation } => {
                write!(f, "normal:{},{}", duration_literal(mean), duration_literal(deviation))
            }
            Self::LogNormal { median, sigma } => {
                write!(f, "lognormal:{},{sigma}", duration_literal(median))
            }
            Self::Bimodal { fast, slow, slow_share } => {
                write!(
                    f,
                    "bimodal:{},{},{slow_share}",
                    duration_literal(fast),
                    duration_literal(slow)
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// 10,001 draws in seconds, sorted.
    fn draws(text: &str, seed: u64) -> Vec<f64> {
        let latency: LatencyDistribution = text.parse().unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut draws: Vec<f64> =
            (0..10_001).map(|_| latency.draw(&mut rng).as_secs_f64()).collect();
        draws.sort_by(f64::total_cmp);
        draws
    }

    #[test]
    fn a_seed_gives_the_same_latencies_again() {
        for text in
            ["constant:20ms", "normal:40ms,8ms", "lognormal:40ms,0.35", "bimodal:40ms,400ms,5%"]
        {
            assert_eq!(draws(text, 7), draws(text, 7), "{text}");
        }
        assert_ne!(draws("normal:40ms,8ms", 7), draws("normal:40ms,8ms", 8));
    }

    #[test]
    fn medians_are_where_the_flag_puts_them() {
        for (text, median) in [
            ("constant:20ms", 0.02..=0.02),
            ("normal:40ms,8ms", 0.0395..=0.0405),
            ("lognormal:40ms,0.35", 0.039..=0.041),
            ("bimodal:40ms,400ms,5%", 0.0395..=0.0415),
        ] {
            assert!(median.contains(&draws(text, 1)[5_000]), "{text}: {}", draws(text, 1)[5_000]);
        }
    }

    #[test]
    fn spreads_are_as_wide_as_the_flag_says() {
        let normal = draws("normal:40ms,8ms", 1);
        assert!(
            (0.0465..=0.0495).contains(&normal[8_413]),
            "one deviation above: {}",
            normal[8_413]
        );
        let log_normal = draws("lognormal:40ms,0.35", 1);
        assert!(
            (0.0545..=0.0590).contains(&log_normal[8_413]),
            "one sigma above: {}",
            log_normal[8_413]
        );
        let slow =
            draws("bimodal:40ms,400ms,5%", 1).iter().filter(|&&seconds| seconds > 0.2).count();
        assert!((400..=600).contains(&slow), "{slow} of 10001 slow");
    }

    #[test]
    fn a_normal_latency_is_cut_at_zero_and_a_wide_one_at_a_day() {
        assert!(draws("normal:0ms,8ms", 1)[0].abs() < f64::EPSILON);
        assert!(draws("lognormal:24h,5", 1)[10_000] <= LONGEST_WAIT.as_secs_f64());
    }

    #[test]
    fn a_latency_is_written_as_it_is_read() {
        for text in
            ["constant:20ms", "normal:40ms,8ms", "lognormal:40ms,0.35", "bimodal:40ms,1s 500ms,5%"]
        {
            assert_eq!(text.parse::<LatencyDistribution>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_wrong_latency_is_refused_with_the_remedy() {
        for (text, remedy) in [
            ("20ms", "write `constant:20ms`"),
            ("gamma:1ms,2ms", "write `constant:20ms`"),
            ("constant:20ms,30ms", "write `constant:20ms`"),
            ("constant:20", "write a number and its unit"),
            ("constant:25h", "write at most `24h`"),
            ("lognormal:40ms,0.35ms", "without a unit"),
            ("lognormal:40ms,NaN", "from 0 to 5"),
            ("bimodal:40ms,400ms,105%", "write `0.5%`"),
        ] {
            let error = text.parse::<LatencyDistribution>().unwrap_err().to_string();
            assert!(error.contains(remedy), "{text}: {error}");
        }
    }
}
