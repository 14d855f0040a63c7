//! Simulated curves of requests whose steady state is known, for tests and for
//! `examples/steady_states`.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// How the mean develops, in multiples of the steady mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum CurveShape {
    /// The steady mean from the start.
    Flat,
    /// From 3 to 1 in a straight line of this many requests.
    Line(f64),
    /// From 3 to 1 exponentially: within 5 % after this many requests.
    Exponential(f64),
    /// 3 for this many requests, then 1.7 for as many, then 1.
    TwoSteps(f64),
    /// 1 for this many requests, then 1.3.
    Slowdown(f64),
    /// Grows by 1 % of the first mean with each request.
    EndlessDrift,
    /// This many requests at 1, as many at 2, and so on.
    Cycles(f64),
}

/// A simulated curve: log-normal noise and spikes around a mean.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SimulatedCurve {
    pub(crate) shape: CurveShape,
    pub(crate) requests: usize,
    /// Coefficient of variation of the noise.
    pub(crate) variation: f64,
    /// Probability that a request takes 3 to 10 times as long.
    pub(crate) spikes: f64,
    /// How many times longer the first request takes.
    pub(crate) boot: f64,
}

/// The steady mean in seconds.
const STEADY_SECONDS: f64 = 0.05;

impl SimulatedCurve {
    /// Without a boot, with a spike in 50 requests.
    pub(crate) fn new(shape: CurveShape, requests: usize, variation: f64) -> Self {
        Self { shape, requests, variation, spikes: 0.02, boot: 1.0 }
    }

    /// The mean at an index in multiples of the steady mean, without boot.
    pub(crate) fn mean(&self, index: usize) -> f64 {
        let at = index as f64;
        match self.shape {
            CurveShape::Line(requests) => 1.0 + 2.0 * (1.0 - at / requests).max(0.0),
            CurveShape::Exponential(requests) => 1.0 + 2.0 * (-at / requests * 40_f64.ln()).exp(),
            CurveShape::TwoSteps(requests) if at < requests => 3.0,
            CurveShape::TwoSteps(requests) if at < 2.0 * requests => 1.7,
            CurveShape::Flat | CurveShape::TwoSteps(_) => 1.0,
            CurveShape::Slowdown(requests) => {
                if at < requests {
                    1.0
                } else {
                    1.3
                }
            }
            CurveShape::EndlessDrift => 1.0 + at / 100.0,
            CurveShape::Cycles(requests) => {
                if (at / requests) % 2.0 < 1.0 {
                    1.0
                } else {
                    2.0
                }
            }
        }
    }

    /// The first index from which the mean is within 5 % of that of the last request.
    pub(crate) fn steady_from(&self) -> usize {
        let last = self.mean(self.requests - 1);
        let is_away = |index: &usize| (self.mean(*index) / last - 1.0).abs() > 0.050_001;
        let away = (0..self.requests).rev().find(is_away);
        away.map_or(usize::from(self.boot > 1.0), |index| index + 1)
    }

    /// The latencies in seconds, the same for the same seed.
    pub(crate) fn draw(&self, seed: u64) -> Vec<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let log_variance = (self.variation * self.variation).ln_1p();
        let mut latency = |index: usize| {
            let normal: f64 = random.sample(StandardNormal);
            let noise = (normal * log_variance.sqrt() - log_variance / 2.0).exp();
            let is_spike = random.random::<f64>() < self.spikes;
            let spike = if is_spike { random.random_range(3.0..10.0) } else { 1.0 };
            let boot = if index == 0 { self.boot } else { 1.0 };
            STEADY_SECONDS * self.mean(index) * noise * spike * boot
        };
        (0..self.requests).map(&mut latency).collect()
    }
}
