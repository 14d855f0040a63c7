//! Reads a table of recorded requests: CSV (RFC 4180) with a header line.

use std::time::Duration;

use csv::{ReaderBuilder, StringRecord};

use super::sample::{RecordedAnswer, RecordedSample, read_time, target_url};
use crate::import::ImportError;

/// The longest time of a request.
const LONGEST: Duration = Duration::from_hours(24);
/// The most rows of a table.
const MOST_ROWS: usize = 10_000;
/// The longest note that is kept, in characters.
const LONGEST_NOTE: usize = 200;

/// The columns that are read, by name. Others are ignored.
struct Columns {
    timestamp: usize,
    duration: usize,
    target: Option<usize>,
    budget: Option<usize>,
    status: Option<usize>,
    note: Option<usize>,
}

/// Reads the rows of a table, or returns every mistake in it.
///
/// The columns `timestamp` and `durationMs` must be there; `target`, `budgetMs`, `status` and
/// `note` may be. Times are taken to be those of the old check.
pub fn read_table(bytes: &[u8]) -> Result<Vec<RecordedSample>, Vec<ImportError>> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| vec![ImportError::of_file("is not UTF-8; save it as CSV in UTF-8")])?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut rows = reader.records();
    let header = match rows.next() {
        Some(Ok(header)) => header,
        _ => {
            return Err(vec![ImportError::of_file("has no header line; write the columns' names")]);
        }
    };
    let columns = columns(&header)?;
    let (mut samples, mut mistakes) = (Vec::new(), Vec::new());
    for row in rows {
        let Ok(row) = row else {
            mistakes.push(ImportError::of_file("is not CSV; save it as CSV"));
            break;
        };
        if samples.len() == MOST_ROWS {
            mistakes.push(ImportError::of_file(format!("has more than {MOST_ROWS} rows")));
            break;
        }
        match sample(&row, &columns, header.len()) {
            Ok(sample) => samples.push(sample),
            Err(found) => mistakes.extend(found),
        }
    }
    if samples.is_empty() && mistakes.is_empty() {
        mistakes.push(ImportError::of_file("has no row below its header line"));
    }
    if mistakes.is_empty() { Ok(samples) } else { Err(mistakes) }
}

fn columns(header: &StringRecord) -> Result<Columns, Vec<ImportError>> {
    let named =
        |name: &str| header.iter().position(|column| column.trim().eq_ignore_ascii_case(name));
    let mut mistakes = Vec::new();
    let mut required = |name: &str| {
        let found = named(name);
        if found.is_none() {
            let columns = "timestamp,target,durationMs,budgetMs,status,note";
            mistakes.push(ImportError::at(
                1,
                format!("there is no column `{name}`; the columns are {columns}"),
            ));
        }
        found
    };
    let (timestamp, duration) = (required("timestamp"), required("durationMs"));
    let (Some(timestamp), Some(duration)) = (timestamp, duration) else { return Err(mistakes) };
    Ok(Columns {
        timestamp,
        duration,
        target: named("target"),
        budget: named("budgetMs"),
        status: named("status"),
        note: named("note"),
    })
}

fn sample(
    row: &StringRecord,
    columns: &Columns,
    width: usize,
) -> Result<RecordedSample, Vec<ImportError>> {
    let line = row.position().map_or(1, |position| usize::try_from(position.line()).unwrap_or(1));
    if row.len() != width {
        let what = format!("has {} values, and the header line {width}", row.len());
        let remedy = "put values with commas in quotes";
        return Err(vec![ImportError::at(line, format!("{what}; {remedy}"))]);
    }
    let cell = |column: usize| row.get(column).unwrap_or_default().trim();
    let optional = |column: Option<usize>| column.map(cell).unwrap_or_default();
    let mut mistakes = Vec::new();
    let mut note = |what: String| mistakes.push(ImportError::at(line, what));
    let time = read_time(cell(columns.timestamp));
    if time.is_none() {
        note("`timestamp` is no time; write it like 2025-10-11T02:08:37Z, with `(approx)` or `by` if \
              it is not exact".to_owned());
    }
    let took = millis(cell(columns.duration));
    if took.is_none() {
        note("`durationMs` is not a number of milliseconds from 0 to 24 hours".to_owned());
    }
    let budget = match optional(columns.budget) {
        "" => Some(None),
        text => millis(text).filter(|budget| !budget.is_zero()).map(Some),
    };
    if budget.is_none() {
        note(
            "`budgetMs` is not a number of milliseconds above 0; leave it empty if it is not \
              known"
                .to_owned(),
        );
    }
    let answer = answer(optional(columns.status));
    if answer.is_none() {
        note(
            "`status` is not a number from 100 to 599; write `null` if no answer came, and \
              `not recorded` if that is not known"
                .to_owned(),
        );
    }
    match (time, took, budget, answer) {
        (Some((at, precision)), Some(took), Some(budget), Some(answer)) => Ok(RecordedSample {
            at,
            precision,
            target: target_url(optional(columns.target)),
            took,
            budget,
            answer,
            note: one_line(optional(columns.note)),
            includes_fetch_start: true,
        }),
        _ => Err(mistakes),
    }
}

fn millis(text: &str) -> Option<Duration> {
    let number: f64 = text.trim_end_matches("ms").trim().parse().ok()?;
    let took = Duration::try_from_secs_f64(number / 1e3).ok()?;
    (took <= LONGEST).then_some(took)
}

/// What a status column says: a number, `null` for no answer, words for something not recorded.
fn answer(text: &str) -> Option<RecordedAnswer> {
    let lower = text.to_ascii_lowercase();
    if lower.is_empty() || lower.starts_with("not recorded") || lower.starts_with("unknown") {
        return Some(RecordedAnswer::NotRecorded);
    }
    if matches!(lower.as_str(), "null" | "none" | "no answer" | "fetch failed") {
        return Some(RecordedAnswer::None);
    }
    let status: u16 = lower.parse().ok()?;
    (100..=599).contains(&status).then_some(RecordedAnswer::Status(status))
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_NOTE).collect()
}
