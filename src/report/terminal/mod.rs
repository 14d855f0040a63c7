//! The report in a terminal: figures first, the verdict last, where the eye is when a run has ended.

mod checkup;
mod comparison;
mod history;
mod ink;
mod lay;
mod table;

use crate::record::{Decision, Dimension};

use super::model::{
    ACCOUNT_NOTE, AccountRow, BudgetRow, FailureRow, Model, Quantiles, RequestView, ScenarioView, Timing,
    TimingRow, label,
};
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
const OF_THE_OK: &str = "p50 to max: ok exchanges alone; budgets rank the failed ones above all";

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
            let text = wrapped(&format!("{}: {}", caveat.scenario, caveat.what), self.width, INDENT);
            format!("{}  {}", self.ink.warning(" WARN "), text.trim_start())
        });
        let text: String = lines.collect();
        (!text.is_empty()).then_some(text)
    }

    /// The table of budgets: one row a budget where the terminal is wide enough, else a block a request.
    fn gate(&self, model: &Model) -> String {
        let table = self.wide_gate(model);
        let mut text =
            if table.width() <= self.width { table.text(self.width) } else { self.stacked_gate(model) };
        if model.requests().any(|(_, request)| request.failed > 0) {
            text += &format!("\n{}\n", self.ink.dim(OF_THE_OK));
        }
        text
    }

    fn wide_gate(&self, model: &Model) -> Grid {
        let mut grid = Grid::new([
            Align::Left,
            Align::Right,
            Align::Right,
            Align::Right,
            Align::Right,
            Align::Right,
            Align::Right,
            Align::Left,
            Align::Left,
            Align::Left,
        ]);
        let heads = [
            "scenario · request",
            "n",
            "p50",
            "p95",
            "p99",
            "max",
            "errors",
            "budget",
            "actual (interval)",
            "verdict",
        ];
        grid.row(heads.map(|head| self.ink.dim(head)));
        grid.rule();
        for (scenario, request) in model.requests() {
            let mut figures = figures(scenario, request);
            if request.hop.is_none() {
                figures[0] = self.ink.bold(&figures[0]);
            }
            for at in 0..request.budgets.len().max(1) {
                let row = request.budgets.get(at).map_or_else(|| no_budget(request), |row| self.budget(row));
                let lead = if at == 0 { figures.clone() } else { Default::default() };
                grid.row(lead.into_iter().chain(row));
            }
        }
        grid
    }

    fn stacked_gate(&self, model: &Model) -> String {
        let mut figures_grid = Grid::new([Align::Left; 6]);
        let mut budgets_grid = Grid::new([Align::Left; 3]);
        for (scenario, request) in model.requests() {
            let [_, n, p50, p95, p99, max, errors] = figures(scenario, request);
            let named =
                [("n", n), ("p50", p50), ("p95", p95), ("p99", p99), ("max", max), ("errors", errors)];
            figures_grid.row(named.map(|(name, value)| format!("{} {value}", self.ink.dim(name))));
            for row in &request.budgets {
                let [budget, actual, verdict] = self.budget(row);
                budgets_grid.row([verdict, budget, actual]);
            }
        }
        let (figures, budgets) = (figures_grid.lines(self.width - 2), budgets_grid.lines(self.width - 4));
        let mut budgets = budgets.iter();
        let mut text = String::new();
        for ((scenario, request), figures) in model.requests().zip(figures) {
            let name = lay::cut(&row_name(scenario, request), self.width);
            if request.hop.is_some() {
                text += &format!("{name}\n  {figures}\n");
                continue;
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text += &format!("{}\n  {figures}\n", self.ink.bold(&name));
            budgets.by_ref().take(request.budgets.len()).for_each(|line| text += &format!("    {line}\n"));
        }
        text
    }

    fn budget(&self, row: &BudgetRow) -> [String; 3] {
        [row.budget.clone(), row.actual_with_interval(), self.ink.decision(row.decision)]
    }

    /// Where the time of a request goes, cold against warm; nothing where nothing was measured.
    fn timing(&self, scenario: &ScenarioView, request: &RequestView) -> Option<String> {
        let timing = &request.timing;
        let latency = timing.latency().filter(|_| !scenario.is_list_of_checks())?;
        let mut grid =
            Grid::new([Align::Left, Align::Right, Align::Right, Align::Right, Align::Right, Align::Left]);
        let warm = format!("{} p50", timing.warm_name);
        grid.row(["", "cold p50", &warm, "p95", "p99", ""].map(|head| self.ink.dim(head)));
        for row in &timing.rows {
            grid.row(self.timing_row(row, latency));
        }
        let heading = format!("where the time goes · {}", scenario.place(request));
        let mut text = format!("{}\n", self.ink.bold(&lay::cut(&heading, self.width)));
        grid.lines(self.width - 2).iter().for_each(|line| text += &format!("  {line}\n"));
        if let Some(comparison) = &timing.comparison {
            text += &wrapped(&format!("{comparison}; {}", Self::counts(timing)), self.width, 2);
        }
        Some(text)
    }

    /// What the target told of its own time; nothing where it told nothing.
    fn account(&self, scenario: &ScenarioView, request: &RequestView) -> Option<String> {
        let rows = &request.account.rows;
        let mut grid = Grid::new([Align::Left].into_iter().chain([Align::Right; 5]));
        let warm = format!("{} p50", request.timing.warm_name);
        grid.row(["", "cold p50", &warm, "p95", "p99", "n"].map(|head| self.ink.dim(head)));
        for row in rows {
            grid.row(self.account_row(row));
        }
        let heading = format!("the target's own account · {}", scenario.place(request));
        let mut text = format!("{}\n", self.ink.bold(&lay::cut(&heading, self.width)));
        grid.lines(self.width - 2).iter().for_each(|line| text += &format!("  {line}\n"));
        text += &self.dimmed(&wrapped(ACCOUNT_NOTE, self.width, 2));
        (!rows.is_empty()).then_some(text)
    }

    fn account_row(&self, row: &AccountRow) -> [String; 6] {
        const NAME: usize = 28;
        let name = lay::cut(&row.name, NAME);
        [
            if row.is_ours { self.ink.dim(&name) } else { name },
            words::time(row.cold.p50),
            words::time(row.warm.p50),
            words::time(row.warm.p95),
            words::time(row.warm.p99),
            words::count(row.warm.n),
        ]
    }

    /// Under which conditions the figures came about: the prober's own health, and addresses where there were several.
    /// What is as it should be does not stand out.
    fn conditions(&self, model: &Model) -> Option<String> {
        let mut text = String::new();
        if let Some(prober) = &model.prober {
            let line = wrapped(&prober.in_one_line(), self.width, 0);
            text += &if prober.is_punctual { self.dimmed(&line) } else { line };
        }
        for (scenario, addresses) in
            model.scenarios.iter().filter_map(|scenario| Some((scenario, scenario.addresses.as_ref()?)))
        {
            let line = format!("connections · {}: {addresses}", scenario.name);
            text += &self.dimmed(&wrapped(&line, self.width, 0));
        }
        (!text.is_empty()).then_some(text)
    }

    fn dimmed(&self, lines: &str) -> String {
        lines.lines().map(|line| self.ink.dim(line) + "\n").collect()
    }

    fn counts(timing: &Timing) -> String {
        let n = |quantiles: fn(&TimingRow) -> Quantiles| {
            words::count(timing.latency().map_or(0, |row| quantiles(row).n))
        };
        format!("n {} cold, {} {}", n(|row| row.cold), n(|row| row.warm), timing.warm_name)
    }

    fn timing_row(&self, row: &TimingRow, latency: &TimingRow) -> [String; 6] {
        let name = format!("{}{}", "  ".repeat(row.depth), label(row.dimension));
        [
            if row.dimension == Dimension::Latency { self.ink.bold(&name) } else { name },
            words::time(row.cold.p50),
            words::time(row.warm.p50),
            words::time(row.warm.p95),
            words::time(row.warm.p99),
            self.ink.dim(&beside(row, latency)),
        ]
    }

    /// The failures with their evidence; nothing where there are none.
    fn failures(&self, model: &Model) -> Option<String> {
        let mut text = String::new();
        for (scenario, request) in model.requests().filter(|(_, request)| !request.failures.is_empty()) {
            let word =
                if request.failures.iter().all(|row| row.is_left_out) { "left out" } else { "failures" };
            let heading = format!("{word} · {}", scenario.place(request));
            text += &format!("{}\n", self.ink.bold(&lay::cut(&heading, self.width)));
            for failure in &request.failures {
                text += &wrapped(&evidence(failure), self.width, 2);
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

fn figures(scenario: &ScenarioView, request: &RequestView) -> [String; 7] {
    let latency = request.latency;
    let times = [latency.p50, latency.p95, latency.p99, latency.max].map(words::time);
    let [p50, p95, p99, max] = times;
    [row_name(scenario, request), words::count(request.n), p50, p95, p99, max, request.errors()]
}

/// A hop stands below its request, a little to the right.
fn row_name(scenario: &ScenarioView, request: &RequestView) -> String {
    let name = request.row_name(scenario.place(request));
    if request.hop.is_some() { format!("  {name}") } else { name }
}

fn no_budget(request: &RequestView) -> [String; 3] {
    let words = if request.hop.is_some() { "not judged" } else { "none" };
    [words.to_owned(), String::new(), String::new()]
}

/// A bar as long as the part's share of the median latency, or how few exchanges entered the part.
fn beside(row: &TimingRow, latency: &TimingRow) -> String {
    const LONGEST: f64 = 20.0;
    if row.warm.n < latency.warm.n {
        return if row.warm.n == 0 {
            "only cold".to_owned()
        } else {
            format!("in {} of {}", row.warm.n, latency.warm.n)
        };
    }
    let (Some(part), Some(whole)) = (row.warm.p50, latency.warm.p50) else { return String::new() };
    let share = (part.as_secs_f64() / whole.as_secs_f64().max(1e-9)).min(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 20")]
    let length = (share * LONGEST).round() as usize;
    "━".repeat(length)
}

fn evidence(failure: &FailureRow) -> String {
    let warmup = if failure.in_warmup { " (in the warm-up)" } else { "" };
    format!("{} × {}{warmup}", words::count(failure.count), failure.what)
}

/// The word of a decision as it stands out: `PASS`.
fn word(decision: Decision) -> String {
    decision.name().to_uppercase()
}
