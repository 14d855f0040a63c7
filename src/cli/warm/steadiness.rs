//! Whether a sequence of latencies is steady. A plain rule until `tune::steady` takes its place.

use std::time::Duration;

use crate::record::session::ExchangeSample;

/// How many further samples make another look worth while.
pub(super) const LOOK_INTERVAL: usize = 5;

/// The least number of requests by which a sequence can be told to be steady.
pub(super) const LEAST_REQUESTS: usize = 2 * WINDOW;

const WINDOW: usize = 20;

/// Medians that differ by less than this share are equal.
const TOLERANCE: f64 = 0.05;

/// Whether the last requests are as fast as those before them.
pub(super) fn is_steady_now(samples: &[ExchangeSample]) -> bool {
    find_steady_samples(samples).is_some()
}

/// The index from which a sequence that is steady now was steady.
pub(super) fn find_steady_samples(samples: &[ExchangeSample]) -> Option<usize> {
    let latencies: Vec<_> = samples.iter().map(|sample| sample.latency).collect();
    let start = latencies.len().checked_sub(LEAST_REQUESTS)?;
    let (before, last) = latencies[start..].split_at(WINDOW);
    if !are_equal(median(before), median(last)) {
        return None;
    }
    let steady = median(&latencies[start..]);
    let mut from = start;
    while from > 0 && are_equal(median(&latencies[from - 1..from - 1 + WINDOW]), steady) {
        from -= 1;
    }
    Some(from)
}

fn median(latencies: &[Duration]) -> f64 {
    let mut sorted: Vec<f64> = latencies.iter().map(Duration::as_secs_f64).collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn are_equal(one: f64, other: f64) -> bool {
    (one - other).abs() <= TOLERANCE * one.min(other)
}
