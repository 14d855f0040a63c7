//! What belongs to one thread: its runtime, its hiccup meter and its spin budget.

use std::cell::OnceCell;
use std::rc::{Rc, Weak};

use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;

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
    /// The task of the hiccup meter.
    meter: OnceCell<AbortHandle>,
}

impl ThreadState {
    /// The state of a thread that starts at `now`; its meter does not run yet.
    pub(super) fn new(pacing: PacingMode, now: Instant) -> Self {
        let spin = Rc::new(SpinBudget::new(pacing, now));
        Self { hiccups: HiccupMeter::new(), spin, meter: OnceCell::new() }
    }

    /// Starts the thread's hiccup meter on its `LocalSet`; it runs until the lanes drop the
    /// thread's state.
    pub(super) fn start_meter(self: &Rc<Self>, timer: PreciseTimer, run_start: Instant) {
        let meter = Self::measure_hiccups(Rc::downgrade(self), timer, run_start);
        let _already_started = self.meter.set(tokio::task::spawn_local(meter).abort_handle());
    }

    /// The thread's hiccups and spun time since the last call.
    pub(super) fn take(&self) -> ProberMeasurement {
        ProberMeasurement { hiccups: self.hiccups.take(), spun: self.spin.take_spun() }
    }

    async fn measure_hiccups(thread: Weak<Self>, timer: PreciseTimer, run_start: Instant) {
        if let Some(thread) = thread.upgrade() {
            thread.hiccups.start(run_start);
        }
        let look = |thread: Rc<Self>| {
            let due = thread.hiccups.look(clock::now())?;
            Some((due, thread.hiccups.rescheduled()))
        };
        while let Some((due, rescheduled)) = thread.upgrade().and_then(look) {
            tokio::select! {
                biased;
                _polled = timer.until(due) => {}
                () = rescheduled.notified() => {}
            }
        }
    }
}

impl Drop for ThreadState {
    /// Ends the meter now. Otherwise the thread would wait up to 100 ms for the meter's next timer.
    fn drop(&mut self) {
        if let Some(meter) = self.meter.get() {
            meter.abort();
        }
    }
}

/// A runtime for only the calling thread.
pub(super) fn current_thread_runtime() -> Result<Runtime, EngineError> {
    Builder::new_current_thread().enable_all().build().map_err(EngineError::Thread)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::task::LocalSet;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_meter_ends_with_the_last_lane_and_not_with_its_next_timer() {
        let (tasks, start) = (LocalSet::new(), clock::now());
        tasks
            .run_until(async {
                let thread = Rc::new(ThreadState::new(PacingMode::Sleep, start));
                thread.start_meter(PreciseTimer::tokio(), start);
                thread.hiccups.measure_from(start, HiccupMeter::LOOSE_WATCH);
                tokio::time::sleep(Duration::from_millis(2)).await;
            })
            .await;
        let ended = clock::now();
        tasks.await;
        assert_eq!(clock::now(), ended);
    }
}
