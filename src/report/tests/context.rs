//! What a report shows in addition to budgets and latency, and what it leaves out.

use super::failing;
use crate::record::{Decision, VerdictReason};
use crate::report::fixture::{self, FixtureScript};
use crate::report::{ReportModel, html, markdown, terminal};

/// The report in every text format.
fn every_form(model: &ReportModel) -> [String; 3] {
    [terminal(model, 140, false), markdown(model), html(model)]
}

#[test]
fn every_format_shows_the_prober_server_timing_and_connection_kinds() {
    for text in every_form(&failing()) {
        for part in [
            "The prober kept its schedule",
            "p50 99 µs, p99 144 µs, max 144 µs",
            "3.1 % of a core",
            "The target's Server-Timing report",
            "our first byte",
            "if reused",
            "if resumed",
            "192.0.2.10:443 (2 connections), 192.0.2.11:443 (2 connections)",
            "3, p50 1.7 ms, max 9.01 ms, 1 more failed",
        ] {
            assert!(text.to_lowercase().contains(&part.to_lowercase()), "{part}: {text}");
        }
    }
}

#[test]
fn rows_and_sections_without_information_are_left_out() {
    let quiet = FixtureScript { server_timings: &[], reopens: 0, ..FixtureScript::default() };
    let (record, intervals) = fixture::run(&[quiet]);
    for text in every_form(&ReportModel::new(&record, &intervals)) {
        for part in
            ["Server-Timing", "if fresh", "if reused", "if full", "if resumed", "192.0.2.10:443"]
        {
            assert!(!text.contains(part), "{part}: {text}");
        }
    }
}

#[test]
fn a_record_of_an_earlier_version_has_no_newer_sections() {
    let model = ReportModel::new(&fixture::old(), Vec::<crate::record::Interval>::new());
    for text in every_form(&model) {
        assert!(text.contains("The prober kept its schedule") && text.contains("FAIL"), "{text}");
        for part in ["hiccups", "of a core", "Server-Timing", "if fresh", "lookups", "shard"] {
            assert!(!text.contains(part), "{part}: {text}");
        }
    }
}

#[test]
fn a_shard_and_a_merged_run_name_their_shards() {
    let of = |(record, intervals): (_, Vec<_>)| every_form(&ReportModel::new(&record, &intervals));
    for text in of(fixture::shared(3, [2])) {
        assert!(text.contains("Shard 2 of 3") && text.contains("tollgate merge"), "{text}");
    }
    for text in of(fixture::shared(3, 1..=3)) {
        assert!(text.contains("Merged from all 3 shards: probe-1, probe-2, probe-3."), "{text}");
    }
    for text in of(fixture::shared(3, [1, 3])) {
        assert!(text.contains("Merged from 2 of 3 shards: probe-1, probe-3."), "{text}");
    }
    for (shards, words) in [
        (
            &[1, 2, 2, 3][..],
            "Merged from all 3 shards (shard 2 is given 2 times and counted once): ",
        ),
        (&[1, 1], "Merged from 1 of 3 shards (shard 1 is given 2 times and counted once): "),
    ] {
        for text in of(fixture::shared(3, shards.iter().copied())) {
            assert!(text.contains(words), "{text}");
        }
    }
    let page = html(&ReportModel::new(
        &fixture::shared(3, 1..=3).0,
        Vec::<crate::record::Interval>::new(),
    ));
    assert!(page.contains("3 of 3 on probe-3, run 0199d1f0-7a3c-7000-8000-000000000013"), "{page}");
}

#[test]
fn a_run_cut_off_in_its_warm_up_says_so_and_counts_no_requests_as_measured() {
    let (record, intervals) = fixture::cut_off_in_warmup();
    let model = ReportModel::new(&record, &intervals);
    assert!(model.headline.contains("ended in its warm-up"), "{}", model.headline);
    let sketches = crate::report::plot::sketches(&model);
    let names: Vec<&str> = sketches.iter().map(|sketch| sketch.name.as_str()).collect();
    assert_eq!(names, ["heat-map-tile-loader-mock", "phases-tile-loader"]);
    assert!(sketches[0].alt.ends_with("all of them belong to the warm-up, where the run ended"));
    for text in every_form(&model) {
        assert!(!text.contains("0 requests"), "{text}");
    }
}

#[test]
fn a_target_that_never_answered_is_reported_once_and_not_per_budget() {
    let (mut record, intervals) =
        fixture::run(&[FixtureScript { budgets: vec!["max < 1s"], ..FixtureScript::default() }]);
    let scenario = &mut record.verdict.scenarios[0];
    let reason = |what: &str| VerdictReason { what: what.to_owned(), next: String::new() };
    scenario.decision = Decision::Fail;
    scenario.reasons =
        vec![reason("the target never answered: connection refused, 12 of 12 requests")];
    scenario.budgets[0].decision = Decision::Fail;
    scenario.budgets[0].reason =
        reason("max falls among the failures: 12 of 12 requests failed; connection refused");
    let findings = ReportModel::new(&record, &intervals).findings;
    assert_eq!(
        findings.iter().map(|finding| finding.what.as_str()).collect::<Vec<_>>(),
        ["the target never answered: connection refused, 12 of 12 requests"]
    );
}

#[test]
fn a_page_shows_its_headline_once() {
    let (record, intervals) =
        fixture::run(&[FixtureScript { budgets: vec!["p95 < 30ms"], ..FixtureScript::default() }]);
    let model = ReportModel::new(&record, &intervals);
    assert_eq!(
        (model.findings.len(), model.headline.as_str()),
        (1, &*model.findings[0].one_line())
    );
    let page = html(&model);
    let verdict = &page[page.find("class=\"verdict").unwrap()..page.find("<h2>Budgets").unwrap()];
    assert_eq!(verdict.matches("exceeded it").count(), 1, "{verdict}");
    assert!(verdict.contains("class=\"next\""), "{verdict}");
}
