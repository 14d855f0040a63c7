//! Where the label of a change point fits next to its line.

use super::super::axis::PlotFrame;
use super::super::scene::TextAnchor;
use super::super::style::PaperSpot;

/// The distance of a label from its line.
const DISTANCE: f64 = 5.0;

/// The vertical line of a change point.
#[derive(Debug, Clone, Copy)]
pub(super) struct MarkPlace<'a> {
    /// The plot that it is in.
    pub(super) frame: &'a PlotFrame,
    /// Its position from the left.
    pub(super) x: f64,
}

impl MarkPlace<'_> {
    fn fits_right(self, width: f64) -> bool {
        self.x + DISTANCE + width <= self.frame.right
    }

    fn fits_left(self, width: f64) -> bool {
        self.x - DISTANCE - width >= self.frame.left
    }

    /// Whether a label of this width fits on one of its sides.
    pub(super) fn fits(self, width: f64) -> bool {
        self.fits_right(width) || self.fits_left(width)
    }

    /// Candidate spots for a label: on the sides where it fits, the right one first. They are at
    /// several heights, so that labels of neighbouring lines stack.
    pub(super) fn label_spots(self, width: f64) -> Vec<(PaperSpot, TextAnchor)> {
        let is_right = self.fits_right(width) || !self.fits_left(width);
        let right = is_right.then_some((self.x + DISTANCE, TextAnchor::Start));
        let left = self.fits_left(width).then_some((self.x - DISTANCE, TextAnchor::End));
        let sides: Vec<_> = right.into_iter().chain(left).collect();
        let at = |up: f64| sides.iter().map(move |(x, side)| ((*x, self.frame.up(up)), *side));
        [0.95, 0.86, 0.77, 0.05, 0.14, 0.23, 0.5].into_iter().flat_map(at).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::plot::font::PlotFonts;
    use crate::report::plot::scene::{Scene, SceneShape};
    use crate::report::plot::style::{LABEL, PlotPaper};

    const FRAME: PlotFrame = PlotFrame { left: 64.0, right: 360.0, top: 50.0, bottom: 280.0 };

    fn sides(x: f64, width: f64) -> Vec<(f64, TextAnchor)> {
        let spots = MarkPlace { frame: &FRAME, x }.label_spots(width);
        let mut sides: Vec<_> = spots.into_iter().map(|((x, _), side)| (x, side)).collect();
        sides.dedup();
        sides.truncate(2);
        sides
    }

    #[test]
    fn a_label_that_does_not_fit_to_the_right_ends_left_of_its_line() {
        assert_eq!(sides(300.0, 200.0), [(295.0, TextAnchor::End)]);
        assert_eq!(sides(100.0, 200.0), [(105.0, TextAnchor::Start)]);
        assert_eq!(sides(210.0, 100.0), [(215.0, TextAnchor::Start), (205.0, TextAnchor::End)]);
        assert!(!MarkPlace { frame: &FRAME, x: 210.0 }.fits(200.0));
    }

    #[test]
    fn labels_of_neighbouring_lines_stack() {
        let mut scene = Scene::new(PlotPaper::NARROW, PlotFonts::embedded().unwrap());
        for x in [300.0, 304.0, 308.0, 312.0] {
            let text = "−13 %, near deploy 88";
            let spots = MarkPlace { frame: &FRAME, x }.label_spots(scene.tag_width(text, LABEL));
            scene.tag_where_free(&spots, text, LABEL, &[]);
        }
        let baselines = scene.shapes.iter().filter_map(|shape| {
            if let SceneShape::Text { baseline, .. } = shape { Some(*baseline) } else { None }
        });
        let mut baselines: Vec<f64> = baselines.collect();
        baselines.sort_by(f64::total_cmp);
        assert!(baselines.windows(2).all(|pair| pair[1] - pair[0] > LABEL.size), "{baselines:?}");
    }
}
