//! The address of a database, parsed from its URL.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

use super::message_guard::guard_socket;
use crate::files;

/// The address of a database and how to connect to it.
///
/// Written as libpq's URL:
/// `postgresql://user:password@host:port/database?sslmode=verify-full&sslrootcert=ca.crt`
/// (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>). What the
/// URL leaves out comes from `PGUSER`, `PGPASSWORD`, `PGDATABASE`, `PGSSLROOTCERT`, `PGSSLCERT`,
/// `PGSSLKEY`, `PGOPTIONS` and the passfile, as with psql; but `PGHOST` and `PGPORT` are ignored: a
/// URL without a host means this machine, and one without a port 5432. Nothing here prints the
/// password.
#[derive(Clone)]
pub struct DatabaseAddress {
    options: PgConnectOptions,
    password: Option<SecretString>,
    /// The host, `localhost` for a socket of this machine.
    host: String,
    /// Whether that is this machine.
    is_here: bool,
    tls: PostgresTls,
    ca: Option<PathBuf>,
    /// The files of the client's certificate and key.
    identity: Vec<PathBuf>,
    pooler: PoolerMode,
    connect_timeout: Duration,
}

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostgresTls {
    /// Not encrypted: on this machine, or because of `sslmode=disable`.
    Plaintext,
    /// On this machine, encrypted if the server offers it.
    WhereOffered,
    /// Encrypted, but the server is not authenticated (`sslmode=require`).
    Unverified,
    /// Encrypted, with a certificate of a known authority for any name (`sslmode=verify-ca`).
    VerifyCa,
    /// Encrypted, with a certificate of a known authority for this host (`sslmode=verify-full`).
    VerifyFull,
}

/// The pooler between the prober and the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolerMode {
    /// Nothing, or a pooler that keeps a server connection for a session.
    None,
    /// A pooler in transaction mode: each transaction may use a different server connection.
    Transaction,
}

/// Why a text is not the address of a database. The error never contains the text, which may
/// contain a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}: {remedy}")]
pub struct AddressError {
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub remedy: &'static str,
}

/// Default timeout for opening a connection; `connect_timeout` overrides it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const PORT: u16 = 5432;
/// The port of Supabase's poolers in transaction mode.
const POOLED_PORT: u16 = 6543;

const FORM: &str = "write `postgresql://user:password@host:port/database`; in the password, write `#`, `@`, `/`, `?` and `%` as \
                    `%23`, `%40`, `%2F`, `%3F` and `%25`";

impl DatabaseAddress {
    /// The URL that stands in for an unknown one; nothing connects to it.
    pub const PLACEHOLDER: &str = "postgresql://placeholder@placeholder.invalid/placeholder";

    /// Whether this is [`Self::PLACEHOLDER`].
    pub fn is_placeholder(&self) -> bool {
        self.host == "placeholder.invalid"
    }

    /// Whether a text has the scheme of a Postgres URL; the rest of it may be malformed.
    pub fn has_postgres_scheme(text: &str) -> bool {
        let text = text.trim_start();
        text.starts_with("postgres:") || text.starts_with("postgresql:")
    }

    /// Reads a URL.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let url = Url::parse(&with_host(text.trim())).map_err(|_| malformed())?;
        let is_postgres = ["postgres", "postgresql"].contains(&url.scheme());
        // If a password contains `/` or `@`, its rest is parsed as the host or the database's name.
        let database = url.path().trim_start_matches('/');
        if !is_postgres || url.fragment().is_some() || database.contains(['/', '@', ':']) {
            return Err(malformed());
        }
        let settings = UrlSettings::of(&url)?;
        let host = decoded(url.host_str().unwrap_or_default())?;
        let is_here = settings.socket.is_some() || host.is_empty() || is_loopback(&host);
        let tls = settings.tls(is_here)?;
        let mut plain = url.clone();
        plain.set_query(None);
        check_passfiles()?;
        let options = PgConnectOptions::from_url(&plain).map_err(|_| malformed())?;
        let host = if host.is_empty() { "localhost".to_owned() } else { host };
        // Only URLs put an IPv6 address in brackets.
        let port = url.port().or(settings.port).unwrap_or(PORT);
        let options = options.host(host.trim_matches(['[', ']'])).port(port);
        let pooler = match settings.pooler {
            None if options.get_port() == POOLED_PORT => PoolerMode::Transaction,
            given => given.unwrap_or(PoolerMode::None),
        };
        Ok(Self {
            password: password(&url)?,
            options: settings.apply(options, tls),
            host,
            is_here,
            tls,
            identity: settings.identity_files(),
            ca: settings.ca,
            pooler,
            connect_timeout: settings.connect_timeout,
        })
    }

    /// The address for output: `postgres@127.0.0.1:54322/postgres`, never with a password.
    pub fn display_name(&self) -> String {
        let database = self.options.get_database().unwrap_or(self.options.get_username());
        let (user, port) = (self.options.get_username(), self.options.get_port());
        format!("{user}@{}:{port}/{database}", self.host)
    }

    /// The password, if the URL or `PGPASSWORD` has one, so that output can hide it.
    ///
    /// `None` if it equals the name of the user or the database, as in a local Supabase: hiding it
    /// would hide the name.
    pub fn secret_password(&self) -> Option<&str> {
        let password = self.password.as_ref().map(SecretString::expose_secret);
        let public = [Some(self.options.get_username()), self.options.get_database()];
        password.filter(|password| !public.contains(&Some(password)))
    }

    /// The host, `localhost` for a socket of this machine.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it is on this machine.
    pub fn is_local(&self) -> bool {
        self.is_here
    }

    /// How the connection is protected.
    pub fn tls(&self) -> PostgresTls {
        self.tls
    }

    /// The file of authorities to trust in addition to Mozilla's.
    pub fn ca_file(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    /// The files of the client's certificate and key, if it has them.
    pub(super) fn identity_files(&self) -> &[PathBuf] {
        &self.identity
    }

    /// The pooler between the prober and the server.
    pub fn pooler(&self) -> PoolerMode {
        self.pooler
    }

    /// Timeout for opening a connection.
    pub(super) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// The options for sqlx; their own `Debug` prints the password.
    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.options
    }
}

impl fmt::Debug for DatabaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({}, {:?}, {:?})", self.display_name(), self.tls, self.pooler)
    }
}

/// The settings in a URL's query.
struct UrlSettings {
    mode: Option<PgSslMode>,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    socket: Option<PathBuf>,
    port: Option<u16>,
    application: String,
    pooler: Option<PoolerMode>,
    connect_timeout: Duration,
}

impl UrlSettings {
    fn of(url: &Url) -> Result<Self, AddressError> {
        let mut settings = Self {
            mode: None,
            ca: std::env::var_os("PGSSLROOTCERT")
                .filter(|file| !file.is_empty())
                .map(PathBuf::from),
            certificate: None,
            key: None,
            socket: None,
            port: None,
            application: concat!("tollgate ", env!("CARGO_PKG_VERSION")).to_owned(),
            pooler: None,
            connect_timeout: CONNECT_TIMEOUT,
        };
        for (key, value) in url.query_pairs() {
            settings.set(&key, &value)?;
        }
        Ok(settings)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), AddressError> {
        match key {
            "sslmode" => self.mode = Some(mode(value)?),
            "sslrootcert" => self.ca = Some(value.into()),
            "sslcert" => self.certificate = Some(value.into()),
            "sslkey" => self.key = Some(value.into()),
            "host" if value.starts_with('/') => self.socket = Some(value.into()),
            "port" => self.port = Some(value.parse().map_err(|_| malformed())?),
            "application_name" => value.clone_into(&mut self.application),
            "pooler" => self.pooler = Some(pooler(value)?),
            "pgbouncer" if value == "true" => self.pooler = Some(PoolerMode::Transaction),
            "connect_timeout" => self.connect_timeout = timeout(value)?,
            _ if is_for_others(key) => {}
            _ => return Err(unknown(key)),
        }
        Ok(())
    }

    fn identity_files(&self) -> Vec<PathBuf> {
        let of = |given: &Option<PathBuf>, name: &str| {
            given.clone().or_else(|| std::env::var_os(name).map(PathBuf::from))
        };
        [of(&self.certificate, "PGSSLCERT"), of(&self.key, "PGSSLKEY")]
            .into_iter()
            .flatten()
            .collect()
    }

    /// A server on another machine is verified, unless the URL weakens `sslmode`.
    fn tls(&self, is_here: bool) -> Result<PostgresTls, AddressError> {
        match self.mode {
            None | Some(PgSslMode::Prefer | PgSslMode::Allow) if is_here => {
                Ok(PostgresTls::WhereOffered)
            }
            None | Some(PgSslMode::VerifyFull) => Ok(PostgresTls::VerifyFull),
            Some(PgSslMode::VerifyCa) => Ok(PostgresTls::VerifyCa),
            Some(PgSslMode::Require) => Ok(PostgresTls::Unverified),
            Some(PgSslMode::Disable) => Ok(PostgresTls::Plaintext),
            Some(PgSslMode::Prefer | PgSslMode::Allow) => Err(AddressError {
                problem: "`sslmode=prefer` and `allow` may send the password in plain text"
                    .to_owned(),
                remedy: "leave sslmode out for `verify-full`, or write `require` or `disable`",
            }),
        }
    }

    fn apply(&self, options: PgConnectOptions, tls: PostgresTls) -> PgConnectOptions {
        let mut options = options
            .ssl_mode(tls.mode())
            .statement_cache_capacity(0)
            // PgBouncer refuses connections that set it.
            .extra_float_digits(None)
            .application_name(&self.application)
            .disable_statement_logging()
            .wrap_socket(guard_socket);
        if let Some(ca) = &self.ca {
            options = options.ssl_root_cert(ca);
        }
        if let (Some(certificate), Some(key)) = (&self.certificate, &self.key) {
            options = options.ssl_client_cert(certificate).ssl_client_key(key);
        }
        match &self.socket {
            Some(folder) => options.socket(folder),
            None => options,
        }
    }
}

impl PostgresTls {
    fn mode(self) -> PgSslMode {
        match self {
            Self::Plaintext => PgSslMode::Disable,
            Self::WhereOffered => PgSslMode::Prefer,
            Self::Unverified => PgSslMode::Require,
            Self::VerifyCa => PgSslMode::VerifyCa,
            Self::VerifyFull => PgSslMode::VerifyFull,
        }
    }
}

/// libpq's form without a host, `user@/database` or `user@:5432/database`, which is not a URL by
/// the standard: it means this machine.
fn with_host(text: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = text.split_once("://") else { return Cow::Borrowed(text) };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let Some(at) = authority
        .rfind('@')
        .map(|at| at + 1)
        .filter(|&at| authority[at..].is_empty() || authority[at..].starts_with(':'))
    else {
        return Cow::Borrowed(text);
    };
    Cow::Owned(format!("{scheme}://{}localhost{}", &rest[..at], &rest[at..]))
}

/// Refuses a passfile that the library would wait for: it reads the file as it reads the URL.
fn check_passfiles() -> Result<(), AddressError> {
    let named = std::env::var_os("PGPASSFILE").map(PathBuf::from);
    let usual = std::env::home_dir().map(|home| home.join(".pgpass"));
    let obstacle = [named, usual].into_iter().flatten().find_map(|path| {
        files::find_obstacle(&path).map(|why| format!("the passfile {}: {why}", path.display()))
    });
    let remedy = "name a file in PGPASSFILE, or set PGPASSWORD and remove the pipe";
    obstacle.map_or(Ok(()), |problem| Err(AddressError { problem, remedy }))
}

fn malformed() -> AddressError {
    AddressError { problem: "this is not the URL of a Postgres database".to_owned(), remedy: FORM }
}

/// Settings of other programs that read the same variable, and libpq's settings that have no effect
/// here.
fn is_for_others(key: &str) -> bool {
    let prisma = ["pgbouncer", "connection_limit", "pool_timeout", "schema"];
    let libpq = [
        "channel_binding",
        "gssencmode",
        "target_session_attrs",
        "tcp_user_timeout",
        "fallback_application_name",
    ];
    prisma.contains(&key) || libpq.contains(&key) || key.starts_with("keepalives")
}

fn unknown(key: &str) -> AddressError {
    // If the password contains a question mark, its rest is parsed as a setting.
    let known =
        key.len() <= 32 && key.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let key = if known { format!(" `{key}`") } else { String::new() };
    AddressError {
        problem: format!("the database's URL has an unknown setting{key}"),
        remedy: "the known settings are sslmode, sslrootcert, sslcert, sslkey, host (a socket's folder), \
                 connect_timeout, application_name and pooler",
    }
}

fn mode(value: &str) -> Result<PgSslMode, AddressError> {
    value.parse().map_err(|_| AddressError {
        problem: "the database's URL has an unknown sslmode".to_owned(),
        remedy: "write verify-full, verify-ca, require or disable",
    })
}

fn pooler(value: &str) -> Result<PoolerMode, AddressError> {
    match value {
        "transaction" => Ok(PoolerMode::Transaction),
        "session" | "none" => Ok(PoolerMode::None),
        _ => Err(AddressError {
            problem: "the database's URL has an unknown pooler".to_owned(),
            remedy: "write `pooler=transaction`, `session` or `none`",
        }),
    }
}

/// Parses libpq's seconds; 0 means no limit and becomes one hour.
fn timeout(value: &str) -> Result<Duration, AddressError> {
    let seconds: u64 = value.parse().map_err(|_| AddressError {
        problem: "connect_timeout in the database's URL is not a number".to_owned(),
        remedy: "write whole seconds: `connect_timeout=10`",
    })?;
    Ok(Duration::from_secs(if seconds == 0 { 3600 } else { seconds.min(3600) }))
}

fn password(url: &Url) -> Result<Option<SecretString>, AddressError> {
    let given = url.password().map(decoded).transpose()?;
    let password = given.or_else(|| std::env::var("PGPASSWORD").ok());
    Ok(password.filter(|password| !password.is_empty()).map(SecretString::from))
}

fn decoded(text: &str) -> Result<String, AddressError> {
    percent_decode_str(text).decode_utf8().map(Cow::into_owned).map_err(|_| malformed())
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let name = host.to_ascii_lowercase();
    address.is_ok_and(|address| address.is_loopback())
        || name == "localhost"
        || host.starts_with('/')
}

#[cfg(test)]
mod tests;
