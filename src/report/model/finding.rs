//! What keeps a run from a pass, and the one line that says so.

use std::collections::HashSet;

use crate::record::{Decision, Reason};
use crate::units::Ratio;

use super::{ScenarioView, words};

/// How many steps that were left out the headline names.
const NAMED: usize = 4;

/// One thing that keeps a run from a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::report) struct RunFinding {
    /// How grave it is.
    pub(in crate::report) decision: Decision,
    /// Where: `tile-loader · mock · p95 < 300ms`.
    pub(in crate::report) place: String,
    /// What is the case.
    pub(in crate::report) what: String,
    /// What to do next; may be empty.
    pub(in crate::report) next: String,
}

/// Every budget and reason that keeps the run from a pass; the fails first.
pub(super) fn all(scenarios: &[ScenarioView]) -> Vec<RunFinding> {
    let mut findings: Vec<RunFinding> = scenarios.iter().flat_map(of_scenario).collect();
    findings.sort_by_key(|finding| finding.decision != Decision::Fail);
    drop_repeated_advice(&mut findings);
    findings
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
        .map(|reason| RunFinding::new(scenario.decision, scenario.name.clone(), reason));
    let budgets = scenario.requests.iter().flat_map(|request| {
        let open = request.budgets.iter().filter(|row| row.decision != Decision::Pass);
        open.filter(|row| !is_repeated(scenario, &request.name, &row.reason)).map(move |row| {
            RunFinding::new(
                row.decision,
                format!("{} · {}", scenario.place(request), row.budget),
                &row.reason,
            )
        })
    });
    budgets.chain(reasons.filter(|_| scenario.decision != Decision::Pass)).collect()
}

/// What a scenario's reason begins with that says of all its requests that they got no answer, and why.
const SILENT: &str = "the target never answered: ";

/// Whether a reason of the scenario says of a request, or of all of them, what a budget's reason comes to.
fn is_repeated(scenario: &ScenarioView, request: &str, of_budget: &Reason) -> bool {
    let of_request = |reason: &Reason| {
        let said = reason.what.strip_prefix('`').and_then(|rest| rest.strip_prefix(request));
        said.and_then(|rest| rest.strip_prefix("`: "))
            .is_some_and(|said| of_budget.what.ends_with(said))
    };
    let of_all = |reason: &Reason| {
        let said = reason.what.strip_prefix(SILENT).and_then(|rest| rest.rsplit_once(", "));
        said.is_some_and(|(why, _how_many)| of_budget.what.ends_with(why))
    };
    scenario.reasons.iter().any(|reason| of_request(reason) || of_all(reason))
}

impl RunFinding {
    /// Place and fact in one line.
    pub(in crate::report) fn one_line(&self) -> String {
        format!("{}: {}", self.place, self.what)
    }

    fn new(decision: Decision, place: String, reason: &Reason) -> Self {
        Self { decision, place, what: reason.what.clone(), next: reason.next.clone() }
    }
}

/// The reason for the decision on the run, in one line; `budgets` are the decisions on all of them, and `confidence` is
/// given where it was stated for any; `left_out` are the steps that were.
pub(super) fn headline(
    decision: Decision,
    findings: &[RunFinding],
    budgets: &[Decision],
    confidence: Option<Ratio>,
    left_out: &[String],
) -> String {
    let grave: Vec<&RunFinding> =
        findings.iter().filter(|finding| finding.decision == decision).collect();
    match (decision, grave.as_slice()) {
        (Decision::Pass, _) => holds(budgets.len(), confidence) + &but(left_out),
        (_, []) => "nothing was judged".to_owned(),
        (_, [one]) => one.one_line(),
        (_, [first, ..]) => counted(budgets).unwrap_or_else(|| first.one_line()),
    }
}

/// What a pass does not speak of: steps by their names, where those are few.
fn but(left_out: &[String]) -> String {
    let names = left_out.join(", ");
    match left_out.len() {
        0 => String::new(),
        1 => format!("; 1 step was left out, which it accepts: {names}"),
        few if few <= NAMED => format!("; {few} steps were left out, which they accept: {names}"),
        many => format!("; {many} steps were left out, which they accept"),
    }
}

fn holds(budgets: usize, confidence: Option<Ratio>) -> String {
    let stated =
        confidence.map(|confidence| format!(", at {} confidence", words::share(confidence)));
    let stated = stated.unwrap_or_default();
    match budgets {
        0 => "no budget was given; every answer met its expectations".to_owned(),
        1 => format!("the one budget holds{stated}"),
        2 => format!("both budgets hold{stated}"),
        _ => format!("all {budgets} budgets hold{stated}"),
    }
}

/// How many budgets do not hold and how many cannot be decided; `None` where all hold.
fn counted(budgets: &[Decision]) -> Option<String> {
    let count = |decision| budgets.iter().filter(|budget| **budget == decision).count();
    let all = words::plural(budgets.len() as u64, "budget");
    match (count(Decision::Fail), count(Decision::Inconclusive)) {
        (0, 0) => None,
        (0, open) => Some(format!("{open} of {all} cannot be decided")),
        (broken, 0) => Some(format!("{broken} of {all} breached")),
        (broken, open) => Some(format!("{broken} of {all} breached, {open} cannot be decided")),
    }
}

/// Reasons made fit to be shown.
pub(super) fn display_reasons(reasons: &[Reason]) -> Vec<Reason> {
    reasons.iter().map(display_reason).collect()
}

/// A reason made fit to be shown.
pub(super) fn display_reason(reason: &Reason) -> Reason {
    Reason {
        what: words::display(&reason.what, words::LINE),
        next: words::display(&reason.next, words::LINE),
    }
}
