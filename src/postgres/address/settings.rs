//! The settings in the query of a database's URL.

use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use super::{AddressError, ClientFiles, PoolerMode, PostgresTls, malformed, read_path_variable};

/// Default timeout for opening a connection; `connect_timeout` overrides it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The settings in a URL's query, and the variables that stand in for some of them.
pub(super) struct UrlSettings {
    mode: Option<String>,
    binds_channel: bool,
    /// Whether only the authorities that everyone knows are trusted (`sslrootcert=system`).
    is_system_ca: bool,
    pub(super) ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
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
            binds_channel: false,
            is_system_ca: false,
            ca: read_path_variable("PGSSLROOTCERT"),
            certificate: read_path_variable("PGSSLCERT"),
            key: read_path_variable("PGSSLKEY"),
            socket: None,
            port: None,
            application: concat!("tollgate ", env!("CARGO_PKG_VERSION")).to_owned(),
            pooler: None,
            connect_timeout: CONNECT_TIMEOUT,
        };
        for (key, value) in url.query_pairs() {
            settings.set(&key, &value)?;
        }
        settings.is_system_ca = settings.ca.take_if(|ca| ca == Path::new("system")).is_some();
        Ok(settings)
    }

    /// How the connection is protected.
    pub(super) fn tls(&self, is_here: bool, is_socket: bool) -> Result<PostgresTls, AddressError> {
        let wanted = self.tls_of_mode(is_here)?;
        // As in libpq, nothing is encrypted on a Unix socket.
        let tls = if is_socket { PostgresTls::Plaintext } else { wanted };
        if self.binds_channel && tls != PostgresTls::VerifyFull {
            return Err(unbound());
        }
        Ok(tls)
    }

    /// What `sslmode` asks for. A server on another machine is verified, unless the URL weakens it.
    fn tls_of_mode(&self, is_here: bool) -> Result<PostgresTls, AddressError> {
        match self.mode.as_deref() {
            None | Some("verify-full") if self.is_system_ca => Ok(PostgresTls::VerifyFull),
            // As in libpq.
            _ if self.is_system_ca => Err(AddressError {
                problem: "`sslrootcert=system` is only for `sslmode=verify-full`".to_owned(),
                remedy: "write `sslmode=verify-full`, or name the file of an authority in sslrootcert",
            }),
            None | Some("prefer" | "allow") if is_here => Ok(PostgresTls::WhereOffered),
            None | Some("verify-full") => Ok(PostgresTls::VerifyFull),
            Some("verify-ca") => Ok(PostgresTls::VerifyCa),
            // As in libpq.
            Some("require") if self.ca.is_some() => Ok(PostgresTls::VerifyCa),
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

    /// The files of the client's certificate and key.
    pub(super) fn take_client_files(&mut self) -> Result<Option<ClientFiles>, AddressError> {
        match (self.certificate.take(), self.key.take()) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some(ClientFiles { certificate, key })),
            _ => Err(AddressError {
                problem:
                    "`sslcert` and `sslkey` (or `PGSSLCERT` and `PGSSLKEY`) must be named together"
                        .to_owned(),
                remedy: "name both files, or neither",
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
            "channel_binding" if value == "require" => self.binds_channel = true,
            _ if is_for_others(key) || asks_for_nothing(key, value) => {}
            "channel_binding" => return Err(unbound()),
            "gssencmode" => return Err(unencrypted_by_gss()),
            "target_session_attrs" => return Err(unchosen()),
            _ => return Err(unknown(key)),
        }
        Ok(())
    }
}

/// Settings of other programs that read the same variable, and libpq's settings that have no effect
/// here whatever their value.
fn is_for_others(key: &str) -> bool {
    let prisma = ["pgbouncer", "connection_limit", "pool_timeout", "schema"];
    let libpq = ["tcp_user_timeout", "fallback_application_name"];
    prisma.contains(&key) || libpq.contains(&key) || key.starts_with("keepalives")
}

/// Whether a setting of libpq has a value that permits what tollgate does.
fn asks_for_nothing(key: &str, value: &str) -> bool {
    matches!(
        (key, value),
        ("channel_binding" | "gssencmode", "disable" | "prefer") | ("target_session_attrs", "any")
    )
}

fn unbound() -> AddressError {
    AddressError {
        problem: "the database's URL has `channel_binding`, and tollgate does not bind channels"
            .to_owned(),
        remedy: "remove it, and write `sslmode=verify-full`",
    }
}

fn unencrypted_by_gss() -> AddressError {
    AddressError {
        problem: "the database's URL has `gssencmode`, and tollgate does not encrypt by GSSAPI"
            .to_owned(),
        remedy: "remove it, and write `sslmode=verify-full`",
    }
}

fn unchosen() -> AddressError {
    AddressError {
        problem: "the database's URL has `target_session_attrs`, and tollgate does not choose between servers"
            .to_owned(),
        remedy: "remove it, and name the host of the server that you mean",
    }
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
