//! Asking a run to stop.

use tokio::sync::watch;

/// How a run is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopUrgency {
    /// Release nothing more and wait for what is in progress.
    Drain,
    /// Drop what is in progress.
    Abort,
}

/// The side that asks a run to stop, for instance from a signal handler.
#[derive(Debug)]
pub struct StopHandle(watch::Sender<Option<StopUrgency>>);

/// The side that a run waits on.
#[derive(Debug, Clone)]
pub struct StopSignal(watch::Receiver<Option<StopUrgency>>);

/// A connected pair of a handle and a signal.
pub fn stop_channel() -> (StopHandle, StopSignal) {
    let (sender, receiver) = watch::channel(None);
    (StopHandle(sender), StopSignal(receiver))
}

impl StopHandle {
    /// Asks the run to drain; a second call aborts it.
    pub fn request_stop(&self) {
        self.0.send_modify(|urgency| {
            *urgency = Some(urgency.map_or(StopUrgency::Drain, |_| StopUrgency::Abort));
        });
    }
}

impl StopSignal {
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
