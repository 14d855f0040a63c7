//! The report as markdown, for a comment on a pull request or a log entry.

mod checks;
mod comparison;
mod session;
mod short;
mod site;

use crate::record::Decision;

use super::model::{
    FailureRole, OnceStepView, ProberView, ReportFact, ReportModel, RequestView, RunFinding,
    SERVER_TIMING_NOTE, ScenarioView, ServerTimingRow, TableShape, TimingRow, label,
};
use super::words::TextPiece;
use super::{plot, words};
pub use session::session_markdown;
pub use short::{COMMENT_LIMIT, STEP_SUMMARY_LIMIT, short_markdown};
pub use site::{scenario_markdown, summary_markdown};

/// Renders the report as markdown. It refers to plots by file name, relative to the report.
pub fn markdown(model: &ReportModel) -> String {
    let mut parts = lead(model);
    parts.push(checks::timing(model));
    for (scenario, request) in model.requests() {
        let by_address = by_address(scenario, request);
        parts.extend([timing(scenario, request), server_timing(scenario, request), by_address]);
    }
    parts.extend([
        failures(model, FailureRole::Failure, "Failures"),
        failures(model, FailureRole::LeftOut, "Not judged"),
        failures(model, FailureRole::Try, "Tries"),
    ]);
    parts.push(pictures(model));
    parts.extend(model.scenarios.iter().map(plan));
    parts.extend(model.prober.as_ref().map(prober));
    parts.push(format!("### Provenance\n\n{}", facts(&model.provenance)));
    parts.push(format!("_{}_\n", escape(&model.method)));
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

/// What the whole and the short report begin with: the verdict, what it rests on, and the steps
/// that ran once. Parts that do not apply are empty.
fn lead(model: &ReportModel) -> Vec<String> {
    let mut parts = vec![caveats(model), verdict(model)];
    parts.extend(match model.shape() {
        TableShape::Load => [gate(model), findings(model), requests(model)],
        TableShape::Checks => [checks::gate(model), findings(model), String::new()],
    });
    parts.extend(model.comparison.as_ref().map(comparison::section));
    parts.push(once_steps(model));
    parts
}

/// Caveats, as a block that code hosts render as a warning.
fn caveats(model: &ReportModel) -> String {
    let lines = model
        .caveats
        .iter()
        .map(|caveat| format!("> **{}**: {}  \n", escape(&caveat.scenario), prose(&caveat.what)));
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("> [!WARNING]\n{lines}") }
}

fn verdict(model: &ReportModel) -> String {
    let sharing = model.sharing.as_ref().map(|sharing| format!("\n{}\n", escape(sharing)));
    let gate = model.gate.as_ref().map(|gate| {
        format!("{} **Gate {}**: {}\n\n", sign(gate.decision), gate.verb, prose(&gate.reason))
    });
    let lead = model.lead();
    format!(
        "## {} {} — {}\n\n**{}**\n\n{}{}\n{}",
        sign(lead.decision),
        lead.word,
        escape(&model.title),
        prose(&lead.reason),
        gate.unwrap_or_default(),
        escape(&model.subtitle),
        sharing.unwrap_or_default(),
    )
}

fn sign(decision: Decision) -> &'static str {
    match decision {
        Decision::Pass => "✅",
        Decision::Fail => "❌",
        Decision::Inconclusive => "⚠️",
    }
}

fn gate(model: &ReportModel) -> String {
    let rows = model.requests().flat_map(|(scenario, request)| {
        let place = escape(&scenario.place(request));
        request.budgets.iter().map(move |row| {
            let (metric, target) = halves(&row.budget);
            let status = format!("{} {}", sign(row.decision), row.decision);
            [format!("{place} · {metric}"), target.to_owned(), row.actual_with_interval(), status]
        })
    });
    table(&["Metric", "Target", "Actual (90 % interval)", "Status"], rows)
}

/// Splits a budget into its metric and its limit: `p95` and `< 300ms`.
fn halves(budget: &str) -> (&str, &str) {
    budget.find(['<', '=']).map_or((budget, ""), |at| (budget[..at].trim(), &budget[at..]))
}

fn findings(model: &ReportModel) -> String {
    let next = model.findings.iter().map(|finding| {
        // The headline states the fact already.
        let is_headline = finding.one_line() == model.headline;
        format!("- {} {}", finding.decision.word(), finding_text(finding, is_headline))
    });
    let warnings =
        model.warnings.iter().map(|warning| format!("- {}", finding_text(warning, false)));
    let lists: [(_, String); 2] =
        [("What to do next", next.collect()), ("Warnings", warnings.collect())];
    let lists = lists.into_iter().filter(|(_, lines)| !lines.is_empty());
    let lists: Vec<_> = lists.map(|(heading, lines)| format!("### {heading}\n\n{lines}")).collect();
    lists.join("\n")
}

/// Where, what and what to do next; the fact is left out if it is the headline.
fn finding_text(finding: &RunFinding, is_headline: bool) -> String {
    let mut text = format!("**{}**", escape(&finding.place));
    if !is_headline {
        text += &format!(": {}", prose(&finding.what));
    }
    text + &words::advice(" → ", &prose(&finding.next)) + "\n"
}

fn requests(model: &ReportModel) -> String {
    let rows = model.requests().map(|(scenario, request)| {
        let latency = request.latency;
        let [p50, p95, p99, max] =
            [latency.p50, latency.p95, latency.p99, latency.max].map(words::time);
        let name = escape(&request.row_name(scenario.place(request)));
        let indent = if request.hop.is_some() { "&emsp;" } else { "" };
        [format!("{indent}{name}"), words::count(request.n), p50, p95, p99, max, request.errors()]
    });
    format!(
        "### Latency of the ok exchanges\n\n{}",
        table(&["Scenario · request", "n", "p50", "p95", "p99", "max", "errors"], rows)
    )
}

/// The steps of setups and teardowns.
fn once_steps(model: &ReportModel) -> String {
    let of = |scenario: &ScenarioView| {
        let name = escape(&scenario.name);
        let row = move |step: &OnceStepView| {
            let place = format!("{name} · {}", escape(&step.name));
            [step.stage.to_owned(), place, step.took.clone(), prose_cell(&step.outcome)]
        };
        scenario.once.iter().map(row).collect::<Vec<_>>()
    };
    let rows: Vec<_> = model.scenarios.iter().flat_map(of).collect();
    if rows.is_empty() {
        return String::new();
    }
    let table = table(&["", "Step", "took", "Outcome"], rows.iter());
    format!("### Setup and teardown\n\n{table}")
}

fn timing(scenario: &ScenarioView, request: &RequestView) -> String {
    let timing = &request.timing;
    if timing.rows.is_empty() || scenario.is_single {
        return String::new();
    }
    let warm = |quantile: &str| format!("{} {quantile}", timing.warm_name);
    let heads = ["", "cold n", "cold p50", &warm("n"), &warm("p50"), &warm("p95"), &warm("p99")];
    let table = table(&heads, timing.rows.iter().map(timing_row));
    let comparison =
        timing.comparison.as_ref().map(|text| format!("\n{}\n", escape(text))).unwrap_or_default();
    format!("### Where the time goes: {}\n\n{table}{comparison}", escape(&scenario.place(request)))
}

/// The target's `Server-Timing` report.
fn server_timing(scenario: &ScenarioView, request: &RequestView) -> String {
    let rows = &request.server_timing.rows;
    if !scenario.has_server_timing(request) {
        return String::new();
    }
    let heading =
        format!("### The target's Server-Timing report: {}", escape(&scenario.place(request)));
    if scenario.is_single {
        let table =
            table(&["", "took"], rows.iter().map(|row| [metric(row), words::time(row.warm.max)]));
        return format!("{heading}\n\n{table}\n{SERVER_TIMING_NOTE}\n");
    }
    let warm = |quantile: &str| format!("{} {quantile}", request.timing.warm_name);
    let heads = ["", "cold n", "cold p50", &warm("n"), &warm("p50"), &warm("p95"), &warm("p99")];
    let table = table(&heads, rows.iter().map(server_timing_row));
    format!("{heading}\n\n{table}\n{SERVER_TIMING_NOTE}\n")
}

/// Exchanges and exceedances by remote address, if there are several.
fn by_address(scenario: &ScenarioView, request: &RequestView) -> String {
    let peers = &request.peers;
    if peers.rows.is_empty() {
        return String::new();
    }
    let heads: Vec<_> = peers.heads.iter().map(String::as_str).collect();
    let cells = |row: &Vec<String>| row.iter().map(|cell| escape(cell)).collect::<Vec<_>>();
    let place = escape(&scenario.place(request));
    format!("### By address: {place}\n\n{}", table(&heads, peers.rows.iter().map(cells)))
}

fn server_timing_row(row: &ServerTimingRow) -> [String; 7] {
    let (cold, warm) = (row.cold, row.warm);
    let [p50, p95, p99] = [warm.p50, warm.p95, warm.p99].map(words::time);
    [metric(row), words::count(cold.n), words::time(cold.p50), words::count(warm.n), p50, p95, p99]
}

fn metric(row: &ServerTimingRow) -> String {
    if row.is_ours { format!("_{}_", row.name) } else { escape(&row.name) }
}

fn prober(prober: &ProberView) -> String {
    format!("### Prober\n\n{}\n\n{}", escape(&prober.sentence), facts(&prober.facts))
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

fn failures(model: &ReportModel, role: FailureRole, heading: &str) -> String {
    let mut text = String::new();
    for (scenario, request, failures) in model.failing(role) {
        for failure in failures {
            let place = escape(&scenario.place(request));
            let warmup = if failure.in_warmup { " (in the warm-up)" } else { "" };
            let count = words::count(failure.count);
            text += &format!("- {count} × {} — {place}{warmup}\n", prose(&failure.what));
            for row in failure.rows.iter().chain(&failure.unkept_rows) {
                text += &format!("  - {}\n", escape(row));
            }
        }
    }
    if text.is_empty() { text } else { format!("### {heading}\n\n{text}") }
}

fn pictures(model: &ReportModel) -> String {
    let pictures: String = plot::sketches(model)
        .iter()
        .map(|plot| {
            format!("\n![{}. {}]({}.png)\n", escape(&plot.title), escape(&plot.alt), plot.name)
        })
        .collect();
    if pictures.is_empty() { pictures } else { format!("### Plots\n{pictures}") }
}

fn plan(scenario: &ScenarioView) -> String {
    let mut text = format!("### Plan: {}\n\n", escape(&scenario.name));
    if !scenario.description.is_empty() {
        text += &format!("{}\n\n", escape(&scenario.description));
    }
    text += &facts(&scenario.facts);
    for step in scenario.planned_once() {
        text += &format!("- {} · {}: {}\n", step.stage, escape(&step.name), code(&step.line));
        step.rules.iter().for_each(|line| text += &format!("  - {}\n", code(line)));
    }
    for request in &scenario.requests {
        let indent = if request.hop.is_some() { "&emsp;" } else { "" };
        let name = escape(&request.row_name(request.name.clone()));
        text += &format!("- {indent}{name}: {}\n", code(&request.line));
        let nested = request.headers.iter().chain(&request.expectations).chain(&request.terms);
        nested.for_each(|line| text += &format!("  - {}\n", code(line)));
    }
    text
}

fn facts(facts: &[ReportFact]) -> String {
    facts.iter().map(|fact| format!("- {}: {}\n", fact.name, escape(&fact.value))).collect()
}

/// A table; callers escape the cells.
fn table<Row: AsRef<[String]>>(heads: &[&str], rows: impl Iterator<Item = Row>) -> String {
    let mut text = format!("| {} |\n|{}\n", heads.join(" | "), " --- |".repeat(heads.len()));
    rows.for_each(|row| text += &format!("| {} |\n", row.as_ref().join(" | ")));
    text
}

/// Escapes every character that has a meaning in markdown or HTML.
///
/// Code hosts look for `@name` and `#7` in the rendered text, in which no escape is left. An
/// invisible character keeps them apart, so that a target cannot notify people.
pub(super) fn escape(text: &str) -> String {
    const INVISIBLE: &str = "&#8203;";
    let mut escaped = String::new();
    let mut last = [' '; 2];
    for c in text.chars() {
        let refers = match last {
            // An address such as `user@host` mentions nobody.
            [before, '@'] => !before.is_alphanumeric(),
            [_, '#'] => true,
            _ => false,
        };
        if refers && c.is_alphanumeric() {
            escaped.push_str(INVISIBLE);
        }
        last = [last[1], c];
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

/// Escaped text, except that names in backticks stay code.
///
/// Backticks pair as they did in the source because none touches another
/// (<https://spec.commonmark.org/0.31.2/#code-spans>). Texts contain no line breaks, so no block
/// can end inside a name.
fn prose(text: &str) -> String {
    prose_with(text, code)
}

/// [`prose`] for the cell of a table, which a `|` ends even inside code: a look-alike replaces it.
fn prose_cell(text: &str) -> String {
    prose_with(text, |name| code(&name.replace('|', "│")))
}

fn prose_with(text: &str, code: impl Fn(&str) -> String) -> String {
    let piece = |piece| match piece {
        TextPiece::Plain(text) => escape(text),
        TextPiece::Code(name) => code(name),
    };
    words::pieces(text).into_iter().map(piece).collect()
}

/// Text as code. A backtick would end the code span, so a look-alike replaces it.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "ˋ"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_mentions_people_or_issues() {
        let text = "@octocat #7 \\@x user@host a#b C# @ #";
        let escaped = "&#64;&#8203;octocat \\#&#8203;7 \\\\&#64;&#8203;x user&#64;host \
                       a\\#&#8203;b C\\# &#64; \\#";
        assert_eq!(escape(text), escaped);
    }

    #[test]
    fn code_in_a_table_cannot_end_its_cell() {
        let cell = prose_cell("a `b|<img src=x>` | c");
        assert_eq!(cell, "a `b│<img src=x>` \\| c");
    }
}
