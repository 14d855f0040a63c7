//! The look that all plots share.

use crate::record::Dimension;

/// A colour: red, green, blue.
pub(super) type Colour = (u8, u8, u8);

/// The paper.
pub(super) const PAPER: Colour = (255, 255, 255);
/// Titles and figures.
pub(super) const INK: Colour = (28, 32, 38);
/// Words that stand back.
pub(super) const MUTED: Colour = (96, 104, 114);
/// Lines of the grid.
pub(super) const GRID: Colour = (229, 232, 236);
/// The line under a plot.
pub(super) const AXIS: Colour = (150, 157, 166);
/// Time that is not judged.
pub(super) const SHADE: Colour = (240, 241, 244);
/// Budgets and failures: vermillion.
pub(super) const ALARM: Colour = (196, 70, 0);

/// Colours that stay apart for colour-blind readers (Okabe and Ito, <https://jfly.uni-koeln.de/color/>), the ones
/// first that also stay apart from [`ALARM`] and from paper.
pub(super) const SERIES: [Colour; 6] =
    [(0, 114, 178), (0, 158, 115), (204, 121, 167), (86, 180, 233), (230, 159, 0), (90, 90, 90)];

/// The median over time.
pub(super) const P50: Colour = SERIES[0];
/// The 95th percentile over time.
pub(super) const P95: Colour = (230, 159, 0);
/// The 99th percentile over time.
pub(super) const P99: Colour = (204, 121, 167);
/// The longest over time.
pub(super) const MAX: Colour = (150, 157, 166);

/// The colour of a part of latency.
pub(super) fn part(dimension: Dimension) -> Colour {
    match dimension {
        Dimension::Lag => (60, 60, 60),
        Dimension::Wait => (213, 94, 0),
        Dimension::Dns => (240, 228, 66),
        Dimension::Connect => (230, 159, 0),
        Dimension::Tls => (204, 121, 167),
        Dimension::FirstByte => (0, 114, 178),
        Dimension::Body => (86, 180, 233),
        _ => MUTED,
    }
}

/// The width of every plot.
pub(super) const WIDTH: f64 = 800.0;
/// The height of a plot with two axes.
pub(super) const HEIGHT: f64 = 450.0;
/// Space at the left and right edge of the paper.
pub(super) const EDGE: f64 = 24.0;

/// How a text is set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Face {
    /// The height of an em.
    pub(super) size: f64,
    /// Whether it is bold.
    pub(super) bold: bool,
    /// Its colour.
    pub(super) colour: Colour,
}

/// The title of a plot.
pub(super) const TITLE: Face = Face { size: 19.0, bold: true, colour: INK };
/// The line below the title.
pub(super) const SUBTITLE: Face = Face { size: 14.0, bold: false, colour: MUTED };
/// Labels of ticks.
pub(super) const TICK: Face = Face { size: 13.5, bold: false, colour: MUTED };
/// Words beside a line or a bar.
pub(super) const LABEL: Face = Face { size: 13.5, bold: false, colour: INK };
/// Figures that a plot is about.
pub(super) const STRONG: Face = Face { size: 13.5, bold: true, colour: INK };
/// Words about budgets and failures.
pub(super) const WARNING: Face = Face { size: 13.5, bold: true, colour: ALARM };
