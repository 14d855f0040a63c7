//! Renders scenes as PNG with tiny-skia, because plotters does not antialias bitmaps.

use tiny_skia::{
    Color, FillRule, LineJoin, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, Transform,
};

use super::font::PlotFonts;
use super::palette::ColourPalette;
use super::raster::CellRaster;
use super::scene::{Scene, SceneShape};
use super::style::{PAPER, PaperSpot, RgbColour, to_f32};

/// PNG pixels per SVG pixel.
const PIXELS: f32 = 2.0;

/// Renders the scene as PNG.
pub(super) fn png(scene: &Scene, fonts: &PlotFonts) -> Result<Vec<u8>, String> {
    let (width, height) = (pixels(scene.width), pixels(scene.height));
    let mut picture = Pixmap::new(width, height).ok_or("the plot has no area")?;
    picture.fill(colour(PAPER, 1.0));
    for shape in &scene.shapes {
        draw_shape(&mut picture, shape);
    }
    // Texts go on top, as in the SVG.
    for shape in &scene.shapes {
        draw_text(&mut picture, shape, fonts);
    }
    encode_png(picture.data(), width, height)
}

/// Draws everything but texts.
fn draw_shape(picture: &mut Pixmap, shape: &SceneShape) {
    match shape {
        SceneShape::Line { points, width, colour } => {
            let stroke =
                Stroke { width: to_f32(*width), line_join: LineJoin::Round, ..Stroke::default() };
            if let Some(path) = path(points) {
                picture.stroke_path(&path, &paint(*colour, 1.0), &stroke, scale(), None);
            }
        }
        SceneShape::Area { points, colour, opacity } => {
            fill(picture, path(points), &paint(*colour, to_f32(*opacity)));
        }
        SceneShape::Disc { centre, radius, colour } => {
            let circle =
                PathBuilder::from_circle(to_f32(centre.0), to_f32(centre.1), to_f32(*radius));
            fill(picture, circle, &paint(*colour, 1.0));
        }
        SceneShape::Cells(raster) => draw_cells(picture, raster),
        SceneShape::Text { .. } => {}
    }
}

/// Draws cells on whole pixels: antialiased edges would leave seams between them.
fn draw_cells(picture: &mut Pixmap, raster: &CellRaster) {
    raster.cells(f64::from(PIXELS), |[from, to], colour| {
        let paint = Paint { anti_alias: false, ..paint(colour, 1.0) };
        let [left, top, right, bottom] = [from.0, from.1, to.0, to.1].map(|edge| edge as f32);
        if let Some(cell) = Rect::from_ltrb(left, top, right, bottom) {
            picture.fill_rect(cell, &paint, Transform::identity(), None);
        }
    });
}

fn draw_text(picture: &mut Pixmap, shape: &SceneShape, fonts: &PlotFonts) {
    if let SceneShape::Text { left, baseline, text, face, .. } = shape {
        let letters = fonts.outline(text, *face, (to_f32(*left), to_f32(*baseline)));
        fill(picture, letters, &paint(face.colour, 1.0));
    }
}

/// Fills a path; `None` is a path without area.
fn fill(picture: &mut Pixmap, path: Option<Path>, paint: &Paint<'_>) {
    if let Some(path) = path {
        picture.fill_path(&path, paint, FillRule::Winding, scale(), None);
    }
}

fn path(points: &[PaperSpot]) -> Option<Path> {
    let (first, rest) = points.split_first()?;
    let mut path = PathBuilder::with_capacity(points.len(), points.len());
    path.move_to(to_f32(first.0), to_f32(first.1));
    for point in rest {
        path.line_to(to_f32(point.0), to_f32(point.1));
    }
    path.finish()
}

fn scale() -> Transform {
    Transform::from_scale(PIXELS, PIXELS)
}

fn paint(ink: RgbColour, opacity: f32) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color(colour(ink, opacity));
    paint
}

fn colour((red, green, blue): RgbColour, opacity: f32) -> Color {
    let mut colour = Color::from_rgba8(red, green, blue, u8::MAX);
    colour.set_alpha(opacity);
    colour
}

/// Encodes an opaque RGBA picture.
fn encode_png(picture: &[u8], width: u32, height: u32) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    let ColourPalette { colours, pixels } = ColourPalette::of(picture);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(colours.iter().flat_map(|(r, g, b)| [*r, *g, *b]).collect::<Vec<u8>>());
    // Flat areas repeat from row to row; without a filter the compressor finds them.
    encoder.set_filter(png::FilterType::NoFilter);
    encoder.set_compression(png::Compression::Default);
    let mut writer = encoder.write_header().map_err(|error| error.to_string())?;
    writer.write_image_data(&pixels).map_err(|error| error.to_string())?;
    writer.finish().map_err(|error| error.to_string())?;
    Ok(bytes)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the size of a plot is a small number"
)]
fn pixels(length: f64) -> u32 {
    (length.round() * f64::from(PIXELS)) as u32
}
