//! The settings in the query of a database's URL.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::{AddressError, PoolerMode, PostgresTls, malformed};

/// Default timeout for opening a connection; `connect_timeout` overrides it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The settings in a URL's query.
pub(super) struct UrlSettings {
    mode: Option<String>,
    pub(super) ca: Option<PathBuf>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) socket: Option<PathBuf>,
    pub(super) port: Option<u16>,
    pub(super) application: String,
    pub(super) pooler: Option<PoolerMode>,
    pub(super) connect_timeout: Duration,
}

impl UrlSettings {
    pub(super) fn of(url: &Url) -> Result<Self, AddressError> {
        let mut settings = Self {
            mode: None,
            ca: None,
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

    /// How the server is protected. One on another machine is verified, unless the URL weakens it.
    pub(super) fn tls(&self, is_here: bool) -> Result<PostgresTls, AddressError> {
        match self.mode.as_deref() {
            None | Some("prefer" | "allow") if is_here => Ok(PostgresTls::WhereOffered),
            None | Some("verify-full") => Ok(PostgresTls::VerifyFull),
            Some("verify-ca") => Ok(PostgresTls::VerifyCa),
            Some("require") => Ok(PostgresTls::Unverified),
            Some("disable") => Ok(PostgresTls::Plaintext),
            Some("prefer" | "allow") => Err(AddressError {
                problem: "`sslmode=prefer` and `allow` may send the password in plain text"
                    .to_owned(),
                remedy: "leave sslmode out for `verify-full`, or write `require` or `disable`",
            }),
            Some(_) => Err(AddressError {
                problem: "the database's URL has an unknown sslmode".to_owned(),
                remedy: "write verify-full, verify-ca, require or disable",
            }),
        }
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), AddressError> {
        match key {
            "sslmode" => self.mode = Some(value.to_ascii_lowercase()),
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
