//! What a server sends that no client should accept.

use std::fmt;
use std::io;

/// Why a connection is not read any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WireFault {
    /// No session began, and what came does not begin one: whatever listens there is not
    /// PostgreSQL.
    NotPostgres(&'static str),
    /// Within a session, a message breaks the protocol.
    Broken(&'static str),
    /// Messages that belong to no answer, more than any server has reason to send.
    Flood,
    /// It asks for something that this program does not do.
    Unsupported(&'static str),
    /// A message or an answer is larger than the limit of this program.
    TooLarge(&'static str),
}

impl WireFault {
    /// The fault of a server that speaks before it was asked.
    pub(super) const SPEAKS_FIRST: Self =
        Self::NotPostgres("it speaks first, and PostgreSQL waits for the client");

    /// The fault that an error of a socket carries.
    pub(super) fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl fmt::Display for WireFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPostgres(what)
            | Self::Broken(what)
            | Self::Unsupported(what)
            | Self::TooLarge(what) => f.write_str(what),
            Self::Flood => f.write_str(
                "it sent more than 10,000 notices, settings and notifications, or 16 MiB of them, for one request",
            ),
        }
    }
}

impl std::error::Error for WireFault {}

impl From<WireFault> for io::Error {
    fn from(fault: WireFault) -> Self {
        Self::new(io::ErrorKind::InvalidData, fault)
    }
}
