//! How early a timer fires, and the budget for spinning until its due time.

use std::cell::Cell;
use std::time::Duration;

use super::clock::Instant;
use crate::plan::PacingMode;

/// How far before their due times a thread's timers fire, and what the rest may cost.
///
/// The kernel wakes a sleeper late: by a few µs on a busy core, by 60 µs and more on a core in deep
/// sleep. So a timer fires early by a *margin* that is learned from the lateness of earlier timers,
/// and the thread polls the clock for the rest.
///
/// It does not spin at the end of waits shorter than 400 µs: after so short a sleep a core wakes
/// without delay, and spinning would take time from the arrivals.
///
/// A bucket of processor time limits the rest: it fills with a sixteenth of the time that passes,
/// and holds at most 20 ms. Over any time *t* a thread therefore spins for at most *t* / 16 + 20
/// ms. While the bucket is empty, timers are as late as the kernel makes them.
#[derive(Debug)]
pub(in crate::engine) struct SpinBudget {
    pacing: PacingMode,
    margin: Cell<Duration>,
    credit: Cell<Duration>,
    credited_up_to: Cell<Instant>,
    spun: Cell<Duration>,
}

/// Time that may be spent spinning, withdrawn from the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct SpinAllowance(Duration);

impl SpinAllowance {
    /// Its length.
    pub(in crate::engine) fn margin(self) -> Duration {
        self.0
    }
}

impl SpinBudget {
    /// Divisor of the passing time: the part that may be spent spinning.
    const SHARE: u32 = 16;
    /// The most credit the bucket holds.
    const MAX_CREDIT: Duration = Duration::from_millis(20);
    /// The shortest wait at whose end a thread may spin.
    const SHORTEST_WAIT: Duration = Duration::from_micros(400);
    /// The margin before any timer has fired, and its limits.
    const INITIAL_MARGIN: Duration = Duration::from_micros(100);
    const MIN_MARGIN: Duration = Duration::from_micros(10);
    const MAX_MARGIN: Duration = Duration::from_millis(1);
    /// The margin grows by one step if a timer was later than it, and otherwise shrinks by a third
    /// of a step. It settles when 1 timer in 4 is later: to spin longer would cost more than the
    /// few µs that these are late.
    const MARGIN_STEP: Duration = Duration::from_micros(9);
    const SHRINK_DIVISOR: u32 = 3;

    /// A budget that starts to fill at `now`; with [`PacingMode::Sleep`] it stays empty.
    pub(in crate::engine) fn new(pacing: PacingMode, now: Instant) -> Self {
        Self {
            pacing,
            margin: Cell::new(Self::INITIAL_MARGIN),
            credit: Cell::new(Duration::ZERO),
            credited_up_to: Cell::new(now),
            spun: Cell::new(Duration::ZERO),
        }
    }

    /// Whether a thread may spin at the end of a wait.
    pub(in crate::engine) fn may_end(&self, wait: Duration) -> bool {
        self.pacing == PacingMode::Spin && wait >= Self::SHORTEST_WAIT
    }

    /// Withdraws an allowance for spinning at the end of a wait that begins now.
    pub(in crate::engine) fn allow(&self, now: Instant, wait: Duration) -> SpinAllowance {
        if !self.may_end(wait) {
            return SpinAllowance(Duration::ZERO);
        }
        let earned = now.saturating_duration_since(self.credited_up_to.replace(now)) / Self::SHARE;
        let credit = (self.credit.get() + earned).min(Self::MAX_CREDIT);
        let allowance = self.margin.get().min(credit);
        self.credit.set(credit.saturating_sub(allowance));
        SpinAllowance(allowance)
    }

    /// Learns from how late a timer fired.
    pub(in crate::engine) fn learn(&self, late: Duration) {
        let margin = self.margin.get();
        let next = if late > margin {
            margin + Self::MARGIN_STEP
        } else {
            margin.saturating_sub(Self::MARGIN_STEP / Self::SHRINK_DIVISOR)
        };
        self.margin.set(next.clamp(Self::MIN_MARGIN, Self::MAX_MARGIN));
    }

    /// Notes how much of an allowance was spun; the rest returns to the budget.
    pub(in crate::engine) fn settle(&self, allowance: SpinAllowance, spun: Duration) {
        self.spun.set(self.spun.get() + spun);
        self.credit.set(self.credit.get() + allowance.0.saturating_sub(spun));
    }

    /// The time spun since the last call.
    pub(in crate::engine) fn take_spun(&self) -> Duration {
        self.spun.take()
    }
}

#[cfg(test)]
mod tests {
    use super::super::clock;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The time spun before arrivals `spacing` apart, if every allowance is used up.
    fn spun_in(spin: &SpinBudget, start: Instant, spacing: Duration, seconds: u32) -> Duration {
        let mut now = start;
        while now < start + seconds * SECOND {
            now += spacing;
            let allowance = spin.allow(now, SECOND);
            spin.settle(allowance, allowance.margin());
        }
        spin.take_spun()
    }

    #[test]
    fn at_any_rate_at_most_a_sixteenth_of_the_time_and_the_saved_credit_is_spun() {
        let start = clock::now();
        for micros in [7, 100, 1_000, 5_000, 50_000] {
            let spin = SpinBudget::new(PacingMode::Spin, start);
            (0..1_000).for_each(|_| spin.learn(SECOND));
            let all = spun_in(&spin, start, Duration::from_micros(micros), 3);
            assert!(
                all <= 3 * SECOND / SpinBudget::SHARE + SpinBudget::MAX_CREDIT,
                "{micros}: {all:?}"
            );
        }
        let spin = SpinBudget::new(PacingMode::Spin, start);
        let all = spun_in(&spin, start, Duration::from_millis(2), 3);
        assert_eq!(
            all,
            Duration::from_millis(150),
            "100 µs before each of 500 arrivals per second fit the budget"
        );
    }

    #[test]
    fn a_long_quiet_time_saves_at_most_the_maximum_credit() {
        let start = clock::now();
        let spin = SpinBudget::new(PacingMode::Spin, start);
        (0..1_000).for_each(|_| spin.learn(SECOND));
        let later = start + 3_600 * SECOND;
        let all = (0..100).map(|_| spin.allow(later, SECOND).margin()).sum::<Duration>();
        assert_eq!(all, SpinBudget::MAX_CREDIT);
    }

    #[test]
    fn unused_allowance_can_be_spun_later() {
        let start = clock::now();
        let spin = SpinBudget::new(PacingMode::Spin, start);
        let now = start + Duration::from_micros(800);
        let allowance = spin.allow(now, SECOND);
        assert_eq!(allowance.margin(), Duration::from_micros(50));
        spin.settle(allowance, Duration::from_micros(20));
        assert_eq!(spin.allow(now, SECOND).margin(), Duration::from_micros(30));
        assert_eq!(spin.take_spun(), Duration::from_micros(20));
    }

    #[test]
    fn the_margin_settles_when_one_timer_in_four_is_later_and_stays_within_its_limits() {
        let spin = SpinBudget::new(PacingMode::Spin, clock::now());
        for round in 0..20_000_u64 {
            spin.learn(Duration::from_micros(round * 37 % 100 * 3));
        }
        let margin = spin.margin.get().as_micros();
        assert!((200..=250).contains(&margin), "{margin}");
        (0..100_000).for_each(|_| spin.learn(Duration::ZERO));
        assert_eq!(spin.margin.get(), SpinBudget::MIN_MARGIN);
        (0..100_000).for_each(|_| spin.learn(SECOND));
        assert_eq!(spin.margin.get(), SpinBudget::MAX_MARGIN);
    }

    #[test]
    fn without_spinning_or_after_a_short_wait_the_allowance_is_zero() {
        let start = clock::now();
        let allowed = |pacing, wait| SpinBudget::new(pacing, start).allow(start + SECOND, wait).0;
        assert_eq!(allowed(PacingMode::Sleep, SECOND), Duration::ZERO);
        assert_eq!(allowed(PacingMode::Spin, Duration::from_micros(399)), Duration::ZERO);
        assert!(allowed(PacingMode::Spin, Duration::from_micros(400)) > Duration::ZERO);
    }
}
