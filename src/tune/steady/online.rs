//! Whether a sequence that is still growing is steady.

use super::curve::relative_latencies;
use super::outliers::requests_without_spikes;
use super::trend::StretchTrend;
use super::{MIN_STEADY, SequenceKind, find_steady_state};
use crate::record::session::{CurveClass, ExchangeSample};

/// How many further samples make another look worth while.
pub const LOOK_INTERVAL: usize = 5;
/// The steady part is this many samples longer than needed for an answer about a whole curve,
/// because an early look sees only the beginning of a slope.
const MARGIN: usize = 10;
/// Fewest samples by which a growing curve can be told to be steady.
pub const LEAST_SAMPLES: usize = MIN_STEADY + MARGIN;
/// The steady part must be shown to rise or fall by less than this share: a curve with more noise
/// has to be longer.
const LARGEST_TREND: f64 = 0.25;

/// Whether a curve has been steady for long enough to end it, from its samples so far in the order
/// of due times.
///
/// It looks only when the number of samples is a multiple of [`LOOK_INTERVAL`], so it can be asked
/// after every one. Failed exchanges do not count, and while one of the last samples failed the
/// answer is no.
///
/// `steady_states --simulate` (an example program) measures how often it ends a curve too early.
pub fn is_steady_now(samples: &[ExchangeSample]) -> bool {
    let has_news = samples.len().is_multiple_of(LOOK_INTERVAL);
    let latest = samples.len().saturating_sub(LOOK_INTERVAL);
    let answers = samples[latest..].iter().all(|sample| sample.failure.is_none());
    has_news && answers && is_steady(&relative_latencies(samples))
}

fn is_steady(latencies: &[f64]) -> bool {
    if latencies.len() < LEAST_SAMPLES {
        return false;
    }
    let found = find_steady_state(latencies, SequenceKind::Requests);
    let is_known = !matches!(found.class, None | Some(CurveClass::NoSteadyState));
    let steady = found.steady_from.map(|from| &latencies[from..]);
    let answered = |steady: &[f64]| steady.iter().filter(|latency| !latency.is_nan()).count();
    is_known && steady.is_some_and(|steady| answered(steady) >= LEAST_SAMPLES && is_level(steady))
}

/// Whether a steady part is long enough for its noise.
fn is_level(latencies: &[f64]) -> bool {
    let positive = latencies.iter().filter(|latency| **latency > 0.0);
    let logs: Vec<f64> = positive.map(|latency| latency.ln()).collect();
    let (_, kept) = requests_without_spikes(&logs);
    let points: Vec<(f64, f64)> = kept.iter().map(|at| (*at as f64, logs[*at])).collect();
    StretchTrend::of(&points).is_none_or(|trend| trend.is_below(LARGEST_TREND))
}
