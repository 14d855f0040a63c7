//! A statement whose text comes from a file.

use std::sync::Arc;

use super::tokens::{SqlToken, SqlTokenKind, tokens};
use super::{TransactionMode, documents};

/// One statement whose text comes from a file, ready to be executed by
/// [`Transaction::fetch_documents`](super::Transaction::fetch_documents).
///
/// Its placeholders `$1`, `$2`… are bound to texts; casts such as `$1::bigint` and
/// `$1::timestamptz` convert them. Postgres makes one JSON object of each row (`to_jsonb`): numbers
/// of any type become JSON numbers, dates and times ISO 8601 texts; arrays, `json`, `jsonb` and
/// null stay as they are. A number beyond the precision of a double is rounded unless it is cast to
/// text, and of several columns with one name the last wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlStatement {
    sql: Arc<str>,
    writes: bool,
    parameters: usize,
}

/// Why a text is not a statement that can be executed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}: {remedy}")]
pub struct StatementError {
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub remedy: &'static str,
}

/// Statements that change rows and can return them with `returning`.
const CHANGING: [&str; 4] = ["insert", "update", "delete", "merge"];
/// First words of the statement after the list of a `with`.
const LAST: [&str; 8] = ["insert", "update", "delete", "merge", "select", "values", "table", "("];
const READING: [&str; 4] = ["select", "with", "values", "table"];
const WRITING: [&str; 6] = ["insert", "update", "delete", "merge", "select", "with"];

/// How many values the protocol can carry.
const MOST_VALUES: usize = u16::MAX as usize;

impl SqlStatement {
    /// Parses a statement that only reads. Blanks, comments and one `;` at its end are ignored.
    pub fn parse_reading(text: &str) -> Result<Self, StatementError> {
        let remedy = "write a select; `select current_setting('…') as value` reads a setting";
        Self::of(text, false, &READING, remedy)
    }

    /// Parses a statement that may write: one that returns what it wrote by `returning`, or a
    /// select of a function that writes.
    pub fn parse_writing(text: &str) -> Result<Self, StatementError> {
        let remedy = "write an insert, update, delete or merge with `returning`, or a select of a function that writes";
        Self::of(text, true, &WRITING, remedy)
    }

    /// Whether it may write.
    pub fn writes(&self) -> bool {
        self.writes
    }

    /// Number of values to bind: the largest `$n` in it.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// The mode of the transaction that it needs.
    pub fn mode(&self) -> TransactionMode {
        if self.writes { TransactionMode::ReadWrite } else { TransactionMode::ReadOnly }
    }

    /// The text sent to the server.
    pub(super) fn sql(&self) -> &str {
        &self.sql
    }

    fn of(
        text: &str,
        writes: bool,
        words: &[&str],
        remedy: &'static str,
    ) -> Result<Self, StatementError> {
        if text.contains('\0') {
            let problem = "a statement cannot contain a null character".to_owned();
            return Err(StatementError { problem, remedy: "remove it" });
        }
        let text = single_statement(text)?;
        if parameters(text) > MOST_VALUES {
            let problem = format!("a statement takes at most {MOST_VALUES} values");
            return Err(StatementError { problem, remedy: "number them from `$1` without gaps" });
        }
        let (first, word) = (first_token(text), begin_of(text));
        if first != "(" && !words.contains(&word.as_str()) {
            let problem =
                format!("a statement that begins with `{first}` returns no rows to check");
            let may_write = WRITING.contains(&word.as_str());
            let problem = if may_write {
                format!("a statement that begins with `{first}` writes")
            } else {
                problem
            };
            let remedy = if may_write { SAY_THAT_IT_WRITES } else { remedy };
            return Err(StatementError { problem, remedy });
        }
        if !writes && with_list_writes(text) {
            let problem = "the list of the `with` writes".to_owned();
            return Err(StatementError { problem, remedy: "write `writes = true`" });
        }
        let sql = if writes {
            let (list, ending) = split_with_list(text);
            if CHANGING.contains(&begin_of(ending).as_str()) && !has_returning(ending) {
                let problem = format!(
                    "`{}` without `returning` does not report what it wrote",
                    first_token(ending)
                );
                return Err(StatementError { problem, remedy: "end it with `returning *`" });
            }
            documents::wrap_writing(list, ending)
        } else {
            documents::wrap_reading(text)
        };
        Ok(Self { sql: sql.into(), writes, parameters: parameters(text) })
    }
}

const SAY_THAT_IT_WRITES: &str = "write `writes = true`, and end the statement with `returning …`";

/// The largest `$n` outside texts and comments.
fn parameters(text: &str) -> usize {
    let tokens = tokens(text).unwrap_or_default();
    let of =
        |pair: &[SqlToken<'_>]| (pair[0].text == "$").then(|| pair[1].text.parse().ok()).flatten();
    tokens.windows(2).filter_map(of).max().unwrap_or(0)
}

/// The single statement of a text, without surrounding blanks and comments and the `;` at its end.
fn single_statement(text: &str) -> Result<&str, StatementError> {
    let statement_error = |problem: String, remedy| Err(StatementError { problem, remedy });
    let tokens = match tokens(text) {
        Ok(tokens) => tokens,
        Err(what) => return statement_error(format!("{what} is not closed"), "close it"),
    };
    let is_blank = |kind| kind == SqlTokenKind::Blank;
    let end =
        tokens.iter().position(|piece| piece.kind == SqlTokenKind::End).unwrap_or(tokens.len());
    let (before, after) = tokens.split_at(end);
    if before.iter().all(|piece| is_blank(piece.kind)) {
        return statement_error(
            "there is no statement".to_owned(),
            "write one, such as `select count(*) as n from t`",
        );
    }
    if after.iter().skip(1).any(|piece| !is_blank(piece.kind)) {
        return statement_error(
            "there are several statements".to_owned(),
            "write one; make each further one a separate step",
        );
    }
    let length = before.iter().map(|piece| piece.text.len()).sum();
    Ok(text[..length].trim())
}

/// The first word or sign of a statement.
fn first_token(text: &str) -> &str {
    let first = tokens(text)
        .ok()
        .and_then(|tokens| tokens.into_iter().find(|piece| piece.kind != SqlTokenKind::Blank));
    first.map_or("", |piece| piece.text)
}

/// The same in lower case.
fn begin_of(text: &str) -> String {
    first_token(text).to_ascii_lowercase()
}

/// The list of a `with` and the statement after it; the list is empty if there is no `with`.
///
/// That statement is what follows the last parenthesis of the list
/// (<https://www.postgresql.org/docs/current/sql-select.html>).
fn split_with_list(text: &str) -> (&str, &str) {
    if begin_of(text) != "with" {
        return ("", text);
    }
    let words: Vec<_> = outermost_tokens(text)
        .into_iter()
        .filter(|(_, piece)| piece.kind != SqlTokenKind::Blank)
        .collect();
    let ends_the_list = |pair: &&[(usize, SqlToken<'_>)]| {
        pair[0].1.text == ")" && LAST.contains(&pair[1].1.text.to_ascii_lowercase().as_str())
    };
    words.windows(2).find(ends_the_list).map_or(("", text), |pair| text.split_at(pair[1].0))
}

/// The tokens outside all parentheses, and the outermost parentheses themselves, each with its
/// offset.
fn outermost_tokens(text: &str) -> Vec<(usize, SqlToken<'_>)> {
    let (mut depth, mut at) = (0_usize, 0);
    let mut outside = Vec::new();
    for piece in tokens(text).unwrap_or_default() {
        let before = depth;
        match piece.text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if before.min(depth) == 0 {
            outside.push((at, piece));
        }
        at += piece.text.len();
    }
    outside
}

/// Whether a member of the list of a `with` changes rows, judged by the first word in its
/// parentheses after `as`.
fn with_list_writes(text: &str) -> bool {
    let words = tokens(split_with_list(text).0)
        .unwrap_or_default()
        .into_iter()
        .filter(|piece| piece.kind != SqlTokenKind::Blank);
    let words: Vec<String> = words.map(|piece| piece.text.to_ascii_lowercase()).collect();
    words.windows(3).any(|three| {
        let opens = ["as", "materialized"].contains(&three[0].as_str()) && three[1] == "(";
        opens && CHANGING.contains(&three[2].as_str())
    })
}

/// Whether a statement that changes rows has a `returning` outside all parentheses.
fn has_returning(text: &str) -> bool {
    outermost_tokens(text)
        .into_iter()
        .any(|(_, piece)| piece.text.eq_ignore_ascii_case("returning"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_blanks_and_one_semicolon_around_a_statement_are_of_no_matter() {
        let plain = SqlStatement::parse_reading("select 1 as n").unwrap();
        for text in ["  select 1 as n ;\n", "select 1 as n; -- done", "select 1 as n;/* x; */"] {
            assert_eq!(SqlStatement::parse_reading(text).as_ref(), Ok(&plain), "{text}");
        }
        for text in [
            "-- first\nSELECT 1",
            "(select 1) union select 2",
            "values (1)",
            "table t",
            "with x as (select 1) table x",
            "with p as (select bool_or(delete) as d from perms) select * from p",
        ] {
            assert!(SqlStatement::parse_reading(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn the_list_of_a_with_is_separated_from_its_statement() {
        for (list, last) in [
            ("", "insert into t values (1) returning n"),
            ("with x as (select 1) ", "select * from x"),
            ("with x (a) as (insert into t values (1) returning n) ", "(select a from x)"),
            (
                "WITH RECURSIVE x (select_, n) AS NOT MATERIALIZED (insert into t values (')') returning *), \
                 \"table\" as (select 1) -- select\n",
                "Delete from t using x returning (select 1)",
            ),
        ] {
            assert_eq!(split_with_list(&format!("{list}{last}")), (list, last));
        }
        // Text that the parser does not understand is passed on unchanged, and Postgres reports the
        // error.
        assert_eq!(split_with_list("with x as select 1"), ("", "with x as select 1"));
    }

    #[test]
    fn its_values_are_counted_outside_of_texts_and_comments() {
        for (text, count) in [
            ("select 1", 0),
            ("select $1::int + $2", 2),
            ("select $2, '$7', \"$8\" -- $9", 2),
            ("select $tag$ $3 $tag$, a$4 from t", 0),
        ] {
            assert_eq!(SqlStatement::parse_reading(text).unwrap().parameters(), count, "{text}");
        }
    }

    #[test]
    fn what_is_not_one_statement_with_rows_is_refused_with_its_remedy() {
        for (text, expected) in [
            (" -- nothing\n", "there is no statement: write one"),
            (";", "there is no statement"),
            ("select 1; select 2", "there are several statements: write one"),
            ("select 1;;", "there are several statements"),
            ("select 'a", "a text in `'` is not closed: close it"),
            ("select '\0'", "cannot contain a null character: remove it"),
            ("select $65536", "a statement takes at most 65535 values"),
            (
                "show work_mem",
                "begins with `show` returns no rows to check: write a select; `select current_setting",
            ),
            ("explain select 1", "begins with `explain`"),
            ("create table t ()", "begins with `create`"),
            ("delete from t returning 1", "begins with `delete`"),
            (
                "with x as (Delete from t returning 1) table x",
                "of the `with` writes: write `writes = true`",
            ),
        ] {
            let error = SqlStatement::parse_reading(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        for text in [
            "update t set n = 1",
            "insert into t (n) select (select 1 returning)",
            "with x as (delete from t returning n) insert into u select n from x",
        ] {
            let error = SqlStatement::parse_writing(text).unwrap_err().to_string();
            assert!(error.ends_with("report what it wrote: end it with `returning *`"), "{error}");
        }
        let error = SqlStatement::parse_writing("drop table t").unwrap_err().to_string();
        assert!(error.contains("`drop`") && error.contains("`returning`"), "{error}");
    }
}
