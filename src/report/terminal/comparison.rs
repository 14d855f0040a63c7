//! A comparison of two runs, for a terminal.

use std::time::Duration;

use super::ansi::AnsiStyle;
use super::layout::{cut, wrap};
use super::table::{TableColumn, fit_columns};
use super::{MOST_NARROW, words};
use crate::record::{
    ActualQuantile, BeforeAfter, BlameChange, ChangeVerdict, ComparedRun, Comparison, Decision,
    ProberHealth, QuantileChange, QuantileDifference, RequestComparison,
};
use crate::units::{self, Ratio};

/// Renders a comparison for a terminal `width` columns wide, with ANSI colours if `colour` is set.
///
/// Columns that do not fit are left out. No line is wider than `width`, or than 60 if `width` is
/// smaller.
pub fn comparison_text(comparison: &Comparison, width: u16, colour: bool) -> String {
    let page = ComparisonPage {
        width: usize::from(width).max(MOST_NARROW),
        style: AnsiStyle::new(colour),
    };
    let mut parts = vec![page.runs(&comparison.runs)];
    parts.extend(page.unlike(&comparison.unlike));
    for request in &comparison.requests {
        parts.push(page.request(request));
    }
    parts.extend(page.only(&comparison.only));
    parts.push(page.method(comparison));
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

    /// Differences between the runs that make the comparison unfair.
    fn unlike(&self, unlike: &[String]) -> Option<String> {
        const INDENT: usize = 8;
        let lines = unlike.iter().map(|what| {
            let text = wrap(&words::display(what, 2 * words::LINE), self.width, INDENT);
            format!("{}  {}", self.style.warning(" NOTE "), text.trim_start())
        });
        let text: String = lines.collect();
        (!text.is_empty()).then_some(text)
    }

    fn request(&self, request: &RequestComparison) -> String {
        let name =
            format!("{} · {}", words::name(&request.scenario), words::name(&request.request));
        let mut text = format!("{}\n", self.style.bold(&cut(&name, self.width)));
        text += &self.inset(&figure_columns(), &self.figures(request));
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

    fn inset(&self, columns: &[TableColumn], rows: &[Vec<String>]) -> String {
        let lines = fit_columns(columns, rows, self.width - 2, &self.style).lines(self.width - 2);
        lines.into_iter().map(|line| format!("  {line}\n")).collect()
    }

    fn figures(&self, request: &RequestComparison) -> Vec<Vec<String>> {
        let blank = String::new;
        let BeforeAfter { before, after } = request.exchanges.map(|count| words::count(*count));
        let mut rows = vec![vec!["n".to_owned(), before, blank(), after]];
        let failed = &request.failed;
        let count =
            |count: u64, share: Ratio| format!("{} ({})", words::count(count), words::share(share));
        let shares = failed.interval.map(|(low, high)| words::shares(*low, *high));
        let points = (failed.share.after.as_f64() - failed.share.before.as_f64()) * 100.0;
        rows.push(vec![
            "failed".to_owned(),
            count(failed.count.before, failed.share.before),
            shares.before,
            count(failed.count.after, failed.share.after),
            shares.after,
            if points == 0.0 { blank() } else { format!("{points:+.2} points") },
            blank(),
            self.change(failed.change, ["fails more often", "fails less often"]),
        ]);
        rows.extend(request.latency.iter().map(|figure| self.quantile(figure)));
        let BeforeAfter { before, after } = request.max;
        let [difference, share] = moved(QuantileDifference::between(before, after));
        rows.push(vec![
            "max".to_owned(),
            words::actual(before),
            blank(),
            words::actual(after),
            blank(),
            difference,
            share,
        ]);
        rows
    }

    fn quantile(&self, figure: &QuantileChange) -> Vec<String> {
        let actual = figure.actual.map(|actual| words::actual(*actual));
        let interval = figure.interval.map(|(low, high)| words::range(*low, *high));
        let [difference, share] = moved(figure.difference);
        vec![
            figure.quantile.to_string(),
            actual.before,
            interval.before,
            actual.after,
            interval.after,
            difference,
            share,
            self.change(figure.change, ["slower", "faster"]),
        ]
    }

    fn change(&self, change: ChangeVerdict, [more, less]: [&str; 2]) -> String {
        match change {
            ChangeVerdict::More => self.style.bad(more),
            ChangeVerdict::Less => self.style.good(less),
            ChangeVerdict::NoneShown => "no difference shown".to_owned(),
            ChangeVerdict::NoData => "no data".to_owned(),
        }
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

    fn method(&self, comparison: &Comparison) -> String {
        let confidence = words::share(comparison.confidence);
        let which = if comparison.bounds_all_figures {
            "all such reports together are"
        } else {
            "each such report is"
        };
        let note = format!(
            "Quantiles cover all exchanges and rank failures above every latency. Figures of a \
             part cover the exchanges that entered it. A change is reported if the {confidence} \
             intervals of the two runs do not overlap: {which} wrong at most 1 time in 20. “No \
             difference shown” does not prove that there is none."
        );
        let lines = wrap(&note, self.width, 0);
        lines.lines().map(|line| self.style.dim(line) + "\n").collect()
    }
}

fn figure_columns() -> [TableColumn; 8] {
    [
        TableColumn::left("latency", 0),
        TableColumn::right("before", 0),
        TableColumn::left("interval", 3),
        TableColumn::right("after", 0),
        TableColumn::left("interval", 3),
        TableColumn::right("difference", 1),
        TableColumn::right("", 2),
        TableColumn::left("more than chance?", 0),
    ]
}

fn part_columns() -> [TableColumn; 7] {
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
        let [difference, _] = moved(QuantileDifference::between(before, after));
        [actual(before), actual(after), difference]
    });
    std::iter::once(change.part.to_string()).chain(figures.concat()).collect()
}

fn actual(actual: ActualQuantile) -> String {
    if actual == ActualQuantile::NoData { words::time(None) } else { words::actual(actual) }
}

/// A difference in time and in percent, with signs.
fn moved(difference: Option<QuantileDifference>) -> [String; 2] {
    let Some(QuantileDifference { micros, share }) =
        difference.filter(|difference| difference.micros != 0)
    else {
        return Default::default();
    };
    let sign = if micros < 0 { '−' } else { '+' };
    let time = units::format_duration(Duration::from_micros(micros.unsigned_abs()));
    let share = share.map(|share| format!("{sign}{:.0} %", share.abs() * 100.0));
    [format!("{sign}{time}"), share.unwrap_or_default()]
}
