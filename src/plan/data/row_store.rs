//! The rows that a plan sends, in compact form.

use std::fmt;

use super::table::{CellKind, ColumnTooLarge, DataCell, DataTable};

/// The used values of all rows: one text, row by row, and where each value ends in it.
///
/// The rows are in the order of the first pass, so the processor prefetches the next one. Rows from
/// random places would cost each request several cache misses.
#[derive(Clone, Default)]
pub(super) struct RowStore {
    rows: usize,
    /// The place in a row of each column of the file; `None` if nothing uses the column.
    places: Vec<Option<usize>>,
    /// Whether the values may be shown, by their place in a row.
    is_public: Vec<bool>,
    text: String,
    ends: Vec<u32>,
    /// The types of the values; empty if all are [`CellKind::Untyped`].
    kinds: Vec<CellKind>,
}

/// Shows no value: values are secret unless their column is public.
impl fmt::Debug for RowStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowStore").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl RowStore {
    /// The rows of a table with only the columns that are used; `row_at` is the row of the table at
    /// each place.
    pub(super) fn of(
        table: &DataTable,
        is_used: impl Fn(usize) -> bool,
        row_at: impl Fn(usize) -> usize,
    ) -> Result<Self, ColumnTooLarge> {
        let mut store = Self { rows: table.rows(), ..Self::default() };
        let mut used = Vec::new();
        for (column, is_public) in table.columns() {
            let place = is_used(column).then_some(used.len());
            store.places.push(place);
            if place.is_some() {
                used.push(column);
                store.is_public.push(is_public);
            }
        }
        let row = |row| used.iter().map(move |column| table.cell(row, *column));
        let in_file_order = || (0..table.rows()).flat_map(row);
        let is_typed = in_file_order().any(|cell| cell.kind != CellKind::Untyped);
        store.text.reserve_exact(in_file_order().map(|cell| cell.text.len()).sum());
        store.ends.reserve_exact(table.rows() * used.len());
        for cell in (0..table.rows()).map(row_at).flat_map(row) {
            store.text.push_str(cell.text);
            store.ends.push(u32::try_from(store.text.len()).map_err(|_| ColumnTooLarge)?);
            store.kinds.extend(is_typed.then_some(cell.kind));
        }
        Ok(store)
    }

    /// The number of rows.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The value of a column of the file in a row; an empty text if there is none.
    pub(super) fn cell(&self, row: usize, column: usize) -> DataCell<'_> {
        match self.places.get(column) {
            Some(Some(place)) => self.value(row, *place),
            _ => DataCell { text: "", kind: CellKind::Untyped },
        }
    }

    /// The values of a row that must not be shown.
    pub(super) fn secrets(&self, row: usize) -> impl Iterator<Item = &str> {
        let secret = self.is_public.iter().enumerate().filter(|(_, is_public)| !**is_public);
        secret.map(move |(place, _)| self.value(row, place).text).filter(|text| !text.is_empty())
    }

    fn value(&self, row: usize, place: usize) -> DataCell<'_> {
        let at = row * self.is_public.len() + place;
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let end = self.ends.get(at).copied().unwrap_or_default();
        let text = self.text.get(start.unwrap_or_default() as usize..end as usize);
        let kind = self.kinds.get(at).copied().unwrap_or(CellKind::Untyped);
        DataCell { text: text.unwrap_or_default(), kind }
    }
}
