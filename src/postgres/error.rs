//! Database errors.

use std::io;

use super::PgErrorKind;
use super::library_error::{self, describe_socket};
use super::wire::WireError;
use crate::library_text::{is_local_shortage, keep_on_one_line};

/// A database error with its remedy; it never contains a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgError {
    /// The kind of error.
    pub kind: PgErrorKind,
    /// The database, as [`DatabaseAddress::display_name`](super::DatabaseAddress::display_name)
    /// shows it.
    pub database: String,
    /// The message of the server on one line, without detail, hint and position; or what the
    /// system's or the library's error means.
    pub message: String,
    /// The SQLSTATE, if the server reported the error.
    pub state: Option<String>,
}

impl PgError {
    /// The error without its remedy.
    pub fn what(&self) -> String {
        let Self { kind: trouble, database: at, message: said, .. } = self;
        format!("the database {at} {} ({said})", trouble.summary())
    }

    /// Whether a table, view, function or schema in a statement from a file does not exist. A
    /// missing column is a mistake of the statement.
    pub fn is_absent(&self) -> bool {
        self.kind == PgErrorKind::Absent
    }

    /// Whether the user may not do what a statement from a file does. A refused connection or
    /// transaction does not count: the statement was never sent.
    pub fn is_denied(&self) -> bool {
        self.kind == PgErrorKind::Denied
    }

    /// Converts an error of the login.
    pub(super) fn of_login(at: &str, error: &WireError) -> Self {
        let pg_error = Self::of(at, error);
        match pg_error.kind {
            PgErrorKind::Rights => Self { kind: PgErrorKind::NotLetIn, ..pg_error },
            // The library found what the check of messages lets through.
            PgErrorKind::Broken => Self { kind: PgErrorKind::NotPostgres, ..pg_error },
            _ => pg_error,
        }
    }

    /// Converts an error of a request.
    pub(super) fn of(at: &str, error: &WireError) -> Self {
        let error = match error {
            WireError::Defect(defect) => {
                return Self::without_state(PgErrorKind::Defect, at, defect.to_string());
            }
            WireError::Library(error) => error,
        };
        let Some(server) = error.as_db_error() else {
            let (kind, message) = library_error::describe(error);
            return Self::without_state(kind, at, message);
        };
        let state = server.code().code();
        Self {
            kind: PgErrorKind::of_state(state, server.message()),
            database: at.to_owned(),
            message: keep_on_one_line(server.message()),
            state: Some(state.to_owned()),
        }
    }

    /// Converts an error of a socket.
    pub(super) fn of_io(at: &str, error: &io::Error) -> Self {
        let (kind, message) = describe_socket(error);
        Self::without_state(kind, at, message)
    }

    /// The server has no TLS.
    pub(super) fn no_tls(at: &str) -> Self {
        let message = "server does not support TLS".to_owned();
        Self::without_state(PgErrorKind::NoTls, at, message)
    }

    /// TLS could not be set up.
    pub(super) fn without_tls(at: &str, message: String) -> Self {
        Self::without_state(PgErrorKind::Tls, at, message)
    }

    /// The server began no transaction although it was told to.
    pub(super) fn not_begun(at: &str) -> Self {
        let message = "it says that `begin` began no transaction".to_owned();
        Self::without_state(PgErrorKind::Broken, at, message)
    }

    /// A file that TLS needs could not be opened. Unless this machine lacks a resource, the error
    /// is of the given kind.
    pub(super) fn unread(at: &str, kind: PgErrorKind, error: &io::Error, message: String) -> Self {
        let kind = if is_local_shortage(error) { PgErrorKind::OwnLimits } else { kind };
        Self::without_state(kind, at, message)
    }

    /// It did not answer in time.
    pub(crate) fn timed_out(at: &str, message: String) -> Self {
        Self::without_state(PgErrorKind::TimedOut, at, message)
    }

    /// Its last answer was not read to the end.
    pub(super) fn given_up(at: &str) -> Self {
        let message = "this session was abandoned because its last answer was not complete";
        Self::without_state(PgErrorKind::Lost, at, message.to_owned())
    }

    /// It returned too much.
    pub(super) fn too_much(at: &str, message: String) -> Self {
        Self::without_state(PgErrorKind::TooMuch, at, message)
    }

    pub(super) fn without_state(kind: PgErrorKind, at: &str, message: String) -> Self {
        Self { kind, database: at.to_owned(), message, state: None }
    }
}

impl std::fmt::Display for PgError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.what(), self.kind.remedy())
    }
}

impl std::error::Error for PgError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_resources_and_closed_ports_differ_from_an_unreachable_database() {
        use rustix::io::Errno;
        for (errno, trouble) in [
            (Errno::MFILE, PgErrorKind::OwnLimits),
            (Errno::NFILE, PgErrorKind::OwnLimits),
            (Errno::NOBUFS, PgErrorKind::OwnLimits),
            (Errno::ADDRNOTAVAIL, PgErrorKind::OwnLimits),
            (Errno::CONNREFUSED, PgErrorKind::Refused),
            (Errno::HOSTUNREACH, PgErrorKind::Unreachable),
            (Errno::NETUNREACH, PgErrorKind::Unreachable),
            (Errno::TIMEDOUT, PgErrorKind::TimedOut),
            (Errno::CONNRESET, PgErrorKind::Lost),
        ] {
            let error = PgError::of_io("u@h:5432/x", &errno.into());
            assert_eq!(error.kind, trouble, "{error}");
        }
        let unread = |errno: Errno| {
            PgError::unread("u@h:5432/x", PgErrorKind::Tls, &errno.into(), String::new()).kind
        };
        assert_eq!(
            (unread(Errno::MFILE), unread(Errno::NOENT)),
            (PgErrorKind::OwnLimits, PgErrorKind::Tls)
        );
    }

    #[test]
    fn what_a_server_says_stands_on_one_line_and_is_bounded() {
        let text = format!("a\nb\u{1b}[31m{}", "x".repeat(1_000));
        let error = io::Error::other(text);
        let text = PgError::of_io("u@h:5432/x", &error).to_string();
        assert!(!text.contains(char::is_control) && text.len() < 600, "{text}");
        assert!(text.contains("a b [31mxxx"), "{text}");
    }
}
