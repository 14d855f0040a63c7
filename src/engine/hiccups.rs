//! A meter of the prober's own standstills.

use std::cell::{Cell, RefCell};
use std::rc::Weak;
use std::time::Duration;

use super::clock::{self, Alarm, Instant};
use super::worker::Worker;
use crate::record::Histogram;

/// Measures how late a timer that is due every millisecond goes off on one worker.
///
/// A worker that stands still (stopped, out of processor time, or too busy to look) stamps late whatever comes in
/// meanwhile. The timer shows by how much: it goes off as soon as the worker goes on. One that missed several periods
/// counts once, with its whole lateness, and goes on with the next millisecond due.
#[derive(Debug)]
pub(super) struct Hiccups {
    /// When the timer is due next; `None` before it runs.
    due: Cell<Option<Instant>>,
    /// When the measured phase began; only what was due after it is recorded.
    measured_from: Cell<Option<Instant>>,
    seen: RefCell<Histogram>,
    /// The sum of all hiccups that were a standstill.
    stood_still: Cell<Duration>,
}

impl Hiccups {
    const PERIOD: Duration = Duration::from_millis(1);
    /// From here on a hiccup is a standstill; timers alone are late by less.
    pub(super) const STANDSTILL: Duration =
        Duration::from_millis(if cfg!(target_os = "linux") { 1 } else { 3 });

    /// A meter that does not run yet.
    pub(super) fn new() -> Self {
        Self {
            due: Cell::new(None),
            measured_from: Cell::new(None),
            seen: RefCell::default(),
            stood_still: Cell::new(Duration::ZERO),
        }
    }

    /// Runs a worker's meter for as long as there is something else to do on it.
    ///
    /// Schedules start at whole milliseconds of a run: the timer is due between them, so that it delays no arrival.
    pub(super) async fn watch(worker: Weak<Worker>, alarm: Alarm, run_start: Instant) {
        if let Some(worker) = worker.upgrade() {
            worker.hiccups.due.set(Some(run_start + Self::PERIOD / 2));
        }
        while let Some(due) = worker.upgrade().and_then(|worker| worker.hiccups.look(clock::now()))
        {
            alarm.until(due).await;
        }
    }

    /// Records from `start` on, where the measured phase begins.
    pub(super) fn measure_from(&self, start: Instant) {
        self.measured_from.set(Some(start));
    }

    /// How long the worker has stood still up to `at`, since the meter began: the difference between two instants is how
    /// long it stood still between them.
    ///
    /// By how much the timer is overdue at `at` counts already, for after a standstill other tasks may get their turn
    /// before the meter does.
    pub(super) fn stood_still_by(&self, at: Instant) -> Duration {
        self.stood_still.get() + self.overdue(at).unwrap_or_default()
    }

    /// What was recorded since this was last asked, a standstill that the meter has not got round to included.
    pub(super) fn take(&self) -> Histogram {
        let now = clock::now();
        if self.overdue(now).is_some() {
            self.look(now);
        }
        self.seen.take()
    }

    /// Takes note of the timer that has been due, if it has; when it is due next.
    fn look(&self, now: Instant) -> Option<Instant> {
        let due = self.due.get()?;
        let Some(late) = now.checked_duration_since(due) else { return Some(due) };
        if self.measured_from.get().is_some_and(|from| due >= from) {
            self.seen.borrow_mut().record(late);
        }
        if late >= Self::STANDSTILL {
            self.stood_still.set(self.stood_still.get() + late);
        }
        let into_period =
            Duration::from_nanos(u64::from(late.subsec_nanos() % Self::PERIOD.subsec_nanos()));
        let next = now + Self::PERIOD.saturating_sub(into_period);
        self.due.set(Some(next));
        Some(next)
    }

    /// How late the timer is that should have gone off by now, where that is a standstill.
    fn overdue(&self, now: Instant) -> Option<Duration> {
        let late = now.checked_duration_since(self.due.get()?)?;
        (late >= Self::STANDSTILL).then_some(late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A meter whose timer is first due half a millisecond after the instant given with it.
    fn meter() -> (Hiccups, Instant) {
        let (meter, start) = (Hiccups::new(), clock::now());
        meter.due.set(Some(start + Hiccups::PERIOD / 2));
        meter.measure_from(start);
        (meter, start)
    }

    fn micros(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    #[test]
    fn a_standstill_counts_once_with_its_whole_length_and_the_grid_of_milliseconds_stays() {
        let (meter, start) = meter();
        assert_eq!(meter.look(start + micros(520)), Some(start + micros(1_500)));
        assert_eq!(meter.look(start + micros(301_700)), Some(start + micros(302_500)));
        assert_eq!(meter.look(start + micros(302_500)), Some(start + micros(303_500)));
        let seen = meter.take();
        assert_eq!(seen.count(), 3);
        assert!(seen.max().unwrap().abs_diff(micros(300_200)) < micros(300));
        assert_eq!(meter.stood_still_by(start + micros(303_000)), micros(300_200));
    }

    #[test]
    fn a_standstill_counts_before_the_meter_itself_gets_round_to_it() {
        let (meter, start) = meter();
        meter.look(start + micros(500));
        assert_eq!(meter.stood_still_by(start + micros(1_000)), Duration::ZERO);
        assert_eq!(meter.stood_still_by(start + micros(301_500)), micros(300_000));
        meter.look(start + micros(301_600));
        assert_eq!(meter.stood_still_by(start + micros(301_700)), micros(300_100));
    }

    #[test]
    fn what_was_dispatched_after_a_standstill_has_nothing_of_it() {
        let (meter, start) = meter();
        let dispatched = meter.stood_still_by(start + micros(400_000));
        meter.look(start + micros(400_010));
        let done = meter.stood_still_by(start + micros(405_000));
        assert!(done < dispatched + micros(5_000));
    }

    #[test]
    fn being_late_as_timers_are_is_no_standstill() {
        let (meter, start) = meter();
        for tick in 0..1_000 {
            meter.look(start + Hiccups::PERIOD * tick + micros(900));
        }
        assert_eq!(meter.stood_still_by(start + Hiccups::PERIOD * 1_000), Duration::ZERO);
        assert_eq!(meter.take().count(), 1_000);
    }

    #[test]
    fn only_the_measured_phase_is_recorded_and_each_hiccup_is_taken_once() {
        let (meter, start) = meter();
        meter.measure_from(start + micros(10_000));
        for tick in 0..20 {
            meter.look(start + Hiccups::PERIOD * tick + micros(500));
        }
        assert_eq!(meter.take().count(), 10);
        assert_eq!(meter.take().count(), 0);
    }
}
