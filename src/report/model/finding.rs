//! What keeps a run from passing, and the headline that sums it up.

use std::collections::HashSet;
use std::time::Duration;

use crate::record::{Decision, VerdictReason};
use crate::units::{Ratio, format_duration};

use super::{ScenarioView, words};

/// Maximum number of unjudged steps that the headline names.
const NAMED: usize = 4;

/// One thing that keeps a run from passing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::report) struct RunFinding {
    /// How serious it is.
    pub(in crate::report) decision: Decision,
    /// Where: `tile-loader · mock · p95 < 300ms`.
    pub(in crate::report) place: String,
    /// The fact.
    pub(in crate::report) what: String,
    /// The next step; may be empty.
    pub(in crate::report) next: String,
    /// The scenario, and the budget if it is about one.
    pub(in crate::report) subject: FindingSubject,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingSubject {
    /// The scenario's name.
    pub scenario: String,
    /// The request and its budget, as the scenario writes it: `p95 < 300ms`; `None` for the
    /// scenario as a whole.
    pub budget: Option<(String, String)>,
}

/// Every budget and reason that keeps the run from passing, fails first.
pub(super) fn all(scenarios: &[ScenarioView]) -> Vec<RunFinding> {
    let mut findings: Vec<RunFinding> = scenarios.iter().flat_map(of_scenario).collect();
    findings.sort_by_key(|finding| finding.decision != Decision::Fail);
    drop_repeated_advice(&mut findings);
    findings
}

/// The warnings of every scenario: they changed no decision.
pub(super) fn warnings(scenarios: &[ScenarioView]) -> Vec<RunFinding> {
    let of = |scenario: &ScenarioView| {
        let new = |warning| RunFinding::of_scenario(Decision::Pass, scenario, warning);
        scenario.warnings.iter().map(new).collect::<Vec<_>>()
    };
    scenarios.iter().flat_map(of).collect()
}

fn drop_repeated_advice(findings: &mut [RunFinding]) {
    let mut said = HashSet::new();
    for finding in findings {
        if !said.insert(finding.next.clone()) {
            finding.next.clear();
        }
    }
}

fn of_scenario(scenario: &ScenarioView) -> Vec<RunFinding> {
    let reasons = scenario
        .reasons
        .iter()
        .map(|reason| RunFinding::of_scenario(scenario.decision, scenario, reason));
    let budgets = scenario.requests.iter().flat_map(|request| {
        let open = request.budgets.iter().filter(|row| row.decision != Decision::Pass);
        open.filter(|row| !is_repeated(scenario, &request.name, &row.reason)).map(move |row| {
            let place = format!("{} · {}", scenario.place(request), row.budget);
            let budget = Some((request.whole_name.clone(), row.written.clone()));
            let found = RunFinding::of_scenario(row.decision, scenario, &row.reason);
            let subject = FindingSubject { budget, ..found.subject };
            RunFinding { place, subject, ..found }
        })
    });
    budgets.chain(reasons.filter(|_| scenario.decision != Decision::Pass)).collect()
}

/// Start of a scenario's reason that says no request got a response, and why.
const SILENT: &str = "the target never answered: ";

/// Whether a scenario's reason already states a budget's reason for this request or for all of
/// them.
fn is_repeated(scenario: &ScenarioView, request: &str, of_budget: &VerdictReason) -> bool {
    let of_request = |reason: &VerdictReason| {
        let said = reason.what.strip_prefix('`').and_then(|rest| rest.strip_prefix(request));
        said.and_then(|rest| rest.strip_prefix("`: "))
            .is_some_and(|said| of_budget.what.ends_with(said))
    };
    let of_all = |reason: &VerdictReason| {
        let said = reason.what.strip_prefix(SILENT).and_then(|rest| rest.rsplit_once(", "));
        said.is_some_and(|(why, how_many)| {
            of_budget.what.ends_with(why) || of_budget.what.contains(&format!("{how_many} failed"))
        })
    };
    let is_same = |reason: &VerdictReason| reason.what == of_budget.what;
    scenario.reasons.iter().any(|reason| is_same(reason) || of_request(reason) || of_all(reason))
}

impl RunFinding {
    /// Location and fact in one line.
    pub(in crate::report) fn one_line(&self) -> String {
        format!("{}: {}", self.place, self.what)
    }

    /// Location, fact and next step in one line.
    pub(super) fn line_with_advice(&self) -> String {
        self.one_line() + &words::advice(" → ", &self.next)
    }

    /// [`Self::line_with_advice`] after the decision: `FAIL · tile-loader · …`.
    pub(super) fn line_with_word(&self) -> String {
        format!("{} · {}", self.decision.word(), self.line_with_advice())
    }

    /// [`Self::one_line`] after the decision: `FAIL · tile-loader · …`.
    pub(in crate::report) fn with_word(&self) -> String {
        format!("{} · {}", self.decision.word(), self.one_line())
    }

    fn of_scenario(decision: Decision, scenario: &ScenarioView, reason: &VerdictReason) -> Self {
        let (what, next) = (reason.what.clone(), reason.next.clone());
        let subject = FindingSubject { scenario: scenario.whole_name.clone(), budget: None };
        Self { decision, place: scenario.name.clone(), what, next, subject }
    }
}

/// The reason for the decision on the run, in one line. `budgets` holds the decision on each
/// budget, `confidence` is set if any budget states one, `reach` is the longest stall up to which
/// all of them hold, and `left_out` names the steps that were not judged.
pub(super) fn headline(
    decision: Decision,
    findings: &[RunFinding],
    budgets: &[Decision],
    (confidence, reach): (Option<Ratio>, Option<Duration>),
    left_out: &[String],
) -> String {
    let grave: Vec<&RunFinding> =
        findings.iter().filter(|finding| finding.decision == decision).collect();
    match (decision, grave.as_slice()) {
        (Decision::Pass, _) => holds(budgets.len(), confidence, reach) + &but(left_out),
        (_, []) => "nothing was judged".to_owned(),
        (_, [one]) => one.one_line(),
        (_, [first, ..]) => counted(decision, budgets).unwrap_or_else(|| first.one_line()),
    }
}

/// The steps that a pass does not cover, by name if they are few.
fn but(left_out: &[String]) -> String {
    let names = left_out.join(", ");
    match left_out.len() {
        0 => String::new(),
        1 => format!("; 1 step was not judged, as its scenario allows: {names}"),
        few if few <= NAMED => {
            format!("; {few} steps were not judged, as their scenario allows: {names}")
        }
        many => format!("; {many} steps were not judged, as their scenario allows"),
    }
}

fn holds(budgets: usize, confidence: Option<Ratio>, reach: Option<Duration>) -> String {
    let stated =
        confidence.map(|confidence| format!(", at {} confidence", words::share(confidence)));
    let reach = reach.map(|reach| format!(", against stalls of up to {}", format_duration(reach)));
    let stated = stated.unwrap_or_default() + &reach.unwrap_or_default();
    match budgets {
        0 => "no budgets were set; every response met its expectations".to_owned(),
        1 => format!("the only budget holds{stated}"),
        2 => format!("both budgets hold{stated}"),
        _ => format!("all {budgets} budgets hold{stated}"),
    }
}

/// Counts the breached and the undecided budgets; `None` if they do not explain the decision.
fn counted(decision: Decision, budgets: &[Decision]) -> Option<String> {
    let count = |decision| budgets.iter().filter(|budget| **budget == decision).count();
    let all = words::plural(budgets.len() as u64, "budget");
    match (count(Decision::Fail), count(Decision::Inconclusive)) {
        (0, 0) => None,
        (broken, _) if (broken > 0) != (decision == Decision::Fail) => None,
        (0, open) => Some(format!("{open} of {all} cannot be decided")),
        (broken, 0) => Some(format!("{broken} of {all} breached")),
        (broken, open) => Some(format!("{broken} of {all} breached, {open} cannot be decided")),
    }
}

/// Makes reasons safe to display.
pub(super) fn display_reasons(reasons: &[VerdictReason]) -> Vec<VerdictReason> {
    reasons.iter().map(display_reason).collect()
}

/// Makes a reason safe to display.
pub(super) fn display_reason(reason: &VerdictReason) -> VerdictReason {
    // A long name in one clause must not displace the others.
    let shorten = |text: &str| {
        let clauses = text.split("; ").map(|clause| words::display(clause, words::LINE));
        words::display(&clauses.collect::<Vec<_>>().join("; "), words::REASON)
    };
    VerdictReason { what: shorten(&reason.what), next: shorten(&reason.next) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_counts_budgets_only_if_they_explain_the_decision() {
        use Decision::{Fail, Inconclusive, Pass};
        let finding = |decision| RunFinding {
            decision,
            place: "page".to_owned(),
            what: "9 of 9 requests failed".to_owned(),
            next: "look".to_owned(),
            subject: FindingSubject { scenario: "page".to_owned(), budget: None },
        };
        let heading = |decision, budgets: &[Decision]| {
            let findings = [finding(decision), finding(decision)];
            headline(decision, &findings, budgets, (None, None), &[])
        };
        let failed = finding(Fail).one_line();
        assert_eq!(heading(Fail, &[Inconclusive, Inconclusive]), failed);
        assert_eq!(heading(Fail, &[Pass, Pass]), failed);
        assert_eq!(
            heading(Fail, &[Fail, Inconclusive]),
            "1 of 2 budgets breached, 1 cannot be decided"
        );
        assert_eq!(
            heading(Inconclusive, &[Pass, Inconclusive]),
            "1 of 2 budgets cannot be decided"
        );
        assert_eq!(heading(Inconclusive, &[Fail, Inconclusive]), failed);
    }
}
