//! Errors of the rehearsal target.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::HttpSupport;
use crate::postgres::AddressError;
use crate::units::duration_literal;

/// Why the rehearsal target does not serve, or did not complete its files.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// An address that other machines can reach needs `--listen-anywhere`.
    #[error("{0} can be reached from other machines; add --listen-anywhere if that is intended")]
    NotLoopback(SocketAddr),
    /// A stall that does not fit its period.
    #[error(
        "--stall {} does not fit --every {}; write a stall above 0 and shorter than its period",
        duration_literal(*stall),
        duration_literal(*every)
    )]
    Stall {
        /// Length of the stall.
        stall: Duration,
        /// Length of its period.
        every: Duration,
    },
    /// A fault of one HTTP version, although the settings allow another.
    #[error("--fault {fault} exists only in {over}; add --http {flag}")]
    FaultProtocol {
        /// The fault.
        fault: &'static str,
        /// The version it needs.
        over: HttpSupport,
        /// The required value of `--http`.
        flag: &'static str,
    },
    /// The file of client authorities cannot be used.
    #[error("{}: {why}; --tls-client-ca names a PEM file with at least one certificate", path.display())]
    ClientAuthority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The URL of the log's database is malformed.
    #[error("--occ-log-database: {0}")]
    LogDatabase(AddressError),
    /// The file that describes the rehearsal of Fly cannot be used.
    #[error("--fly {}: {why}", path.display())]
    FlyFile {
        /// The file.
        path: PathBuf,
        /// Where the mistake is, what it is and what to write.
        why: String,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}; name a free port, or port 0 for any")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The operating system's error.
        source: io::Error,
    },
    /// The certificate could not be made.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// The certificate could not be used.
    #[error("cannot serve TLS with the generated certificate")]
    Tls(#[from] rustls::Error),
    /// A certificate or the arrival log could not be written.
    #[error("cannot write {}; name a file in a folder that exists and has room", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The thread or runtime to serve from could not be started.
    #[error("cannot start the server's runtime")]
    Runtime(#[source] io::Error),
    /// The server's own thread panicked; only [`super::BackgroundTarget`] reports this.
    #[error("the rehearsal target stopped because of an internal fault")]
    Panicked,
}

impl TargetError {
    /// Whether the settings are the cause.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::NotLoopback(_)
                | Self::Stall { .. }
                | Self::FaultProtocol { .. }
                | Self::ClientAuthority { .. }
                | Self::LogDatabase(_)
                | Self::FlyFile { .. }
        )
    }
}
