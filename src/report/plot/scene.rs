//! A picture as a list of shapes. Plots compose it; the modules `svg` and `bitmap` render it.

use super::font::PlotFonts;
use super::raster::CellRaster;
use super::style::{LABEL, PAPER, PaperSpot, PlotPaper, RgbColour, TextFace};

/// One shape to draw.
#[derive(Debug, Clone)]
pub(super) enum SceneShape {
    /// A line through points.
    Line { points: Vec<PaperSpot>, width: f64, colour: RgbColour },
    /// A filled area.
    Area { points: Vec<PaperSpot>, colour: RgbColour, opacity: f64 },
    /// A filled disc.
    Disc { centre: PaperSpot, radius: f64, colour: RgbColour },
    /// Cells of colour.
    Cells(CellRaster),
    /// A text whose first letter starts at `left` on the baseline.
    Text { left: f64, baseline: f64, width: f64, text: String, face: TextFace, side: TextAnchor },
}

/// The point of a text that stays in place if a font is wider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextAnchor {
    /// The text starts at its spot.
    Start,
    /// The text is centred at its spot.
    Middle,
    /// The text ends at its spot.
    End,
}

/// A picture.
pub(super) struct Scene {
    /// The paper it is drawn on.
    pub(super) paper: PlotPaper,
    /// Its width.
    pub(super) width: f64,
    /// Its height; a plot sets it once it knows how much it needs.
    pub(super) height: f64,
    /// The shapes, bottom first.
    pub(super) shapes: Vec<SceneShape>,
    /// Positions of tags: left, right and vertical middle.
    tags: Vec<(f64, f64, f64)>,
    fonts: &'static PlotFonts,
}

impl Scene {
    /// Blank paper.
    pub(super) fn new(paper: PlotPaper, fonts: &'static PlotFonts) -> Self {
        Self { paper, width: paper.width, height: 0.0, shapes: Vec::new(), tags: Vec::new(), fonts }
    }

    /// A line through points; a single point draws nothing.
    pub(super) fn line(&mut self, points: Vec<PaperSpot>, width: f64, colour: RgbColour) {
        if points.len() > 1 {
            self.shapes.push(SceneShape::Line { points, width, colour });
        }
    }

    /// A dashed line between two points.
    pub(super) fn dashed(&mut self, from: PaperSpot, to: PaperSpot, width: f64, colour: RgbColour) {
        self.dashed_path(&[from, to], width, colour);
    }

    /// A dashed line through some points. Dashes go around corners: short pieces would otherwise
    /// look like a solid line.
    pub(super) fn dashed_path(&mut self, points: &[PaperSpot], width: f64, colour: RgbColour) {
        const DASH: f64 = 6.0;
        const PERIOD: f64 = 10.0;
        // The way from the start of the dash that is being drawn.
        let mut way = 0.0;
        let mut dash = Vec::new();
        for (from, to) in points.iter().zip(points.iter().skip(1)) {
            let length = (to.0 - from.0).hypot(to.1 - from.1).max(f64::EPSILON);
            let at = |part: f64| {
                let share = part / length;
                (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share)
            };
            let mut done = 0.0;
            while done < length {
                let end = if way < DASH { DASH } else { PERIOD };
                let step = (end - way).min(length - done);
                if way < DASH {
                    dash.extend(dash.is_empty().then(|| at(done)));
                    dash.push(at(done + step));
                }
                (done, way) = (done + step, way + step);
                if way >= DASH && !dash.is_empty() {
                    self.line(std::mem::take(&mut dash), width, colour);
                }
                way = if way >= PERIOD { 0.0 } else { way };
            }
        }
        self.line(dash, width, colour);
    }

    /// A filled rectangle between two corners.
    pub(super) fn rect(
        &mut self,
        (x0, y0): PaperSpot,
        (x1, y1): PaperSpot,
        colour: RgbColour,
        opacity: f64,
    ) {
        self.area(vec![(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour, opacity);
    }

    /// A filled area within points.
    pub(super) fn area(&mut self, points: Vec<PaperSpot>, colour: RgbColour, opacity: f64) {
        self.shapes.push(SceneShape::Area { points, colour, opacity });
    }

    /// Cells of colour.
    pub(super) fn cells(&mut self, raster: CellRaster) {
        self.shapes.push(SceneShape::Cells(raster));
    }

    /// A line, or a dot where there is only one point.
    pub(super) fn line_or_dot(&mut self, points: Vec<PaperSpot>, width: f64, colour: RgbColour) {
        match points.as_slice() {
            [alone] => self.dot(*alone, width / 2.0 + 1.6, colour),
            _ => self.line(points, width, colour),
        }
    }

    /// A disc that stands out from the lines below it.
    pub(super) fn disc(&mut self, centre: PaperSpot, radius: f64, colour: RgbColour) {
        self.shapes.push(SceneShape::Disc { centre, radius: radius + 1.5, colour: PAPER });
        self.shapes.push(SceneShape::Disc { centre, radius, colour });
    }

    /// A circle with paper inside.
    pub(super) fn ring(&mut self, centre: PaperSpot, radius: f64, colour: RgbColour) {
        self.shapes.push(SceneShape::Disc { centre, radius, colour });
        self.shapes.push(SceneShape::Disc { centre, radius: radius - 1.4, colour: PAPER });
    }

    /// A small disc without a rim.
    pub(super) fn dot(&mut self, centre: PaperSpot, radius: f64, colour: RgbColour) {
        self.shapes.push(SceneShape::Disc { centre, radius, colour });
    }

    /// Width of a wide sans-serif font, such as `DejaVu` Sans, relative to the embedded one: a page
    /// is shown in the fonts that the reader has.
    pub(super) const WIDE_FONT: f64 = 1.17;
    /// The same for bold text.
    const WIDE_BOLD_FONT: f64 = 1.24;

    /// A text, vertically centred on `spot`; returns its right end, also in a wide font.
    pub(super) fn text(
        &mut self,
        spot: PaperSpot,
        side: TextAnchor,
        text: &str,
        face: TextFace,
    ) -> f64 {
        let width = self.fonts.width(text, face);
        let left = match side {
            TextAnchor::Start => spot.0,
            TextAnchor::Middle => spot.0 - width / 2.0,
            TextAnchor::End => spot.0 - width,
        };
        // Half the height of a capital letter of Roboto.
        let baseline = spot.1 + 0.355 * face.size;
        self.shapes.push(SceneShape::Text {
            left,
            baseline,
            width,
            text: text.to_owned(),
            face,
            side,
        });
        let wide = width * (Self::WIDE_FONT - 1.0);
        left + width + if side == TextAnchor::Start { wide } else { 0.0 }
    }

    /// A text on a patch of paper, readable above lines. It moves inwards from the edges and down
    /// from other tags.
    pub(super) fn tag(&mut self, spot: PaperSpot, side: TextAnchor, text: &str, face: TextFace) {
        let text = &self.fit_text(text, self.width - 12.0, face);
        let (left, right) = self.extent(spot, side, text, face);
        let half = face.size * 0.62;
        let middle = self.free_height((left - 4.0, right + 4.0), spot.1, half * 2.0 + 1.0);
        self.tags.push((left, right, middle));
        let width = self.measure(text, face);
        let (x, start) = match side {
            TextAnchor::Start => (left, left),
            TextAnchor::Middle => {
                let x = f64::midpoint(left, right);
                (x, x - width / 2.0)
            }
            TextAnchor::End => (right, right - width),
        };
        self.rect((start - 3.0, middle - half), (start + width + 3.0, middle + half), PAPER, 0.9);
        self.text((x, middle), side, text, face);
    }

    /// Left and right end of a tag at a spot, with room for a viewer's wider font: its letters must
    /// neither leave the paper nor touch what is next to the tag.
    fn extent(&self, spot: PaperSpot, side: TextAnchor, text: &str, face: TextFace) -> (f64, f64) {
        let width = self.wide_width(text, face);
        let left = match side {
            TextAnchor::Start => spot.0,
            TextAnchor::Middle => spot.0 - width / 2.0,
            TextAnchor::End => spot.0 - width,
        };
        let left = left.min(self.width - width - 4.0).max(4.0);
        (left, left + width)
    }

    /// A tag at the spot where it covers the fewest of `others`; the first such spot wins. Returns
    /// whether it covers one of them, or another tag.
    pub(super) fn tag_where_free(
        &mut self,
        spots: &[(PaperSpot, TextAnchor)],
        text: &str,
        face: TextFace,
        others: &[PaperSpot],
    ) -> bool {
        let half = face.size * 0.9;
        let covered = |(spot, side): &(PaperSpot, TextAnchor)| {
            let (left, right) = self.extent(*spot, *side, text, face);
            let within = |other: &&PaperSpot| {
                (left - 6.0..right + 6.0).contains(&other.0) && (other.1 - spot.1).abs() < half
            };
            let overlaps_tag = self.tags.iter().any(|tag| {
                tag.0 < right + 4.0 && tag.1 > left - 4.0 && (tag.2 - spot.1).abs() < half * 1.4
            });
            others.iter().filter(within).count() + if overlaps_tag { 10_000 } else { 0 }
        };
        let least = spots.iter().map(|spot| (covered(spot), spot)).min_by_key(|(count, _)| *count);
        let Some((count, (spot, side))) = least else { return false };
        self.tag(*spot, *side, text, face);
        count > 0
    }

    /// A text in at most `most` lines between the edges, the first centred on `top`. Text that does
    /// not fit is cut off. Returns the position of the next line.
    pub(super) fn paragraph(&mut self, top: f64, text: &str, face: TextFace, most: usize) -> f64 {
        let (edge, room) = (self.paper.edge, self.width - 2.0 * self.paper.edge);
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            let full = lines.len() >= most;
            match lines.last_mut() {
                Some(line) if full || self.fits(&format!("{line} {word}"), room, face) => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
        let step = face.size * 1.32;
        for (at, line) in lines.iter().enumerate() {
            let line = self.fit_text(line, room, face);
            self.text((edge, top + at as f64 * step), TextAnchor::Start, &line, face);
        }
        top + lines.len() as f64 * step
    }

    /// The first position from `middle` downwards that no tag occupies.
    fn free_height(&self, (left, right): (f64, f64), middle: f64, height: f64) -> f64 {
        let taken = |middle: f64| {
            let over = |tag: &&(f64, f64, f64)| {
                tag.0 < right && tag.1 > left && (tag.2 - middle).abs() < height - 0.5
            };
            self.tags.iter().find(over).map(|tag| tag.2)
        };
        let mut free = middle;
        while let Some(other) = taken(free) {
            free = other + height;
        }
        free
    }

    /// The width of a text.
    pub(super) fn measure(&self, text: &str, face: TextFace) -> f64 {
        self.fonts.width(text, face)
    }

    /// Truncates text to a width and adds an ellipsis if something is missing.
    ///
    /// Leaves a twelfth of the width free for fonts wider than the embedded one.
    pub(super) fn fit_text(&self, text: &str, width: f64, face: TextFace) -> String {
        if self.fits(text, width, face) {
            return text.to_owned();
        }
        // The middle is left out: names that begin alike usually differ at their ends.
        let letters: Vec<char> = text.chars().collect();
        let without = |kept: usize| {
            let (head, tail) = (kept.div_ceil(2), kept / 2);
            let tail = &letters[letters.len() - tail..];
            letters[..head].iter().chain(&['…']).chain(tail).collect::<String>()
        };
        let fitting = (0..letters.len()).rev().map(without);
        fitting.into_iter().find(|cut| self.fits(cut, width, face)).unwrap_or_default()
    }

    fn fits(&self, text: &str, width: f64, face: TextFace) -> bool {
        self.wide_width(text, face) <= width
    }

    /// The width that a tag takes, also in a wide font.
    pub(super) fn tag_width(&self, text: &str, face: TextFace) -> f64 {
        self.wide_width(text, face)
    }

    /// The width of a text in a wide font.
    fn wide_width(&self, text: &str, face: TextFace) -> f64 {
        let wide = if face.bold { Self::WIDE_BOLD_FONT } else { Self::WIDE_FONT };
        self.fonts.width(text, face) * wide
    }

    /// An interval from `top` to `bottom`.
    pub(super) fn whisker(&mut self, x: f64, top: f64, bottom: f64, colour: RgbColour) {
        self.open_whisker(x, top, bottom, colour);
        self.line(vec![(x - 3.5, top), (x + 3.5, top)], 1.5, colour);
    }

    /// An interval from `bottom` upwards that does not end at `top`.
    pub(super) fn open_whisker(&mut self, x: f64, top: f64, bottom: f64, colour: RgbColour) {
        self.line(vec![(x, top), (x, bottom)], 1.5, colour);
        self.line(vec![(x - 3.5, bottom), (x + 3.5, bottom)], 1.5, colour);
    }

    /// An arrow head at `tip`, pointing up.
    pub(super) fn arrow_up(&mut self, tip: PaperSpot, colour: RgbColour) {
        self.area(vec![tip, (tip.0 + 5.0, tip.1 + 9.0), (tip.0 - 5.0, tip.1 + 9.0)], colour, 1.0);
    }

    /// Draws legend entries, each a mark and its words, in as many rows as needed, the first
    /// centred on `top`. Returns the position of the next row.
    pub(super) fn legend(&mut self, top: f64, entries: &[(LegendMark, &str)]) -> f64 {
        self.legend_from(self.paper.edge, top, entries)
    }

    /// The same, starting at `left` in the first row.
    pub(super) fn legend_from(
        &mut self,
        left: f64,
        top: f64,
        entries: &[(LegendMark, &str)],
    ) -> f64 {
        const ROW: f64 = 20.0;
        let edge = self.paper.edge;
        let (mut left, mut middle) = (left, top);
        for (mark, words) in entries {
            let words = self.fit_text(words, self.width - 2.0 * edge - 26.0, LABEL);
            // Space for fonts wider than the embedded one.
            let width = 26.0 + self.measure(&words, LABEL) * Self::WIDE_FONT;
            if left > edge && left + width > self.width - edge {
                (left, middle) = (edge, middle + ROW);
            }
            mark.draw(self, (left, middle));
            self.text((left + 26.0, middle), TextAnchor::Start, &words, LABEL);
            left += width + 16.0;
        }
        middle + ROW
    }
}

/// Spots along a line through points, too close together for a label to fit between.
pub(super) fn along(points: &[PaperSpot]) -> Vec<PaperSpot> {
    const APART: f64 = 6.0;
    let mut spots = points.to_vec();
    for pair in points.windows(2) {
        let [from, to] = [pair[0], pair[1]];
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let mut way = APART;
        while way < length {
            let share = way / length;
            spots.push((from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share));
            way += APART;
        }
    }
    spots
}

/// The mark of an entry in a legend.
#[derive(Debug, Clone, Copy)]
pub(super) enum LegendMark {
    /// A line.
    Line(RgbColour),
    /// A dot.
    Dot(RgbColour),
    /// A filled box.
    Box(RgbColour),
    /// An interval.
    Whisker(RgbColour),
    /// A dashed line.
    Dashes(RgbColour),
    /// A box of paper with a tint of the colour.
    Tint(RgbColour),
}

impl LegendMark {
    fn draw(self, scene: &mut Scene, (left, middle): PaperSpot) {
        match self {
            Self::Line(colour) => {
                scene.line(vec![(left, middle), (left + 20.0, middle)], 2.5, colour);
            }
            Self::Dot(colour) => scene.dot((left + 10.0, middle), 3.0, colour),
            Self::Box(colour) => {
                scene.rect((left + 4.0, middle - 6.0), (left + 18.0, middle + 6.0), colour, 1.0);
            }
            Self::Whisker(colour) => {
                scene.whisker(left + 12.0, middle - 6.0, middle + 6.0, colour);
            }
            Self::Dashes(colour) => {
                scene.dashed((left, middle), (left + 20.0, middle), 1.5, colour);
            }
            Self::Tint(colour) => {
                scene.rect((left + 4.0, middle - 6.0), (left + 18.0, middle + 6.0), colour, 0.12);
            }
        }
    }
}
