//! One exchange as it was measured.

use std::time::Duration;

use crate::record::{Dimension, Failure, FailureEvidence};
use crate::units::format_duration;

/// What became of one part of an exchange.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PartOutcome {
    /// The exchange did not enter it.
    #[default]
    Skipped,
    /// It was entered and took this long.
    Took(Duration),
    /// It was entered, and the exchange failed in it or in what it led to.
    Died,
}

impl PartOutcome {
    /// What became of a part that was entered twice.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Died, _) | (_, Self::Died) => Self::Died,
            (Self::Skipped, part) | (part, Self::Skipped) => part,
            (Self::Took(first), Self::Took(second)) => Self::Took(first + second),
        }
    }
}

/// Each part of an exchange, by dimension.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExchangeParts([PartOutcome; Dimension::ALL.len()]);

impl ExchangeParts {
    /// One part.
    pub fn get(&self, dimension: Dimension) -> PartOutcome {
        self.0[dimension as usize]
    }

    /// Notes how long a part took.
    pub fn set_duration(&mut self, dimension: Dimension, duration: Duration) {
        self.0[dimension as usize] = PartOutcome::Took(duration);
    }

    /// Notes that the exchange failed in a part.
    pub fn set_failed(&mut self, dimension: Dimension) {
        self.0[dimension as usize] = PartOutcome::Died;
    }

    /// Notes how long a part took, or with `None` that the exchange failed in it.
    pub fn set_outcome(&mut self, dimension: Dimension, took: Option<Duration>) {
        self.0[dimension as usize] = took.map_or(PartOutcome::Died, PartOutcome::Took);
    }

    /// Adds a time to a part; one in which the exchange failed stays so.
    pub fn add(&mut self, dimension: Dimension, duration: Duration) {
        let part = &mut self.0[dimension as usize];
        *part = part.and(PartOutcome::Took(duration));
    }

    /// Adds the parts of one hop to those of the exchange it belongs to.
    pub fn add_hop(&mut self, hop: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(hop.0) {
            *mine = mine.and(theirs);
        }
    }

    /// How long a part took; nothing where it was skipped or not survived.
    pub fn duration(&self, dimension: Dimension) -> Duration {
        match self.get(dimension) {
            PartOutcome::Took(duration) => duration,
            PartOutcome::Skipped | PartOutcome::Died => Duration::ZERO,
        }
    }

    /// Files the latency under the kind of connection the exchange was made on as well; one that
    /// was dropped had none.
    pub(super) fn tell_connection(&mut self, is_fresh: bool) {
        let kind = if is_fresh { Dimension::Fresh } else { Dimension::Reused };
        if self.get(Dimension::Wait) != PartOutcome::Died {
            self.0[kind as usize] = self.get(Dimension::Latency);
        }
    }

    /// Notes how long opening a connection took. What passed between its phases and in HTTP's first
    /// steps belongs to the last of them, so that they add up to it without rest.
    pub fn set_setup(&mut self, setup: Duration) {
        use Dimension::{Connect, Setup, Tls, TlsFull, TlsResumed};
        let last = if self.get(Tls) == PartOutcome::Skipped { Connect } else { Tls };
        let rest = setup.saturating_sub(self.sum(Dimension::SETUP));
        for dimension in [last, TlsFull, TlsResumed] {
            if dimension == last || self.get(dimension) != PartOutcome::Skipped {
                self.add(dimension, rest);
            }
        }
        self.set_duration(Setup, setup);
    }

    /// Whether each whole that was survived is the sum of its parts, to the nanosecond: latency,
    /// setup and service.
    pub fn adds_up(&self) -> bool {
        let splits = |whole, parts: &[Dimension]| match self.get(whole) {
            PartOutcome::Died => true,
            PartOutcome::Skipped => {
                parts.iter().all(|&part| self.get(part) == PartOutcome::Skipped)
            }
            PartOutcome::Took(duration) => {
                duration == self.sum(parts.iter().copied())
                    && parts.iter().all(|&part| self.get(part) != PartOutcome::Died)
            }
        };
        splits(Dimension::Latency, &Dimension::BLAME)
            && splits(Dimension::Setup, &Dimension::SETUP)
            && splits(Dimension::Service, &Dimension::SERVICE)
    }

    fn sum(&self, parts: impl IntoIterator<Item = Dimension>) -> Duration {
        parts.into_iter().map(|part| self.duration(part)).sum()
    }

    /// Turns every part of the answer that was entered into one not survived: a wrong answer,
    /// however fast, enters no quantile and exceeds every ceiling on it.
    pub fn fail_answer(&mut self) {
        for dimension in [Dimension::FirstByte, Dimension::Body, Dimension::Service] {
            if self.get(dimension) != PartOutcome::Skipped {
                self.set_failed(dimension);
            }
        }
        self.set_failed(Dimension::Latency);
    }
}

/// How an exchange failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeFailure {
    /// The kind of failure.
    pub failure: Failure,
    /// The phase it happened in, where it has one.
    pub phase: Option<Dimension>,
    /// The expectation it broke, as written; empty where none was reached.
    pub expected: String,
    /// What was seen instead.
    pub seen: String,
    /// What to do about it, where the failure alone does not tell.
    pub next: Option<&'static str>,
}

impl ExchangeFailure {
    /// A failure in a phase, with what was seen.
    pub fn in_phase(failure: Failure, phase: Dimension, seen: impl Into<String>) -> Self {
        Self { failure, phase: Some(phase), expected: String::new(), seen: seen.into(), next: None }
    }

    fn ran_out_of_time(&self) -> bool {
        matches!(self.failure, Failure::TimedOut | Failure::Dropped)
    }

    pub(super) fn to_evidence(&self) -> FailureEvidence {
        let Self { failure, phase, expected, seen, next } = self.clone();
        FailureEvidence { failure, phase, expected, seen, next: next.map(str::to_owned), count: 1 }
    }
}

/// One exchange that came to an end.
#[derive(Debug, Clone, Default)]
pub struct Exchange {
    /// How long each part took.
    pub parts: ExchangeParts,
    /// How it failed; `None` where it met every expectation.
    pub failed: Option<Box<ExchangeFailure>>,
    /// Whether a connection was opened for it.
    pub fresh: bool,
    /// Body bytes received.
    pub body_bytes: u64,
    /// How long the prober itself stood still between the exchange's dispatch and its end: so much
    /// of its latency the target may not have caused.
    pub stood_still: Duration,
    /// What the target told of its own time: metrics and their durations.
    pub server_timings: Vec<(String, Duration)>,
}

impl Exchange {
    /// The share of an exchange for which the prober must have stood still before a timeout is its
    /// own, as a divisor.
    const STANDSTILL: u32 = 4;

    /// Notes for how long of the time `since` its dispatch the prober stood still.
    ///
    /// Where that is a quarter or more and the exchange ran out of time, a target that answers well
    /// within its timeout may have been cut off: the failure is the prober's own then and says
    /// nothing of the target.
    pub fn allow_for_standstill(&mut self, stood_still: Duration, since: Duration) {
        self.stood_still = stood_still;
        let is_ours = !stood_still.is_zero() && stood_still * Self::STANDSTILL >= since;
        if let Some(failed) =
            self.failed.as_deref_mut().filter(|failed| is_ours && failed.ran_out_of_time())
        {
            let for_so_long = format_duration(stood_still);
            failed.seen =
                format!("{} while the prober itself stood still for {for_so_long}", failed.failure);
            failed.failure = Failure::Prober;
            failed.next = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran_out(failure: Failure, stood_still: u64, since: u64) -> ExchangeFailure {
        let failed =
            ExchangeFailure::in_phase(failure, Dimension::FirstByte, "no answer within 2 s");
        let mut exchange = Exchange { failed: Some(Box::new(failed)), ..Exchange::default() };
        exchange
            .allow_for_standstill(Duration::from_millis(stood_still), Duration::from_millis(since));
        assert_eq!(exchange.stood_still, Duration::from_millis(stood_still));
        *exchange.failed.unwrap()
    }

    #[test]
    fn a_timeout_is_the_probers_own_where_it_stood_still_for_a_good_part_of_it() {
        let failed = ran_out(Failure::TimedOut, 500, 2_000);
        assert_eq!(failed.failure, Failure::Prober);
        assert_eq!(failed.seen, "timed out while the prober itself stood still for 500 ms");
        assert_eq!(ran_out(Failure::Dropped, 500, 2_000).failure, Failure::Prober);
    }

    #[test]
    fn a_timeout_is_the_targets_where_the_prober_hardly_stood_still() {
        assert_eq!(ran_out(Failure::TimedOut, 499, 2_000).failure, Failure::TimedOut);
        assert_eq!(ran_out(Failure::TimedOut, 0, 0).failure, Failure::TimedOut);
        assert_eq!(ran_out(Failure::TimedOut, 0, 2_000).seen, "no answer within 2 s");
    }

    #[test]
    fn what_failed_in_another_way_stays_as_it_is_however_long_the_prober_stood_still() {
        assert_eq!(ran_out(Failure::Reset, 1_900, 2_000).failure, Failure::Reset);
    }

    #[test]
    fn the_parts_of_hops_add_up_and_one_that_was_not_survived_stays_so() {
        let millis = Duration::from_millis;
        let (mut whole, mut first, mut second) =
            (ExchangeParts::default(), ExchangeParts::default(), ExchangeParts::default());
        first.set_duration(Dimension::FirstByte, millis(20));
        first.set_duration(Dimension::Dns, millis(3));
        second.set_duration(Dimension::FirstByte, millis(30));
        second.set_failed(Dimension::Connect);
        whole.add_hop(&first);
        whole.add_hop(&second);
        assert_eq!(whole.get(Dimension::FirstByte), PartOutcome::Took(millis(50)));
        assert_eq!(whole.get(Dimension::Dns), PartOutcome::Took(millis(3)));
        assert_eq!(whole.get(Dimension::Connect), PartOutcome::Died);
        assert_eq!(whole.get(Dimension::Tls), PartOutcome::Skipped);
        whole.add(Dimension::Connect, millis(1));
        assert_eq!(whole.get(Dimension::Connect), PartOutcome::Died);
    }
}
