//! Asking a run to stop.

use tokio::sync::watch;

/// How a run is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopUrgency {
    /// Release nothing more and wait for what is in progress.
    Drain,
    /// Drop what is in progress, and run the teardowns.
    Drop,
    /// Drop what is in progress, teardowns included.
    Abort,
}

/// The side that asks a run to stop, for instance from a signal handler.
#[derive(Debug)]
pub struct StopHandle {
    sender: watch::Sender<Option<StopUrgency>>,
    /// What the first call asks for.
    first: StopUrgency,
}

/// The side that a run waits on.
#[derive(Debug, Clone)]
pub struct StopSignal(watch::Receiver<Option<StopUrgency>>);

/// A connected pair of a handle and a signal.
pub fn stop_channel() -> (StopHandle, StopSignal) {
    let (sender, receiver) = watch::channel(None);
    (StopHandle { sender, first: StopUrgency::Drain }, StopSignal(receiver))
}

impl StopHandle {
    /// The same handle, whose first call asks for `first`. A run whose requests may take minutes
    /// does not wait for them.
    #[must_use]
    pub fn with_first(self, first: StopUrgency) -> Self {
        Self { first, ..self }
    }

    /// Asks the run to drain, or to drop what is in progress if it cannot wait for that; a second
    /// call aborts it. Returns what was asked for.
    pub fn request_stop(&self) -> StopUrgency {
        let before = *self.sender.borrow();
        let asked = before.map_or(self.first, |_| StopUrgency::Abort);
        self.sender.send_replace(Some(asked));
        asked
    }
}

impl StopSignal {
    /// Whether a stop has been requested.
    pub(in crate::engine) fn is_requested(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits until a stop is requested, or requested more urgently.
    ///
    /// Waits for ever if the handle is gone.
    pub(in crate::engine) async fn requested(&mut self) -> StopUrgency {
        loop {
            if self.0.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            if let Some(urgency) = *self.0.borrow_and_update() {
                return urgency;
            }
        }
    }
}
