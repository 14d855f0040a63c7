//! Evidence against the target that is carried from run to run.

use super::plan_history::PlanHistory;
use crate::record::Decision;
use crate::verdict::binomial::ErrorRate;

/// The evidence of the latest runs against one budget of a plan: the one closest to an alarm.
///
/// `M ← max(M, 1) · E` from run to run is an e-detector (J. Shin, A. Ramdas and A. Rinaldo,
/// *E-detectors: a nonparametric framework for sequential change detection*, 2023). While every
/// budget holds, an alarm at `M ≥ c` comes after `c` runs or more on average. Here `c` is `20^N`
/// for `fail_after = N`, times the number of budgets: as much as `N` failed runs have at least. A
/// pass, and any window of fewer than `N` runs, only lowers `M`, so neither makes an alarm sooner.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CarriedEvidence {
    /// Where it is the highest; `None` if no budget is decided by blocks.
    budget: Option<(String, String)>,
    /// Natural logarithm of the evidence.
    ln: f64,
    /// Number of runs that it comes from.
    runs: u32,
    /// Natural logarithm of the evidence that makes an alarm.
    ln_needed: f64,
    fail_after: u32,
    /// Whether it comes from enough runs for an alarm.
    is_complete: bool,
}

impl CarriedEvidence {
    /// The evidence of a run and those before it, back to the last pass.
    pub(super) fn of(history: &PlanHistory, fail_after: u32) -> Self {
        let ln_budgets = (history.budgets.max(1) as f64).ln();
        let nothing = Self {
            budget: None,
            ln: 0.0,
            runs: 1,
            ln_needed: f64::from(fail_after) * ErrorRate::STATED.ln_evidence() + ln_budgets,
            fail_after,
            is_complete: false,
        };
        let own = history.own.iter();
        let windows = own.flat_map(|(request, budget, ln)| {
            let budget = (request, budget);
            windows(history, budget, *ln).map(move |(runs, ln)| (budget, runs, ln))
        });
        windows.fold(nothing, |best, ((request, budget), runs, ln)| {
            let is_complete = runs >= fail_after;
            let is_better = best.budget.is_none()
                || (is_complete, ln).partial_cmp(&(best.is_complete, best.ln))
                    == Some(std::cmp::Ordering::Greater);
            if !is_better {
                return best;
            }
            let budget = Some((request.clone(), budget.clone()));
            Self { budget, ln, runs, is_complete, ..best }
        })
    }

    /// The reason to fail, if there is enough evidence from enough runs.
    pub(super) fn alarm(&self) -> Option<String> {
        let (request, budget) = self.budget.as_ref().filter(|_| self.is_complete)?;
        (self.ln >= self.ln_needed - 1e-9).then(|| {
            format!(
                "`{request}` {budget}: the evidence of the last {} is {}, and {} makes an alarm; \
                 carry = true, fail_after = {}",
                runs(self.runs),
                size(self.ln),
                size(self.ln_needed),
                self.fail_after
            )
        })
    }

    /// How much evidence there is.
    pub(super) fn words(&self) -> String {
        let of = runs(self.runs);
        let (own, needed) = (size(self.ln.max(0.0)), size(self.ln_needed));
        format!("carried evidence {own} from {of}, {needed} makes an alarm; carry = true")
    }
}

/// The evidence against a budget in the last run, in the last two, and so on, each with the number
/// of runs, back to the last pass.
fn windows<'a>(
    history: &'a PlanHistory,
    (request, budget): (&'a String, &'a String),
    own: f64,
) -> impl Iterator<Item = (u32, f64)> + 'a {
    let since_pass = history.earlier.iter().take_while(|run| run.decision != Decision::Pass);
    let earlier = since_pass.map(move |run| {
        let mut known = run.evidence.iter();
        known.find(|known| known.0 == *request && known.1 == *budget).map_or(0.0, |known| known.2)
    });
    let each = std::iter::once(own).chain(earlier);
    each.scan((0_u32, 0.0), |(runs, sum), ln| {
        (*runs, *sum) = (runs.saturating_add(1), *sum + ln);
        Some((*runs, *sum))
    })
}

fn runs(number: u32) -> String {
    if number == 1 { "1 run".to_owned() } else { format!("{number} runs") }
}

/// Evidence in words: `35`, `more than a million`.
fn size(ln: f64) -> String {
    const MILLION: f64 = 1e6;
    let evidence = ln.exp();
    match evidence {
        e if e > MILLION => "more than a million".to_owned(),
        e if e < 9.95 => format!("{e:.1}"),
        e => format!("{e:.0}"),
    }
}
