//! Rows as JSON objects that Postgres itself makes, so that each value has the type that Postgres gives it there.

use serde_json::Value;

/// The most rows that are kept of an answer.
pub(super) const MOST_ROWS: usize = 10_000;
/// The most bytes of JSON that are kept of an answer: 16 MiB.
const MOST_BYTES: usize = 16 << 20;

/// Wraps a statement so that each row comes as a text of JSON in the column `document`, in the statement's order.
///
/// The server sends one row more than are kept, and no row's text from where all texts together have more bytes than are kept: so an
/// answer of any size costs the prober little. The statement stands on lines of its own, as it may end in a comment.
pub(super) fn wrapped(statement: &str, writes: bool) -> String {
    let rows = MOST_ROWS + 1;
    // A statement that writes can be a part of another one here alone; it is carried out whole, whatever the limit.
    let (with, from) = if writes {
        (format!("with answer as (\n{statement}\n) "), "answer".to_owned())
    } else {
        (String::new(), format!("(\n{statement}\n) as answer"))
    };
    // `answer` alone would mean a column of that name, where there is one.
    format!(
        "{with}select case when bytes <= {MOST_BYTES} then document end as document from \
         (select document, sum(octet_length(document)) over (rows unbounded preceding) as bytes from \
         (select to_jsonb(answer.*)::text as document from {from} limit {rows}) as documents) as measured"
    )
}

/// Reads the texts that a wrapped statement gave. An error says what an answer has too much of.
pub(super) fn read(texts: &[Option<String>]) -> Result<Vec<Value>, String> {
    if texts.len() > MOST_ROWS {
        return Err(format!("more than {MOST_ROWS} rows"));
    }
    let texts: Option<Vec<&str>> = texts.iter().map(Option::as_deref).collect();
    let texts = texts.ok_or_else(|| format!("more than {} MiB", MOST_BYTES >> 20))?;
    let value = |(at, text): (usize, &&str)| {
        serde_json::from_str(text)
            .map_err(|error| format!("row {}: {error}; cast such a value to text", at + 1))
    };
    texts.iter().enumerate().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_no_json_reader_holds_is_told_with_its_row() {
        let error = read(&[Some("{}".to_owned()), Some("{\"n\": 1e999}".to_owned())]).unwrap_err();
        assert!(error.starts_with("row 2: number out of range") && error.ends_with("to text"), "{error}");
    }

    #[test]
    fn rows_and_bytes_are_bounded() {
        let rows = vec![Some("{}".to_owned()); MOST_ROWS];
        assert_eq!(read(&rows).map(|rows| rows.len()), Ok(MOST_ROWS));
        assert_eq!(read(&[rows, vec![None]].concat()), Err("more than 10000 rows".to_owned()));
        assert_eq!(read(&[None]), Err("more than 16 MiB".to_owned()));
    }
}
