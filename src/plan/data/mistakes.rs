//! What is wrong with a data file, and the rows if nothing is.

use super::table::DataTable;

/// The rows of a file, and the line on which each of them begins.
#[derive(Debug)]
pub(in crate::plan) struct DataRows {
    pub(in crate::plan) table: DataTable,
    /// Counted from 1.
    pub(in crate::plan) lines: Vec<u32>,
}

/// What is wrong with a data file. No text of it is ever shown, except the names of columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::plan) struct DataMistake {
    /// The line, counted from 1; `None` for the whole file.
    pub(in crate::plan) line: Option<u64>,
    pub(in crate::plan) problem: String,
    pub(in crate::plan) remedy: &'static str,
}

/// The mistakes found so far. After a few, reading on would only repeat the same one.
#[derive(Default)]
pub(super) struct DataMistakes(Vec<DataMistake>);

impl DataMistakes {
    const MOST: usize = 5;

    pub(super) fn add(&mut self, line: u64, problem: impl Into<String>, remedy: &'static str) {
        self.0.push(DataMistake { line: Some(line), problem: problem.into(), remedy });
    }

    pub(super) fn add_too_large(&mut self, line: u64) {
        let remedy = "use fewer rows: all values of a column together have at most 4 GiB";
        self.add(line, "the values of a column are too large", remedy);
    }

    pub(super) fn are_enough(&self) -> bool {
        self.0.len() >= Self::MOST
    }

    pub(super) fn of_file(problem: impl Into<String>, remedy: &'static str) -> Vec<DataMistake> {
        vec![DataMistake { line: None, problem: problem.into(), remedy }]
    }

    /// The rows, if nothing is wrong with them.
    pub(super) fn or_rows(self, rows: DataRows) -> Result<DataRows, Vec<DataMistake>> {
        if !self.0.is_empty() {
            return Err(self.0);
        }
        if rows.table.rows() == 0 {
            return Err(Self::of_file("the file has no rows", "write one row for each arrival"));
        }
        Ok(rows)
    }
}
