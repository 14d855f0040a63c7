//! The parts of an exchange whose durations are measured.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::UnitError;

/// One measured part of an exchange.
///
/// `latency = lag + wait + setup + service` exactly, and `service = first_byte + body`.
/// `setup = dns + connect + proxy + tls` if a connection was opened for the exchange; otherwise it
/// is zero.
/// `fresh` and `reused` split the exchanges, not their time: each exchange enters one of the two
/// with its whole latency.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// From due to done. Budgets judge it unless they name another dimension.
    Latency,
    /// The latency of an exchange for which a connection was opened.
    Fresh,
    /// The latency of an exchange over a connection that was already open.
    Reused,
    /// From due to dispatched: the prober's own lateness.
    Lag,
    /// From dispatched until a connection was free.
    Wait,
    /// Opening a connection for this exchange: name, TCP, tunnel and TLS together.
    Setup,
    /// From the first byte handed to a ready connection to the last body byte.
    Service,
    /// Looking up the target's name.
    Dns,
    /// The TCP handshake.
    Connect,
    /// Asking a proxy for a tunnel to the target (`CONNECT`).
    Proxy,
    /// The TLS handshake.
    Tls,
    /// The TLS handshake, if it was a full one.
    TlsFull,
    /// The TLS handshake, if it resumed an earlier session.
    TlsResumed,
    /// From sent to the first byte of the answer.
    FirstByte,
    /// From the first byte of the answer to its last.
    Body,
}

impl Dimension {
    /// Every dimension, in the order of the declaration.
    pub const ALL: [Self; 15] = [
        Self::Latency,
        Self::Fresh,
        Self::Reused,
        Self::Lag,
        Self::Wait,
        Self::Setup,
        Self::Service,
        Self::Dns,
        Self::Connect,
        Self::Proxy,
        Self::Tls,
        Self::TlsFull,
        Self::TlsResumed,
        Self::FirstByte,
        Self::Body,
    ];

    /// The four parts that add up to latency.
    pub const BLAME: [Self; 4] = [Self::Lag, Self::Wait, Self::Setup, Self::Service];

    /// The parts that add up to setup.
    pub const SETUP: [Self; 4] = [Self::Dns, Self::Connect, Self::Proxy, Self::Tls];

    /// The parts that add up to service.
    pub const SERVICE: [Self; 2] = [Self::FirstByte, Self::Body];

    /// The parts that consist of no others, in the order of an exchange. They add up to latency.
    pub const PARTS: [Self; 8] = [
        Self::Lag,
        Self::Wait,
        Self::Dns,
        Self::Connect,
        Self::Proxy,
        Self::Tls,
        Self::FirstByte,
        Self::Body,
    ];

    /// The name used in files and budgets: `first_byte`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Fresh => "fresh",
            Self::Reused => "reused",
            Self::Lag => "lag",
            Self::Wait => "wait",
            Self::Setup => "setup",
            Self::Service => "service",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::TlsFull => "tls_full",
            Self::TlsResumed => "tls_resumed",
            Self::FirstByte => "first_byte",
            Self::Body => "body",
        }
    }

    /// Whether an exchange enters this dimension only if a connection is opened for it.
    pub fn needs_fresh_connection(self) -> bool {
        matches!(
            self,
            Self::Fresh
                | Self::Setup
                | Self::Dns
                | Self::Connect
                | Self::Proxy
                | Self::Tls
                | Self::TlsFull
                | Self::TlsResumed
        )
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Dimension {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        Self::ALL.into_iter().find(|dimension| dimension.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join("`, `");
            UnitError::new(format!("unknown dimension `{text}`"), format!("write one of `{names}`"))
        })
    }
}
