//! How strongly a step at one place is supported.

use super::TailValue;
use super::noise::SeriesNoise;

/// Rounding never makes the information on a step negative.
const SMALLEST_DETERMINANT: f64 = 1e-12;

/// The step at one place that fits best.
#[derive(Debug, Clone, Copy)]
pub(super) struct FittedStep {
    /// The level after it less the level before it.
    pub(super) size: f64,
    /// The variance of `size`.
    pub(super) variance: f64,
    /// Twice the logarithm of the likelihood with the step over that without: `size`² / `variance`.
    pub(super) evidence: f64,
}

/// The evidence for a step at any place between any two others, in constant time.
///
/// Generalised least squares in noise eₜ = φ · eₜ₋₁ + uₜ. With xₜ = yₜ − φ · yₜ₋₁, a level μ enters
/// xₜ with 1 − φ, and the first value of a stretch, which is as likely as any other, with √(1 −
/// φ²). A step enters its first xₜ whole and the following with 1 − φ. The weight of a value is
/// that of its uₜ.
#[derive(Debug)]
pub(super) struct StepScan<'a> {
    values: &'a [TailValue],
    noise: SeriesNoise,
    /// xₜ; the first is not used.
    whitened: Vec<f64>,
    /// Sum of the weights before each place.
    weights: Vec<f64>,
    /// The same of weight · xₜ.
    sums: Vec<f64>,
}

impl<'a> StepScan<'a> {
    pub(super) fn of(values: &'a [TailValue], noise: SeriesNoise) -> Self {
        let before = std::iter::once(0.0).chain(values.iter().map(|value| value.value));
        let whiten = |(one, before): (&TailValue, f64)| one.value - noise.correlation * before;
        let whitened: Vec<f64> = values.iter().zip(before).map(whiten).collect();
        let (mut weights, mut sums) = (vec![0.0], vec![0.0]);
        let (mut weight, mut sum) = (0.0, 0.0);
        for (value, whitened) in values.iter().zip(&whitened) {
            weight += value.weight;
            sum += value.weight * whitened;
            weights.push(weight);
            sums.push(sum);
        }
        Self { values, noise, whitened, weights, sums }
    }

    /// Number of values.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// The values `start..end`, which must not be empty.
    pub(super) fn stretch(&self, start: usize, end: usize) -> Stretch<'_> {
        let share = 1.0 - self.noise.correlation;
        let first = self.values[start].weight * (1.0 - self.noise.correlation.powi(2));
        let others = self.weights[end] - self.weights[start + 1];
        let sum = self.sums[end] - self.sums[start + 1];
        Stretch {
            scan: self,
            end,
            share,
            of_level: (first + share * share * others).recip(),
            level: first * self.values[start].value + share * sum,
        }
    }
}

/// A stretch of values in which a step is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch<'a> {
    scan: &'a StepScan<'a>,
    end: usize,
    /// 1 − φ.
    share: f64,
    /// The reciprocal of the level's entry in the matrix of the normal equations.
    of_level: f64,
    /// Their right side for the level.
    level: f64,
}

impl Stretch<'_> {
    /// The evidence of [`Self::fit`] alone.
    #[inline]
    pub(super) fn evidence(&self, place: usize) -> f64 {
        let (step, determinant) = self.solve(place);
        step * step / (determinant * self.scan.noise.variance)
    }

    /// The step before the value at `place`, which lies within the stretch and not at its start.
    pub(super) fn fit(&self, place: usize) -> FittedStep {
        let (step, determinant) = self.solve(place);
        let (size, variance) = (step / determinant, self.scan.noise.variance / determinant);
        FittedStep { size, variance, evidence: self.evidence(place) }
    }

    /// What is left of the normal equations for the step when the level is eliminated: right side
    /// and coefficient.
    #[inline]
    fn solve(&self, place: usize) -> (f64, f64) {
        let (scan, share) = (self.scan, self.share);
        let at = scan.values[place].weight;
        let after = share * (scan.weights[self.end] - scan.weights[place + 1]);
        let sum = scan.sums[self.end] - scan.sums[place + 1];
        let level_step = share * (at + after);
        let eliminated = level_step * self.of_level;
        let step = at * scan.whitened[place] + share * sum - eliminated * self.level;
        (step, (at + share * after - eliminated * level_step).max(SMALLEST_DETERMINANT))
    }
}
