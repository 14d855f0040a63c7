//! Asking a run to end.

use tokio::sync::watch;

/// How a run is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Release nothing more and wait for what is under way.
    Drain,
    /// Drop what is under way.
    Abort,
}

/// The side that asks a run to end, from a signal for instance.
#[derive(Debug)]
pub struct Stopper(watch::Sender<Option<Urgency>>);

/// The side that a run listens to.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<Option<Urgency>>);

/// A pair: what the first is told, the second hears.
pub fn stopper() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(None);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Asks for an end; asked a second time, drops what is under way.
    pub fn ask(&self) {
        self.0.send_modify(|asked| *asked = Some(asked.map_or(Urgency::Drain, |_| Urgency::Abort)));
    }
}

impl Stop {
    /// Waits until an end is asked for, or asked for more urgently; for ever where nobody can ask any more.
    pub(super) async fn asked(&mut self) -> Urgency {
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
