//! The parts of latency over time.

use std::time::Duration;

use super::super::axis::{DurationAxis, PlotFrame};
use super::super::scene::{LegendMark, Scene};
use super::super::sheet::PlotSheet;
use super::super::style::{SHADE, part};
use super::super::table::PlotTable;
use super::HistoryPlot;
use super::date_axis::DateAxis;
use crate::history::TimeBin;
use crate::record::Dimension;
use crate::report::model::label;
use crate::report::site::{RequestPanel, SiteLabels};
use crate::report::words;
use crate::units::format_duration;

/// Parts that never reach this are left out of the picture; the table has them.
const VISIBLE: Duration = Duration::from_micros(500);

/// The plot of a request; `None` if its runs have no parts.
pub(super) fn plot<'a>(panel: &'a RequestPanel, labels: SiteLabels<'a>) -> Option<HistoryPlot<'a>> {
    let bins = &panel.history.bins.bins;
    let parts = parts(bins);
    let newest = bins.iter().rev().find(|bin| !bin.phases.is_empty())?;
    let (largest, time) = parts
        .iter()
        .filter_map(|dimension| Some((*dimension, value(newest, *dimension)?)))
        .max_by_key(|(_, time)| *time)?;
    let whole = newest.latency.p50.map(|whole| format!(" of {}", format_duration(whole)));
    let title = format!(
        "{} by part: {} takes most, {}{} at the median in the newest point",
        panel.name,
        label(largest),
        format_duration(time),
        whole.unwrap_or_default()
    );
    Some(HistoryPlot {
        alt: alt(bins, &parts),
        title,
        table: Box::new(move || table(panel, labels)),
        scene: Box::new(move |sheet| scene(panel, labels, sheet)),
    })
}

/// The parts that the picture shows.
fn parts(bins: &[TimeBin]) -> Vec<Dimension> {
    let reaches = |dimension: &Dimension| {
        bins.iter().any(|bin| value(bin, *dimension).is_some_and(|time| time >= VISIBLE))
    };
    Dimension::PARTS.into_iter().filter(reaches).collect()
}

/// The median of a part in a bin; `None` if too few exchanges entered it.
fn value(bin: &TimeBin, dimension: Dimension) -> Option<Duration> {
    let phase = bin.phases.iter().find(|phase| phase.dimension == dimension && phase.count > 1)?;
    phase.p50_us.map(Duration::from_micros)
}

fn alt(bins: &[TimeBin], parts: &[Dimension]) -> String {
    let range = |dimension: &Dimension| {
        let values = || bins.iter().filter_map(|bin| value(bin, *dimension));
        let [low, high] = [values().min()?, values().max()?].map(format_duration);
        Some(format!("{} {}", label(*dimension), words::between(&low, &high)))
    };
    let ranges: Vec<String> = parts.iter().filter_map(range).collect();
    format!("Medians of the parts of latency: {}", ranges.join(", "))
}

fn table(panel: &RequestPanel, labels: SiteLabels<'_>) -> PlotTable {
    let bins = &panel.history.bins.bins;
    let entered = |dimension: &Dimension| bins.iter().any(|bin| value(bin, *dimension).is_some());
    let parts: Vec<Dimension> = Dimension::PARTS.into_iter().filter(entered).collect();
    let mut table =
        PlotTable::new(std::iter::once("from").chain(parts.iter().map(|part| label(*part))));
    for bin in bins.iter().filter(|bin| !bin.phases.is_empty()) {
        let cells = parts.iter().map(|part| words::time(value(bin, *part)));
        table.rows.push(std::iter::once(labels.minute(bin.first)).chain(cells).collect());
    }
    table
}

fn scene(panel: &RequestPanel, labels: SiteLabels<'_>, sheet: PlotSheet<'_>) -> Scene {
    let bins = &panel.history.bins;
    let parts = parts(&bins.bins);
    let values =
        || parts.iter().flat_map(|part| bins.bins.iter().filter_map(|bin| value(bin, *part)));
    let heights = DurationAxis::over(values(), values().filter(|value| *value >= VISIBLE));
    let of = match bins.length {
        Some(_) => "medians of each part in the middle run of each point",
        None => "medians of each part in each run",
    };
    let (mut scene, below) = sheet.headed(&format!("{of}{}", heights.note()));
    let mut signs: Vec<_> =
        parts.iter().map(|it| (LegendMark::Line(part(*it)), label(*it))).collect();
    signs.extend((!bins.gaps.is_empty()).then_some((LegendMark::Box(SHADE), "no runs")));
    let below = scene.legend(below, &signs);
    let frame = PlotFrame::below(&mut scene, below, 0.8);
    let axis = DateAxis::new(labels, frame, bins);
    axis.gaps(&mut scene, bins);
    heights.grid(&mut scene, &frame);
    for dimension in &parts {
        let y = |bin: &TimeBin| value(bin, *dimension).map(|time| frame.up(heights.share(time)));
        for spots in axis.lines(bins, y) {
            scene.line_or_dot(spots, 2.0, part(*dimension));
        }
    }
    axis.floor(&mut scene);
    scene
}
