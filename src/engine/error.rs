//! Why the prober could not run a plan.

use std::path::PathBuf;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::library_text::describe_io;

/// Why the prober could not run a plan. None of these errors is the target's fault.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The target cannot be addressed as planned.
    #[error("{0}")]
    Target(String),
    /// The file of trusted certificates cannot be used.
    #[error("{}: {why}; `tls_ca` names a PEM file with at least one certificate", path.display())]
    Trust {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The client certificate or its key cannot be used.
    #[error(
        "{}: {why}; `tls_cert` and `tls_key` name PEM files, the first with the client \
         certificate and those that lead to its authority, the second with its private key",
        path.display()
    )]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The plan needs more file descriptors than this process may open.
    #[error(
        "{connections} connections need {needed} file descriptors and this process may open \
         {allowed}; plan fewer connections, or raise the limit with `ulimit -n {needed}`"
    )]
    Descriptors {
        /// Connections that may be open at once, over all scenarios and redirect targets.
        connections: u64,
        /// Descriptors they need.
        needed: u64,
        /// Descriptors the system allows.
        allowed: u64,
    },
    /// The warm-up was still running when the measured stage of a shared run had to start.
    #[error(
        "the warm-up was not over at {}, when the measured stage had to start together with the \
         other shards, so nothing was measured; give all of them a later `--start-at`, or a \
         longer `--lead` at a rendezvous, or a smaller warm-up",
        start.format(&Rfc3339).unwrap_or_else(|_| start.to_string())
    )]
    TooLate {
        /// When it had to start.
        start: OffsetDateTime,
    },
    /// The plan needs more local ports than this machine has.
    #[error(
        "{connections} connections to {address} need as many local ports and this machine has \
         {free}; plan fewer connections, give the target more addresses with `resolve`, or allow \
         more with `sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"`"
    )]
    Ports {
        /// Connections to one address that may be open at once, over all scenarios.
        connections: u64,
        /// The address, with its port.
        address: String,
        /// Local ports available for connections to one address.
        free: u64,
    },
    /// The system refused to start a thread or a runtime.
    #[error("the machine cannot start a worker thread: {}", describe_io(.0))]
    Thread(std::io::Error),
    /// A worker thread ended early: a defect of tollgate.
    #[error("a worker thread ended before its work was done; this is a defect of tollgate")]
    ThreadLost,
    /// The observer of the run failed, for instance because the disk is full.
    #[error(transparent)]
    Observer(Box<dyn std::error::Error + Send + Sync>),
}
