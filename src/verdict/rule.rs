//! The rule by which a run's statements about its target are decided.

use super::binomial::{Alpha, Exceeded};
use super::finding::Finding;
use crate::record::PlannedScenario;
use crate::units::Ratio;

/// What is said where the allowed exceedance lies too near the observed one.
const NOTHING_SETTLES_IT: &str =
    "no sensible number of requests settles it: the observed exceedance is about the allowed one";

/// Exact one-sided binomial tests at a stated error rate.
///
/// A pass needs every budget, so each is tested at the whole error rate: all of them hold wrongly no more often
/// than the worst of them. A fail needs any one, so each is tested at the error rate divided by the number of
/// tested budgets in the *whole run*, over all its scenarios: a run whose target is within all its budgets fails
/// no more often than the stated rate. Budgets that allow none test nothing and take no share of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    to_pass: Alpha,
    to_fail: Alpha,
}

impl Rule {
    /// How the record names it.
    pub(super) const NAME: &'static str = "exact binomial";

    /// The rule for the budgets of one run.
    pub(super) fn of(plan: &[PlannedScenario]) -> Self {
        let budgets = plan
            .iter()
            .flat_map(|scenario| &scenario.requests)
            .flat_map(|request| &request.budgets);
        let tested = budgets.filter(|budget| budget.allowed().is_some()).count();
        Self { to_pass: Alpha::STATED, to_fail: Alpha::STATED.shared_by(tested) }
    }

    /// What exceedances say about a target that may exceed in `allowed` of all its exchanges.
    pub(super) fn test(self, seen: Exceeded, allowed: Ratio) -> Finding {
        if seen.of == 0 {
            Finding::NoData
        } else if seen.proves_below(allowed, self.to_pass) {
            Finding::Holds
        } else if seen.proves_above(allowed, self.to_fail) {
            Finding::Breached
        } else {
            Finding::Undecided
        }
    }

    /// What exceedances say about the exchanges made, of which none may exceed.
    pub(super) fn describe(seen: Exceeded) -> Finding {
        match seen {
            Exceeded { of: 0, .. } => Finding::NoData,
            Exceeded { over: 0, .. } => Finding::Holds,
            Exceeded { .. } => Finding::Breached,
        }
    }

    /// What would settle an undecided test, as a sentence's end; `without_lag` is what would be seen if the
    /// prober had not been late, and alone can prove a breach.
    pub(super) fn settled_by(
        self,
        seen: Exceeded,
        without_lag: Exceeded,
        allowed: Ratio,
    ) -> String {
        let holds = seen.more_to_prove_below(allowed, self.to_pass);
        let breach = || without_lag.more_to_prove_above(allowed, self.to_fail);
        match (holds, seen.over) {
            (Some(more), 0) => {
                format!("{} with none over would prove that it holds", more_requests(more))
            }
            (Some(more), _) => {
                format!(
                    "about {} at this rate of exceedances would prove that it holds",
                    more_requests(more)
                )
            }
            (None, _) => match breach() {
                Some(more) => {
                    format!(
                        "about {} at this rate of exceedances would prove the breach",
                        more_requests(more)
                    )
                }
                None => NOTHING_SETTLES_IT.to_owned(),
            },
        }
    }
}

/// A number of further requests, rounded up to two digits where it is an estimate of many.
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
    use crate::verdict::fixture::{Request, run, scenario};

    const ALL: Rule = Rule { to_pass: Alpha::STATED, to_fail: Alpha::STATED };

    fn settled(over: u64, of: u64) -> String {
        let seen = Exceeded { over, of };
        ALL.settled_by(seen, seen, Ratio::new(0.05).unwrap())
    }

    #[test]
    fn an_undecided_test_says_what_would_settle_it_and_which_way() {
        assert_eq!(settled(0, 58), "1 more request with none over would prove that it holds");
        assert_eq!(
            settled(7, 200),
            "about 450 more requests at this rate of exceedances would prove that it holds"
        );
        assert_eq!(
            settled(13, 190),
            "about 340 more requests at this rate of exceedances would prove the breach"
        );
        assert_eq!(settled(10, 200), NOTHING_SETTLES_IT);
    }

    #[test]
    fn a_breach_by_lag_alone_is_not_promised_to_be_proven_by_more_requests() {
        let (seen, without_lag) = (Exceeded { over: 13, of: 190 }, Exceeded { over: 0, of: 190 });
        let text = ALL.settled_by(seen, without_lag, Ratio::new(0.05).unwrap());
        assert_eq!(text, NOTHING_SETTLES_IT);
    }

    const RUNS: u64 = 20_000;

    /// How many of [`RUNS`] simulated runs end in a finding on any of their budgets, where each of `exchanges`
    /// per budget takes too long with probability 5 %: just the share that `p95` draws the line at.
    fn runs_with(finding: Finding, budgets: usize, exchanges: u64) -> Exceeded {
        let requests: Vec<_> =
            (0..budgets).map(|_| Request::new("tile", &["p95 < 300ms"])).collect();
        let rule = Rule::of(&run(vec![scenario("tiles", &requests)]).0);
        let allowed = Ratio::new(0.05).unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(20);
        let draws = rand_distr::Binomial::new(exchanges, 0.05).unwrap();
        let mut over = || draws.sample(&mut random);
        let mut is_found = || {
            let found = (0..budgets).filter(|_| {
                rule.test(Exceeded { over: over(), of: exchanges }, allowed) == finding
            });
            found.count() > 0
        };
        Exceeded { over: (0..RUNS).filter(|_| is_found()).count() as u64, of: RUNS }
    }

    /// That a simulated rate lies within what `RUNS` runs can tell of the exact one.
    fn is_near(seen: Exceeded, exact: f64) -> bool {
        let (low, high) = seen.interval(Alpha::STATED.shared_by(20));
        low.as_f64() <= exact && exact <= high.as_f64()
    }

    /// The exact rates are sums of exact fractions; the seed is fixed, so that this always holds or never.
    #[test]
    fn a_target_just_outside_its_budget_passes_no_more_often_than_stated() {
        for (exchanges, exact) in [(59, 0.048_495), (181, 0.049_163), (200, 0.026_447)] {
            let passes = runs_with(Finding::Holds, 1, exchanges);
            assert!(passes.over <= RUNS / 20 && is_near(passes, exact), "{exchanges}: {passes:?}");
        }
    }

    #[test]
    fn a_target_just_inside_its_budgets_fails_no_more_often_than_stated() {
        for (budgets, exact) in [(1, 0.044_356), (4, 0.047_489)] {
            let fails = runs_with(Finding::Breached, budgets, 200);
            assert!(fails.over <= RUNS / 20 && is_near(fails, exact), "{budgets}: {fails:?}");
        }
    }
}
