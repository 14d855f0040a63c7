//! `tollgate report`: the site of latency history.

mod formats;
mod pictures;
mod second_build;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use tollgate::record::{BaselineLimit, Budget, Dimension, DimensionHistograms, LearnedLimit};
use tollgate::record::{Histogram, IMPORTED_TAG, NODE_CHECK, RunRecord};

use crate::bench::{text, tollgate};
use crate::history_year::{self, YearShape};

/// Seven weeks with two runs a day.
const SHORT: YearShape = YearShape { days: 49, hours: 12, exchanges: 70 };

/// Builds a site of the generated runs.
fn report(runs: &Path, out: &Path, more: &[&str]) -> Output {
    let mut command = tollgate();
    command.args(["report", "--store", "none", "--until", "2026-01-17"]).args(more);
    command.arg("--runs-dir").arg(runs).arg("--out").arg(out);
    command.arg("--sessions-dir").arg(runs.join(".sessions")).output().unwrap()
}

/// A folder of sessions with one that started in the period.
fn sessions_in(runs: &Path) {
    let text = include_str!("../support/session.json");
    let mut session: serde_json::Value = serde_json::from_str(text).unwrap();
    session["provenance"]["started"] = "2026-01-10T00:00:00Z".into();
    let folder = runs.join(".sessions/one");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("session.json"), session.to_string()).unwrap();
}

/// Every file of a site by its path, with its content.
fn files(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![out.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(out).unwrap().display().to_string();
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    // The mark of a folder is no file of its site.
    found.remove(".audience");
    found
}

fn page(out: &Path, name: &str) -> String {
    std::fs::read_to_string(out.join(name)).unwrap()
}

/// Whether a file has an extension.
fn is_kind(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == extension)
}

/// The only page of a scenario in a site.
fn scenario_page(out: &Path) -> String {
    let pages = files(out);
    let mut names = pages.keys().filter(|name| name.starts_with("scenarios/"));
    let name = names.next().unwrap().clone();
    assert_eq!(names.next(), None);
    page(out, &name)
}

#[test]
fn a_site_has_an_index_a_page_for_each_scenario_a_summary_and_the_runs_that_it_names() {
    let (runs, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    history_year::write(runs.path(), SHORT);
    sessions_in(runs.path());
    let built = report(runs.path(), out.path(), &["--since", "21d", "--timezone", "Europe/Berlin"]);
    assert_eq!(built.status.code(), Some(0), "{}", text(&built.stderr));
    let index = page(out.path(), "index.html");
    let session = index.split("href=\"sessions/").nth(1).unwrap().split('"').next().unwrap();
    assert!(out.path().join("sessions").join(session).is_file(), "{session}");
    assert!(
        index.contains("tile-loader · production") && index.contains("Europe/Berlin"),
        "{index}"
    );
    let scenario = scenario_page(out.path());
    for expected in
        ["p95 &lt; 300ms", "error budget left", "the 21 days before", "Slowest runs", "by hour"]
    {
        assert!(scenario.contains(expected), "{expected}");
    }
    let summary = page(out.path(), "summary.md");
    assert!(summary.contains("| Metric | Target | Actual | Status |"), "{summary}");
    assert!(summary.contains("| p95 latency | &lt; 300ms |"), "{summary}");
    let all = files(out.path());
    let linked: Vec<_> = scenario.split("href=\"../runs/").skip(1).collect();
    assert!(linked.len() >= 12);
    for link in linked {
        let name = link.split('"').next().unwrap();
        assert!(all.contains_key(&format!("runs/{name}")), "{name}");
    }
    for (name, bytes) in all.iter().filter(|(name, _)| is_kind(name, "html")) {
        let page = String::from_utf8_lossy(bytes);
        assert!(page.contains("default-src 'none'") && !page.contains("<script"), "{name}");
        assert!(!page.contains("src=\"http") && !page.contains("href=\"http"), "{name}");
    }
}

fn rename(record: &mut RunRecord, name: &str) {
    name.clone_into(&mut record.plan[0].name);
    name.clone_into(&mut record.measurement.scenarios[0].name);
    name.clone_into(&mut record.verdict.scenarios[0].scenario);
}

#[test]
fn a_partner_sees_no_host_no_address_and_no_tag_that_is_not_public() {
    let (runs, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    history_year::write(runs.path(), SHORT);
    for (id, host) in [(1, "tiles.example"), (2, "other.example")] {
        let mut quick = history_year::record(SHORT, 1_000).unwrap();
        (quick.id, quick.plan[0].base_url) = (history_year::id(id), format!("https://{host}/"));
        rename(&mut quick, &format!("{host}/app"));
        history_year::write_run(runs.path(), &quick);
    }
    let formats: Vec<&str> = ["html", "md", "csv", "json", "svg"]
        .iter()
        .flat_map(|format| ["--format", format])
        .collect();
    let flags = [&["--since", "21d", "--audience", "partner"][..], &formats].concat();
    let built = report(runs.path(), out.path(), &flags);
    assert_eq!(built.status.code(), Some(0), "{}", text(&built.stderr));
    let commit = history_year::record(SHORT, 1_100).unwrap().provenance.git_commit.unwrap();
    let all = files(out.path());
    assert!(all.keys().all(|name| !name.starts_with("runs/")), "{:?}", all.keys());
    for (name, bytes) in &all {
        let page = format!("{name} {}", String::from_utf8_lossy(bytes));
        for secret in ["probe-fra-1", "tiles.example", "other.example", "production", &commit[..8]]
        {
            assert!(!page.contains(secret), "{name} contains {secret}");
        }
    }
    let csv = page(out.path(), "history.csv");
    assert!(csv.contains(",16,,70,0,"), "the deploy is public, the commit is not: {csv}");
    let team = report(runs.path(), out.path(), &["--since", "21d"]);
    assert_eq!(team.status.code(), Some(2));
    assert!(text(&team.stderr).contains("a site for another audience (partner)"));
    let index = page(out.path(), "index.html");
    assert!(index.contains("target/app · environment 1</a>"), "{index}");
    assert!(index.contains("target/app · environment 1 (2)</a>"), "{index}");
}

#[test]
fn hostile_names_become_safe_file_names_and_text() {
    let (runs, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let long = "n".repeat(500);
    let names = [
        "<script>alert(1)</script>",
        "../../etc/passwd",
        "\u{202e}gnp.exe",
        "🦀",
        "🐙",
        "متجر التجزئة",
        "👩‍👩‍👧‍👦 שלום",
        "Shop",
        "shop",
        "",
        &long,
        "a\"onmouseover=\"x",
    ];
    for (at, name) in names.iter().enumerate() {
        let mut record = history_year::record(SHORT, 12).unwrap();
        record.id = history_year::id(at as u128 + 1);
        record.provenance.tags = history_year::tags(&[
            ("deploy", "<img src=x onerror=alert(2)>"),
            ("environment", name),
        ]);
        record.plan[0].base_url = "https://x/<script>alert(3)</script>".to_owned();
        rename(&mut record, name);
        history_year::write_run(runs.path(), &record);
    }
    let formats = ["--since", "49d", "--format", "html", "--format", "md"];
    let built = report(runs.path(), out.path(), &formats);
    assert_eq!(built.status.code(), Some(0), "{}", text(&built.stderr));
    let all = files(out.path());
    let pages = all.keys().filter(|name| name.starts_with("scenarios/")).count();
    assert_eq!(pages, names.len(), "{:?}", all.keys());
    for (name, bytes) in &all {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-./".contains(c);
        assert!(name.chars().all(plain) && name.len() < 200, "{name}");
        let page = String::from_utf8_lossy(bytes);
        for harmful in ["<script", "<img src=x", "\u{202e}"] {
            assert!(!page.contains(harmful), "{name} contains {harmful}");
        }
        assert!(is_kind(name, "md") || !page.contains("\"onmouseover=\""), "{name}");
        if is_kind(name, "html") {
            links_lead_to_files(out.path(), name, &page);
        }
    }
}

/// Every link of a page leads to a file of the site.
fn links_lead_to_files(out: &Path, name: &str, page: &str) {
    let folder = out.join(name).parent().unwrap().to_owned();
    for link in page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(folder.join(link).is_file(), "{name} refers to {link}");
    }
}

#[test]
fn a_change_of_latency_is_named_with_the_deploy_near_it() {
    let (runs, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    history_year::write(runs.path(), YearShape { days: 150, hours: 12, exchanges: 40 });
    let mut command = tollgate();
    command.args(["report", "--store", "none", "--since", "150d", "--until", "2026-04-28"]);
    command.args(["--format", "json", "--format", "md", "--runs-dir"]).arg(runs.path());
    let built = command.arg("--out").arg(out.path()).output().unwrap();
    assert_eq!(built.status.code(), Some(0), "{}", text(&built.stderr));
    let json: serde_json::Value = serde_json::from_str(&page(out.path(), "history.json")).unwrap();
    let points = json["scenarios"][0]["requests"][0]["change_points"].as_array().unwrap();
    let [point] = &points[..] else { panic!("{points:?}") };
    assert_eq!(
        (&point["is_confirmed"], &point["explained_by"]),
        (&true.into(), &"first_byte".into())
    );
    assert!((point["ratio"].as_f64().unwrap() - 1.22).abs() < 0.08, "{point}");
    assert!(point["cause"].as_str().unwrap().contains("deploy 41"), "{point}");
    let summary = page(out.path(), "summary.md");
    assert!(summary.contains("look at the last change: Latency +"), "{summary}");
}

/// Gives a run the limit that earlier runs made of `p95 < baseline + 10%`: none in the first runs.
fn learn_limit(record: &mut RunRecord, at: u64) {
    let written: Budget = "p95 < baseline + 10%".parse().unwrap();
    let learned = (at > 4).then(|| {
        let ceiling = Duration::from_millis(240 + at);
        LearnedLimit {
            budget: format!("p95 < {}ms", ceiling.as_millis()).parse().unwrap(),
            baseline: ceiling.mul_f64(1.0 / 1.1),
            low: ceiling.mul_f64(0.98),
            high: ceiling.mul_f64(1.02),
        }
    });
    let limit =
        BaselineLimit { written, runs: Vec::new(), exchanges: 700, learned, obstacle: None };
    let judged = limit.budget();
    let request = &mut record.plan[0].requests[0];
    request.budgets[0] = judged;
    request.baselines = vec![limit];
    record.verdict.scenarios[0].budgets[0].budget = judged;
}

#[test]
fn a_budget_that_follows_earlier_runs_is_one_budget_with_its_newest_limit() {
    let (runs, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (at, mut record) in (0..).zip(history_year::records(SHORT)) {
        learn_limit(&mut record, at);
        history_year::write_run(runs.path(), &record);
    }
    let formats = ["--format", "html", "--format", "json", "--format", "md"];
    let built = report(runs.path(), out.path(), &[&["--since", "49d"][..], &formats].concat());
    assert_eq!(built.status.code(), Some(0), "{}", text(&built.stderr));
    let json: serde_json::Value = serde_json::from_str(&page(out.path(), "history.json")).unwrap();
    let budgets = json["scenarios"][0]["requests"][0]["budgets"].as_array().unwrap();
    let written: Vec<_> = budgets.iter().map(|budget| budget["budget"].as_str().unwrap()).collect();
    assert_eq!(written, ["p95 < baseline + 10%", "errors < 2%"]);
    assert_eq!(
        (&budgets[0]["ceiling_us"], &budgets[1]["ceiling_us"]),
        (&337_000.into(), &().into())
    );
    let scenario = scenario_page(out.path());
    for shown in [
        "p95 &lt; baseline + 10%</code> <span class=\"muted small\">(337 ms now)",
        "budget p95 &lt; baseline + 10% (337 ms now)",
    ] {
        assert!(scenario.contains(shown), "{shown}");
    }
    assert!(!scenario.contains("p95 &lt; 3"));
    let summary = page(out.path(), "summary.md");
    assert!(summary.contains("| p95 latency | &lt; baseline + 10% (337 ms now) |"), "{summary}");
}

#[test]
fn imported_runs_of_one_exchange_are_shown_as_what_they_are() {
    let (runs, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for day in 0..20 {
        let mut record = history_year::record(SHORT, 24 * day).unwrap();
        record.provenance.tags = history_year::tags(&[(IMPORTED_TAG, NODE_CHECK)]);
        record.plan[0].caveats = vec!["redirects are not seen".to_owned()];
        let stage = &mut record.measurement.scenarios[0].requests[0].measured;
        let mut latency = Histogram::default();
        latency.record(Duration::from_millis(200 + u64::from(day)));
        stage.series = DimensionHistograms::default();
        stage.series.add(Dimension::Latency, &latency);
        (stage.tally.exchanges, stage.tally.ok) = (1, 1);
        history_year::write_run(runs.path(), &record);
    }
    let built =
        report(runs.path(), out.path(), &["--since", "49d", "--format", "html", "--format", "csv"]);
    assert_eq!(built.status.code(), Some(0), "{}", text(&built.stderr));
    let scenario = scenario_page(out.path());
    assert!(scenario.contains("tile-loader · imported"), "{scenario}");
    assert!(scenario.contains("redirects are not seen"), "{scenario}");
    assert!(scenario.contains("20 of 20 runs have a single exchange"), "{scenario}");
    assert!(scenario.contains("ring: a single exchange"), "{scenario}");
    let csv = page(out.path(), "history.csv");
    assert!(csv.lines().nth(1).unwrap().contains(",1,0,,,,200"), "{csv}");
}

#[test]
fn wrong_flags_are_usage_errors_with_a_remedy_and_an_empty_period_is_not() {
    let (runs, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    history_year::write_run(runs.path(), &history_year::record(SHORT, 12).unwrap());
    let refused = |flags: &[&str], remedy: &str| {
        let built = report(runs.path(), &out.path().join("site"), flags);
        assert_eq!(built.status.code(), Some(2), "{flags:?}");
        let message = text(&built.stderr);
        assert!(message.contains(remedy), "{message}");
    };
    refused(&["--timezone", "Europe/Berln"], "did you mean `Europe/Berlin`?");
    refused(&["--since", "2027-01-01"], "Name an earlier --since");
    refused(&["--format", "pdf"], "html");
    std::fs::write(out.path().join("site"), "a file").unwrap();
    refused(&[], "Name another folder with --out");
    let empty = report(runs.path(), &out.path().join("empty"), &["--since", "3d"]);
    assert_eq!(empty.status.code(), Some(0));
    assert!(text(&empty.stderr).contains("no matching run"), "{}", text(&empty.stderr));
    assert!(page(out.path(), "empty/index.html").contains("No run started in this period"));
}
