//! Renders scenes as SVG and PNG with plotters.

use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, RGBColor, ShapeStyle, TextStyle};

use super::font::PlotFonts;
use super::palette::ColourPalette;
use super::raster::CellRaster;
use super::scene::{Scene, SceneShape, TextAnchor};
use super::style::{PAPER, PaperSpot, RgbColour, TextFace, dark_rules, hex};

/// PNG pixels per SVG pixel.
pub(super) const PIXELS: usize = 2;
/// Samples per PNG pixel in each direction, because plotters does not antialias bitmaps.
const SAMPLES: usize = 2;
/// SVG units per pixel; plotters rounds to whole units.
const UNITS: f64 = 10.0;
/// plotters divides a font size by this before it writes it to an SVG.
const PLOTTERS_FONT_SIZE: f64 = 1.24;
/// Distance in ems from a text's top anchor to the baseline that plotters uses.
const TOP_TO_BASELINE: f64 = 0.76;
/// Fonts about as wide as the embedded one, because SVGs embed none.
const FAMILY: FontFamily<'static> =
    FontFamily::Name("Roboto, Helvetica Neue, Arial, Liberation Sans, sans-serif");

/// Renders the scene as SVG. A standalone file includes its background and dark colours; inside a
/// page, the page provides them.
pub(super) fn svg(scene: &Scene, words: &PlotText<'_>, on_its_own: bool) -> Result<String, String> {
    let mut body = String::new();
    if on_its_own {
        let (paper, rules) = (hex(PAPER), dark_rules(""));
        body += &format!(
            "<style>{rules}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"{paper}\"/>\n"
        );
    }
    // plotters cannot embed a picture, so it draws the shapes below and above each one separately.
    for piece in scene.shapes.split_inclusive(|shape| matches!(shape, SceneShape::Cells(_))) {
        body += &draw_shapes(piece, scene)?;
        if let Some(SceneShape::Cells(raster)) = piece.last() {
            body += &raster.elements(UNITS)?;
        }
    }
    Ok(with_text(&body, scene, words))
}

/// Some shapes of a scene as SVG elements, with texts on top.
fn draw_shapes(piece: &[SceneShape], scene: &Scene) -> Result<String, String> {
    let mut svg = String::new();
    let size =
        (units(scene.width * UNITS).unsigned_abs(), units(scene.height * UNITS).unsigned_abs());
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        draw_vectors(&area, piece, UNITS)?;
        piece.iter().try_for_each(|shape| svg_text(&area, shape))?;
        area.present().map_err(|error| error.to_string())?;
    }
    let body = svg.split_once('>').map_or("", |(_, body)| body);
    let body = body.trim_end().strip_suffix("</svg>").unwrap_or(body).trim_start();
    // Quotes in texts are escaped, so only real attributes match these redundant ones.
    Ok(body.replace(" opacity=\"1\"", "").replace(" stroke=\"none\" stroke-width=\"10\"", ""))
}

/// The title of a plot and its description.
pub(super) struct PlotText<'a> {
    pub(super) title: &'a str,
    pub(super) alt: &'a str,
}

/// The SVG element with its size, role, name and description.
fn with_text(body: &str, scene: &Scene, words: &PlotText<'_>) -> String {
    let (width, height) = (scene.width, scene.height);
    let view = format!("0 0 {} {}", width * UNITS, height * UNITS);
    let label = format!("{}. {}", words.title, words.alt);
    maud::html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(width) height=(height) viewBox=(view) role="img" aria-label=(label) {
            title { (words.title) }
            desc { (words.alt) }
            (maud::PreEscaped(body))
        }
    }
    .into_string()
}

/// Renders the scene as PNG.
pub(super) fn png(scene: &Scene, fonts: &PlotFonts) -> Result<Vec<u8>, String> {
    let zoom = PIXELS * SAMPLES;
    let (width, height) = (pixels(scene.width, zoom), pixels(scene.height, zoom));
    let mut samples = vec![255_u8; width * height * 3];
    {
        let size = (u32_of(width)?, u32_of(height)?);
        let area = BitMapBackend::with_buffer(&mut samples, size).into_drawing_area();
        for piece in scene.shapes.split_inclusive(|shape| matches!(shape, SceneShape::Cells(_))) {
            draw_vectors(&area, piece, zoom as f64)?;
            if let Some(SceneShape::Cells(raster)) = piece.last() {
                draw_cells(&area, raster, zoom as f64)?;
            }
        }
        area.present().map_err(|error| error.to_string())?;
    }
    for shape in &scene.shapes {
        if let SceneShape::Text { left, baseline, text, face, .. } = shape {
            let zoom = zoom as f64;
            fonts.set(text, *face, zoom, (left * zoom, baseline * zoom), |x, y, covered| {
                blend(&mut samples, width, (x, y), face.colour, covered);
            });
        }
    }
    encode_png(&downsample(&samples, width), u32_of(width / SAMPLES)?, u32_of(height / SAMPLES)?)
}

fn blend(samples: &mut [u8], width: usize, (x, y): (i64, i64), colour: RgbColour, covered: f32) {
    let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
    let at = (y * width + x) * 3;
    if x >= width || at + 3 > samples.len() {
        return;
    }
    for (sample, ink) in samples[at..at + 3].iter_mut().zip([colour.0, colour.1, colour.2]) {
        let mixed =
            f32::from(*sample) + (f32::from(ink) - f32::from(*sample)) * covered.clamp(0.0, 1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between two bytes"
        )]
        let mixed = mixed.round() as u8;
        *sample = mixed;
    }
}

/// Averages each block of four samples into one pixel.
fn downsample(samples: &[u8], width: usize) -> Vec<u8> {
    let row = width * 3;
    let mut pixels = Vec::with_capacity(samples.len() / 4);
    for rows in samples.chunks_exact(row * 2) {
        let (upper, lower) = rows.split_at(row);
        let mut at = 0;
        while at + 3 < row {
            pixels.push(mean(upper[at], upper[at + 3], lower[at], lower[at + 3]));
            // The next channel, or the next pair of samples.
            at += if at % 6 == 2 { 4 } else { 1 };
        }
    }
    pixels
}

fn mean(a: u8, b: u8, c: u8, d: u8) -> u8 {
    let sum = u16::from(a) + u16::from(b) + u16::from(c) + u16::from(d);
    #[expect(clippy::cast_possible_truncation, reason = "the mean of bytes is a byte")]
    let mean = ((sum + 2) / 4) as u8;
    mean
}

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

fn draw_cells<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    raster: &CellRaster,
    zoom: f64,
) -> Result<(), String> {
    let mut drawn = Ok(());
    raster.cells(zoom, |corners, colour| {
        let cell = Rectangle::new(corners, filled(colour, 1.0));
        drawn = drawn.clone().and_then(|()| area.draw(&cell).map_err(|error| error.to_string()));
    });
    drawn
}

/// Draws all shapes except texts and cells, which each format draws in its own way.
fn draw_vectors<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    piece: &[SceneShape],
    zoom: f64,
) -> Result<(), String> {
    let at = |spot: &PaperSpot| (units(spot.0 * zoom), units(spot.1 * zoom));
    let all = |points: &[PaperSpot]| points.iter().map(at).collect::<Vec<_>>();
    for shape in piece {
        let drawn = match shape {
            SceneShape::Line { points, width, colour } => {
                let style = ShapeStyle {
                    stroke_width: units(width * zoom).unsigned_abs(),
                    ..filled(*colour, 1.0)
                };
                area.draw(&PathElement::new(all(points), style))
            }
            SceneShape::Area { points, colour, opacity } => {
                area.draw(&Polygon::new(all(points), filled(*colour, *opacity)))
            }
            SceneShape::Disc { centre, radius, colour } => {
                area.draw(&Circle::new(at(centre), units(radius * zoom), filled(*colour, 1.0)))
            }
            SceneShape::Text { .. } | SceneShape::Cells(_) => Ok(()),
        };
        drawn.map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn svg_text<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    shape: &SceneShape,
) -> Result<(), String> {
    let SceneShape::Text { left, baseline, width, text, face, side } = shape else { return Ok(()) };
    let (x, anchor) = match side {
        TextAnchor::Start => (*left, HPos::Left),
        TextAnchor::Middle => (left + width / 2.0, HPos::Center),
        TextAnchor::End => (left + width, HPos::Right),
    };
    let top = baseline - TOP_TO_BASELINE * face.size;
    let spot = (units(x * UNITS), units(top * UNITS));
    let style = svg_style(*face).pos(Pos::new(anchor, VPos::Top));
    area.draw(&Text::new(text.as_str(), spot, style)).map_err(|error| error.to_string())
}

fn svg_style(face: TextFace) -> TextStyle<'static> {
    let weight = if face.bold { FontStyle::Bold } else { FontStyle::Normal };
    let size = face.size * UNITS * PLOTTERS_FONT_SIZE;
    let mut style = TextStyle::from(FontDesc::new(FAMILY, size, weight));
    style.color = rgb(face.colour).to_backend_color();
    style
}

fn filled(colour: RgbColour, opacity: f64) -> ShapeStyle {
    rgb(colour).mix(opacity).filled()
}

fn rgb((red, green, blue): RgbColour) -> RGBColor {
    RGBColor(red, green, blue)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "positions on a plot fit, and other values should saturate"
)]
fn units(value: f64) -> i32 {
    value.round() as i32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the size of a plot is a small number"
)]
fn pixels(length: f64, zoom: usize) -> usize {
    length.round() as usize * zoom
}

fn u32_of(value: usize) -> Result<u32, String> {
    u32::try_from(value).map_err(|error| error.to_string())
}
