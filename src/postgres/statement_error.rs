//! Postgres errors of statements whose text comes from a file.

use tokio_postgres::error::DbError;

use super::wire::WireError;
use super::{PgError, PgErrorKind, SqlStatement};
use crate::library_text::keep_on_one_line;

/// Replaces a bound value in a message.
const REDACTED: &str = "•••";
/// Values with fewer characters are redacted only as separate words: otherwise a value `1` would
/// redact every number with a 1 in it.
const SHORT: usize = 4;

impl PgError {
    /// Converts an error of a statement from a file, without the values that were bound to it.
    pub(super) fn of_statement(
        at: &str,
        error: &WireError,
        statement: &SqlStatement,
        values: &[Option<String>],
    ) -> Self {
        let pg_error = Self::of(at, error);
        let Some(server) = error.of_server() else { return pg_error };
        Self {
            kind: trouble(server, statement, values, pg_error.kind),
            message: keep_on_one_line(&redact_values(server.message(), values)),
            ..pg_error
        }
    }
}

/// The kind of error that an SQLSTATE means for a statement; `None` if it concerns the whole
/// database.
///
/// Errors that share an SQLSTATE are distinguished by the server routine that raised them; unlike
/// the message, its name is never translated. Without a routine the SQLSTATE decides.
fn trouble(
    server: &DbError,
    statement: &SqlStatement,
    values: &[Option<String>],
    general: PgErrorKind,
) -> PgErrorKind {
    let routine = server.routine().unwrap_or_default();
    // Type names are never translated.
    let is_about_text = !values.is_empty() && server.message().contains("text");
    match server.code().code() {
        "42883" | "42804" if is_about_text => PgErrorKind::NotText,
        // A table that is not in the statement's own `from` is the statement's mistake, and so is a
        // missing function, which may exist for other types. A step that checks for a function uses
        // `to_regproc`.
        "42P01" if ["errorMissingRTE", "errorMissingColumn"].contains(&routine) => {
            PgErrorKind::Statement
        }
        "42P01" | "3F000" => PgErrorKind::Absent,
        "42501" => PgErrorKind::Denied,
        "57014" | "55P03" => PgErrorKind::GivenUp,
        "25006" if !statement.writes() => PgErrorKind::ReadsOnly,
        "0A000" if routine == "addRangeTableEntryForCTE" => PgErrorKind::NoReturning,
        // Poolers use this state for many errors; the server only for values that do not match the
        // statement.
        "08P01" if routine == "exec_bind_message" => PgErrorKind::Statement,
        code if ["0A", "21", "22", "23", "42", "54", "P0"]
            .iter()
            .any(|class| code.starts_with(class)) =>
        {
            PgErrorKind::Statement
        }
        _ => general,
    }
}

/// The message, with each value in it redacted: `invalid input syntax for type bigint: "•••"`.
fn redact_values(message: &str, values: &[Option<String>]) -> String {
    let mut values: Vec<&str> =
        values.iter().flatten().map(String::as_str).filter(|value| !value.is_empty()).collect();
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values.into_iter().fold(message.to_owned(), |message, value| redact_value(&message, value))
}

fn redact_value(message: &str, value: &str) -> String {
    let is_short = value.chars().count() < SHORT;
    let (mut hidden, mut copied) = (String::new(), 0);
    for (at, _) in message.match_indices(value) {
        let end = at + value.len();
        let touched = message[..at].ends_with(char::is_alphanumeric)
            || message[end..].starts_with(char::is_alphanumeric);
        if !(is_short && touched) {
            hidden.push_str(&message[copied..at]);
            hidden.push_str(REDACTED);
            copied = end;
        }
    }
    hidden + &message[copied..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_contain_no_bound_value() {
        let values = |values: &[&str]| {
            values.iter().map(|value| Some((*value).to_owned())).collect::<Vec<_>>()
        };
        for (message, bound, shown) in [
            ("invalid input: \"Zebra\"", &["Zebra"][..], "invalid input: \"•••\""),
            ("invalid input: \"Zebra7\"", &["Zebra", "Zebra7"], "invalid input: \"•••\""),
            ("column 11 of 1", &["1"], "column 11 of •••"),
            ("nothing of it", &["", "x"], "nothing of it"),
        ] {
            assert_eq!(redact_values(message, &values(bound)), shown);
        }
    }
}
