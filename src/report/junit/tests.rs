//! The structure of the XML; Jenkins' schema checks it in `tests/cli/outputs`.

use roxmltree::{Document, Node};

use super::*;
use crate::record::{Failure, GateDecision, Interval, PlannedRequest, StepRecord};
use crate::report::fixture::{self, FixtureScript, live};

fn ci(gate: Decision) -> CiContext {
    CiContext { gate, folder: "reports/runs/a".to_owned() }
}

fn xml(record: &RunRecord, gate: Decision) -> String {
    junit(&ReportModel::new(record, Vec::<Interval>::new()), record, &ci(gate))
}

fn elements<'a>(document: &'a Document<'_>, name: &'static str) -> Vec<Node<'a, 'a>> {
    document.descendants().filter(|node| node.has_tag_name(name)).collect()
}

#[test]
fn each_budget_is_a_case_and_a_breached_one_a_failure() {
    let (record, _) = fixture::run(&[FixtureScript::default(), live(0.2)]);
    let text = xml(&record, Decision::Fail);
    let document = Document::parse(&text).unwrap();
    let cases = elements(&document, "testcase");
    let names: Vec<_> = cases.iter().map(|case| case.attribute("name").unwrap()).collect();
    assert!(names.contains(&"p95 < 300ms"), "{names:?}");
    let failures = elements(&document, "failure");
    assert!(!failures.is_empty());
    for failure in failures {
        assert!(failure.attribute("message").unwrap().starts_with("FAIL: "), "{text}");
        assert!(failure.text().unwrap().contains("actual: "), "{text}");
    }
    let suites = document.root_element();
    assert_eq!(suites.attribute("tests").unwrap(), cases.len().to_string());
}

#[test]
fn an_inconclusive_run_is_an_error_because_skipped_cases_count_as_passed() {
    let script = FixtureScript { seconds: 1, per_second: 2, ..FixtureScript::default() };
    let (record, _) = fixture::run(&[script]);
    assert_eq!(record.verdict.decision, Decision::Inconclusive);
    let text = xml(&record, Decision::Inconclusive);
    let document = Document::parse(&text).unwrap();
    assert!(!elements(&document, "error").is_empty(), "{text}");
    assert!(elements(&document, "skipped").is_empty(), "{text}");
}

#[test]
fn what_the_gate_lets_through_is_skipped_with_its_reason() {
    let (record, _) = fixture::run(&[FixtureScript::default(), live(0.2)]);
    let text = xml(&record, Decision::Pass);
    let document = Document::parse(&text).unwrap();
    assert!(elements(&document, "failure").is_empty() && elements(&document, "error").is_empty());
    let skipped = elements(&document, "skipped");
    assert!(skipped[0].attribute("message").unwrap().starts_with("FAIL: "), "{text}");
}

/// CI systems take a run in which no case failed for a pass.
#[test]
fn every_run_that_does_not_pass_has_a_case_that_does_not_pass() {
    for (record, _) in fixture::all() {
        let text = xml(&record, record.verdict.decision);
        let document = Document::parse(&text).unwrap();
        let bad = elements(&document, "failure").len() + elements(&document, "error").len();
        assert_eq!(bad > 0, record.verdict.decision != Decision::Pass, "{text}");
    }
}

#[test]
fn a_gate_that_stops_a_passing_run_is_a_case_that_fails() {
    let (mut record, _) = fixture::run(&[FixtureScript::default()]);
    let reason = "no history to read: fail_after = 2".to_owned();
    record.gate = Some(GateDecision { decision: Decision::Fail, reason });
    let text = xml(&record, Decision::Fail);
    let document = Document::parse(&text).unwrap();
    let failures = elements(&document, "failure");
    assert_eq!(failures[0].parent().unwrap().attribute("name"), Some("gate"), "{text}");
    assert_eq!(failures.len(), 1);
}

#[test]
fn what_concerns_the_run_is_in_one_suite_however_many_scenarios_there_are() {
    let (mut record, _) = fixture::run(&[FixtureScript::default(), live(0.2)]);
    let reason = "failed 2 times in a row; fail_after = 2".to_owned();
    record.gate = Some(GateDecision { decision: Decision::Fail, reason });
    let text = xml(&record, Decision::Fail);
    let document = Document::parse(&text).unwrap();
    let suites = elements(&document, "testsuite");
    let names: Vec<_> = suites.iter().map(|suite| suite.attribute("name").unwrap()).collect();
    assert_eq!(names, ["tile-loader", "tile-loader-live", "tollgate"]);
    let cases = elements(&document, "testcase");
    let of_run = cases.iter().filter(|case| case.attribute("classname") == Some("tollgate.run"));
    let of_run: Vec<_> = of_run.map(|case| case.attribute("name").unwrap()).collect();
    assert_eq!(of_run, ["gate"], "{text}");
    assert_eq!(cases.iter().filter(|case| case.attribute("name") == Some("gate")).count(), 1);
}

/// A run with `--fail-if-slower` may fail although it keeps its budgets.
#[test]
fn a_run_that_must_not_pass_has_a_failing_case_even_if_no_budget_says_why() {
    let (record, _) = fixture::run(&[FixtureScript::default()]);
    let text = xml(&record, Decision::Fail);
    let document = Document::parse(&text).unwrap();
    let failures = elements(&document, "failure");
    assert_eq!(failures.len(), 1, "{text}");
    assert_eq!(document.root_element().attribute("failures"), Some("1"));
}

#[test]
fn no_two_cases_of_a_suite_have_the_same_class_and_name() {
    let script =
        FixtureScript { budgets: vec!["p95 < 300ms", "p95 < 300ms"], ..FixtureScript::default() };
    let all = fixture::all().into_iter().chain([fixture::run(&[script])]);
    for (record, _) in all {
        let text = xml(&record, record.verdict.decision);
        let document = Document::parse(&text).unwrap();
        let mut seen = HashSet::new();
        for case in elements(&document, "testcase") {
            let suite = case.parent().unwrap().attribute("name").unwrap();
            let key = (suite, case.attribute("classname"), case.attribute("name"));
            assert!(seen.insert(key), "{key:?}");
        }
    }
}

#[test]
fn a_failed_setup_step_is_a_case_of_its_own() {
    let (mut record, _) = fixture::run(&[FixtureScript::default()]);
    let plan = record.plan[0].requests[0].clone();
    record.plan[0].setup = vec![PlannedRequest { name: "login".to_owned(), ..plan }];
    let failed = fixture::evidence(Failure::Status, 1, "status = 200", "401");
    let (name, took) = ("login".to_owned(), Duration::from_millis(3));
    record.measurement.scenarios[0].setup =
        vec![StepRecord { name, took, tries: 1, failed: Some(failed) }];
    record.verdict.scenarios[0].decision = Decision::Fail;
    record.verdict.decision = Decision::Fail;
    let text = xml(&record, Decision::Fail);
    let document = Document::parse(&text).unwrap();
    let cases = elements(&document, "testcase");
    let setup = cases.iter().find(|case| case.attribute("name") == Some("setup")).unwrap();
    assert_eq!(setup.attribute("classname"), Some("tile-loader.login"));
    assert!(setup.children().any(|child| child.has_tag_name("failure")), "{text}");
}

#[test]
fn control_characters_and_markup_of_names_are_harmless() {
    let (record, _) = fixture::hostile();
    let text = xml(&record, Decision::Fail);
    assert!(Document::parse(&text).is_ok(), "{text}");
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text}");
}
