//! A tuning session as markdown.

use super::{code, escape, facts, prose, prose_cell, table};
use crate::record::session::FigureKind;
use crate::report::plot::session_sketches;
use crate::report::session::{
    AttemptView, ConfigurationView, FigureView, INVENTORY_HEADS, InventoryRow, SessionModel, value,
};
use crate::report::words;

/// Maximum number of machines in the inventory; `session.json` has all of them.
const MACHINES: usize = 60;

/// Renders a session as markdown. It refers to plots by file name, relative to the report.
pub fn session_markdown(model: &SessionModel) -> String {
    let mut parts = vec![
        caveats(model),
        heading(model),
        figures(model),
        differences(model),
        list("What to do", model.advice.iter().cloned()),
        throttling(model),
        findings(model),
        list("Attempts that did not complete", model.problems()),
        configurations(model),
        attempts(model),
        inventory(model),
        pictures(model),
        format!("### Plan\n\n{}", facts(&model.plan)),
        format!("### Provenance\n\n{}", facts(&model.provenance)),
        format!("_{}_\n", escape(&model.method)),
    ];
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

/// Caveats, as a block that code hosts render as a warning.
fn caveats(model: &SessionModel) -> String {
    let lines: String =
        model.caveats.iter().map(|caveat| format!("> - {}\n", prose(caveat))).collect();
    if lines.is_empty() { lines } else { format!("> [!WARNING]\n{lines}") }
}

fn heading(model: &SessionModel) -> String {
    let headline: String =
        model.headline.iter().map(|sentence| format!("**{}**\n\n", prose(sentence))).collect();
    format!("## {}\n\n{headline}{}\n", escape(&model.title), escape(&model.subtitle))
}

/// One row for each configuration.
fn figures(model: &SessionModel) -> String {
    let kinds: Vec<FigureKind> = model.kinds().collect();
    let confidence = model.confidence().map(|of| format!(" ({of} intervals)")).unwrap_or_default();
    let heads: Vec<&str> = ["", "Configuration", "Restarts", "Class"]
        .into_iter()
        .chain(kinds.iter().map(|kind| kind.name()))
        .collect();
    let row = |it: &ConfigurationView| {
        let lead =
            [it.key.clone(), escape(&it.name), it.restarts_words(), it.class_name().to_owned()];
        let figure = |kind: &FigureKind| {
            it.figure(*kind).map_or_else(|| "–".to_owned(), FigureView::with_interval)
        };
        lead.into_iter().chain(kinds.iter().map(figure)).collect::<Vec<_>>()
    };
    format!("### Figures{confidence}\n\n{}", table(&heads, model.configurations.iter().map(row)))
}

fn differences(model: &SessionModel) -> String {
    if !model.has_differences() {
        return String::new();
    }
    let rows = FigureKind::ALL.into_iter().flat_map(|kind| {
        model.differences(kind).filter_map(move |(configuration, figure)| {
            let difference = figure.difference.as_ref()?;
            Some([
                kind.name().to_owned(),
                escape(&configuration.short_place()),
                difference.value.clone(),
                difference.interval.clone(),
                difference.words.clone(),
            ])
        })
    });
    let heads = ["Figure", "Configuration", "Difference", "Interval", "Outcome"];
    format!("### {}\n\n{}", escape(&model.differences_heading()), table(&heads, rows))
}

fn pictures(model: &SessionModel) -> String {
    let pictures: String = session_sketches(model)
        .iter()
        .map(|plot| {
            format!("\n![{}. {}]({}.png)\n", escape(&plot.title), escape(&plot.alt), plot.name)
        })
        .collect();
    if pictures.is_empty() { pictures } else { format!("### Plots\n{pictures}") }
}

/// A list under a heading; empty without lines.
fn list(heading: &str, lines: impl Iterator<Item = String>) -> String {
    let lines: String = lines.map(|line| format!("- {}\n", prose(&line))).collect();
    if lines.is_empty() { lines } else { format!("### {heading}\n\n{lines}") }
}

fn throttling(model: &SessionModel) -> String {
    let line = |it: &ConfigurationView| format!("{}: {}", it.place(), it.throttle);
    list("CPU quota", model.configurations.iter().map(line))
}

fn findings(model: &SessionModel) -> String {
    let of = |it: &ConfigurationView| {
        let place = it.place();
        it.findings.iter().map(move |finding| format!("{place}: {finding}")).collect::<Vec<_>>()
    };
    list("Findings", model.configurations.iter().flat_map(of))
}

fn configurations(model: &SessionModel) -> String {
    let rows = model.configurations.iter().map(|it| {
        let change = if it.change.is_empty() {
            "nothing".to_owned()
        } else {
            code(&it.change.replace('|', "│"))
        };
        [it.key.clone(), escape(&it.name), escape(&it.size), change, prose_cell(&it.hypothesis)]
    });
    let heads = ["", "Configuration", "Machines", "Change", "Hypothesis"];
    format!("### Configurations\n\n{}", table(&heads, rows))
}

/// The attempts in the order of time.
fn attempts(model: &SessionModel) -> String {
    if model.attempts.is_empty() {
        return String::new();
    }
    let kinds: Vec<FigureKind> = model.kinds().collect();
    let heads: Vec<&str> = ["Attempt", "Round", "Began", "Took", "Start", "Curve", "Throttled"]
        .into_iter()
        .chain(kinds.iter().map(|kind| kind.name()))
        .collect();
    let row = |it: &AttemptView| {
        let curve = if it.problem.is_some() { "not completed" } else { it.curve_end };
        let throttled =
            it.throttled.map_or_else(|| "not known".to_owned(), |it| words::time(Some(it)));
        let lead = [
            format!("{} {}", it.number, it.key),
            it.round.to_string(),
            it.began_words(),
            words::time(Some(it.took)),
            it.start_words().to_owned(),
            curve.to_owned(),
            throttled,
        ];
        let figure = |kind: &FigureKind| {
            it.values.get(kind).map_or_else(|| "–".to_owned(), |figure| value(*kind, *figure))
        };
        lead.into_iter().chain(kinds.iter().map(figure)).collect::<Vec<_>>()
    };
    format!("### Attempts\n\n{}", table(&heads, model.attempts.iter().map(row)))
}

/// The machines of each attempt. What changed during the attempt is bold.
fn inventory(model: &SessionModel) -> String {
    if model.inventory.is_empty() {
        return String::new();
    }
    let row = |row: &InventoryRow| {
        let cell = |cell: &crate::report::session::InventoryCell| {
            let text = escape(&cell.text);
            if cell.has_changed { format!("**{text}**") } else { text }
        };
        row.cells.iter().map(cell).collect::<Vec<_>>()
    };
    let shown = model.inventory.iter().take(MACHINES).map(row);
    let more = model.inventory.len().saturating_sub(MACHINES);
    let note =
        if more > 0 { format!("\n{more} more rows are in session.json.\n") } else { String::new() };
    format!("### Machines\n\n{}{note}", table(&INVENTORY_HEADS, shown))
}
