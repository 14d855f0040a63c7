//! How the attempts to connect to one address ended.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::counts;

/// The attempts to connect to one of several addresses of a host.
///
/// Each connection tries the addresses one after the other until one answers (RFC 8305). An attempt
/// that was given up because an address tried earlier answered is not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddressAttempts {
    /// Attempts that connected.
    #[serde(deserialize_with = "counts::read")]
    pub connected: u64,
    /// Attempts that ended with an error: refused, reset, or no way to the host.
    #[serde(deserialize_with = "counts::read")]
    pub failed: u64,
    /// Attempts without an answer in time: another address answered first although it was tried
    /// later, or the timeout ended.
    #[serde(deserialize_with = "counts::read")]
    pub unanswered: u64,
    /// TLS handshakes that failed after the address had connected.
    #[serde(default)]
    #[serde(deserialize_with = "counts::read")]
    pub failed_handshakes: u64,
}

impl AddressAttempts {
    /// How many attempts were made.
    pub fn tried(&self) -> u64 {
        self.connected + self.failed + self.unanswered
    }

    /// Adds other attempts.
    pub fn add(&mut self, other: Self) {
        self.connected += other.connected;
        self.failed += other.failed;
        self.unanswered += other.unanswered;
        self.failed_handshakes += other.failed_handshakes;
    }
}
