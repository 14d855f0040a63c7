//! Where a gradual warm-up ends.
//!
//! Segments of constant mean end a gradual warm-up too early: the last of its slope is small and
//! looks like a part of the steady state. With a coefficient of variation of 30 % they are 20
//! requests early for an exponential that takes 40. So curves that fall (or rise) to a level are
//! fitted too, and the better description wins.

use super::segmentation::Segmentation;

/// The steady state begins where the mean is within 5 % of the level.
const EFFECT: f64 = 0.05;
/// Each length that is tried is this many times the one before.
const LENGTH_STEP: f64 = 1.08;
const SHORTEST: f64 = 4.0;
/// Lengths up to this many times the sequence are tried, so that a slope that has not ended is not
/// taken for one that ends with the sequence.
const LONGEST: f64 = 2.0;
/// Parameters of a curve: level, excess, length and shape.
const CURVE_PARAMETERS: f64 = 4.0;
/// Parameters of each segment: its mean and its end.
const SEGMENT_PARAMETERS: f64 = 2.0;
/// Rounds of weighting by the fitted mean; noise of latency is in proportion to its mean.
const WEIGHTINGS: usize = 3;

/// One request: its index in the curve, and its latency in medians (positive).
#[derive(Debug, Clone, Copy)]
pub(super) struct CurvePoint {
    pub(super) index: f64,
    pub(super) value: f64,
}

/// The index from which the mean is within 5 % of its level, if a curve describes the points better
/// than the segments do. It may lie beyond the last point.
///
/// The curves are `level + excess · g(index / length)` with a straight line or an exponential as g.
/// Both descriptions are compared by Schwarz's criterion (BIC) for log-normal noise.
pub(super) fn end_of_decay(points: &[CurvePoint], segmentation: &Segmentation) -> Option<f64> {
    let last = points.last()?.index;
    let limit = segments_criterion(points, segmentation);
    let mut best: Option<(f64, DecayCurve)> = None;
    for shape in [DecayShape::Line, DecayShape::Exponential] {
        let mut length = SHORTEST;
        while length < LONGEST * last {
            let fitted = DecayCurve::fit(points, shape, length);
            let to_beat = best.as_ref().map_or(limit, |(criterion, _)| *criterion);
            best = fitted.filter(|(criterion, _)| *criterion < to_beat).or(best);
            length *= LENGTH_STEP;
        }
    }
    best.map(|(_, curve)| curve.end())
}

/// Schwarz's criterion of the segments, up to a constant.
fn segments_criterion(points: &[CurvePoint], segmentation: &Segmentation) -> f64 {
    let ranges = segmentation.ranges();
    let parameters = SEGMENT_PARAMETERS * ranges.len() as f64;
    let squares = ranges.into_iter().map(|range| {
        let logs: Vec<f64> = points[range].iter().map(|point| point.value.ln()).collect();
        squares_around_mean(&logs)
    });
    criterion(squares.sum(), points.len(), parameters)
}

fn criterion(squares: f64, count: usize, parameters: f64) -> f64 {
    let count = count as f64;
    count * (squares / count).max(f64::MIN_POSITIVE).ln() + parameters * count.ln()
}

fn squares_around_mean(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|value| (value - mean).powi(2)).sum()
}

#[derive(Debug, Clone, Copy)]
enum DecayShape {
    Line,
    Exponential,
}

impl DecayShape {
    /// The share of the excess that is left at a multiple of the length.
    fn left(self, share: f64) -> f64 {
        match self {
            Self::Line => (1.0 - share).max(0.0),
            Self::Exponential => (-share).exp(),
        }
    }

    /// The multiple of the length at which this share of the excess is left.
    fn reaches(self, left: f64) -> f64 {
        match self {
            Self::Line => 1.0 - left,
            Self::Exponential => -left.ln(),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct DecayCurve {
    shape: DecayShape,
    length: f64,
    level: f64,
    excess: f64,
}

impl DecayCurve {
    /// The curve of one shape and length that fits best by weighted least squares, and Schwarz's
    /// criterion of it; `None` if its level is not positive.
    fn fit(points: &[CurvePoint], shape: DecayShape, length: f64) -> Option<(f64, Self)> {
        let left: Vec<f64> = points.iter().map(|point| shape.left(point.index / length)).collect();
        let mut curve = Self { shape, length, level: 1.0, excess: 0.0 };
        let mut means: Vec<f64> = points.iter().map(|point| point.value).collect();
        for _ in 0..WEIGHTINGS {
            (curve.level, curve.excess) = solve(points, &left, &means)?;
            if curve.level <= 0.0 {
                return None;
            }
            means = left.iter().map(|left| curve.mean(*left)).collect();
        }
        let errors: Vec<f64> =
            points.iter().zip(&means).map(|(point, mean)| (point.value / mean).ln()).collect();
        // The mean of a logarithm is below the logarithm of the mean, by the same everywhere.
        Some((criterion(squares_around_mean(&errors), points.len(), CURVE_PARAMETERS), curve))
    }

    /// The mean where this share of the excess is left.
    fn mean(&self, left: f64) -> f64 {
        (self.level + self.excess * left).max(0.1 * self.level)
    }

    fn end(&self) -> f64 {
        let allowed = EFFECT * self.level / self.excess.abs();
        if allowed >= 1.0 { 0.0 } else { self.length * self.shape.reaches(allowed) }
    }
}

/// Level and excess that minimise the squared errors in proportion to the means; `None` if the
/// points do not determine them.
fn solve(points: &[CurvePoint], left: &[f64], means: &[f64]) -> Option<(f64, f64)> {
    let (mut sum, mut sum_left, mut sum_squares) = (0.0, 0.0, 0.0);
    let (mut sum_value, mut sum_product) = (0.0, 0.0);
    for ((point, left), mean) in points.iter().zip(left).zip(means) {
        let weight = (mean * mean).recip();
        sum += weight;
        sum_left += weight * left;
        sum_squares += weight * left * left;
        sum_value += weight * point.value;
        sum_product += weight * left * point.value;
    }
    let determinant = sum * sum_squares - sum_left * sum_left;
    let is_determined = determinant > 1e-9 * sum * sum_squares;
    is_determined.then(|| {
        let level = (sum_squares * sum_value - sum_left * sum_product) / determinant;
        let excess = (sum * sum_product - sum_left * sum_value) / determinant;
        (level, excess)
    })
}
