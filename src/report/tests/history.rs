//! Histories and comparisons in a terminal.

use std::time::Duration;

use uuid::Uuid;

use crate::history::{History, HistoryFilter};
use crate::record::{
    ActualQuantile, BeforeAfter, BlameChange, BudgetChange, ChangeVerdict, ComparedRun, Comparison,
    Decision, Dimension, DimensionHistograms, ProberHealth, QuantileChange, RequestComparison,
    RunRecord, RunSummary, ShareChange,
};
use crate::report::{self, fixture};
use crate::units::{Quantile, Ratio};

/// Six runs, half a day apart. The fourth got no response; the last two are from another
/// environment.
fn six_runs() -> Vec<RunRecord> {
    let (record, _) = fixture::rehearsal();
    let runs = (0_u32..6).map(|number| {
        let mut run = record.clone();
        run.id = Uuid::from_u128(record.id.as_u128() + u128::from(number));
        run.provenance.started += Duration::from_hours(12) * number;
        let environment = if number < 4 { "staging" } else { "live" };
        run.provenance.tags.insert("environment".to_owned(), environment.to_owned());
        run.provenance.git_commit = Some(format!("{number}f00ba4c0ffee"));
        if number == 3 {
            let measured = &mut run.measurement.scenarios[0].requests[0].measured;
            measured.tally.ok = 0;
            measured.series = DimensionHistograms::default();
        }
        run
    });
    runs.collect()
}

fn history() -> History {
    History::from_runs(six_runs().iter().map(RunSummary::of), &HistoryFilter::default())
}

#[test]
fn a_history_has_figures_of_all_runs_over_a_table_of_the_newest() {
    insta::assert_snapshot!(report::history_text(&history(), 4, 140, false));
}

#[test]
fn a_history_shows_the_deploy_of_each_run_and_long_names_keep_both_ends() {
    let mut runs = six_runs();
    for (number, run) in runs.iter_mut().enumerate() {
        let deploy = format!("registry.example/shop/web@sha256-{number}");
        run.provenance.tags.insert("deploy".to_owned(), deploy);
        let name = format!("checkout-{}-of-the-live-site", "very-".repeat(20));
        for scenario in &mut run.measurement.scenarios[..1] {
            scenario.name.clone_from(&name);
        }
    }
    let history = History::from_runs(runs.iter().map(RunSummary::of), &HistoryFilter::default());
    let text = report::history_text(&history, 20, 120, false);
    assert!(text.contains("deploy") && text.contains("sha256-5"), "{text}");
    assert!(text.contains("checkout-very-") && text.contains("-of-the-live-site"), "{text}");
}

#[test]
fn no_line_of_a_history_is_wider_than_its_terminal_and_the_run_and_its_verdict_stay() {
    for width in [60, 72, 80, 100, 120] {
        let text = report::history_text(&history(), 20, width, false);
        for line in text.lines() {
            assert!(
                unicode_width::UnicodeWidthStr::width(line) <= usize::from(width),
                "{width}: {line}"
            );
        }
        let rows = text.lines().filter(|line| line.contains("Z-"));
        assert!(rows.clone().count() > 6 && rows.clone().all(|row| !row.contains('…')), "{text}");
        assert!(text.contains("verdict") && text.contains("p95"), "{text}");
    }
}

#[test]
fn a_history_without_an_answer_has_no_figures_and_no_bars() {
    let of = |exchanges: u64| {
        let mut run = six_runs().swap_remove(3);
        let request = &mut run.measurement.scenarios[0].requests[0];
        request.measured.tally.exchanges = exchanges;
        let history = History::from_runs([RunSummary::of(&run)], &HistoryFilter::default());
        let text = report::history_text(&history, 20, 120, false);
        text.lines().nth(1).unwrap().trim().to_owned()
    };
    assert_eq!(of(0), "1 run: no request was sent that counts");
    assert_eq!(of(7), "1 run: 7 of 7 failed (100 %)");
}

fn at(millis: u64) -> ActualQuantile {
    ActualQuantile::At(Duration::from_millis(millis))
}

fn share(value: f64) -> Ratio {
    Ratio::new(value).unwrap()
}

fn same<T: Copy>(value: T) -> BeforeAfter<T> {
    BeforeAfter { before: value, after: value }
}

fn slower(quantile: Quantile, change: ChangeVerdict) -> QuantileChange {
    let actual = BeforeAfter { before: at(240), after: at(302) };
    let (difference, difference_share) = (Some(62_000), Some(0.258));
    let interval = Some((if change == ChangeVerdict::More { 29_000 } else { -3_000 }, 131_000));
    QuantileChange { quantile, actual, difference, difference_share, interval, change }
}

/// Written out here, because a report does not decide anything.
fn comparison() -> Comparison {
    let run = |record: &RunRecord| ComparedRun {
        run: record.name(),
        id: record.id,
        started: record.provenance.started,
        git_commit: record.provenance.git_commit.clone(),
        tags: record.provenance.tags.clone(),
        verdict: record.verdict.decision,
        prober: ProberHealth {
            lag_p99: Some(Duration::from_micros(80)),
            ..ProberHealth::default()
        },
    };
    let runs = six_runs();
    let request = RequestComparison {
        scenario: "tile-loader".to_owned(),
        request: "mock\u{1b}[2J".to_owned(),
        compared_with: None,
        exchanges: BeforeAfter { before: 800, after: 780 },
        blocks: Some(same(20)),
        obstacle: None,
        failed: ShareChange {
            count: BeforeAfter { before: 0, after: 12 },
            share: BeforeAfter { before: share(0.0), after: share(0.0154) },
            interval: Some((0.006, 0.0267)),
            change: ChangeVerdict::More,
        },
        latency: vec![
            slower(Quantile::P50, ChangeVerdict::NoneShown),
            slower(Quantile::P95, ChangeVerdict::More),
            slower(Quantile::P99, ChangeVerdict::TooFew),
        ],
        max: BeforeAfter { before: at(410), after: ActualQuantile::Unbounded },
        parts: vec![
            BlameChange {
                part: Dimension::Wait,
                count: same(800),
                p50: same(at(0)),
                p95: same(at(2)),
            },
            BlameChange {
                part: Dimension::Service,
                count: same(800),
                p50: BeforeAfter { before: at(240), after: at(200) },
                p95: BeforeAfter { before: ActualQuantile::NoData, after: at(300) },
            },
        ],
        budgets: vec![BudgetChange {
            budget: "p95 < 300ms".parse().unwrap(),
            decision: BeforeAfter { before: Some(Decision::Pass), after: None },
        }],
    };
    Comparison {
        runs: BeforeAfter { before: run(&runs[0]), after: run(&runs[5]) },
        duet: None,
        confidence: share(0.95),
        bounds_all_figures: false,
        requests: vec![request],
        only: BeforeAfter { before: Vec::new(), after: vec!["tile-loader · live".to_owned()] },
        unlike: vec!["tile-loader: another load: 20/s, and 40/s".to_owned()],
    }
}

#[test]
fn a_comparison_has_what_is_unfair_first_and_says_what_is_more_than_chance() {
    insta::assert_snapshot!(report::comparison_text(&comparison(), 140, false));
    insta::assert_snapshot!(report::comparison_text(&comparison(), 80, false));
}

#[test]
fn a_run_shows_its_comparison_below_its_verdict_in_every_report() {
    let mut record = six_runs().remove(5);
    record.comparison = Some(Box::new(comparison()));
    let model = report::ReportModel::new(&record, Vec::<crate::record::Interval>::new());
    let text = report::terminal(&model, 120, false);
    let parts = ["─────", "Compared with 2025-10-12T02-45-10Z-00000001", " NOTE ", "SLOWER  "];
    let places: Vec<_> = parts.iter().map(|part| text.find(part).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
    let found = "it fails more often, p95 is slower by 62 ms (+29 ms to +131 ms)";
    for page in [text, report::markdown(&model), report::html(&model)] {
        let page = page.replace('\\', "");
        assert!(page.contains(found) && page.contains("SLOWER"), "{page}");
    }
}

#[test]
fn a_report_of_a_run_that_passes_begins_with_the_comparison_that_stops_it() {
    let mut record = six_runs().remove(5);
    record.verdict.decision = Decision::Pass;
    for (is_binding, sign, word) in [(true, "❌", "SLOWER"), (false, "✅", "PASS")] {
        let compared = Comparison { bounds_all_figures: is_binding, ..comparison() };
        record.comparison = Some(Box::new(compared));
        let model = report::ReportModel::new(&record, Vec::<crate::record::Interval>::new());
        let (markdown, html) = (report::markdown(&model), report::html(&model));
        assert!(markdown.starts_with(&format!("## {sign} {word} — ")), "{markdown}");
        assert!(html.contains(&format!("<p class=\"word\">{word}</p>")), "{html}");
    }
}

#[test]
fn a_comparison_that_lacks_a_request_of_the_earlier_run_names_it() {
    let mut compared = comparison();
    compared.requests[0].failed.change = ChangeVerdict::NoneShown;
    compared.requests[0].latency[1].change = ChangeVerdict::NoneShown;
    compared.only.before = vec!["shop · home".to_owned(), "shop · cart".to_owned()];
    assert_eq!(
        report::comparison_line(&compared),
        "undecided; `shop · home` and 1 more are missing from the later run"
    );
}

#[test]
fn each_figure_of_a_comparison_is_labelled_for_narrow_screens() {
    let mut record = six_runs().remove(5);
    record.comparison = Some(Box::new(comparison()));
    let model = report::ReportModel::new(&record, Vec::<crate::record::Interval>::new());
    let page = report::html(&model);
    for cell in [
        "data-label=\"before\">240 ms",
        "data-label=\"difference\">+62 ms",
        "data-label=\"90 % interval\">+29 ms to +131 ms",
        "data-label=\"more than chance?\">slower",
    ] {
        assert!(page.contains(cell), "{cell}: {page}");
    }
}
