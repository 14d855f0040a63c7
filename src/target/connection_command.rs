//! Commands from an exchange to its HTTP/2 connection.

use std::time::Duration;

use super::socket_script::SocketScript;

/// Time that h2 has to send its queued frames before the connection is taken from it.
pub(super) const LEAVE: Duration = Duration::from_millis(10);

/// A command from a stream to its connection.
#[derive(Debug)]
pub(super) enum ConnectionCommand {
    /// End gracefully: send a GOAWAY and let open streams finish.
    Goodbye,
    /// End at once, in this way.
    Seize(SocketScript),
}
