//! Database errors and their remedies.

use std::borrow::Cow;
use std::io;

use sqlx::Error;

use super::library_error::{self, CharacterPlace};
use super::wire_fault::WireFault;
use crate::library_text::{DEFECT_REMEDY, HandshakeProblem, is_local_shortage, keep_on_one_line};

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

/// The kinds of database errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PgErrorKind {
    /// Nothing answers at the address.
    Unreachable,
    /// The host answers that nothing listens there.
    Refused,
    /// This machine lacks a resource for a connection: descriptors, local ports, memory, or an
    /// address of that family.
    OwnLimits,
    /// It did not answer in time.
    TimedOut,
    /// The server cancelled a statement that exceeded its transaction's timeout or waited too long
    /// for a lock.
    TooSlow,
    /// The connection broke, or the server is shutting down or starting.
    Lost,
    /// The user name or password is wrong.
    Password,
    /// The password, or the user name, has a character that SCRAM forbids.
    Unprepared(CharacterPlace),
    /// The server's rules (`pg_hba.conf`) reject such a connection, or the user may not connect to
    /// the database.
    NotLetIn,
    /// The pooler does not know the user.
    Tenant,
    /// The database does not exist.
    NoDatabase,
    /// TLS failed.
    Tls,
    /// The TLS handshake failed for a reason that has a remedy of its own.
    Handshake(HandshakeProblem),
    /// The server has no TLS, but the address requires it.
    NoTls,
    /// The schema, or a part of it, does not exist.
    NoSchema,
    /// The user may not do this.
    Rights,
    /// The server does not accept writes.
    ReadOnly,
    /// The server's disk is full.
    DiskFull,
    /// The server does not accept further connections.
    TooMany,
    /// A table, view, function or schema in a statement from a file does not exist.
    Absent,
    /// The user may not do what a statement from a file does; never used for a refused connection.
    Denied,
    /// A statement from a file exceeded its timeout.
    GivenUp,
    /// A statement from a file would write, but may only read.
    ReadsOnly,
    /// A statement from a file writes, but does not return what it wrote.
    NoReturning,
    /// A statement from a file, or one of its values, is invalid.
    Statement,
    /// A statement from a file uses a value as another type than text.
    NotText,
    /// A statement from a file returns more than the limit.
    TooMuch,
    /// It asks for something that the database library of tollgate cannot do.
    Unsupported,
    /// What listens there is not PostgreSQL: no session began, and what it sent begins none.
    NotPostgres,
    /// Within a session, it sent what breaks the protocol.
    Broken,
    /// It sent messages that belong to no answer, without end.
    Flood,
    /// It sent a message or an answer above the limits of tollgate.
    Oversized,
    /// A panic in tollgate or its database library.
    Defect,
    /// Anything else.
    Other,
}

impl PgErrorKind {
    /// The fact, as a clause that the message continues.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Unreachable => "cannot be reached",
            Self::Refused => "cannot be reached: nothing listens there",
            Self::OwnLimits => {
                "could not be reached: this machine has no descriptor, port or address left for the connection"
            }
            Self::TimedOut => "did not answer in time",
            Self::TooSlow => "cancelled an operation that exceeded its time limit",
            Self::Lost => "broke off the connection",
            Self::Password => "rejects the user name or password",
            Self::Unprepared(CharacterPlace::Password) => {
                "cannot be logged in to with this password"
            }
            Self::Unprepared(CharacterPlace::User) => "cannot be logged in to with this user name",
            Self::NotLetIn => "does not let this user in from here",
            Self::Tenant => "is behind a pooler that does not know the user",
            Self::NoDatabase => "has no such database",
            Self::Tls | Self::Handshake(_) => "could not be reached over TLS",
            Self::NoTls => "offers no TLS",
            Self::NoSchema => "lacks the schema `tollgate` or part of it",
            Self::Rights => "does not allow this user to do that",
            Self::ReadOnly => "does not accept writes",
            Self::DiskFull => "has no space left on its disk",
            Self::TooMany => "accepts no further connections",
            Self::Absent => "does not have an object that the statement names",
            Self::Denied => "does not allow this user to run the statement",
            Self::GivenUp => "cancelled the statement because it exceeded its time limit",
            Self::ReadsOnly => "rejected a write by a statement that may only read",
            Self::NoReturning => "cannot report what the statement wrote",
            Self::Statement | Self::NotText => "rejected the statement",
            Self::TooMuch => "returned more than the prober keeps",
            Self::Unsupported => "asks for what tollgate's database library cannot do",
            Self::NotPostgres => "is not a PostgreSQL server",
            Self::Broken => "broke PostgreSQL's protocol",
            Self::Flood => "floods the connection",
            Self::Oversized => "sent more than tollgate reads",
            Self::Defect => "could not be queried because of a defect of tollgate",
            Self::Other => "returned an error",
        }
    }

    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Unreachable => {
                "check host and port of the URL and whether the database runs; Supabase's direct host needs \
                 IPv6, its pooler also accepts IPv4"
            }
            Self::Refused => "check that the database runs and listens at this host and port",
            Self::OwnLimits => {
                "open fewer connections at once, stop other programs that hold them, or raise `ulimit -n`; a \
                 machine without IPv6 can reach Supabase's pooler but not its direct host"
            }
            Self::TimedOut => {
                "check that the server is up, and the database if there is a pooler; `connect_timeout=30` in the URL waits longer \
                 for a connection"
            }
            Self::TooSlow => "try again later; another `tollgate sync` may be running",
            Self::Lost => "try again when the server is up",
            Self::Password => {
                "check user name and password in the URL; percent-encode special characters"
            }
            Self::Unprepared(place) => library_error::remedy_of_character(place),
            Self::Handshake(problem) => library_error::remedy_of_handshake(problem),
            Self::NotLetIn => {
                "if it requires encryption, write `sslmode=verify-full` or `require` in the URL; otherwise its owner must allow the user, in \
                 `pg_hba.conf` or with `grant connect on database … to …`"
            }
            Self::Tenant => "for Supabase's pooler, write the user as `postgres.<project>`",
            Self::NoDatabase => {
                "check the name after the last `/` of the URL; Supabase's is `postgres`"
            }
            Self::Tls => {
                "name the file of the server's authority with `sslrootcert=FILE` in the URL (Supabase: Database settings, SSL), and use \
                 the host name in its certificate"
            }
            Self::NoTls => {
                "turn TLS on in the server (`ssl = on`); for a server on a loopback address, `sslmode=disable` in the URL \
                 connects without TLS"
            }
            Self::NoSchema => "`tollgate db migrate` makes it",
            Self::Rights => {
                "as the schema's owner: `grant tollgate_writer to …` lets a user store runs, `grant tollgate_reader to …` \
                 lets it read them; only the owner can migrate, prune and expose"
            }
            Self::ReadOnly => {
                "use the URL of the primary server, or end its read-only mode; Supabase enters it when the disk is full, and \
                 `tollgate db prune` can still free space"
            }
            Self::DiskFull => {
                "free space or enlarge the disk; `tollgate db prune --keep 90d` drops old intervals"
            }
            Self::TooMany => "close connections, or use the pooler's URL (port 6543)",
            Self::Other => {
                "check that PostgreSQL answers at this address; `tollgate doctor` checks connection, schema and rights"
            }
            _ => self.remedy_of_messages(),
        }
    }

    /// The remedy for a server that breaks the protocol.
    fn remedy_of_messages(self) -> &'static str {
        match self {
            Self::NotPostgres => {
                "correct host and port of the URL: what listens there does not speak PostgreSQL's protocol"
            }
            Self::Broken | Self::Flood => {
                "check what stands between here and the database, such as a proxy or a pooler, and its version"
            }
            Self::Oversized => "check the server: tollgate never asks for that much",
            Self::Defect => DEFECT_REMEDY,
            _ => self.remedy_of_statement(),
        }
    }

    /// The remedy for a statement from a file.
    fn remedy_of_statement(self) -> &'static str {
        match self {
            Self::Absent => {
                "correct the name, write it with its schema, or check that this is the intended database"
            }
            Self::Denied => {
                "as the owner: `grant select on … to …` lets a user read a table, `grant usage on schema … to …` see it"
            }
            Self::GivenUp => {
                "raise its timeout, let it do less, or look in `pg_stat_activity` for what blocks it"
            }
            Self::ReadsOnly => "write a select, or declare that the step writes",
            Self::NoReturning => "put `returning *` at its end",
            Self::NotText => {
                "values are bound as text: write `$1::bigint`, or correct the name that was not found"
            }
            Self::TooMuch => "select fewer columns, aggregate, or end the statement with `limit`",
            Self::Unsupported => {
                "let the user log in by password (`scram-sha-256` or `md5` in `pg_hba.conf`), and write no `copy`"
            }
            _ => "read the database error, and correct the statement or its values",
        }
    }

    /// The kind of error that an SQLSTATE stands for:
    /// <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    fn of_state(state: &str, message: &str) -> Self {
        match state {
            "28P01" => Self::Password,
            "28000" => Self::NotLetIn,
            "3D000" => Self::NoDatabase,
            "3F000" | "42P01" | "42703" | "42883" => Self::NoSchema,
            "42501" => Self::Rights,
            "25006" => Self::ReadOnly,
            "53100" => Self::DiskFull,
            "53300" | "53400" => Self::TooMany,
            "57014" | "55P03" => Self::TooSlow,
            "57P01" | "57P02" | "57P03" | "57P05" => Self::Lost,
            // PgBouncer and Supavisor use few states, so their messages decide.
            _ if message.contains("Tenant or user not found") => Self::Tenant,
            _ if message.contains("no such user") || message.contains("auth failed") => {
                Self::Password
            }
            _ if message.contains("no more connections") || message.contains("max client conn") => {
                Self::TooMany
            }
            _ if state.starts_with("08") => Self::Lost,
            _ => Self::Other,
        }
    }
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

    /// Converts an sqlx error from opening a connection.
    pub(super) fn of_opening(at: &str, error: &Error) -> Self {
        let pg_error = Self::of(at, error);
        match pg_error.kind {
            PgErrorKind::Rights => Self { kind: PgErrorKind::NotLetIn, ..pg_error },
            // The library found what the check of messages lets through.
            PgErrorKind::Broken => Self { kind: PgErrorKind::NotPostgres, ..pg_error },
            _ => pg_error,
        }
    }

    /// Converts an sqlx error.
    pub(super) fn of(at: &str, error: &Error) -> Self {
        Self::with_redacted_message(at, error, str::to_owned)
    }

    /// Converts an sqlx error and redacts its message with `hide`.
    pub(super) fn with_redacted_message(
        at: &str,
        error: &Error,
        hide: impl FnOnce(&str) -> String,
    ) -> Self {
        let state =
            error.as_database_error().and_then(|database| database.code().map(Cow::into_owned));
        let kind = match error {
            Error::Database(database) => {
                PgErrorKind::of_state(state.as_deref().unwrap_or_default(), database.message())
            }
            Error::Io(io) => of_connection(error, io),
            // sqlx has no error type for it.
            Error::Tls(tls) if tls.to_string() == "server does not support TLS" => {
                PgErrorKind::NoTls
            }
            Error::Tls(_) => library_error::handshake_problem(error)
                .map_or(PgErrorKind::Tls, PgErrorKind::Handshake),
            Error::Configuration(_) => library_error::unprepared_place(error)
                .map_or(PgErrorKind::Other, PgErrorKind::Unprepared),
            Error::WorkerCrashed => PgErrorKind::Lost,
            Error::Protocol(text) if is_unsupported(text) => PgErrorKind::Unsupported,
            Error::Protocol(text) if text.contains(NO_ANSWER_ON_TLS) => PgErrorKind::Lost,
            Error::Protocol(_)
            | Error::Decode(_)
            | Error::ColumnDecode { .. }
            | Error::ColumnNotFound(_)
            | Error::ColumnIndexOutOfBounds { .. } => PgErrorKind::Broken,
            _ => PgErrorKind::Other,
        };
        let message = match error {
            Error::Database(database) => keep_on_one_line(&hide(database.message())),
            other => library_error::describe(other),
        };
        Self { kind, database: at.to_owned(), message, state }
    }

    /// A file that TLS needs could not be read.
    pub(super) fn unread(at: &str, error: &io::Error, message: String) -> Self {
        Self::without_state(
            if is_local_shortage(error) { PgErrorKind::OwnLimits } else { PgErrorKind::Tls },
            at,
            message,
        )
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

    fn without_state(kind: PgErrorKind, at: &str, message: String) -> Self {
        Self { kind, database: at.to_owned(), message, state: None }
    }
}

impl std::fmt::Display for PgError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.what(), self.kind.remedy())
    }
}

impl std::error::Error for PgError {}

/// sqlx's text for a connection that is closed instead of an answer on whether there is TLS.
const NO_ANSWER_ON_TLS: &str = "unexpected response from SSLRequest: 0x00";

fn of_connection(error: &Error, io: &io::Error) -> PgErrorKind {
    if library_error::defect_of(io).is_some() {
        return PgErrorKind::Defect;
    }
    match WireFault::of(io) {
        Some(WireFault::NotPostgres(_)) => PgErrorKind::NotPostgres,
        Some(WireFault::Broken(_)) => PgErrorKind::Broken,
        Some(WireFault::Flood) => PgErrorKind::Flood,
        Some(WireFault::TooLarge(_)) => PgErrorKind::Oversized,
        None => library_error::handshake_problem(error)
            .map_or_else(|| of_io(io), PgErrorKind::Handshake),
    }
}

fn of_io(io: &io::Error) -> PgErrorKind {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, InvalidData, TimedOut,
        UnexpectedEof,
    };
    match io.kind() {
        _ if is_local_shortage(io) => PgErrorKind::OwnLimits,
        ConnectionRefused => PgErrorKind::Refused,
        ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof => PgErrorKind::Lost,
        TimedOut => PgErrorKind::TimedOut,
        // rustls reports certificate errors as invalid data.
        InvalidData => PgErrorKind::Tls,
        _ => PgErrorKind::Unreachable,
    }
}

/// Whether sqlx reports that it cannot do what a server asks for. It has no type for that.
fn is_unsupported(text: &str) -> bool {
    [
        "unsupported authentication method",
        "unsupported SASL authentication mechanisms",
        "unknown authentication method",
        "too many arguments for query",
        "CopyInResponse",
        "CopyOutResponse",
    ]
    .iter()
    .any(|limit| text.contains(limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_tls_differs_from_a_wrong_certificate() {
        let of =
            |message: &str| PgError::of_opening("u@h:5432/x", &Error::Tls(message.into())).kind;
        assert_eq!(of("server does not support TLS"), PgErrorKind::NoTls);
        assert_eq!(of("invalid peer certificate: UnknownIssuer"), PgErrorKind::Tls);
    }

    #[test]
    fn what_the_library_cannot_do_differs_from_what_the_server_gets_wrong() {
        for (message, kind) in [
            ("unsupported authentication method: CryptPassword", PgErrorKind::Unsupported),
            ("unsupported SASL authentication mechanisms: X", PgErrorKind::Unsupported),
            ("unknown authentication method: 99", PgErrorKind::Unsupported),
            ("execute: unexpected message: CopyOutResponse", PgErrorKind::Unsupported),
            ("unknown message type: 'y'", PgErrorKind::NotPostgres),
        ] {
            let error = Error::Protocol(message.to_owned());
            assert_eq!(PgError::of_opening("u@h:5432/x", &error).kind, kind, "{message}");
        }
    }

    #[test]
    fn each_state_of_the_server_has_a_remedy_of_its_own() {
        for (state, trouble) in [
            ("28P01", PgErrorKind::Password),
            ("3F000", PgErrorKind::NoSchema),
            ("42501", PgErrorKind::Rights),
            ("25006", PgErrorKind::ReadOnly),
            ("53100", PgErrorKind::DiskFull),
            ("57014", PgErrorKind::TooSlow),
            ("28000", PgErrorKind::NotLetIn),
            ("57P03", PgErrorKind::Lost),
            ("08006", PgErrorKind::Lost),
            ("22012", PgErrorKind::Other),
        ] {
            assert_eq!(PgErrorKind::of_state(state, ""), trouble, "{state}");
        }
        assert_eq!(PgErrorKind::of_state("XX000", "Tenant or user not found"), PgErrorKind::Tenant);
    }

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
            let error = PgError::of_opening("u@h:5432/x", &Error::Io(errno.into()));
            assert_eq!(error.kind, trouble, "{error}");
        }
        let unread =
            |errno: Errno| PgError::unread("u@h:5432/x", &errno.into(), String::new()).kind;
        assert_eq!(
            (unread(Errno::MFILE), unread(Errno::NOENT)),
            (PgErrorKind::OwnLimits, PgErrorKind::Tls)
        );
    }

    #[test]
    fn what_a_server_says_stands_on_one_line_and_is_bounded() {
        let text = format!("a\nb\u{1b}[31m{}", "x".repeat(1_000));
        let error = Error::Io(io::Error::other(text));
        let text = PgError::of("u@h:5432/x", &error).to_string();
        assert!(!text.contains(char::is_control) && text.len() < 600, "{text}");
        assert!(text.contains("a b [31mxxx"), "{text}");
    }
}
