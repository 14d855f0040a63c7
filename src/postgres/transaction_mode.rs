//! What a transaction may do, and the statement that begins it.

use std::time::Duration;

/// The longest timeout that Postgres takes, in milliseconds: some 24 days.
const LONGEST: u128 = i32::MAX as u128;

/// What a transaction may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionMode {
    /// Read; the server refuses to write.
    ReadOnly,
    /// Read and write, unless the server, the database or the user is set to read alone.
    ReadWrite,
    /// Read and write where the database or the user is set to read alone, too, as Supabase sets it
    /// when the disk is full: to make room.
    ForceReadWrite,
}

impl TransactionMode {
    /// The settings go with the transaction, as a pooler may give the connection to another client
    /// after it. A server whose client is gone without a word must not hold its rows for as long as
    /// TCP takes to notice.
    pub(super) fn begin_statement(self, timeout: Duration) -> String {
        let begin = match self {
            Self::ReadOnly => "begin read only",
            Self::ReadWrite => "begin",
            Self::ForceReadWrite => "begin read write",
        };
        // Zero would mean no limit.
        let timeout = timeout.as_millis().clamp(1, LONGEST);
        format!(
            "{begin}; set local statement_timeout = {timeout}; set local idle_in_transaction_session_timeout = '60s'"
        )
    }
}
