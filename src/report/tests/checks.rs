//! Reports of a list of checks: steps that run once have no distribution.

use super::failing;
use crate::record::{AnswerDetail, Decision, Failure, FailureEvidence, RunRecord, VerdictReason};
use crate::report::fixture::{self, FixtureScript};
use crate::report::{ReportModel, html, markdown, terminal};

fn model(alter: impl FnOnce(&mut RunRecord)) -> ReportModel {
    let (mut record, intervals) = fixture::smoke();
    alter(&mut record);
    ReportModel::new(&record, &intervals)
}

/// The report in every text format.
fn every_form(model: &ReportModel) -> [String; 3] {
    [terminal(model, 140, false), markdown(model), html(model)]
}

#[test]
fn a_terminal_shows_what_each_step_took_once() {
    insta::assert_snapshot!(terminal(&model(|_| ()), 140, false));
}

#[test]
fn a_narrow_terminal_shows_a_block_for_each_step() {
    insta::assert_snapshot!(terminal(&model(|_| ()), 60, false));
}

#[test]
fn markdown_has_one_table_of_steps_and_the_terms_of_each() {
    insta::assert_snapshot!(markdown(&model(|_| ())));
}

#[test]
fn a_page_has_one_table_of_steps() {
    let page = html(&model(|_| ()));
    let table = &page[page.find("<h2>Budgets").unwrap()..page.find("<h2>Plots").unwrap()];
    insta::assert_snapshot!(table.replace("><", ">\n<"));
}

#[test]
fn no_format_mentions_quantiles_intervals_or_warm_ups_of_one_exchange() {
    for text in every_form(&model(|_| ())) {
        let text = text.to_lowercase();
        for part in ["cold p50", "cold n", "p95", "99 %", "90 %", "interval)", "exact binomial"] {
            assert!(!text.contains(part), "{part}: {text}");
        }
        assert!(text.contains("took"), "{text}");
    }
}

#[test]
fn an_interval_of_a_check_appears_with_its_rule() {
    let model = model(|record| {
        let (of_a_load, _) = fixture::run(&[FixtureScript::default()]);
        let with_interval = &of_a_load.verdict.scenarios[0].budgets[0];
        let budget = &mut record.verdict.scenarios[0].budgets[1];
        (budget.allowed, budget.interval) = (with_interval.allowed, with_interval.interval);
    });
    for text in every_form(&model) {
        assert!(text.contains("interval)"), "{text}");
    }
    assert!(markdown(&model).contains("exact binomial") && html(&model).contains("exact binomial"));
}

#[test]
fn a_load_run_with_checks_keeps_the_table_of_loads() {
    let (mut record, intervals) = fixture::smoke();
    let (load, _) = fixture::run(&[FixtureScript::default()]);
    record.plan.extend(load.plan);
    record.measurement.scenarios.extend(load.measurement.scenarios);
    record.verdict.scenarios.extend(load.verdict.scenarios);
    for text in every_form(&ReportModel::new(&record, &intervals)) {
        assert!(text.contains("p99") && text.contains("interval)"), "{text}");
    }
}

#[test]
fn a_load_cut_off_before_its_second_arrival_is_not_a_list_of_checks() {
    let (mut record, intervals) = fixture::smoke();
    record.measurement.scenarios[0].planned = Some(800);
    for text in every_form(&ReportModel::new(&record, &intervals)) {
        assert!(text.contains("p99"), "{text}");
    }
}

#[test]
fn a_pass_has_no_failures_but_lists_unjudged_steps_and_tries() {
    let model = model(|_| ());
    let named = "2 steps were not judged, as their scenario allows: old list (absent), partner's list (not configured)";
    assert!(model.headline.ends_with(named), "{}", model.headline);
    for text in every_form(&model) {
        let text = text.to_lowercase();
        assert!(!text.contains("failures"), "{text}");
        assert!(text.contains("2 steps were not judged") && text.contains("tries"), "{text}");
    }
    let text = markdown(&model);
    let order =
        ["### Not judged", "404 Not Found", "### Tries", "3 × unexpected answer", "### Plots"];
    let places: Vec<usize> = order.iter().map(|part| text.find(part).unwrap()).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn many_unjudged_steps_are_counted_and_not_named() {
    let model = model(|record| {
        let (plan, measured) = (&mut record.plan[0], &mut record.measurement.scenarios[0]);
        for at in 0..3 {
            plan.requests.push(plan.requests[4].clone());
            measured.requests.push(measured.requests[4].clone());
            let name = format!("partner {at}");
            plan.requests.last_mut().unwrap().name.clone_from(&name);
            measured.requests.last_mut().unwrap().name = name;
        }
    });
    assert!(
        model.headline.ends_with("; 5 steps were not judged, as their scenario allows"),
        "{}",
        model.headline
    );
}

#[test]
fn the_tries_of_a_step_that_failed_are_failures() {
    let model = model(|record| {
        let step = &mut record.measurement.scenarios[0].requests[1].measured;
        (step.tally.ok, step.series) = (0, crate::record::DimensionHistograms::default());
        step.tally.failures.insert(Failure::Unexpected, 1);
        step.evidence.add(FailureEvidence {
            failure: Failure::Unexpected,
            phase: None,
            expected: "json.\"/state\" = \"done\"".to_owned(),
            seen: "\"pending\"".to_owned(),
            count: 1,
            next: None,
            idle: None,
            detail: None,
        });
        record.verdict.decision = Decision::Fail;
    });
    let text = markdown(&model);
    let failures = &text[text.find("### Failures").unwrap()..text.find("### Not judged").unwrap()];
    assert!(
        failures.contains("- 3 × ") && failures.contains("row arrives, each try"),
        "{failures}"
    );
    assert!(!text.contains("### Tries"), "{text}");
}

#[test]
fn a_terminal_shows_the_first_rows_of_a_query_and_files_show_all_that_are_kept() {
    let model = model(|record| {
        let step = &mut record.measurement.scenarios[0].requests[1].measured;
        step.evidence.add(FailureEvidence {
            failure: Failure::Unexpected,
            phase: None,
            expected: "rows = 0".to_owned(),
            seen: "1,012 rows".to_owned(),
            count: 1,
            next: None,
            idle: None,
            detail: Some(Box::new(AnswerDetail {
                because: Some("tables are open".to_owned()),
                rows: (1..=12).map(|n| format!("table=open{n}. \u{202e}<b>")).collect(),
                further_rows: 1_000,
            })),
        });
    });
    let unkept = "and 1,000 more rows, which the record does not keep";
    let [text, markdown, page] = every_form(&model);
    assert!(text.contains("tables are open: 1,012 rows instead of rows = 0"), "{text}");
    assert!(text.contains("    table=open10. ") && !text.contains("table=open11."), "{text}");
    assert!(text.contains("    2 more rows in run.json\n"), "{text}");
    for form in [&markdown, &page] {
        assert!((1..=12).all(|n| form.contains(&format!("table=open{n}. "))), "{form}");
        assert!(!form.contains("<b>") && !form.contains('\u{202e}'), "{form}");
    }
    for form in [&text, &markdown, &page] {
        assert!(form.contains(unkept), "{form}");
    }
}

#[test]
fn a_warning_is_shown_once_and_changes_no_decision() {
    let model = model(|record| {
        let (what, next) = ("an address is dead".to_owned(), "repair it".to_owned());
        record.verdict.scenarios[0].warnings.push(VerdictReason { what, next });
    });
    let decision = model.decision;
    for form in every_form(&model) {
        assert_eq!(form.matches("an address is dead").count(), 1, "{form}");
        assert_eq!(form.matches("repair it").count(), 1, "{form}");
    }
    assert_eq!(decision, self::model(|_| {}).decision);
}

#[test]
fn names_in_backticks_are_code_in_markdown_and_html() {
    let model = model(|_| ());
    assert!(markdown(&model).contains("not configured: variable `PARTNER_URL` is not set"));
    assert!(html(&model).contains("variable <code>PARTNER_URL</code> is not set"));
    let (record, intervals) = fixture::saying("`<img>` and `a``<b>``c` `");
    let hostile = ReportModel::new(&record, &intervals);
    assert!(!html(&hostile).contains("<img>") && !html(&hostile).contains("<b>"));
}

#[test]
fn the_plan_shows_the_other_rules_of_a_step() {
    let model = model(|_| ());
    assert!(markdown(&model).contains("  - `poll = { every = \"250ms\", within = \"5s\" }`\n"));
    let page = html(&model);
    assert!(page.contains("Other rules") && page.contains("<code>values: 2</code>"), "{page}");
    assert!(!html(&failing()).contains("Other rules"));
}
