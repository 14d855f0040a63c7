//! Pages of a site: accessible by axe-core's rules, and fit to be printed.
//!
//! `test.sh` installs axe-core below `target/axe`; `TOLLGATE_TESTS_AXE` names another copy.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tollgate::report;

use super::{Browser, browser, history_year, hostile_site, sample_record, site_of};

/// A phone and a desktop screen.
const WIDTHS: [u32; 2] = [390, 1440];

/// The width of A4 paper between its margins, in CSS pixels.
const PAPER: u32 = 718;

/// What axe-core objects to: rule, number of places, the first place.
const VIOLATIONS: &str = "axe.run().then(found => found.violations.map(one => \
                          [one.id, one.nodes.length, one.nodes[0].html.slice(0, 200)]))";

/// Whatever would be cut off on paper, and the colour behind it.
const PRINTED: &str = r"(() => {
  const cut = [...document.querySelectorAll('main *')].filter(element =>
    element.getClientRects().length > 0 && !element.closest('svg') &&
    element.getBoundingClientRect().right > document.documentElement.clientWidth + 1);
  // A column of single letters is as bad.
  const squeezed = [...document.querySelectorAll('th, td')].filter(cell =>
    cell.clientWidth > 0 && cell.clientWidth < 40 && cell.clientHeight > 120);
  return {
    squeezed: squeezed.map(cell => cell.outerHTML.slice(0, 200)),
    cut: cut.map(element => element.outerHTML.slice(0, 200)),
    background: getComputedStyle(document.body).backgroundColor,
    ink: getComputedStyle(document.querySelector('h1')).color,
    open: [...document.querySelectorAll('details')].filter(it => it.getClientRects().length > 0).length,
  };
})()";

/// The names of the tables that have to be scrolled.
const CUT: &str = "[...document.querySelectorAll('.scroll')] \
                   .filter(one => !one.closest('details') && one.scrollWidth > one.clientWidth + 1) \
                   .map(one => one.getAttribute('aria-label'))";

/// Opens the tables behind the plots.
const OPEN_ALL: &str = "document.querySelectorAll('details').forEach(it => it.open = true); 0";

/// axe-core; `None` if it is not installed.
fn axe() -> Option<String> {
    let installed =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("target/axe/node_modules/axe-core/axe.min.js");
    let path = std::env::var_os("TOLLGATE_TESTS_AXE").map_or(installed, PathBuf::from);
    let script = std::fs::read_to_string(&path).ok();
    if script.is_none() {
        println!("skipped: there is no axe-core in {}; ./test.sh installs it", path.display());
    }
    script
}

/// The pages of a site with malicious names, of one with plain names, and the page of a run.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let plain = site_of(history_year::records(history_year::YearShape {
        days: 130,
        hours: 24,
        exchanges: 120,
    }));
    let mut pages = Vec::new();
    let mut put = |name: String, html: String| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, html).unwrap();
        pages.push(path);
    };
    for (name, site) in [("hostile", hostile_site()), ("plain", plain)] {
        put(format!("{name}/index.html"), report::index_html(&site));
        put(format!("{name}/summary.html"), report::summary_html(&site));
        let scenario = report::scenario_html(&site, site.slugs()[0]).unwrap();
        put(format!("{name}/scenarios/page.html"), scenario);
    }
    let record = sample_record();
    let model = report::ReportModel::new(&record, Vec::<tollgate::record::Interval>::new());
    put("plain/runs/page.html".to_owned(), report::html(&model));
    pages
}

fn show(browser: &mut Browser, page: &Path, (width, media, scheme): (u32, &str, &str)) {
    let screen =
        json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500 });
    browser.call("Emulation.setDeviceMetricsOverride", &screen);
    let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
    browser.call("Emulation.setEmulatedMedia", &json!({ "media": media, "features": features }));
    browser.open(page);
}

#[test]
fn the_pages_of_a_site_meet_the_rules_of_accessibility() {
    let Some(mut browser) = browser() else { return };
    let Some(axe) = axe() else { return };
    let folder = tempfile::tempdir().unwrap();
    // The pages forbid scripts.
    browser.call("Page.setBypassCSP", &json!({ "enabled": true }));
    for page in pages(folder.path()) {
        for (width, scheme) in WIDTHS.into_iter().flat_map(|it| [(it, "light"), (it, "dark")]) {
            show(&mut browser, &page, (width, "", scheme));
            // What is closed is not looked at. A look at the narrow screen is enough for the
            // tables, which take most of the time.
            if width < 500 {
                browser.evaluate(OPEN_ALL);
            }
            browser.evaluate(&format!("{axe}; 0"));
            let found = browser.evaluate(VIOLATIONS);
            assert_eq!(found, json!([]), "{} at {width} px, {scheme}", page.display());
        }
    }
}

#[test]
fn a_printed_page_is_light_and_whole_although_the_system_is_dark() {
    let Some(mut browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    for page in pages(folder.path()) {
        show(&mut browser, &page, (PAPER, "print", "dark"));
        let seen: Value = browser.evaluate(PRINTED);
        let place = page.display();
        assert_eq!(seen["cut"], json!([]), "{place}");
        assert_eq!(seen["squeezed"], json!([]), "{place}");
        assert_eq!(seen["background"], "rgb(255, 255, 255)", "{place}");
        assert_eq!(seen["open"], 0, "{place}: figures that nobody can open on paper");
        let ink = seen["ink"].as_str().unwrap();
        let parts = ink.trim_matches(|c: char| !c.is_ascii_digit()).split(", ");
        assert!(parts.map(|part| part.parse::<u32>().unwrap()).all(|part| part < 100), "{ink}");
    }
}

#[test]
fn no_table_of_a_site_is_cut_off_on_a_desktop_screen() {
    let Some(mut browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    for page in pages(folder.path()).iter().filter(|page| !page.ends_with("runs/page.html")) {
        show(&mut browser, page, (1440, "", "light"));
        assert_eq!(browser.evaluate(CUT), json!([]), "{}", page.display());
    }
}

#[test]
fn the_tables_of_runs_and_of_differences_are_whole_on_a_phone() {
    let Some(mut browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut pages = pages(folder.path());
    let session = serde_json::from_str(include_str!("../support/session.json")).unwrap();
    let session = report::session_html(&report::SessionModel::new(&session));
    let page = folder.path().join("session.html");
    std::fs::write(&page, session).unwrap();
    pages.push(page);
    for page in &pages {
        show(&mut browser, page, (390, "", "light"));
        let cut = browser.evaluate(CUT);
        let cut = cut.as_array().unwrap().iter().filter_map(Value::as_str);
        let names = [
            "Newest runs",
            "Slowest runs",
            "Runs that did not pass",
            "Periods",
            "Changes",
            "Differences",
            "Figures",
        ];
        let cut: Vec<&str> =
            cut.filter(|cut| names.iter().any(|name| cut.starts_with(name))).collect();
        assert!(cut.is_empty(), "{}: {cut:?}", page.display());
    }
}

#[test]
fn the_figures_of_a_session_fit_a_desktop_screen() {
    let Some(mut browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let session = serde_json::from_str(include_str!("../support/session.json")).unwrap();
    let page = folder.path().join("session.html");
    std::fs::write(&page, report::session_html(&report::SessionModel::new(&session))).unwrap();
    show(&mut browser, &page, (1440, "", "light"));
    let cut = browser.evaluate(CUT);
    assert!(!cut.as_array().unwrap().contains(&json!("Figures")), "{cut}");
}
