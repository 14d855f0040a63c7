//! What an exchange can ask of its HTTP/2 connection.

use std::time::Duration;

use super::socket_script::SocketScript;

/// How long frames that were handed to h2 get to leave before the connection is taken from it.
pub(super) const LEAVE: Duration = Duration::from_millis(10);

/// What a stream asks of its connection.
#[derive(Debug)]
pub(super) enum ConnectionCommand {
    /// End gracefully: a GOAWAY, and the streams that are open come to their end.
    Goodbye,
    /// End at once, in this way.
    Seize(SocketScript),
}
