//! Rows from comma-separated values (RFC 4180).

use std::str;

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::mistakes::{DataMistake, DataMistakes, DataRows};
use super::table::{CellKind, DataTable};

/// The rows below the header line. The error holds the first few mistakes.
pub(super) fn read(bytes: &[u8]) -> Result<DataRows, Vec<DataMistake>> {
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut record = ByteRecord::new();
    let mut mistakes = DataMistakes::default();
    if !next(&mut reader, &mut record, &mut mistakes) {
        return mistakes.or_rows(DataRows { table: DataTable::default(), lines: Vec::new() });
    }
    let table = header(&record, line_of(&record, bytes), &mut mistakes);
    let mut rows = DataRows { table, lines: Vec::new() };
    let mut start = 0;
    while !mistakes.are_enough() && next(&mut reader, &mut record, &mut mistakes) {
        start = record.position().map_or(0, csv::Position::byte);
        row(&record, line_of(&record, bytes), &mut rows, &mut mistakes);
    }
    let rest = bytes.get(usize::try_from(start).unwrap_or(usize::MAX)..).unwrap_or_default();
    if !mistakes.are_enough() && ends_in_quotes(rest) {
        let (skipped, _) = blank_lines(rest);
        let before = &bytes[..bytes.len() - rest.len() + skipped];
        let line = memchr::memchr_iter(b'\n', before).count() as u64 + 1;
        mistakes.add(line, "a quote is not closed", "write `\"` at its end, and `\"\"` for `\"`");
    }
    mistakes.or_rows(rows)
}

/// Reads the next record; false at the end.
fn next(reader: &mut Reader<&[u8]>, record: &mut ByteRecord, mistakes: &mut DataMistakes) -> bool {
    // Reading from memory with any number of values cannot fail.
    reader.read_byte_record(record).unwrap_or_else(|_| {
        mistakes.add(reader.position().line(), "this is not CSV", "save the file as CSV");
        false
    })
}

/// The line on which a record begins, counted from 1. The reader counts blank lines before a record
/// as part of it.
fn line_of(record: &ByteRecord, bytes: &[u8]) -> u64 {
    let Some(position) = record.position() else { return 1 };
    let start = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let (_, lines) = blank_lines(bytes.get(start..).unwrap_or_default());
    position.line() + lines
}

/// The bytes and the line ends of the blank lines at the start of a text.
fn blank_lines(text: &[u8]) -> (usize, u64) {
    let blank = text.iter().take_while(|byte| matches!(byte, b'\n' | b'\r'));
    blank.fold((0, 0), |(bytes, lines), byte| (bytes + 1, lines + u64::from(*byte == b'\n')))
}

fn header(record: &ByteRecord, line: u64, mistakes: &mut DataMistakes) -> DataTable {
    let mut names: Vec<String> = Vec::new();
    for (at, name) in record.iter().enumerate() {
        let name = String::from_utf8_lossy(name).trim().to_owned();
        let column = at + 1;
        if name.is_empty() {
            let problem = format!("column {column} has no name in the header line");
            mistakes.add(line, problem, "write one name for each column");
        } else if name.contains([char::REPLACEMENT_CHARACTER, '{', '}'])
            || name.contains(char::is_control)
        {
            let problem =
                format!("the name of column {column} has characters that no name can have");
            mistakes.add(line, problem, "use letters, digits, blanks, `-` and `_`, in UTF-8");
        } else if names.contains(&name) {
            let problem = format!("two columns are named `{name}`");
            mistakes.add(line, problem, "give each column its own name");
        } else if record.len() == 1 && name.contains([';', '\t', '|']) {
            let problem = "the header line has no comma";
            mistakes.add(line, problem, "separate the columns by commas");
        }
        names.push(name);
    }
    DataTable::with_columns(names)
}

fn row(record: &ByteRecord, line: u64, rows: &mut DataRows, mistakes: &mut DataMistakes) {
    let columns = rows.table.names().count();
    if record.len() != columns {
        let values =
            |count| if count == 1 { "1 value".to_owned() } else { format!("{count} values") };
        let problem = format!("the row has {}, and the header {columns}", values(record.len()));
        let remedy = "write one value for each column; quote values with commas and line ends";
        return mistakes.add(line, problem, remedy);
    }
    for (at, value) in record.iter().enumerate() {
        let Ok(text) = str::from_utf8(value) else {
            return mistakes.add(line, "the row is not UTF-8", "save the file as UTF-8");
        };
        if rows.table.push(at, text, CellKind::Untyped).is_err() {
            return mistakes.add_too_large(line);
        }
    }
    rows.table.end_row();
    rows.lines.push(u32::try_from(line).unwrap_or(u32::MAX));
}

/// Whether the last record of a text, which starts at `record`, ends within quotes. The reader
/// takes the rest of the file as the value of such a quote.
fn ends_in_quotes(record: &[u8]) -> bool {
    let (mut is_quoted, mut starts_value) = (false, true);
    for byte in record {
        match byte {
            // A doubled quote ends the quotes and opens them again.
            b'"' if is_quoted => is_quoted = false,
            b'"' if starts_value => is_quoted = true,
            _ => {}
        }
        starts_value = !is_quoted && matches!(byte, b',' | b'\n' | b'\r' | b'"');
    }
    is_quoted
}
