//! A grid of coloured cells that shows counts.
//!
//! The colours are those of viridis (<https://bids.github.io/colormap/>): even in brightness and
//! distinct for colour-blind readers. High counts are dark on light paper and bright on a dark
//! screen; empty cells are transparent.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::style::{PaperSpot, RgbColour};

/// A grid of cells stretched over part of the paper.
#[derive(Debug, Clone)]
pub(super) struct CellRaster {
    /// Its upper left corner.
    pub(super) from: PaperSpot,
    /// Its lower right corner.
    pub(super) to: PaperSpot,
    /// Number of cells in a row; at least one.
    pub(super) columns: usize,
    /// Level of each cell, row by row from the top: 0 is empty, 1 few, 255 most.
    pub(super) levels: Vec<u8>,
}

/// The theme a raster is coloured for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScreenTheme {
    Light,
    Dark,
}

/// Viridis in nine even steps.
const VIRIDIS: [RgbColour; 9] = [
    (68, 1, 84),
    (71, 44, 122),
    (59, 81, 139),
    (44, 113, 142),
    (33, 144, 141),
    (39, 173, 129),
    (92, 200, 99),
    (170, 220, 50),
    (253, 231, 37),
];

/// The level of a count on a logarithmic scale up to `most`.
pub(super) fn level(count: u64, most: u64) -> u8 {
    if count == 0 {
        return 0;
    }
    let share = if most <= 1 { 0.0 } else { (count as f64).ln() / (most as f64).ln() };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and 255"
    )]
    let level = (1.0 + share.min(1.0) * 254.0).round() as u8;
    level
}

/// The colour of a level on light paper; `None` for an empty cell.
pub(super) fn colour(level: u8) -> Option<RgbColour> {
    (level > 0).then(|| on(ScreenTheme::Light, level))
}

/// A level's colour, leaving out the end of the map that would not stand out from the background.
fn on(screen: ScreenTheme, level: u8) -> RgbColour {
    let share = f64::from(level.max(1) - 1) / 254.0;
    let place = match screen {
        ScreenTheme::Light => 0.80 * (1.0 - share),
        ScreenTheme::Dark => 0.24 + 0.76 * share,
    } * (VIRIDIS.len() - 1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 8")]
    let below = (place.floor() as usize).min(VIRIDIS.len() - 2);
    let (a, b, way) = (VIRIDIS[below], VIRIDIS[below + 1], place - below as f64);
    (between(a.0, b.0, way), between(a.1, b.1, way), between(a.2, b.2, way))
}

fn between(a: u8, b: u8, way: f64) -> u8 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between two bytes"
    )]
    let mixed = (f64::from(a) + (f64::from(b) - f64::from(a)) * way).round() as u8;
    mixed
}

impl CellRaster {
    /// SVG elements at `units` per unit of paper: one picture for light paper and one for dark
    /// screens; styles show one of them.
    pub(super) fn elements(&self, units: f64) -> Result<String, String> {
        let (x, y) = (self.from.0 * units, self.from.1 * units);
        let (width, height) =
            ((self.to.0 - self.from.0) * units, (self.to.1 - self.from.1) * units);
        let image = |screen: ScreenTheme| -> Result<String, String> {
            let (class, display) = match screen {
                ScreenTheme::Light => ("light", "inline"),
                ScreenTheme::Dark => ("dark", "none"),
            };
            let bytes = BASE64.encode(self.encode_png(screen)?);
            Ok(format!(
                "<image class=\"{class}\" display=\"{display}\" x=\"{x:.0}\" y=\"{y:.0}\" width=\"{width:.0}\" \
                 height=\"{height:.0}\" preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\" \
                 href=\"data:image/png;base64,{bytes}\"/>\n"
            ))
        };
        Ok(image(ScreenTheme::Light)? + &image(ScreenTheme::Dark)?)
    }

    fn encode_png(&self, screen: ScreenTheme) -> Result<Vec<u8>, String> {
        let size = |length: usize| u32::try_from(length).map_err(|error| error.to_string());
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(
            &mut bytes,
            size(self.columns)?,
            size(self.levels.len() / self.columns)?,
        );
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        // Only levels that occur are in the palette, the empty one first.
        let used: BTreeSet<u8> = self.levels.iter().copied().chain([0]).collect();
        let colours = used.iter().map(|level| on(screen, *level));
        encoder.set_palette(colours.flat_map(|(r, g, b)| [r, g, b]).collect::<Vec<u8>>());
        encoder.set_trns(vec![0_u8]);
        encoder.set_compression(png::Compression::Best);
        let mut writer = encoder.write_header().map_err(|error| error.to_string())?;
        let place = |level: &u8| u8::try_from(used.range(..level).count()).unwrap_or(u8::MAX);
        let pixels: Vec<u8> = self.levels.iter().map(place).collect();
        writer.write_image_data(&pixels).map_err(|error| error.to_string())?;
        writer.finish().map_err(|error| error.to_string())?;
        Ok(bytes)
    }

    /// Calls `paint` with the corners and the light colour of each non-empty cell, at `zoom` pixels
    /// per unit of paper.
    pub(super) fn cells(&self, zoom: f64, mut paint: impl FnMut([(i32, i32); 2], RgbColour)) {
        let rows = self.levels.len() / self.columns;
        let edge = |from: f64, to: f64, share: f64| pixel((from + (to - from) * share) * zoom);
        for (at, level) in self.levels.iter().enumerate() {
            let Some(colour) = colour(*level) else { continue };
            let (row, column) = (at / self.columns, at % self.columns);
            let across =
                |column: usize| edge(self.from.0, self.to.0, column as f64 / self.columns as f64);
            let down = |row: usize| edge(self.from.1, self.to.1, row as f64 / rows as f64);
            paint([(across(column), down(row)), (across(column + 1), down(row + 1))], colour);
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "pixels of a plot fit")]
fn pixel(place: f64) -> i32 {
    place.round() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_exchange_is_visible_and_the_maximum_stands_out() {
        assert_eq!([level(0, 9), level(1, 9), level(9, 9), level(1, 1)], [0, 1, 255, 1]);
        assert!(level(3, 9) > level(2, 9));
        assert_eq!(colour(0), None);
    }

    #[test]
    fn more_is_darker_on_paper_and_brighter_on_a_dark_screen() {
        let brightness = |screen, level| {
            let (r, g, b) = on(screen, level);
            0.2126 * f64::from(r).powi(2)
                + 0.7152 * f64::from(g).powi(2)
                + 0.0722 * f64::from(b).powi(2)
        };
        for (few, more) in (1..240).step_by(15).map(|level| (level, level + 15)) {
            let of = |screen| (brightness(screen, few), brightness(screen, more));
            let ((few_on_paper, on_paper), (few_on_dark, on_dark)) =
                (of(ScreenTheme::Light), of(ScreenTheme::Dark));
            assert!(on_paper < few_on_paper && on_dark > few_on_dark, "{few}");
        }
    }
}
