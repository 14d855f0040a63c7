//! Measures the prober's own standstills.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;

use super::clock::{self, Instant};
use crate::record::Histogram;

/// Measures how late the timers of one thread fire.
///
/// A thread that stands still (stopped, out of processor time, or too busy to look) stamps what
/// arrives in that time too late. Its timers show by how much: they fire as soon as the thread
/// continues. The meter looks at the timers that release arrivals, and at one of its own for the
/// gaps between them. Its own is due soon while exchanges are in progress, and late otherwise,
/// because each look wakes the processor, which costs tens of µs. Timers that became due in the
/// same standstill count once, from the first due time on.
#[derive(Debug)]
pub(in crate::engine) struct HiccupMeter {
    /// When the meter's first timer was due; `None` before the meter starts.
    first_due: Cell<Option<Instant>>,
    /// When the last timer of the thread was seen to fire.
    seen: Cell<Option<Instant>>,
    /// When the next timer that releases arrivals is due, as far as it is known: several lanes have
    /// such timers.
    expected: Cell<Option<Instant>>,
    /// When the meter's own timer is due; `None` before it is set.
    own_due: Cell<Option<Instant>>,
    /// Wakes the meter's task to set its timer anew.
    rescheduled: Rc<Notify>,
    /// How many exchanges are in progress.
    in_progress: Cell<usize>,
    /// How long after the last timer the meter's own is due while exchanges are in progress.
    patience: Cell<Duration>,
    /// Start of the measured stage; only timers due from then on are recorded.
    measured_from: Cell<Option<Instant>>,
    recorded: Cell<Option<Instant>>,
    lateness: RefCell<Histogram>,
    /// The sum of all hiccups long enough to be a standstill.
    stood_still: Cell<Duration>,
}

/// A timer that the meter looks at. If it is dropped before it fires, it shows nothing.
pub(in crate::engine) struct ExpectedTimer<'a> {
    meter: &'a HiccupMeter,
    due: Instant,
}

/// An exchange in progress, until it is dropped.
pub(in crate::engine) struct ExchangeGuard<'a>(&'a HiccupMeter);

impl HiccupMeter {
    /// The time between two timers of the meter's own, at least. Of the timers that fire in time,
    /// at most one every half of it is recorded.
    const PERIOD: Duration = Duration::from_millis(1);
    /// The shortest hiccup that counts as a standstill; timers alone are late by less.
    pub(in crate::engine) const STANDSTILL: Duration =
        Duration::from_millis(if cfg!(target_os = "linux") { 1 } else { 3 });
    /// How long after the last timer the meter looks itself, if no timers release arrivals.
    pub(in crate::engine) const CLOSE_WATCH: Duration = Self::PERIOD;
    /// The same if timers release arrivals.
    pub(in crate::engine) const LOOSE_WATCH: Duration = Duration::from_millis(10);
    /// While no exchange is in progress, or while the timer of an arrival is due within the
    /// patience, the meter looks at each whole multiple of this after its first timer.
    const IDLE_WATCH: Duration = Duration::from_millis(100);

    /// A meter that has not started.
    pub(in crate::engine) fn new() -> Self {
        Self {
            first_due: Cell::new(None),
            seen: Cell::new(None),
            expected: Cell::new(None),
            own_due: Cell::new(None),
            rescheduled: Rc::default(),
            in_progress: Cell::new(0),
            patience: Cell::new(Self::CLOSE_WATCH),
            measured_from: Cell::new(None),
            recorded: Cell::new(None),
            lateness: RefCell::default(),
            stood_still: Cell::new(Duration::ZERO),
        }
    }

    /// Starts the meter; its first timer is due half a period after `run_start`.
    ///
    /// Schedules start at whole milliseconds of a run. Between them the meter delays no arrival.
    pub(in crate::engine) fn start(&self, run_start: Instant) {
        self.first_due.set(Some(run_start + Self::PERIOD / 2));
    }

    /// Records from `start` on, when the measured stage begins. If lanes of the thread differ in
    /// `patience`, the least counts.
    pub(in crate::engine) fn measure_from(&self, start: Instant, patience: Duration) {
        let known = self.measured_from.replace(Some(start)).map(|_| self.patience.get());
        self.patience.set(known.map_or(patience, |known| known.min(patience)));
        self.watch();
    }

    /// Total time the thread stood still from the start of the meter to `at`.
    ///
    /// The difference of two values is the standstill between them. A timer that is overdue at `at`
    /// counts already: after a standstill other tasks may run before the timer's own.
    pub(in crate::engine) fn stood_still_by(&self, at: Instant) -> Duration {
        let since = self.next_due().map(|due| self.seen.get().map_or(due, |seen| seen.max(due)));
        let late = since.and_then(|since| at.checked_duration_since(since));
        let overdue = late.filter(|late| *late >= Self::STANDSTILL);
        self.stood_still.get() + overdue.unwrap_or_default()
    }

    /// The lateness recorded since the last call, including a standstill the meter has not seen
    /// yet.
    pub(in crate::engine) fn take(&self) -> Histogram {
        let now = clock::now();
        if self.stood_still_by(now) > self.stood_still.get() {
            self.look(now);
        }
        self.lateness.take()
    }

    /// Notes when the next timer that releases arrivals is due.
    pub(in crate::engine) fn expect(&self, due: Instant) -> ExpectedTimer<'_> {
        let first = self.expected.get().map_or(due, |known| known.min(due));
        self.expected.set(Some(first));
        self.watch();
        ExpectedTimer { meter: self, due }
    }

    /// Notes that an exchange begins.
    pub(in crate::engine) fn begin_exchange(&self) -> ExchangeGuard<'_> {
        if self.in_progress.replace(self.in_progress.get() + 1) == 0 {
            self.watch();
        }
        ExchangeGuard(self)
    }

    /// Counts the next timer if it was due by `now`. Returns when the meter's own timer is due.
    pub(in crate::engine) fn look(&self, now: Instant) -> Option<Instant> {
        if let Some(due) = self.next_due().filter(|due| *due <= now) {
            self.count(due, now);
        }
        self.own_due.set(self.next_own_due());
        self.own_due.get()
    }

    /// The next whole multiple of the idle watch after `now`. The meter looks then, or within the
    /// patience after it.
    pub(in crate::engine) fn next_idle_look(&self, now: Instant) -> Option<Instant> {
        let latest = now + Self::IDLE_WATCH;
        self.first_due.get().map(|first| whole_step(first, latest, Self::IDLE_WATCH))
    }

    /// Notifies the meter's task that its timer is to be set anew.
    pub(in crate::engine) fn rescheduled(&self) -> Rc<Notify> {
        Rc::clone(&self.rescheduled)
    }

    /// Has the meter's own timer set anew if it should be due earlier, but never for a time that
    /// has passed: that would count as a standstill. Call it when no lane waits for a due time any
    /// more, so that the meter watches by itself.
    pub(in crate::engine) fn watch(&self) {
        let (Some(set), Some(due)) = (self.own_due.get(), self.next_own_due()) else { return };
        if due < set {
            self.own_due.set(Some(due.max(clock::now()).min(set)));
            self.rescheduled.notify_one();
        }
    }

    /// Counts a timer that was due at `due` and fired at `now`.
    fn count(&self, due: Instant, now: Instant) {
        // The thread did not stand still before it ran its last timer.
        let since = self.seen.replace(Some(now)).map_or(due, |seen| seen.max(due));
        let late = now.saturating_duration_since(since);
        let is_standstill = late >= Self::STANDSTILL;
        if is_standstill {
            self.stood_still.set(self.stood_still.get() + late);
        }
        let is_next = self.recorded.get().is_none_or(|last| now - last >= Self::PERIOD / 2);
        let is_measured = self.measured_from.get().is_some_and(|from| due >= from);
        if is_measured && (is_standstill || is_next) {
            self.recorded.set(Some(now));
            self.lateness.borrow_mut().record(late);
        }
    }

    /// The first due time of the thread's timers; `None` before the meter starts.
    fn next_due(&self) -> Option<Instant> {
        let own = self.own_due.get().or(self.first_due.get())?;
        Some(self.expected.get().map_or(own, |expected| expected.min(own)))
    }

    /// When the meter's own timer should be due: a whole number of steps after the first.
    fn next_own_due(&self) -> Option<Instant> {
        let first = self.first_due.get()?;
        let Some(seen) = self.seen.get() else { return Some(first) };
        let soon = seen + self.patience.get();
        let may_wait = self.patience.get() >= Self::LOOSE_WATCH
            && (self.in_progress.get() == 0
                || self.expected.get().is_some_and(|expected| expected <= soon));
        let (latest, step) = if may_wait {
            (seen + Self::IDLE_WATCH, Self::IDLE_WATCH)
        } else {
            (soon, Self::PERIOD)
        };
        Some(whole_step(first, latest, step))
    }
}

/// The last instant up to `latest` that is a whole number of steps, each a part of a second, after
/// `first`.
fn whole_step(first: Instant, latest: Instant, step: Duration) -> Instant {
    let latest = latest.saturating_duration_since(first);
    let into_step = Duration::from_nanos(u64::from(latest.subsec_nanos() % step.subsec_nanos()));
    first + latest.saturating_sub(into_step)
}

impl ExpectedTimer<'_> {
    /// Notes that the timer fired at `now`.
    pub(in crate::engine) fn fired(self, now: Instant) {
        if let Some(next) = self.meter.next_due() {
            self.meter.count(next.min(self.due), now);
        }
    }
}

impl Drop for ExpectedTimer<'_> {
    fn drop(&mut self) {
        if self.meter.expected.get() == Some(self.due) {
            self.meter.expected.set(None);
        }
    }
}

impl Drop for ExchangeGuard<'_> {
    fn drop(&mut self) {
        self.0.in_progress.set(self.0.in_progress.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A meter, and the instant half a millisecond before its first timer.
    fn meter() -> (HiccupMeter, Instant) {
        let (meter, start) = (HiccupMeter::new(), clock::now());
        meter.start(start);
        meter.measure_from(start, HiccupMeter::CLOSE_WATCH);
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
    fn timers_that_release_arrivals_take_the_place_of_the_meters_own() {
        let (meter, start) = (HiccupMeter::new(), clock::now());
        meter.start(start);
        meter.measure_from(start, HiccupMeter::LOOSE_WATCH);
        let mut own = BTreeSet::new();
        for millis in 1..=1_000 {
            let due = start + Duration::from_millis(millis);
            meter.expect(due).fired(due + micros(60));
            own.extend(meter.look(due + micros(61)));
        }
        assert_eq!(own.len(), 10, "one per tenth of a second");
        assert_eq!(meter.take().count(), 1_000);
        assert_eq!(meter.stood_still_by(start + micros(1_000_100)), Duration::ZERO);
    }

    #[test]
    fn a_standstill_with_several_timers_due_in_it_counts_once_from_the_first_on() {
        let (meter, start) = (HiccupMeter::new(), clock::now());
        meter.start(start);
        meter.measure_from(start, HiccupMeter::LOOSE_WATCH);
        meter.look(start + micros(500));
        let _exchange = meter.begin_exchange();
        let timer = meter.expect(start + micros(2_000));
        assert_eq!(meter.stood_still_by(start + micros(302_000)), micros(300_000));
        meter.look(start + micros(302_000));
        timer.fired(start + micros(302_010));
        assert_eq!(meter.stood_still_by(start + micros(302_020)), micros(300_000));
    }

    #[test]
    fn the_meter_looks_soon_only_if_a_standstill_could_go_unseen() {
        // In the future, so that no timer is set for a time that has passed.
        let (meter, start) = (HiccupMeter::new(), clock::now() + Duration::from_mins(1));
        let after = |millis| Some(start + Duration::from_millis(millis) + HiccupMeter::PERIOD / 2);
        meter.start(start);
        meter.measure_from(start, HiccupMeter::LOOSE_WATCH);
        assert_eq!(meter.look(start + micros(500)), after(100), "nothing is in progress");
        let exchange = meter.begin_exchange();
        assert_eq!(meter.own_due.get(), after(10));
        let soon = meter.expect(start + Duration::from_millis(3));
        assert_eq!(meter.look(start + micros(600)), after(100));
        drop(soon);
        let _later = meter.expect(start + Duration::from_millis(300));
        assert_eq!(meter.own_due.get(), after(10));
        drop(exchange);
        assert_eq!(
            meter.look(start + micros(10_500)),
            after(100),
            "the next whole tenth of a second"
        );
        assert_eq!(meter.look(start + micros(100_600)), after(200));
    }

    #[test]
    fn a_standstill_of_which_an_arrival_showed_a_part_counts_once_before_the_meter_looks() {
        let (meter, start) = (HiccupMeter::new(), clock::now());
        meter.start(start);
        meter.measure_from(start, HiccupMeter::LOOSE_WATCH);
        meter.look(start + micros(500));
        meter.expect(start + micros(2_000)).fired(start + micros(302_000));
        assert_eq!(meter.stood_still_by(start + micros(302_100)), micros(300_000));
        meter.look(start + micros(302_200));
        assert_eq!(meter.stood_still_by(start + micros(302_300)), micros(300_000));
    }

    #[test]
    fn a_timer_of_its_own_that_is_set_anew_is_never_overdue() {
        let (meter, start) = (HiccupMeter::new(), clock::now());
        meter.start(start);
        meter.measure_from(start, HiccupMeter::LOOSE_WATCH);
        // No timer has fired for 40 ms, though the thread was never still.
        let before = start - Duration::from_millis(40);
        meter.first_due.set(Some(before));
        meter.look(before);
        let _exchange = meter.begin_exchange();
        let _later = meter.expect(start + Duration::from_millis(300));
        assert_eq!(meter.stood_still_by(start), Duration::ZERO);
    }

    #[test]
    fn timers_of_several_lanes_show_a_standstill_in_any_order() {
        let (meter, start) = (HiccupMeter::new(), clock::now());
        meter.start(start);
        meter.measure_from(start, HiccupMeter::LOOSE_WATCH);
        meter.look(start + micros(500));
        let soon = meter.expect(start + micros(1_000));
        let later = meter.expect(start + micros(200_000));
        assert_eq!(meter.stood_still_by(start + micros(301_000)), micros(300_000));
        later.fired(start + micros(301_000));
        soon.fired(start + micros(301_010));
        assert_eq!(meter.stood_still_by(start + micros(301_020)), micros(300_000));
    }

    #[test]
    fn a_timer_that_is_given_up_shows_no_standstill() {
        let (meter, start) = (HiccupMeter::new(), clock::now());
        meter.start(start);
        meter.measure_from(start, HiccupMeter::LOOSE_WATCH);
        meter.look(start + micros(500));
        drop(meter.expect(start + micros(2_000)));
        assert_eq!(meter.stood_still_by(start + micros(10_000)), Duration::ZERO);
        meter.look(start + micros(10_600));
        assert!(meter.take().max().unwrap() < micros(200));
    }

    #[test]
    fn only_the_measured_stage_is_recorded_and_each_hiccup_is_taken_once() {
        let (meter, start) = meter();
        meter.measure_from(start + micros(10_000), HiccupMeter::CLOSE_WATCH);
        for tick in 0..20 {
            meter.look(start + HiccupMeter::PERIOD * tick + micros(500));
        }
        assert_eq!(meter.take().count(), 10);
        assert_eq!(meter.take().count(), 0);
    }
}
