//! The embedded font: text width and outlines.
//!
//! A PNG draws the outlines of its letters, so its text is placed as exactly as its lines.

use std::sync::LazyLock;

use ab_glyph::{Font as _, FontRef, OutlineCurve, Point, PxScale, ScaleFont as _};
use tiny_skia::{Path, PathBuilder};

use super::PlotError;
use super::style::{TextFace, to_f32};

static REGULAR: &[u8] = include_bytes!("../fonts/Roboto-Regular.ttf");
static BOLD: &[u8] = include_bytes!("../fonts/Roboto-Bold.ttf");

static FONTS: LazyLock<Option<PlotFonts>> = LazyLock::new(|| {
    Some(PlotFonts {
        regular: FontRef::try_from_slice(REGULAR).ok()?,
        bold: FontRef::try_from_slice(BOLD).ok()?,
    })
});

/// The embedded font in both weights.
pub(super) struct PlotFonts {
    regular: FontRef<'static>,
    bold: FontRef<'static>,
}

impl PlotFonts {
    /// The embedded font.
    pub(super) fn embedded() -> Result<&'static Self, PlotError> {
        FONTS.as_ref().ok_or(PlotError::Font)
    }

    /// The width of a text.
    pub(super) fn width(&self, text: &str, face: TextFace) -> f64 {
        let scaled = self.of(face).as_scaled(self.scale(face));
        text.chars().map(|c| f64::from(scaled.h_advance(scaled.glyph_id(c)))).sum()
    }

    /// The letters of a text from `left` on its `baseline` as one path; `None` if it has no ink.
    pub(super) fn outline(
        &self,
        text: &str,
        face: TextFace,
        (left, baseline): (f32, f32),
    ) -> Option<Path> {
        let font = self.of(face);
        let scaled = font.as_scaled(self.scale(face));
        let mut path = PathBuilder::new();
        let mut at = left;
        for c in text.chars() {
            let id = scaled.glyph_id(c);
            if let Some(outline) = font.outline(id) {
                let (across, down) = (scaled.h_scale_factor(), -scaled.v_scale_factor());
                push_curves(&mut path, &outline.curves, |point| {
                    (at + point.x * across, baseline + point.y * down)
                });
            }
            at += scaled.h_advance(id);
        }
        path.finish()
    }

    fn of(&self, face: TextFace) -> &FontRef<'static> {
        if face.bold { &self.bold } else { &self.regular }
    }

    /// The scale of `ab_glyph` is the line height, while a face's size is an em.
    fn scale(&self, face: TextFace) -> PxScale {
        let font = self.of(face);
        let line_in_ems = font.height_unscaled() / font.units_per_em().unwrap_or(2048.0);
        PxScale::from(to_f32(face.size) * line_in_ems)
    }
}

/// Appends a glyph's curves. `ab_glyph` lists them without saying where one contour ends and the
/// next begins: a contour begins wherever a curve does not start at the end of the last one.
fn push_curves(
    path: &mut PathBuilder,
    curves: &[OutlineCurve],
    place: impl Fn(Point) -> (f32, f32),
) {
    let mut end = None;
    for curve in curves {
        let (OutlineCurve::Line(from, to)
        | OutlineCurve::Quad(from, _, to)
        | OutlineCurve::Cubic(from, _, _, to)) = *curve;
        if end != Some(from) {
            let (x, y) = place(from);
            path.move_to(x, y);
        }
        end = Some(to);
        let (x, y) = place(to);
        match curve {
            OutlineCurve::Line(..) => path.line_to(x, y),
            OutlineCurve::Quad(_, control, _) => {
                let (x1, y1) = place(*control);
                path.quad_to(x1, y1, x, y);
            }
            OutlineCurve::Cubic(_, first, second, _) => {
                let ((x1, y1), (x2, y2)) = (place(*first), place(*second));
                path.cubic_to(x1, y1, x2, y2, x, y);
            }
        }
    }
}
