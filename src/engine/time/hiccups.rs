//! Measures the prober's own standstills.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::clock::{self, Instant};
use crate::record::Histogram;

/// Measures how late a timer that is due every millisecond fires on one thread.
///
/// A thread that stands still (stopped, out of processor time, or too busy to look) stamps what
/// arrives in that time too late. The timer shows by how much: it fires as soon as the thread
/// continues. A timer that missed several periods counts once, with its whole lateness, and is due
/// again at the next millisecond.
#[derive(Debug)]
pub(in crate::engine) struct HiccupMeter {
    /// When the timer is due next; `None` before the meter starts.
    due: Cell<Option<Instant>>,
    /// Start of the measured stage; only timers due from then on are recorded.
    measured_from: Cell<Option<Instant>>,
    lateness: RefCell<Histogram>,
    /// The sum of all hiccups long enough to be a standstill.
    stood_still: Cell<Duration>,
}

impl HiccupMeter {
    const PERIOD: Duration = Duration::from_millis(1);
    /// The shortest hiccup that counts as a standstill; timers alone are late by less.
    pub(in crate::engine) const STANDSTILL: Duration =
        Duration::from_millis(if cfg!(target_os = "linux") { 1 } else { 3 });

    /// A meter that has not started.
    pub(in crate::engine) fn new() -> Self {
        Self {
            due: Cell::new(None),
            measured_from: Cell::new(None),
            lateness: RefCell::default(),
            stood_still: Cell::new(Duration::ZERO),
        }
    }

    /// Starts the meter; the first timer is due half a period after `run_start`.
    ///
    /// Schedules start at whole milliseconds of a run. Between them the timer delays no arrival.
    pub(in crate::engine) fn start(&self, run_start: Instant) {
        self.due.set(Some(run_start + Self::PERIOD / 2));
    }

    /// Records from `start` on, when the measured stage begins.
    pub(in crate::engine) fn measure_from(&self, start: Instant) {
        self.measured_from.set(Some(start));
    }

    /// Total time the thread stood still from the start of the meter to `at`.
    ///
    /// The difference of two values is the standstill between them. A timer that is overdue at `at`
    /// counts already: after a standstill other tasks may run before the meter does.
    pub(in crate::engine) fn stood_still_by(&self, at: Instant) -> Duration {
        self.stood_still.get() + self.overdue(at).unwrap_or_default()
    }

    /// The lateness recorded since the last call, including a standstill the meter has not seen
    /// yet.
    pub(in crate::engine) fn take(&self) -> Histogram {
        let now = clock::now();
        if self.overdue(now).is_some() {
            self.look(now);
        }
        self.lateness.take()
    }

    /// Records the timer if it was due by `now`. Returns when it is due next.
    pub(in crate::engine) fn look(&self, now: Instant) -> Option<Instant> {
        let due = self.due.get()?;
        let Some(late) = now.checked_duration_since(due) else { return Some(due) };
        if self.measured_from.get().is_some_and(|from| due >= from) {
            self.lateness.borrow_mut().record(late);
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

    /// How late the pending timer is at `now`, if that is a standstill.
    fn overdue(&self, now: Instant) -> Option<Duration> {
        let late = now.checked_duration_since(self.due.get()?)?;
        (late >= Self::STANDSTILL).then_some(late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A meter, and the instant half a millisecond before its first timer.
    fn meter() -> (HiccupMeter, Instant) {
        let (meter, start) = (HiccupMeter::new(), clock::now());
        meter.due.set(Some(start + HiccupMeter::PERIOD / 2));
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
        let lateness = meter.take();
        assert_eq!(lateness.count(), 3);
        assert!(lateness.max().unwrap().abs_diff(micros(300_200)) < micros(300));
        assert_eq!(meter.stood_still_by(start + micros(303_000)), micros(300_200));
    }

    #[test]
    fn a_standstill_counts_before_the_meter_itself_sees_it() {
        let (meter, start) = meter();
        meter.look(start + micros(500));
        assert_eq!(meter.stood_still_by(start + micros(1_000)), Duration::ZERO);
        assert_eq!(meter.stood_still_by(start + micros(301_500)), micros(300_000));
        meter.look(start + micros(301_600));
        assert_eq!(meter.stood_still_by(start + micros(301_700)), micros(300_100));
    }

    #[test]
    fn an_exchange_dispatched_after_a_standstill_is_not_charged_for_it() {
        let (meter, start) = meter();
        let dispatched = meter.stood_still_by(start + micros(400_000));
        meter.look(start + micros(400_010));
        let done = meter.stood_still_by(start + micros(405_000));
        assert!(done < dispatched + micros(5_000));
    }

    #[test]
    fn ordinary_timer_lateness_is_not_a_standstill() {
        let (meter, start) = meter();
        for tick in 0..1_000 {
            meter.look(start + HiccupMeter::PERIOD * tick + micros(900));
        }
        assert_eq!(meter.stood_still_by(start + HiccupMeter::PERIOD * 1_000), Duration::ZERO);
        assert_eq!(meter.take().count(), 1_000);
    }

    #[test]
    fn only_the_measured_stage_is_recorded_and_each_hiccup_is_taken_once() {
        let (meter, start) = meter();
        meter.measure_from(start + micros(10_000));
        for tick in 0..20 {
            meter.look(start + HiccupMeter::PERIOD * tick + micros(500));
        }
        assert_eq!(meter.take().count(), 10);
        assert_eq!(meter.take().count(), 0);
    }
}
