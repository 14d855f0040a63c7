//! How many exceedances of a budget are caused by waiting for a connection, and which limit caused
//! the wait.
//!
//! Nothing here changes a decision: waiting counts against the target, which holds the connections.
//! But the reader of a verdict needs to know whether the scenario's own limit on connections caused
//! the wait.

use crate::record::{CapacityEstimate, CeilingCount};

/// Exceedances, at least half of which would stay below the ceiling without the wait for a
/// connection.
pub(super) struct WaitBlame<'a> {
    over: u64,
    by_wait: u64,
    capacity: Option<&'a CapacityEstimate>,
}

impl<'a> WaitBlame<'a> {
    /// The wait blame for a ceiling; `None` if waiting explains less than half of the exceedances.
    pub(super) fn of(count: CeilingCount, capacity: Option<&'a CapacityEstimate>) -> Option<Self> {
        let CeilingCount { exceeded: over, exceeded_without_wait, .. } = count;
        let by_wait = over.saturating_sub(exceeded_without_wait);
        (by_wait > 0 && by_wait * 2 >= over).then_some(Self { over, by_wait, capacity })
    }

    /// `60 of the 74 only because they waited: the limit of 16 places (30 wanted) contributed to
    /// this, not the target alone`.
    ///
    /// The sentence does not claim that more connections would help: a target that stalls does so
    /// on all of them.
    pub(super) fn words(&self) -> String {
        let share = match (self.by_wait, self.over) {
            (all, over) if all == over => "all of them".to_owned(),
            (some, over) => format!("{some} of the {over}"),
        };
        let places =
            |places| if places == 1 { "1 place".to_owned() } else { format!("{places} places") };
        match self.capacity {
            None => format!("{share} only because they waited for a connection"),
            Some(CapacityEstimate { places: limit, wanted: Some(wanted), .. })
                if wanted > limit =>
            {
                format!(
                    "{share} only because they waited: the limit of {} ({wanted} wanted) contributed to this, not the target alone",
                    places(*limit)
                )
            }
            Some(CapacityEstimate { places: limit, .. }) => {
                format!("{share} only because they waited for one of up to {}", places(*limit))
            }
        }
    }

    /// The remedy if the limit is too low.
    pub(super) fn remedy(&self) -> Option<String> {
        Some(format!("{}, and run it again", self.capacity?.remedy.as_ref()?))
    }
}

#[cfg(test)]
mod tests {
    use crate::record::{BudgetVerdict, CapacityEstimate, Decision};
    use crate::verdict::fixture::{FixtureRequest, run, scenario};
    use crate::verdict::judge;

    /// The verdict on `p95 < 300ms` for 200 requests: `slow` of them took longer, `by_wait` of
    /// these only because they waited.
    fn verdict(
        slow: usize,
        by_wait: u64,
        capacity: impl Into<Option<CapacityEstimate>>,
    ) -> BudgetVerdict {
        let took = [vec![100_000; 200 - slow], vec![412_000; slow]].concat();
        let request = FixtureRequest::new("tile", &["p95 < 300ms"])
            .took(&took)
            .of_which_wait_explains(by_wait);
        let (mut planned, measured) = scenario("tiles", &[request]);
        planned.capacity = capacity.into();
        let (plan, measurement) = run(vec![(planned, measured)]);
        judge(&plan, &measurement).scenarios.remove(0).budgets.remove(0)
    }

    fn capacity(places: u64, wanted: Option<u64>) -> CapacityEstimate {
        let short = wanted.filter(|&wanted| wanted > places);
        CapacityEstimate {
            places,
            wanted,
            remedy: short.map(|wanted| format!("write `connections = {wanted}`")),
        }
    }

    #[test]
    fn a_limit_below_what_the_budgets_want_is_named_with_its_remedy_and_decides_nothing() {
        let verdict = verdict(74, 60, capacity(16, Some(30)));
        assert_eq!(verdict.decision, Decision::Fail);
        assert!(
            verdict.reason.what.ends_with(
                "; 60 of the 74 only because they waited: the limit of 16 places (30 wanted) contributed to this, not the target alone"
            ),
            "{}",
            verdict.reason.what
        );
        assert!(
            verdict.reason.next.starts_with("write `connections = 30`"),
            "{}",
            verdict.reason.next
        );
    }

    #[test]
    fn with_enough_slots_only_the_wait_is_reported() {
        for wanted in [None, Some(16), Some(3)] {
            let verdict = verdict(74, 74, capacity(16, wanted));
            assert!(
                verdict
                    .reason
                    .what
                    .ends_with("; all of them only because they waited for one of up to 16 places"),
                "{}",
                verdict.reason.what
            );
            assert_eq!(verdict.reason.next, "the phases table shows where the time went");
        }
    }

    #[test]
    fn an_undecided_budget_says_it_and_what_would_settle_it() {
        let verdict = verdict(13, 9, capacity(8, Some(9)));
        assert_eq!(verdict.decision, Decision::Inconclusive);
        assert!(
            verdict.reason.what.contains("the limit of 8 places (9 wanted) contributed to this"),
            "{}",
            verdict.reason.what
        );
        assert!(
            verdict.reason.next.starts_with("write `connections = 9`"),
            "{}",
            verdict.reason.next
        );
        assert!(verdict.reason.next.contains("more requests"), "{}", verdict.reason.next);
    }

    #[test]
    fn a_pass_says_it_and_needs_no_remedy_unless_the_limit_is_too_low() {
        let held = verdict(3, 3, capacity(16, Some(6)));
        assert_eq!((held.decision, held.reason.next.as_str()), (Decision::Pass, ""));
        assert!(
            held.reason.what.ends_with("because they waited for one of up to 16 places"),
            "{}",
            held.reason.what
        );
        assert_ne!(verdict(3, 3, capacity(4, Some(6))).reason.next, "");
    }

    #[test]
    fn drops_are_nothing_but_waiting() {
        let request =
            FixtureRequest::new("tile", &["p95 < 300ms"]).took(&[100_000; 100]).dropped(40);
        let (mut planned, measured) = scenario("tiles", &[request]);
        planned.capacity = Some(capacity(2, Some(60)));
        let (plan, measurement) = run(vec![(planned, measured)]);
        let reason = judge(&plan, &measurement).scenarios.remove(0).budgets.remove(0).reason;
        assert!(
            reason.what.contains("the limit of 2 places (60 wanted) contributed to this"),
            "{}",
            reason.what
        );
        assert!(reason.next.starts_with("write `connections = 60`"), "{}", reason.next);
    }

    #[test]
    fn waiting_that_explains_less_than_half_is_not_mentioned() {
        let verdict = verdict(74, 36, capacity(1, Some(30)));
        assert!(!verdict.reason.what.contains("connection"), "{}", verdict.reason.what);
        let closed = self::verdict(74, 37, None);
        assert!(
            closed.reason.what.ends_with("37 of the 74 only because they waited for a connection"),
            "{}",
            closed.reason.what
        );
    }
}
