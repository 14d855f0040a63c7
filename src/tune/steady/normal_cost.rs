//! How badly one normal distribution fits a stretch of the sequence.

/// The variance of a segment is never taken to be smaller than this; values are in medians, or
/// logarithms.
///
/// It is the square of the fourth digit: measurements seldom have more, and without a floor any two
/// equal neighbours would be a segment of their own with a cost of minus infinity.
const VARIANCE_FLOOR: f64 = 1e-8;

/// Twice the negative log-likelihood of any segment under a normal distribution with the segment's
/// own mean and variance, in constant time. Terms that are the same for every segmentation are left
/// out: the cost of n values is n · ln(variance).
///
/// Killick, Fearnhead and Eckley, "Optimal detection of changepoints with a linear computational
/// cost", JASA 2012.
#[derive(Debug)]
pub(super) struct NormalCost {
    /// Sum of the values before each index.
    sums: Vec<f64>,
    /// The same of the squares.
    squares: Vec<f64>,
    /// The reciprocal of each possible length, because multiplying takes less time than dividing.
    reciprocals: Vec<f64>,
}

impl NormalCost {
    /// Prepares a sequence of finite values. They should scatter around zero, where sums of squares
    /// lose the fewest digits.
    pub(super) fn of(values: &[f64]) -> Self {
        let (mut sum, mut square) = (0.0, 0.0);
        let (mut sums, mut squares) = (vec![0.0], vec![0.0]);
        for value in values {
            sum += value;
            square += value * value;
            sums.push(sum);
            squares.push(square);
        }
        let reciprocals = (0..sums.len()).map(|length| (length as f64).recip()).collect();
        Self { sums, squares, reciprocals }
    }

    /// Number of values.
    pub(super) fn len(&self) -> usize {
        self.sums.len() - 1
    }

    /// Cost of the values `from..to`, which must not be empty.
    #[inline]
    pub(super) fn of_segment(&self, from: usize, to: usize) -> f64 {
        let share = self.reciprocals[to - from];
        let sum = self.sums[to] - self.sums[from];
        let square = self.squares[to] - self.squares[from];
        let variance = (square - sum * sum * share) * share;
        (to - from) as f64 * variance.max(VARIANCE_FLOOR).ln()
    }
}
