//! A tuning session as markdown.

use super::{code, escape, facts, prose, prose_cell, table};
use crate::record::session::FigureKind;
use crate::report::plot::session_sketches;
use crate::report::session::{
    ConfigurationView, FigureView, INVENTORY_HEADS, InventoryRow, ReasonedText, SessionModel,
};
use crate::report::words::capitalised;

/// Maximum number of machines in the inventory; `session.json` has all of them.
const MACHINES: usize = 60;

/// Renders a session as markdown. It refers to plots by file name, relative to the report.
pub fn session_markdown(model: &SessionModel) -> String {
    let mut parts = vec![
        heading(model),
        list("What to do", model.advice.iter().map(ReasonedText::line)),
        figures(model),
        caveats(model),
        differences(model),
        throttling(model),
        list("Findings", model.findings().map(|(it, line)| format!("{}: {}", it.key, line.line()))),
        pictures(model),
        configurations(model),
        attempts(model),
        inventory(model),
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
        model.all_caveats().map(|caveat| format!("> - {}\n", prose(&caveat))).collect();
    if lines.is_empty() { lines } else { format!("> [!WARNING]\n{lines}") }
}

fn heading(model: &SessionModel) -> String {
    let headline: String =
        model.headline.iter().map(|sentence| format!("**{}**\n\n", prose(sentence))).collect();
    let [title, subtitle] = [&model.title, &model.subtitle].map(|text| escape(text));
    format!("## {title}\n\n{subtitle}\n\n{}", headline.trim_end_matches('\n').to_owned() + "\n")
}

/// One row for each configuration.
fn figures(model: &SessionModel) -> String {
    let kinds: Vec<FigureKind> = model.kinds().collect();
    let confidence = model.confidence().map(|of| format!(" ({of} intervals)")).unwrap_or_default();
    let heads: Vec<String> = ["", "Configuration"]
        .map(str::to_owned)
        .into_iter()
        .chain(kinds.iter().map(|kind| capitalised(kind.name())))
        .chain(["Class", "Restarts"].map(str::to_owned))
        .collect();
    let row = |it: &ConfigurationView| {
        let lead = [it.key.clone(), escape(&it.name)];
        let last = [it.class_name().to_owned(), it.restarts_words()];
        let figure = |kind: &FigureKind| {
            it.figure(*kind).map_or_else(|| "–".to_owned(), FigureView::with_interval)
        };
        lead.into_iter().chain(kinds.iter().map(figure)).chain(last).collect::<Vec<_>>()
    };
    let table = table(&borrowed(&heads), model.configurations.iter().map(row));
    format!("### Figures{confidence}\n\n{table}")
}

fn borrowed(heads: &[String]) -> Vec<&str> {
    heads.iter().map(String::as_str).collect()
}

fn differences(model: &SessionModel) -> String {
    let mut rows = model
        .all_differences()
        .map(|(kind, it, by)| {
            [
                capitalised(kind.name()),
                escape(&it.short_place()),
                if by.difference.is_clear {
                    format!("**{}**", by.outcome)
                } else {
                    by.outcome.to_owned()
                },
                by.value.clone(),
                by.interval.clone(),
                by.seen_above.clone(),
            ]
        })
        .peekable();
    if rows.peek().is_none() {
        return String::new();
    }
    let heads = ["Figure", "Configuration", "Outcome", "Difference", "Interval", "Seen above"];
    format!(
        "### {}\n\n{}\n{}\n",
        escape(&model.differences_heading()),
        table(&heads, rows),
        escape(&model.seen_above_note())
    )
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
    let line = |(_, keys, words): (bool, String, String)| format!("{keys}: {words}");
    list("CPU quota", model.quota_lines().into_iter().map(line))
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
    let heads: Vec<String> = model.attempt_heads().iter().map(|head| capitalised(head)).collect();
    let table = table(&borrowed(&heads), model.attempt_rows());
    format!("### Attempts\n\n{table}")
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
    let heads = INVENTORY_HEADS.map(capitalised);
    format!("### Machines\n\n{}{note}", table(&borrowed(&heads), shown))
}
