//! Decides when to stop a run because its target is clearly down.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::record::{BreakerPolicy, Interval, PlannedScenario, Stage};

/// Watches settled intervals for a target that gives no answer at all.
///
/// A scenario's target is clearly down when its last [`CircuitBreaker::EXCHANGES`] or more measured
/// exchanges, over at least as many settled seconds as its [`BreakerPolicy`] says, all failed
/// without an answer. A wrong answer is an answer, and so is one beyond a limit of tollgate. A
/// dropped arrival was never sent and does not count either way.
#[derive(Debug, Default)]
pub struct CircuitBreaker {
    /// Scenario and name of each hop; a hop is part of another exchange and is not counted
    /// separately.
    hops: HashSet<(String, String)>,
    silent: HashMap<String, SilentStreak>,
    /// The policies of scenarios by name; the default for others.
    policies: HashMap<String, BreakerPolicy>,
}

#[derive(Debug, Default)]
struct SilentStreak {
    /// Where the last silent second started.
    last: Option<Duration>,
    seconds: u64,
    exchanges: u64,
}

impl CircuitBreaker {
    /// How many consecutive exchanges must stay unanswered.
    pub const EXCHANGES: u64 = 20;

    /// A breaker for these scenarios. Only whole exchanges count: an answered redirect whose last
    /// hop stays unanswered is unanswered.
    pub fn of<'a>(plan: impl IntoIterator<Item = &'a PlannedScenario>) -> Self {
        let plan: Vec<_> = plan.into_iter().collect();
        let policies = plan.iter().map(|scenario| (scenario.name.clone(), scenario.gate.breaker));
        let policies = policies.collect();
        let hops = plan.into_iter().flat_map(|scenario| {
            let hops = scenario.requests.iter().filter(|request| request.hop_of.is_some());
            hops.map(|hop| (scenario.name.clone(), hop.name.clone()))
        });
        Self { hops: hops.collect(), policies, ..Self::default() }
    }

    /// Adds the next interval; returns a description if the target is now clearly down.
    pub fn observe(&mut self, interval: &Interval) -> Option<String> {
        let is_hop = || self.hops.contains(&(interval.scenario.clone(), interval.request.clone()));
        if interval.stage != Stage::Measured || (!self.hops.is_empty() && is_hop()) {
            return None;
        }
        let tally = &interval.tally;
        let silence = self.silent.entry(interval.scenario.clone()).or_default();
        if tally.answered() + tally.beyond_limits > 0 {
            *silence = SilentStreak::default();
            return None;
        }
        silence.exchanges += tally.unanswered();
        if silence.last.replace(interval.start) != Some(interval.start) {
            silence.seconds += 1;
        }
        let policy = self.policies.get(&interval.scenario).copied().unwrap_or_default();
        let BreakerPolicy::After(longest) = policy else { return None };
        let down = silence.exchanges >= Self::EXCHANGES && silence.seconds >= longest.as_secs();
        let most = tally.failures.iter().max_by_key(|(_, count)| **count).filter(|_| down)?;
        Some(format!(
            "{}: no answer to the last {} requests, over {} s: {}",
            interval.scenario, silence.exchanges, silence.seconds, most.0
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{DimensionHistograms, Failure, ServerTimings, Tally};

    fn interval(second: u64, failure: Option<Failure>, exchanges: u64) -> Interval {
        let failures: std::collections::BTreeMap<_, _> =
            failure.map(|kind| (kind, exchanges)).into_iter().collect();
        let ok = if failure.is_some() { 0 } else { exchanges };
        Interval {
            scenario: "tile-loader".to_owned(),
            request: "page".to_owned(),
            stage: Stage::Measured,
            start: Duration::from_secs(second),
            tally: Tally { exchanges, ok, failures, ..Tally::default() },
            series: DimensionHistograms::default(),
            server_timings: ServerTimings::default(),
            samples: Vec::new(),
        }
    }

    #[test]
    fn a_target_that_stays_silent_is_down() {
        let mut breaker = CircuitBreaker::default();
        assert_eq!(breaker.observe(&interval(0, Some(Failure::Refused), 10)), None);
        assert_eq!(breaker.observe(&interval(1, Some(Failure::Refused), 10)), None);
        let down = breaker.observe(&interval(2, Some(Failure::Refused), 10)).unwrap();
        assert_eq!(
            down,
            "tile-loader: no answer to the last 30 requests, over 3 s: connection refused"
        );
    }

    /// The second in which the breaker of a scenario with this policy trips.
    fn trips(policy: &str) -> Option<u64> {
        let (mut planned, _) = crate::verdict::fixture::scenario("tile-loader", &[]);
        planned.gate.breaker = policy.parse().unwrap();
        let mut breaker = CircuitBreaker::of([&planned]);
        (0..60).find(|second| {
            breaker.observe(&interval(*second, Some(Failure::Refused), 10)).is_some()
        })
    }

    #[test]
    fn a_scenario_says_how_long_its_target_may_stay_silent() {
        assert_eq!((trips("3s"), trips("10s"), trips("off")), (Some(2), Some(9), None));
    }

    #[test]
    fn a_redirect_that_is_answered_does_not_make_up_for_an_end_that_never_is() {
        let (mut planned, _) = crate::verdict::fixture::scenario("tile-loader", &[]);
        let mut hop = crate::verdict::fixture::FixtureRequest::new("page, hop 1", &[]).planned();
        hop.hop_of = Some("page".to_owned());
        planned.requests.push(hop);
        let mut breaker = CircuitBreaker::of([&planned]);
        let down = (0..3).any(|second| {
            let answered =
                Interval { request: "page, hop 1".to_owned(), ..interval(second, None, 10) };
            breaker.observe(&answered);
            breaker.observe(&interval(second, Some(Failure::Refused), 10)).is_some()
        });
        assert!(down);
    }

    #[test]
    fn many_requests_in_one_second_are_one_second() {
        let mut breaker = CircuitBreaker::default();
        assert!(
            (0..10).all(|_| breaker.observe(&interval(7, Some(Failure::Closed), 20)).is_none())
        );
    }

    #[test]
    fn one_answer_however_wrong_starts_the_count_anew() {
        let mut breaker = CircuitBreaker::default();
        for second in 0..10 {
            assert_eq!(breaker.observe(&interval(3 * second, Some(Failure::TimedOut), 15)), None);
            assert_eq!(
                breaker.observe(&interval(3 * second + 1, Some(Failure::TimedOut), 15)),
                None
            );
            assert_eq!(breaker.observe(&interval(3 * second + 2, Some(Failure::Status), 15)), None);
        }
    }

    #[test]
    fn a_target_whose_answers_exceed_our_limits_is_not_down() {
        let mut breaker = CircuitBreaker::default();
        assert!((0..60).all(|second| {
            let mut refused = interval(second, Some(Failure::Refused), 10);
            refused.tally.beyond_limits = 1;
            breaker.observe(&refused).is_none()
        }));
    }

    #[test]
    fn dropped_arrivals_were_never_sent_and_prove_nothing() {
        let mut breaker = CircuitBreaker::default();
        assert!((0..60).all(|second| {
            breaker.observe(&interval(second, Some(Failure::Dropped), 40)).is_none()
        }));
    }

    #[test]
    fn a_few_failures_are_no_proof() {
        let mut breaker = CircuitBreaker::default();
        assert!(
            (0..19).all(|second| breaker
                .observe(&interval(second, Some(Failure::Reset), 1))
                .is_none())
        );
        assert!(breaker.observe(&interval(19, Some(Failure::Reset), 1)).is_some());
    }
}
