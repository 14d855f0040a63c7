//! Renders scenes as SVG with plotters.

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, RGBColor, ShapeStyle, TextStyle};

use super::scene::{Scene, SceneShape, TextAnchor};
use super::style::{PAPER, PaperSpot, RgbColour, TextFace, dark_rules, hex};

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
        draw_vectors(&area, piece)?;
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

/// Draws all shapes except texts and cells, which are drawn on their own.
fn draw_vectors(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    piece: &[SceneShape],
) -> Result<(), String> {
    let at = |spot: &PaperSpot| (units(spot.0 * UNITS), units(spot.1 * UNITS));
    let all = |points: &[PaperSpot]| points.iter().map(at).collect::<Vec<_>>();
    for shape in piece {
        let drawn = match shape {
            SceneShape::Line { points, width, colour } => {
                let style = ShapeStyle {
                    stroke_width: units(width * UNITS).unsigned_abs(),
                    ..filled(*colour, 1.0)
                };
                area.draw(&PathElement::new(all(points), style))
            }
            SceneShape::Area { points, colour, opacity } => {
                area.draw(&Polygon::new(all(points), filled(*colour, *opacity)))
            }
            SceneShape::Disc { centre, radius, colour } => {
                area.draw(&Circle::new(at(centre), units(radius * UNITS), filled(*colour, 1.0)))
            }
            SceneShape::Text { .. } | SceneShape::Cells(_) => Ok(()),
        };
        drawn.map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn svg_text(area: &DrawingArea<SVGBackend<'_>, Shift>, shape: &SceneShape) -> Result<(), String> {
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
