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
    /// Log-normal and autocorrelated: AR(1) in the logarithms. In hundredths.
    Autocorrelated(u8),
}

impl NoiseKind {
    /// The kinds for which error rates are stated.
    pub(super) const STATED: [Self; 3] =
        [Self::Independent, Self::Spikes, Self::Autocorrelated(50)];

    /// How much of the noise of a run is left in the next one.
    pub(super) fn correlation(self) -> f64 {
        if let Self::Autocorrelated(hundredths) = self {
            f64::from(hundredths) / 100.0
        } else {
            0.0
        }
    }
}

impl fmt::Display for NoiseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Independent => f.write_str("independent"),
            Self::Spikes => f.write_str("4 % spikes of × 1.8"),
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
    const SPIKES: f64 = 0.04;
    const SPIKE: f64 = 1.8;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let spread = (1.0 + variation * variation).ln().sqrt();
    let correlation = kind.correlation();
    let mut noise: f64 = random.sample(StandardNormal);
    let latency = |run: usize| {
        let fresh: f64 = random.sample(StandardNormal);
        let is_spike = random.random_bool(SPIKES) && kind == NoiseKind::Spikes;
        let latency = 0.2 * (spread * noise).exp() * if is_spike { SPIKE } else { 1.0 };
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
