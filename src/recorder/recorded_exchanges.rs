//! Gives tests access to each exchange that the current thread records.

use std::cell::RefCell;

use super::{Exchange, ExchangeParts};

/// One recorded exchange.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordedExchange {
    /// How long each part took.
    pub(crate) parts: ExchangeParts,
    /// Whether it was ok.
    pub(crate) ok: bool,
    /// Whether a connection was opened for it.
    pub(crate) fresh: bool,
}

thread_local! {
    static RECORDED: RefCell<Vec<RecordedExchange>> = const { RefCell::new(Vec::new()) };
}

/// Notes an exchange for [`take_recorded`].
pub(super) fn note(exchange: &Exchange) {
    let Exchange { parts, failed, fresh, .. } = exchange;
    RECORDED.with_borrow_mut(|recorded| {
        recorded.push(RecordedExchange { parts: *parts, ok: failed.is_none(), fresh: *fresh });
    });
}

/// The exchanges that the current thread recorded since the last call.
pub(crate) fn take_recorded() -> Vec<RecordedExchange> {
    RECORDED.take()
}
