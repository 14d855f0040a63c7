//! The address of a database, parsed from its URL.

mod settings;

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use url::Url;

use self::settings::UrlSettings;
use super::passfile::{self, PasswordOwner};
use crate::files;

/// The address of a database and how to connect to it.
///
/// Written as libpq's URL:
/// `postgresql://user:password@host:port/database?sslmode=verify-full&sslrootcert=ca.crt`
/// (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>). `PGUSER`,
/// `PGPASSWORD`, `PGDATABASE`, `PGOPTIONS`, `PGSSLROOTCERT`, `PGSSLCERT`, `PGSSLKEY` and the
/// passfile fill in what the URL leaves out, as with psql. Other variables, such as `PGHOST`,
/// `PGPORT` and `PGSSLMODE`, are ignored, and `~/.postgresql/` is not read. A URL without a host
/// means this machine, and one without a port 5432. Nothing here prints the password.
#[derive(Clone)]
pub struct DatabaseAddress {
    user: String,
    password: Option<SecretString>,
    database: Option<String>,
    /// The host, `localhost` for a Unix socket.
    host: String,
    port: u16,
    /// The folder of a Unix socket.
    socket: Option<PathBuf>,
    /// Whether that is this machine.
    is_here: bool,
    tls: PostgresTls,
    ca: Option<PathBuf>,
    client_files: Option<ClientFiles>,
    /// Settings of the session (`PGOPTIONS`).
    options: Option<String>,
    application: String,
    pooler: PoolerMode,
    connect_timeout: Duration,
}

/// The files of the client's certificate and key.
#[derive(Debug, Clone)]
pub(super) struct ClientFiles {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostgresTls {
    /// Not encrypted: on a Unix socket, or because of `sslmode=disable`.
    Plaintext,
    /// On this machine, encrypted if the server offers it.
    WhereOffered,
    /// Encrypted, but the server is not authenticated (`sslmode=require`).
    Unverified,
    /// Encrypted, with a certificate of a known authority for any name (`sslmode=verify-ca`, or
    /// `require` with a file of authorities).
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
        let mut settings = UrlSettings::of(&url)?;
        let host = decoded(url.host_str().unwrap_or_default())?;
        let socket = settings.socket.take();
        let socket = socket.or_else(|| host.starts_with('/').then(|| (&*host).into()));
        let is_here = socket.is_some() || host.is_empty() || is_loopback(&host);
        let tls = settings.tls(is_here, socket.is_some())?;
        let is_unnamed = socket.is_some() || host.is_empty();
        let port = url.port().or(settings.port).unwrap_or(PORT);
        let default_pooler =
            if port == POOLED_PORT { PoolerMode::Transaction } else { PoolerMode::None };
        let mut address = Self {
            user: user(&url)?,
            password: password(&url)?,
            database: non_empty(decoded(database)?).or_else(|| read_variable("PGDATABASE")),
            host: if is_unnamed { "localhost".to_owned() } else { host },
            port,
            socket,
            is_here,
            tls,
            client_files: settings.take_client_files()?,
            ca: settings.ca,
            options: read_variable("PGOPTIONS"),
            application: settings.application,
            pooler: settings.pooler.unwrap_or(default_pooler),
            connect_timeout: settings.connect_timeout,
        };
        if address.password.is_none() {
            address.password = address.password_of_file()?;
        }
        Ok(address)
    }

    fn password_of_file(&self) -> Result<Option<SecretString>, AddressError> {
        let Some(file) = passfile::passfile() else { return Ok(None) };
        check_passfile(&file)?;
        let host = self.socket.as_deref().and_then(Path::to_str).unwrap_or(self.peer());
        let owner = PasswordOwner {
            // In the file, a socket may also be called `localhost`.
            hosts: [host, &self.host],
            port: self.port,
            database: self.database_name(),
            user: &self.user,
        };
        Ok(passfile::find_password(&file, owner))
    }

    /// The database, which by default has the name of the user.
    fn database_name(&self) -> &str {
        self.database.as_deref().unwrap_or(&self.user)
    }

    /// The address for output: `postgres@127.0.0.1:54322/postgres`, never with a password.
    pub fn display_name(&self) -> String {
        format!("{}@{}:{}/{}", self.user, self.host, self.port, self.database_name())
    }

    /// The password, if the URL, `PGPASSWORD` or the passfile has one, so that output can hide it.
    ///
    /// `None` if it equals the name of the user or the database, as in a local Supabase: hiding it
    /// would hide the name.
    pub fn secret_password(&self) -> Option<&str> {
        let password = self.password.as_ref().map(SecretString::expose_secret);
        let public = [Some(&*self.user), self.database.as_deref()];
        password.filter(|password| !public.contains(&Some(password)))
    }

    /// The host, `localhost` for a Unix socket.
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

    /// The files of the client's certificate and key.
    pub(super) fn client_files(&self) -> Option<&ClientFiles> {
        self.client_files.as_ref()
    }

    /// The pooler between the prober and the server.
    pub fn pooler(&self) -> PoolerMode {
        self.pooler
    }

    /// Timeout for opening a connection.
    pub(super) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// The host as a name or an address without brackets, which only URLs have.
    pub(super) fn peer(&self) -> &str {
        self.host.trim_matches(['[', ']'])
    }

    /// The port, which a Unix socket has in its name.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The path of the Unix socket, if it is one.
    pub(super) fn socket(&self) -> Option<PathBuf> {
        Some(self.socket.as_ref()?.join(format!(".s.PGSQL.{}", self.port)))
    }

    /// What the library needs to log in. Its own `Debug` hides the password.
    pub(super) fn login(&self) -> Config {
        let mut config = Config::new();
        // Without a password, the library would not answer a server that asks for one.
        let password = self.password.as_ref().map_or("", SecretString::expose_secret);
        config.user(&self.user).password(password).application_name(&self.application);
        // The connection is encrypted before the library gets it.
        config.ssl_mode(SslMode::Disable);
        if let Some(database) = &self.database {
            config.dbname(database);
        }
        if let Some(options) = &self.options {
            config.options(options);
        }
        config
    }
}

impl fmt::Debug for DatabaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({}, {:?}, {:?})", self.display_name(), self.tls, self.pooler)
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

/// Refuses a passfile that is a pipe or a device. A person who names one expects it to be read.
fn check_passfile(path: &Path) -> Result<(), AddressError> {
    let Some(why) = files::find_obstacle(path) else { return Ok(()) };
    let problem = format!("the passfile {}: {why}", path.display());
    Err(AddressError { problem, remedy: "name a file in PGPASSFILE, or set PGPASSWORD" })
}

fn malformed() -> AddressError {
    AddressError { problem: "this is not the URL of a Postgres database".to_owned(), remedy: FORM }
}

fn user(url: &Url) -> Result<String, AddressError> {
    let named = non_empty(decoded(url.username())?).or_else(|| read_variable("PGUSER"));
    Ok(named.unwrap_or_else(|| whoami::username().unwrap_or_else(|_| "unknown".to_owned())))
}

fn password(url: &Url) -> Result<Option<SecretString>, AddressError> {
    let written = url.password().map(decoded).transpose()?.and_then(non_empty);
    Ok(written.or_else(|| read_variable("PGPASSWORD")).map(SecretString::from))
}

fn read_variable(name: &str) -> Option<String> {
    std::env::var(name).ok().and_then(non_empty)
}

/// The path in a variable; an empty one counts as not set, as in libpq.
fn read_path_variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|file| !file.is_empty()).map(PathBuf::from)
}

fn non_empty(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn decoded(text: &str) -> Result<String, AddressError> {
    percent_decode_str(text).decode_utf8().map(Cow::into_owned).map_err(|_| malformed())
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let name = host.to_ascii_lowercase();
    address.is_ok_and(|address| address.is_loopback()) || name == "localhost"
}

#[cfg(test)]
mod tests;
