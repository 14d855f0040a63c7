//! What every file of metrics must be; Python's parser checks the format in `tests/cli/outputs`.

use std::collections::HashSet;

use super::*;
use crate::report::fixture::{self, FixtureScript};

fn passing() -> CiContext {
    CiContext { gate: Decision::Pass, folder: "reports/runs/a".to_owned() }
}

/// The value of a series, as it is written.
fn value<'a>(text: &'a str, series: &str) -> &'a str {
    let line = text.lines().find(|line| line.starts_with(series));
    line.unwrap_or_else(|| panic!("no {series} in {text}")).rsplit(' ').next().unwrap()
}

#[test]
fn a_run_has_its_verdict_its_counts_and_the_ceilings_of_its_budgets() {
    let (record, _) = fixture::run(&[FixtureScript::default()]);
    let text = open_metrics(&record, &passing());
    let of = "{scenario=\"tile-loader\",request=\"mock\",";
    assert_eq!(value(&text, "tollgate_run_verdict{verdict=\"pass\"}"), "1");
    assert_eq!(value(&text, "tollgate_run_verdict{verdict=\"fail\"}"), "0");
    assert_eq!(value(&text, &format!("tollgate_exchanges{of}outcome=\"ok\"}}")), "800");
    let judged = format!("tollgate_budget_judged{of}budget=\"p95 < 300ms\"}}");
    assert_eq!(value(&text, &judged), "800");
    let series = format!("tollgate_duration_seconds_bucket{of}dimension=\"latency\",le=");
    let below: u64 = value(&text, &format!("{series}\"0.3\"}}")).parse().unwrap();
    assert!(below > 700 && below < 800, "{below}");
    assert_eq!(value(&text, &format!("{series}\"+Inf\"}}")), "800");
    let count = format!("tollgate_duration_seconds_count{of}dimension=\"latency\"}}");
    assert_eq!(value(&text, &count), "800");
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn no_run_has_a_series_twice_or_a_line_that_is_no_sample() {
    for (record, _) in fixture::all() {
        let text = open_metrics(&record, &passing());
        let mut series = HashSet::new();
        for line in text.lines().filter(|line| !line.starts_with("# ")) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with("tollgate_") && value.parse::<f64>().is_ok(), "{line}");
            assert!(series.insert(name.to_owned()), "{line}");
        }
    }
}

#[test]
fn buckets_never_fall() {
    for (record, _) in fixture::all() {
        let text = open_metrics(&record, &passing());
        let (mut last, mut buckets) = ((String::new(), 0), 0);
        for line in text.lines().filter(|line| line.contains("_bucket{")) {
            let (series, _) = line.split_once(",le=").unwrap();
            let count: u64 = line.rsplit(' ').next().unwrap().parse().unwrap();
            assert!(series != last.0 || count >= last.1, "{line}");
            last = (series.to_owned(), count);
            buckets += 1;
        }
        let requests = record.measurement.scenarios.iter().map(|scenario| scenario.requests.len());
        assert_eq!(buckets > 0, requests.sum::<usize>() > 0, "{text}");
    }
}
