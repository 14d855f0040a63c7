//! Rows of named values, as they are read.

use std::fmt;

/// The type of a value, as its file writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellKind {
    /// A text without a JSON type, from CSV. It is compared by how it reads.
    Untyped,
    /// A JSON string.
    String,
    /// A JSON number or truth value, as it is written.
    Literal,
    /// JSON's `null`. Its text is empty.
    Null,
}

/// One value of a row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DataCell<'a> {
    /// The value as text, without quotes and escapes.
    pub text: &'a str,
    /// Its type.
    pub kind: CellKind,
}

/// The values of one column: all texts one after the other, and where each of them ends.
#[derive(Clone, Default)]
struct DataColumn {
    name: String,
    is_public: bool,
    /// Whether it is made from another column, and not in the file.
    is_derived: bool,
    text: String,
    ends: Vec<u32>,
    /// The types of the values; empty if all are [`CellKind::Untyped`].
    kinds: Vec<CellKind>,
}

/// Rows of named values. Each column is one text with the ends of its values, so that a million
/// rows are a few large allocations.
#[derive(Clone, Default)]
pub struct DataTable {
    columns: Vec<DataColumn>,
    rows: usize,
}

/// Shows no value: values are secret unless their column is public.
impl fmt::Debug for DataTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.names().collect();
        f.debug_struct("DataTable").field("columns", &names).field("rows", &self.rows).finish()
    }
}

/// The values of a column exceed what 32-bit offsets can address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnTooLarge;

impl DataTable {
    /// A table without rows.
    pub(super) fn with_columns(names: impl IntoIterator<Item = String>) -> Self {
        let column = |name| DataColumn { name, ..DataColumn::default() };
        Self { columns: names.into_iter().map(column).collect(), rows: 0 }
    }

    /// Appends a value to a column. The caller then adds one to each other column and ends the row.
    pub(super) fn push(
        &mut self,
        column: usize,
        text: &str,
        kind: CellKind,
    ) -> Result<(), ColumnTooLarge> {
        let rows = self.rows;
        let Some(column) = self.columns.get_mut(column) else { return Ok(()) };
        column.text.push_str(text);
        column.ends.push(u32::try_from(column.text.len()).map_err(|_| ColumnTooLarge)?);
        if kind != CellKind::Untyped {
            column.kinds.resize(rows, CellKind::Untyped);
            column.kinds.push(kind);
        }
        Ok(())
    }

    /// Ends a row to which every column got a value.
    pub(super) fn end_row(&mut self) {
        self.rows += 1;
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The names of the columns, in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let written = self.columns.iter().filter(|column| !column.is_derived);
        written.map(|column| column.name.as_str())
    }

    /// The position of a column.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| !column.is_derived && column.name == name)
    }

    /// The value of a column in a row; an empty text if there is none.
    pub fn cell(&self, row: usize, column: usize) -> DataCell<'_> {
        let nothing = DataCell { text: "", kind: CellKind::Untyped };
        let Some(column) = self.columns.get(column) else { return nothing };
        let start = row.checked_sub(1).and_then(|before| column.ends.get(before)).copied();
        let end = column.ends.get(row).copied().unwrap_or_default();
        let text = column.text.get(start.unwrap_or_default() as usize..end as usize);
        let kind = column.kinds.get(row).copied().unwrap_or(CellKind::Untyped);
        DataCell { text: text.unwrap_or_default(), kind }
    }

    /// Lets the values of a column be shown. Returns whether the column exists.
    pub(in crate::plan) fn publish(&mut self, name: &str) -> bool {
        let found = self.columns.iter_mut().find(|column| column.name == name);
        found.map(|column| column.is_public = true).is_some()
    }

    /// Whether the values of all columns may be shown.
    pub(in crate::plan) fn is_public(&self) -> bool {
        self.columns.iter().all(|column| column.is_public)
    }

    /// Adds a column whose values are made from those of another one; returns its position. The
    /// error is the first row whose value cannot be made, and why.
    pub(in crate::plan) fn derive<E: From<ColumnTooLarge>>(
        &mut self,
        from: usize,
        value_of: impl Fn(&str) -> Result<String, E>,
    ) -> Result<usize, (usize, E)> {
        let is_public = self.columns.get(from).is_some_and(|column| column.is_public);
        let mut column = DataColumn { is_public, is_derived: true, ..DataColumn::default() };
        column.ends.reserve_exact(self.rows);
        for row in 0..self.rows {
            let value = value_of(self.cell(row, from).text).map_err(|error| (row, error))?;
            column.text.push_str(&value);
            let end = u32::try_from(column.text.len());
            column.ends.push(end.map_err(|_| (row, ColumnTooLarge.into()))?);
        }
        self.columns.push(column);
        Ok(self.columns.len() - 1)
    }

    /// The columns, each with whether its values may be shown.
    pub(super) fn columns(&self) -> impl Iterator<Item = (usize, bool)> {
        self.columns.iter().map(|column| column.is_public).enumerate()
    }
}
