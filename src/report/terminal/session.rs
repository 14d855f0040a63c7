//! A tuning session, for a terminal: the answer first, then its figures.

use std::path::Path;

use super::ansi::AnsiStyle;
use super::layout::{TextGrid, cut, wrap};
use super::table::{TableColumn, fit_columns};
use super::{MOST_NARROW, words};
use crate::record::session::{CurveClass, FigureKind, SessionEnding, SessionRecord};
use crate::report::session::{ConfigurationView, FigureView, SessionModel};

/// The figures in the table of configurations; [`TableColumn::spare`] of each.
const COLUMNS: [(FigureKind, &str, u8); 5] = [
    (FigureKind::FirstAnswer, "first answer", 0),
    (FigureKind::ConnectionSetup, "of it conn.", 2),
    (FigureKind::RequestsToSteady, "to steady", 1),
    (FigureKind::SteadyP50, "steady p50", 0),
    (FigureKind::SteadyP95, "steady p95", 0),
];

/// Minimum width of a configuration's name.
const NAME: usize = 12;

/// Renders a session for a terminal `width` columns wide, with ANSI colours if `colour` is set.
///
/// Columns that do not fit are left out. No line is wider than `width`, or than 60 if `width` is
/// smaller.
pub fn session_terminal(model: &SessionModel, width: u16, colour: bool) -> String {
    let page =
        SessionPage { width: usize::from(width).max(MOST_NARROW), style: AnsiStyle::new(colour) };
    let mut parts = vec![page.heading(model), page.table(model)];
    parts.extend(page.differences(model));
    parts.push(page.throttling(model));
    parts.extend([
        page.findings(model),
        page.list("what to do", "→", model.advice.iter().cloned()),
        page.list("attempts that did not complete", "!", model.problems()),
        page.list("caveats", "!", model.caveats.iter().cloned()),
    ]);
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
            TableColumn::left("class", 3),
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

    /// How each figure differs from the first configuration's; `None` if there is nothing to
    /// compare.
    fn differences(&self, model: &SessionModel) -> Option<String> {
        if !model.has_differences() {
            return None;
        }
        let heading = cut(&model.differences_heading(), self.width);
        let mut text = format!("{}\n", self.style.bold(&heading));
        for kind in FigureKind::ALL {
            let rows: Vec<_> = model.differences(kind).collect();
            if !rows.is_empty() {
                text += &format!("  {kind}\n");
            }
            for (configuration, figure) in rows {
                let Some(difference) = &figure.difference else { continue };
                let line = format!("{}  {}", configuration.key, difference.line());
                let line = wrap(&line, self.width, 4);
                let words = &difference.words;
                text += &match (difference.difference.is_clear, words.as_str()) {
                    (true, "faster" | "fewer") => line.replacen(words, &self.style.good(words), 1),
                    (true, _) => line.replacen(words, &self.style.bad(words), 1),
                    (false, _) => line,
                };
            }
        }
        Some(text)
    }

    fn throttling(&self, model: &SessionModel) -> String {
        let mut text = format!("{}\n", self.style.bold("CPU quota"));
        for configuration in &model.configurations {
            let line = format!("{}  {}", configuration.key, configuration.throttle);
            let lines = wrap(&line, self.width, 2);
            text += &if configuration.is_throttled {
                lines.replacen("throttled", &self.style.bad("throttled"), 1)
            } else {
                lines
            };
        }
        text
    }

    fn findings(&self, model: &SessionModel) -> String {
        let findings = model.configurations.iter().flat_map(|configuration| {
            let of = move |finding: &String| format!("{}: {finding}", configuration.key);
            configuration.findings.iter().map(of)
        });
        self.list("findings", "·", findings)
    }

    /// A list under a heading; empty without lines.
    fn list(&self, heading: &str, sign: &str, lines: impl Iterator<Item = String>) -> String {
        let lines: String = lines
            .map(|line| {
                let wrapped = wrap(&line, self.width, 4);
                format!("  {sign} {}", wrapped.trim_start())
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
        .map(|confidence| format!("; below each its {confidence} interval"))
        .unwrap_or_default();
    format!(
        "n: restarts, the completed attempts. Each figure is their mean{intervals}. “of it conn.”: \
         dns, tcp, tls and redirects of the first answer, which no machine changes. “to steady”: \
         requests."
    )
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
    let newest = sessions.iter().find_map(|(_, record, _)| record.conclusion.as_ref());
    if let Some(sentence) = newest.and_then(|conclusion| conclusion.headline.first()) {
        text += &format!("\n{}", wrap(&words::display(sentence, words::REASON), width, 0));
    }
    text
}

fn list_row((folder, record, is_open): (&Path, &SessionRecord, bool)) -> Vec<String> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let planned = record.plan.configurations.len() as u64 * u64::from(record.plan.rounds);
    let state = match &record.ending {
        None if is_open => "in progress",
        None => "cut off",
        Some(SessionEnding::Complete) => "complete",
        Some(SessionEnding::Interrupted) => "interrupted",
        Some(SessionEnding::Failed(_)) => "failed",
    };
    vec![
        words::name(&name),
        words::abbreviated(&words::name(&record.name), 32),
        words::abbreviated(record.plan.app.as_deref().unwrap_or("–"), 32),
        record.plan.configurations.len().to_string(),
        format!("{} of {planned}", record.attempts.len()),
        state.to_owned(),
    ]
}
