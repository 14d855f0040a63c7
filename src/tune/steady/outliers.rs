//! Single values far from those around them.

use std::ops::Range;

/// Values in the window that slides over the sequence.
const WINDOW: usize = 200;

/// The first values of a sequence of iterations are never outliers: the beginning of a warm-up is
/// slow and not wrong. Traini et al. take 200 / ln(1 + operations in an iteration), which is 20 for
/// operations of 5 µs and 110 for 20 ms.
const NEVER_OUTLIERS: usize = 40;

/// The indices of the iterations that are not outliers.
///
/// An outlier lies more than three times the range from the 1st to the 99th percentile away from
/// the median, in any window of 200 values that contains it.
///
/// The rule of Barrett et al. ("Virtual Machine Warmup Blows Hot and Cold", OOPSLA 2017) with the
/// constants of Traini et al. (EMSE 2023). A shorter sequence is one window.
pub(super) fn iterations_without_outliers(values: &[f64]) -> Vec<usize> {
    let skip = NEVER_OUTLIERS;
    let mut is_outlier = vec![false; values.len()];
    let width = WINDOW.min(values.len().saturating_sub(skip));
    if width > 0 {
        let mut window = SortedWindow::of(&values[skip..skip + width]);
        for start in skip..=values.len() - width {
            if start > skip {
                window.replace(values[start - 1], values[start + width - 1]);
            }
            let (low, high) = window.limits();
            if window.reaches_beyond(low, high) {
                for index in start..start + width {
                    is_outlier[index] |= values[index] < low || values[index] > high;
                }
            }
        }
    }
    (0..values.len()).filter(|index| !is_outlier[*index]).collect()
}

/// The values of one window, in ascending order.
struct SortedWindow(Vec<f64>);

impl SortedWindow {
    fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Self(sorted)
    }

    fn replace(&mut self, old: f64, new: f64) {
        self.0.remove(self.0.partition_point(|value| *value < old));
        self.0.insert(self.0.partition_point(|value| *value < new), new);
    }

    fn limits(&self) -> (f64, f64) {
        let distance = 3.0 * (quantile(&self.0, 0.99) - quantile(&self.0, 0.01));
        let median = quantile(&self.0, 0.5);
        (median - distance, median + distance)
    }

    fn reaches_beyond(&self, low: f64, high: f64) -> bool {
        self.0.first().is_some_and(|first| *first < low)
            || self.0.last().is_some_and(|last| *last > high)
    }
}

/// Values on each side of a request whose median is compared with it.
const NEIGHBOURS: usize = 10;
/// A spike is this many standard deviations from the median of its neighbours.
const SPIKE: f64 = 3.5;
/// Standard deviation of a normal distribution whose median absolute deviation is 1.
const PER_MEDIAN_DEVIATION: f64 = 1.4826;
/// Range of the middle half of a normal distribution whose standard deviation is 1.
const MIDDLE_HALF_OF_NORMAL: f64 = 1.349;
/// Less than 1 % is never a spike.
const SMALLEST_SPIKE: f64 = 0.01;

/// How many slow requests the sequence begins with (the boot), and the indices of the others that
/// are not spikes, from logarithms of latency.
///
/// Hampel's filter: distances from the running median, in robust standard deviations (Davies and
/// Gather, "The identification of multiple outliers", JASA 1993). The deviation is that of all
/// distances, or that of the neighbours themselves where it is larger: on a slope, and where two
/// machines answer in turn. Single slow answers happen in every state, and at a few per cent of the
/// requests they would decide about the means of short segments.
pub(super) fn requests_without_spikes(logs: &[f64]) -> (usize, Vec<usize>) {
    let around: Vec<Neighbourhood> =
        (0..logs.len()).map(|at| Neighbourhood::of(at, logs)).collect();
    let distances: Vec<f64> = logs.iter().zip(&around).map(|(log, own)| log - own.median).collect();
    let sizes: Vec<f64> = distances.iter().map(|distance| distance.abs()).collect();
    let common = PER_MEDIAN_DEVIATION * median(&sizes);
    let limits: Vec<f64> =
        around.iter().map(|own| (SPIKE * own.deviation.max(common)).max(SMALLEST_SPIKE)).collect();
    let is_slow = |at: &usize| distances[*at] > limits[*at];
    let slow = (0..logs.len()).take_while(is_slow).count();
    // A slow beginning that is not slower than the spikes elsewhere is a spike too.
    let largest = |range: Range<usize>| range.map(|at| distances[at]).fold(0.0, f64::max);
    let boot = if largest(0..slow) > largest(slow..logs.len()) { slow } else { 0 };
    (boot, (boot..logs.len()).filter(|at| sizes[*at] <= limits[*at]).collect())
}

/// A request and those around it: as many at the ends of the sequence as in the middle.
struct Neighbourhood {
    median: f64,
    /// From the range of the middle half.
    deviation: f64,
}

impl Neighbourhood {
    fn of(at: usize, logs: &[f64]) -> Self {
        let width = (2 * NEIGHBOURS + 1).min(logs.len());
        let start = at.saturating_sub(NEIGHBOURS).min(logs.len() - width);
        let mut sorted = logs[start..start + width].to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle_half = quantile(&sorted, 0.75) - quantile(&sorted, 0.25);
        Self { median: quantile(&sorted, 0.5), deviation: middle_half / MIDDLE_HALF_OF_NORMAL }
    }
}

/// The median; 0 without values.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile(&sorted, 0.5)
}

/// A quantile of values in ascending order, interpolated linearly between ranks; 0 without values.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let rank = share * last as f64;
    let below = rank.floor();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank in range")]
    let index = (below as usize).min(last);
    let next = sorted[(index + 1).min(last)];
    sorted[index] + (next - sorted[index]) * (rank - below)
}
