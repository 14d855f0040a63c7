//! The report for a terminal. The verdict comes last, next to the prompt.

mod ansi;
mod checkup;
mod comparison;
mod history;
mod layout;
mod session;
mod suggestion;
mod table;
mod timing;

use super::model::{
    BudgetRow, FailureRole, FailureRow, ReportModel, RequestView, RunFinding, ScenarioView,
    TableShape,
};
use super::words;
use ansi::AnsiStyle;
pub use checkup::checkup_text;
pub use comparison::comparison_text;
pub use history::history_text;
use layout::{CellAlign, TextGrid, wrap};
pub use session::{session_list, session_terminal};
pub use suggestion::suggestion_text;

/// Minimum width of the layout.
const MOST_NARROW: usize = 60;

/// Maximum number of rows of a query shown below a failure.
const MAX_ROWS: usize = 10;

/// Renders the report for a terminal `width` columns wide, with ANSI colours if `colour` is set.
///
/// The verdict and the next steps come last. Every line ends with a line feed. No line is wider
/// than `width`, or than 60 if `width` is smaller.
pub fn terminal(model: &ReportModel, width: u16, colour: bool) -> String {
    let page =
        TerminalPage { width: usize::from(width).max(MOST_NARROW), style: AnsiStyle::new(colour) };
    let mut parts: Vec<String> = page.caveats(model).into_iter().collect();
    parts.extend(model.sharing.as_ref().map(|sharing| wrap(sharing, page.width, 0)));
    parts.push(page.gate(model));
    parts.extend(model.scenarios.iter().filter_map(|scenario| page.once_steps(scenario)));
    for (scenario, request) in model.requests() {
        parts.extend(page.timing(scenario, request));
        parts.extend(page.server_timing(scenario, request));
    }
    parts.extend(page.failures(model));
    parts.extend(page.conditions(model));
    parts.push(page.verdict(model));
    let comparison = model.comparison.as_ref();
    parts.extend(comparison.map(|view| comparison::section(view, page.width, page.style)));
    parts.join("\n")
}

/// A note on what the figures cover.
fn of_the_ok(shape: TableShape) -> &'static str {
    match shape {
        TableShape::Load => "p50 to max: ok exchanges only; budgets rank failures above them",
        TableShape::Checks => "took: ok steps only; budgets rank failures above them",
    }
}

/// Width and style of the text.
struct TerminalPage {
    width: usize,
    style: AnsiStyle,
}

impl TerminalPage {
    /// Caveats; `None` if there are none.
    fn caveats(&self, model: &ReportModel) -> Option<String> {
        const INDENT: usize = 10;
        let lines = model.caveats.iter().map(|caveat| {
            let text = wrap(&format!("{}: {}", caveat.scenario, caveat.what), self.width, INDENT);
            format!("{}  {}", self.style.warning(" WARN "), text.trim_start())
        });
        let text: String = lines.collect();
        (!text.is_empty()).then_some(text)
    }

    /// The table of budgets: one row per budget if the terminal is wide enough, else a block per
    /// request.
    fn gate(&self, model: &ReportModel) -> String {
        let table = self.wide_gate(model);
        let mut text = if table.width() <= self.width {
            table.text(self.width)
        } else {
            self.stacked_gate(model)
        };
        let shape = model.shape();
        if model
            .requests()
            .any(|(_, request)| request.failed > 0 && shape.counts_failures_of(request))
        {
            text += &format!("\n{}\n", self.style.dim(of_the_ok(shape)));
        }
        text
    }

    fn wide_gate(&self, model: &ReportModel) -> TextGrid {
        let shape = model.shape();
        let heads = shape.heads();
        let figures = heads.iter().map(|_| CellAlign::Right);
        let mut grid =
            TextGrid::new([CellAlign::Left].into_iter().chain(figures).chain([CellAlign::Left; 3]));
        let actual = if model.has_intervals() { "actual (interval)" } else { "actual" };
        let place = [shape.place_head()].into_iter();
        let all = place.chain(heads.iter().copied()).chain(["budget", actual, "verdict"]);
        grid.row(all.map(|head| self.style.dim(head)));
        grid.rule();
        for (scenario, request) in model.requests() {
            let name = row_name(scenario, request);
            let name = if request.hop.is_none() { self.style.bold(&name) } else { name };
            let figures = shape.figures(request).into_iter().map(|(_, figure)| figure);
            let lead: Vec<String> = [name].into_iter().chain(figures).collect();
            for at in 0..request.budgets.len().max(1) {
                let none = || no_budget(shape, request);
                let row = request.budgets.get(at).map_or_else(none, |row| self.budget(row));
                let lead = if at == 0 { lead.clone() } else { vec![String::new(); lead.len()] };
                grid.row(lead.into_iter().chain(row));
            }
        }
        grid
    }

    fn stacked_gate(&self, model: &ReportModel) -> String {
        let shape = model.shape();
        let mut figures_grid = TextGrid::new(shape.heads().iter().map(|_| CellAlign::Left));
        let mut budgets_grid = TextGrid::new([CellAlign::Left; 3]);
        for (_, request) in model.requests() {
            let figures = shape.figures(request).into_iter();
            figures_grid
                .row(figures.map(|(name, value)| format!("{} {value}", self.style.dim(name))));
            for row in &request.budgets {
                let [budget, actual, verdict] = self.budget(row);
                budgets_grid.row([verdict, budget, actual]);
            }
        }
        let (figures, budgets) =
            (figures_grid.lines(self.width - 2), budgets_grid.lines(self.width - 4));
        let mut budgets = budgets.iter();
        let mut text = String::new();
        for ((scenario, request), figures) in model.requests().zip(figures) {
            let name = layout::cut(&row_name(scenario, request), self.width);
            let [_, not_judged] = shape.no_budget(request);
            let figures = if request.budgets.is_empty() && !not_judged.is_empty() {
                layout::cut(&format!("{figures}  {not_judged}"), self.width - 2)
            } else {
                figures
            };
            if request.hop.is_some() {
                text += &format!("{name}\n  {figures}\n");
                continue;
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text += &format!("{}\n  {figures}\n", self.style.bold(&name));
            budgets
                .by_ref()
                .take(request.budgets.len())
                .for_each(|line| text += &format!("    {line}\n"));
        }
        text
    }

    /// The steps of a scenario's setup and teardown; `None` if it has none.
    fn once_steps(&self, scenario: &ScenarioView) -> Option<String> {
        let columns = [CellAlign::Left, CellAlign::Left, CellAlign::Right, CellAlign::Left];
        let mut grid = TextGrid::new(columns);
        for step in &scenario.once {
            let stage = self.style.dim(step.stage);
            grid.row([stage, step.name.clone(), step.took.clone(), step.outcome.clone()]);
        }
        let heading = format!("setup and teardown · {}", scenario.name);
        let heading = self.style.bold(&layout::cut(&heading, self.width));
        let rows: String =
            grid.lines(self.width - 2).iter().map(|line| format!("  {line}\n")).collect();
        (!scenario.once.is_empty()).then(|| format!("{heading}\n{rows}"))
    }

    fn budget(&self, row: &BudgetRow) -> [String; 3] {
        [row.budget.clone(), row.actual_with_interval(), self.style.decision(row.decision)]
    }

    /// The conditions of the run: the prober's health, and addresses if there were several. Normal
    /// conditions are dimmed.
    fn conditions(&self, model: &ReportModel) -> Option<String> {
        let mut text = String::new();
        if let Some(prober) = &model.prober {
            let line = wrap(&prober.one_line(), self.width, 0);
            text += &if prober.is_punctual { self.dimmed(&line) } else { line };
        }
        for (scenario, addresses) in model
            .scenarios
            .iter()
            .filter_map(|scenario| Some((scenario, scenario.addresses.as_ref()?)))
        {
            let line = format!("connections · {}: {addresses}", scenario.name);
            text += &self.dimmed(&wrap(&line, self.width, 0));
        }
        (!text.is_empty()).then_some(text)
    }

    fn dimmed(&self, lines: &str) -> String {
        lines.lines().map(|line| self.style.dim(line) + "\n").collect()
    }

    /// Failures with their evidence, then steps not judged, then failed tries; `None` if there are
    /// none.
    fn failures(&self, model: &ReportModel) -> Option<String> {
        let mut text = String::new();
        for (role, word) in [
            (FailureRole::Failure, "failures"),
            (FailureRole::LeftOut, "not judged"),
            (FailureRole::Try, "tries"),
        ] {
            for (scenario, request, failures) in model.failing(role) {
                let heading = format!("{word} · {}", scenario.place(request));
                text += &format!("{}\n", self.style.bold(&layout::cut(&heading, self.width)));
                for row in failures {
                    text += &wrap(&evidence(row), self.width, 2);
                    text += &self.rows(row);
                }
            }
        }
        (!text.is_empty()).then_some(text)
    }

    /// The first rows that a query returned, each in one line, and where the others are.
    fn rows(&self, failure: &FailureRow) -> String {
        let rows = &failure.rows;
        let shown = &rows[..rows.len().min(MAX_ROWS)];
        let mut text: String =
            shown.iter().map(|row| format!("    {}\n", layout::cut(row, self.width - 4))).collect();
        let more = (rows.len() - shown.len()) as u64;
        let kept = format!("{} in run.json", words::plural(more, "more row"));
        let notes = (more > 0).then_some(&kept).into_iter().chain(&failure.unkept_rows);
        for note in notes {
            text += &format!("    {}\n", self.style.dim(note));
        }
        text
    }

    /// The verdict in one line, then the findings and next steps, then warnings.
    fn verdict(&self, model: &ReportModel) -> String {
        let rule = self.style.dim(&"─".repeat(self.width));
        let badge = self.style.badge(model.decision);
        let indent = model.decision.name().len() + 4;
        let headline = wrap(&model.headline, self.width, indent);
        let mut text = format!("{rule}\n{badge}  {}", headline.trim_start());
        if let Some(gate) = &model.gate {
            let head = format!("GATE {}", gate.verb);
            text += &wrap(&gate.line(), self.width, 2).replacen(&head, &self.style.bold(&head), 1);
        }
        for finding in &model.findings {
            if finding.one_line() != model.headline {
                text += &self.finding(finding);
            }
            if !finding.next.is_empty() {
                text += &wrap(&format!("→ {}", finding.next), self.width, 4);
            }
        }
        text + &self.warnings(model)
    }

    /// What went wrong without changing the decision.
    fn warnings(&self, model: &ReportModel) -> String {
        const INDENT: usize = 10;
        let lines = model.warnings.iter().map(|warning| {
            let fact = wrap(&warning.one_line(), self.width, INDENT);
            let next = wrap(&format!("→ {}", warning.next), self.width, INDENT);
            format!("{}  {}{next}", self.style.warning(" WARN "), fact.trim_start())
        });
        lines.collect()
    }

    /// A finding after the word of its decision.
    fn finding(&self, finding: &RunFinding) -> String {
        let lines = wrap(&finding.with_word(), self.width, 2);
        let word = finding.decision.word();
        lines.replacen(word, &self.style.decision(finding.decision), 1)
    }
}

/// The name in a row; hops are indented below their request.
fn row_name(scenario: &ScenarioView, request: &RequestView) -> String {
    let name = request.row_name(scenario.place(request));
    if request.hop.is_some() { format!("  {name}") } else { name }
}

fn no_budget(shape: TableShape, request: &RequestView) -> [String; 3] {
    let [budget, not_judged] = shape.no_budget(request).map(str::to_owned);
    [budget, not_judged, String::new()]
}

fn evidence(failure: &FailureRow) -> String {
    let warmup = if failure.in_warmup { " (in the warm-up)" } else { "" };
    format!("{} × {}{warmup}", words::count(failure.count), failure.what)
}
