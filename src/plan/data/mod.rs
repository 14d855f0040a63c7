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

pub use row_store::RowStore;
pub use table::{CellKind, ColumnTooLarge, DataCell, DataTable};

pub(super) use mistakes::{DataMistake, DataRows};
pub(super) use read::DataFormat;

/// The rows of a scenario, and which arrival sends which of them.
#[derive(Debug, Clone)]
pub struct DataPlan {
    /// The rows; at least one.
    pub rows: Arc<RowStore>,
    /// The order in which measured arrivals take them.
    pub order: RowOrder,
    /// The seed of a shuffled order.
    pub seed: u64,
}

impl DataPlan {
    /// The row of a measured arrival. The index counts all arrivals of the run, so that every shard
    /// finds the same row.
    ///
    /// Each pass over the rows uses every row once. With [`RowOrder::Shuffle`], each pass has its
    /// own order.
    pub fn row_of_measured(&self, index: u64) -> usize {
        let rows = self.count();
        let (pass, position) = (index / rows, index % rows);
        let row = match self.order {
            RowOrder::Sequential | RowOrder::Once => position,
            RowOrder::Shuffle => permutation::row_at(position, rows, mixed(self.seed, pass)),
        };
        usize::try_from(row).unwrap_or(0)
    }

    /// The row of a warm-up arrival: from the last row backwards. The first rows, which the
    /// measured arrivals take with [`RowOrder::Once`], thus remain unused.
    pub fn row_of_warmup(&self, index: u64) -> usize {
        let rows = self.count();
        usize::try_from(rows - 1 - index % rows).unwrap_or(0)
    }

    fn count(&self) -> u64 {
        self.rows.rows().max(1) as u64
    }
}

/// The row that one arrival sends.
#[derive(Debug, Clone)]
pub struct DataRow {
    plan: Rc<DataPlan>,
    row: usize,
}

impl DataRow {
    /// The row of a measured arrival.
    pub fn of_measured(plan: &Rc<DataPlan>, index: u64) -> Self {
        Self { plan: Rc::clone(plan), row: plan.row_of_measured(index) }
    }

    /// The row of a warm-up arrival.
    pub fn of_warmup(plan: &Rc<DataPlan>, index: u64) -> Self {
        Self { plan: Rc::clone(plan), row: plan.row_of_warmup(index) }
    }

    /// A row by its position in the file.
    pub(super) fn at(plan: &Rc<DataPlan>, row: usize) -> Self {
        Self { plan: Rc::clone(plan), row }
    }

    /// Its value in a column.
    pub fn cell(&self, column: usize) -> DataCell<'_> {
        self.plan.rows.cell(self.row, column)
    }

    /// Its values that must not be shown.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.plan.rows.secrets(self.row)
    }
}

#[cfg(test)]
mod tests;
