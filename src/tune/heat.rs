//! Which samples of an attempt were cold, resumed or warm.
//!
//! The machine's events are a claim, and latency has to agree with it. Fly reports a resume and a
//! boot of a suspended machine alike, so a claimed resume is believed only if neither trace of a
//! boot is there: a long wait for the first answer, and a warm-up after it.

use std::time::Duration;

use super::first_answer::FirstAnswer;
use crate::record::session::{
    Attempt, CurveClass, CurveFigures, ExchangeSample, SampleHeat, StartKind,
};

/// The longest wait for a resumed machine: Fly resumes one in some hundred milliseconds.
const LONGEST_RESUME: Duration = Duration::from_secs(3);

/// The most requests that a resumed machine needs until it is steady. Its code and caches are still
/// warm, but it opens its own connections anew.
const MOST_RECONNECTING_REQUESTS: usize = 10;

/// An answer that takes more than this many times the usual one shows a start.
const TRACE_OF_A_START: u32 = 2;

/// A curve without a steady state needs this many answers for its ends to be compared.
const FEWEST_ANSWERS: usize = 12;

/// Confirms how the machine of an attempt started, and labels every sample. `figures` are those of
/// its curve.
///
/// A sample before the steady state is cold or resumed, as the start was. It is unknown if the
/// start is, or if the machine ran all the time and yet was not steady. Without a steady state no
/// sample is warm.
pub(super) fn label_attempt(attempt: &mut Attempt, figures: &CurveFigures) {
    let by_events = attempt.start_by_events.unwrap_or(attempt.start);
    attempt.start = confirmed_start(by_events, attempt, figures);
    attempt.start_by_events = (attempt.start != by_events).then_some(by_events);
    let before = match attempt.start {
        StartKind::Booted => SampleHeat::Cold,
        StartKind::Resumed => SampleHeat::Resumed,
        // Flat from the start: the first requests were like those that followed.
        StartKind::Ran if figures.steady_from == Some(0) => SampleHeat::Warm,
        StartKind::Ran | StartKind::Unknown => SampleHeat::Unknown,
    };
    attempt.first.iter_mut().for_each(|sample| sample.heat = Some(before));
    let steady_from = figures.steady_from.unwrap_or(usize::MAX);
    for (index, sample) in attempt.curve.iter_mut().enumerate() {
        sample.heat = Some(if index < steady_from { before } else { SampleHeat::Warm });
    }
}

/// How the machine started, as far as its events and the latency agree.
fn confirmed_start(by_events: StartKind, attempt: &Attempt, figures: &CurveFigures) -> StartKind {
    let Some(first) = FirstAnswer::of(attempt) else { return by_events };
    let services = services(&attempt.curve, first.request);
    let usual = median(&services);
    let waited_long = first.machine.saturating_sub(usual.unwrap_or_default()) > LONGEST_RESUME;
    match by_events {
        StartKind::Booted if figures.steady_from == Some(0) => {
            let is_usual = usual.is_some_and(|usual| first.machine <= usual * TRACE_OF_A_START);
            if is_usual { StartKind::Unknown } else { StartKind::Booted }
        }
        StartKind::Resumed => match (waited_long, warmed_up(figures, &services)) {
            (false, Some(false)) => StartKind::Resumed,
            (true, Some(true)) => StartKind::Booted,
            _ => StartKind::Unknown,
        },
        StartKind::Ran if waited_long => StartKind::Unknown,
        other => other,
    }
}

/// Whether the curve shows the warm-up of a boot; `None` if it is too short to show one. A curve
/// without a steady state shows one if its first third is much slower than its last.
fn warmed_up(figures: &CurveFigures, services: &[Duration]) -> Option<bool> {
    if let Some(steady_from) = figures.steady_from {
        return Some(
            figures.class == Some(CurveClass::WarmUp) && steady_from > MOST_RECONNECTING_REQUESTS,
        );
    }
    let third = services.len() / 3;
    let first = median(&services[..third])?;
    let last = median(&services[services.len() - third..])?;
    (services.len() >= FEWEST_ANSWERS).then_some(first > last * TRACE_OF_A_START)
}

/// The target's part in the answers of a curve to one request, in the order of time.
fn services(curve: &[ExchangeSample], request: &str) -> Vec<Duration> {
    let is_answer =
        |sample: &&ExchangeSample| sample.failure.is_none() && sample.request == request;
    curve.iter().filter(is_answer).map(ExchangeSample::service).collect()
}

fn median(times: &[Duration]) -> Option<Duration> {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Dimension;
    use crate::tune::simulation::session;

    /// An attempt whose events show a start, whose machine took so long for the first answer, and
    /// whose curve becomes steady at an index.
    fn labelled(start: StartKind, wait: Duration, steady_from: Option<usize>) -> Attempt {
        let mut attempt = Attempt { start, ..session(1, false).attempts.swap_remove(0) };
        let first = &mut attempt.first[0];
        first.parts = [(Dimension::FirstByte, u64::try_from(wait.as_micros()).unwrap())].into();
        first.latency = wait;
        let class = steady_from.map(|from| match from {
            0 => CurveClass::Flat,
            _ => CurveClass::WarmUp,
        });
        let figures = CurveFigures { class, steady_from, ..CurveFigures::default() };
        label_attempt(&mut attempt, &figures);
        let once = attempt.clone();
        label_attempt(&mut attempt, &figures);
        assert_eq!(attempt, once, "a second look changes nothing");
        attempt
    }

    fn heats(attempt: &Attempt, index: usize) -> [Option<SampleHeat>; 2] {
        [attempt.first[0].heat, attempt.curve[index].heat]
    }

    const BOOT: Duration = Duration::from_secs(2);
    const LONG_BOOT: Duration = Duration::from_secs(17);
    const USUAL: Duration = Duration::from_millis(250);

    #[test]
    fn samples_are_as_the_machines_start_was_until_steady_and_warm_from_then_on() {
        let booted = labelled(StartKind::Booted, BOOT, Some(39));
        assert_eq!(heats(&booted, 38), [Some(SampleHeat::Cold); 2]);
        assert_eq!(booted.curve[39].heat, Some(SampleHeat::Warm));
        let never = labelled(StartKind::Booted, BOOT, None);
        assert_eq!(never.curve[119].heat, Some(SampleHeat::Cold));
        let unknown = labelled(StartKind::Unknown, BOOT, Some(39));
        assert_eq!(heats(&unknown, 38), [Some(SampleHeat::Unknown); 2]);
        assert_eq!(unknown.curve[39].heat, Some(SampleHeat::Warm));
    }

    #[test]
    fn a_machine_that_ran_was_warm_only_if_it_was_steady_from_the_start() {
        let steady = labelled(StartKind::Ran, USUAL, Some(0));
        assert_eq!(heats(&steady, 0), [Some(SampleHeat::Warm); 2]);
        let unsteady = labelled(StartKind::Ran, USUAL, Some(39));
        assert_eq!(heats(&unsteady, 38), [Some(SampleHeat::Unknown); 2]);
        assert_eq!((unsteady.start, unsteady.start_by_events), (StartKind::Ran, None));
    }

    #[test]
    fn a_resume_is_believed_only_without_a_trace_of_a_boot() {
        let start = |wait, steady_from| labelled(StartKind::Resumed, wait, steady_from).start;
        assert_eq!(start(BOOT, Some(0)), StartKind::Resumed);
        assert_eq!(start(USUAL, Some(MOST_RECONNECTING_REQUESTS)), StartKind::Resumed);
        // A fast boot warms up, and a slow start may have waited for something else.
        assert_eq!(start(USUAL, Some(39)), StartKind::Unknown);
        assert_eq!(start(LONG_BOOT, Some(0)), StartKind::Unknown);
        assert_eq!(start(LONG_BOOT, Some(39)), StartKind::Booted);
        // The simulated curve falls to a third.
        assert_eq!(start(USUAL, None), StartKind::Unknown);
        let booted = labelled(StartKind::Resumed, LONG_BOOT, Some(39));
        assert_eq!(booted.start_by_events, Some(StartKind::Resumed));
        assert_eq!(heats(&booted, 38), [Some(SampleHeat::Cold); 2]);
        let resumed = labelled(StartKind::Resumed, BOOT, Some(5));
        assert_eq!(heats(&resumed, 4), [Some(SampleHeat::Resumed); 2]);
        assert_eq!(resumed.start_by_events, None);
    }

    #[test]
    fn a_latency_that_contradicts_the_events_leaves_the_start_unknown() {
        for (start, wait, steady_from) in [
            (StartKind::Booted, USUAL, Some(0)),
            (StartKind::Ran, LONG_BOOT, Some(0)),
            (StartKind::Resumed, USUAL, Some(39)),
        ] {
            let attempt = labelled(start, wait, steady_from);
            assert_eq!((attempt.start, attempt.start_by_events), (StartKind::Unknown, Some(start)));
            assert_eq!(attempt.first[0].heat, Some(SampleHeat::Unknown));
        }
    }

    #[test]
    fn the_ends_of_a_curve_that_is_too_short_for_a_steady_state_confirm_a_resume() {
        let mut attempt = labelled(StartKind::Ran, USUAL, Some(0));
        attempt.start = StartKind::Resumed;
        attempt.curve.drain(..60);
        let start = |attempt: &Attempt, answers: usize| {
            let mut attempt = attempt.clone();
            attempt.curve.truncate(answers);
            label_attempt(&mut attempt, &CurveFigures::default());
            attempt.start
        };
        assert_eq!(start(&attempt, FEWEST_ANSWERS), StartKind::Resumed);
        assert_eq!(start(&attempt, FEWEST_ANSWERS - 1), StartKind::Unknown);
    }

    #[test]
    fn without_an_answer_the_events_are_all_that_is_known() {
        let mut attempt = labelled(StartKind::Booted, BOOT, Some(39));
        attempt.first.clear();
        label_attempt(&mut attempt, &CurveFigures::default());
        assert_eq!(attempt.start, StartKind::Booted);
    }
}
