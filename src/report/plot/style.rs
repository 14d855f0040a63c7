//! Colours, paper sizes and fonts that all plots share.

use crate::record::Dimension;

/// A colour: red, green, blue.
pub(super) type RgbColour = (u8, u8, u8);

/// A position on the paper, from its top left corner.
pub(super) type PaperSpot = (f64, f64);

/// A length or a position as bitmaps and fonts take it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "positions on a plot are far below the precision of an f32"
)]
pub(super) fn to_f32(value: f64) -> f32 {
    value as f32
}

/// The paper.
pub(super) const PAPER: RgbColour = (255, 255, 255);
/// Titles and figures.
pub(super) const INK: RgbColour = (28, 32, 38);
/// Secondary text.
pub(super) const MUTED: RgbColour = (96, 104, 114);
/// Lines of the grid.
pub(super) const GRID: RgbColour = (229, 232, 236);
/// The line under a plot.
pub(super) const AXIS: RgbColour = (128, 135, 145);
/// Background of time that is not judged.
pub(super) const SHADE: RgbColour = (240, 241, 244);
/// Budgets and failures: vermillion.
pub(super) const ALARM: RgbColour = (190, 66, 0);

/// Colours that colour-blind readers can distinguish, after Okabe and Ito
/// (<https://jfly.uni-koeln.de/color/>), darkened to a contrast of 3 with the paper. Those also
/// distinct from [`ALARM`] come first.
pub(super) const SERIES: [RgbColour; 6] =
    [(0, 114, 178), (0, 145, 105), (190, 95, 150), (40, 145, 205), (190, 120, 0), (90, 90, 90)];

/// The median over time.
pub(super) const P50: RgbColour = SERIES[0];
/// The 95th percentile over time.
pub(super) const P95: RgbColour = SERIES[4];
/// The 99th percentile over time.
pub(super) const P99: RgbColour = SERIES[2];
/// The longest over time.
pub(super) const MAX: RgbColour = AXIS;
/// Arrivals that were dropped.
pub(super) const DROPPED: RgbColour = SERIES[2];

const LAG: RgbColour = (60, 60, 60);
const WAIT: RgbColour = (213, 94, 0);

/// The colour of a part of latency.
pub(super) fn part(dimension: Dimension) -> RgbColour {
    match dimension {
        Dimension::Lag => LAG,
        Dimension::Wait => WAIT,
        Dimension::Dns => SERIES[1],
        Dimension::Connect => SERIES[4],
        Dimension::Proxy => SERIES[5],
        Dimension::Tls => SERIES[2],
        Dimension::FirstByte => SERIES[0],
        Dimension::Body => SERIES[3],
        _ => MUTED,
    }
}

/// Each colour with its counterpart on a dark screen.
const DARK: [(RgbColour, RgbColour); 15] = [
    (PAPER, (26, 30, 36)),
    (INK, (233, 236, 240)),
    (MUTED, (163, 172, 184)),
    (GRID, (52, 58, 67)),
    (AXIS, (125, 134, 146)),
    (SHADE, (38, 43, 51)),
    (ALARM, (255, 143, 82)),
    (SERIES[0], (88, 171, 232)),
    (SERIES[1], (53, 189, 146)),
    (SERIES[2], (229, 156, 198)),
    (SERIES[3], (124, 200, 242)),
    (SERIES[4], (233, 168, 32)),
    (SERIES[5], (182, 188, 196)),
    (LAG, (205, 210, 216)),
    (WAIT, (240, 122, 40)),
];

/// Style rules for dark screens, for every plot below `scope` (empty, or a selector and a space).
///
/// Renderers without media queries keep the light colours.
pub(in crate::report) fn dark_rules(scope: &str) -> String {
    let rules: String = DARK
        .iter()
        .map(|(light, dark)| {
            let (light, dark) = (hex(*light), hex(*dark));
            format!("{scope}[fill=\"{light}\"]{{fill:{dark}}}{scope}[stroke=\"{light}\"]{{stroke:{dark}}}")
        })
        .collect();
    format!(
        "@media screen and (prefers-color-scheme:dark){{{rules}{scope}.light{{display:none}}{scope}.dark{{display:inline}}}}"
    )
}

/// A colour as plotters writes it: `#1C2026`.
pub(super) fn hex(colour: RgbColour) -> String {
    format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2)
}

/// Dimensions of a plot.
#[derive(Debug, Clone, Copy)]
pub(in crate::report) struct PlotPaper {
    /// The whole width.
    pub(super) width: f64,
    /// Space at the left and right edge.
    pub(super) edge: f64,
    /// Left margin of the area within the axes.
    pub(super) left: f64,
    /// Right margin of the area within the axes.
    pub(super) right: f64,
    /// Height of the area within the axes.
    pub(super) depth: f64,
    /// Maximum number of ticks on a time axis.
    pub(super) ticks: u64,
    /// The size of a title.
    pub(super) title: f64,
}

impl PlotPaper {
    /// For a screen or a page.
    pub(in crate::report) const WIDE: Self = Self {
        width: 800.0,
        edge: 24.0,
        left: 78.0,
        right: 42.0,
        depth: 282.0,
        ticks: 9,
        title: 19.0,
    };
    /// For a phone.
    pub(in crate::report) const NARROW: Self = Self {
        width: 380.0,
        edge: 12.0,
        left: 64.0,
        right: 20.0,
        depth: 230.0,
        ticks: 4,
        title: 16.0,
    };
}

/// The style of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TextFace {
    /// The height of an em.
    pub(super) size: f64,
    /// Whether it is bold.
    pub(super) bold: bool,
    /// Its colour.
    pub(super) colour: RgbColour,
}

/// The line below the title.
pub(super) const SUBTITLE: TextFace = TextFace { size: 14.0, bold: false, colour: MUTED };
/// Labels of ticks.
pub(super) const TICK: TextFace = TextFace { size: 13.5, bold: false, colour: MUTED };
/// Labels of lines and bars.
pub(super) const LABEL: TextFace = TextFace { size: 13.5, bold: false, colour: INK };
/// The main figures of a plot.
pub(super) const STRONG: TextFace = TextFace { size: 13.5, bold: true, colour: INK };
/// Labels of budgets and failures.
pub(super) const WARNING: TextFace = TextFace { size: 13.5, bold: true, colour: ALARM };

#[cfg(test)]
mod tests {
    use super::*;

    /// The contrast of two colours (<https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio>).
    fn contrast(one: RgbColour, other: RgbColour) -> f64 {
        let part = |byte: u8| {
            let share = f64::from(byte) / 255.0;
            if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        let luminance =
            |(r, g, b): RgbColour| 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
        let (a, b) = (luminance(one), luminance(other));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    fn dark(light: RgbColour) -> RgbColour {
        DARK.iter().find(|(from, _)| *from == light).unwrap().1
    }

    #[test]
    fn text_and_lines_have_enough_contrast_on_light_dark_and_shaded_paper() {
        let least = [(INK, 4.5), (MUTED, 4.5), (ALARM, 4.5), (AXIS, 3.0), (LAG, 3.0), (WAIT, 3.0)];
        for (colour, least) in least.into_iter().chain(SERIES.map(|colour| (colour, 3.0))) {
            for ground in [PAPER, SHADE] {
                assert!(contrast(colour, ground) >= least, "{colour:?} on {ground:?}");
                assert!(
                    contrast(dark(colour), dark(ground)) >= least,
                    "dark {colour:?} on {ground:?}"
                );
            }
        }
    }

    #[test]
    fn every_colour_has_one_dark_counterpart() {
        let mut light: Vec<RgbColour> = DARK.iter().map(|(light, _)| *light).collect();
        light.sort_unstable();
        light.dedup();
        assert_eq!(light.len(), DARK.len());
    }
}
