//! The page of one scenario.

use maud::{Markup, html};

use super::super::plots::{figure, rows};
use super::super::{badge, prose, scrolling, stacked_table};
use super::{PageDepth, budget_status, method, navigation, page, period, written_budget};
use crate::record::Decision;
use crate::report::plot::{FileStems, panel_sketches};
use crate::report::site::{
    CONDITION_HEADS, HistorySite, PERIOD_HEADS, RUN_HEADS, RequestPanel, RunHistoryRow, SeriesPage,
};

/// Maximum number of gaps listed.
const GAPS: usize = 12;

/// Renders the page of a scenario; `None` if the site has no page of this file stem.
pub fn scenario_html(site: &HistorySite, slug: &str) -> Option<String> {
    let series = site.pages.iter().find(|page| page.slug == slug)?;
    let mut stems = FileStems::default();
    let body = html! {
        header {
            (navigation(PageDepth::Below, ""))
            h1 { (series.title) }
            (period(site))
        }
        (caveats(series))
        (state(series))
        @for panel in &series.panels { (section(site, series, panel, &mut stems)) }
        (conditions(series))
        (method(site))
    };
    Some(page(&format!("{} — latency history", series.title), &body))
}

fn caveats(series: &SeriesPage) -> Markup {
    let caveats = series.caveats.lines();
    html! {
        @if !caveats.is_empty() {
            aside.caveats {
                p.word { "Caveats" }
                ul { @for caveat in &caveats { li { (prose(caveat)) } } }
            }
        }
    }
}

/// The newest run and the period.
fn state(series: &SeriesPage) -> Markup {
    let decision = series.newest.as_ref().map_or(Decision::Inconclusive, |(decision, _)| *decision);
    html! {
        section.verdict.(decision.name()) {
            p.word { (decision.word()) }
            @if let Some((_, at)) = &series.newest { p.why { "Newest run: " (at) } }
            p.why { "Passed in the period: " (series.attainment) }
        }
    }
}

fn section(
    site: &HistorySite,
    series: &SeriesPage,
    panel: &RequestPanel,
    stems: &mut FileStems,
) -> Markup {
    let sketches = panel_sketches(site, series, panel, stems);
    html! {
        section {
            h2 { (panel.name) }
            p { strong { (panel.finding_sentence()) } }
            (budgets(panel))
            @for row in rows(&sketches) { div.plots { @for sketch in row { (figure(sketch)) } } }
            (changes(panel))
            (runs(panel))
            @if !panel.gaps.is_empty() || !panel.notes.is_empty() {
                h3 { "Missing data" }
                div.card { ul.plain {
                    @for note in &panel.notes { li { (note) "." } }
                    @for gap in panel.gaps.iter().take(GAPS) { li { "No runs for " (gap) } }
                    @if panel.gaps.len() > GAPS { li { (panel.gaps.len() - GAPS) " shorter gaps" } }
                } }
            }
        }
    }
}

fn budgets(panel: &RequestPanel) -> Markup {
    let table = html! {
        table.stacked {
            thead { tr {
                th scope="col" { "budget" }
                th.number scope="col" { "actual" }
                th scope="col" { "status" }
                th scope="col" { "held by" }
                th scope="col" { "error budget left" }
            } }
            tbody { @for row in &panel.budgets { tr {
                th scope="row" { (written_budget(row)) @if !row.is_current { " " span.muted { "(earlier)" } } }
                td.number data-label="actual" { (row.actual) }
                td data-label="status" { (budget_status(row)) }
                td data-label="held by" { (row.attainment) }
                td data-label="error budget left" { (row.left) }
            } } }
        }
    };
    html! {
        @if panel.budgets.is_empty() {
            p.muted { "No budget." }
        } @else {
            div.card { (scrolling(&format!("Budgets: {}", panel.name), &table)) }
        }
    }
}

fn changes(panel: &RequestPanel) -> Markup {
    let heads: Vec<String> = PERIOD_HEADS.map(str::to_owned).to_vec();
    let change_heads = ["quantile", "before", "now", "change (90 % interval)"].map(str::to_owned);
    html! {
        h3 { "Against the period before" }
        div.card {
            @let table = stacked_table(&heads, &panel.periods, heads.len());
            (scrolling(&format!("Periods: {}", panel.name), &table))
            @if panel.history.previous.attainment.runs() == 0 {
                p.muted.small { "The period before has no runs." }
            } @else if panel.changes.is_empty() {
                p.muted.small { "Too few exchanges to compare the periods: a p50 needs 40 a period." }
            } @else {
                @let table = stacked_table(&change_heads, &panel.changes, change_heads.len());
                (scrolling(&format!("Changes: {}", panel.name), &table))
            }
        }
        @if !panel.change_points.is_empty() {
            h3 { "Change points" }
            div.card { ul.plain { @for change in &panel.change_points { li { (change) } } } }
        }
    }
}

fn runs(panel: &RequestPanel) -> Markup {
    let kinds = [
        ("Newest runs", &panel.newest),
        ("Slowest runs", &panel.slowest),
        ("Runs that did not pass", &panel.undecided),
    ];
    html! {
        @for (name, rows) in kinds {
            @if !rows.is_empty() {
                h3 { (name) }
                div.card { (scrolling(&format!("{name}: {}", panel.name), &run_table(rows))) }
            }
        }
    }
}

fn run_table(rows: &[RunHistoryRow]) -> Markup {
    html! {
        table.stacked {
            thead { tr { @for (at, head) in RUN_HEADS.iter().enumerate() {
                th.number[(2..8).contains(&at)] scope="col" { (head) }
            } } }
            tbody { @for row in rows { tr {
                th scope="row" {
                    @if row.is_linked { a href={ "../runs/" (row.name) ".html" } { (row.started) } }
                    @else { (row.started) }
                }
                td { (badge(row.decision)) }
                @for (at, (head, cell)) in RUN_HEADS.iter().skip(2).zip(&row.cells).enumerate() {
                    td.number[at < 6].figure[at < 6].deploy[at == 6].empty[cell.is_empty()] data-label=(head) { (cell) }
                }
            } } }
        }
    }
}

fn conditions(series: &SeriesPage) -> Markup {
    let columns = series.conditions.first().map_or(0, Vec::len);
    let table = html! {
        table.stacked.settings {
            thead { tr { @for head in CONDITION_HEADS.iter().take(columns) { th scope="col" { (head) } } } }
            tbody { @for row in &series.conditions { tr { @for (at, cell) in row.iter().enumerate() {
                @if at == 0 { th scope="row" { (cell) } }
                @else { td.words[at > 2] data-label=(CONDITION_HEADS[at]) { (cell) } }
            } } } }
        }
    };
    html! {
        @if !series.conditions.is_empty() {
            section {
                h2 { "Settings" }
                div.card { (scrolling("Settings", &table)) }
            }
        }
    }
}
