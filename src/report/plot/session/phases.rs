//! The parts of the first request, and of requests before and after the steady state, as stacked
//! bars.

use std::time::Duration;

use super::super::phases::{PhaseBar, draw};
use super::super::scene::{Scene, TextAnchor};
use super::super::sheet::PlotSheet;
use super::super::style::{STRONG, TICK};
use super::super::table::PlotTable;
use super::{SessionPlot, median};
use crate::record::Dimension;
use crate::record::session::SampleHeat;
use crate::report::model::{DurationQuantiles, label};
use crate::report::session::{
    AttemptView, ConfigurationView, CurvePoint, SessionModel, StageSplit,
};
use crate::report::words;

/// Maximum number of configurations in the plot.
const MOST: usize = 8;
const HEADING: f64 = 26.0;

/// A configuration with its bars.
type BarGroup = (String, Vec<PhaseBar>);

/// The first request of each configuration; `None` if none has parts.
pub(super) fn first(model: &SessionModel) -> Option<SessionPlot<'_>> {
    let groups = groups(model, |attempts| heat_bars(attempts, &[StageSplit::First]));
    let (place, bars) = groups.first()?;
    let bar = bars.first()?;
    let setup: Duration = bar
        .parts
        .iter()
        .filter(|(part, _)| Dimension::SETUP.contains(part))
        .map(|(_, time)| *time)
        .sum();
    let whole = bar.latency.p50.unwrap_or_default();
    let title = format!(
        "The first answer: connection takes {} of {} ({place})",
        words::time(Some(setup)),
        words::time(Some(whole))
    );
    let subtitle = "the median over restarts of each part of the first request";
    Some(plot(title, subtitle, groups))
}

/// Requests before and in the steady state of each configuration; `None` if none has parts. Where
/// no steady state was found, no request is known to be before it.
pub(super) fn warming(model: &SessionModel) -> Option<SessionPlot<'_>> {
    let groups = groups(model, |attempts| {
        let steady: Vec<&AttemptView> =
            attempts.iter().copied().filter(|it| it.steady_from.is_some()).collect();
        heat_bars(&steady, &[StageSplit::Before, StageSplit::Steady])
    });
    let title = format!("Requests after the first: {}", warming_finding(&groups)?);
    let subtitle =
        "the median of each part, without the first request; warm: from the steady point on";
    Some(plot(title, subtitle, groups))
}

/// What the bars show: of the first configuration that warms up, or else that all are steady from
/// the start.
fn warming_finding(groups: &[BarGroup]) -> Option<String> {
    let time = |bar: &PhaseBar| words::time(bar.latency.p50);
    let warms_up = groups.iter().find_map(|(place, bars)| match bars.as_slice() {
        [before, .., steady] if steady.name == SampleHeat::Warm.name() => {
            Some((place, before, steady))
        }
        _ => None,
    });
    if let Some((place, before, steady)) = warms_up {
        let [before, steady] = [before, steady].map(time);
        return Some(format!("{before} before the steady state, {steady} in it ({place})"));
    }
    let (place, bars) = groups.first()?;
    Some(format!("{} from the start ({place})", time(bars.first()?)))
}

/// A bar for each state that some requests of these parts of the attempts met; *warm* is the last.
fn heat_bars(attempts: &[&AttemptView], stages: &[StageSplit]) -> Vec<PhaseBar> {
    let of_heat = |heat: SampleHeat| {
        let points =
            attempts.iter().flat_map(|it| stages.iter().flat_map(|stage| it.split(*stage)));
        bar(heat.name(), points.filter(move |point| point.heat == heat))
    };
    SampleHeat::ALL.into_iter().filter_map(of_heat).collect()
}

fn plot<'a>(title: String, subtitle: &'static str, groups: Vec<BarGroup>) -> SessionPlot<'a> {
    let all = std::rc::Rc::new(groups);
    let for_scene = std::rc::Rc::clone(&all);
    SessionPlot {
        title,
        alt: alt(&all),
        table: Box::new(move || table(&all)),
        scene: Box::new(move |sheet| scene(&for_scene, subtitle, sheet)),
    }
}

/// The bars of each configuration over its completed attempts.
fn groups(model: &SessionModel, bars: impl Fn(&[&AttemptView]) -> Vec<PhaseBar>) -> Vec<BarGroup> {
    let of = |(at, place): (usize, String)| {
        let attempts: Vec<_> = model.attempts_of(at).filter(|it| it.problem.is_none()).collect();
        (place, bars(&attempts))
    };
    let places = model.configurations.iter().map(ConfigurationView::short_place).enumerate();
    places.map(of).filter(|(_, bars)| !bars.is_empty()).take(MOST).collect()
}

/// The medians of some exchanges; `None` if there are none, or if their parts are not known.
fn bar<'a>(name: &str, points: impl Iterator<Item = &'a CurvePoint>) -> Option<PhaseBar> {
    let points: Vec<&CurvePoint> = points.collect();
    let part = |part: Dimension| {
        let entered: Vec<Duration> =
            points.iter().filter_map(|point| point.parts.get(&part).copied()).collect();
        // A part that fewer than half of them entered is not part of the median exchange.
        let is_usual = entered.len() * 2 >= points.len();
        median(entered).filter(|time| is_usual && !time.is_zero()).map(|time| (part, time))
    };
    let parts: Vec<_> = Dimension::PARTS.into_iter().filter_map(part).collect();
    let p50 = median(points.iter().map(|point| point.latency).collect())?;
    let n = points.len() as u64;
    let latency = DurationQuantiles { n, p50: Some(p50), ..DurationQuantiles::default() };
    (!parts.is_empty()).then(|| PhaseBar { name: name.to_owned(), latency, parts })
}

fn alt(groups: &[BarGroup]) -> String {
    let of = |(place, bars): &BarGroup| {
        let bars: Vec<String> = bars.iter().map(PhaseBar::words).collect();
        format!("{place}: {}", bars.join("; "))
    };
    groups.iter().map(of).collect::<Vec<_>>().join(". ")
}

fn table(groups: &[BarGroup]) -> PlotTable {
    let heads = Dimension::PARTS.iter().map(|part| label(*part));
    let mut table = PlotTable::new(["median of", "n"].into_iter().chain(heads).chain(["latency"]));
    for (place, bars) in groups {
        for bar in bars {
            let part = |part: &Dimension| {
                bar.parts.iter().find(|(of, _)| of == part).map(|(_, time)| *time)
            };
            let lead = [format!("{place}, {}", bar.name), words::count(bar.latency.n)];
            let cells = Dimension::PARTS.iter().map(|of| words::time(part(of)));
            table.rows.push(
                lead.into_iter().chain(cells).chain([words::time(bar.latency.p50)]).collect(),
            );
        }
    }
    table
}

fn scene(groups: &[BarGroup], subtitle: &str, sheet: PlotSheet<'_>) -> Scene {
    let bars = groups.iter().flat_map(|(_, bars)| bars);
    let longest = bars.map(PhaseBar::total).max().unwrap_or_default();
    let (mut scene, mut y) = sheet.headed(subtitle);
    for (place, bars) in groups {
        let room = scene.paper.width - 2.0 * scene.paper.edge;
        let name = scene.fit_text(place, room, STRONG);
        scene.text((scene.paper.edge, y + 10.0), TextAnchor::Start, &name, STRONG);
        y += HEADING;
        for bar in bars {
            y = draw(&mut scene, bar, y, longest);
        }
    }
    let note = "The medians of the parts need not add up to the median of the whole.";
    let below = scene.paragraph(y + 8.0, note, TICK, 3);
    scene.height = (below + 6.0).ceil();
    scene
}
