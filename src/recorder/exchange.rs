//! One exchange as it was measured.

use std::time::Duration;

use crate::record::{Dimension, Evidence, Failure};

/// What became of one part of an exchange.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Part {
    /// The exchange did not enter it.
    #[default]
    Skipped,
    /// It was entered and took this long.
    Took(Duration),
    /// It was entered, and the exchange failed in it or in what it led to.
    Died,
}

impl Part {
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
pub struct Parts([Part; Dimension::ALL.len()]);

impl Parts {
    /// One part.
    pub fn get(&self, dimension: Dimension) -> Part {
        self.0[dimension as usize]
    }

    /// Notes how long a part took.
    pub fn took(&mut self, dimension: Dimension, duration: Duration) {
        self.0[dimension as usize] = Part::Took(duration);
    }

    /// Notes that the exchange failed in a part.
    pub fn died(&mut self, dimension: Dimension) {
        self.0[dimension as usize] = Part::Died;
    }

    /// Notes how long a part took, or with `None` that the exchange failed in it.
    pub fn note(&mut self, dimension: Dimension, took: Option<Duration>) {
        self.0[dimension as usize] = took.map_or(Part::Died, Part::Took);
    }

    /// Adds a time to a part; one in which the exchange failed stays so.
    pub fn add(&mut self, dimension: Dimension, duration: Duration) {
        let part = &mut self.0[dimension as usize];
        *part = part.and(Part::Took(duration));
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
            Part::Took(duration) => duration,
            Part::Skipped | Part::Died => Duration::ZERO,
        }
    }

    /// Files the latency under the kind of connection the exchange was made on as well; one that was dropped had none.
    pub(super) fn tell_connection(&mut self, is_fresh: bool) {
        let kind = if is_fresh { Dimension::Fresh } else { Dimension::Reused };
        if self.get(Dimension::Wait) != Part::Died {
            self.0[kind as usize] = self.get(Dimension::Latency);
        }
    }

    /// Notes how long opening a connection took. What passed between its phases and in HTTP's first steps belongs to the
    /// last of them, so that they add up to it without rest.
    pub fn opened_in(&mut self, setup: Duration) {
        use Dimension::{Connect, Setup, Tls, TlsFull, TlsResumed};
        let last = if self.get(Tls) == Part::Skipped { Connect } else { Tls };
        let rest = setup.saturating_sub(self.sum(Dimension::SETUP));
        for dimension in [last, TlsFull, TlsResumed] {
            if dimension == last || self.get(dimension) != Part::Skipped {
                self.add(dimension, rest);
            }
        }
        self.took(Setup, setup);
    }

    /// Whether each whole that was survived is the sum of its parts, to the nanosecond: latency, setup and service.
    pub fn split_without_rest(&self) -> bool {
        let splits = |whole, parts: &[Dimension]| match self.get(whole) {
            Part::Died => true,
            Part::Skipped => parts.iter().all(|&part| self.get(part) == Part::Skipped),
            Part::Took(duration) => {
                duration == self.sum(parts.iter().copied())
                    && parts.iter().all(|&part| self.get(part) != Part::Died)
            }
        };
        splits(Dimension::Latency, &Dimension::BLAME)
            && splits(Dimension::Setup, &Dimension::SETUP)
            && splits(Dimension::Service, &Dimension::SERVICE)
    }

    fn sum(&self, parts: impl IntoIterator<Item = Dimension>) -> Duration {
        parts.into_iter().map(|part| self.duration(part)).sum()
    }

    /// Turns every part of the answer that was entered into one not survived: a wrong answer, however
    /// fast, enters no quantile and exceeds every ceiling on it.
    pub fn fail_answer(&mut self) {
        for dimension in [Dimension::FirstByte, Dimension::Body, Dimension::Service] {
            if self.get(dimension) != Part::Skipped {
                self.died(dimension);
            }
        }
        self.died(Dimension::Latency);
    }
}

/// How an exchange failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The kind of failure.
    pub failure: Failure,
    /// The phase it happened in, where it has one.
    pub phase: Option<Dimension>,
    /// The expectation it broke, as written; empty where none was reached.
    pub expected: String,
    /// What was seen instead.
    pub seen: String,
}

impl Failed {
    /// A failure in a phase, with what was seen.
    pub fn in_phase(failure: Failure, phase: Dimension, seen: impl Into<String>) -> Self {
        Self { failure, phase: Some(phase), expected: String::new(), seen: seen.into() }
    }

    pub(super) fn to_evidence(&self) -> Evidence {
        let Self { failure, phase, expected, seen } = self.clone();
        Evidence { failure, phase, expected, seen, count: 1 }
    }
}

/// One exchange that came to an end.
#[derive(Debug, Default)]
pub struct Exchange {
    /// How long each part took.
    pub parts: Parts,
    /// How it failed; `None` where it met every expectation.
    pub failed: Option<Box<Failed>>,
    /// Whether a connection was opened for it.
    pub fresh: bool,
    /// Body bytes received.
    pub body_bytes: u64,
    /// How long the prober itself stood still between the exchange's dispatch and its end: so much of its latency the
    /// target may not have caused.
    pub stood_still: Duration,
    /// What the target told of its own time: metrics and their durations.
    pub server_timings: Vec<(String, Duration)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_hops_add_up_and_one_that_was_not_survived_stays_so() {
        let millis = Duration::from_millis;
        let (mut whole, mut first, mut second) = (Parts::default(), Parts::default(), Parts::default());
        first.took(Dimension::FirstByte, millis(20));
        first.took(Dimension::Dns, millis(3));
        second.took(Dimension::FirstByte, millis(30));
        second.died(Dimension::Connect);
        whole.add_hop(&first);
        whole.add_hop(&second);
        assert_eq!(whole.get(Dimension::FirstByte), Part::Took(millis(50)));
        assert_eq!(whole.get(Dimension::Dns), Part::Took(millis(3)));
        assert_eq!(whole.get(Dimension::Connect), Part::Died);
        assert_eq!(whole.get(Dimension::Tls), Part::Skipped);
        whole.add(Dimension::Connect, millis(1));
        assert_eq!(whole.get(Dimension::Connect), Part::Died);
    }
}
