//! Rows as JSON objects that Postgres builds, so that Postgres decides the JSON type of each value.

use serde_json::Value;

use super::PgError;
use crate::library_text::describe_json;

/// Maximum number of rows of an answer.
pub(super) const MOST_ROWS: usize = 10_000;
/// Maximum number of bytes of JSON of an answer: 16 MiB.
const MOST_BYTES: usize = 16 << 20;

/// Wraps a statement so that each row is a JSON text in the column `document`, in the statement's
/// order.
///
/// The server sends at most one row more than the limit. Once all texts together exceed the limit
/// on bytes, it sends rows without text. So an answer of any size costs the prober little. The
/// statement is on separate lines because it may end in a comment.
pub(super) fn wrap_reading(statement: &str) -> String {
    wrap_select("", &format!("(\n{statement}\n) as answer"))
}

/// Wraps a statement that writes; the list of its `with` may be empty. Postgres allows writes
/// inside another statement only in the outermost `with`. It executes them completely, regardless
/// of the limit.
pub(super) fn wrap_writing(list: &str, statement: &str) -> String {
    let begun = if list.is_empty() { "with".to_owned() } else { format!("{list}\n,") };
    wrap_select(
        &format!("{begun} tollgate_answer as (\n{statement}\n) "),
        "tollgate_answer as answer",
    )
}

fn wrap_select(with: &str, from: &str) -> String {
    let rows = MOST_ROWS + 1;
    // `answer` alone would mean a column of that name, if there is one.
    format!(
        "{with}select case when bytes <= {MOST_BYTES} then document end as document from \
         (select document, sum(octet_length(document)) over (rows unbounded preceding) as bytes from \
         (select to_jsonb(answer.*)::text as document from {from} limit {rows}) as documents) as measured"
    )
}

/// The rows of a statement, each an unparsed JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowDocuments {
    texts: Vec<String>,
    bytes: usize,
    /// The database, as shown in output.
    at: String,
}

impl RowDocuments {
    /// Size of the rows in bytes of JSON.
    pub fn bytes(&self) -> u64 {
        self.bytes as u64
    }

    /// Parses the rows in order. Numbers keep all their digits. An error names the row that is not
    /// JSON, such as one that is nested too deep.
    pub fn parse(self) -> Result<Vec<Value>, PgError> {
        let value = |(at, text): (usize, &String)| {
            serde_json::from_str(text)
                .map_err(|error| format!("row {} is not JSON ({})", at + 1, describe_json(&error)))
        };
        let values: Result<Vec<_>, _> = self.texts.iter().enumerate().map(value).collect();
        values.map_err(|message| PgError::too_much(&self.at, message))
    }
}

/// Collects the rows of a wrapped statement; its size is bounded even if the server ignores the
/// limit.
#[derive(Debug, Default)]
pub(super) struct RowCollector {
    texts: Vec<String>,
    rows: usize,
    bytes: usize,
    /// Whether the server omitted a text.
    left_out: bool,
}

impl RowCollector {
    /// Adds the text of a row. Returns false if the server exceeds the limit, as its answer may
    /// then be endless.
    pub(super) fn take(&mut self, text: Option<&str>) -> bool {
        self.rows += 1;
        self.left_out |= text.is_none();
        self.bytes += text.map_or(0, str::len);
        let fits = self.too_much().is_none();
        self.texts.extend(text.filter(|_| fits).map(str::to_owned));
        self.rows <= MOST_ROWS + 1 && self.bytes <= MOST_BYTES
    }

    /// All rows. An error states which limit the answer exceeds.
    pub(super) fn finish(self, at: &str) -> Result<RowDocuments, PgError> {
        match self.too_much() {
            Some(message) => Err(PgError::too_much(at, message)),
            None => Ok(RowDocuments { texts: self.texts, bytes: self.bytes, at: at.to_owned() }),
        }
    }

    fn too_much(&self) -> Option<String> {
        if self.rows > MOST_ROWS {
            return Some(format!("more than {MOST_ROWS} rows"));
        }
        (self.left_out || self.bytes > MOST_BYTES)
            .then(|| format!("more than {} MiB", MOST_BYTES >> 20))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The result for these rows, and whether another one would be accepted.
    fn gathered<'a>(
        rows: impl IntoIterator<Item = Option<&'a str>>,
    ) -> (Result<RowDocuments, String>, bool) {
        let (mut collector, mut goes_on) = (RowCollector::default(), true);
        for row in rows {
            goes_on = collector.take(row);
        }
        (collector.finish("u@h:5432/x").map_err(|error| error.message), goes_on)
    }

    #[test]
    fn a_number_that_no_float_can_hold_keeps_its_digits() {
        let digits = "12345678901234567890.123456789";
        let text = format!("{{\"n\":{digits}}}");
        let documents = gathered([Some("{}"), Some(&text)]).0.unwrap();
        assert_eq!(documents.parse().unwrap()[1]["n"].to_string(), digits);
        let documents = gathered([Some("{}"), Some("{\"n\": x}")]).0.unwrap();
        let error = documents.parse().unwrap_err().message;
        assert_eq!(error, "row 2 is not JSON (see line 1, column 7)");
    }

    #[test]
    fn rows_and_bytes_are_bounded_even_if_the_server_ignores_the_limit() {
        let rows = |count| std::iter::repeat_n(Some("{}"), count);
        let (documents, _) = gathered(rows(MOST_ROWS));
        assert_eq!(documents.unwrap().parse().map(|rows| rows.len()), Ok(MOST_ROWS));
        let many = || Err("more than 10000 rows".to_owned());
        assert_eq!(gathered(rows(MOST_ROWS).chain([None])), (many(), true));
        assert_eq!(gathered(rows(MOST_ROWS + 2)), (many(), false));
        let large = || Err("more than 16 MiB".to_owned());
        assert_eq!(gathered([None]), (large(), true));
        assert_eq!(gathered([Some(&*"x".repeat(MOST_BYTES + 1))]), (large(), false));
    }
}
