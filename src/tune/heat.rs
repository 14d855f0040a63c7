//! Which samples of an attempt were cold, resumed or warm.

use std::time::Duration;

use crate::record::session::{Attempt, ExchangeSample, SampleHeat, SampleStage, StartKind};

/// The part of a first answer that no resumed machine needs: Fly resumes one in some hundred
/// milliseconds. Longer, and it booted, whatever its events show.
const LONGEST_RESUME: Duration = Duration::from_secs(3);

/// How many times the usual answer the machine's part of the first answer is at least, if it waited
/// for a start.
const TRACE_OF_A_START: u32 = 2;

/// The state of what answered a sample of an attempt. `steady_from` is the index in the curve at
/// which the steady state begins, `None` if it was not reached.
///
/// A sample before the steady state is cold or resumed, as the machine's start was. It is unknown
/// if the start is, if the machine ran all the time and yet was not steady, or if the latency of
/// the first request contradicts the events.
pub fn heat_of(
    attempt: &Attempt,
    (stage, index): (SampleStage, usize),
    steady_from: Option<usize>,
) -> SampleHeat {
    let is_steady = stage == SampleStage::Curve && steady_from.is_some_and(|from| index >= from);
    if is_steady {
        return SampleHeat::Warm;
    }
    match attempt.start {
        _ if is_contradicted(attempt, steady_from) => SampleHeat::Unknown,
        StartKind::Booted => SampleHeat::Cold,
        StartKind::Resumed => SampleHeat::Resumed,
        // Flat from the start: the first requests were like those that followed.
        StartKind::Ran if steady_from == Some(0) => SampleHeat::Warm,
        StartKind::Ran | StartKind::Unknown => SampleHeat::Unknown,
    }
}

/// Whether the first request's latency cannot be that of the start which the events show.
fn is_contradicted(attempt: &Attempt, steady_from: Option<usize>) -> bool {
    let Some(first) = attempt.first.first().filter(|first| first.failure.is_none()) else {
        return false;
    };
    let usual = usual_service(&attempt.curve);
    let waited = usual.is_some_and(|usual| first.service() > usual * TRACE_OF_A_START);
    match attempt.start {
        StartKind::Booted => usual.is_some() && !waited && steady_from == Some(0),
        StartKind::Resumed => first.service() > LONGEST_RESUME,
        StartKind::Ran => waited && first.service() > LONGEST_RESUME,
        StartKind::Unknown => false,
    }
}

/// The median of the target's part in the answers of a curve; `None` without any.
fn usual_service(curve: &[ExchangeSample]) -> Option<Duration> {
    let mut all: Vec<Duration> = curve
        .iter()
        .filter(|sample| sample.failure.is_none())
        .map(ExchangeSample::service)
        .collect();
    all.sort_unstable();
    all.get(all.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tune::simulation::session;

    const FIRST: (SampleStage, usize) = (SampleStage::First, 0);

    fn curve(index: usize) -> (SampleStage, usize) {
        (SampleStage::Curve, index)
    }

    fn attempt(start: StartKind) -> Attempt {
        Attempt { start, ..session(1, false).attempts.swap_remove(0) }
    }

    #[test]
    fn samples_are_as_the_machines_start_was_until_steady() {
        for (start, before) in [
            (StartKind::Booted, SampleHeat::Cold),
            (StartKind::Resumed, SampleHeat::Resumed),
            (StartKind::Ran, SampleHeat::Unknown),
            (StartKind::Unknown, SampleHeat::Unknown),
        ] {
            let attempt = attempt(start);
            assert_eq!(heat_of(&attempt, FIRST, Some(39)), before);
            assert_eq!(heat_of(&attempt, curve(38), Some(39)), before);
            assert_eq!(heat_of(&attempt, curve(39), Some(39)), SampleHeat::Warm);
            assert_eq!(heat_of(&attempt, curve(119), None), before);
        }
    }

    #[test]
    fn a_machine_that_ran_and_was_steady_from_the_start_was_warm() {
        let mut attempt = attempt(StartKind::Ran);
        attempt.first[0] = attempt.curve[60].clone();
        assert_eq!(heat_of(&attempt, FIRST, Some(0)), SampleHeat::Warm);
    }

    #[test]
    fn a_latency_that_contradicts_the_events_leaves_the_start_unknown() {
        let mut slow = attempt(StartKind::Resumed);
        slow.first[0].parts.insert(crate::record::Dimension::FirstByte, 17_000_000);
        assert_eq!(heat_of(&slow, FIRST, Some(39)), SampleHeat::Unknown);
        assert_eq!(heat_of(&slow, curve(39), Some(39)), SampleHeat::Warm);
        slow.start = StartKind::Ran;
        assert_eq!(heat_of(&slow, FIRST, Some(0)), SampleHeat::Unknown);
        let mut fast = attempt(StartKind::Booted);
        fast.first[0] = fast.curve[60].clone();
        assert_eq!(heat_of(&fast, FIRST, Some(0)), SampleHeat::Unknown);
    }
}
