//! The kinds of database errors, and what to do about each.

use crate::library_text::{DEFECT_REMEDY, HandshakeProblem};

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
    /// The server's signature at the end of a login by SCRAM is wrong: it does not know the
    /// password.
    Unproven,
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
    /// It asks for something that tollgate cannot do.
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
            Self::Unproven => "did not prove its identity",
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
            Self::Unsupported => "asks for what tollgate cannot do",
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
                "check user name and password in the URL, `PGPASSWORD` or the passfile, which only its owner may be able \
                 to read (`chmod 600`); percent-encode special characters in the URL"
            }
            Self::Handshake(problem) => remedy_of_handshake(problem),
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
            Self::Unproven => {
                "check host and port of the URL, and what stands between here and the database: another server answers there"
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
    pub(super) fn of_state(state: &str, message: &str) -> Self {
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

/// What to do about a failed handshake with a database.
fn remedy_of_handshake(problem: HandshakeProblem) -> &'static str {
    match problem {
        HandshakeProblem::OtherName => {
            "use a host name that the certificate contains, or issue it with `subjectAltName` for this one; \
             `sslmode=verify-ca` checks the authority and no name"
        }
        HandshakeProblem::AuthorityAsServer => {
            "make one for servers, and name it with `sslrootcert` in the URL: `openssl req -x509 -newkey rsa:2048 -nodes \
             -keyout server.key -out server.crt -subj /CN=HOST -addext subjectAltName=DNS:HOST -addext basicConstraints=CA:FALSE`"
        }
        HandshakeProblem::WantsCertificate | HandshakeProblem::RejectsCertificate => {
            "name a client certificate that the server accepts, and its key, with `sslcert` and `sslkey` in the URL"
        }
        HandshakeProblem::NotTls => "correct the port: what listens there is not PostgreSQL",
        problem => problem.remedy(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
