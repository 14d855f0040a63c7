//! Confidence intervals of quantiles, side by side where several requests have the same quantile.

use super::axis::PlotFrame;
use super::scene::{Scene, along};
use super::style::{PaperSpot, RgbColour};

/// Space between a marker and the first interval next to it.
const FIRST: f64 = 10.0;
/// Space between two intervals.
const APART: f64 = 9.0;

/// The intervals of a plot.
pub(super) struct QuantileWhiskers {
    frame: PlotFrame,
    whiskers: Vec<QuantileWhisker>,
}

/// One interval on the paper.
#[derive(Debug, PartialEq)]
struct QuantileWhisker {
    /// Position of its quantile.
    quantile: f64,
    /// Position of the line.
    x: f64,
    bottom: f64,
    /// Its upper end; `None` if there is none, which an arrow shows.
    top: Option<f64>,
    colour: RgbColour,
}

impl QuantileWhiskers {
    /// No intervals yet. They stand left of the markers: a marker would hide a short one, and a
    /// long one would run through the markers and labels of other curves.
    pub(super) fn new(frame: PlotFrame) -> Self {
        Self { frame, whiskers: Vec::new() }
    }

    /// Adds the interval of the quantile at `quantile`, in the colour of its curve.
    pub(super) fn add(
        &mut self,
        quantile: f64,
        (bottom, top): (f64, Option<f64>),
        colour: RgbColour,
    ) {
        let is_same = |other: &&QuantileWhisker| (other.quantile - quantile).abs() < 1.0;
        let earlier = self.whiskers.iter().filter(is_same).count();
        let aside = FIRST + APART * earlier as f64;
        let x = (quantile - aside).max(self.frame.left + 4.0);
        self.whiskers.push(QuantileWhisker { quantile, x, bottom, top, colour });
    }

    /// Draws all of them.
    pub(super) fn draw(&self, scene: &mut Scene) {
        for QuantileWhisker { x, bottom, top, colour, .. } in &self.whiskers {
            if let Some(top) = top {
                scene.whisker(*x, *top, *bottom, *colour);
            } else {
                scene.open_whisker(*x, self.frame.top + 2.0, *bottom, *colour);
                scene.arrow_up((*x, self.frame.top - 5.0), *colour);
            }
        }
    }

    /// Spots along all of them.
    pub(super) fn spots(&self) -> impl Iterator<Item = PaperSpot> {
        self.whiskers.iter().flat_map(|whisker| {
            let top = whisker.top.unwrap_or(self.frame.top);
            along(&[(whisker.x, top), (whisker.x, whisker.bottom)])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::plot::style::SERIES;

    #[test]
    fn intervals_of_one_quantile_stand_apart_from_each_other_and_from_the_markers() {
        let frame = PlotFrame { left: 0.0, right: 400.0, top: 0.0, bottom: 300.0 };
        let mut whiskers = QuantileWhiskers::new(frame);
        for (colour, quantile) in SERIES.into_iter().zip([200.0, 200.0, 200.0, 320.0]) {
            whiskers.add(quantile, (100.0, None), colour);
        }
        let places: Vec<f64> = whiskers.whiskers.iter().map(|whisker| whisker.x).collect();
        assert_eq!(places, [190.0, 181.0, 172.0, 310.0]);
        let spots: Vec<PaperSpot> = whiskers.spots().collect();
        assert!(spots.contains(&(181.0, 0.0)), "an open one ends at the top");
    }
}
