//! A comparison of two runs, for a terminal.

use super::ansi::AnsiStyle;
use super::layout::{cut, wrap};
use super::table::{TableColumn, fit_columns};
use super::{MOST_NARROW, words};
use crate::record::{
    ActualQuantile, BeforeAfter, BlameChange, ChangeVerdict, ComparedRun, Comparison, Decision,
    ProberHealth, QuantileDifference, RequestComparison,
};
use crate::report::model::{
    COMPARED_COLUMNS, ComparedRequestView, ComparedRow, ComparisonView, difference_words,
};

/// Renders a comparison for a terminal `width` columns wide, with ANSI colours if `colour` is set.
///
/// Columns that do not fit are left out. No line is wider than `width`, or than 60 if `width` is
/// smaller.
pub fn comparison_text(comparison: &Comparison, width: u16, colour: bool) -> String {
    let page = ComparisonPage {
        width: usize::from(width).max(MOST_NARROW),
        style: AnsiStyle::new(colour),
    };
    let view = ComparisonView::new(comparison);
    let mut parts = Vec::new();
    if comparison.duet.is_none() {
        parts.push(page.runs(&comparison.runs));
    }
    parts.extend(page.notes(&view));
    for (request, figures) in comparison.requests.iter().zip(&view.requests) {
        parts.push(page.request(request, (&view, figures)));
    }
    parts.extend(page.only(&comparison.only));
    parts.push(page.method(&view));
    parts.push(page.verdict(&view));
    parts.join("\n")
}

/// The comparison below the verdict of a run: its notes, its figures and what they show.
pub(super) fn section(view: &ComparisonView, width: usize, style: AnsiStyle) -> String {
    let page = ComparisonPage { width, style };
    let mut parts = vec![format!("{}\n", page.style.bold(&cut(&view.title, width)))];
    parts.extend(page.notes(view));
    parts.extend(view.requests.iter().map(|figures| page.figures_of(view, figures)));
    parts.push(page.verdict(view));
    parts.join("\n")
}

struct ComparisonPage {
    width: usize,
    style: AnsiStyle,
}

impl ComparisonPage {
    fn runs(&self, runs: &BeforeAfter<ComparedRun>) -> String {
        let columns = [
            TableColumn::left("", 0),
            TableColumn::left("run", 0),
            TableColumn::left("commit", 3),
            TableColumn::left("tags", 4),
            TableColumn::left("verdict", 0),
            TableColumn::right("lag p99", 1),
            TableColumn::right("lag max", 2),
            TableColumn::right("longest stall", 2),
        ];
        let rows = [("before", &runs.before), ("after", &runs.after)].map(|(which, run)| {
            let tags: Vec<String> =
                run.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let commit = words::display(run.git_commit.as_deref().unwrap_or_default(), words::NAME);
            let ProberHealth { lag_p99, lag_max, hiccup_max, .. } = run.prober;
            let lead = [which.to_owned(), run.run.clone(), commit.chars().take(8).collect()];
            let prober = [lag_p99, lag_max, hiccup_max].map(words::time);
            let verdict =
                [words::display(&tags.join(", "), words::NAME), self.style.decision(run.verdict)];
            lead.into_iter().chain(verdict).chain(prober).collect()
        });
        fit_columns(&columns, &rows, self.width, &self.style).text(self.width)
    }

    /// What makes the comparison unfair, and what it cannot exclude.
    fn notes(&self, view: &ComparisonView) -> Option<String> {
        const INDENT: usize = 8;
        let lines = view.notes.iter().map(|note| {
            let text = wrap(note, self.width, INDENT);
            format!("{}  {}", self.style.warning(" NOTE "), text.trim_start())
        });
        let text: String = lines.collect();
        (!text.is_empty()).then_some(text)
    }

    fn request(
        &self,
        request: &RequestComparison,
        (view, figures): (&ComparisonView, &ComparedRequestView),
    ) -> String {
        let mut text = self.figures_of(view, figures);
        if !request.parts.is_empty() {
            let parts: Vec<Vec<String>> = request.parts.iter().map(part).collect();
            text += &format!("\n{}", self.inset(&part_columns(), &parts));
        }
        if !request.budgets.is_empty() {
            let columns = [
                TableColumn::left("budget", 0),
                TableColumn::left("before", 0),
                TableColumn::left("after", 0),
            ];
            let decided = |decision: Option<Decision>| {
                decision.map_or_else(
                    || "not judged".to_owned(),
                    |decision| self.style.decision(decision),
                )
            };
            let rows = request.budgets.iter().map(|budget| {
                let BeforeAfter { before, after } = budget.decision;
                vec![budget.budget.to_string(), decided(before), decided(after)]
            });
            text += &format!("\n{}", self.inset(&columns, &rows.collect::<Vec<_>>()));
        }
        text
    }

    fn inset(&self, columns: &[TableColumn<'_>], rows: &[Vec<String>]) -> String {
        let lines = fit_columns(columns, rows, self.width - 2, &self.style).lines(self.width - 2);
        lines.into_iter().map(|line| format!("  {line}\n")).collect()
    }

    fn figures_of(&self, view: &ComparisonView, figures: &ComparedRequestView) -> String {
        let rows: Vec<Vec<String>> = figures.rows.iter().map(|row| self.figure_row(row)).collect();
        let name = self.style.bold(&cut(&figures.name, self.width));
        format!("{name}\n{}", self.inset(&figure_columns(view), &rows))
    }

    /// A row with what it shows in colour, and in few words if the terminal is narrow.
    fn figure_row(&self, row: &ComparedRow) -> Vec<String> {
        const ROOM_FOR_BOUNDS: usize = 90;
        let mut cells = row.cells.to_vec();
        if let (Some(shows), Some(change)) = (cells.last_mut(), row.change) {
            *shows = match change {
                ChangeVerdict::More => self.style.bad(shows),
                ChangeVerdict::Less => self.style.good(shows),
                ChangeVerdict::NoneShown if self.width < ROOM_FOR_BOUNDS => {
                    "no difference shown".to_owned()
                }
                _ => return cells,
            };
        }
        cells
    }

    fn verdict(&self, view: &ComparisonView) -> String {
        let word = view.word();
        let lines = wrap(&view.headline, self.width, word.len() + 2);
        let styled = match view.decision {
            Decision::Fail => self.style.bad(word),
            Decision::Pass => self.style.good(word),
            Decision::Inconclusive => self.style.warning(word),
        };
        format!("{styled}  {}", lines.trim_start())
    }

    fn only(&self, only: &BeforeAfter<Vec<String>>) -> Option<String> {
        let sides = [("before", &only.before), ("after", &only.after)];
        let lines =
            sides.into_iter().filter(|(_, names)| !names.is_empty()).map(|(which, names)| {
                let names: Vec<String> =
                    names.iter().map(|name| words::display(name, words::LINE)).collect();
                wrap(&format!("only in the run {which}: {}", names.join(", ")), self.width, 0)
            });
        let text: String = lines.collect();
        (!text.is_empty()).then_some(text)
    }

    fn method(&self, view: &ComparisonView) -> String {
        let lines = wrap(&view.method, self.width, 0);
        lines.lines().map(|line| self.style.dim(line) + "\n").collect()
    }
}

fn figure_columns(view: &ComparisonView) -> [TableColumn<'_>; COMPARED_COLUMNS] {
    let [figure, before, after, difference, share, interval, shows] =
        view.heads.each_ref().map(String::as_str);
    [
        TableColumn::left(figure, 0),
        TableColumn::right(before, 0),
        TableColumn::right(after, 0),
        TableColumn::right(difference, 1),
        TableColumn::right(share, 3),
        TableColumn::left(interval, 2),
        TableColumn::left(shows, 0),
    ]
}

fn part_columns() -> [TableColumn<'static>; 7] {
    [
        TableColumn::left("part", 0),
        TableColumn::right("p50 before", 0),
        TableColumn::right("after", 0),
        TableColumn::right("difference", 2),
        TableColumn::right("p95 before", 0),
        TableColumn::right("after", 0),
        TableColumn::right("difference", 1),
    ]
}

fn part(change: &BlameChange) -> Vec<String> {
    let figures = [change.p50, change.p95].map(|BeforeAfter { before, after }| {
        let [difference, _] = difference_words(QuantileDifference::between(before, after));
        [actual(before), actual(after), difference]
    });
    std::iter::once(change.part.to_string()).chain(figures.concat()).collect()
}

fn actual(actual: ActualQuantile) -> String {
    if actual == ActualQuantile::NoData { words::time(None) } else { words::actual(actual) }
}
