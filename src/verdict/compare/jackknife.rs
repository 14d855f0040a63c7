//! How far a difference between two sides may be off, from leaving out one block at a time.

use super::student_t;
use crate::record::{BeforeAfter, BlockFigures, FiguresWithout};
use crate::verdict::binomial::ErrorRate;

/// A figure of one side: over all its exchanges, and without each block.
#[derive(Debug, Clone)]
pub(in crate::verdict) struct LeftOutFigure {
    whole: f64,
    exchanges: f64,
    /// The figure without each block, and how many exchanges are left.
    without: Vec<(f64, f64)>,
}

/// Whether the two sides were measured at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SidePairing {
    /// Two runs: what one run varies by says nothing about the other.
    Apart,
    /// A duet: both sides share each block, so only the difference within it varies.
    SameBlocks,
}

impl LeftOutFigure {
    /// A figure of this many exchanges, and for each block the figure without it and how many
    /// exchanges are left.
    pub(in crate::verdict) fn new(whole: f64, exchanges: u64, without: Vec<(f64, f64)>) -> Self {
        Self { whole, exchanges: exchanges as f64, without }
    }

    /// The standard error of the figure; zero without blocks.
    pub(in crate::verdict) fn standard_error(&self) -> f64 {
        let squares = self.deviations().into_iter().map(|deviation| deviation.powi(2));
        (squares.sum::<f64>() / self.filled_blocks().max(1) as f64).sqrt()
    }

    /// A figure of a request with these blocks. `None` if `read` has no figure without some block.
    pub(super) fn of(
        whole: f64,
        exchanges: u64,
        blocks: &BlockFigures,
        read: impl Fn(&FiguresWithout) -> Option<f64>,
    ) -> Option<Self> {
        let without = blocks.without.iter().map(|left| Some((read(left)?, left.exchanges as f64)));
        let without = without.collect::<Option<Vec<_>>>()?;
        (without.len() >= BlockFigures::FEWEST_BLOCKS).then_some(Self {
            whole,
            exchanges: exchanges as f64,
            without,
        })
    }

    /// What each block adds to the error of the figure: the mean of the squares over the blocks
    /// with exchanges is its variance. A block in which nothing was due adds nothing.
    ///
    /// The delete-a-group jackknife with groups of unequal size: F. M. T. A. Busing, E. Meijer and
    /// R. van der Leeden, *Delete-m jackknife for unequal m* (1999).
    fn deviations(&self) -> Vec<f64> {
        let groups = self.without.iter().map(|&(without, left)| {
            let size = (self.exchanges - left).max(0.0);
            let times = self.exchanges / size;
            (size > 0.0).then_some((times, times * self.whole - (times - 1.0) * without))
        });
        let groups: Vec<Option<(f64, f64)>> = groups.collect();
        let number = self.without.len() as f64;
        let kept = self.without.iter().map(|&(without, left)| without * left / self.exchanges);
        let mean = number * self.whole - kept.sum::<f64>();
        let deviation = |group: &Option<(f64, f64)>| match group {
            Some((times, pseudo)) if *times > 1.0 => (pseudo - mean) / (times - 1.0).sqrt(),
            _ => 0.0,
        };
        groups.iter().map(deviation).collect()
    }

    fn filled_blocks(&self) -> usize {
        self.without.iter().filter(|(_, left)| *left < self.exchanges).count()
    }
}

/// The interval of the difference `after − before` that leaves out `alpha` on each side: t with one
/// degree of freedom less than blocks. `None` if too few blocks have exchanges.
pub(super) fn difference_interval(
    sides: &BeforeAfter<LeftOutFigure>,
    pairing: SidePairing,
    alpha: ErrorRate,
) -> Option<(f64, f64)> {
    let difference = sides.after.whole - sides.before.whole;
    let filled = sides.map(LeftOutFigure::filled_blocks);
    let fewest = filled.before.min(filled.after);
    if fewest < BlockFigures::FEWEST_BLOCKS {
        return None;
    }
    let BeforeAfter { before, after } = sides.map(LeftOutFigure::deviations);
    let variance_of = |deviations: &[f64], blocks: usize| {
        deviations.iter().map(|deviation| deviation.powi(2)).sum::<f64>() / blocks as f64
    };
    let variance = match pairing {
        SidePairing::SameBlocks if before.len() == after.len() => {
            let pairs = before.iter().zip(&after).map(|(before, after)| after - before);
            variance_of(&pairs.collect::<Vec<_>>(), fewest)
        }
        SidePairing::SameBlocks | SidePairing::Apart => {
            variance_of(&before, filled.before) + variance_of(&after, filled.after)
        }
    };
    let reach = student_t::upper_quantile(fewest - 1, alpha.as_f64()) * variance.sqrt();
    Some((difference - reach, difference + reach))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_without(values: &[f64]) -> LeftOutFigure {
        let sum: f64 = values.iter().sum();
        let left = values.len() as f64 - 1.0;
        LeftOutFigure {
            whole: sum / values.len() as f64,
            exchanges: values.len() as f64,
            without: values.iter().map(|value| ((sum - value) / left, left)).collect(),
        }
    }

    /// For a mean, the jackknife is the usual interval: mean ± t · s / √n.
    #[test]
    fn the_interval_of_a_mean_is_the_usual_one() {
        let values: Vec<f64> = (1..=20).map(f64::from).collect();
        let sides = BeforeAfter { before: mean_without(&[0.0; 20]), after: mean_without(&values) };
        let (low, high) =
            difference_interval(&sides, SidePairing::Apart, ErrorRate::STATED).unwrap();
        let reach = 1.729_133 * (35.0_f64 / 20.0).sqrt();
        assert!((low - 10.5 + reach).abs() < 1e-4 && (high - 10.5 - reach).abs() < 1e-4);
    }

    #[test]
    fn what_both_sides_share_does_not_widen_the_interval_of_a_duet() {
        let slow: Vec<f64> = (0..20).map(|at| if at % 7 == 0 { 500.0 } else { 40.0 }).collect();
        let shifted: Vec<f64> = slow.iter().map(|value| value + 3.0).collect();
        let sides = BeforeAfter { before: mean_without(&slow), after: mean_without(&shifted) };
        let width = |pairing| {
            let (low, high) = difference_interval(&sides, pairing, ErrorRate::STATED).unwrap();
            high - low
        };
        assert!(width(SidePairing::SameBlocks) < 1e-6);
        assert!(width(SidePairing::Apart) > 100.0);
    }

    #[test]
    fn blocks_in_which_nothing_was_due_do_not_narrow_the_interval() {
        let values = [1.0, 5.0, 2.0, 8.0, 3.0, 9.0, 4.0];
        let (full, mut sparse) = (mean_without(&values), mean_without(&values));
        sparse.without.extend([(sparse.whole, sparse.exchanges); 13]);
        let zero = mean_without(&[0.0; 20]);
        for pairing in [SidePairing::Apart, SidePairing::SameBlocks] {
            let interval = |after: &LeftOutFigure| {
                let sides = BeforeAfter { before: zero.clone(), after: after.clone() };
                difference_interval(&sides, pairing, ErrorRate::STATED).unwrap()
            };
            let ((low, high), (sparse_low, sparse_high)) = (interval(&full), interval(&sparse));
            assert!((low - sparse_low).abs() < 1e-9 && (high - sparse_high).abs() < 1e-9);
        }
    }

    #[test]
    fn blocks_in_which_nothing_was_due_are_not_counted() {
        let mut sparse = mean_without(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        sparse.without.extend([(sparse.whole, sparse.exchanges); 15]);
        let sides = BeforeAfter { before: sparse.clone(), after: sparse };
        assert_eq!(difference_interval(&sides, SidePairing::Apart, ErrorRate::STATED), None);
    }
}
