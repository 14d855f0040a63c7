//! Signals to the tasks of a lane that the run is draining.

use std::cell::Cell;

use tokio::sync::Notify;

/// A signal within one lane that the run is draining: nothing more is sent.
#[derive(Debug, Default)]
pub(in crate::engine) struct DrainSignal {
    is_started: Cell<bool>,
    started: Notify,
}

impl DrainSignal {
    /// Starts the drain and wakes the tasks that wait for it.
    pub(in crate::engine) fn start(&self) {
        self.is_started.set(true);
        self.started.notify_waiters();
    }

    /// Whether the run is draining.
    pub(in crate::engine) fn is_started(&self) -> bool {
        self.is_started.get()
    }

    /// Waits until the run drains.
    pub(in crate::engine) async fn started(&self) {
        while !self.is_started.get() {
            self.started.notified().await;
        }
    }
}
