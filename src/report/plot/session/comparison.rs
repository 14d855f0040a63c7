//! A figure of the configurations side by side: estimates, and differences from the first.

use super::super::axis::PlotFrame;
use super::super::scene::{Scene, TextAnchor};
use super::super::sheet::PlotSheet;
use super::super::style::{AXIS, GRID, LABEL, RgbColour, STRONG, TextFace};
use super::super::table::PlotTable;
use super::figure_axis::FlatAxis;
use super::{SessionPlot, colour, configuration_legend};
use crate::record::session::{Estimate, FigureKind};
use crate::report::session::{ConfigurationView, DifferenceView, SessionModel};
use crate::report::words;

/// Height of a configuration's row.
const ROW: f64 = 44.0;
/// Space for the keys left of a panel.
const KEY: f64 = 34.0;

/// The plot of a figure; `None` if fewer than two configurations have it, because the table of
/// figures then says as much.
pub(super) fn plot(model: &SessionModel, kind: FigureKind) -> Option<SessionPlot<'_>> {
    model.configurations.iter().filter_map(|it| it.figure(kind)).nth(1)?;
    Some(SessionPlot {
        title: format!("{}: {}", words::capitalised(kind.name()), finding(model, kind)),
        alt: alt(model, kind),
        table: Box::new(move || table(model, kind)),
        scene: Box::new(move |sheet| scene(model, kind, sheet)),
    })
}

/// What the figure shows: `C is 880 ms faster than A`, `no clear difference from A`.
fn finding(model: &SessionModel, kind: FigureKind) -> String {
    let clear: Vec<String> = model
        .differences(kind)
        .filter(|(_, by)| by.difference.is_clear)
        .map(|(configuration, by)| {
            let size = by.value.trim_start_matches(['+', '−']);
            format!("{} {size} {}", configuration.key, by.outcome)
        })
        .collect();
    let first = model.configurations.first().map_or("A", |it| it.key.as_str());
    if !clear.is_empty() {
        return format!("{} than {first}", clear.join(", "));
    }
    if model.differences(kind).next().is_some() {
        return format!("no clear difference from {first}");
    }
    let estimates: Vec<String> = model
        .configurations
        .iter()
        .filter_map(|it| Some(format!("{} {}", it.key, it.figure(kind)?.with_interval())))
        .collect();
    estimates.join(", ")
}

fn alt(model: &SessionModel, kind: FigureKind) -> String {
    let of = |it: &ConfigurationView| {
        let figure = it.figure(kind)?;
        let difference = figure.difference.as_ref();
        let difference = difference.map(|it| format!(", difference {}", it.line()));
        let place = it.place();
        Some(format!("{place} {}{}", figure.with_interval(), difference.unwrap_or_default()))
    };
    let all: Vec<String> = model.configurations.iter().filter_map(of).collect();
    format!("{} of each configuration: {}", words::capitalised(kind.name()), all.join("; "))
}

fn table(model: &SessionModel, kind: FigureKind) -> PlotTable {
    let mut table = PlotTable::new([
        "configuration",
        "restarts",
        kind.name(),
        "interval",
        "difference",
        "interval",
        "outcome",
        "seen above",
    ]);
    for it in &model.configurations {
        let Some(figure) = it.figure(kind) else { continue };
        let of = |text: fn(&DifferenceView) -> &str| {
            figure.difference.as_ref().map_or("–", text).to_owned()
        };
        table.rows.push(vec![
            it.place(),
            figure.estimate.restarts.to_string(),
            figure.value.clone(),
            figure.interval.clone(),
            of(|it| &it.value),
            of(|it| &it.interval),
            of(|it| it.outcome),
            of(|it| &it.seen_above),
        ]);
    }
    table
}

/// One estimate in a panel.
struct PanelRow<'a> {
    key: &'a str,
    colour: RgbColour,
    estimate: Estimate,
    words: String,
}

fn scene(model: &SessionModel, kind: FigureKind, sheet: PlotSheet<'_>) -> Scene {
    let (estimates, differences) = rows(model, kind);
    let interval = model.confidence().map(|of| format!(", with its {of} interval"));
    let mut subtitle = format!("mean over restarts{}", interval.unwrap_or_default());
    if !differences.is_empty() {
        subtitle += ", and its difference from the first configuration";
    }
    let (mut scene, below) = sheet.headed(&subtitle);
    let below = configuration_legend(&mut scene, below, model, &[]);
    let (edge, width) = (scene.paper.edge, scene.width);
    let is_wide = width > 600.0;
    let half = if is_wide && !differences.is_empty() { width / 2.0 - 8.0 } else { width - edge };
    let bottom = panel(&mut scene, (edge, half), below, &estimates, (kind, false));
    if !differences.is_empty() {
        let (left, top) = if is_wide { (width / 2.0 + 8.0, below) } else { (edge, bottom + 12.0) };
        panel(&mut scene, (left, width - edge), top, &differences, (kind, true));
    }
    scene
}

fn rows(model: &SessionModel, kind: FigureKind) -> (Vec<PanelRow<'_>>, Vec<PanelRow<'_>>) {
    let (mut estimates, mut differences) = (Vec::new(), Vec::new());
    for (at, it) in model.configurations.iter().enumerate() {
        let Some(figure) = it.figure(kind) else { continue };
        let row = |estimate, words| PanelRow { key: &it.key, colour: colour(at), estimate, words };
        estimates.push(row(figure.estimate, figure.with_interval()));
        if let Some(by) = &figure.difference {
            differences.push(row(by.difference.estimate, by.value.clone()));
        }
    }
    (estimates, differences)
}

/// Draws estimates in rows between two edges; returns the lower end with the axis.
fn panel(
    scene: &mut Scene,
    (left, right): (f64, f64),
    top: f64,
    rows: &[PanelRow<'_>],
    (kind, is_signed): (FigureKind, bool),
) -> f64 {
    let ends = rows.iter().flat_map(|row| {
        let (low, high) = row.estimate.interval.unwrap_or((row.estimate.value, row.estimate.value));
        [low, row.estimate.value, high]
    });
    let axis = FlatAxis::over(kind, ends, is_signed);
    let bottom = top + ROW * rows.len() as f64 + 6.0;
    let frame = PlotFrame { left: left + KEY, right: right - 12.0, top, bottom };
    let ticks = axis.ticks(&frame, if right - left > 500.0 { 6.0 } else { 4.0 });
    for (x, _) in &ticks {
        scene.line(vec![(*x, top), (*x, bottom)], 1.0, GRID);
    }
    if is_signed {
        let zero = axis.x(&frame, 0.0);
        scene.line(vec![(zero, top), (zero, bottom)], 1.5, AXIS);
    }
    for (at, row) in rows.iter().enumerate() {
        draw_row(scene, &frame, (top + ROW * at as f64, left), row, axis);
    }
    let name = if is_signed { "difference".to_owned() } else { kind.name().to_owned() };
    frame.floor(scene, &ticks, &name);
    scene.height = scene.height.max(bottom + 54.0).ceil();
    bottom + 54.0
}

fn draw_row(
    scene: &mut Scene,
    frame: &PlotFrame,
    (top, left): (f64, f64),
    row: &PanelRow<'_>,
    axis: FlatAxis,
) {
    let y = top + ROW * 0.72;
    let key = TextFace { colour: row.colour, ..STRONG };
    scene.text((left, y), TextAnchor::Start, row.key, key);
    if let Some((low, high)) = row.estimate.interval {
        let [low, high] = [low, high].map(|end| axis.x(frame, end));
        scene.line(vec![(low, y), (high, y)], 2.0, row.colour);
        for x in [low, high] {
            scene.line(vec![(x, y - 5.0), (x, y + 5.0)], 2.0, row.colour);
        }
    }
    let x = axis.x(frame, row.estimate.value);
    scene.disc((x, y), 5.0, row.colour);
    let words = scene.fit_text(&row.words, frame.right - frame.left, LABEL);
    let half = scene.measure(&words, LABEL) * Scene::WIDE_FONT / 2.0;
    let x = x.clamp(frame.left + half, (frame.right - half).max(frame.left + half));
    scene.tag((x, top + ROW * 0.3), TextAnchor::Middle, &words, LABEL);
}
