//! A statement whose text comes from a file.

use std::sync::Arc;

use super::pieces::{Kind, Piece, pieces};
use super::{Mode, documents};

/// One statement whose text comes from a file, ready to be carried out by
/// [`Transaction::texts`](super::Transaction::texts).
///
/// Values stand in it as `$1`, `$2`… and are texts: other types are made of them by `$1::bigint`, `$1::timestamptz`. Postgres
/// makes one JSON object of each row (`to_jsonb`): numbers of any type are JSON's numbers, dates and times texts in ISO 8601, arrays,
/// `json` and `jsonb` themselves, null null. A number beyond the precision of a double is rounded unless it is cast to text, and of
/// columns with one name the last is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    sql: Arc<str>,
    writes: bool,
    parameters: usize,
}

/// Why a text is no statement that can be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}: {remedy}")]
pub struct StatementError {
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub remedy: &'static str,
}

const READING: [&str; 4] = ["select", "with", "values", "table"];
const WRITING: [&str; 6] = ["insert", "update", "delete", "merge", "select", "with"];

impl Statement {
    /// Reads a statement that only reads. Blanks, comments and one `;` at its end are of no matter.
    pub fn reading(text: &str) -> Result<Self, StatementError> {
        let remedy = "write a select; `select current_setting('…') as value` reads a setting";
        Self::of(text, false, &READING, remedy)
    }

    /// Reads a statement that may write: one that says what it wrote by `returning`, or a select of a function that writes.
    pub fn writing(text: &str) -> Result<Self, StatementError> {
        let remedy = "write an insert, update, delete or merge with `returning`, or a select of a function that writes";
        Self::of(text, true, &WRITING, remedy)
    }

    /// Whether it may write.
    pub fn writes(&self) -> bool {
        self.writes
    }

    /// How many values it takes: the largest `$n` in it.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// The mode of the transaction that it needs.
    pub fn mode(&self) -> Mode {
        if self.writes { Mode::ReadWrite } else { Mode::ReadOnly }
    }

    /// The text that is sent.
    pub(super) fn sql(&self) -> Arc<str> {
        Arc::clone(&self.sql)
    }

    fn of(text: &str, writes: bool, words: &[&str], remedy: &'static str) -> Result<Self, StatementError> {
        let text = alone(text)?;
        let begin = begin(text);
        if begin != "(" && !words.contains(&begin.to_ascii_lowercase().as_str()) {
            let problem =
                format!("a statement that begins with `{begin}` returns no rows that can be looked at");
            let may_write = WRITING.contains(&begin.to_ascii_lowercase().as_str());
            let problem =
                if may_write { format!("a statement that begins with `{begin}` writes") } else { problem };
            let remedy = if may_write { SAY_THAT_IT_WRITES } else { remedy };
            return Err(StatementError { problem, remedy });
        }
        Ok(Self { sql: documents::wrapped(text, writes).into(), writes, parameters: parameters(text) })
    }
}

const SAY_THAT_IT_WRITES: &str = "say `writes = true`, and end the statement with `returning …`";

/// The largest number of a `$n` outside of texts and comments.
fn parameters(text: &str) -> usize {
    let pieces = pieces(text).unwrap_or_default();
    let of = |pair: &[Piece<'_>]| (pair[0].text == "$").then(|| pair[1].text.parse().ok()).flatten();
    pieces.windows(2).filter_map(of).max().unwrap_or(0)
}

/// The one statement of a text, without the `;` at its end and what stands around it.
fn alone(text: &str) -> Result<&str, StatementError> {
    let refused = |problem: String, remedy| Err(StatementError { problem, remedy });
    let pieces = match pieces(text) {
        Ok(pieces) => pieces,
        Err(what) => return refused(format!("{what} is begun and not ended"), "end it"),
    };
    let is_blank = |kind| kind == Kind::Blank;
    let end = pieces.iter().position(|piece| piece.kind == Kind::End).unwrap_or(pieces.len());
    let (before, after) = pieces.split_at(end);
    if before.iter().all(|piece| is_blank(piece.kind)) {
        return refused(
            "there is no statement".to_owned(),
            "write one, such as `select count(*) as n from t`",
        );
    }
    if after.iter().skip(1).any(|piece| !is_blank(piece.kind)) {
        return refused(
            "there are several statements".to_owned(),
            "write one; each further one is a step of its own",
        );
    }
    let length = before.iter().map(|piece| piece.text.len()).sum();
    Ok(text[..length].trim())
}

/// What a statement begins with: a word, or a sign.
fn begin(text: &str) -> &str {
    let first =
        pieces(text).ok().and_then(|pieces| pieces.into_iter().find(|piece| piece.kind != Kind::Blank));
    first.map_or("", |piece| piece.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_blanks_and_one_semicolon_around_a_statement_are_of_no_matter() {
        let plain = Statement::reading("select 1 as n").unwrap();
        for text in ["  select 1 as n ;\n", "select 1 as n; -- done", "select 1 as n;/* x; */"] {
            assert_eq!(Statement::reading(text).as_ref(), Ok(&plain), "{text}");
        }
        for text in [
            "-- first\nSELECT 1",
            "(select 1) union select 2",
            "values (1)",
            "table t",
            "with x as (select 1) table x",
        ] {
            assert!(Statement::reading(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn its_values_are_counted_outside_of_texts_and_comments() {
        for (text, count) in [
            ("select 1", 0),
            ("select $1::int + $2", 2),
            ("select $2, '$7', \"$8\" -- $9", 2),
            ("select $tag$ $3 $tag$, a$4 from t", 0),
        ] {
            assert_eq!(Statement::reading(text).unwrap().parameters(), count, "{text}");
        }
    }

    #[test]
    fn what_is_not_one_statement_with_rows_is_refused_with_its_remedy() {
        for (text, told) in [
            (" -- nothing\n", "there is no statement: write one"),
            (";", "there is no statement"),
            ("select 1; select 2", "there are several statements: write one"),
            ("select 1;;", "there are several statements"),
            ("select 'a", "a text in `'` is begun and not ended: end it"),
            (
                "show work_mem",
                "begins with `show` returns no rows that can be looked at: write a select; `select current_setting",
            ),
            ("explain select 1", "begins with `explain`"),
            ("create table t ()", "begins with `create`"),
            ("delete from t returning 1", "begins with `delete`"),
        ] {
            let error = Statement::reading(text).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
        let error = Statement::writing("drop table t").unwrap_err().to_string();
        assert!(error.contains("`drop`") && error.contains("`returning`"), "{error}");
    }
}
