//! Axes of figures, which are seconds or numbers.

use super::super::axis::{DurationAxis, NumberAxis, PlotFrame, nice};
use super::super::scene::Scene;
use crate::record::session::FigureKind;
use crate::report::session::{duration, signed, value};

/// A vertical axis of a figure.
pub(super) enum FigureAxis {
    /// Of seconds.
    Time(DurationAxis),
    /// Of a number.
    Number(NumberAxis),
}

impl FigureAxis {
    /// An axis that shows all of `values`.
    pub(super) fn over(kind: FigureKind, values: &[f64]) -> Self {
        if kind.is_time() {
            let times = || values.iter().map(|value| duration(*value));
            Self::Time(DurationAxis::over(times(), times()))
        } else {
            Self::Number(NumberAxis::over(values.iter().copied(), 5.0))
        }
    }

    /// Height of a value as a share of the axis.
    pub(super) fn share(&self, value: f64) -> f64 {
        match self {
            Self::Time(axis) => axis.share(duration(value)),
            Self::Number(axis) => axis.share(value),
        }
    }

    /// A note for the subtitle.
    pub(super) fn note(&self) -> &'static str {
        match self {
            Self::Time(axis) => axis.note(),
            Self::Number(_) => "",
        }
    }

    /// Draws the grid, with labels at the left.
    pub(super) fn grid(&self, scene: &mut Scene, frame: &PlotFrame) {
        match self {
            Self::Time(axis) => axis.grid(scene, frame),
            Self::Number(axis) => axis.grid(scene, frame),
        }
    }
}

/// A horizontal, linear axis of a figure or of its differences.
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
        let low = if is_signed { low - room } else { (low - room).max(0.0) };
        Self { kind, low, high: high + room, is_signed }
    }

    /// Position of a value.
    pub(super) fn x(&self, frame: &PlotFrame, value: f64) -> f64 {
        frame.across((value - self.low) / (self.high - self.low))
    }

    /// Positions of its ticks, with labels.
    pub(super) fn ticks(&self, frame: &PlotFrame, most: f64) -> Vec<(f64, String)> {
        let step = nice((self.high - self.low) / most);
        let first = (self.low / step).ceil();
        let values = (0..20).map(|n| (first + f64::from(n)) * step);
        let values = values.take_while(|value| *value <= self.high);
        let label = |at: f64| {
            // The steps of a sum are not exact: zero would have a sign.
            let at = if at.abs() < step / 1e3 { 0.0 } else { at };
            if self.is_signed { signed(self.kind, at) } else { value(self.kind, at) }
        };
        values.map(|at| (self.x(frame, at), label(at))).collect()
    }
}
