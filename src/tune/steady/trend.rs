//! Whether a stretch without changes still rises or falls.

/// Standard deviations from zero at which a trend is certain: 1 % of steady stretches have one by
/// chance.
const CERTAIN: f64 = 2.576;
/// Standard deviations within which the true change lies in 90 % of stretches.
const LIKELY: f64 = 1.645;
/// A smaller change from one end to the other is no trend.
const EFFECT: f64 = 0.05;

/// The change from the first to the last of a stretch, by a straight line through its logarithms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct StretchTrend {
    /// The change as a difference of logarithms.
    change: f64,
    /// Its standard deviation.
    deviation: f64,
}

impl StretchTrend {
    /// The trend of logarithms at their indices; `None` for fewer than three.
    pub(super) fn of(points: &[(f64, f64)]) -> Option<Self> {
        let count = points.len() as f64;
        let (first, last) = (points.first()?.0, points.last()?.0);
        let mean_at = points.iter().map(|(at, _)| at).sum::<f64>() / count;
        let mean_log = points.iter().map(|(_, log)| log).sum::<f64>() / count;
        let (mut squares, mut products) = (0.0, 0.0);
        for (at, log) in points {
            squares += (at - mean_at).powi(2);
            products += (at - mean_at) * (log - mean_log);
        }
        let slope = products / squares;
        let error = |(at, log): &(f64, f64)| log - mean_log - slope * (at - mean_at);
        let errors: f64 = points.iter().map(|point| error(point).powi(2)).sum();
        let deviation = (errors / (count - 2.0) / squares).sqrt();
        let span = last - first;
        (points.len() >= 3).then_some(Self { change: slope * span, deviation: deviation * span })
    }

    /// Whether it rises or falls by more than 5 %, beyond chance.
    ///
    /// A slow drift makes no change that a segmentation sees: within a segment it looks like noise.
    pub(super) fn is_certain(&self) -> bool {
        self.change.abs() > EFFECT.ln_1p() && self.change.abs() > CERTAIN * self.deviation
    }

    /// Whether it is shown to change by less than this share.
    pub(super) fn is_below(&self, share: f64) -> bool {
        self.change.abs() + LIKELY * self.deviation < share.ln_1p()
    }
}
