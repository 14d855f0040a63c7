//! What belongs to one thread: its runtime, its hiccup meter, its tick and its spin budget.

use std::cell::{Cell, OnceCell};
use std::rc::{Rc, Weak};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::error::EngineError;
use super::time::clock::{self, Instant};
use super::time::hiccups::HiccupMeter;
use super::time::spin::SpinBudget;
use super::time::tick;
use super::time::timer::PreciseTimer;
use crate::plan::PacingMode;
use crate::record::ProberMeasurement;

/// What the lanes on one thread share: its hiccup meter, its tick and its spin budget.
#[derive(Debug)]
pub(super) struct ThreadState {
    pub(super) hiccups: HiccupMeter,
    pub(super) spin: Rc<SpinBudget>,
    /// The task of the hiccup meter.
    meter: OnceCell<AbortHandle>,
    /// Wakes the lanes, and the exchanges that wait, ten times a second. The hiccup meter's timer
    /// drives it, so that one timer wakes them all.
    tick: watch::Sender<()>,
    /// When the tick is due next; `None` before the first.
    next_tick: Cell<Option<Instant>>,
}

impl ThreadState {
    /// The state of a thread that starts at `now`; its meter does not run yet.
    pub(super) fn new(pacing: PacingMode, now: Instant) -> Self {
        let spin = Rc::new(SpinBudget::new(pacing, now));
        Self {
            hiccups: HiccupMeter::new(),
            spin,
            meter: OnceCell::new(),
            tick: watch::Sender::new(()),
            next_tick: Cell::new(None),
        }
    }

    /// Starts the thread's hiccup meter on its `LocalSet`; it runs until the lanes drop the
    /// thread's state.
    pub(super) fn start_meter(self: &Rc<Self>, timer: PreciseTimer, run_start: Instant) {
        tick::set(self.ticks());
        let meter = Self::measure_hiccups(Rc::downgrade(self), timer, run_start);
        let _already_started = self.meter.set(tokio::task::spawn_local(meter).abort_handle());
    }

    /// What changes with each tick from now on.
    pub(super) fn ticks(&self) -> watch::Receiver<()> {
        self.tick.subscribe()
    }

    /// Wakes every lane that waits for the tick.
    pub(super) fn wake_lanes(&self) {
        self.tick.send_replace(());
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
            let now = clock::now();
            let due = thread.hiccups.look(now)?;
            if thread.next_tick.get().is_none_or(|next| now >= next) {
                thread.next_tick.set(thread.hiccups.next_idle_look(now));
                thread.wake_lanes();
            }
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
    async fn the_meter_wakes_the_lanes_ten_times_a_second() {
        for watch in [HiccupMeter::CLOSE_WATCH, HiccupMeter::LOOSE_WATCH] {
            let tasks = LocalSet::new();
            let ticks = tasks.run_until(async {
                let start = clock::now();
                let thread = Rc::new(ThreadState::new(PacingMode::Sleep, start));
                thread.start_meter(PreciseTimer::tokio(), start);
                thread.hiccups.measure_from(start, watch);
                let _exchange = thread.hiccups.begin_exchange();
                let (mut ticks, mut seen) = (thread.ticks(), 0);
                while clock::now() < start + Duration::from_secs(2) {
                    ticks.changed().await.unwrap();
                    seen += 1;
                }
                seen
            });
            assert!((19..=22).contains(&ticks.await), "{watch:?}");
        }
    }

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
