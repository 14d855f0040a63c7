//! A table that leaves out columns that do not fit.

use super::ansi::AnsiStyle;
use super::layout::{CellAlign, TextGrid};

/// One column of a table.
pub(super) struct TableColumn<'a> {
    pub(super) head: &'a str,
    pub(super) align: CellAlign,
    /// Columns with the highest number are left out first; 0 always stays.
    pub(super) spare: u8,
}

impl<'a> TableColumn<'a> {
    pub(super) fn left(head: &'a str, spare: u8) -> Self {
        Self { head, align: CellAlign::Left, spare }
    }

    pub(super) fn right(head: &'a str, spare: u8) -> Self {
        Self { head, align: CellAlign::Right, spare }
    }
}

/// The widest table of these columns that fits `width`. Optional columns without content are always
/// left out.
pub(super) fn fit_columns(
    columns: &[TableColumn<'_>],
    rows: &[Vec<String>],
    width: usize,
    style: &AnsiStyle,
) -> TextGrid {
    let says = |at: usize| rows.iter().any(|row| row.get(at).is_some_and(|cell| !cell.is_empty()));
    let mut kept: Vec<usize> =
        (0..columns.len()).filter(|&at| columns[at].spare == 0 || says(at)).collect();
    loop {
        let grid = grid(columns, rows, &kept, style);
        let spare = kept
            .iter()
            .copied()
            .filter(|&at| columns[at].spare > 0)
            .max_by_key(|&at| columns[at].spare);
        match spare {
            Some(spare) if grid.width() > width => kept.retain(|&at| at != spare),
            _ => return grid,
        }
    }
}

fn grid(
    columns: &[TableColumn<'_>],
    rows: &[Vec<String>],
    kept: &[usize],
    style: &AnsiStyle,
) -> TextGrid {
    let mut grid = TextGrid::new(kept.iter().map(|&at| columns[at].align));
    grid.row(kept.iter().map(|&at| style.dim(columns[at].head)));
    for row in rows {
        grid.row(kept.iter().map(|&at| row.get(at).cloned().unwrap_or_default()));
    }
    grid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_table_drops_optional_columns() {
        let columns = [
            TableColumn::left("run", 0),
            TableColumn::left("commit", 2),
            TableColumn::right("p95", 0),
            TableColumn::right("n", 1),
        ];
        let rows = [["a-run", "3bb6c035", "41 ms", "920"].map(str::to_owned).to_vec()];
        let text = |width| fit_columns(&columns, &rows, width, &AnsiStyle::new(false)).text(width);
        assert_eq!(text(40), "run    commit      p95    n\na-run  3bb6c035  41 ms  920\n");
        assert_eq!(text(20), "run      p95    n\na-run  41 ms  920\n");
        assert_eq!(text(12), "run      p95\na-run  41 ms\n");
    }

    #[test]
    fn an_empty_column_is_left_out() {
        let columns = [TableColumn::left("run", 0), TableColumn::left("commit", 2)];
        let rows = [["a", ""].map(str::to_owned).to_vec()];
        assert_eq!(fit_columns(&columns, &rows, 80, &AnsiStyle::new(false)).text(80), "run\na\n");
    }
}
