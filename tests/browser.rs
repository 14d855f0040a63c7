//! Opens reports in a real browser, light and dark: nothing runs, loads or overflows.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]
#![allow(clippy::print_stdout, reason = "a skipped test must say so")]

#[path = "browser/devtools.rs"]
mod devtools;
#[path = "support/history_year.rs"]
mod history_year;
#[path = "browser/site.rs"]
mod site;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use devtools::Browser;
use serde_json::{Value, json};
use tollgate::history::{
    HistoryFilter, HistoryScope, NamedZone, ScenarioHistory, change_marks, group_series,
};
use tollgate::record::session::SessionRecord;
use tollgate::record::{
    AnswerDetail, Dimension, Failure, FailureEvidence, Histogram, Interval, RequestMeasurement,
    RunRecord, RunSummary, ShardRecord, ShardSharing, Stage, VerdictReason,
};
use tollgate::units::Quantile;
use tollgate::{report, verdict};

/// Widths of two phones, of a window next to another one, and of a desktop screen.
const WIDTHS: [u32; 4] = [360, 390, 1100, 1440];

/// Script that inspects a page; sizes are in CSS pixels.
const LOOK: &str = r"(() => {
  const figures = [...document.querySelectorAll('figure')].map(figure => {
    const shown = [...figure.querySelectorAll('svg')].filter(svg => svg.getClientRects().length > 0);
    const boxes = shown.map(svg => svg.getBoundingClientRect());
    return {
      id: figure.id, shown: shown.length, rows: figure.querySelectorAll('details tbody tr').length,
      column: figure.getBoundingClientRect().right, right: Math.max(...boxes.map(box => box.right)),
      paper: shown.length && getComputedStyle(shown[0].querySelector('text')).fill,
    };
  });
  const handlers = [...document.querySelectorAll('*')]
    .flatMap(element => element.getAttributeNames()).filter(name => name.startsWith('on'));
  const all = selector => [...document.querySelectorAll(selector)];
  const regions = all('.scroll').map(region => ({
    name: region.getAttribute('aria-label'), role: region.getAttribute('role'), tab: region.tabIndex,
  }));
  // Verdicts, outcomes and the measured p50 and p95 must be seen without scrolling.
  const first = '.stages tbody tr > :nth-child(2), .stages tbody tr > :nth-child(3)';
  const cut = all('.gate .badge, .once .outcome, ' + first)
    .filter(cell => cell.getClientRects().length > 0)
    .filter(cell => cell.getBoundingClientRect().right > cell.closest('.scroll').getBoundingClientRect().right + 1)
    .map(cell => cell.outerHTML);
  const levels = all('h1, h2, h3, h4').map(heading => Number(heading.tagName[1]));
  const skipped = levels.filter((level, at) => level > (at === 0 ? 1 : levels[at - 1] + 1));
  // A page of a site refers to its other pages only.
  const inside = /^(\.\.\/)?([a-z]+\/)?[a-zA-Z0-9-]+\.html$/;
  const leaving = [...document.links].filter(link => !inside.test(link.getAttribute('href')));
  return {
    regions, cut, skipped, unscoped: all('th:not([scope])').length,
    figures, handlers, room: innerWidth, needed: document.documentElement.scrollWidth,
    hacked: typeof window.__hacked, scripts: document.scripts.length, links: leaving.length,
    frames: window.frames.length, background: getComputedStyle(document.body).backgroundColor,
    title: document.title,
  };
})()";

/// The browser; `None` if the test may be skipped.
fn browser() -> Option<Browser> {
    if let Some(program) = devtools::installed() {
        return Some(Browser::start(&program));
    }
    println!("skipped: no Chromium or Chrome was found, so no report was opened");
    assert!(
        std::env::var_os("TOLLGATE_TESTS_WITHOUT_BROWSER").is_some_and(|set| !set.is_empty()),
        "no Chromium or Chrome was found; install it (Debian: apt-get install chromium), name it in \
         TOLLGATE_BROWSER, or set TOLLGATE_TESTS_WITHOUT_BROWSER=1 to go without this test"
    );
    None
}

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/sample")
}

fn sample_record() -> RunRecord {
    serde_json::from_slice(&std::fs::read(sample().join("run.json")).unwrap()).unwrap()
}

/// Malicious names of a scenario, a target or a machine.
const HOSTILE: [&str; 8] = [
    "<script>window.__hacked = 1</script>",
    "\"><img src=x onerror=\"window.__hacked = 2\">",
    "</title></style></svg><svg onload=window.__hacked=3>",
    "]]><script>window.__hacked = 4</script>",
    "javascript:window.__hacked=5",
    "' onmouseover='window.__hacked=6' autofocus onfocus='window.__hacked=7",
    "\u{202e}gnp.exe\u{1b}[31m\u{0}\u{2028}&lt;b&gt;<iframe src=//example.org>",
    "<link rel=stylesheet href=//example.org/x.css><base href=//example.org>@import url(//example.org)",
];

/// The sample's record with malicious text in every field that comes from outside, and intervals
/// made from its totals.
fn hostile() -> (RunRecord, Vec<Interval>) {
    let mut record = sample_record();
    let mut texts =
        HOSTILE.into_iter().map(str::to_owned).chain([format!("<b>{}", "W".repeat(5_000))]).cycle();
    let mut next = || texts.next().unwrap();
    let mut intervals = Vec::new();
    for at in 0..record.plan.len() {
        let (plan, measured) = (&mut record.plan[at], &mut record.measurement.scenarios[at]);
        let verdict = &mut record.verdict.scenarios[at];
        let name = next();
        (plan.name, measured.name, verdict.scenario) = (name.clone(), name.clone(), name.clone());
        (plan.description, plan.source, plan.base_url) = (next(), next(), next());
        plan.caveats = vec![next(), next()];
        measured.protocols = vec![next()];
        measured.addresses = [(next(), 3), (next(), 2)].into();
        verdict.reasons.push(VerdictReason { what: next(), next: next() });
        for (request, planned) in measured.requests.iter_mut().zip(&mut plan.requests) {
            let name = next();
            verdict.budgets.iter_mut().filter(|budget| budget.request == request.name).for_each(
                |budget| {
                    budget.request.clone_from(&name);
                    budget.reason = VerdictReason { what: next(), next: next() };
                },
            );
            (request.name, planned.name) = (name.clone(), name.clone());
            (planned.line, planned.headers, planned.expectations) =
                (next(), vec![next()], vec![next(), next()]);
            request.measured.evidence.add(hostile_failure(&mut next));
            let latency = request.measured.series.get(Dimension::Latency).unwrap().clone();
            for kind in
                [Dimension::Fresh, Dimension::Reused, Dimension::TlsFull, Dimension::TlsResumed]
            {
                request.measured.series.add(kind, &latency);
            }
            (0..3).for_each(|_| request.measured.server_timings.add(&next(), &latency));
            request.measured.tally.exchanges += 3;
            request.measured.tally.failures.insert(Failure::Unexpected, 3);
            let start = record.measurement.measured_from;
            intervals.extend(twelve_seconds(&measured.name, request, start));
        }
    }
    let from = &mut record.provenance;
    (from.command, from.host.name, from.git_commit) = (vec![next(), next()], next(), Some(next()));
    from.tags.insert(next(), next());
    record.verdict.rule = next();
    let parts = (1..=3)
        .map(|shard| ShardRecord { shard, run: record.id, host: next(), clock: None })
        .collect();
    record.measurement.sharing =
        Some(ShardSharing { of: 3, start: from.started, parts, lost: Vec::new() });
    (record, intervals)
}

/// A failure with one of the texts in each of its fields.
fn hostile_failure(mut next: impl FnMut() -> String) -> FailureEvidence {
    FailureEvidence {
        failure: Failure::Unexpected,
        phase: None,
        expected: next(),
        seen: next(),
        next: None,
        idle: None,
        count: 3,
        detail: Some(Box::new(AnswerDetail {
            because: Some(next()),
            rows: vec![next(), next()],
            further_rows: 1,
        })),
    }
}

/// Twelve intervals that repeat a request's totals, the first two of them cold.
fn twelve_seconds(
    scenario: &str,
    request: &RequestMeasurement,
    start: Duration,
) -> impl Iterator<Item = Interval> {
    (0..12).map(move |second| Interval {
        scenario: scenario.to_owned(),
        request: request.name.clone(),
        stage: if second < 2 { Stage::Cold } else { Stage::Measured },
        start: start + Duration::from_secs(second),
        tally: request.measured.tally.clone(),
        series: request.measured.series.clone(),
        server_timings: request.measured.server_timings.clone(),
        samples: Vec::new(),
    })
}

/// Inspects a page in both widths and both colour schemes.
fn inspect(browser: &mut Browser, page: &Path) {
    for width in WIDTHS {
        let backgrounds = ["light", "dark"].map(|scheme| {
            let size =
                json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500 });
            browser.call("Emulation.setDeviceMetricsOverride", &size);
            let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
            browser.call("Emulation.setEmulatedMedia", &media);
            browser.open(page);
            let place = format!("{} at {width} px, {scheme}", page.display());
            let closed = browser.evaluate(LOOK);
            fits(&closed, &place);
            tables_are_accessible(&closed, &place);
            browser
                .evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })");
            fits(&browser.evaluate(LOOK), &format!("{place}, all figures open"));
            every_plot_has_a_name(browser, closed["figures"].as_array().unwrap().len(), &place);
            nothing_ran_or_was_loaded(browser, &closed, page, &place);
            keep_picture(browser, page, width, scheme);
            [closed["background"].clone(), closed["figures"][0]["paper"].clone()]
        });
        assert_ne!(backgrounds[0][0], backgrounds[1][0], "the page is as dark as it is light");
        assert_ne!(
            backgrounds[0][1], backgrounds[1][1],
            "the words of a plot are as light as they are dark"
        );
    }
}

/// Nothing is wider than its container, and each plot appears once with its table.
fn fits(page: &Value, place: &str) {
    assert!(
        page["needed"].as_f64() <= page["room"].as_f64(),
        "{place}: {} > {}",
        page["needed"],
        page["room"]
    );
    assert_eq!(page["cut"], json!([]), "{place}: hidden until the table is scrolled");
    let figures = page["figures"].as_array().unwrap();
    assert!(!figures.is_empty(), "{place}: no plot");
    for figure in figures {
        assert_eq!(figure["shown"], 1, "{place}: {figure}");
        assert!(figure["right"].as_f64() <= figure["column"].as_f64(), "{place}: {figure}");
        assert!(figure["rows"].as_u64() > Some(0), "{place}: {figure}");
    }
}

/// Tables that scroll can be reached by keyboard and have a name, cells have headings, and no level
/// of headings is left out.
fn tables_are_accessible(page: &Value, place: &str) {
    let regions = page["regions"].as_array().unwrap();
    assert!(!regions.is_empty(), "{place}");
    for region in regions {
        assert_eq!((&region["role"], &region["tab"]), (&json!("region"), &json!(0)), "{place}");
        assert!(region["name"].as_str().is_some_and(|name| !name.is_empty()), "{place}: {region}");
    }
    assert_eq!(page["unscoped"], 0, "{place}: headings of cells without a scope");
    assert_eq!(page["skipped"], json!([]), "{place}: levels of headings");
}

/// The accessibility tree has each plot as an image whose name says more than the kind of plot.
fn every_plot_has_a_name(browser: &mut Browser, plots: usize, place: &str) {
    let tree = browser.call("Accessibility.getFullAXTree", &json!({}));
    let nodes = tree["nodes"].as_array().unwrap();
    let images = nodes.iter().filter(|node| {
        let role = node["role"]["value"].as_str().unwrap_or_default();
        node["ignored"] == json!(false) && ["img", "image"].contains(&role)
    });
    let names: Vec<&str> =
        images.map(|node| node["name"]["value"].as_str().unwrap_or_default()).collect();
    assert_eq!(names.len(), plots, "{place}: {names:#?}");
    for name in names {
        assert!(name.len() > 60 && name.contains(|c: char| c.is_ascii_digit()), "{place}: {name}");
    }
}

fn nothing_ran_or_was_loaded(browser: &Browser, seen: &Value, page: &Path, place: &str) {
    assert_eq!(seen["hacked"], "undefined", "{place}");
    for banned in ["scripts", "links", "frames"] {
        assert_eq!(seen[banned], 0, "{place}: {banned}");
    }
    assert_eq!(seen["handlers"], json!([]), "{place}");
    for complaint in ["Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"] {
        assert!(browser.events(complaint).is_empty(), "{place}: {:#?}", browser.events(complaint));
    }
    let own = url::Url::from_file_path(page).unwrap();
    let requests = browser.events("Network.requestWillBeSent");
    assert!(!requests.is_empty(), "{place}: not even the page was seen to be loaded");
    for request in requests {
        let url = request["request"]["url"].as_str().unwrap();
        assert!(url == own.as_str() || url.starts_with("data:image/png;base64,"), "{place}: {url}");
    }
}

/// Saves a screenshot if `TOLLGATE_TESTS_PICTURES` names a folder.
fn keep_picture(browser: &mut Browser, page: &Path, width: u32, scheme: &str) {
    use base64::Engine as _;
    let Some(folder) = std::env::var_os("TOLLGATE_TESTS_PICTURES") else { return };
    browser.evaluate(
        "document.querySelectorAll('details').forEach(details => { details.open = false })",
    );
    let picture = browser.call("Page.captureScreenshot", &json!({ "captureBeyondViewport": true }));
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(picture["data"].as_str().unwrap())
        .unwrap();
    let stem = page.parent().and_then(Path::file_name).unwrap().to_string_lossy();
    std::fs::write(Path::new(&folder).join(format!("{stem}-{width}-{scheme}.png")), bytes).unwrap();
}

#[test]
fn the_sample_opens_without_errors_and_fits_every_screen() {
    let Some(mut browser) = browser() else { return };
    // Its record is rendered anew, so that the test sees the page that today's code makes.
    let record = sample_record();
    let start = record.measurement.measured_from;
    let scenarios = record.measurement.scenarios.iter();
    let intervals: Vec<Interval> = scenarios
        .flat_map(|scenario| {
            let requests = scenario.requests.iter();
            requests.flat_map(|request| twelve_seconds(&scenario.name, request, start))
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("sample/report.html");
    std::fs::create_dir(page.parent().unwrap()).unwrap();
    let model = report::ReportModel::new(&record, &intervals);
    std::fs::write(&page, report::html(&model)).unwrap();
    inspect(&mut browser, &page);
}

/// A session with malicious text in its names, its machines and its conclusion.
#[test]
fn the_page_of_a_session_opens_without_errors_and_fits_every_screen() {
    let Some(mut browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let session = include_str!("support/session.json");
    let mut hostile: SessionRecord = serde_json::from_str(session).unwrap();
    let mut texts = HOSTILE.into_iter().map(str::to_owned).cycle();
    let mut next = || texts.next().unwrap();
    (hostile.name, hostile.plan.scenario) = (next(), "W".repeat(5_000));
    for it in &mut hostile.plan.configurations {
        (it.name, it.hypothesis, it.change, it.size) = (next(), next(), next(), next());
    }
    for machine in hostile.attempts.iter_mut().flat_map(|attempt| &mut attempt.machines_after) {
        (machine.state, machine.size, machine.region) = (next(), next(), "W".repeat(5_000));
    }
    let conclusion = hostile.conclusion.as_mut().unwrap();
    conclusion.headline = vec![next(), "W".repeat(5_000)];
    conclusion.caveats = vec![next(), next()];
    for (name, record) in
        [("session", serde_json::from_str(session).unwrap()), ("hostile", hostile)]
    {
        let page = folder.path().join(name).join("session.html");
        std::fs::create_dir(page.parent().unwrap()).unwrap();
        let model = report::SessionModel::new(&record);
        std::fs::write(&page, report::session_html(&model)).unwrap();
        inspect(&mut browser, &page);
    }
}

/// The sample's record after the loss of all its measurements, and with one exchange only.
#[test]
fn a_run_of_one_exchange_or_none_fits_every_screen() {
    let Some(mut browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    for exchanges in [0, 1] {
        let mut record = sample_record();
        for request in
            record.measurement.scenarios.iter_mut().flat_map(|scenario| &mut scenario.requests)
        {
            let (name, ceilings) = (request.name.clone(), request.ceilings.clone());
            let one = request.measured.series.quantile(Dimension::Latency, Quantile::P50).unwrap();
            *request = RequestMeasurement::new(name, ceilings);
            for _ in 0..exchanges {
                let mut latency = Histogram::default();
                latency.record(one);
                request.measured.series.add(Dimension::Latency, &latency);
                request.measured.tally.exchanges += 1;
                request.measured.tally.ok += 1;
            }
        }
        record.verdict = verdict::judge(&record.plan, &record.measurement);
        let page = folder.path().join(format!("{exchanges}.html"));
        let model = report::ReportModel::new(&record, Vec::<Interval>::new());
        std::fs::write(&page, report::html(&model)).unwrap();
        for width in WIDTHS {
            let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500 });
            browser.call("Emulation.setDeviceMetricsOverride", &size);
            browser.open(&page);
            let place = format!("{exchanges} exchanges at {width} px");
            let seen = browser.evaluate(LOOK);
            assert!(seen["needed"].as_f64() <= seen["room"].as_f64(), "{place}: {seen}");
            assert_eq!(seen["cut"], json!([]), "{place}");
            tables_are_accessible(&seen, &place);
        }
    }
}

/// A site of 40 generated days whose scenario, request and tags have malicious names.
fn hostile_site() -> report::HistorySite {
    let shape = history_year::YearShape { days: 40, hours: 8, exchanges: 25 };
    let further = ["W".repeat(500), "متجر التجزئة 👩‍👩‍👧‍👦".to_owned()];
    let name = HOSTILE.join(" ") + &further.concat();
    site_of(history_year::records(shape).map(|mut record| {
        record.plan[0].name.clone_from(&name);
        record.plan[0].base_url = "W".repeat(500);
        record.plan[0].caveats = vec![name.clone()];
        record.measurement.scenarios[0].name.clone_from(&name);
        record.verdict.scenarios[0].scenario.clone_from(&name);
        record.measurement.scenarios[0].requests[0].name.clone_from(&name);
        record.verdict.scenarios[0].budgets.iter_mut().for_each(|of| of.request.clone_from(&name));
        let tags = &mut record.provenance.tags;
        *tags = history_year::tags(&[("deploy", &name), ("environment", &"W".repeat(500))]);
        record
    }))
}

/// A site of some runs.
fn site_of(records: impl Iterator<Item = RunRecord>) -> report::HistorySite {
    let summaries: Vec<RunSummary> = records.map(|record| RunSummary::of(&record)).collect();
    let since = history_year::START;
    let last = summaries.iter().map(|run| run.started).max().unwrap();
    let zone: NamedZone = "Europe/Berlin".parse().unwrap();
    let until = last + Duration::from_hours(24);
    let scope = HistoryScope { since, until, over_until: until, zone };
    let (series, _) = group_series(summaries, &HistoryFilter::default(), &scope);
    let of = |one| ScenarioHistory::of(one, &scope, &change_marks).0;
    let histories = series.into_iter().filter_map(of).collect();
    let (audience, public_tags) = (report::SiteAudience::Team, BTreeSet::new());
    report::HistorySite::new(histories, report::SiteOptions { scope, audience, public_tags })
}

#[test]
fn the_pages_of_a_site_open_without_errors_and_fit_every_screen() {
    let Some(mut browser) = browser() else { return };
    let (folder, site) = (tempfile::tempdir().unwrap(), hostile_site());
    let scenario = folder.path().join("scenarios/page.html");
    std::fs::create_dir(scenario.parent().unwrap()).unwrap();
    let slug = site.slugs()[0].to_owned();
    std::fs::write(&scenario, report::scenario_html(&site, &slug).unwrap()).unwrap();
    inspect(&mut browser, &scenario);
    for (name, html) in
        [("index.html", report::index_html(&site)), ("summary.html", report::summary_html(&site))]
    {
        let page = folder.path().join(name);
        std::fs::write(&page, html).unwrap();
        for width in WIDTHS {
            let screen = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500 });
            browser.call("Emulation.setDeviceMetricsOverride", &screen);
            browser.open(&page);
            let (place, seen) = (format!("{name} at {width} px"), browser.evaluate(LOOK));
            assert!(seen["needed"].as_f64() <= seen["room"].as_f64(), "{place}: {seen}");
            tables_are_accessible(&seen, &place);
            nothing_ran_or_was_loaded(&browser, &seen, &page, &place);
            keep_picture(&mut browser, &page, width, name);
        }
    }
}

#[test]
fn a_killed_browser_leaves_nothing_in_the_temporary_folder() {
    let Some(browser) = browser() else { return };
    let folder = browser.folder().to_owned();
    let temporary = |folder: &Path| {
        let entries = std::fs::read_dir(folder).unwrap().filter_map(Result::ok);
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.contains("org.chromium.")).collect::<Vec<_>>()
    };
    // The folder of its socket, which a killed browser does not remove.
    let own = temporary(&folder);
    assert!(!own.is_empty(), "the browser keeps its socket elsewhere");
    drop(browser);
    assert!(!folder.exists(), "{}", folder.display());
    let left = temporary(&std::env::temp_dir());
    assert!(own.iter().all(|name| !left.contains(name)), "{own:?} {left:?}");
}

#[test]
fn hostile_names_and_evidence_do_no_harm_in_a_browser() {
    let Some(mut browser) = browser() else { return };
    let (record, intervals) = hostile();
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("hostile/report.html");
    std::fs::create_dir(page.parent().unwrap()).unwrap();
    let model = report::ReportModel::new(&record, &intervals);
    std::fs::write(&page, report::html(&model)).unwrap();
    inspect(&mut browser, &page);
}

#[test]
fn hostile_plots_do_no_harm_as_standalone_files() {
    let Some(mut browser) = browser() else { return };
    let (record, intervals) = hostile();
    let folder = tempfile::tempdir().unwrap();
    let model = report::ReportModel::new(&record, &intervals);
    let plots: Vec<_> = report::plots(&model).map(Result::unwrap).collect();
    assert!(plots.len() >= 6, "{}", plots.len());
    for plot in plots {
        let file = folder.path().join(format!("{}.svg", plot.name));
        std::fs::write(&file, plot.svg).unwrap();
        browser.open(&file);
        let seen = browser.evaluate(
            "({ hacked: typeof window.__hacked, scripts: document.getElementsByTagName('script').length, \
             root: document.documentElement.tagName })",
        );
        assert_eq!(
            seen,
            json!({ "hacked": "undefined", "scripts": 0, "root": "svg" }),
            "{}",
            file.display()
        );
        assert!(browser.events("Runtime.exceptionThrown").is_empty(), "{}", file.display());
    }
}
