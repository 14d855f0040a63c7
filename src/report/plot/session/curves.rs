//! The warm-up curves of a configuration's restarts, one above the other.

use std::time::Duration;

use super::super::axis::{DurationAxis, PlotFrame, clock};
use super::super::scene::{LegendMark, Scene};
use super::super::sheet::PlotSheet;
use super::super::style::{ALARM, INK, MUTED, RgbColour};
use super::super::table::PlotTable;
use super::{SessionPlot, colour, median};
use crate::record::session::{CurveClass, FigureKind};
use crate::report::session::{AttemptView, ConfigurationView, SessionModel, StageSplit};
use crate::report::words;

/// Maximum number of restarts in one plot; the newest are drawn.
const MOST: usize = 30;
/// Maximum number of rows in the table.
const ROWS: usize = 60;
/// Number of requests in a running median.
const WINDOW: usize = 9;

/// The plot of a configuration; `None` if none of its attempts has a curve.
pub(super) fn plot(model: &SessionModel, at: usize) -> Option<SessionPlot<'_>> {
    let configuration = model.configurations.get(at)?;
    model.attempts_of(at).find(|attempt| attempt.points.len() > 1)?;
    Some(SessionPlot {
        title: title(configuration),
        alt: alt(model, at),
        table: Box::new(move || table(model, at)),
        scene: Box::new(move |sheet| scene(model, at, sheet)),
    })
}

fn title(configuration: &ConfigurationView) -> String {
    let requests = configuration.figure(FigureKind::RequestsToSteady);
    let requests =
        requests.map(|figure| format!("steady after {} requests", figure.with_interval()));
    let finding = match (configuration.class, requests) {
        (Some(CurveClass::Flat), _) => "the same from the start".to_owned(),
        (Some(CurveClass::NoSteadyState), _) => "no steady state within the curve".to_owned(),
        (Some(CurveClass::Inconsistent), Some(requests)) => {
            format!("{requests}, inconsistent between restarts")
        }
        (Some(CurveClass::Slowdown), Some(requests)) => format!("slowdown, {requests}"),
        (_, Some(requests)) => requests,
        (Some(class), None) => class.name().to_owned(),
        (None, None) => "not concluded yet".to_owned(),
    };
    format!("Warm-up of {}: {finding}", configuration.short_place())
}

fn alt(model: &SessionModel, at: usize) -> String {
    let of = |it: &AttemptView| {
        let first = it.points.first().map(|point| point.latency);
        let steady = median_latency(it, StageSplit::Steady);
        format!(
            "attempt {}: {} requests, first {}, steady median {}",
            it.number,
            it.points.len(),
            words::time(first),
            words::time(steady)
        )
    };
    let all: Vec<String> = model.attempts_of(at).map(of).take(ROWS).collect();
    format!("Latency of the requests since the first one. {}", all.join("; "))
}

fn table(model: &SessionModel, at: usize) -> PlotTable {
    let heads =
        ["attempt", "start", "requests", "first", "median before", "steady from", "steady median"];
    let mut table = PlotTable::new(heads);
    for it in model.attempts_of(at).take(ROWS) {
        let from =
            it.steady_from.map_or_else(|| "–".to_owned(), |from| format!("request {}", from + 1));
        table.rows.push(vec![
            it.number.to_string(),
            it.start_words(),
            it.heat_words(),
            words::time(it.points.first().map(|point| point.latency)),
            words::time(median_latency(it, StageSplit::Before)),
            from,
            words::time(median_latency(it, StageSplit::Steady)),
        ]);
    }
    table
}

fn median_latency(attempt: &AttemptView, stage: StageSplit) -> Option<Duration> {
    median(attempt.split(stage).map(|point| point.latency).collect())
}

fn scene(model: &SessionModel, at: usize, sheet: PlotSheet<'_>) -> Scene {
    let figure = CurvesPlot::new(model, at);
    let left_out = model.attempts_of(at).count() - figure.attempts.len();
    let newest =
        if left_out > 0 { format!(" · the newest {MOST} restarts") } else { String::new() };
    let subtitle = format!(
        "latency of each request by due time; bold: its running median over {WINDOW} requests{}{newest}",
        figure.heights.note()
    );
    let (mut scene, below) = sheet.headed(&subtitle);
    let below = scene.legend(below, &figure.signs());
    let frame = PlotFrame::below(&mut scene, below, 1.0);
    figure.shade(&mut scene, &frame);
    figure.heights.grid(&mut scene, &frame);
    let ticks = clock(figure.end, scene.paper.ticks);
    let ticks: Vec<_> =
        ticks.into_iter().map(|(share, label)| (frame.across(share), label)).collect();
    frame.floor(&mut scene, &ticks, "time since the first request");
    for attempt in &figure.attempts {
        figure.curve(&mut scene, &frame, attempt);
    }
    for attempt in &figure.attempts {
        figure.steady_point(&mut scene, &frame, attempt);
    }
    scene
}

struct CurvesPlot<'a> {
    attempts: Vec<&'a AttemptView>,
    colour: RgbColour,
    heights: DurationAxis,
    end: Duration,
}

impl<'a> CurvesPlot<'a> {
    /// All configurations share the axes, so that their plots can be compared side by side.
    fn new(model: &'a SessionModel, at: usize) -> Self {
        let points = || model.attempts.iter().flat_map(|it| &it.points);
        let latencies = || points().map(|point| point.latency);
        let mut attempts: Vec<_> = model.attempts_of(at).filter(|it| it.points.len() > 1).collect();
        attempts.drain(..attempts.len().saturating_sub(MOST));
        Self {
            attempts,
            colour: colour(at),
            heights: DurationAxis::over(latencies(), latencies()),
            end: points().map(|point| point.at).max().unwrap_or_default(),
        }
    }

    fn signs(&self) -> Vec<(LegendMark, &'static str)> {
        let any = |is: fn(&AttemptView) -> bool| self.attempts.iter().any(|it| is(it));
        let mut signs = vec![(LegendMark::Line(self.colour), "a restart")];
        let mut add = |is_there: bool, sign| signs.extend(is_there.then_some(sign));
        add(any(|it| it.steady_from.is_some()), (LegendMark::Dot(INK), "steady from here"));
        add(any(|it| it.is_throttled), (LegendMark::Line(ALARM), "a throttled restart"));
        add(
            any(|it| !it.throttled_spans.is_empty()),
            (LegendMark::Tint(ALARM), "when it was throttled"),
        );
        add(any(|it| it.problem.is_some()), (LegendMark::Line(MUTED), "not completed"));
        let has_failed = |it: &AttemptView| it.points.iter().any(|point| !point.is_ok);
        add(any(has_failed), (LegendMark::Dot(ALARM), "a failed request"));
        signs
    }

    fn x(&self, frame: &PlotFrame, at: Duration) -> f64 {
        frame.across(at.as_secs_f64() / self.end.as_secs_f64().max(1.0))
    }

    fn y(&self, frame: &PlotFrame, latency: Duration) -> f64 {
        frame.up(self.heights.share(latency))
    }

    fn shade(&self, scene: &mut Scene, frame: &PlotFrame) {
        for (from, to) in self.attempts.iter().flat_map(|it| &it.throttled_spans) {
            let [from, to] = [self.x(frame, *from), self.x(frame, (*to).min(self.end))];
            if from < to {
                scene.rect((from, frame.top), (to, frame.bottom), ALARM, 0.12);
            }
        }
    }

    fn curve(&self, scene: &mut Scene, frame: &PlotFrame, attempt: &AttemptView) {
        let colour = match (&attempt.problem, attempt.is_throttled) {
            (Some(_), _) => MUTED,
            (None, true) => ALARM,
            (None, false) => self.colour,
        };
        let spot = |at, latency| (self.x(frame, at), self.y(frame, latency));
        let ok = attempt.points.iter().filter(|point| point.is_ok);
        scene.line_or_dot(ok.map(|point| spot(point.at, point.latency)).collect(), 0.5, colour);
        let trend = trend(attempt);
        scene.line(trend.iter().map(|(at, latency)| spot(*at, *latency)).collect(), 2.2, colour);
        for point in attempt.points.iter().filter(|point| !point.is_ok) {
            scene.dot(spot(point.at, point.latency), 3.0, ALARM);
        }
        if let Some(first) = attempt.points.first().filter(|point| point.is_ok) {
            scene.dot(spot(first.at, first.latency), 3.0, colour);
        }
    }

    fn steady_point(&self, scene: &mut Scene, frame: &PlotFrame, attempt: &AttemptView) {
        let from = attempt.steady_from.and_then(|from| attempt.points.get(from));
        let Some(from) = from else { return };
        let trend = trend(attempt).into_iter().find(|(at, _)| *at >= from.at);
        let (at, latency) = trend.unwrap_or((from.at, from.latency));
        scene.disc((self.x(frame, at), self.y(frame, latency)), 4.5, INK);
    }
}

/// The running median of a curve's ok requests. The first request has its own: a boot is not part
/// of the curve.
fn trend(attempt: &AttemptView) -> Vec<(Duration, Duration)> {
    let ok: Vec<_> = attempt.points.iter().skip(1).filter(|point| point.is_ok).collect();
    let median = |at: usize| {
        // A window that shrinks at both ends alike is centred everywhere.
        let half = (WINDOW / 2).min(at).min(ok.len() - 1 - at);
        let mut window: Vec<_> = ok[at - half..=at + half].iter().map(|it| it.latency).collect();
        window.sort_unstable();
        (ok[at].at, window[half])
    };
    (0..ok.len()).map(median).collect()
}
