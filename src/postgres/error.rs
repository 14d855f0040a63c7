//! What goes wrong with a database, and what to do about it.

use std::borrow::Cow;

use sqlx::Error;

/// What went wrong with a database, with the remedy; never with a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgError {
    /// What kind of trouble it is.
    pub trouble: Trouble,
    /// The database, as [`Address::shown`](super::Address::shown) shows it.
    pub at: String,
    /// What the server or the system said: its message alone, on one line, without detail, hint and place.
    pub said: String,
    /// The server's SQLSTATE, where it was the server that spoke.
    pub state: Option<String>,
}

/// The kinds of trouble with a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing answers there.
    Unreachable,
    /// It did not answer in time.
    TimedOut,
    /// It gave a statement up that took too long, or that others held up.
    TooSlow,
    /// The connection broke off, or the server is going down or coming up.
    Lost,
    /// User name or password are wrong.
    Password,
    /// The server's rules let nobody in like this (`pg_hba.conf`).
    NotLetIn,
    /// A pooler knows no such user.
    Tenant,
    /// There is no such database.
    NoDatabase,
    /// TLS failed.
    Tls,
    /// The schema, or a part of it, is not there.
    NoSchema,
    /// The user may not do this.
    Rights,
    /// The server takes no writes.
    ReadOnly,
    /// The server's disk is full.
    DiskFull,
    /// The server takes no further connections.
    TooMany,
    /// What a statement from a file names is not there: a table, view, function or schema.
    Absent,
    /// The user may not do what a statement from a file does.
    Denied,
    /// A statement from a file took longer than it may.
    GivenUp,
    /// A statement from a file would write, and is meant only to read.
    ReadsOnly,
    /// A statement from a file writes, and does not return what it wrote.
    NoReturning,
    /// A statement from a file, or its values, are not right.
    Statement,
    /// A statement from a file returns more than can be kept.
    TooMuch,
    /// Anything else.
    Other,
}

impl Trouble {
    /// What is the case, as the beginning of a sentence's end.
    pub fn what(self) -> &'static str {
        match self {
            Self::Unreachable => "cannot be reached",
            Self::TimedOut => "did not answer in time",
            Self::TooSlow => "gave up what took longer than 30 s",
            Self::Lost => "broke the connection off",
            Self::Password => "refuses user name or password",
            Self::NotLetIn => "lets this user not in from here",
            Self::Tenant => "is a pooler that does not know the user",
            Self::NoDatabase => "has no such database",
            Self::Tls => "could not be spoken to over TLS",
            Self::NoSchema => "lacks the schema `tollgate`, or a part of it",
            Self::Rights => "does not allow this user to do that",
            Self::ReadOnly => "takes no writes",
            Self::DiskFull => "has no room left on its disk",
            Self::TooMany => "takes no further connections",
            Self::Absent => "has not what the statement names",
            Self::Denied => "does not allow this user what the statement does",
            Self::GivenUp => "gave the statement up, which took longer than it may",
            Self::ReadsOnly => "does not let a statement write that is meant to read",
            Self::NoReturning => "cannot tell what the statement wrote",
            Self::Statement => "does not take the statement",
            Self::TooMuch => "returned more than can be kept",
            Self::Other => "gave an error",
        }
    }

    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Unreachable => {
                "check host and port of the URL and whether the database runs; Supabase's direct host is reached over \
                 IPv6 alone, its pooler over IPv4 too"
            }
            Self::TimedOut => {
                "see whether the server is up, and behind a pooler the database; `connect_timeout=30` in the URL waits longer \
                 for a connection"
            }
            Self::TooSlow => "try again when it has less to do; another `tollgate sync` may be under way",
            Self::Lost => "try again when the server is up",
            Self::Password => {
                "check user name and password in the URL; special characters are percent-encoded"
            }
            Self::NotLetIn => {
                "where it asks for encryption, write `sslmode=verify-full` or `require` in the URL; else it is for its owner to allow"
            }
            Self::Tenant => "the user of Supabase's pooler is written `postgres.<project>`",
            Self::NoDatabase => "check the name after the last `/` of the URL; Supabase's is `postgres`",
            Self::Tls => {
                "give the server's authority with `sslrootcert=FILE` in the URL (Supabase: Database settings, SSL), and the \
                 host name that its certificate is for"
            }
            Self::NoSchema => "`tollgate db migrate` makes it",
            Self::Rights => {
                "as the schema's owner: `grant tollgate_writer to …` lets a user store runs, `grant tollgate_reader to …` \
                 lets it read them; to migrate, prune and expose is the owner's alone"
            }
            Self::ReadOnly => {
                "use the URL of the primary server, or end its read-only mode; Supabase's begins when the disk is full, and \
                 `tollgate db prune` makes room all the same"
            }
            Self::DiskFull => {
                "make room or enlarge the disk; `tollgate db prune --keep 90d` drops old intervals"
            }
            Self::TooMany => "close connections, or use the pooler's URL (port 6543)",
            Self::Absent => {
                "correct the name, write it with its schema, or check that this is the database that is meant"
            }
            Self::Denied => {
                "as the owner: `grant select on … to …` lets a user read a table, `grant usage on schema … to …` see it"
            }
            Self::GivenUp => {
                "let it take longer, let it do less, or look in `pg_stat_activity` for what holds it up"
            }
            Self::ReadsOnly => "write a select, or say that the step writes",
            Self::NoReturning => "put `returning *` at its end",
            Self::Statement => "correct it; values are texts, of which `$1::bigint` makes another type",
            Self::TooMuch => "let it name its columns, count or add up, or put `limit` at its end",
            Self::Other => {
                "is it PostgreSQL that answers there? `tollgate doctor` looks at connection, schema and rights"
            }
        }
    }

    /// The trouble that an SQLSTATE tells of: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
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
            // PgBouncer's and Supavisor's own words; both have few states.
            _ if message.contains("Tenant or user not found") => Self::Tenant,
            _ if message.contains("no such user") || message.contains("auth failed") => Self::Password,
            _ if message.contains("no more connections") || message.contains("max client conn") => {
                Self::TooMany
            }
            _ if state.starts_with("08") => Self::Lost,
            _ => Self::Other,
        }
    }
}

impl PgError {
    /// What is the case, without the remedy.
    pub fn what(&self) -> String {
        let Self { trouble, at, said, .. } = self;
        format!("the database {at} {} ({said})", trouble.what())
    }

    /// Whether what a statement from a file names is not there: a table, view, function or schema. A column that is not there is a
    /// mistake of the statement.
    pub fn is_absent(&self) -> bool {
        self.trouble == Trouble::Absent
    }

    /// Whether the user may not do it.
    pub fn is_denied(&self) -> bool {
        matches!(self.trouble, Trouble::Denied | Trouble::Rights)
    }

    /// What sqlx tells of a database.
    pub(super) fn of(at: &str, error: &Error) -> Self {
        Self::hiding(at, error, str::to_owned)
    }

    /// What sqlx tells of a database, with something hidden of what was said.
    pub(super) fn hiding(at: &str, error: &Error, hide: impl FnOnce(&str) -> String) -> Self {
        let state = error.as_database_error().and_then(|database| database.code().map(Cow::into_owned));
        let trouble = match error {
            Error::Database(database) => {
                Trouble::of_state(state.as_deref().unwrap_or_default(), database.message())
            }
            Error::Io(io) => of_io(io),
            Error::Tls(_) => Trouble::Tls,
            Error::WorkerCrashed => Trouble::Lost,
            _ => Trouble::Other,
        };
        Self { trouble, at: at.to_owned(), said: on_one_line(&hide(&said(error))), state }
    }

    /// TLS could not be begun.
    pub(super) fn tls(at: &str, said: String) -> Self {
        Self::without_state(Trouble::Tls, at, said)
    }

    /// It did not answer in time.
    pub(crate) fn timed_out(at: &str, said: String) -> Self {
        Self::without_state(Trouble::TimedOut, at, said)
    }

    /// It returned too much.
    pub(super) fn too_much(at: &str, said: String) -> Self {
        Self::without_state(Trouble::TooMuch, at, said)
    }

    fn without_state(trouble: Trouble, at: &str, said: String) -> Self {
        Self { trouble, at: at.to_owned(), said, state: None }
    }
}

impl std::fmt::Display for PgError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.what(), self.trouble.remedy())
    }
}

impl std::error::Error for PgError {}

fn of_io(io: &std::io::Error) -> Trouble {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof};
    match io.kind() {
        ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof => Trouble::Lost,
        TimedOut => Trouble::TimedOut,
        // rustls tells of certificates as of invalid data.
        std::io::ErrorKind::InvalidData => Trouble::Tls,
        _ => Trouble::Unreachable,
    }
}

fn said(error: &Error) -> String {
    match error {
        Error::Database(database) => database.message().to_owned(),
        Error::Io(io) => io.to_string(),
        Error::Tls(tls) => tls.to_string(),
        other => other.to_string(),
    }
}

fn on_one_line(said: &str) -> String {
    said.chars().map(|character| if character.is_control() { ' ' } else { character }).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_of_the_server_has_a_remedy_of_its_own() {
        for (state, trouble) in [
            ("28P01", Trouble::Password),
            ("3F000", Trouble::NoSchema),
            ("42501", Trouble::Rights),
            ("25006", Trouble::ReadOnly),
            ("53100", Trouble::DiskFull),
            ("57014", Trouble::TooSlow),
            ("28000", Trouble::NotLetIn),
            ("57P03", Trouble::Lost),
            ("08006", Trouble::Lost),
            ("22012", Trouble::Other),
        ] {
            assert_eq!(Trouble::of_state(state, ""), trouble, "{state}");
        }
        assert_eq!(Trouble::of_state("XX000", "Tenant or user not found"), Trouble::Tenant);
    }

    #[test]
    fn what_a_server_says_stands_on_one_line_and_is_bounded() {
        let error = Error::Protocol(format!("a\nb\u{1b}[31m{}", "x".repeat(1_000)));
        let shown = PgError::of("u@h:5432/x", &error).to_string();
        assert!(!shown.contains(char::is_control) && shown.len() < 600, "{shown}");
        assert!(shown.ends_with("connection, schema and rights"), "{shown}");
    }
}
