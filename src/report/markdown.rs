//! The report as markdown: for a comment on a pull request, or an entry in a log.

use crate::record::Decision;

use super::model::{
    ACCOUNT_NOTE, AccountRow, Fact, Model, ProberView, RequestView, ScenarioView, TimingRow, label,
};
use super::{plot, words};

/// The report as markdown; it shows the plots by their file names beside it.
pub fn markdown(model: &Model) -> String {
    let mut parts = vec![caveats(model), verdict(model), gate(model), findings(model), requests(model)];
    for (scenario, request) in model.requests() {
        parts.extend([timing(scenario, request), account(scenario, request)]);
    }
    parts.push(failures(model));
    parts.push(pictures(model));
    parts.extend(model.scenarios.iter().map(plan));
    parts.extend(model.prober.as_ref().map(prober));
    parts.push(format!("### Provenance\n\n{}", facts(&model.provenance)));
    parts.push(format!("_{}_\n", escaped(&model.method)));
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

/// What a reader must know before any figure, as a block that code hosts draw as a warning.
fn caveats(model: &Model) -> String {
    let lines = model
        .caveats
        .iter()
        .map(|caveat| format!("> **{}**: {}  \n", escaped(&caveat.scenario), escaped(&caveat.what)));
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("> [!WARNING]\n{lines}") }
}

fn verdict(model: &Model) -> String {
    let sharing = model.sharing.as_ref().map(|sharing| format!("\n{}\n", escaped(sharing)));
    format!(
        "## {} {} — {}\n\n**{}**\n\n{}\n{}",
        sign(model.decision),
        word(model.decision),
        escaped(&model.title),
        escaped(&model.headline),
        escaped(&model.subtitle),
        sharing.unwrap_or_default(),
    )
}

fn word(decision: Decision) -> String {
    decision.name().to_uppercase()
}

fn sign(decision: Decision) -> &'static str {
    match decision {
        Decision::Pass => "✅",
        Decision::Fail => "❌",
        Decision::Inconclusive => "⚠️",
    }
}

fn gate(model: &Model) -> String {
    let rows = model.requests().flat_map(|(scenario, request)| {
        let place = escaped(&scenario.place(request));
        request.budgets.iter().map(move |row| {
            let (metric, target) = halves(&row.budget);
            let status = format!("{} {}", sign(row.decision), row.decision);
            [format!("{place} · {metric}"), target.to_owned(), row.actual_with_interval(), status]
        })
    });
    table(["Metric", "Target", "Actual (90 % interval)", "Status"], rows)
}

/// The measure of a budget and its limit: `p95` and `< 300ms`.
fn halves(budget: &str) -> (&str, &str) {
    budget.find(['<', '=']).map_or((budget, ""), |at| (budget[..at].trim(), &budget[at..]))
}

fn findings(model: &Model) -> String {
    if model.findings.is_empty() {
        return String::new();
    }
    let mut text = "### What to do next\n\n".to_owned();
    for finding in &model.findings {
        text += &format!("- **{}**: {}", escaped(&finding.place), escaped(&finding.what));
        if !finding.next.is_empty() {
            text += &format!(" → {}", escaped(&finding.next));
        }
        text.push('\n');
    }
    text
}

fn requests(model: &Model) -> String {
    let rows = model.requests().map(|(scenario, request)| {
        let latency = request.latency;
        let [p50, p95, p99, max] = [latency.p50, latency.p95, latency.p99, latency.max].map(words::time);
        let name = escaped(&request.row_name(scenario.place(request)));
        let indent = if request.hop.is_some() { "&emsp;" } else { "" };
        [format!("{indent}{name}"), words::count(request.n), p50, p95, p99, max, request.errors()]
    });
    format!(
        "### Latency of the ok exchanges\n\n{}",
        table(["Scenario · request", "n", "p50", "p95", "p99", "max", "errors"], rows)
    )
}

fn timing(scenario: &ScenarioView, request: &RequestView) -> String {
    let timing = &request.timing;
    if timing.rows.is_empty() {
        return String::new();
    }
    let warm = |quantile: &str| format!("{} {quantile}", timing.warm_name);
    let heads = ["", "cold n", "cold p50", &warm("n"), &warm("p50"), &warm("p95"), &warm("p99")];
    let table = table(heads, timing.rows.iter().map(timing_row));
    let comparison =
        timing.comparison.as_ref().map(|text| format!("\n{}\n", escaped(text))).unwrap_or_default();
    format!("### Where the time goes: {}\n\n{table}{comparison}", escaped(&scenario.place(request)))
}

/// What the target told of its own time.
fn account(scenario: &ScenarioView, request: &RequestView) -> String {
    let rows = &request.account.rows;
    if rows.is_empty() {
        return String::new();
    }
    let warm = |quantile: &str| format!("{} {quantile}", request.timing.warm_name);
    let heads = ["", "cold n", "cold p50", &warm("n"), &warm("p50"), &warm("p95"), &warm("p99")];
    let table = table(heads, rows.iter().map(account_row));
    let heading = format!("### The target's own account: {}", escaped(&scenario.place(request)));
    format!("{heading}\n\n{table}\n{ACCOUNT_NOTE}\n")
}

fn account_row(row: &AccountRow) -> [String; 7] {
    let name = if row.is_ours { format!("_{}_", row.name) } else { escaped(&row.name) };
    let (cold, warm) = (row.cold, row.warm);
    let [p50, p95, p99] = [warm.p50, warm.p95, warm.p99].map(words::time);
    [name, words::count(cold.n), words::time(cold.p50), words::count(warm.n), p50, p95, p99]
}

fn prober(prober: &ProberView) -> String {
    format!("### Prober\n\n{}\n\n{}", escaped(&prober.sentence), facts(&prober.facts))
}

fn timing_row(row: &TimingRow) -> [String; 7] {
    [
        format!("{}{}", "&emsp;".repeat(row.depth), label(row.dimension)),
        words::count(row.cold.n),
        words::time(row.cold.p50),
        words::count(row.warm.n),
        words::time(row.warm.p50),
        words::time(row.warm.p95),
        words::time(row.warm.p99),
    ]
}

fn failures(model: &Model) -> String {
    let mut text = String::new();
    for (scenario, request) in model.requests() {
        for failure in &request.failures {
            let place = escaped(&scenario.place(request));
            let warmup = if failure.in_warmup { " (in the warm-up)" } else { "" };
            text += &format!(
                "- {} × {} — {place}{warmup}\n",
                words::count(failure.count),
                escaped(&failure.what)
            );
        }
    }
    if text.is_empty() { text } else { format!("### Failures\n\n{text}") }
}

fn pictures(model: &Model) -> String {
    let pictures: String = plot::sketches(model)
        .iter()
        .map(|plot| format!("\n![{}. {}]({}.png)\n", escaped(&plot.title), escaped(&plot.alt), plot.name))
        .collect();
    if pictures.is_empty() { pictures } else { format!("### Plots\n{pictures}") }
}

fn plan(scenario: &ScenarioView) -> String {
    let mut text = format!("### Plan: {}\n\n", escaped(&scenario.name));
    if !scenario.description.is_empty() {
        text += &format!("{}\n\n", escaped(&scenario.description));
    }
    text += &facts(&scenario.facts);
    for request in &scenario.requests {
        let indent = if request.hop.is_some() { "&emsp;" } else { "" };
        let name = escaped(&request.row_name(request.name.clone()));
        text += &format!("- {indent}{name}: {}\n", code(&request.line));
        let nested = request.headers.iter().chain(&request.expectations);
        nested.for_each(|line| text += &format!("  - {}\n", code(line)));
    }
    text
}

fn facts(facts: &[Fact]) -> String {
    facts.iter().map(|fact| format!("- {}: {}\n", fact.name, escaped(&fact.value))).collect()
}

/// A table; the cells must be escaped.
fn table<const N: usize>(heads: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let mut text = format!("| {} |\n|{}\n", heads.join(" | "), " --- |".repeat(N));
    rows.for_each(|row| text += &format!("| {} |\n", row.join(" | ")));
    text
}

/// Text without meaning in markdown or HTML.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '@' => escaped.push_str("&#64;"),
            '`' => escaped.push_str("&#96;"),
            '\\' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' | '$' => {
                escaped.push('\\');
                escaped.push(c);
            }
            _ => escaped.push(c),
        }
    }
    escaped
}

/// Text as code; a grave accent in it becomes a look-alike, for it would end the code.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "ˋ"))
}
