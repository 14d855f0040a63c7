//! Rows of values from a file: each arrival sends the values of one row.

mod csv;
mod json_lines;
mod mistakes;
mod permutation;
mod read;
mod row_store;
mod table;

use std::rc::Rc;
use std::sync::Arc;

use crate::plan::mix::mixed;
use crate::record::RowOrder;

use row_store::RowStore;
pub use table::{CellKind, ColumnTooLarge, DataCell, DataTable};

pub(super) use mistakes::{DataMistake, DataRows};
pub(super) use read::DataFormat;

/// The rows of a scenario, and which arrival sends which of them.
#[derive(Debug, Clone)]
pub struct DataPlan {
    /// The rows; at least one. They are in the order of the first pass.
    rows: Arc<RowStore>,
    /// The order in which measured arrivals take them.
    order: RowOrder,
    /// The seed of a shuffled order.
    seed: u64,
}

impl DataPlan {
    /// Plans the rows of a table, with only the columns that are used.
    pub(super) fn of(
        table: &DataTable,
        is_used: impl Fn(usize) -> bool,
        order: RowOrder,
        seed: u64,
    ) -> Result<Self, ColumnTooLarge> {
        let row_at = |place| row_in_file(place, table.rows(), order, seed);
        let rows = Arc::new(RowStore::of(table, is_used, row_at)?);
        Ok(Self { rows, order, seed })
    }

    /// The row of a measured arrival, by its place in the store. The index counts all arrivals of
    /// the run, so that every shard finds the same row.
    ///
    /// Each pass over the rows uses every row once. With [`RowOrder::Shuffle`], each pass has its
    /// own order.
    fn place_of_measured(&self, index: u64) -> usize {
        let rows = self.count() as u64;
        let (pass, position) = (index / rows, index % rows);
        let place = match self.order {
            RowOrder::Shuffle if pass > 0 => {
                permutation::next_at(position, rows, mixed(self.seed, pass))
            }
            RowOrder::Shuffle | RowOrder::Sequential | RowOrder::Once => position,
        };
        usize::try_from(place).unwrap_or(0)
    }

    /// The row of a warm-up arrival, by its place in the store: from the last one backwards. The
    /// first rows, which the measured arrivals take with [`RowOrder::Once`], thus remain unused.
    fn place_of_warmup(&self, index: u64) -> usize {
        let rows = self.count() as u64;
        usize::try_from(rows - 1 - index % rows).unwrap_or(0)
    }

    /// The rows of the file in the order of the first pass, each with its position in the file.
    pub(super) fn all_rows(self: &Rc<Self>) -> impl Iterator<Item = (usize, DataRow)> {
        let row = |place| DataRow { plan: Rc::clone(self), place };
        let position = |place| row_in_file(place, self.count(), self.order, self.seed);
        (0..self.rows.rows()).map(move |place| (position(place), row(place)))
    }

    fn count(&self) -> usize {
        self.rows.rows().max(1)
    }
}

/// The position in the file of the row that the first pass uses at a place.
fn row_in_file(place: usize, rows: usize, order: RowOrder, seed: u64) -> usize {
    match order {
        RowOrder::Sequential | RowOrder::Once => place,
        RowOrder::Shuffle => {
            let row = permutation::row_at(place as u64, rows as u64, mixed(seed, 0));
            usize::try_from(row).unwrap_or(0)
        }
    }
}

/// The row that one arrival sends.
#[derive(Debug, Clone)]
pub struct DataRow {
    plan: Rc<DataPlan>,
    /// Its place in the store.
    place: usize,
}

impl DataRow {
    /// The row of a measured arrival.
    pub fn of_measured(plan: &Rc<DataPlan>, index: u64) -> Self {
        Self { plan: Rc::clone(plan), place: plan.place_of_measured(index) }
    }

    /// The row of a warm-up arrival.
    pub fn of_warmup(plan: &Rc<DataPlan>, index: u64) -> Self {
        Self { plan: Rc::clone(plan), place: plan.place_of_warmup(index) }
    }

    /// Its value in a column.
    pub fn cell(&self, column: usize) -> DataCell<'_> {
        self.plan.rows.cell(self.place, column)
    }

    /// Its values that must not be shown.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.plan.rows.secrets(self.place)
    }
}

#[cfg(test)]
mod tests;
