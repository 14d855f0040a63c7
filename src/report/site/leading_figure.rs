//! The figure that stands for a series: the same one at each of its points.

use std::time::Duration;

use crate::history::{RequestHistory, TimeBin};
use crate::record::{Budget, Dimension};
use crate::units::Quantile;

/// A quantile of latency, or the latency of single exchanges, over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) struct LeadingFigure {
    /// The quantile; `None` for the latency of single exchanges.
    pub(in crate::report) quantile: Option<Quantile>,
}

impl LeadingFigure {
    /// The first of p95, p50 and the latency of single exchanges that most points have.
    pub(in crate::report) fn of(history: &RequestHistory) -> Self {
        let quantiles = [Quantile::P95, Quantile::P50].map(Some).into_iter();
        let mut figures = quantiles.map(|quantile| Self { quantile });
        figures.find(|figure| figure.is_usual(history)).unwrap_or(Self { quantile: None })
    }

    /// The quantile that a budget limits, if most points have it; otherwise that of [`Self::of`].
    pub(in crate::report) fn limited_by(budget: &Budget, history: &RequestHistory) -> Self {
        let figure = Self { quantile: limited_quantile(budget) };
        if figure.quantile.is_some() && figure.is_usual(history) {
            return figure;
        }
        Self::of(history)
    }

    fn is_usual(self, history: &RequestHistory) -> bool {
        let measured = history.bins.bins.iter().filter(|bin| bin.latency.count > 0).count();
        self.values(history).count() * 2 > measured
    }

    /// Its value at a point.
    pub(in crate::report) fn value(self, bin: &TimeBin) -> Option<Duration> {
        let Some(quantile) = self.quantile else { return bin.latency.single() };
        bin.latency.named().into_iter().find(|(name, _)| *name == quantile)?.1
    }

    /// Its values, oldest first.
    pub(in crate::report) fn values(
        self,
        history: &RequestHistory,
    ) -> impl Iterator<Item = Duration> {
        history.bins.bins.iter().filter_map(move |bin| self.value(bin))
    }

    /// Whether a budget limits it.
    pub(in crate::report) fn is_limit(self, budget: &Budget) -> bool {
        self.quantile.is_some() && limited_quantile(budget) == self.quantile
    }

    /// `p95`, or `latency` of single exchanges.
    pub(in crate::report) fn name(self) -> String {
        self.quantile.map_or_else(|| "latency".to_owned(), |quantile| quantile.to_string())
    }
}

fn limited_quantile(budget: &Budget) -> Option<Quantile> {
    match *budget {
        Budget::Quantile { quantile, dimension: Dimension::Latency, .. }
        | Budget::Relative { quantile, dimension: Dimension::Latency, .. } => Some(quantile),
        _ => None,
    }
}
