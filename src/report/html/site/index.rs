//! The page that lists all scenarios.

use maud::{Markup, html};

use super::super::{badge, scrolling};
use super::{PageDepth, budget_status, method, navigation, page, period, written_budget};
use crate::history::BudgetSpan;
use crate::record::Dimension;
use crate::report::site::{HistorySite, RequestPanel, SeriesPage};
use crate::report::words;
use crate::units::format_duration;

/// Renders the index of a site.
pub fn index_html(site: &HistorySite) -> String {
    let body = html! {
        header {
            (navigation(PageDepth::Top, "index.html"))
            h1 { "Latency history" }
            (period(site))
        }
        @if site.pages.is_empty() {
            section.verdict.inconclusive {
                p.word { "NO DATA" }
                p.why { "No run started in this period." }
            }
        } @else {
            section {
                h2 { "Scenarios" }
                div.card { (scrolling("Scenarios", &table(site))) }
            }
        }
        @if !site.sessions.is_empty() {
            section {
                h2 { "Tuning sessions" }
                div.card { ul.plain { @for (title, file) in &site.sessions {
                    li { a href={ "sessions/" (file) } { (title) } }
                } } }
            }
        }
        (method(site))
    };
    page("Latency history", &body)
}

fn table(site: &HistorySite) -> Markup {
    html! {
        table.stacked {
            thead { tr {
                th scope="col" { "scenario" }
                th scope="col" { "newest run" }
                th scope="col" { "passed in the period" }
                th scope="col" { "budget" }
                th.number scope="col" { "actual" }
                th scope="col" { "status" }
                th scope="col" { "error budget left" }
                th scope="col" { "trend" }
                th scope="col" { "last change" }
            } }
            tbody { @for page in &site.pages { (row(page)) } }
        }
    }
}

fn row(page: &SeriesPage) -> Markup {
    let budget = page.main_budget();
    let panel = page.panels.first();
    html! {
        tr {
            th.narrow-words scope="row" {
                a href={ "scenarios/" (page.slug) ".html" } { (page.title) }
            }
            td data-label="newest run" {
                @if let Some((decision, at)) = &page.newest { (badge(*decision)) " " span.muted.small { (at) } }
            }
            td.narrow-words data-label="passed" { (page.attainment) }
            @if let Some(budget) = budget {
                td data-label="budget" { (written_budget(budget)) }
                td.number data-label="actual" { (budget.actual) }
                td data-label="status" { (budget_status(budget)) }
                td data-label="error budget left" { (budget.left) }
            } @else {
                td.muted colspan="4" data-label="budget" { "none" }
            }
            td data-label="trend" { @if let Some(panel) = panel { (trend(panel)) } }
            td.narrow-words data-label="last change" { (last_change(page)) }
        }
    }
}

fn last_change(page: &SeriesPage) -> Markup {
    let newest = |panel: &'_ RequestPanel| panel.history.change_points.last().map(|mark| mark.run);
    let started = |panel: &RequestPanel| Some(panel.history.runs.get(newest(panel)?)?.started());
    let changed = page.panels.iter().filter_map(|panel| Some((started(panel)?, panel)));
    let latest = changed.max_by_key(|(at, _)| *at);
    let change = latest.and_then(|(_, panel)| panel.change_points.first());
    html! {
        @match change {
            Some(change) => (change),
            None => span.muted { "–" },
        }
    }
}

const WIDTH: f64 = 160.0;
const HEIGHT: f64 = 36.0;

/// The leading quantile over the period as a small line, with the budget as a dashed one. Gaps
/// break it.
fn trend(panel: &RequestPanel) -> Markup {
    let bins = &panel.history.bins;
    let value =
        |bin: &crate::history::TimeBin| bin.latency.leading().map(|time| time.as_secs_f64());
    let on_latency = |span: &&BudgetSpan| span.budget.dimension() == Some(Dimension::Latency);
    let span = panel.history.budget_spans.iter().rfind(on_latency);
    let ceiling = span.and_then(BudgetSpan::newest_ceiling).map(|ceiling| ceiling.as_secs_f64());
    let high =
        bins.bins.iter().filter_map(value).chain(ceiling).fold(0.0, f64::max).max(1e-6) * 1.1;
    let (Some(first), Some(last)) = (bins.bins.first(), bins.bins.last()) else { return html! {} };
    let whole = (last.middle() - first.middle()).as_seconds_f64().max(1.0);
    let x = |bin: &crate::history::TimeBin| {
        3.0 + (WIDTH - 6.0) * (bin.middle() - first.middle()).as_seconds_f64() / whole
    };
    let y = |value: f64| HEIGHT - 2.0 - (HEIGHT - 4.0) * value / high;
    let spot = |bin: &crate::history::TimeBin| Some(format!("{:.1},{:.1}", x(bin), y(value(bin)?)));
    let lines: Vec<Vec<String>> =
        bins.stretches().into_iter().map(|bins| bins.iter().filter_map(spot).collect()).collect();
    let newest = last.latency.leading().map(format_duration);
    let words = format!(
        "{} over the period, newest {}",
        panel.name,
        newest.unwrap_or_else(|| words::time(None))
    );
    html! {
        svg.trend viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } width=(WIDTH) height=(HEIGHT) role="img" aria-label=(words) {
            @if let Some(ceiling) = ceiling {
                line.limit x1="0" x2=(WIDTH) y1=(format!("{:.1}", y(ceiling))) y2=(format!("{:.1}", y(ceiling))) {}
            }
            @for line in &lines {
                @match line.as_slice() {
                    [] => {},
                    [alone] => polyline.line points={ (alone) " " (alone) } {},
                    all => polyline.line points=(all.join(" ")) {},
                }
            }
        }
    }
}
