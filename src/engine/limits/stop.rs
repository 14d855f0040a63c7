//! Asking a run to stop.

use std::sync::{Arc, OnceLock};

use tokio::sync::watch;

use crate::record::RunEnding;

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
#[derive(Debug, Clone)]
pub struct StopHandle {
    sender: watch::Sender<Option<StopUrgency>>,
    /// What the first call asks for.
    first: StopUrgency,
    ending: Arc<OnceLock<RunEnding>>,
}

/// The side that a run waits on.
#[derive(Debug, Clone)]
pub struct StopSignal {
    receiver: watch::Receiver<Option<StopUrgency>>,
    ending: Arc<OnceLock<RunEnding>>,
}

/// A connected pair of a handle and a signal.
pub fn stop_channel() -> (StopHandle, StopSignal) {
    let (sender, receiver) = watch::channel(None);
    let ending = Arc::default();
    let signal = StopSignal { receiver, ending: Arc::clone(&ending) };
    (StopHandle { sender, first: StopUrgency::Drain, ending }, signal)
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

    /// Asks the run to drain because another prober ended the run that they share. The first such
    /// call gives this part its ending, unless it is stopping already.
    pub fn request_end(&self, ending: RunEnding) {
        self.sender.send_if_modified(|asked| {
            let is_first = asked.is_none() && self.ending.set(ending).is_ok();
            if is_first {
                *asked = Some(self.first);
            }
            is_first
        });
    }
}

impl StopSignal {
    /// Whether a stop has been requested.
    pub(in crate::engine) fn is_requested(&self) -> bool {
        self.receiver.borrow().is_some()
    }

    /// The ending of the run that another prober asked for; `None` if a stop is an interruption.
    pub(in crate::engine) fn agreed_ending(&self) -> Option<&RunEnding> {
        self.ending.get()
    }

    /// Waits until a stop is requested, or requested more urgently.
    ///
    /// Waits for ever if the handle is gone.
    pub(in crate::engine) async fn requested(&mut self) -> StopUrgency {
        loop {
            if self.receiver.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            if let Some(urgency) = *self.receiver.borrow_and_update() {
                return urgency;
            }
        }
    }
}
