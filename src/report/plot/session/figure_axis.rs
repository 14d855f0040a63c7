//! Axes of figures, which are seconds or numbers.

use super::super::axis::{DurationAxis, PlotFrame, nice};
use super::super::scene::{Scene, TextAnchor};
use super::super::style::{GRID, TICK};
use crate::record::session::FigureKind;
use crate::report::session::{duration, signed, value};

/// A vertical axis of a figure. It need not start at zero: dots have no length to compare, and
/// restarts often differ little.
pub(super) enum FigureAxis {
    /// Logarithmic, for times that span too much.
    Tenfold(DurationAxis),
    /// Linear.
    Linear(FlatAxis),
}

impl FigureAxis {
    /// Ratio of values above which a linear axis would flatten the lower ones.
    const SPAN: f64 = 15.0;

    /// An axis that shows all of `values`.
    pub(super) fn over(kind: FigureKind, values: &[f64]) -> Self {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(0.0, f64::max);
        if kind.is_time() && low > 0.0 && high > low * Self::SPAN {
            Self::Tenfold(DurationAxis::tenfolds(values.iter().map(|value| duration(*value))))
        } else {
            Self::Linear(FlatAxis::over(kind, values.iter().copied(), false))
        }
    }

    /// Height of a value as a share of the axis.
    pub(super) fn share(&self, value: f64) -> f64 {
        match self {
            Self::Tenfold(axis) => axis.share(duration(value)),
            Self::Linear(axis) => axis.share(value),
        }
    }

    /// A note for the subtitle.
    pub(super) fn note(&self) -> &'static str {
        match self {
            Self::Tenfold(axis) => axis.note(),
            Self::Linear(axis) if axis.low > 0.0 => " · not from zero",
            Self::Linear(_) => "",
        }
    }

    /// Draws the grid, with labels at the left.
    pub(super) fn grid(&self, scene: &mut Scene, frame: &PlotFrame) {
        match self {
            Self::Tenfold(axis) => axis.grid(scene, frame),
            Self::Linear(axis) => {
                for (at, label) in axis.steps(5.0) {
                    let y = frame.up(axis.share(at));
                    scene.line(vec![(frame.left, y), (frame.right, y)], 1.0, GRID);
                    scene.text((frame.left - 8.0, y), TextAnchor::End, &label, TICK);
                }
            }
        }
    }
}

/// A linear axis of a figure or of its differences.
#[derive(Debug, Clone, Copy)]
pub(super) struct FlatAxis {
    kind: FigureKind,
    low: f64,
    high: f64,
    /// Whether its values are differences, which have a sign.
    pub(super) is_signed: bool,
}

impl FlatAxis {
    /// An axis that shows all finite `values`; one of differences shows zero too.
    pub(super) fn over(
        kind: FigureKind,
        values: impl Iterator<Item = f64>,
        is_signed: bool,
    ) -> Self {
        let zero = is_signed.then_some(0.0);
        let finite = values.filter(|value| value.is_finite()).chain(zero);
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), it| {
            (low.min(it), high.max(it))
        });
        if low > high {
            return Self { kind, low: 0.0, high: 1.0, is_signed };
        }
        let room = ((high - low) * 0.08).max(high.abs().max(low.abs()) * 0.02).max(1e-6);
        let least = if is_signed || low < 0.0 { f64::NEG_INFINITY } else { 0.0 };
        let low = (low - room).max(least);
        Self { kind, low, high: high + room, is_signed }
    }

    /// Place of a value as a share of the axis.
    fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// Horizontal position of a value.
    pub(super) fn x(&self, frame: &PlotFrame, value: f64) -> f64 {
        frame.across(self.share(value))
    }

    /// Horizontal positions of its ticks, with labels.
    pub(super) fn ticks(&self, frame: &PlotFrame, most: f64) -> Vec<(f64, String)> {
        self.steps(most).into_iter().map(|(at, label)| (self.x(frame, at), label)).collect()
    }

    /// The values with a tick, with labels.
    fn steps(&self, most: f64) -> Vec<(f64, String)> {
        let step = nice((self.high - self.low) / most);
        let first = (self.low / step).ceil();
        let values = (0..20).map(|n| (first + f64::from(n)) * step);
        let values = values.take_while(|value| *value <= self.high);
        let label = |at: f64| {
            // The steps of a sum are not exact: zero would have a sign.
            let at = if at.abs() < step / 1e3 { 0.0 } else { at };
            if self.is_signed { signed(self.kind, at) } else { value(self.kind, at) }
        };
        values.map(|at| (at, label(at))).collect()
    }
}
