//! When the CPU quota held the target back, for each throttled attempt.

use std::time::Duration;

use super::super::axis::{PlotFrame, clock};
use super::super::scene::{LegendMark, Scene, TextAnchor};
use super::super::sheet::PlotSheet;
use super::super::style::{ALARM, LABEL, STRONG};
use super::super::table::PlotTable;
use super::{SessionPlot, colour};
use crate::report::session::{AttemptView, SessionModel};
use crate::report::words;

const ROW: f64 = 26.0;
/// Maximum number of attempts in the plot.
const MOST: usize = 40;

/// The plot; `None` if no attempt was throttled.
pub(super) fn plot(model: &SessionModel) -> Option<SessionPlot<'_>> {
    let throttled = rows(model);
    let longest = throttled.iter().filter_map(|attempt| attempt.throttled).max()?;
    let known = model.attempts.iter().filter(|attempt| attempt.throttled.is_some()).count();
    let title = format!(
        "CPU quota: {} of {} throttled, for up to {}",
        model.attempts.iter().filter(|attempt| attempt.is_throttled).count(),
        words::plural(known as u64, "attempt"),
        words::time(Some(longest))
    );
    let of = |it: &&AttemptView| format!("{} for {}", it.place(), words::time(it.throttled));
    let all: Vec<String> = throttled.iter().map(of).collect();
    Some(SessionPlot {
        title,
        alt: format!("Throttled attempts: {}", all.join("; ")),
        table: Box::new(move || table(model)),
        scene: Box::new(move |sheet| scene(model, sheet)),
    })
}

fn rows(model: &SessionModel) -> Vec<&AttemptView> {
    model.attempts.iter().filter(|attempt| attempt.is_throttled).take(MOST).collect()
}

fn table(model: &SessionModel) -> PlotTable {
    let mut table = PlotTable::new(["attempt", "throttled for", "when, since the first request"]);
    for it in rows(model) {
        let spans: Vec<String> = it
            .throttled_spans
            .iter()
            .map(|(from, to)| format!("{} – {}", words::time(Some(*from)), words::time(Some(*to))))
            .collect();
        let spans = if spans.is_empty() { "not known".to_owned() } else { spans.join(", ") };
        table.rows.push(vec![it.place(), words::time(it.throttled), spans]);
    }
    table
}

fn scene(model: &SessionModel, sheet: PlotSheet<'_>) -> Scene {
    let attempts = rows(model);
    let subtitle = "throttled attempts, by the time since their first request; throttled time is added over CPUs";
    let (mut scene, below) = sheet.headed(subtitle);
    let signs = [
        (LegendMark::Box(ALARM), "throttling seen to rise"),
        (LegendMark::Line(colour(0)), "the warm-up curve"),
    ];
    let below = scene.legend(below, &signs);
    let last = |it: &&AttemptView| {
        let curve = it.points.last().map(|point| point.at);
        curve.into_iter().chain(it.throttled_spans.iter().map(|(_, to)| *to)).max()
    };
    let end = attempts.iter().filter_map(last).max().unwrap_or(Duration::from_secs(1));
    let edge = scene.paper.edge;
    let bottom = below + ROW * attempts.len() as f64 + 4.0;
    let frame =
        PlotFrame { left: edge + 108.0, right: scene.width - edge - 62.0, top: below, bottom };
    let x = |at: Duration| frame.across(at.as_secs_f64() / end.as_secs_f64().max(1e-3));
    for (at, it) in attempts.iter().enumerate() {
        let y = below + ROW * (at as f64 + 0.5);
        scene.text((edge, y), TextAnchor::Start, &it.place(), LABEL);
        let curve = it.points.last().map(|point| point.at).unwrap_or_default();
        scene.line(vec![(x(Duration::ZERO), y), (x(curve), y)], 2.0, colour(it.configuration));
        for (from, to) in &it.throttled_spans {
            scene.rect((x(*from), y - 7.0), (x(*to), y + 7.0), ALARM, 1.0);
        }
        let words = words::time(it.throttled);
        scene.text((frame.right + 8.0, y), TextAnchor::Start, &words, STRONG);
    }
    let ticks = clock(end, scene.paper.ticks);
    let ticks: Vec<_> =
        ticks.into_iter().map(|(share, label)| (frame.across(share), label)).collect();
    frame.floor(&mut scene, &ticks, "time since the first request");
    scene.height = (bottom + 54.0).ceil();
    scene
}
