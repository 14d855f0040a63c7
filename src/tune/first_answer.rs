//! The first answer of an attempt: what of it the machine took, and what no machine changes.

use std::fmt;
use std::time::Duration;

use crate::record::Dimension;
use crate::record::session::{Attempt, ExchangeSample};

/// The printed names of [`Dimension::SETUP`]. These times are of each redirect hop too.
const CONNECTION_PARTS: [&str; 4] = ["dns", "tcp", "proxy", "tls"];

/// The first request of an attempt that was answered as expected.
#[derive(Debug, Clone, Copy)]
pub(super) struct FirstAnswer<'a> {
    /// The name of the request.
    pub(super) request: &'a str,
    /// From the first try until the answer: a target that gives none is asked again.
    pub(super) total: Duration,
    /// At most this much of it is the machine's: the boot, first byte and body. It includes the way
    /// there and back, and tries that nothing answered.
    pub(super) machine: Duration,
    sample: &'a ExchangeSample,
}

impl<'a> FirstAnswer<'a> {
    /// That of an attempt; `None` if nothing was answered.
    pub(super) fn of(attempt: &'a Attempt) -> Option<Self> {
        let sample = attempt.first.iter().find(|sample| sample.failure.is_none())?;
        let total = sample.due.saturating_add(sample.latency);
        let machine = total.saturating_sub(connection_time(sample) + prober_time(sample));
        Some(Self { request: &sample.request, total, machine, sample })
    }

    /// How long opening its connection took; `None` if the parts of its time are not known.
    pub(super) fn connection(&self) -> Option<Duration> {
        (!self.sample.parts.is_empty()).then(|| connection_time(self.sample))
    }
}

/// The prober's own part: lag and wait.
fn prober_time(sample: &ExchangeSample) -> Duration {
    sample.part(Dimension::Lag) + sample.part(Dimension::Wait)
}

fn connection_time(sample: &ExchangeSample) -> Duration {
    Dimension::SETUP.iter().map(|part| sample.part(*part)).sum()
}

/// The mean of the first answers of some restarts, as a sentence shows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FirstAnswerSplit {
    /// Mean latency.
    pub(super) total: Duration,
    /// What of it is the machine's at most.
    pub(super) machine: Duration,
    /// The parts of opening the connection that were entered, with their names.
    pub(super) connection: Vec<(&'static str, Duration)>,
    /// The prober's own lag and wait.
    pub(super) prober: Duration,
    /// Over how many restarts.
    pub(super) restarts: u32,
}

impl FirstAnswerSplit {
    /// That of the attempts whose parts are known; `None` without any.
    pub(super) fn of<'a>(attempts: impl Iterator<Item = &'a Attempt>) -> Option<Self> {
        let answers: Vec<FirstAnswer<'_>> = attempts
            .filter_map(FirstAnswer::of)
            .filter(|answer| answer.connection().is_some())
            .collect();
        let restarts = u32::try_from(answers.len()).ok().filter(|count| *count > 0)?;
        let mean = |of: &dyn Fn(&FirstAnswer<'_>) -> Duration| {
            answers.iter().map(of).sum::<Duration>() / restarts
        };
        let connection = CONNECTION_PARTS
            .into_iter()
            .zip(Dimension::SETUP)
            .map(|(name, part)| (name, mean(&|answer| answer.sample.part(part))))
            .filter(|(_, time)| !time.is_zero())
            .collect();
        Some(Self {
            total: mean(&|answer| answer.total),
            machine: mean(&|answer| answer.machine),
            connection,
            prober: mean(&|answer| prober_time(answer.sample)),
            restarts,
        })
    }
}

/// In milliseconds, with a decimal if they are few.
impl fmt::Display for FirstAnswerSplit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = usize::from(self.total < Duration::from_millis(100));
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        let (machine, total) = (millis(self.machine), millis(self.total));
        write!(
            f,
            "at most {machine:.decimals$} of {total:.decimals$} ms are the machine's; no size changes \
             the rest"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tune::simulation::session;

    fn attempt(parts: &[(Dimension, u64)]) -> Attempt {
        let mut attempt = session(1, false).attempts.swap_remove(0);
        let first = &mut attempt.first[0];
        first.parts = parts.iter().map(|(part, millis)| (*part, millis * 1_000)).collect();
        first.latency = Duration::from_millis(parts.iter().map(|(_, millis)| millis).sum());
        attempt
    }

    #[test]
    fn a_split_says_how_much_a_larger_machine_could_change() {
        use Dimension::{Body, Connect, FirstByte, Tls};
        let one = attempt(&[(Connect, 60), (Tls, 120), (FirstByte, 1_800), (Body, 20)]);
        let other = attempt(&[(Connect, 40), (Tls, 80), (FirstByte, 2_800), (Body, 80)]);
        let split = FirstAnswerSplit::of([&one, &other].into_iter()).unwrap();
        let expected = "at most 2350 of 2500 ms are the machine's; no size changes the rest";
        assert_eq!(split.to_string(), expected);
        let connection = [("tcp", Duration::from_millis(50)), ("tls", Duration::from_millis(100))];
        assert_eq!((split.connection.as_slice(), split.restarts), (connection.as_slice(), 2));
    }

    #[test]
    fn lag_and_waiting_are_neither_the_connections_nor_the_machines() {
        use Dimension::{FirstByte, Lag, Tls, Wait};
        let attempt = attempt(&[(Lag, 1), (Wait, 2), (Tls, 20), (FirstByte, 25)]);
        let answer = FirstAnswer::of(&attempt).unwrap();
        assert_eq!(answer.connection(), Some(Duration::from_millis(20)));
        assert_eq!(answer.machine, Duration::from_millis(25));
        let split = FirstAnswerSplit::of([&attempt].into_iter()).unwrap();
        assert_eq!(split.prober, Duration::from_millis(3));
        assert!(split.to_string().starts_with("at most 25.0 of 48.0 ms"), "{split}");
    }

    #[test]
    fn tries_that_nothing_answered_are_the_machines_time() {
        let mut attempt = attempt(&[(Dimension::Tls, 20), (Dimension::FirstByte, 80)]);
        let mut refused = attempt.first[0].clone();
        refused.failure = Some(crate::record::Failure::Refused);
        attempt.first[0].due = Duration::from_secs(5);
        attempt.first.insert(0, refused);
        let answer = FirstAnswer::of(&attempt).unwrap();
        assert_eq!(answer.total, Duration::from_millis(5_100));
        assert_eq!(answer.machine, Duration::from_millis(5_080));
    }

    #[test]
    fn nothing_is_said_of_answers_whose_parts_are_not_known() {
        let attempt = attempt(&[]);
        assert_eq!(FirstAnswer::of(&attempt).unwrap().connection(), None);
        assert_eq!(FirstAnswerSplit::of([&attempt].into_iter()), None);
    }
}
