//! How long before a due time a timer is set, and the bound on what is then passed by spinning.

use std::cell::Cell;
use std::time::Duration;

use super::clock::Instant;
use crate::plan::Pacing;

/// How a worker's timers are set short of their due times, and what the rest may cost.
///
/// The kernel wakes a sleeper late: by a few µs on a busy core, by 60 µs and more on one that slept deeply. So a timer is set
/// short by a *margin* that is learned from how late the timers before it went off, and the rest is passed by looking at the
/// clock. What that may cost is a bucket of processor time: it fills with a sixteenth of the time that passes, and holds
/// 20 ms at most. So over any time *t* a worker spins for at most *t* / 16 + 20 ms; where the bucket is empty, timers
/// are as late as the kernel makes them.
#[derive(Debug)]
pub(super) struct Spin {
    pacing: Pacing,
    margin: Cell<Duration>,
    credit: Cell<Duration>,
    credited_up_to: Cell<Instant>,
    spun: Cell<Duration>,
}

/// A time that may be passed by spinning, taken out of the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leave(Duration);

impl Leave {
    /// How long it is.
    pub(super) fn margin(self) -> Duration {
        self.0
    }
}

impl Spin {
    /// The share of the time that may be passed by spinning, as a divisor.
    const SHARE: u32 = 16;
    /// The most that is saved up.
    const SAVED: Duration = Duration::from_millis(20);
    /// The margin before anything is learned, and its limits.
    const FIRST: Duration = Duration::from_micros(100);
    const LEAST: Duration = Duration::from_micros(10);
    const MOST: Duration = Duration::from_millis(1);
    /// A margin grows by one step where a timer went off later than it and shrinks by a 49th of that where not, so that it
    /// comes to lie where 1 timer in 50 is later.
    const STEP: Duration = Duration::from_nanos(24_500);
    const SHRINKS: u32 = 49;

    /// A bucket that begins to fill at `now`; with [`Pacing::Sleep`] it never does.
    pub(super) fn new(pacing: Pacing, now: Instant) -> Self {
        Self {
            pacing,
            margin: Cell::new(Self::FIRST),
            credit: Cell::new(Duration::ZERO),
            credited_up_to: Cell::new(now),
            spun: Cell::new(Duration::ZERO),
        }
    }

    /// Leave to spin before a timer's due time.
    pub(super) fn ask(&self, now: Instant) -> Leave {
        if self.pacing == Pacing::Sleep {
            return Leave(Duration::ZERO);
        }
        let earned = now.saturating_duration_since(self.credited_up_to.replace(now)) / Self::SHARE;
        let credit = (self.credit.get() + earned).min(Self::SAVED);
        let leave = self.margin.get().min(credit);
        self.credit.set(credit.saturating_sub(leave));
        Leave(leave)
    }

    /// Learns how late a timer went off.
    pub(super) fn learn(&self, late: Duration) {
        let margin = self.margin.get();
        let next = if late > margin {
            margin + Self::STEP
        } else {
            margin.saturating_sub(Self::STEP / Self::SHRINKS)
        };
        self.margin.set(next.clamp(Self::LEAST, Self::MOST));
    }

    /// Notes how much of a leave was spun; the rest goes back into the bucket.
    pub(super) fn spent(&self, leave: Leave, spun: Duration) {
        self.spun.set(self.spun.get() + spun);
        self.credit.set(self.credit.get() + leave.0.saturating_sub(spun));
    }

    /// What was spun since this was last asked.
    pub(super) fn take_spun(&self) -> Duration {
        self.spun.take()
    }
}

#[cfg(test)]
mod tests {
    use super::super::clock;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Spins as long as it may before arrivals this far apart, for so many seconds; says what that came to.
    fn spun_in(spin: &Spin, start: Instant, spacing: Duration, seconds: u32) -> Duration {
        let mut now = start;
        while now < start + seconds * SECOND {
            now += spacing;
            let leave = spin.ask(now);
            spin.spent(leave, leave.margin());
        }
        spin.take_spun()
    }

    #[test]
    fn at_any_rate_no_more_than_a_sixteenth_of_the_time_and_what_was_saved_up_is_spun() {
        let start = clock::now();
        for micros in [7, 100, 1_000, 5_000, 50_000] {
            let spin = Spin::new(Pacing::Spin, start);
            (0..1_000).for_each(|_| spin.learn(SECOND));
            let all = spun_in(&spin, start, Duration::from_micros(micros), 3);
            assert!(all <= 3 * SECOND / Spin::SHARE + Spin::SAVED, "{micros}: {all:?}");
        }
        let spin = Spin::new(Pacing::Spin, start);
        let all = spun_in(&spin, start, Duration::from_millis(2), 3);
        assert_eq!(
            all,
            Duration::from_millis(150),
            "100 µs before each of 500 arrivals a second are within it"
        );
    }

    #[test]
    fn a_long_quiet_time_saves_up_no_more_than_the_bucket_holds() {
        let start = clock::now();
        let spin = Spin::new(Pacing::Spin, start);
        (0..1_000).for_each(|_| spin.learn(SECOND));
        let later = start + 3_600 * SECOND;
        let all = (0..100).map(|_| spin.ask(later).margin()).sum::<Duration>();
        assert_eq!(all, Spin::SAVED);
    }

    #[test]
    fn what_was_not_spun_can_be_spun_later() {
        let start = clock::now();
        let spin = Spin::new(Pacing::Spin, start);
        let now = start + Duration::from_micros(800);
        let leave = spin.ask(now);
        assert_eq!(leave.margin(), Duration::from_micros(50));
        spin.spent(leave, Duration::from_micros(20));
        assert_eq!(spin.ask(now).margin(), Duration::from_micros(30));
        assert_eq!(spin.take_spun(), Duration::from_micros(20));
    }

    #[test]
    fn the_margin_comes_to_lie_where_one_timer_in_fifty_is_later_and_keeps_to_its_limits() {
        let spin = Spin::new(Pacing::Spin, clock::now());
        for round in 0..20_000_u64 {
            spin.learn(Duration::from_micros(round % 100 * 3));
        }
        let margin = spin.margin.get().as_micros();
        assert!((270..=320).contains(&margin), "{margin}");
        (0..100_000).for_each(|_| spin.learn(Duration::ZERO));
        assert_eq!(spin.margin.get(), Spin::LEAST);
        (0..100_000).for_each(|_| spin.learn(SECOND));
        assert_eq!(spin.margin.get(), Spin::MOST);
    }

    #[test]
    fn where_it_is_off_there_is_never_leave_to_spin() {
        let start = clock::now();
        let spin = Spin::new(Pacing::Sleep, start);
        assert_eq!(spin.ask(start + SECOND).margin(), Duration::ZERO);
    }
}
