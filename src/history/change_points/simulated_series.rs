//! Latency histories with known changes.
//!
//! `examples/change_points` includes this file, so it uses no other.

use std::f64::consts::TAU;
use std::fmt;
use std::time::Duration;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use time::OffsetDateTime;
use time::macros::datetime;

/// How the runs of a simulated history scatter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoiseKind {
    /// Independent and log-normal.
    Independent,
    /// The same, and 4 % of the runs are 1.8 times as slow.
    Spikes,
    /// The same, and 10 % of the runs are twice as slow.
    ManySpikes,
    /// Log-normal and autocorrelated: AR(1) in the logarithms. In hundredths.
    Autocorrelated(u8),
    /// AR(1), 0.5, in which what is new in each run has Student's t distribution with 5 degrees of
    /// freedom.
    HeavyTails,
}

impl NoiseKind {
    /// The kinds for which error rates are stated.
    pub(super) const STATED: [Self; 3] =
        [Self::Independent, Self::Spikes, Self::Autocorrelated(50)];
    /// Kinds for which no error rate is promised.
    pub(super) const BEYOND: [Self; 6] = [
        Self::Autocorrelated(60),
        Self::Autocorrelated(70),
        Self::Autocorrelated(80),
        Self::Autocorrelated(90),
        Self::ManySpikes,
        Self::HeavyTails,
    ];

    /// How much of the noise of a run is left in the next one.
    pub(super) fn correlation(self) -> f64 {
        match self {
            Self::Autocorrelated(hundredths) => f64::from(hundredths) / 100.0,
            Self::HeavyTails => 0.5,
            Self::Independent | Self::Spikes | Self::ManySpikes => 0.0,
        }
    }

    /// The share of runs that are spikes, and how many times as slow they are. Kinds without spikes
    /// draw them as well, so that a seed has the same noise in each kind.
    fn spikes(self) -> (f64, f64) {
        match self {
            Self::Spikes => (0.04, 1.8),
            Self::ManySpikes => (0.1, 2.0),
            Self::Independent | Self::Autocorrelated(_) | Self::HeavyTails => (0.04, 1.0),
        }
    }

    /// What is new in the noise of a run, with variance 1.
    fn fresh_noise(self, random: &mut ChaCha8Rng) -> f64 {
        let normal: f64 = random.sample(StandardNormal);
        if self != Self::HeavyTails {
            return normal;
        }
        let squares: f64 = (0..5).map(|_| random.sample::<f64, _>(StandardNormal).powi(2)).sum();
        // t = z / √(χ² / 5), and its variance is 5 / 3.
        normal / (squares / 3.0).sqrt()
    }
}

impl fmt::Display for NoiseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Independent => f.write_str("independent"),
            Self::Spikes => f.write_str("4 % spikes of × 1.8"),
            Self::ManySpikes => f.write_str("10 % spikes of × 2"),
            Self::HeavyTails => f.write_str("AR(1), 0.5, Student's t"),
            Self::Autocorrelated(_) => write!(f, "AR(1), {}", self.correlation()),
        }
    }
}

/// The latencies of so many runs, in seconds, around 0.2. All runs from `change.0` on are
/// `change.1` times as slow.
pub(super) fn simulate_series(
    kind: NoiseKind,
    runs: usize,
    variation: f64,
    change: (usize, f64),
    seed: u64,
) -> Vec<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let spread = (1.0 + variation * variation).ln().sqrt();
    let (correlation, (spikes, spike)) = (kind.correlation(), kind.spikes());
    let mut noise: f64 = random.sample(StandardNormal);
    let latency = |run: usize| {
        let fresh = kind.fresh_noise(&mut random);
        let is_spike = random.random_bool(spikes);
        let latency = 0.2 * (spread * noise).exp() * if is_spike { spike } else { 1.0 };
        noise = correlation * noise + (1.0 - correlation * correlation).sqrt() * fresh;
        latency * if run >= change.0 { change.1 } else { 1.0 }
    };
    (0..runs).map(latency).collect()
}

/// A cycle of the day: latency rises and falls by the amplitude, as a share of its mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct DaySine {
    pub(super) amplitude: f64,
    pub(super) runs_per_day: u32,
}

impl DaySine {
    /// When a run of a series started; series with other seeds begin at another time of day.
    pub(super) fn started(&self, run: usize, seed: u64) -> OffsetDateTime {
        const FIRST: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);
        const BETWEEN_SEEDS: Duration = Duration::from_secs(7_919);
        let between = Duration::from_hours(24) / self.runs_per_day;
        let run = u32::try_from(run).unwrap_or(u32::MAX);
        FIRST + BETWEEN_SEEDS * u32::try_from(seed % 100).unwrap_or_default() + between * run
    }

    /// What a latency is multiplied by at a time of day.
    pub(super) fn factor(&self, started: OffsetDateTime) -> f64 {
        let seconds = started.unix_timestamp().rem_euclid(86_400) as f64;
        1.0 + self.amplitude * (seconds / 86_400.0 * TAU).sin()
    }
}
