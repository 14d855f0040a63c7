//! Every format of a site has the same figures.

use std::time::Duration;

use serde_json::Value;
use tollgate::units::format_duration;

use super::{SHORT, YearShape, files, is_kind, page, report, scenario_page};
use crate::bench::text;
use crate::history_year;

/// A site in every format, as JSON, CSV and the markdown and HTML of its only scenario.
struct Formats {
    json: Value,
    csv: String,
    markdown: String,
    html: String,
    summary: String,
}

fn build(shape: YearShape, since: &str) -> Formats {
    let (runs, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    history_year::write(runs.path(), shape);
    let formats: Vec<&str> =
        ["html", "md", "csv", "json"].iter().flat_map(|format| ["--format", format]).collect();
    let built = report(runs.path(), out.path(), &[&["--since", since][..], &formats].concat());
    assert_eq!(built.status.code(), Some(0), "{}", text(&built.stderr));
    let all = files(out.path());
    let is_page = |name: &&String| is_kind(name, "md") && *name != "summary.md";
    let markdown = page(out.path(), all.keys().find(is_page).unwrap());
    Formats {
        json: serde_json::from_str(&page(out.path(), "history.json")).unwrap(),
        csv: page(out.path(), "history.csv"),
        markdown,
        html: scenario_page(out.path()),
        summary: page(out.path(), "summary.md"),
    }
}

/// The cells of each row below a heading in markdown, without those of the heading itself.
fn rows(markdown: &str, first_head: &str) -> Vec<Vec<String>> {
    let lines = markdown.lines().skip_while(|line| !line.starts_with(&format!("| {first_head} |")));
    let lines = lines.skip(2).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| {
        line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
    };
    lines.map(cells).collect()
}

/// The cells of each table row of a page, without tags.
fn html_rows(page: &str) -> Vec<Vec<String>> {
    let without_tags = |cell: &str| {
        let pieces = cell.split('<').map(|piece| piece.split_once('>').map_or(piece, |it| it.1));
        pieces.collect::<String>()
    };
    let row = |row: &str| {
        let row = row.split("</tr>").next().unwrap();
        let cells = row.split("<t").skip(1);
        cells.map(|cell| without_tags(&format!("<t{cell}"))).collect()
    };
    page.split("<tr>").skip(1).map(row).collect()
}

fn count(value: &Value) -> String {
    let digits = value.as_u64().unwrap().to_string();
    match digits.len() {
        0..=3 => digits,
        length => format!("{},{}", &digits[..length - 3], &digits[length - 3..]),
    }
}

fn time(value: &Value) -> String {
    let time = |micros| format_duration(Duration::from_micros(micros));
    value.as_u64().map_or_else(|| "–".to_owned(), time)
}

/// n, failed, p50, p95, p99 and the longest, as tables have them.
fn figures(of: &Value) -> Vec<String> {
    let latency = &of["ok_latency"];
    let times = ["p50_us", "p95_us", "p99_us", "max_us"].map(|name| time(&latency[name]));
    [count(&of["exchanges"]), count(&of["failed"])].into_iter().chain(times).collect()
}

fn percent(part: u64, whole: u64) -> String {
    let text = format!("{:.1}", part as f64 * 100.0 / whole as f64);
    format!("{} %", text.trim_end_matches(".0"))
}

/// The runs that held a budget, as tables have them.
fn held_by(of: &Value) -> String {
    let [passed, failed, open] =
        ["passed", "failed", "inconclusive"].map(|name| of[name].as_u64().unwrap());
    match (passed + failed, open) {
        (0, open) => format!("no run decided, {open} inconclusive"),
        (decided, 0) => format!("{} ({passed} of {decided} runs)", percent(passed, decided)),
        (decided, open) => format!(
            "{} ({passed} of {decided} decided runs, {open} inconclusive)",
            percent(passed, decided)
        ),
    }
}

fn error_budget_left(of: &Value) -> String {
    let left = of["error_budget_left"].as_f64().unwrap();
    if left < 0.0 {
        format!("none: {:.1}× spent", 1.0 - left)
    } else {
        format!("{:.0} %", left * 100.0)
    }
}

#[test]
fn a_line_of_the_csv_has_the_figures_that_the_json_has_of_its_run() {
    let Formats { json, csv, .. } = build(SHORT, "21d");
    let scenario = &json["scenarios"][0];
    let runs = scenario["requests"][0]["runs"].as_array().unwrap();
    let lines: Vec<&str> = csv.lines().skip(1).collect();
    assert_eq!((runs.len(), lines.len()), (42, 42));
    for (run, line) in runs.iter().zip(lines) {
        let plain = |value: &Value| match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let latency = &run["ok_latency"];
        let expected = [
            &run["started"],
            &run["run"],
            &scenario["scenario"],
            &scenario["requests"][0]["request"],
            &run["verdict"],
            &run["deploy"],
            &run["commit"],
            &run["exchanges"],
            &run["failed"],
            &latency["p50_us"],
            &latency["p95_us"],
            &latency["p99_us"],
            &latency["max_us"],
        ];
        assert_eq!(line.split(',').collect::<Vec<_>>(), expected.map(plain));
        assert!(latency["p95_us"].is_u64() && latency["p99_us"].is_null(), "70 exchanges");
    }
}

#[test]
fn the_tables_of_the_pages_have_the_figures_of_the_json() {
    let Formats { json, markdown, html, summary, .. } = build(SHORT, "21d");
    let request = &json["scenarios"][0]["requests"][0];
    let periods = rows(&markdown, "period");
    assert_eq!(periods.len(), 2);
    for (row, name) in periods.iter().zip(["period", "before"]) {
        assert_eq!(row[1], count(&request[name]["runs"]));
        assert_eq!(row[2..], figures(&request[name]), "{name}");
    }
    let budgets = rows(&markdown, "budget");
    assert_eq!((budgets.len(), request["budgets"].as_array().unwrap().len()), (2, 2));
    for (row, of) in budgets.iter().zip(request["budgets"].as_array().unwrap()) {
        assert_eq!(row[0], format!("`{}`", of["budget"].as_str().unwrap()));
        assert_eq!(row[3..], [held_by(of), error_budget_left(of)]);
    }
    assert_eq!(budgets[0][1], time(&request["period"]["ok_latency"]["p95_us"]), "nothing failed");
    let changes = rows(&markdown, "quantile");
    assert_eq!(changes.len(), request["changes"].as_array().unwrap().len());
    for (row, of) in changes.iter().zip(request["changes"].as_array().unwrap()) {
        let expected = [
            of["quantile"].as_str().unwrap().to_owned(),
            time(&of["before_us"]),
            time(&of["after_us"]),
        ];
        assert_eq!(row[..3], expected);
    }
    let newest = rows(&markdown, "started");
    assert!(!changes.is_empty() && !newest.is_empty(), "{markdown}");
    let runs = request["runs"].as_array().unwrap().iter().rev();
    for (row, run) in newest.iter().zip(runs) {
        let started = run["started"].as_str().unwrap();
        assert_eq!(row[0], format!("{} {}", &started[..10], &started[11..16]));
        assert_eq!(row[1], run["verdict"].as_str().unwrap());
        assert_eq!(row[2..8], figures(run));
        assert_eq!(row[8], run["deploy"].as_str().unwrap());
    }
    let shown = html_rows(&html);
    for row in periods.iter().chain(&changes) {
        assert!(shown.contains(row), "{row:?}");
    }
    for row in newest {
        let is_row = |shown: &&Vec<String>| shown[0] == row[0] && shown[2..] == row[2..];
        assert!(shown.iter().any(|shown| is_row(&shown)), "{row:?}");
    }
    let summed = rows(&summary, "Metric");
    assert_eq!((&summed[0][2], &summed[1][2]), (&budgets[0][1], &budgets[1][1]));
}

#[test]
fn the_plots_have_the_same_names_as_png_and_svg_and_only_the_named_formats_are_written() {
    let (runs, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    history_year::write(runs.path(), SHORT);
    let flags = ["--since", "21d", "--format", "png", "--format", "svg"];
    let built = report(runs.path(), out.path(), &flags);
    assert_eq!(built.status.code(), Some(0), "{}", text(&built.stderr));
    let all = files(out.path());
    let stems = |kind: &str| {
        let names = all.keys().filter(|name| is_kind(name, kind));
        names.map(|name| name.trim_end_matches(kind).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((stems("png"), all.len()), (stems("svg"), 10));
}
