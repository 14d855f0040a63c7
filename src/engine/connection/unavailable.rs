//! Why a task found no connection in time.

use super::http::HttpConnection;

/// Why no connection, or no stream on the shared one, became free in time.
pub(in crate::engine) enum ConnectionUnavailable {
    /// Other tasks use all streams.
    Busy,
    /// The target allows no stream.
    Forbidden,
    /// The shared connection is still being opened, or the target has not sent a byte on it.
    Silent,
}

impl ConnectionUnavailable {
    /// Why no stream became free on an open connection.
    pub(super) fn on(connection: &HttpConnection) -> Self {
        match (connection.was_heard(), connection.allows_no_stream()) {
            (false, _) => Self::Silent,
            (true, true) => Self::Forbidden,
            (true, false) => Self::Busy,
        }
    }
}
