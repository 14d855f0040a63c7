//! The report in a terminal: figures first, the verdict last, where the eye is when a run has ended.

mod checkup;
mod comparison;
mod history;
mod ink;
mod lay;
mod table;
mod timing;

use crate::record::Decision;

use super::model::{BudgetRow, FailureRow, Model, RequestView, Role, ScenarioView, Shape};
use super::words;
pub use checkup::checkup;
pub use comparison::comparison;
pub use history::history;
use ink::Ink;
use lay::{Align, Grid, wrapped};

/// The fewest columns that text is laid out for.
const MOST_NARROW: usize = 60;

/// The report as text for a terminal `width` columns wide, with ANSI colours where `colour` says so.
///
/// It ends with the verdict and what to do next; each line ends with a line feed, and none is wider than `width`
/// unless that is below 60.
pub fn terminal(model: &Model, width: u16, colour: bool) -> String {
    let page = Page { width: usize::from(width).max(MOST_NARROW), ink: Ink::new(colour) };
    let mut parts: Vec<String> = page.caveats(model).into_iter().collect();
    parts.extend(model.sharing.as_ref().map(|sharing| wrapped(sharing, page.width, 0)));
    parts.push(page.gate(model));
    for (scenario, request) in model.requests() {
        parts.extend(page.timing(scenario, request));
        parts.extend(page.account(scenario, request));
    }
    parts.extend(page.failures(model));
    parts.extend(page.conditions(model));
    parts.push(page.verdict(model));
    parts.join("\n")
}

/// What the figures of a request leave out.
fn of_the_ok(shape: Shape) -> &'static str {
    match shape {
        Shape::Load => "p50 to max: ok exchanges alone; budgets rank the failed ones above all",
        Shape::Checks => "took: ok steps alone; budgets rank the failed ones above all",
    }
}

/// How the text is laid out.
struct Page {
    width: usize,
    ink: Ink,
}

impl Page {
    /// What a reader must know before any figure; nothing where there is nothing.
    fn caveats(&self, model: &Model) -> Option<String> {
        const INDENT: usize = 10;
        let lines = model.caveats.iter().map(|caveat| {
            let text =
                wrapped(&format!("{}: {}", caveat.scenario, caveat.what), self.width, INDENT);
            format!("{}  {}", self.ink.warning(" WARN "), text.trim_start())
        });
        let text: String = lines.collect();
        (!text.is_empty()).then_some(text)
    }

    /// The table of budgets: one row a budget where the terminal is wide enough, else a block a request.
    fn gate(&self, model: &Model) -> String {
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
            text += &format!("\n{}\n", self.ink.dim(of_the_ok(shape)));
        }
        text
    }

    fn wide_gate(&self, model: &Model) -> Grid {
        let shape = model.shape();
        let heads = shape.heads();
        let figures = heads.iter().map(|_| Align::Right);
        let mut grid = Grid::new([Align::Left].into_iter().chain(figures).chain([Align::Left; 3]));
        let actual = if model.shows_intervals() { "actual (interval)" } else { "actual" };
        let place = [shape.place_head()].into_iter();
        let all = place.chain(heads.iter().copied()).chain(["budget", actual, "verdict"]);
        grid.row(all.map(|head| self.ink.dim(head)));
        grid.rule();
        for (scenario, request) in model.requests() {
            let name = row_name(scenario, request);
            let name = if request.hop.is_none() { self.ink.bold(&name) } else { name };
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

    fn stacked_gate(&self, model: &Model) -> String {
        let shape = model.shape();
        let mut figures_grid = Grid::new(shape.heads().iter().map(|_| Align::Left));
        let mut budgets_grid = Grid::new([Align::Left; 3]);
        for (_, request) in model.requests() {
            let figures = shape.figures(request).into_iter();
            figures_grid
                .row(figures.map(|(name, value)| format!("{} {value}", self.ink.dim(name))));
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
            let name = lay::cut(&row_name(scenario, request), self.width);
            let [_, came_to] = shape.no_budget(request);
            let figures = if request.budgets.is_empty() && !came_to.is_empty() {
                lay::cut(&format!("{figures}  {came_to}"), self.width - 2)
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
            text += &format!("{}\n  {figures}\n", self.ink.bold(&name));
            budgets
                .by_ref()
                .take(request.budgets.len())
                .for_each(|line| text += &format!("    {line}\n"));
        }
        text
    }

    fn budget(&self, row: &BudgetRow) -> [String; 3] {
        [row.budget.clone(), row.actual_with_interval(), self.ink.decision(row.decision)]
    }

    /// Under which conditions the figures came about: the prober's own health, and addresses where there were several.
    /// What is as it should be does not stand out.
    fn conditions(&self, model: &Model) -> Option<String> {
        let mut text = String::new();
        if let Some(prober) = &model.prober {
            let line = wrapped(&prober.in_one_line(), self.width, 0);
            text += &if prober.is_punctual { self.dimmed(&line) } else { line };
        }
        for (scenario, addresses) in model
            .scenarios
            .iter()
            .filter_map(|scenario| Some((scenario, scenario.addresses.as_ref()?)))
        {
            let line = format!("connections · {}: {addresses}", scenario.name);
            text += &self.dimmed(&wrapped(&line, self.width, 0));
        }
        (!text.is_empty()).then_some(text)
    }

    fn dimmed(&self, lines: &str) -> String {
        lines.lines().map(|line| self.ink.dim(line) + "\n").collect()
    }

    /// The failures with their evidence, then what was left out, then tries; nothing where there are none.
    fn failures(&self, model: &Model) -> Option<String> {
        let mut text = String::new();
        for (role, word) in
            [(Role::Failure, "failures"), (Role::LeftOut, "left out"), (Role::Try, "tries")]
        {
            for (scenario, request, failures) in model.failing(role) {
                let heading = format!("{word} · {}", scenario.place(request));
                text += &format!("{}\n", self.ink.bold(&lay::cut(&heading, self.width)));
                for row in failures {
                    text += &wrapped(&evidence(row), self.width, 2);
                }
            }
        }
        (!text.is_empty()).then_some(text)
    }

    /// The verdict in one line, and what to do next.
    fn verdict(&self, model: &Model) -> String {
        let rule = self.ink.dim(&"─".repeat(self.width));
        let badge = self.ink.badge(model.decision);
        let indent = model.decision.name().len() + 4;
        let headline = wrapped(&model.headline, self.width, indent);
        let mut text = format!("{rule}\n{badge}  {}", headline.trim_start());
        for finding in &model.findings {
            if finding.in_one_line() != model.headline {
                text += &wrapped(&finding.in_one_line(), self.width, 2);
            }
            if !finding.next.is_empty() {
                text += &wrapped(&format!("→ {}", finding.next), self.width, 4);
            }
        }
        text
    }
}

/// A hop stands below its request, a little to the right.
fn row_name(scenario: &ScenarioView, request: &RequestView) -> String {
    let name = request.row_name(scenario.place(request));
    if request.hop.is_some() { format!("  {name}") } else { name }
}

fn no_budget(shape: Shape, request: &RequestView) -> [String; 3] {
    let [budget, came_to] = shape.no_budget(request).map(str::to_owned);
    [budget, came_to, String::new()]
}

fn evidence(failure: &FailureRow) -> String {
    let warmup = if failure.in_warmup { " (in the warm-up)" } else { "" };
    format!("{} × {}{warmup}", words::count(failure.count), failure.what)
}

/// The word of a decision as it stands out: `PASS`.
fn word(decision: Decision) -> String {
    decision.name().to_uppercase()
}
