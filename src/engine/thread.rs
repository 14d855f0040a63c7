//! What belongs to one thread: its runtime, its hiccup meter and its spin budget.

use std::rc::{Rc, Weak};

use tokio::runtime::{Builder, Runtime};

use super::error::EngineError;
use super::time::clock::{self, Instant};
use super::time::hiccups::HiccupMeter;
use super::time::spin::SpinBudget;
use super::time::timer::PreciseTimer;
use crate::plan::PacingMode;
use crate::record::ProberMeasurement;

/// What the lanes on one thread share: its hiccup meter and its spin budget.
#[derive(Debug)]
pub(super) struct ThreadState {
    pub(super) hiccups: HiccupMeter,
    pub(super) spin: Rc<SpinBudget>,
}

impl ThreadState {
    /// The state of a thread that starts at `now`; its meter does not run yet.
    pub(super) fn new(pacing: PacingMode, now: Instant) -> Self {
        Self { hiccups: HiccupMeter::new(), spin: Rc::new(SpinBudget::new(pacing, now)) }
    }

    /// The thread's hiccups and spun time since the last call.
    pub(super) fn take(&self) -> ProberMeasurement {
        ProberMeasurement { hiccups: self.hiccups.take(), spun: self.spin.take_spun() }
    }

    /// Runs the thread's hiccup meter until the lanes drop the thread's state.
    pub(super) async fn measure_hiccups(
        thread: Weak<Self>,
        timer: PreciseTimer,
        run_start: Instant,
    ) {
        if let Some(thread) = thread.upgrade() {
            thread.hiccups.start(run_start);
        }
        let look = |thread: Rc<Self>| {
            let due = thread.hiccups.look(clock::now())?;
            Some((due, thread.hiccups.changed()))
        };
        while let Some((due, changed)) = thread.upgrade().and_then(look) {
            tokio::select! {
                biased;
                () = timer.until(due) => {}
                () = changed.notified() => {}
            }
        }
    }
}

/// A runtime for only the calling thread.
pub(super) fn current_thread_runtime() -> Result<Runtime, EngineError> {
    Builder::new_current_thread().enable_all().build().map_err(EngineError::Thread)
}
