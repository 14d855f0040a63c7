//! The verdict as JUnit XML, which CI systems show as a list of tests.
//!
//! A suite is a scenario and a case is a budget, so that a CI system can follow each budget from
//! run to run. The elements are those that Jenkins' schema allows (`junit-10.xsd` of its xUnit
//! plugin); Jenkins, GitLab and GitHub's actions read them.

use std::collections::HashSet;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};
use time::macros::format_description;

use crate::record::{Decision, RunRecord, VerdictReason, in_utc};

use super::ci::CiContext;
use super::model::{
    BudgetRow, ComparisonView, FailureRole, GateView, OnceStepState, OnceStepView, ReportModel,
    RequestView, ScenarioView,
};
use super::words;

/// Renders a run as JUnit XML.
///
/// A fail is a `failure`. An inconclusive verdict is an `error`, because CI systems count skipped
/// cases as passed. If the gate's policy lets the run through, both are `skipped` with the reason.
pub fn junit(model: &ReportModel, record: &RunRecord, ci: &CiContext) -> String {
    let mut report = Report::new("tollgate");
    report.set_time(record.measurement.elapsed);
    for scenario in &model.scenarios {
        report.add_test_suite(suite(scenario, record, ci));
    }
    let mut cases: Vec<_> = model.gate.iter().map(|gate| gate_case(gate, ci)).collect();
    cases.extend(model.comparison.as_ref().map(|compared| comparison_case(compared, ci)));
    let is_explained = report.failures + report.errors > 0 || cases.iter().any(is_problem);
    if ci.is_blocking() && !is_explained {
        cases.push(unexplained_case(model, ci));
    }
    if !cases.is_empty() {
        let mut suite = TestSuite::new("tollgate");
        suite.add_test_cases(cases);
        report.add_test_suite(suite);
    }
    let text = report.to_string().unwrap_or_else(|_| unreachable!("a String takes every byte"));
    // Jenkins' schema has this attribute for a suite only. It is the first one of this name.
    text.replacen(&format!(" skipped=\"{}\"", report.skipped), "", 1)
}

/// What the gate's policies made of the verdict. They may stop a run in which nothing failed.
fn gate_case(gate: &GateView, ci: &CiContext) -> TestCase {
    let status = match gate.decision {
        Decision::Pass => TestCaseStatus::success(),
        decision => problem_status(
            ci,
            CaseProblem { decision, kind: "gate", message: &gate.reason, details: Vec::new() },
        ),
    };
    let mut case = run_case("gate", status);
    case.set_system_out(gate.line());
    case
}

/// The comparison with a baseline, or between the sides of a duet.
fn comparison_case(compared: &ComparisonView, ci: &CiContext) -> TestCase {
    let status = match compared.decision {
        Decision::Pass => TestCaseStatus::success(),
        decision if compared.is_binding => problem_status(
            ci,
            CaseProblem {
                decision,
                kind: "comparison",
                message: &compared.headline,
                details: compared.notes.clone(),
            },
        ),
        _ => skipped(&compared.headline),
    };
    let mut case = run_case("not slower", status);
    case.set_system_out(format!("{}\n{} {}", compared.title, compared.word(), compared.headline));
    case
}

/// A run that must not pass although no other case says why.
fn unexplained_case(model: &ReportModel, ci: &CiContext) -> TestCase {
    let (decision, message) = (ci.gate, model.headline.as_str());
    let problem = CaseProblem { decision, kind: "run", message, details: Vec::new() };
    run_case("exit code", problem_status(ci, problem))
}

/// A case of the suite that concerns all scenarios together.
fn run_case(name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname("tollgate.run");
    case
}

fn is_problem(case: &TestCase) -> bool {
    matches!(case.status, TestCaseStatus::NonSuccess { .. })
}

fn suite(scenario: &ScenarioView, record: &RunRecord, ci: &CiContext) -> TestSuite {
    let mut suite = TestSuite::new(&scenario.whole_name);
    suite.set_time(record.measurement.elapsed);
    let started = in_utc(record.provenance.started);
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    suite.extra.insert("timestamp".into(), started.format(format).unwrap_or_default().into());
    suite.extra.insert("hostname".into(), record.provenance.host.name.as_str().into());
    suite.add_properties(properties(scenario, record, ci));
    suite.add_test_cases(CaseWriter::new(scenario, ci).cases());
    let notes: Vec<_> = notes(scenario).collect();
    if !notes.is_empty() {
        suite.set_system_out(notes.join("\n"));
    }
    suite
}

fn properties(scenario: &ScenarioView, record: &RunRecord, ci: &CiContext) -> Vec<Property> {
    let from = &record.provenance;
    let mut properties = vec![
        ("run", record.id.to_string()),
        ("folder", ci.folder.clone()),
        ("tollgate", from.tollgate.clone()),
        ("verdict", scenario.decision.name().to_owned()),
        ("gate", ci.gate.name().to_owned()),
    ];
    properties.extend(from.git_commit.clone().map(|commit| ("commit", commit)));
    let facts = scenario.facts.iter().map(|fact| (fact.name, fact.value.clone()));
    let tags = from.tags.iter().map(|(key, value)| Property::new(format!("tag.{key}"), value));
    let own = properties.into_iter().chain(facts);
    own.map(|(name, value)| Property::new(name, value)).chain(tags).collect()
}

/// What a reader must know in addition to the cases.
fn notes(scenario: &ScenarioView) -> impl Iterator<Item = String> {
    let caveats = scenario.caveats.iter().map(|caveat| format!("NOTE {caveat}"));
    let warnings = scenario.warnings.iter().map(|warning| format!("WARNING {}", sentence(warning)));
    caveats.chain(warnings)
}

fn sentence(reason: &VerdictReason) -> String {
    reason.what.clone() + &words::advice(" → ", &reason.next)
}

/// One thing that a case says did not pass.
struct CaseProblem<'a> {
    decision: Decision,
    /// What kind of thing: `budget`, `comparison`, `expectation`, `gate`, `run`, `setup`.
    kind: &'static str,
    message: &'a str,
    details: Vec<String>,
}

/// Makes the cases of one scenario, each with a name of its own.
struct CaseWriter<'a> {
    scenario: &'a ScenarioView,
    ci: &'a CiContext,
    names: HashSet<(String, String)>,
}

impl<'a> CaseWriter<'a> {
    fn new(scenario: &'a ScenarioView, ci: &'a CiContext) -> Self {
        Self { scenario, ci, names: HashSet::new() }
    }

    fn cases(mut self) -> Vec<TestCase> {
        let mut cases: Vec<_> =
            self.scenario.once.iter().map(|step| self.once_step(step)).collect();
        for request in self.scenario.own_requests() {
            if request.budgets.is_empty() {
                cases.push(self.expectations(request));
            }
            cases.extend(request.budgets.iter().map(|row| self.budget(request, row)));
        }
        cases.push(self.whole_run(&cases));
        cases
    }

    fn once_step(&mut self, step: &OnceStepView) -> TestCase {
        let status = match step.state {
            OnceStepState::Ok => TestCaseStatus::success(),
            OnceStepState::NotJudged => skipped(&step.outcome),
            // A failed teardown changes no verdict; the suite's notes have its warning.
            OnceStepState::Failed if step.stage != "setup" => skipped(&step.outcome),
            OnceStepState::Failed => self.status(CaseProblem {
                decision: self.scenario.decision,
                kind: "setup",
                message: &step.outcome,
                details: Vec::new(),
            }),
        };
        self.case(&step.name, step.stage, status)
    }

    fn budget(&mut self, request: &RequestView, row: &BudgetRow) -> TestCase {
        let actual = format!("actual: {}", row.actual_with_interval());
        let status = match row.decision {
            Decision::Pass => TestCaseStatus::success(),
            decision => self.status(CaseProblem {
                decision,
                kind: "budget",
                message: &row.reason.what,
                details: vec![actual.clone(), next(&row.reason)],
            }),
        };
        let mut case = self.case(&request.whole_name, &row.budget, status);
        if row.decision == Decision::Pass {
            case.set_system_out(format!("{actual}\n{}", row.reason.what));
        }
        timed(case, self.scenario, request)
    }

    /// The expectations of a request without budgets.
    fn expectations(&mut self, request: &RequestView) -> TestCase {
        let reason = self.scenario.reasons.iter().find(|reason| is_about(reason, request));
        let failures: Vec<_> = request
            .failures_as(FailureRole::Failure)
            .filter(|failure| !failure.in_warmup)
            .map(|failure| format!("{} × {}", words::count(failure.count), failure.what))
            .collect();
        let status = match (reason, failures.first(), request.left_out) {
            (_, Some(first), _) => self.status(CaseProblem {
                decision: Decision::Fail,
                kind: "expectation",
                message: reason.map_or(first, |reason| &reason.what),
                details: [failures.clone(), reason.map(next).into_iter().collect()].concat(),
            }),
            (Some(reason), None, _) if self.scenario.decision != Decision::Pass => {
                self.status(CaseProblem {
                    decision: self.scenario.decision,
                    kind: "expectation",
                    message: &reason.what,
                    details: vec![next(reason)],
                })
            }
            (_, None, Some(why)) => skipped(why),
            (_, None, None) if request.n == 0 => skipped("not run"),
            (_, None, None) => TestCaseStatus::success(),
        };
        let case = self.case(&request.whole_name, "expectations", status);
        timed(case, self.scenario, request)
    }

    /// What concerns the run as a whole: data that are not reliable, and failures of no one case.
    fn whole_run(&mut self, others: &[TestCase]) -> TestCase {
        let scenario = self.scenario;
        let is_covered = |reason: &VerdictReason| {
            let mut own = scenario.own_requests().filter(|request| request.budgets.is_empty());
            own.any(|request| is_about(reason, request))
        };
        let rest: Vec<_> = scenario.reasons.iter().filter(|reason| !is_covered(reason)).collect();
        let is_explained = others.iter().any(is_problem);
        let status = match rest.first() {
            _ if scenario.decision == Decision::Pass => TestCaseStatus::success(),
            None if is_explained => TestCaseStatus::success(),
            first => self.status(CaseProblem {
                decision: scenario.decision,
                kind: "run",
                message: first.map_or("nothing was judged", |reason| &reason.what),
                details: rest.iter().map(|reason| sentence(reason)).collect(),
            }),
        };
        self.case("run", "valid as a whole", status)
    }

    fn status(&self, problem: CaseProblem<'_>) -> TestCaseStatus {
        problem_status(self.ci, problem)
    }

    /// A case whose class is the scenario with one of its parts. A repeated name gets a number: CI
    /// systems keep only one case of a name.
    fn case(&mut self, part: &str, name: &str, status: TestCaseStatus) -> TestCase {
        let class = format!("{}.{part}", self.scenario.whole_name);
        let numbered = (2..).map(|number| format!("{name} ({number})"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        let name = names.find(|name| self.names.insert((class.clone(), name.clone())));
        let mut case = TestCase::new(name.unwrap_or_default(), status);
        case.set_classname(class);
        case
    }
}

fn problem_status(ci: &CiContext, problem: CaseProblem<'_>) -> TestCaseStatus {
    let word = problem.decision.word();
    let mut text = problem.details;
    text.retain(|line| !line.is_empty());
    if !text.iter().any(|line| line.starts_with(problem.message)) {
        text.insert(0, problem.message.to_owned());
    }
    let mut status = match problem.decision {
        _ if !ci.is_blocking() => TestCaseStatus::skipped(),
        Decision::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        _ => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    status.set_message(format!("{word}: {}", problem.message));
    status.set_type(problem.kind);
    status.set_description(text.join("\n"));
    status
}

/// Sets the duration of a step that ran once. A distribution has no single duration.
fn timed(mut case: TestCase, scenario: &ScenarioView, request: &RequestView) -> TestCase {
    let took: Option<Duration> = request.latency.max.filter(|_| scenario.is_single);
    if let Some(took) = took {
        case.set_time(took);
    }
    case
}

fn skipped(why: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(why);
    status
}

fn next(reason: &VerdictReason) -> String {
    words::advice("next: ", &reason.next)
}

/// Whether a scenario's reason begins with a request's name in backticks.
fn is_about(reason: &VerdictReason, request: &RequestView) -> bool {
    let rest = reason.what.strip_prefix('`').and_then(|rest| rest.strip_prefix(&request.name));
    rest.is_some_and(|rest| rest.starts_with('`'))
}

#[cfg(test)]
mod tests;
