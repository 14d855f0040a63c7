//! The measurement of one exchange.

use std::time::Duration;

use crate::record::{AnswerDetail, Dimension, Failure, FailureEvidence, IdleTimes};
use crate::units::format_duration;

use super::used_connection::UsedConnection;

/// How one part of an exchange ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PartOutcome {
    /// The exchange did not enter it.
    #[default]
    Skipped,
    /// The exchange completed it in this time.
    Took(Duration),
    /// The exchange entered it and failed in it or later because of it.
    Died,
}

impl PartOutcome {
    /// The outcome of a part that the exchange entered twice.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Died, _) | (_, Self::Died) => Self::Died,
            (Self::Skipped, part) | (part, Self::Skipped) => part,
            (Self::Took(first), Self::Took(second)) => Self::Took(first + second),
        }
    }
}

/// The parts of an exchange, by dimension.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExchangeParts([PartOutcome; Dimension::ALL.len()]);

impl ExchangeParts {
    /// The outcome of one part.
    pub fn get(&self, dimension: Dimension) -> PartOutcome {
        self.0[dimension as usize]
    }

    /// Sets how long a part took.
    pub fn set_duration(&mut self, dimension: Dimension, duration: Duration) {
        self.0[dimension as usize] = PartOutcome::Took(duration);
    }

    /// Sets that the exchange failed in a part.
    pub fn set_failed(&mut self, dimension: Dimension) {
        self.0[dimension as usize] = PartOutcome::Died;
    }

    /// Sets how long a part took, or with `None` that the exchange failed in it.
    pub fn set_outcome(&mut self, dimension: Dimension, took: Option<Duration>) {
        self.0[dimension as usize] = took.map_or(PartOutcome::Died, PartOutcome::Took);
    }

    /// Adds a time to a part. A part in which the exchange failed stays failed.
    pub fn add(&mut self, dimension: Dimension, duration: Duration) {
        let part = &mut self.0[dimension as usize];
        *part = part.and(PartOutcome::Took(duration));
    }

    /// Adds the parts of one hop to those of its exchange.
    pub fn add_hop(&mut self, hop: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(hop.0) {
            *mine = mine.and(theirs);
        }
    }

    /// How long a part took; zero if the exchange skipped it or failed in it.
    pub fn duration(&self, dimension: Dimension) -> Duration {
        match self.get(dimension) {
            PartOutcome::Took(duration) => duration,
            PartOutcome::Skipped | PartOutcome::Died => Duration::ZERO,
        }
    }

    /// Copies the latency to the dimension of its kind of connection. A dropped exchange had no
    /// connection.
    pub(super) fn set_connection_kind(&mut self, is_fresh: bool) {
        let kind = if is_fresh { Dimension::Fresh } else { Dimension::Reused };
        if self.get(Dimension::Wait) != PartOutcome::Died {
            self.0[kind as usize] = self.get(Dimension::Latency);
        }
    }

    /// Sets how long opening a connection took. The time between its phases and in HTTP's first
    /// steps is added to the last phase, so that the phases add up to the setup exactly.
    pub fn set_setup(&mut self, setup: Duration) {
        use Dimension::{Connect, Proxy, Setup, Tls, TlsFull, TlsResumed};
        let entered = |&part: &Dimension| self.get(part) != PartOutcome::Skipped;
        let last = [Tls, Proxy].into_iter().find(entered).unwrap_or(Connect);
        let rest = setup.saturating_sub(self.sum(Dimension::SETUP));
        for dimension in [last, TlsFull, TlsResumed] {
            if dimension == last || self.get(dimension) != PartOutcome::Skipped {
                self.add(dimension, rest);
            }
        }
        self.set_duration(Setup, setup);
    }

    /// Whether latency, setup and service each equal the sum of their parts, to the nanosecond.
    /// Those in which the exchange failed are not checked.
    pub(super) fn adds_up(&self) -> bool {
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

    /// Marks the latency and every part of the answer that the exchange entered as failed. A wrong
    /// answer enters no quantile and exceeds every ceiling, however fast it was.
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
    /// The phase in which it happened, if it has one.
    pub phase: Option<Dimension>,
    /// The broken expectation, as in the scenario; empty if none was checked.
    pub expected: String,
    /// What was seen instead.
    pub seen: String,
    /// What to do about it, if the kind of failure does not make that clear.
    pub next: Option<&'static str>,
    /// How long the connection had been idle before the request, if that matters to the failure.
    pub idle: Option<Duration>,
    /// What else is known of an unexpected answer.
    pub detail: Option<Box<AnswerDetail>>,
}

impl ExchangeFailure {
    /// A failure outside any phase, with what was seen.
    pub fn new(failure: Failure, seen: impl Into<String>) -> Self {
        let (expected, seen) = (String::new(), seen.into());
        Self { failure, phase: None, expected, seen, next: None, idle: None, detail: None }
    }

    /// A failure in a phase, with what was seen.
    pub fn in_phase(failure: Failure, phase: Dimension, seen: impl Into<String>) -> Self {
        Self { phase: Some(phase), ..Self::new(failure, seen) }
    }

    fn ran_out_of_time(&self) -> bool {
        matches!(self.failure, Failure::TimedOut | Failure::Dropped)
    }

    /// The failure as it is recorded, counted once.
    pub fn to_evidence(&self) -> FailureEvidence {
        let Self { failure, phase, expected, seen, next, idle, detail } = self.clone();
        let (next, idle) = (next.map(str::to_owned), idle.map(IdleTimes::of_one));
        FailureEvidence { failure, phase, expected, seen, next, idle, count: 1, detail }
    }
}

/// One finished exchange.
#[derive(Debug, Clone, Default)]
pub struct Exchange {
    /// How long each part took.
    pub parts: ExchangeParts,
    /// How it failed; `None` if it met every expectation.
    pub failed: Option<Box<ExchangeFailure>>,
    /// Whether a connection was opened for it.
    pub fresh: bool,
    /// The connection that carried it.
    pub connection: UsedConnection,
    /// Body bytes received.
    pub body_bytes: u64,
    /// How long the prober itself stood still between the dispatch of the exchange and its end. The
    /// target may not have caused this much of the latency.
    pub stood_still: Duration,
    /// The metrics of the target's `Server-Timing` report with their durations.
    pub server_timings: Vec<(String, Duration)>,
}

impl Exchange {
    /// A timeout is the prober's own failure if it stood still for 1/`STANDSTILL` of the exchange.
    const STANDSTILL: u32 = 4;

    /// Notes how long the prober stood still in the time `since` the dispatch of the exchange.
    ///
    /// If that is a quarter or more and the exchange ran out of time, the failure becomes the
    /// prober's own: a target that answers well within its timeout may have been cut off.
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
    fn a_timeout_is_the_probers_own_if_it_stood_still_for_a_quarter_of_it() {
        let failed = ran_out(Failure::TimedOut, 500, 2_000);
        assert_eq!(failed.failure, Failure::Prober);
        assert_eq!(failed.seen, "timed out while the prober itself stood still for 500 ms");
        assert_eq!(ran_out(Failure::Dropped, 500, 2_000).failure, Failure::Prober);
    }

    #[test]
    fn a_timeout_is_the_targets_if_the_prober_stood_still_for_less() {
        assert_eq!(ran_out(Failure::TimedOut, 499, 2_000).failure, Failure::TimedOut);
        assert_eq!(ran_out(Failure::TimedOut, 0, 0).failure, Failure::TimedOut);
        assert_eq!(ran_out(Failure::TimedOut, 0, 2_000).seen, "no answer within 2 s");
    }

    #[test]
    fn a_standstill_does_not_change_other_failures() {
        assert_eq!(ran_out(Failure::Reset, 1_900, 2_000).failure, Failure::Reset);
    }

    #[test]
    fn the_parts_of_hops_add_up_and_a_failed_part_stays_failed() {
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
