//! Lets tests see each exchange that this thread records.

use std::cell::RefCell;

use super::{Exchange, ExchangeParts};

/// One exchange as it was recorded.
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
    static SEEN: RefCell<Vec<RecordedExchange>> = const { RefCell::new(Vec::new()) };
}

/// Notes an exchange.
pub(super) fn pass(exchange: &Exchange) {
    let Exchange { parts, failed, fresh, .. } = exchange;
    SEEN.with_borrow_mut(|seen| {
        seen.push(RecordedExchange { parts: *parts, ok: failed.is_none(), fresh: *fresh });
    });
}

/// What was recorded on this thread since the last call.
pub(crate) fn take_recorded() -> Vec<RecordedExchange> {
    SEEN.take()
}
