//! The sheet with a heading that every plot starts from.

use super::font::PlotFonts;
use super::scene::Scene;
use super::style::{INK, PlotPaper, SUBTITLE, TextFace, WARNING};

/// The empty sheet that a plot is drawn on.
#[derive(Clone, Copy)]
pub(super) struct PlotSheet<'a> {
    /// The heading.
    pub(super) title: &'a str,
    /// What a reader must know before the figures; may be empty.
    pub(super) caveats: &'a str,
    /// Dimensions.
    pub(super) paper: PlotPaper,
    /// Fonts to measure text with.
    pub(super) fonts: &'static PlotFonts,
}

impl PlotSheet<'_> {
    /// A scene with title, caveats and subtitle, and the position of the next line.
    pub(super) fn headed(&self, subtitle: &str) -> (Scene, f64) {
        let mut scene = Scene::new(self.paper, self.fonts);
        let title = TextFace { size: self.paper.title, bold: true, colour: INK };
        let mut below = scene.paragraph(30.0, self.title, title, 3);
        if !self.caveats.is_empty() {
            // Backticks mark code, which a plot does not set apart.
            let caveats = self.caveats.replace('`', "");
            below = scene.paragraph(below, &format!("! {caveats}"), WARNING, 3);
        }
        let below = scene.paragraph(below, subtitle, SUBTITLE, 4) + 9.0;
        (scene, below)
    }
}
