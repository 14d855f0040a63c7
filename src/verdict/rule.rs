//! The rule that decides budgets by counts alone.

use super::binomial::{ErrorRate, ExceedanceCount};
use super::finding::BudgetFinding;
use crate::record::PlannedScenario;
use crate::units::Ratio;

/// The text for an observed exceedance that is too close to the allowed one.
const NOTHING_SETTLES_IT: &str = "no practical number of requests would settle it: the observed exceedance is too close to the allowed one";

/// The text for a share of exceedances that no longer run would distinguish from the allowed one.
pub(super) const TOO_CLOSE: &str = "no practical length of the run would settle it: the observed exceedance is too close to the allowed one";

/// Exact one-sided binomial tests at a stated error rate, for a run of which only counts are known.
///
/// They assume that exchanges are independent; a run that is counted in slots is tested by
/// [blocks](super::block_test) instead.
///
/// A pass needs every budget, so each is tested at the full error rate: a wrong pass of the run is
/// no more likely than a wrong pass of its worst budget. A fail needs only one budget, so each is
/// tested at the error rate divided by the number of tested budgets in the *whole run*
/// (Bonferroni): a target within all its budgets fails no more often than the stated rate. Budgets
/// that allow no exceedance are not tests and take no share of the rate.
#[derive(Debug, Clone, Copy)]
pub(super) struct DecisionRule {
    to_pass: ErrorRate,
    to_fail: ErrorRate,
    /// Number of tested budgets of the whole run.
    budgets: usize,
}

impl DecisionRule {
    /// Its name in the record.
    pub(super) const NAME: &'static str = "exact binomial";

    /// The rule for the budgets of one run.
    pub(super) fn of<'a>(plan: impl IntoIterator<Item = &'a PlannedScenario>) -> Self {
        let budgets = plan
            .into_iter()
            .flat_map(|scenario| &scenario.requests)
            .flat_map(|request| &request.budgets);
        let tested = budgets.filter(|budget| budget.allowed().is_some()).count();
        Self {
            to_pass: ErrorRate::STATED,
            to_fail: ErrorRate::STATED.shared_by(tested),
            budgets: tested,
        }
    }

    /// The rule of each of `verdicts` verdicts, so that all of them together err no more often than
    /// this one states (union bound).
    pub(super) fn shared_by(self, verdicts: usize) -> Self {
        Self {
            to_pass: self.to_pass.shared_by(verdicts),
            to_fail: self.to_fail.shared_by(verdicts),
            ..self
        }
    }

    /// How often each side of the decision on the run may be wrong.
    pub(super) fn error_rate(self) -> ErrorRate {
        self.to_pass
    }

    /// Number of tested budgets of the whole run.
    pub(super) fn budgets(self) -> usize {
        self.budgets
    }

    /// Tests a budget that allows the target to exceed in a share `allowed` of its exchanges.
    pub(super) fn test(self, observed: ExceedanceCount, allowed: Ratio) -> BudgetFinding {
        if observed.of == 0 {
            BudgetFinding::NoData
        } else if observed.proves_below(allowed, self.to_pass) {
            BudgetFinding::Holds
        } else if observed.proves_above(allowed, self.to_fail) {
            BudgetFinding::Breached
        } else {
            BudgetFinding::Undecided
        }
    }

    /// Decides a budget that allows no exceedance in the exchanges made.
    pub(super) fn describe(observed: ExceedanceCount) -> BudgetFinding {
        match observed {
            ExceedanceCount { of: 0, .. } => BudgetFinding::NoData,
            ExceedanceCount { over: 0, .. } => BudgetFinding::Holds,
            ExceedanceCount { .. } => BudgetFinding::Breached,
        }
    }

    /// Describes, as a clause, what would settle an undecided test. Only `without_lag`, the count
    /// that the prober's lag does not explain, can prove a breach.
    pub(super) fn what_settles_it(
        self,
        observed: ExceedanceCount,
        without_lag: ExceedanceCount,
        allowed: Ratio,
    ) -> String {
        let holds = observed.more_to_prove_below(allowed, self.to_pass);
        let breach = || without_lag.more_to_prove_above(allowed, self.to_fail);
        match (holds, observed.over) {
            (Some(more), 0) => {
                format!(
                    "{} with none over the limit would prove that the budget holds",
                    more_requests(more)
                )
            }
            (Some(more), _) => {
                format!(
                    "about {} at the observed rate of exceedances would prove that the budget holds",
                    more_requests(more)
                )
            }
            (None, _) => match breach() {
                Some(more) => {
                    format!(
                        "about {} at the observed rate of exceedances would prove the breach",
                        more_requests(more)
                    )
                }
                None => NOTHING_SETTLES_IT.to_owned(),
            },
        }
    }
}

/// Formats a number of further requests; numbers above 99 are estimates and are rounded up to two
/// digits.
fn more_requests(more: u64) -> String {
    let mut unit = 1;
    while more / unit >= 100 {
        unit *= 10;
    }
    match more.div_ceil(unit) * unit {
        1 => "1 more request".to_owned(),
        rounded => format!("{rounded} more requests"),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::Distribution;

    use super::*;
    use crate::verdict::fixture::{FixtureRequest, run, scenario};

    const ALL: DecisionRule =
        DecisionRule { to_pass: ErrorRate::STATED, to_fail: ErrorRate::STATED, budgets: 1 };

    fn settled(over: u64, of: u64) -> String {
        let observed = ExceedanceCount { over, of };
        ALL.what_settles_it(observed, observed, Ratio::new(0.05).unwrap())
    }

    #[test]
    fn an_undecided_test_says_what_would_settle_it_and_which_way() {
        assert_eq!(
            settled(0, 58),
            "1 more request with none over the limit would prove that the budget holds"
        );
        assert_eq!(
            settled(7, 200),
            "about 450 more requests at the observed rate of exceedances would prove that the budget holds"
        );
        assert_eq!(
            settled(13, 190),
            "about 340 more requests at the observed rate of exceedances would prove the breach"
        );
        assert_eq!(settled(10, 200), NOTHING_SETTLES_IT);
    }

    #[test]
    fn a_breach_by_lag_alone_is_not_promised_to_be_proven_by_more_requests() {
        let (observed, without_lag) =
            (ExceedanceCount { over: 13, of: 190 }, ExceedanceCount { over: 0, of: 190 });
        let text = ALL.what_settles_it(observed, without_lag, Ratio::new(0.05).unwrap());
        assert_eq!(text, NOTHING_SETTLES_IT);
    }

    const RUNS: u64 = 20_000;

    /// How many of [`RUNS`] simulated runs end in a finding on any of their budgets, where each of
    /// `exchanges` per budget takes too long with probability 5 %: exactly the share that `p95`
    /// allows.
    fn runs_with(finding: BudgetFinding, budgets: usize, exchanges: u64) -> ExceedanceCount {
        let requests: Vec<_> =
            (0..budgets).map(|_| FixtureRequest::new("tile", &["p95 < 300ms"])).collect();
        let rule = DecisionRule::of(&run(vec![scenario("tiles", &requests)]).0);
        let allowed = Ratio::new(0.05).unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(20);
        let draws = rand_distr::Binomial::new(exchanges, 0.05).unwrap();
        let mut over = || draws.sample(&mut random);
        let mut is_found = || {
            let found = (0..budgets).filter(|_| {
                rule.test(ExceedanceCount { over: over(), of: exchanges }, allowed) == finding
            });
            found.count() > 0
        };
        ExceedanceCount { over: (0..RUNS).filter(|_| is_found()).count() as u64, of: RUNS }
    }

    /// Asserts that a simulated rate is as close to the exact one as `RUNS` runs allow.
    fn is_near(observed: ExceedanceCount, exact: f64) -> bool {
        let (low, high) = observed.interval(ErrorRate::STATED.shared_by(20));
        low.as_f64() <= exact && exact <= high.as_f64()
    }

    /// The exact rates are sums of exact fractions; the seed is fixed, so that this always holds or
    /// never.
    #[test]
    fn a_target_just_outside_its_budget_passes_no_more_often_than_stated() {
        for (exchanges, exact) in [(59, 0.048_495), (181, 0.049_163), (200, 0.026_447)] {
            let passes = runs_with(BudgetFinding::Holds, 1, exchanges);
            assert!(passes.over <= RUNS / 20 && is_near(passes, exact), "{exchanges}: {passes:?}");
        }
    }

    #[test]
    fn a_target_just_inside_its_budgets_fails_no_more_often_than_stated() {
        for (budgets, exact) in [(1, 0.044_356), (4, 0.047_489)] {
            let fails = runs_with(BudgetFinding::Breached, budgets, 200);
            assert!(fails.over <= RUNS / 20 && is_near(fails, exact), "{budgets}: {fails:?}");
        }
    }
}
