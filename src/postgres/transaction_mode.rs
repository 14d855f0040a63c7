//! What a transaction may do, and the statement that begins it.

use std::time::Duration;

/// The longest timeout that Postgres accepts, in milliseconds: about 24 days.
const LONGEST: u128 = i32::MAX as u128;

/// What a transaction may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionMode {
    /// Read only; the server refuses to write.
    ReadOnly,
    /// Read and write, unless the server, the database or the user is set to read only.
    ReadWrite,
    /// Read and write even if the database or the user is set to read only, as Supabase does when
    /// the disk is full. Used to free space.
    ForceReadWrite,
}

impl TransactionMode {
    /// The settings end with the transaction, as a pooler may then give the connection to another
    /// client. Times look the same whatever the server, the database and the user are set to. The
    /// timeouts release the locks of a client that vanished; TCP would notice much
    /// later.
    pub(super) fn begin_statement(self, timeout: Duration) -> String {
        let begin = match self {
            Self::ReadOnly => "begin read only",
            Self::ReadWrite => "begin",
            Self::ForceReadWrite => "begin read write",
        };
        // Zero would mean no limit.
        let timeout = timeout.as_millis().clamp(1, LONGEST);
        format!(
            "{begin}; set local statement_timeout = {timeout}; set local idle_in_transaction_session_timeout = '60s'; \
             set local timezone = 'UTC'; set local datestyle = 'ISO, MDY'"
        )
    }
}
