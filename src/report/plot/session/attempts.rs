//! A figure of every attempt, in the order of time, with the estimates next to it.

use super::super::axis::PlotFrame;
use super::super::scene::{LegendMark, Scene, TextAnchor};
use super::super::sheet::PlotSheet;
use super::super::style::{ALARM, GRID, TICK, TextFace};
use super::super::table::PlotTable;
use super::figure_axis::FigureAxis;
use super::{SessionPlot, colour, configuration_legend};
use crate::record::session::FigureKind;
use crate::report::session::{AttemptView, ConfigurationView, SessionModel, value};
use crate::report::words;

/// The share of the width that attempts take; the estimates take the rest.
const ATTEMPTS: f64 = 0.84;
/// Maximum number of attempts whose dots have letters.
const LETTERED: usize = 40;
/// Maximum number of rows in the table.
const ROWS: usize = 60;

/// The plot of a figure; `None` if fewer than two attempts have it.
pub(super) fn plot(model: &SessionModel, kind: FigureKind) -> Option<SessionPlot<'_>> {
    let values: Vec<f64> =
        model.attempts.iter().filter_map(|attempt| attempt.values.get(&kind).copied()).collect();
    values.get(1)?;
    let low = values.iter().copied().reduce(f64::min)?;
    let high = values.iter().copied().reduce(f64::max)?;
    let [from, to] = [low, high].map(|end| value(kind, end));
    let throttled = model.attempts.iter().filter(|attempt| attempt.is_throttled).count();
    let throttled = if throttled > 0 { format!(", {throttled} throttled") } else { String::new() };
    let restarts = words::plural(values.len() as u64, "restart");
    Some(SessionPlot {
        title: format!(
            "{} over time: {from} to {to} in {restarts}{throttled}",
            words::capitalised(kind.name())
        ),
        alt: alt(model, kind),
        table: Box::new(move || table(model, kind)),
        scene: Box::new(move |sheet| scene(model, kind, sheet)),
    })
}

fn alt(model: &SessionModel, kind: FigureKind) -> String {
    let of =
        |it: &AttemptView| Some(format!("{} {}", it.place(), value(kind, *it.values.get(&kind)?)));
    let all: Vec<String> = model.attempts.iter().filter_map(of).take(ROWS).collect();
    let figure = words::capitalised(kind.name());
    format!("{figure} of each attempt in the order of time: {}", all.join("; "))
}

fn table(model: &SessionModel, kind: FigureKind) -> PlotTable {
    let mut table =
        PlotTable::new(["attempt", "configuration", "round", kind.name(), "interval", "throttled"]);
    for it in model.attempts.iter().take(ROWS) {
        let name = model.configurations.get(it.configuration).map(ConfigurationView::place);
        let interval = it.intervals.get(&kind).map_or_else(
            || "–".to_owned(),
            |(low, high)| format!("{} – {}", value(kind, *low), value(kind, *high)),
        );
        let figure = match &it.problem {
            Some(_) => "not completed".to_owned(),
            None => it.value_words(kind),
        };
        table.rows.push(vec![
            it.number.to_string(),
            name.unwrap_or_default(),
            it.round.to_string(),
            figure,
            interval,
            it.throttled_words(),
        ]);
    }
    table
}

fn scene(model: &SessionModel, kind: FigureKind, sheet: PlotSheet<'_>) -> Scene {
    let figure = AttemptsPlot::new(model, kind);
    let subtitle = format!(
        "each restart in the order of time; right: means over restarts with intervals{}",
        figure.axis.note()
    );
    let (mut scene, below) = sheet.headed(&subtitle);
    let below = configuration_legend(&mut scene, below, model, &figure.signs());
    let frame = PlotFrame::below(&mut scene, below, 1.0);
    figure.shade(&mut scene, &frame);
    figure.axis.grid(&mut scene, &frame);
    figure.rounds(&mut scene, &frame);
    figure.attempts(&mut scene, &frame);
    figure.means(&mut scene, &frame);
    scene
}

struct AttemptsPlot<'a> {
    model: &'a SessionModel,
    kind: FigureKind,
    axis: FigureAxis,
}

impl<'a> AttemptsPlot<'a> {
    fn new(model: &'a SessionModel, kind: FigureKind) -> Self {
        let attempts = model.attempts.iter();
        let values = attempts.clone().filter_map(|it| it.values.get(&kind).copied());
        let ends = attempts.filter_map(|it| it.intervals.get(&kind)).flat_map(|it| [it.0, it.1]);
        let means = model.configurations.iter().filter_map(|it| it.figure(kind)).flat_map(|it| {
            let value = it.estimate.value;
            let (low, high) = it.estimate.interval.unwrap_or((value, value));
            [if kind.is_signed() { low } else { low.max(0.0) }, value, high]
        });
        let values: Vec<f64> =
            values.chain(ends).chain(means).filter(|value| value.is_finite()).collect();
        Self { model, kind, axis: FigureAxis::over(kind, &values) }
    }

    fn signs(&self) -> Vec<(LegendMark, &'static str)> {
        let attempts = &self.model.attempts;
        let throttled = attempts.iter().any(|it| it.is_throttled);
        let failed = attempts.iter().any(|attempt| attempt.problem.is_some());
        let throttled =
            throttled.then_some((LegendMark::Tint(ALARM), "throttled by the CPU quota"));
        let failed = failed.then_some((LegendMark::Dot(ALARM), "× not completed"));
        throttled.into_iter().chain(failed).collect()
    }

    /// The left and right edge of an attempt's column.
    fn column(&self, frame: &PlotFrame, at: usize) -> (f64, f64) {
        let share = ATTEMPTS / self.model.attempts.len().max(1) as f64;
        (frame.across(at as f64 * share), frame.across((at + 1) as f64 * share))
    }

    fn middle(&self, frame: &PlotFrame, at: usize) -> f64 {
        let (left, right) = self.column(frame, at);
        f64::midpoint(left, right)
    }

    fn shade(&self, scene: &mut Scene, frame: &PlotFrame) {
        for (at, _) in self.model.attempts.iter().enumerate().filter(|(_, it)| it.is_throttled) {
            let (left, right) = self.column(frame, at);
            scene.rect((left, frame.top), (right, frame.bottom), ALARM, 0.12);
        }
    }

    /// Draws the axis with the rounds, and lines between them.
    fn rounds(&self, scene: &mut Scene, frame: &PlotFrame) {
        let attempts = &self.model.attempts;
        let mut ticks = vec![(frame.across(f64::midpoint(ATTEMPTS, 1.0)), "mean".to_owned())];
        let mut start = 0;
        for round in attempts.chunk_by(|a, b| a.round == b.round) {
            let (left, _) = self.column(frame, start);
            let (_, right) = self.column(frame, start + round.len() - 1);
            ticks.push((f64::midpoint(left, right), round[0].round.to_string()));
            scene.line(vec![(right, frame.top), (right, frame.bottom)], 1.0, GRID);
            start += round.len();
        }
        frame.floor(scene, &ticks, "round, in the order of time");
    }

    fn attempts(&self, scene: &mut Scene, frame: &PlotFrame) {
        let lettered = self.model.attempts.len() <= LETTERED;
        for (at, it) in self.model.attempts.iter().enumerate() {
            let (x, colour) = (self.middle(frame, at), colour(it.configuration));
            let figure = it.values.get(&self.kind).filter(|_| it.problem.is_none());
            let Some(figure) = figure else {
                let face = TextFace { bold: true, colour: ALARM, ..TICK };
                let sign = if it.problem.is_some() { "×" } else { "–" };
                scene.text((x, frame.bottom - 9.0), TextAnchor::Middle, sign, face);
                continue;
            };
            let y = |value: f64| frame.up(self.axis.share(value));
            if let Some((low, high)) = it.intervals.get(&self.kind) {
                scene.whisker(x, y(*high), y(*low), colour);
            }
            scene.disc((x, y(*figure)), 3.5, colour);
            if lettered {
                let face = TextFace { size: 11.0, colour, bold: true };
                let top = it.intervals.get(&self.kind).map_or(y(*figure), |(_, high)| y(*high));
                scene.text((x, top - 12.0), TextAnchor::Middle, &it.key, face);
            }
        }
    }

    /// Draws the estimate of each configuration with its interval, right of the attempts.
    fn means(&self, scene: &mut Scene, frame: &PlotFrame) {
        let shown: Vec<_> = self
            .model
            .configurations
            .iter()
            .enumerate()
            .filter_map(|(at, it)| Some((at, it.figure(self.kind)?)))
            .collect();
        let step = (1.0 - ATTEMPTS - 0.03) / shown.len().max(1) as f64;
        for (place, (at, figure)) in shown.iter().enumerate() {
            let x = frame.across(ATTEMPTS + 0.02 + (place as f64 + 0.5) * step);
            let y = |value: f64| frame.up(self.axis.share(value));
            if let Some((low, high)) = figure.estimate.interval {
                scene.whisker(x, y(high), y(low), colour(*at));
            }
            scene.disc((x, y(figure.estimate.value)), 3.5, colour(*at));
        }
    }
}
