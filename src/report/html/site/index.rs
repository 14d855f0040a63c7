//! The page that lists all scenarios.

use maud::{Markup, html};

use super::super::{badge, scrolling};
use super::trend_line::trend;
use super::{
    PageDepth, budget_state, budget_status, method, navigation, page, period, written_budget,
};
use crate::report::site::{HistorySite, RequestPanel, SeriesPage};

/// Renders the index of a site.
pub fn index_html(site: &HistorySite) -> String {
    let state = site.budget_state();
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
            (budget_state(state.decision, &state.headline))
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
        table.stacked.index {
            thead { tr {
                th scope="col" { "scenario" }
                th scope="col" { "newest run" }
                th.narrow-words scope="col" { "passed in the period" }
                th scope="col" { "budget" }
                th.number scope="col" { "actual" }
                th scope="col" { "status" }
                th.narrow-words scope="col" { "error budget left" }
                th scope="col" { "trend" }
                th scope="col" { "last change" }
            } }
            tbody { @for page in &site.pages { (row(page)) } }
        }
    }
}

fn row(page: &SeriesPage) -> Markup {
    let main = page.main_budget();
    let panel = main.map(|(panel, _)| panel).or(page.panels.first());
    html! {
        tr {
            th.narrow-words scope="row" {
                a href={ "scenarios/" (page.slug) ".html" } { (page.title) }
            }
            td.narrow-words data-label="newest run" {
                @if let Some((decision, at)) = &page.newest { (badge(*decision)) " " span.muted.small.nowrap { (at) } }
            }
            td.narrow-words data-label="passed" { (page.attainment) }
            @if let Some((panel, budget)) = main {
                td.narrow-words.budget data-label="budget" {
                    @if page.panels.len() > 1 { span.muted.small { (panel.name) ": " } }
                    (written_budget(budget))
                }
                td.number data-label="actual" { (budget.actual) }
                td.narrow-words data-label="status" {
                    (budget_status(budget))
                    @if let Some(share) = page.budget_share() { " " span.muted.small.nowrap { (share) } }
                }
                td.narrow-words data-label="error budget left" { (budget.left) }
            } @else {
                td.muted colspan="4" data-label="budget" { "none" }
            }
            td data-label="trend" {
                @if let Some(panel) = panel { (trend(panel, main.map(|(_, budget)| budget))) }
            }
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
