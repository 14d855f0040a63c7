//! When an alert is sent: a state machine over the runs of one scenario in one environment.
//!
//! It has two states, quiet and alerting. A message that was delivered changes the state, so
//! messages alternate, whatever the verdicts and however often a delivery fails. The right to send
//! is claimed for a limited time before and given back after, so that two probers do not both send.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::record::AlertRule;

/// What identifies an alert: runs with the same key share its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertKey {
    /// The scenario's name.
    pub scenario: String,
    /// The environment of the runs; empty if they have none.
    pub environment: String,
}

/// What a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertEvent {
    /// Too many of the newest runs failed.
    Failing,
    /// No longer too many of them failed, and the newest run passed.
    Recovered,
}

/// A run that passed or failed. Inconclusive runs are left out: they count as neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertRun {
    /// Its id.
    pub id: Uuid,
    /// When it started.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// Whether it failed.
    pub failed: bool,
}

/// Who may send a message now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct AlertClaim {
    /// A number that the sender drew.
    by: Uuid,
    /// When the claim ends if the sender does not come back.
    #[serde(with = "time::serde::rfc3339")]
    until: OffsetDateTime,
}

/// The state of the alert for one scenario in one environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertState {
    /// The newest runs, the newest last; at most [`AlertRule::MOST_RUNS`].
    runs: Vec<AlertRun>,
    /// Whether the last message that was delivered said that runs fail.
    is_alerting: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<AlertClaim>,
}

/// A message that its claimant may send now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueAlert {
    /// What it says.
    pub event: AlertEvent,
    /// How many of the runs that count failed.
    pub failed: usize,
    /// How many runs count: those of the rule, or fewer if there are not that many yet.
    pub of: usize,
}

impl AlertState {
    /// Adds a run. A run that is known changes nothing. Runs are ordered by their start, because a
    /// run of another prober may end later and have started earlier.
    pub fn add(&mut self, run: AlertRun) {
        if self.runs.iter().any(|known| known.id == run.id) {
            return;
        }
        let key = |run: &AlertRun| (run.started, run.id);
        let place = self.runs.partition_point(|known| key(known) < key(&run));
        self.runs.insert(place, run);
        let surplus = self.runs.len().saturating_sub(AlertRule::MOST_RUNS as usize);
        self.runs.drain(..surplus);
    }

    /// The message that is due; `None` if there is nothing to say.
    fn due(&self, rule: AlertRule) -> Option<DueAlert> {
        let newest = &self.runs[self.runs.len().saturating_sub(rule.of())..];
        let failed = newest.iter().filter(|run| run.failed).count();
        let is_met = failed >= rule.failing();
        let has_passed = newest.last().is_some_and(|run| !run.failed);
        let event = match self.is_alerting {
            false if is_met => AlertEvent::Failing,
            true if !is_met && has_passed => AlertEvent::Recovered,
            _ => return None,
        };
        Some(DueAlert { event, failed, of: newest.len() })
    }

    /// Claims the right to send what is due, until `until`. `None` if nothing is due, or if another
    /// sender holds the right. A sender that is not sure that its claim was kept may claim again.
    pub fn claim(
        &mut self,
        rule: AlertRule,
        by: Uuid,
        (now, until): (OffsetDateTime, OffsetDateTime),
    ) -> Option<DueAlert> {
        let due = self.due(rule)?;
        if self.claim.is_some_and(|held| held.until > now && held.by != by) {
            return None;
        }
        self.claim = Some(AlertClaim { by, until });
        Some(due)
    }

    /// Gives the right back. `delivered` is what was sent, or `None` if nothing was: then the next
    /// run tries again if it is still due. Without effect if another sender has taken the right.
    pub fn settle(&mut self, by: Uuid, delivered: Option<AlertEvent>) {
        if self.claim.is_none_or(|held| held.by != by) {
            return;
        }
        self.claim = None;
        if let Some(event) = delivered {
            self.is_alerting = event == AlertEvent::Failing;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    const START: OffsetDateTime = datetime!(2026-11-23 18:00 UTC);
    const LEASE: Duration = Duration::from_mins(1);

    fn at(minutes: u64) -> OffsetDateTime {
        START + Duration::from_mins(minutes)
    }

    fn run(number: u64, failed: bool) -> AlertRun {
        AlertRun { id: Uuid::from_u128(u128::from(number) + 1), started: at(number), failed }
    }

    fn claim(state: &mut AlertState, rule: &str, by: u128, minute: u64) -> Option<AlertEvent> {
        let span = (at(minute), at(minute) + LEASE);
        let due = state.claim(rule.parse().unwrap(), Uuid::from_u128(by), span);
        due.map(|due| due.event)
    }

    /// The messages after each run: `F` failing, `R` recovered, `.` none. Runs are `f` failed, `p`
    /// passed, `i` inconclusive; each delivery succeeds.
    fn messages(rule: &str, runs: &str) -> String {
        let mut state = AlertState::default();
        let each = runs.chars().zip(0..).map(|(verdict, number)| {
            if verdict != 'i' {
                state.add(run(number, verdict == 'f'));
            }
            let event = claim(&mut state, rule, 7, number);
            state.settle(Uuid::from_u128(7), event);
            match event {
                None => '.',
                Some(AlertEvent::Failing) => 'F',
                Some(AlertEvent::Recovered) => 'R',
            }
        });
        each.collect()
    }

    #[test]
    fn one_message_is_sent_when_enough_runs_failed_and_one_when_they_hold_again() {
        for (rule, runs, sent) in [
            ("1 of 1", "pffpp", ".F.R."),
            ("2 of 3", "ffffpppp", ".F...R.."),
            ("2 of 3", "fpfpfp", "..FRFR"),
            ("2 of 3", "fppfpp", "......"),
            ("3 of 3", "ffpfffp", ".....FR"),
            // Passes are no recovery while the failed run is among the newest three.
            ("1 of 3", "fppp", "F..R"),
            ("2 of 2", "fifip", "..F.R"),
            ("2 of 2", "iiii", "...."),
        ] {
            assert_eq!(messages(rule, runs), sent, "{rule}: {runs}");
        }
    }

    #[test]
    fn a_message_that_was_not_delivered_is_due_again_as_long_as_it_is_true() {
        let mut state = AlertState::default();
        (0..2).for_each(|number| state.add(run(number, true)));
        assert_eq!(claim(&mut state, "2 of 2", 1, 2), Some(AlertEvent::Failing));
        state.settle(Uuid::from_u128(1), None);
        assert_eq!(claim(&mut state, "2 of 2", 2, 3), Some(AlertEvent::Failing));
        state.settle(Uuid::from_u128(2), None);
        state.add(run(4, false));
        assert_eq!(claim(&mut state, "2 of 2", 3, 4), None);
    }

    #[test]
    fn only_one_of_two_senders_gets_the_right_until_it_ends() {
        let mut state = AlertState::default();
        state.add(run(0, true));
        assert_eq!(claim(&mut state, "1 of 1", 1, 0), Some(AlertEvent::Failing));
        assert_eq!(claim(&mut state, "1 of 1", 2, 0), None);
        // The first sender was killed: after its claim has ended, the message is sent once more.
        assert_eq!(claim(&mut state, "1 of 1", 2, 1), Some(AlertEvent::Failing));
        // A sender that is not sure of its claim may claim again.
        assert_eq!(claim(&mut state, "1 of 1", 2, 1), Some(AlertEvent::Failing));
        // If the first one comes back after all, it no longer has a say.
        state.settle(Uuid::from_u128(1), None);
        assert_eq!(claim(&mut state, "1 of 1", 3, 1), None);
        state.settle(Uuid::from_u128(2), Some(AlertEvent::Failing));
        assert_eq!(claim(&mut state, "1 of 1", 3, 1), None);
    }

    #[test]
    fn runs_count_once_and_in_the_order_of_their_starts() {
        let mut state = AlertState::default();
        for (number, failed) in [(2, false), (0, true), (1, true), (1, true)] {
            state.add(run(number, failed));
        }
        assert_eq!(claim(&mut state, "3 of 3", 1, 3), None);
        assert_eq!(claim(&mut state, "2 of 2", 1, 3), None);
        assert_eq!(claim(&mut state, "2 of 3", 1, 3), Some(AlertEvent::Failing));
        (3..200).for_each(|number| state.add(run(number, false)));
        assert_eq!(state.runs.len(), AlertRule::MOST_RUNS as usize);
    }

    #[test]
    fn a_state_is_read_back_as_it_was_written() {
        let mut state = AlertState::default();
        state.add(run(0, true));
        claim(&mut state, "1 of 1", 1, 0);
        let written = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<AlertState>(&written).unwrap(), state);
    }

    proptest! {
        #[test]
        fn messages_alternate_whatever_the_verdicts_the_rule_and_the_failed_deliveries(
            failing in 1_u32..5,
            more in 0_u32..4,
            // The place in time, whether it failed or has no verdict, and whether sending works.
            runs in prop::collection::vec(
                (0_u64..60, prop::option::of(any::<bool>()), any::<bool>()),
                0..80,
            ),
        ) {
            let rule = format!("{failing} of {}", failing + more);
            let (mut state, mut sent) = (AlertState::default(), Vec::new());
            for (number, failed, is_delivered) in runs {
                if let Some(failed) = failed {
                    state.add(run(number, failed));
                }
                let event = claim(&mut state, &rule, 1, number);
                let delivered = event.filter(|_| is_delivered);
                sent.extend(delivered);
                state.settle(Uuid::from_u128(1), delivered);
            }
            let expected = [AlertEvent::Failing, AlertEvent::Recovered].into_iter().cycle();
            prop_assert!(sent.iter().copied().eq(expected.take(sent.len())), "{sent:?}");
        }
    }
}
