//! Whether a transaction is open, as the server said last.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// The state that the server's last `ReadyForQuery` message named. The library reads it and does
/// not pass it on.
#[derive(Debug, Clone, Default)]
pub(super) struct TransactionState(Arc<AtomicU8>);

impl TransactionState {
    /// Notes the state of a `ReadyForQuery` message.
    pub(super) fn note(&self, state: u8) {
        self.0.store(state, Ordering::Relaxed);
    }

    /// Whether a transaction is open and has not failed.
    pub(super) fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed) == b'T'
    }
}
