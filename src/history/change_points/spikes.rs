//! Single values far from those around them.

use super::TailValue;

/// Values on each side with whose median a value is compared.
const NEIGHBOURS: usize = 5;
/// Fewest values on a side that decide.
const DECIDING: usize = 3;
/// A spike lies this many standard deviations from the values before it and from those after it.
const SPIKE: f64 = 3.0;
/// A value with too few values on one side is drawn in to this distance from those on the other. A
/// single spike is then too little evidence for a change, and three values of a new level are not.
const DRAWN_IN: f64 = 2.5;
/// Standard deviation of a normal distribution whose median absolute deviation is 1, and a 7 % more
/// because the running median includes the value itself.
const PER_DEVIATION: f64 = 1.4826 * 1.07;

/// Leaves out spikes, and draws in the far values at both ends.
///
/// Hampel's idea (Davies and Gather, "The identification of multiple outliers", JASA 1993), on both
/// sides separately: the first value of a new level is far from those before it, but not from those
/// after it. Whether one of the newest values is a spike is known when three more have come.
pub(super) fn without_spikes(values: &[TailValue], floor: f64) -> Vec<TailValue> {
    let deviation = local_deviation(values).max(floor);
    let judge = |at: usize| {
        let value = values[at];
        let before = distance(value, &values[at.saturating_sub(NEIGHBOURS)..at]);
        let end = values.len().min(at + 1 + NEIGHBOURS);
        let after = distance(value, &values[at + 1..end]);
        match (before, after) {
            (Some(before), Some(after)) => {
                let nearest = if before.abs() < after.abs() { before } else { after };
                let is_spike = nearest.abs() > SPIKE * deviation && before * after > 0.0;
                (!is_spike).then_some(value)
            }
            (Some(distance), None) | (None, Some(distance)) => {
                Some(value.drawn_in(distance, DRAWN_IN * deviation))
            }
            (None, None) => Some(value),
        }
    };
    (0..values.len()).filter_map(judge).collect()
}

impl TailValue {
    /// The value, moved to within `limit` of the level that is `distance` below it.
    fn drawn_in(self, distance: f64, limit: f64) -> Self {
        Self { value: self.value - distance + distance.clamp(-limit, limit), ..self }
    }
}

/// How far a value lies above the median of its neighbours on one side.
fn distance(value: TailValue, neighbours: &[TailValue]) -> Option<f64> {
    (neighbours.len() >= DECIDING).then(|| value.value - median_around(neighbours))
}

/// The standard deviation of the values around their running median.
fn local_deviation(values: &[TailValue]) -> f64 {
    let width = (2 * NEIGHBOURS + 1).min(values.len());
    let around = |at: usize| {
        let start = at.saturating_sub(NEIGHBOURS).min(values.len() - width);
        (values[at].value - median_around(&values[start..start + width])).abs()
    };
    PER_DEVIATION * median((0..values.len()).map(around))
}

/// The median of a few values, without allocating.
fn median_around(values: &[TailValue]) -> f64 {
    let mut few = [0.0; 2 * NEIGHBOURS + 1];
    let few = &mut few[..values.len()];
    for (slot, value) in few.iter_mut().zip(values) {
        *slot = value.value;
    }
    middle_of(few)
}

/// The median; 0 without values.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    middle_of(&mut values.into_iter().collect::<Vec<f64>>())
}

fn middle_of(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let (is_even, middle) = (values.len().is_multiple_of(2), values.len() / 2);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let lower = below.iter().copied().max_by(f64::total_cmp).filter(|_| is_even);
    lower.map_or(*upper, |lower| f64::midpoint(lower, *upper))
}
