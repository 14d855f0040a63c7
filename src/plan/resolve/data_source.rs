//! The rows that the texts of a scenario may use, while its plan is made.

use std::collections::BTreeSet;

use crate::plan::data::{CellKind, DataRows};
use crate::units::near::nearest;

/// The rows that the texts of a scenario may use.
#[derive(Default)]
pub(super) enum DataSource {
    /// The scenario has no section for data.
    #[default]
    Unwritten,
    /// The section or its file is wrong, which was reported.
    Unreadable,
    /// The file was read.
    Read(Box<DataFile>),
}

/// A data file that was read, and the columns used so far.
pub(super) struct DataFile {
    /// The file as the scenario names it.
    pub(super) name: String,
    pub(super) sha256: Option<String>,
    pub(super) rows: DataRows,
    pub(super) used: BTreeSet<usize>,
}

impl DataFile {
    /// The place of a row: `users.csv:7`.
    pub(super) fn place(&self, row: usize) -> String {
        place(&self.name, &self.rows.lines, row)
    }

    /// The first row in which a column is `null`.
    pub(super) fn first_null(&self, column: usize) -> Option<usize> {
        let table = &self.rows.table;
        (0..table.rows()).find(|row| table.cell(*row, column).kind == CellKind::Null)
    }
}

/// A column that the file does not have, and what may be meant.
pub(super) fn no_such_column(name: &str, names: &[&str]) -> (String, String) {
    let near = nearest(name, names).map(|near| format!("did you mean `{near}`?"));
    let problem = format!("the data file has no column `{name}`");
    (problem, near.unwrap_or_else(|| format!("its columns are {}", listed(names))))
}

/// The first columns, and how many more there are.
fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 20;
    let (shown, more) = names.split_at(names.len().min(SHOWN));
    let shown = shown.join("`, `");
    match more.len() {
        0 => format!("`{shown}`"),
        more => format!("`{shown}` and {more} more"),
    }
}

/// The place of a row: `users.csv:7`.
pub(super) fn place(name: &str, lines: &[u32], row: usize) -> String {
    format!("{name}:{}", lines.get(row).copied().unwrap_or_default())
}
