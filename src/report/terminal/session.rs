//! A tuning session, for a terminal: the answer first, then its figures.

use std::path::Path;

use super::ansi::AnsiStyle;
use super::layout::{TextGrid, cut, wrap};
use super::table::{TableColumn, fit_columns};
use super::{MOST_NARROW, words};
use crate::record::session::{CurveClass, FigureKind, SessionEnding, SessionRecord};
use crate::report::session::{
    ConfigurationView, DifferenceView, FigureView, SessionModel, attempts_made,
};

/// The figures in the table of configurations; [`TableColumn::spare`] of each.
const COLUMNS: [(FigureKind, &str, u8); 4] = [
    (FigureKind::FirstAnswer, "first answer", 0),
    (FigureKind::SteadyP50, "steady p50", 0),
    (FigureKind::SteadyP95, "steady p95", 0),
    (FigureKind::RequestsToSteady, "requests to steady", 1),
];

/// Minimum width of a configuration's name.
const NAME: usize = 12;

/// Maximum width of the page: longer lines are hard to read.
const WIDEST: usize = 100;

/// Renders a session for a terminal `width` columns wide, with ANSI colours if `colour` is set.
///
/// Columns that do not fit are left out. No line is wider than `width` or 100, or than 60 if
/// `width` is smaller.
pub fn session_terminal(model: &SessionModel, width: u16, colour: bool) -> String {
    let width = usize::from(width).clamp(MOST_NARROW, WIDEST);
    let page = SessionPage { width, style: AnsiStyle::new(colour) };
    let advice = model.advice.iter().map(|advice| (advice.what.clone(), advice.because.as_str()));
    let findings = model
        .findings()
        .map(|(it, line)| (format!("{}: {}", it.key, line.what), line.because.as_str()));
    let mut parts = vec![
        page.heading(model),
        page.list("what to do", "→", advice),
        page.table(model),
        page.list("caveats", "!", model.all_caveats().map(|caveat| (caveat, ""))),
    ];
    parts.extend(page.differences(model));
    parts.extend([page.throttling(model), page.list("findings", "·", findings)]);
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

struct SessionPage {
    width: usize,
    style: AnsiStyle,
}

impl SessionPage {
    fn heading(&self, model: &SessionModel) -> String {
        let mut text = self.bold(&wrap(&model.title, self.width, 0));
        text += &self.dimmed(&wrap(&model.subtitle, self.width, 0));
        text.push('\n');
        for sentence in &model.headline {
            text += &self.bold(&wrap(sentence, self.width, 0));
        }
        text
    }

    /// One row for each configuration with its figures, and their intervals in a row below.
    fn table(&self, model: &SessionModel) -> String {
        let others = self.columns_of(model, 0).width();
        let name = self.width.saturating_sub(others).max(NAME);
        let mut text = self.columns_of(model, name).text(self.width);
        text += &self.dimmed(&wrap(&note(model), self.width, 0));
        text
    }

    /// The table with names of at most `name` columns.
    fn columns_of(&self, model: &SessionModel, name: usize) -> TextGrid {
        let mut columns = vec![
            TableColumn::left("", 0),
            TableColumn::left("configuration", 0),
            TableColumn::right("n", 0),
            TableColumn::left("class", 2),
        ];
        columns.extend(COLUMNS.map(|(_, head, spare)| TableColumn::right(head, spare)));
        if name == 0 {
            columns[1].head = "";
        }
        let rows = model.configurations.iter().flat_map(|it| self.rows(it, name));
        fit_columns(&columns, &rows.collect::<Vec<_>>(), self.width.max(1), &self.style)
    }

    fn rows(&self, it: &ConfigurationView, name: usize) -> Vec<Vec<String>> {
        let figures = |of: fn(&FigureView) -> &str| {
            COLUMNS.map(|(kind, ..)| it.figure(kind).map_or("–", of).to_owned())
        };
        let name = if name == 0 { String::new() } else { cut(&it.name, name) };
        let lead = [self.style.bold(&it.key), name, it.restarts.to_string(), class(it).to_owned()];
        let values = lead.into_iter().chain(figures(|figure| &figure.value)).collect();
        if it.figures.iter().all(|figure| figure.interval.is_empty()) {
            return vec![values];
        }
        let intervals = COLUMNS.map(|(kind, ..)| {
            let interval = it.figure(kind).map(|figure| figure.interval.as_str());
            self.style.dim(interval.unwrap_or_default())
        });
        let blank = std::iter::repeat_n(String::new(), 4);
        vec![values, blank.chain(intervals).collect()]
    }

    /// One row for each difference from the first configuration; `None` if there is nothing to
    /// compare. The name of a figure is in its first row.
    fn differences(&self, model: &SessionModel) -> Option<String> {
        let columns = [
            TableColumn::left("figure", 0),
            TableColumn::left("", 0),
            TableColumn::left("configuration", 3),
            TableColumn::left("outcome", 0),
            TableColumn::right("difference", 0),
            TableColumn::right("interval", 1),
            TableColumn::right("seen above", 2),
        ];
        let mut before = None;
        let row = |(kind, it, by): (FigureKind, &ConfigurationView, &DifferenceView)| {
            let is_first = before.replace(kind) != Some(kind);
            vec![
                if is_first { kind.name().to_owned() } else { String::new() },
                self.style.bold(&it.key),
                cut(&it.name, 2 * NAME),
                self.outcome(by),
                by.value.clone(),
                by.interval.clone(),
                by.seen_above.clone(),
            ]
        };
        let rows: Vec<Vec<String>> = model.all_differences().map(row).collect();
        if rows.is_empty() {
            return None;
        }
        let heading = self.style.bold(&cut(&lowercased(&model.differences_heading()), self.width));
        let table = fit_columns(&columns, &rows, self.width, &self.style).text(self.width);
        let note = self.dimmed(&wrap(&model.seen_above_note(), self.width, 0));
        Some(format!("{heading}\n{table}{note}"))
    }

    fn outcome(&self, by: &DifferenceView) -> String {
        match by.is_better() {
            Some(true) => self.style.good(by.outcome),
            Some(false) => self.style.bad(by.outcome),
            None => by.outcome.to_owned(),
        }
    }

    fn throttling(&self, model: &SessionModel) -> String {
        let mut text = format!("{}\n", self.style.bold("CPU quota"));
        for (is_throttled, keys, words) in model.quota_lines() {
            let lines = wrap(&format!("{keys}  {words}"), self.width, 2);
            text += &if is_throttled {
                lines.replacen("throttled", &self.style.bad("throttled"), 1)
            } else {
                lines
            };
        }
        text
    }

    /// A list under a heading, each line with its reason below; empty without lines.
    fn list<'a>(
        &self,
        heading: &str,
        sign: &str,
        lines: impl Iterator<Item = (String, &'a str)>,
    ) -> String {
        let lines: String = lines
            .map(|(line, reason)| {
                let line = wrap(&line, self.width, 4);
                let reason = self.dimmed(&wrap(reason, self.width, 4));
                format!("  {sign} {}{reason}", line.trim_start())
            })
            .collect();
        if lines.is_empty() { lines } else { format!("{}\n{lines}", self.style.bold(heading)) }
    }

    fn bold(&self, lines: &str) -> String {
        lines.lines().map(|line| self.style.bold(line) + "\n").collect()
    }

    fn dimmed(&self, lines: &str) -> String {
        lines.lines().map(|line| self.style.dim(line) + "\n").collect()
    }
}

/// A class in one or two words, for a column.
fn class(configuration: &ConfigurationView) -> &'static str {
    match configuration.class {
        Some(CurveClass::Inconsistent) => "inconsistent",
        Some(CurveClass::NoSteadyState) => "not steady",
        Some(class) => class.name(),
        None => "–",
    }
}

fn note(model: &SessionModel) -> String {
    let intervals = model
        .confidence()
        .map(|confidence| format!(", with its {confidence} interval below"))
        .unwrap_or_default();
    format!("Each figure is the mean of n restarts{intervals}.")
}

/// A heading as terminals show it: without a capital.
fn lowercased(heading: &str) -> String {
    let mut letters = heading.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// Lists sessions, one line each, for a terminal `width` columns wide.
///
/// Each has its folder; `is_open` says whether a process writes it now.
pub fn session_list(
    sessions: &[(&Path, &SessionRecord, bool)],
    width: u16,
    colour: bool,
) -> String {
    let style = AnsiStyle::new(colour);
    let width = usize::from(width).max(MOST_NARROW);
    let columns = [
        TableColumn::left("session", 0),
        TableColumn::left("name", 0),
        TableColumn::left("app", 2),
        TableColumn::right("configurations", 3),
        TableColumn::right("attempts", 1),
        TableColumn::left("state", 0),
    ];
    let rows: Vec<Vec<String>> = sessions.iter().map(|session| list_row(*session)).collect();
    let mut text = fit_columns(&columns, &rows, width, &style).text(width);
    let newest = sessions.iter().find_map(|(_, record, _)| {
        let conclusion = record.conclusion.as_ref()?;
        Some((&record.name, conclusion.headline.first()?))
    });
    if let Some((name, sentence)) = newest {
        let sentence = words::display(sentence, words::REASON);
        text += &format!("\n{}", wrap(&format!("{}: {sentence}", words::name(name)), width, 0));
    }
    text
}

fn list_row((folder, record, is_open): (&Path, &SessionRecord, bool)) -> Vec<String> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let state = match &record.ending {
        None if is_open => "in progress",
        None => "cut off",
        Some(_) if record.provenance.imported_from.is_some() => "imported",
        Some(SessionEnding::Complete) => "complete",
        Some(SessionEnding::Interrupted) => "interrupted",
        Some(SessionEnding::Failed(_)) => "failed",
    };
    vec![
        words::name(&name),
        words::abbreviated(&words::name(&record.name), 32),
        words::abbreviated(record.plan.app.as_deref().unwrap_or("–"), 32),
        record.plan.configurations.len().to_string(),
        attempts_made(record),
        state.to_owned(),
    ]
}
