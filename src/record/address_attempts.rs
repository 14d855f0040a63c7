//! How the attempts to connect to one address ended.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The attempts to connect to one of several addresses of a host.
///
/// Each connection tries the addresses one after the other until one answers (RFC 8305). An attempt
/// that was given up because an address tried earlier answered is not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddressAttempts {
    /// Attempts that connected.
    pub connected: u64,
    /// Attempts that ended with an error: refused, reset, or no way to the host.
    pub failed: u64,
    /// Attempts without an answer in time: another address answered first although it was tried
    /// later, or the timeout ended.
    pub unanswered: u64,
    /// TLS handshakes that failed after the address had connected.
    #[serde(default)]
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
