//! Text in columns, measured in terminal cells.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Alignment of the cells in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellAlign {
    /// For words.
    Left,
    /// For figures.
    Right,
}

/// Space between two columns.
const GAP: usize = 2;

/// Rows of cells in columns as wide as their widest cell.
pub(super) struct TextGrid {
    columns: Vec<(CellAlign, usize)>,
    rows: Vec<GridRow>,
}

enum GridRow {
    Cells(Vec<String>),
    Rule,
}

impl TextGrid {
    /// A grid without rows.
    pub(super) fn new(columns: impl IntoIterator<Item = CellAlign>) -> Self {
        Self { columns: columns.into_iter().map(|align| (align, 0)).collect(), rows: Vec::new() }
    }

    /// Adds a row; a cell may hold ANSI escapes.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().collect();
        for ((_, width), cell) in self.columns.iter_mut().zip(&cells) {
            *width = (*width).max(columns(cell));
        }
        self.rows.push(GridRow::Cells(cells));
    }

    /// Adds a line across all columns.
    pub(super) fn rule(&mut self) {
        self.rows.push(GridRow::Rule);
    }

    /// Width of its widest line.
    pub(super) fn width(&self) -> usize {
        let cells: usize = self.columns.iter().map(|(_, width)| width).sum();
        cells + GAP * self.columns.len().saturating_sub(1)
    }

    /// Its lines, each cut at `most` columns and without trailing spaces.
    pub(super) fn lines(&self, most: usize) -> Vec<String> {
        self.rows.iter().map(|row| cut(self.line(row).trim_end(), most)).collect()
    }

    /// Its lines as text.
    pub(super) fn text(&self, most: usize) -> String {
        self.lines(most).into_iter().map(|line| line + "\n").collect()
    }

    fn line(&self, row: &GridRow) -> String {
        match row {
            GridRow::Rule => "─".repeat(self.width()),
            GridRow::Cells(cells) => {
                let padded = self
                    .columns
                    .iter()
                    .zip(cells)
                    .map(|((align, width), cell)| pad(cell, *align, *width));
                padded.collect::<Vec<_>>().join(&" ".repeat(GAP))
            }
        }
    }
}

fn pad(cell: &str, align: CellAlign, width: usize) -> String {
    let space = " ".repeat(width.saturating_sub(columns(cell)));
    match align {
        CellAlign::Left => format!("{cell}{space}"),
        CellAlign::Right => format!("{space}{cell}"),
    }
}

/// Width of a text in columns; ANSI escapes have none.
fn columns(text: &str) -> usize {
    let mut parts = text.split('\u{1b}');
    let plain = parts.next().unwrap_or_default().width();
    plain
        + parts.map(|part| part.split_once('m').map_or("", |(_, rest)| rest).width()).sum::<usize>()
}

/// Truncates text to a number of columns and adds an ellipsis if something is missing; keeps ANSI
/// escapes.
pub(super) fn cut(text: &str, most: usize) -> String {
    if columns(text) <= most {
        return text.to_owned();
    }
    let (mut kept, mut used, mut in_escape, mut escaped) = (String::new(), 0, false, false);
    for c in text.chars() {
        in_escape = in_escape || c == '\u{1b}';
        escaped = escaped || in_escape;
        let wide = if in_escape { 0 } else { c.width().unwrap_or(0) };
        if used + wide > most.saturating_sub(1) {
            break;
        }
        used += wide;
        kept.push(c);
        in_escape = in_escape && c != 'm';
    }
    kept.push('…');
    if escaped { kept + "\u{1b}[0m" } else { kept }
}

/// Wraps text at spaces, with each line indented by `indent` columns; a word too long for a line is
/// cut.
pub(super) fn wrap(text: &str, width: usize, indent: usize) -> String {
    let room = width.saturating_sub(indent).max(20);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let word = cut(word, room);
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(&word) <= room => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines.into_iter().map(|line| format!("{}{line}\n", " ".repeat(indent))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_as_a_terminal_counts_them() {
        assert_eq!(columns("µs – ∞"), 6);
        assert_eq!(columns("漢字"), 4);
        assert_eq!(columns("\u{1b}[1;32mPASS\u{1b}[0m"), 4);
    }

    #[test]
    fn a_cut_text_keeps_its_escapes_and_ends_them() {
        assert_eq!(cut("tile-loader", 5), "tile…");
        assert_eq!(cut("\u{1b}[1mtile-loader\u{1b}[0m", 5), "\u{1b}[1mtile…\u{1b}[0m");
    }

    #[test]
    fn text_wraps_at_spaces_and_keeps_its_indent() {
        assert_eq!(wrap("one two three four", 24, 4), "    one two three four\n");
        assert_eq!(
            wrap("aaaaaaaaaa bbbbbbbbbb cccc", 24, 4),
            "    aaaaaaaaaa\n    bbbbbbbbbb cccc\n"
        );
    }
}
