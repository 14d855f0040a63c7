//! Random draws from a seed.

use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::latency::{LatencyDistribution, draw_event};
use super::settings::TargetSettings;
use crate::units::Ratio;

/// Number of upstream calls that the live page makes in sequence.
const UPSTREAM_CALLS: usize = 6;

/// All random draws, from one seed.
///
/// Sample latencies, upstream latencies, errors and faults are four streams (0 to 3) of one
/// `ChaCha8` generator, so that the n-th sample page gets the same latency regardless of the live
/// pages before it. Each live page takes six draws of the second stream, each page of either kind
/// one draw of the third, and one of the fourth if there is a fault to apply. Nothing else draws.
#[derive(Debug)]
pub(super) struct SeededDraws {
    sample: (LatencyDistribution, ChaCha8Rng),
    upstream: (LatencyDistribution, ChaCha8Rng),
    error: (Ratio, ChaCha8Rng),
    fault: (Ratio, ChaCha8Rng),
}

impl SeededDraws {
    pub(super) fn new(settings: &TargetSettings) -> Self {
        let stream = |number| {
            let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
            rng.set_stream(number);
            rng
        };
        Self {
            sample: (settings.mock_latency, stream(0)),
            upstream: (settings.upstream_latency, stream(1)),
            error: (settings.error_rate, stream(2)),
            fault: (settings.fault_rate, stream(3)),
        }
    }

    /// Latency of the next sample page.
    pub(super) fn sample_latency(&mut self) -> Duration {
        self.sample.0.draw(&mut self.sample.1)
    }

    /// Latency of the next live page: the sum over its upstream calls, as each waits for the
    /// previous one.
    pub(super) fn live_latency(&mut self) -> Duration {
        (0..UPSTREAM_CALLS).map(|_| self.upstream.0.draw(&mut self.upstream.1)).sum()
    }

    /// Whether the next page fails.
    pub(super) fn draws_error(&mut self) -> bool {
        draw_event(self.error.0, &mut self.error.1)
    }

    /// Whether `--fault` applies to the next page.
    pub(super) fn draws_fault(&mut self) -> bool {
        draw_event(self.fault.0, &mut self.fault.1)
    }
}
