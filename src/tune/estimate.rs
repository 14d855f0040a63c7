//! Estimates over restarts, with intervals, and what a session could have seen.
//!
//! A restart is one draw of a cold start: the requests of one curve share their machine, their boot
//! and their minute, so only restarts count as independent. A mean over restarts has Student's t
//! interval. It stays on the linear scale: each restart's figure is a quantile or a mean of many
//! requests, or a boot, which are nearly normal over restarts, and a difference is wanted in
//! milliseconds and not as a factor.
//!
//! Two configurations are compared by their differences within rounds. Whatever changes from round
//! to round, such as the load of the host over the day, is in both values and cancels out.
//!
//! If several configurations are compared with the first one, each interval is wide enough that
//! all of them together cover the truth at the stated rate (Bonferroni). Dunnett's test would be a
//! little narrower, but needs the same spread in every configuration, and a throttled configuration
//! has another.

use std::collections::BTreeMap;

use crate::record::session::{Difference, Estimate, FigureKind};
use crate::units::Ratio;
use crate::verdict::upper_t_quantile;

/// The share of intervals that may miss the truth, both sides together.
const ERROR: f64 = 0.1;

/// The probability with which a difference of the detectable size is missed.
const MISS: f64 = 0.2;

/// No difference needs more rounds than this to be reported as a number.
const MOST_ROUNDS: u32 = 1_000;

/// The confidence of every interval.
pub fn confidence() -> Ratio {
    Ratio::of(9, 10)
}

/// A figure of one restart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RestartValue {
    /// The round in which the restart was made.
    pub round: u32,
    /// The value: seconds, or a number, as the figure says.
    pub value: f64,
}

/// The mean over restarts, with its interval from two restarts on; `None` without any.
///
/// An interval of a figure that cannot be negative never reaches below zero.
pub fn estimate_mean(kind: FigureKind, values: &[RestartValue]) -> Option<Estimate> {
    let mut sample = Sample::of(values.iter().map(|restart| restart.value), resolution(kind))?;
    sample.bias = search_step(kind) * sample.mean.abs();
    let mut estimate = sample.estimate(ERROR);
    let least = if kind.is_signed() { f64::NEG_INFINITY } else { 0.0 };
    estimate.interval = estimate.interval.map(|(low, high)| (low.max(least), high));
    Some(estimate)
}

/// The difference of a configuration from the first one, from the rounds in which both have the
/// figure; `None` with fewer than two such rounds.
///
/// `comparisons` is the number of configurations that are compared with the first one.
pub fn estimate_difference(
    kind: FigureKind,
    values: &[RestartValue],
    first: &[RestartValue],
    comparisons: usize,
) -> Option<Difference> {
    let of_first: BTreeMap<_, _> = first.iter().map(|one| (one.round, one.value)).collect();
    let pairs = values.iter().filter_map(|one| Some((one.value, *of_first.get(&one.round)?)));
    let pairs: Vec<(f64, f64)> = pairs.collect();
    let differences = pairs.iter().map(|(value, first)| value - first);
    // Each of the two values is rounded.
    let mut sample = Sample::of(differences, resolution(kind) * std::f64::consts::SQRT_2)?;
    let sizes: f64 = pairs.iter().map(|(value, first)| value.abs() + first.abs()).sum();
    sample.bias = search_step(kind) * sizes / pairs.len() as f64;
    let error = ERROR / comparisons.max(1) as f64;
    let estimate = sample.estimate(error);
    let (low, high) = estimate.interval?;
    Some(Difference {
        estimate,
        is_clear: low > 0.0 || high < 0.0,
        detectable: sample.detectable(sample.count, error),
        rounds_to_halve: sample.rounds_to_halve(error),
    })
}

/// The step in which a figure is counted. Restarts with equal counts do not prove that there is no
/// spread at all.
fn resolution(kind: FigureKind) -> f64 {
    if kind.is_time() { 1e-6 } else { 1.0 }
}

/// How far off a figure may be in every restart alike, as a share of its value. No number of
/// restarts averages it out.
///
/// The steady point of a slope is searched in lengths 8 % apart (`tune::steady`), so even the
/// nearest length can be half a step, 4 %, off. Noise can lead most restarts to the same neighbour
/// of it. A further 2 %, a quarter of a step, allows for the mean of such restarts.
fn search_step(kind: FigureKind) -> f64 {
    match kind {
        FigureKind::RequestsToSteady | FigureKind::TimeToSteady => 0.06,
        _ => 0.0,
    }
}

/// The mean and the spread of independent values.
#[derive(Debug, Clone, Copy)]
struct Sample {
    count: u32,
    mean: f64,
    /// The standard deviation of one value; zero for a single one.
    deviation: f64,
    /// How far off all values may be alike.
    bias: f64,
}

impl Sample {
    fn of(values: impl Iterator<Item = f64>, resolution: f64) -> Option<Self> {
        let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        let count = u32::try_from(values.len()).ok().filter(|count| *count > 0)?;
        let mean = values.iter().sum::<f64>() / f64::from(count);
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let variance = squares / f64::from(count.max(2) - 1) + resolution.powi(2) / 12.0;
        Some(Self { count, mean, deviation: variance.sqrt(), bias: 0.0 })
    }

    /// The mean with an interval that misses the truth with probability `error`.
    fn estimate(self, error: f64) -> Estimate {
        let half = self.deviation * half_width(self.count, error / 2.0) + self.bias;
        let interval = (self.count > 1).then_some((self.mean - half, self.mean + half));
        Estimate { value: self.mean, interval, confidence: confidence(), restarts: self.count }
    }

    /// The smallest difference that `rounds` would show with probability 1 − [`MISS`]: the interval
    /// then excludes zero. The sum of both t quantiles approximates the noncentral distribution (J.
    /// M. Lachin, "Introduction to sample size determination and power analysis for clinical
    /// trials", Controlled Clinical Trials 2, 1981).
    fn detectable(self, rounds: u32, error: f64) -> f64 {
        self.deviation * (half_width(rounds, error / 2.0) + half_width(rounds, MISS)) + self.bias
    }

    /// How many more rounds would halve the detectable difference, if the spread stays the same. If
    /// no number would, enough to make [`MOST_ROUNDS`].
    fn rounds_to_halve(self, error: f64) -> u32 {
        let goal = self.detectable(self.count, error) / 2.0;
        let (mut too_few, mut enough) = (self.count, MOST_ROUNDS);
        while enough - too_few > 1 {
            let rounds = u32::midpoint(too_few, enough);
            if self.detectable(rounds, error) <= goal {
                enough = rounds;
            } else {
                too_few = rounds;
            }
        }
        enough - self.count
    }
}

/// Half the width of an interval whose upper side misses with probability `tail`, in standard
/// deviations of one value.
fn half_width(count: u32, tail: f64) -> f64 {
    let degrees = count.max(2) as usize - 1;
    upper_t_quantile(degrees, tail) / f64::from(count).sqrt()
}

#[cfg(test)]
mod tests {
    use rand::{Rng as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::StandardNormal;

    use super::*;

    const P50: FigureKind = FigureKind::SteadyP50;

    fn restarts(values: &[f64]) -> Vec<RestartValue> {
        let rounds = 1_u32..;
        rounds.zip(values).map(|(round, &value)| RestartValue { round, value }).collect()
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-4, "{found} instead of {expected}");
    }

    /// 2.0150 is the 95 % quantile of Student's t with 5 degrees of freedom.
    #[test]
    fn a_mean_has_students_interval() {
        let mean = estimate_mean(P50, &restarts(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])).unwrap();
        let half = 2.0150 * 3.5_f64.sqrt() / 6_f64.sqrt();
        close(mean.value, 3.5);
        let (low, high) = mean.interval.unwrap();
        close(low, 3.5 - half);
        close(high, 3.5 + half);
        assert_eq!(mean.restarts, 6);
    }

    #[test]
    fn one_restart_has_no_interval_and_none_has_no_estimate() {
        assert_eq!(estimate_mean(P50, &restarts(&[0.3])).unwrap().interval, None);
        assert_eq!(estimate_mean(P50, &[]), None);
        assert_eq!(estimate_mean(P50, &restarts(&[f64::NAN])), None);
        assert_eq!(estimate_difference(P50, &restarts(&[0.3]), &restarts(&[0.2]), 1), None);
    }

    #[test]
    fn no_interval_of_a_mean_reaches_below_zero() {
        let mean = estimate_mean(P50, &restarts(&[0.1, 0.9])).unwrap();
        close(mean.interval.unwrap().0, 0.0);
    }

    /// A request before the steady state may be faster than one in it.
    #[test]
    fn the_cost_of_a_cold_request_may_be_negative() {
        let kind = FigureKind::ColdCost;
        let mean = estimate_mean(kind, &restarts(&[-0.004, -0.005, -0.006])).unwrap();
        let (low, high) = mean.interval.unwrap();
        assert!(low < -0.005 && -0.005 < high && high < 0.0, "{low} {high}");
    }

    #[test]
    fn equal_counts_leave_the_doubt_of_their_rounding() {
        let kind = FigureKind::RequestsToSteady;
        let (low, high) = estimate_mean(kind, &restarts(&[40.0; 6])).unwrap().interval.unwrap();
        assert!(low < 39.9 && high > 40.1, "{low} {high}");
    }

    #[test]
    fn no_number_of_restarts_averages_out_the_step_of_the_search() {
        let kind = FigureKind::RequestsToSteady;
        let (low, high) = estimate_mean(kind, &restarts(&[39.0; 90])).unwrap().interval.unwrap();
        assert!(low < 37.0 && high > 41.0, "{low} {high}");
        let difference = estimate_difference(kind, &restarts(&[40.0; 6]), &restarts(&[39.0; 6]), 1);
        assert!(!difference.unwrap().is_clear, "{difference:?}");
    }

    #[test]
    fn what_changes_from_round_to_round_cancels_out() {
        let first = restarts(&[0.100, 0.900, 0.300, 0.500]);
        let faster = restarts(&[0.041, 0.839, 0.240, 0.440]);
        let difference = estimate_difference(P50, &faster, &first, 1).unwrap();
        close(difference.estimate.value, -0.060);
        assert!(difference.is_clear, "{difference:?}");
        assert!(difference.detectable < 0.003, "{difference:?}");
    }

    #[test]
    fn rounds_that_only_one_side_has_do_not_count() {
        let first = restarts(&[0.1, 0.2, 0.3]);
        let mut other = restarts(&[0.2, 0.3, 0.4]);
        other[2].round = 9;
        let difference = estimate_difference(P50, &other, &first, 1).unwrap();
        assert_eq!(difference.estimate.restarts, 2);
    }

    #[test]
    fn more_comparisons_widen_the_intervals() {
        let first = restarts(&[0.10, 0.12, 0.09, 0.11]);
        let other = restarts(&[0.11, 0.10, 0.10, 0.13]);
        let width = |comparisons| {
            let one = estimate_difference(P50, &other, &first, comparisons).unwrap();
            let (low, high) = one.estimate.interval.unwrap();
            (high - low, one.detectable)
        };
        assert!(width(3).0 > width(1).0 && width(3).1 > width(1).1);
    }

    /// The detectable difference of a known spread is found in 80 of 100 sessions.
    #[test]
    fn a_difference_of_the_detectable_size_is_found_as_often_as_stated() {
        let mut random = ChaCha8Rng::seed_from_u64(16);
        for (rounds, comparisons) in [(4, 1), (6, 3), (12, 3)] {
            let error = ERROR / f64::from(comparisons);
            let size = Sample { count: rounds, mean: 0.0, deviation: 1.0, bias: 0.0 }
                .detectable(rounds, error);
            let found = (0..2_000).filter(|_| {
                let draw = |_| size + random.sample::<f64, _>(StandardNormal);
                let sample = Sample::of((0..rounds).map(draw), 0.0).unwrap();
                sample.estimate(error).interval.unwrap().0 > 0.0
            });
            let share = found.count() as f64 / 2_000.0;
            assert!((0.76..0.86).contains(&share), "{rounds} rounds: {share}");
        }
    }

    #[test]
    fn the_stated_number_of_rounds_halves_what_can_be_seen() {
        let sample = Sample { count: 6, mean: 0.0, deviation: 1.0, bias: 0.0 };
        let now = sample.detectable(6, 0.1);
        let more = sample.rounds_to_halve(0.1);
        assert!(sample.detectable(6 + more, 0.1) <= now / 2.0);
        assert!(sample.detectable(6 + more - 1, 0.1) > now / 2.0);
        assert!((12..30).contains(&more), "{more}");
    }
}
