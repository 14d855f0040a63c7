//! A site of latency history as markdown: the summary, and the page of a scenario.

use super::{code, escape, prose, prose_cell, table};
use crate::report::plot;
use crate::report::plot::panel_sketches;
use crate::report::site::{
    HistorySite, PERIOD_HEADS, RUN_HEADS, RequestPanel, RunHistoryRow, SUMMARY_HEADS, SiteLabels,
    SummaryModel, SummarySection,
};

/// Renders the summary of a site.
pub fn summary_markdown(site: &HistorySite) -> String {
    let model = SummaryModel::new(site);
    let mut parts = vec![format!(
        "# Latency summary\n\n{}\n\n**{}**\n",
        escape(&model.period),
        escape(&model.headline)
    )];
    parts.extend(model.scenarios.iter().map(summary_section));
    let steps: String =
        model.next_steps.iter().map(|step| format!("- {}\n", prose(step))).collect();
    parts.push(format!("## Next steps\n\n{steps}"));
    parts.join("\n")
}

fn summary_section(scenario: &SummarySection) -> String {
    let rows = scenario.rows.iter().map(|(cells, (_, status))| {
        let [metric, target, actual] = cells.each_ref().map(|cell| prose_cell(cell));
        vec![metric, target, actual, (*status).to_owned()]
    });
    let table = if scenario.rows.is_empty() {
        "No budget.\n".to_owned()
    } else {
        table(&SUMMARY_HEADS, rows)
    };
    let caveats: String =
        scenario.caveats.iter().map(|caveat| format!("\nCaveat: {}\n", prose(caveat))).collect();
    let (title, passed) = (escape(&scenario.title), escape(&scenario.attainment));
    format!("## {title}\n\n{table}\nPassed: {passed}\n{caveats}")
}

/// Renders the page of a scenario; `None` if the site has no page of this file stem. It refers to
/// plots by file name, relative to its folder.
pub fn scenario_markdown(site: &HistorySite, slug: &str) -> Option<String> {
    let series = site.pages.iter().find(|page| page.slug == slug)?;
    let newest =
        series.newest.as_ref().map(|(decision, at)| format!("{} at {at}", decision.word()));
    let mut parts = vec![format!(
        "# {}\n\n{}\n\nNewest run: {}. Passed: {}\n",
        escape(&series.title),
        escape(&SiteLabels::new(&site.options).period()),
        newest.unwrap_or_else(|| "none".to_owned()),
        escape(&series.attainment),
    )];
    parts.extend(
        series.caveats.lines().iter().map(|caveat| format!("> Caveat: {}\n", prose(caveat))),
    );
    let mut stems = plot::FileStems::default();
    for panel in &series.panels {
        let plots = panel_sketches(site, series, panel, &mut stems);
        let pictures: String = plots
            .iter()
            .map(|plot| {
                let (title, alt) = (escape(&plot.title), escape(&plot.alt));
                format!("\n![{title}. {alt}]({}-{}.svg)\n", series.slug, plot.name)
            })
            .collect();
        parts.extend([section(panel), pictures]);
    }
    Some(parts.join("\n"))
}

fn section(panel: &RequestPanel) -> String {
    let budgets = panel.budgets.iter().map(|row| {
        let limit = match row.limit.as_str() {
            "" => String::new(),
            limit => format!(" ({})", escape(limit)),
        };
        let budget = code(&row.budget) + &limit;
        vec![
            budget,
            row.actual.clone(),
            row.status().1.to_owned(),
            row.attainment.clone(),
            row.left.clone(),
        ]
    });
    let heads = ["budget", "actual", "status", "held by", "error budget left"];
    let changes = panel.changes.iter();
    let mut parts = vec![
        format!("## {}\n\n{}\n", escape(&panel.name), escape(&panel.finding_sentence())),
        if panel.budgets.is_empty() { "No budget.\n".to_owned() } else { table(&heads, budgets) },
        table(&PERIOD_HEADS, panel.periods.iter()),
        table(&["quantile", "before", "now", "change (90 % interval)"], changes),
        list("Change points", &panel.change_points),
        list("Missing data", &panel.notes.iter().chain(&panel.gaps).cloned().collect::<Vec<_>>()),
        runs("Newest runs", &panel.newest),
        runs("Slowest runs", &panel.slowest),
        runs("Runs that did not pass", &panel.undecided),
    ];
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

fn list(heading: &str, lines: &[String]) -> String {
    let lines: String = lines.iter().map(|line| format!("- {}\n", escape(line))).collect();
    if lines.is_empty() { lines } else { format!("### {heading}\n\n{lines}") }
}

fn runs(heading: &str, rows: &[RunHistoryRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let cells = rows.iter().map(|row| {
        let lead = [row.started.clone(), row.decision.name().to_owned()];
        lead.into_iter().chain(row.cells.iter().map(|cell| escape(cell))).collect::<Vec<_>>()
    });
    format!("### {heading}\n\n{}", table(&RUN_HEADS, cells))
}
