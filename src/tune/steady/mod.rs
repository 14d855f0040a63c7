//! Whether and when a sequence of latencies becomes steady.
//!
//! A sequence is cut into segments where its distribution changes. The last segment, and all before
//! it whose means do not differ from its mean by more than 5 %, are the *steady state*. A sequence
//! that becomes steady only in its last sixth has none.
//!
//! The classes are those of Barrett, Bolz-Tereick, Killick, Mount and Tratt, "Virtual Machine
//! Warmup Blows Hot and Cold", OOPSLA 2017. The rule and its constants are those of Traini,
//! Cortellessa, Di Pompeo and Tucci, "Towards effective assessment of steady state performance in
//! Java software: Are we there yet?", EMSE 2023: they decide about 3,000 iterations with a limit at
//! iteration 2,500.
//!
//! Sequences come in two kinds, because their noise differs (see [`SequenceKind`]):
//!
//! | | iterations | requests |
//! |---|---|---|
//! | one value is | a mean of many operations | one answer |
//! | length | thousands | 20 to 600 |
//! | outliers | sliding windows (Barrett et al.) | Hampel's filter; a slow beginning is the boot |
//! | fitted to | the values | their logarithms |
//! | penalty per change | the elbow over all penalties | 4 · ln(n), segments of at least 5 |
//! | end of a slope | the last change | a fitted line or exponential, if it fits better |
//! | a slow drift | – | a steady part that rises or falls by more than 5 % is not steady |
//!
//! `cargo run --release --example steady_states -- FILE` compares the first kind with published
//! answers; the tests of this module simulate the second.

mod comparison;
pub mod curve;
mod decay;
mod normal_cost;
mod online;
mod outliers;
mod penalty;
mod segmentation;
#[cfg(test)]
mod simulated_curve;
mod trend;

use std::ops::Range;

use self::comparison::{Difference, compare_segments};
use self::decay::{CurvePoint, end_of_decay};
use self::normal_cost::NormalCost;
pub use self::online::{LEAST_SAMPLES, LOOK_INTERVAL, is_steady_now};
use self::outliers::{iterations_without_outliers, median, requests_without_spikes};
use self::penalty::segment_at_elbow;
use self::segmentation::{Segmentation, best_segmentation};
use self::trend::StretchTrend;
use crate::record::session::CurveClass;

/// Fewest values that a steady state consists of. With fewer, a sequence is *not known yet*.
///
/// With a coefficient of variation of 30 %, 30 values fix the mean to ± 11 %.
pub const MIN_STEADY: usize = 30;
/// The steady state begins at the latest after this share of the sequence (Traini et al.: 2,500 of
/// 3,000 iterations).
const LATEST_START: (usize, usize) = (5, 6);
/// The penalty per change of a sequence of requests, in logarithms of its length.
const REQUEST_PENALTY: f64 = 4.0;
/// Fewest requests in a segment: two or three slow answers in a row are no state.
const SHORTEST_REQUESTS: usize = 5;
/// The maximum number of values that are looked at one by one. Of longer sequences, neighbours are
/// averaged, because the time grows with the square of the number.
const MAX_VALUES: usize = 5_000;
/// Larger multiples of the median are taken as this one.
const LARGEST: f64 = 1e9;
/// The logarithm of smaller multiples of the median is that of this one.
const SMALLEST: f64 = 1e-6;

/// What the values of a sequence are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SequenceKind {
    /// Each value is the mean of many operations, as in a micro-benchmark: nearly normal.
    Iterations,
    /// Each value is the latency of one request: log-normal, with spikes.
    Requests,
}

/// A stretch of a sequence without a change.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// The indices of its values.
    pub range: Range<usize>,
    /// Mean of its values, in their unit. Spikes of single requests are left out.
    pub mean: f64,
    /// Standard deviation of the same values.
    pub spread: f64,
}

/// What a sequence looks like.
#[derive(Debug, Clone, PartialEq)]
pub struct SteadyState {
    /// Its segments, in order; they cover every index. Empty without values.
    pub segments: Vec<Segment>,
    /// The index of the first value in the steady state; `None` if there is no steady state or the
    /// sequence is too short. It lies within a segment where a slope ends there.
    pub steady_from: Option<usize>,
    /// Its class; `None` if the sequence is too short (*not known yet*). One sequence is never
    /// [`CurveClass::Inconsistent`].
    pub class: Option<CurveClass>,
}

/// Finds the steady state of a sequence of latencies in any unit.
///
/// Values that are negative or not finite are missing: they belong to the segment around them and
/// enter no figure. A sequence has a class if its steady state would consist of [`MIN_STEADY`]
/// values, or if it is six times as long.
pub fn find_steady_state(values: &[f64], kind: SequenceKind) -> SteadyState {
    let present: Vec<usize> =
        (0..values.len()).filter(|at| values[*at].is_finite() && values[*at] >= 0.0).collect();
    let group = present.len().div_ceil(MAX_VALUES).max(1);
    let places: Vec<usize> = present.chunks(group).map(|chunk| chunk[0]).collect();
    let means: Vec<f64> = present.chunks(group).map(|chunk| mean_of(values, chunk)).collect();
    let Some(scaled) = ScaledSequence::of(&means) else {
        return SteadyState { segments: Vec::new(), steady_from: None, class: None };
    };
    let found = match kind {
        SequenceKind::Iterations => scaled.find_in_iterations(),
        SequenceKind::Requests => scaled.find_in_requests(),
    };
    found.at_places(&places, values.len())
}

fn mean_of(values: &[f64], chunk: &[usize]) -> f64 {
    let count = chunk.len() as f64;
    chunk.iter().map(|at| values[*at] / count).sum()
}

/// The class of several restarts: the class of all, or *inconsistent* if they differ. Restarts that
/// are not known yet are left out; `None` if all are.
pub fn classify_restarts(
    classes: impl IntoIterator<Item = Option<CurveClass>>,
) -> Option<CurveClass> {
    let mut known = classes.into_iter().flatten();
    let first = known.next()?;
    Some(if known.all(|class| class == first) { first } else { CurveClass::Inconsistent })
}

/// A sequence in multiples of its median, so that no constant depends on the unit.
struct ScaledSequence {
    values: Vec<f64>,
    scale: f64,
}

impl ScaledSequence {
    /// `None` without values.
    fn of(values: &[f64]) -> Option<Self> {
        let count = values.len() as f64;
        let mean: f64 = values.iter().map(|value| value / count).sum();
        let is_scale = |scale: &f64| *scale > 0.0;
        let scale = Some(median(values)).filter(is_scale).or(Some(mean).filter(is_scale));
        let scale = scale.unwrap_or(1.0);
        let values: Vec<f64> = values.iter().map(|value| (value / scale).min(LARGEST)).collect();
        (!values.is_empty()).then_some(Self { values, scale })
    }

    /// The published rule: outliers are left out only of the segmentation.
    fn find_in_iterations(&self) -> SteadyState {
        let kept = iterations_without_outliers(&self.values);
        let around_zero: Vec<f64> = kept.iter().map(|at| self.values[*at] - 1.0).collect();
        let segmentation = segment_at_elbow(&NormalCost::of(&around_zero));
        let ranges = ranges_of(&segmentation, &kept, self.values.len());
        let samples: Vec<Vec<f64>> =
            ranges.iter().map(|range| self.values[range.clone()].to_vec()).collect();
        let steady_from = steady_start(&ranges, &samples);
        self.conclude(&ranges, &samples, steady_from)
    }

    fn find_in_requests(&self) -> SteadyState {
        let logs: Vec<f64> = self.values.iter().map(|value| value.max(SMALLEST).ln()).collect();
        let (boot, kept) = requests_without_spikes(&logs);
        let kept_logs: Vec<f64> = kept.iter().map(|at| logs[*at]).collect();
        let penalty = REQUEST_PENALTY * (kept.len().max(2) as f64).ln();
        let segmentation =
            best_segmentation(&NormalCost::of(&kept_logs), penalty, SHORTEST_REQUESTS);
        let mut ranges = ranges_of(&segmentation, &kept, self.values.len());
        let of_segment =
            |range: Range<usize>| kept[range].iter().map(|at| self.values[*at]).collect();
        let mut samples: Vec<Vec<f64>> =
            segmentation.ranges().into_iter().map(of_segment).collect();
        if boot > 0 {
            ranges[0].start = boot;
            ranges.insert(0, 0..boot);
            samples.insert(0, self.values[..boot].to_vec());
        }
        let by_segments = steady_start(&ranges, &samples);
        let mut steady_from = if by_segments > boot {
            self.end_of_slope(&kept, &segmentation).unwrap_or(by_segments).max(boot)
        } else {
            by_segments
        };
        let steady = kept.iter().filter(|at| **at >= steady_from);
        let steady: Vec<(f64, f64)> = steady.map(|at| (*at as f64, logs[*at])).collect();
        if StretchTrend::of(&steady).is_some_and(|trend| trend.is_certain()) {
            steady_from = self.values.len();
        }
        self.conclude(&ranges, &samples, steady_from)
    }

    /// The index at which a slope ends, if the requests are described best by one.
    fn end_of_slope(&self, kept: &[usize], segmentation: &Segmentation) -> Option<usize> {
        let point =
            |at: &usize| CurvePoint { index: *at as f64, value: self.values[*at].max(SMALLEST) };
        let points: Vec<CurvePoint> = kept.iter().map(point).collect();
        let end = end_of_decay(&points, segmentation)?.ceil().min(self.values.len() as f64);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
        Some(end as usize)
    }

    /// The answer, from the segments, the values that count in each, and where they become steady.
    fn conclude(
        &self,
        ranges: &[Range<usize>],
        samples: &[Vec<f64>],
        steady_from: usize,
    ) -> SteadyState {
        let segments = ranges.iter().zip(samples).map(|(range, sample)| {
            let (mean, spread) = mean_and_spread(sample);
            Segment { range: range.clone(), mean: mean * self.scale, spread: spread * self.scale }
        });
        let count = self.values.len();
        let class = class_of(count, steady_from, ranges, samples);
        let is_steady = class.is_some_and(|class| class != CurveClass::NoSteadyState);
        SteadyState {
            segments: segments.collect(),
            steady_from: is_steady.then_some(steady_from),
            class,
        }
    }
}

/// Segments of the kept values as ranges of all values: what was left out belongs to the segment
/// before it.
fn ranges_of(segmentation: &Segmentation, kept: &[usize], count: usize) -> Vec<Range<usize>> {
    let inner = &segmentation.ends[..segmentation.ends.len() - 1];
    let inner = inner.iter().map(|end| kept[*end]);
    let starts: Vec<usize> = std::iter::once(0).chain(inner).collect();
    let ends = starts.iter().skip(1).copied().chain(std::iter::once(count));
    starts.iter().zip(ends).map(|(start, end)| *start..end).collect()
}

/// The start of the first of the last segments that do not differ from the last one.
fn steady_start(ranges: &[Range<usize>], samples: &[Vec<f64>]) -> usize {
    let Some(last) = samples.last() else { return 0 };
    let is_same = |sample: &&Vec<f64>| {
        !sample.is_empty() && compare_segments(sample, last) == Difference::None
    };
    let same = samples.iter().rev().skip(1).take_while(is_same).count();
    ranges[ranges.len() - 1 - same].start
}

fn class_of(
    count: usize,
    steady_from: usize,
    ranges: &[Range<usize>],
    samples: &[Vec<f64>],
) -> Option<CurveClass> {
    let (part, whole) = LATEST_START;
    if count - steady_from < MIN_STEADY && count < MIN_STEADY * whole {
        return None;
    }
    if steady_from * whole > count * part {
        return Some(CurveClass::NoSteadyState);
    }
    if steady_from == 0 {
        return Some(CurveClass::Flat);
    }
    let last = samples.last()?;
    let earlier = ranges.iter().zip(samples).filter(|(range, _)| range.start < steady_from);
    let mut differences = earlier.map(|(_, sample)| compare_segments(sample, last));
    let is_faster = differences.any(|difference| difference == Difference::Faster);
    Some(if is_faster { CurveClass::Slowdown } else { CurveClass::WarmUp })
}

fn mean_and_spread(sample: &[f64]) -> (f64, f64) {
    let count = sample.len().max(1) as f64;
    let mean = sample.iter().sum::<f64>() / count;
    let squares: f64 = sample.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / count).sqrt())
}

impl SteadyState {
    /// The same with indices of the sequence as it was given: `places` has the first index of each
    /// value that was looked at.
    fn at_places(mut self, places: &[usize], count: usize) -> Self {
        let place = |at: usize| if at == 0 { 0 } else { places.get(at).copied().unwrap_or(count) };
        for segment in &mut self.segments {
            segment.range = place(segment.range.start)..place(segment.range.end);
        }
        self.steady_from = self.steady_from.map(place);
        self
    }
}

#[cfg(test)]
mod curve_tests;
#[cfg(test)]
mod tests;
