//! The embedded font: registration with plotters, text width, and rasterization.
//!
//! plotters drops the space left of each letter and rounds every advance on bitmaps, which is
//! visible at small sizes. This module rasterizes text with the same font instead.

use std::sync::LazyLock;

use ab_glyph::{Font as _, FontRef, PxScale, ScaleFont as _, point};

use super::PlotError;
use super::style::TextFace;

pub(super) static REGULAR: &[u8] = include_bytes!("../fonts/Roboto-Regular.ttf");
pub(super) static BOLD: &[u8] = include_bytes!("../fonts/Roboto-Bold.ttf");

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
        let scaled = self.of(face).as_scaled(self.scale(face, 1.0));
        text.chars().map(|c| f64::from(scaled.h_advance(scaled.glyph_id(c)))).sum()
    }

    /// Rasterizes a text from `left` on its `baseline`, both in pixels; `paint` gets each pixel
    /// with its coverage.
    pub(super) fn set(
        &self,
        text: &str,
        face: TextFace,
        zoom: f64,
        (left, baseline): (f64, f64),
        mut paint: impl FnMut(i64, i64, f32),
    ) {
        let font = self.of(face);
        let scale = self.scale(face, zoom);
        let scaled = font.as_scaled(scale);
        let mut at = narrow(left);
        for c in text.chars() {
            let id = scaled.glyph_id(c);
            let glyph = id.with_scale_and_position(scale, point(at, narrow(baseline)));
            at += scaled.h_advance(id);
            let Some(outline) = font.outline_glyph(glyph) else { continue };
            let corner = outline.px_bounds().min;
            outline.draw(|x, y, covered| {
                paint(whole(corner.x) + i64::from(x), whole(corner.y) + i64::from(y), covered);
            });
        }
    }

    fn of(&self, face: TextFace) -> &FontRef<'static> {
        if face.bold { &self.bold } else { &self.regular }
    }

    /// The scale of `ab_glyph` is the line height, while a face's size is an em.
    fn scale(&self, face: TextFace, zoom: f64) -> PxScale {
        let font = self.of(face);
        let line_in_ems = font.height_unscaled() / font.units_per_em().unwrap_or(2048.0);
        PxScale::from(narrow(face.size * zoom) * line_in_ems)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "pixels of a plot are far below the precision of an f32"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[expect(clippy::cast_possible_truncation, reason = "pixels of a plot fit")]
fn whole(value: f32) -> i64 {
    value as i64
}
