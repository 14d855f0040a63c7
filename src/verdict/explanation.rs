//! Why a budget is not met, beyond its count: clauses for the verdict's sentence, and remedies.

use std::collections::HashSet;
use std::time::Duration;

use super::bursts::{ExceedancePattern, RunShare};
use super::peer_blame::PeerBlame;
use super::phrases::percent;
use super::time_blame::TimeBlame;
use crate::record::{BudgetVerdict, Decision, VerdictReason};
use crate::units::{Ratio, format_duration};

/// Maximum number of remedies in one reason: more would not be read.
const MAX_REMEDIES: usize = 3;

/// What explains a budget that is not met. Each clause and each remedy makes sense alone, so that
/// one that an earlier budget has can be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct BudgetExplanation {
    clauses: Vec<String>,
    /// The most specific first.
    remedies: Vec<String>,
}

impl BudgetExplanation {
    /// Adds a clause and its remedy. An empty remedy is not added.
    pub(super) fn add(&mut self, clause: impl Into<String>, remedy: impl Into<String>) {
        self.clauses.push(clause.into());
        self.add_remedy(remedy);
    }

    /// Adds a remedy alone.
    pub(super) fn add_remedy(&mut self, remedy: impl Into<String>) {
        let remedy = remedy.into();
        if !remedy.is_empty() {
            self.remedies.push(remedy);
        }
    }

    /// Whether no remedy was added.
    pub(super) fn has_no_remedy(&self) -> bool {
        self.remedies.is_empty()
    }

    /// Adds where the time went.
    pub(super) fn add_time(&mut self, blames: Vec<TimeBlame>) {
        for TimeBlame { words, remedy } in blames {
            self.add(words, remedy);
        }
    }

    /// Adds which addresses or connections carried the exceedances.
    pub(super) fn add_peers(&mut self, blame: Option<PeerBlame>) {
        if let Some(PeerBlame { words, remedy }) = blame {
            self.add(words, remedy);
        }
    }

    /// Adds when the exceedances occurred.
    pub(super) fn add_pattern(&mut self, pattern: PatternWords) {
        self.add(pattern.clause, pattern.remedy);
    }
}

/// A budget's verdict with what explains it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ExplainedVerdict {
    pub(super) verdict: BudgetVerdict,
    pub(super) explanation: BudgetExplanation,
}

/// Adds the explanations to the reasons of the budgets of one request. A clause or remedy that an
/// earlier budget of the request has is not repeated.
pub(super) fn explain_once(explained: Vec<ExplainedVerdict>) -> Vec<BudgetVerdict> {
    let mut said = HashSet::new();
    explained
        .into_iter()
        .map(|ExplainedVerdict { mut verdict, explanation }| {
            let BudgetExplanation { clauses, remedies } = explanation;
            let new = clauses.into_iter().filter(|clause| said.insert(clause.clone()));
            for clause in new.collect::<Vec<_>>() {
                verdict.reason.what = format!("{}; {clause}", verdict.reason.what);
            }
            let remedies: Vec<_> =
                remedies.into_iter().filter(|remedy| said.insert(remedy.clone())).collect();
            let all = remedies.into_iter().take(MAX_REMEDIES);
            let known = Some(verdict.reason.next.clone()).filter(|next| !next.is_empty());
            let next = all.chain(known).collect::<Vec<_>>().join("; ");
            verdict.reason = VerdictReason { next, ..verdict.reason };
            verdict
        })
        .collect()
}

/// If only one request of the scenario has budgets that are not met, adds to the first of them that
/// all other requests hold theirs.
pub(super) fn note_only_failing_request(budgets: &mut [BudgetVerdict]) {
    let requests: HashSet<String> = budgets.iter().map(|budget| budget.request.clone()).collect();
    let is_open = |budget: &BudgetVerdict| budget.decision != Decision::Pass;
    let open: HashSet<String> = budgets
        .iter()
        .filter(|budget| is_open(budget))
        .map(|budget| budget.request.clone())
        .collect();
    let others = requests.len() - open.len();
    if let Some(budget) = budgets.iter_mut().find(|budget| is_open(budget))
        && open.len() == 1
        && others > 0
        && budget.exceeded > 0
    {
        let hold = match others {
            1 => "the other request holds its budgets".to_owned(),
            _ => format!("the other {others} requests hold their budgets"),
        };
        budget.reason.what = format!("{}; {hold}", budget.reason.what);
    }
}

/// A pattern in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PatternWords {
    pub(super) clause: String,
    pub(super) remedy: String,
}

impl PatternWords {
    /// The words for a pattern. `noun` names the exceedances: `exceedances`, `failures`.
    ///
    /// `stall_beyond` is what a freeze of the target lasts longer than its burst of exceedances: a
    /// request that is due in the last part of a freeze is delayed by less than the ceiling. `None`
    /// if requests do not follow a schedule, or if the budget does not count from the due time.
    pub(super) fn of(
        pattern: ExceedancePattern,
        noun: &str,
        stall_beyond: Option<Duration>,
    ) -> Self {
        Self { clause: clause(pattern, noun, stall_beyond), remedy: remedy(pattern) }
    }
}

fn clause(pattern: ExceedancePattern, noun: &str, stall_beyond: Option<Duration>) -> String {
    let freeze = |length: Duration| {
        let freeze =
            stall_beyond.map(|beyond| format!(", as in a freeze of {}", about(length + beyond)));
        format!("{}{}", about(length), freeze.unwrap_or_default())
    };
    let quarters = |verb: &str, first, last| {
        let (first, last) = (share_of(first), share_of(last));
        format!(
            "the {noun} {verb} from {first} in the first quarter of the run to {last} in the last"
        )
    };
    match pattern {
        ExceedancePattern::Periodic { bursts, period, length } => {
            format!(
                "the {noun} come every {} for {} ({bursts} bursts)",
                whole(period),
                freeze(length)
            )
        }
        ExceedancePattern::Repeated { bursts, longest } => {
            let period = if bursts == 2 { "too few to have a period" } else { "without a period" };
            format!("the {noun} come in {bursts} bursts of up to {}, {period}", freeze(longest))
        }
        ExceedancePattern::Single { start, length } => {
            let start = whole(start);
            format!("the {noun} come in one burst, {start} into the run, for {}", freeze(length))
        }
        ExceedancePattern::AtStart { length } => {
            format!("the {noun} come in the first {} of the measured stage", whole(length))
        }
        ExceedancePattern::UntilEnd { start, share } => {
            let (start, share) = (whole(start), share_of(share));
            format!("from {start} into the run to its end {share} of the requests exceed")
        }
        ExceedancePattern::Growing { first, last } => quarters("grow", first, last),
        ExceedancePattern::Shrinking { first, last } => quarters("fall", first, last),
        ExceedancePattern::Steady => {
            format!("the {noun} are spread over the whole run, without bursts")
        }
    }
}

fn remedy(pattern: ExceedancePattern) -> String {
    let text = match pattern {
        ExceedancePattern::Periodic { period, .. } => {
            return format!(
                "find what runs every {}: a timer, a garbage collection, a flush, or a CPU quota that is used up",
                whole(period)
            );
        }
        ExceedancePattern::Repeated { .. } => {
            "read the target's log for the times of the bursts, which the plot of latency over time shows"
        }
        ExceedancePattern::Single { .. } => {
            "read the target's log for the time of the burst: a deploy, a restart, a pause or a neighbour"
        }
        ExceedancePattern::AtStart { .. } => {
            "raise the warm-up if clients never meet a cold target; otherwise make its first requests faster"
        }
        ExceedancePattern::UntilEnd { .. } => {
            "find what changed then: a queue that only grows means more load than the target can serve"
        }
        ExceedancePattern::Growing { .. } => {
            "look for a queue or a resource that fills up: lower the rate to find what the target can serve"
        }
        ExceedancePattern::Shrinking { .. } => {
            "the target is still warming up: raise the warm-up, or let it run longer"
        }
        ExceedancePattern::Steady => "",
    };
    text.to_owned()
}

fn share_of(count: RunShare) -> String {
    percent(Ratio::of(count.over, count.of))
}

/// An estimate to 100 ms below a second, to half a second below ten, else to a second.
fn about(length: Duration) -> String {
    let step = match length.as_millis() {
        0..50 => return "less than 100 ms".to_owned(),
        50..950 => 100,
        950..9_750 => 500,
        _ => 1_000,
    };
    format!("about {}", rounded(length, step))
}

/// A time in the run, to half a second below twenty, else to a second.
fn whole(time: Duration) -> String {
    rounded(time, if time < Duration::from_secs(20) { 500 } else { 1_000 })
}

fn rounded(duration: Duration, step_ms: u64) -> String {
    let steps = (duration.as_secs_f64() * 1e3 / step_ms as f64).round();
    format_duration(Duration::from_millis(step_ms).mul_f64(steps.max(1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pattern_is_a_clause_with_its_figures() {
        let (secs, millis) = (Duration::from_secs, Duration::from_millis);
        let half = RunShare { over: 30, of: 60 };
        let (few, many) = (RunShare { over: 3, of: 300 }, RunShare { over: 270, of: 300 });
        for (pattern, words) in [
            (
                ExceedancePattern::Periodic {
                    bursts: 4,
                    period: millis(9_983),
                    length: millis(690),
                },
                "the failures come every 10 s for about 700 ms (4 bursts)",
            ),
            (
                ExceedancePattern::Repeated { bursts: 2, longest: millis(1_720) },
                "the failures come in 2 bursts of up to about 1.5 s, too few to have a period",
            ),
            (
                ExceedancePattern::Repeated { bursts: 5, longest: millis(20) },
                "the failures come in 5 bursts of up to less than 100 ms, without a period",
            ),
            (
                ExceedancePattern::Single { start: secs(12), length: secs(7) },
                "the failures come in one burst, 12 s into the run, for about 7 s",
            ),
            (
                ExceedancePattern::AtStart { length: secs(4) },
                "the failures come in the first 4 s of the measured stage",
            ),
            (
                ExceedancePattern::UntilEnd { start: secs(25), share: half },
                "from 25 s into the run to its end 50% of the requests exceed",
            ),
            (
                ExceedancePattern::Growing { first: few, last: many },
                "the failures grow from 1% in the first quarter of the run to 90% in the last",
            ),
            (
                ExceedancePattern::Shrinking { first: many, last: few },
                "the failures fall from 90% in the first quarter of the run to 1% in the last",
            ),
            (
                ExceedancePattern::Steady,
                "the failures are spread over the whole run, without bursts",
            ),
        ] {
            assert_eq!(PatternWords::of(pattern, "failures", None).clause, words);
        }
    }
}
