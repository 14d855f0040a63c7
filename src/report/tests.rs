//! Properties of every report, checked over all kinds of runs.

use std::io::Cursor;

use unicode_width::UnicodeWidthStr as _;

use super::fixture::{self, FixtureScript, all, live};
use super::{ReportModel, html, markdown, plots, terminal};
use crate::record::{Decision, Failure, FailureEvidence, GateDecision, StageMeasurement};

mod checks;
mod context;
mod history;

fn models() -> impl Iterator<Item = ReportModel> {
    all().into_iter().map(|(record, intervals)| ReportModel::new(&record, &intervals))
}

fn failing() -> ReportModel {
    let (record, intervals) = fixture::run(&[FixtureScript::default(), live(0.2)]);
    ReportModel::new(&record, &intervals)
}

fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once('m').unwrap().1)
}

#[test]
fn a_terminal_of_80_columns_gets_a_block_for_each_request() {
    insta::assert_snapshot!(terminal(&failing(), 80, false));
}

#[test]
fn a_terminal_of_100_columns_gets_a_block_for_each_request() {
    insta::assert_snapshot!(terminal(&failing(), 100, false));
}

#[test]
fn a_terminal_of_140_columns_gets_one_row_for_each_budget() {
    insta::assert_snapshot!(terminal(&failing(), 140, false));
}

#[test]
fn markdown_has_the_gate_first_and_names_its_pictures() {
    insta::assert_snapshot!(markdown(&failing()));
}

#[test]
fn a_passing_run_ends_with_its_verdict() {
    let (record, intervals) = fixture::run(&[FixtureScript::default()]);
    let text = terminal(&ReportModel::new(&record, &intervals), 100, false);
    assert_eq!(text.lines().last().unwrap(), " PASS   both budgets hold, at 95 % confidence");
}

#[test]
fn every_report_says_next_to_the_verdict_what_the_gate_made_of_it() {
    let (mut record, intervals) = fixture::run(&[FixtureScript::default()]);
    let reason = "`commit` is required and is not known: give --git-commit".to_owned();
    record.gate = Some(GateDecision { decision: Decision::Inconclusive, reason });
    let model = ReportModel::new(&record, &intervals);
    let text = terminal(&model, 100, false);
    let last: Vec<_> = text.lines().rev().take(2).collect();
    let line = "  GATE is inconclusive: `commit` is required and is not known: give --git-commit";
    assert_eq!(last, [line, " PASS   both budgets hold, at 95 % confidence"]);
    let line = "⚠️ **Gate is inconclusive**: `commit` is required and is not known";
    assert!(markdown(&model).contains(line), "{}", markdown(&model));
    let line = "<strong>Gate is inconclusive: </strong><code>commit</code> is required";
    assert!(html(&model).contains(line));
}

#[test]
fn no_line_is_wider_than_the_terminal_and_none_steers_it() {
    for model in models() {
        for width in [80_u16, 100, 140] {
            let text = terminal(&model, width, true);
            for line in plain(&text).lines() {
                assert!(line.width() <= usize::from(width), "{} columns: {line}", line.width());
                assert!(!line.chars().any(char::is_control), "{line}");
            }
            assert_eq!(plain(&text), terminal(&model, width, false));
        }
    }
}

#[test]
fn a_page_loads_nothing_runs_nothing_and_says_so() {
    for model in models() {
        let page = html(&model);
        assert!(page.starts_with("<!DOCTYPE html>"));
        assert!(page.contains("<meta charset=\"utf-8\">"));
        assert!(page.contains("width=device-width"));
        assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'; img-src data:"));
        for banned in ["<script", "<link", "<img", "<iframe", "src=", "@import", "url(", "onload="]
        {
            assert!(!page.contains(banned), "{banned}");
        }
        let pictures = page.matches("href=\"data:image/png;base64,").count();
        assert_eq!(page.matches("href=").count(), pictures);
        assert!(page.contains(model.decision.word()));
        assert_eq!(page.matches("<figure").count() * 2, page.matches("</svg>").count());
        assert_eq!(page.matches("<figure").count(), page.matches("<details>").count());
    }
}

#[test]
fn a_page_shows_the_verdict_before_the_tables_and_the_plots_after_them() {
    let page = html(&failing());
    let order = [
        "class=\"verdict fail\"",
        "<h2>Budgets",
        "<h2>Failures",
        "<h2>Plots",
        "<h2>Where the time goes",
        "<h2>Plan",
        "<h2>Provenance",
        "Method.",
    ];
    let places: Vec<usize> = order.iter().map(|part| page.find(part).unwrap()).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn malicious_names_do_no_harm() {
    let (record, intervals) = fixture::hostile();
    let model = ReportModel::new(&record, &intervals);
    // Markdown takes everything between backticks literally.
    let outside_code: String = markdown(&model).split('`').step_by(2).collect();
    for text in [html(&model), outside_code] {
        assert!(!text.contains("<script"));
        assert!(!text.contains(&"x".repeat(300)), "a name of 10,000 letters is shown whole");
    }
}

#[test]
fn every_svg_is_well_formed_scales_and_says_what_it_shows() {
    for model in models() {
        for sketch in super::plot::sketches(&model) {
            let svg = sketch.svg(super::plot::PlotPaper::WIDE).unwrap();
            let document = roxmltree::Document::parse(&svg).unwrap();
            let root = document.root_element();
            assert_eq!(root.attribute("role"), Some("img"));
            assert!(root.attribute("viewBox").is_some());
            let label = root.attribute("aria-label").unwrap();
            assert!(
                label.starts_with(&sketch.title) && label.contains(|c: char| c.is_ascii_digit()),
                "{label}"
            );
            assert_eq!(root.first_element_child().unwrap().text(), Some(sketch.title.as_str()));
            assert!(document.descendants().all(|node| node.tag_name().name() != "script"));
        }
    }
}

#[test]
fn every_png_has_two_pixels_to_one_of_its_svg_which_knows_dark_screens() {
    let model = failing();
    let plots: Vec<_> = plots(&model).map(Result::unwrap).collect();
    let names: Vec<&str> = plots.iter().map(|plot| plot.name.as_str()).collect();
    assert_eq!(names[..2], ["percentiles-tile-loader", "percentiles-tile-loader-live"]);
    assert_eq!(plots.len(), 12);
    for plot in &plots {
        let reader = png::Decoder::new(Cursor::new(&plot.png)).read_info().unwrap();
        let svg = roxmltree::Document::parse(&plot.svg).unwrap();
        let of = |name| svg.root_element().attribute(name).unwrap().parse::<u32>().unwrap();
        assert_eq!(
            (reader.info().width, reader.info().height),
            (of("width") * 2, of("height") * 2)
        );
        assert!(!plot.alt.is_empty());
        let style = svg.descendants().find(|node| node.tag_name().name() == "style").unwrap();
        assert!(style.text().unwrap().contains("prefers-color-scheme:dark"));
    }
}

#[test]
fn every_plot_has_a_short_table_whose_rows_are_whole() {
    for model in models() {
        for sketch in super::plot::sketches(&model) {
            let table = sketch.table();
            assert!(
                (1..=60).contains(&table.rows.len()),
                "{}: {} rows",
                sketch.name,
                table.rows.len()
            );
            assert!(table.heads.len() <= 14, "{}: {:?}", sketch.name, table.heads);
            assert!(table.rows.iter().all(|row| row.len() == table.heads.len()), "{}", sketch.name);
        }
    }
}

#[test]
fn tables_count_every_exchange_once() {
    let (record, intervals) = fixture::run(&[live(0.2)]);
    let model = ReportModel::new(&record, &intervals);
    let sketches = super::plot::sketches(&model);
    let table = sketches.iter().find(|sketch| sketch.name.starts_with("heat-map")).unwrap().table();
    let cells = table.rows.iter().flat_map(|row| row.iter().skip(1));
    let shown: u64 = cells.map(|cell| cell.parse::<u64>().unwrap()).sum();
    assert_eq!(shown, intervals.iter().map(|interval| interval.tally.exchanges).sum::<u64>());
}

#[test]
fn hops_appear_below_their_request_and_only_if_they_ran() {
    let (record, intervals) = fixture::redirected();
    let model = ReportModel::new(&record, &intervals);
    let text = terminal(&model, 140, false);
    let lines: Vec<&str> = text.lines().collect();
    let at = |name: &str| lines.iter().position(|line| line.trim_start().starts_with(name));
    assert!(at("tile-loader · mock") < at("↳ hop 1") && at("↳ hop 1") < at("↳ hop 2"), "{text}");
    assert!(lines[at("↳ hop 1").unwrap()].contains("not judged"), "{text}");
    for text in [text, markdown(&model), html(&model)] {
        assert!(
            text.contains("↳ hop 2") && !text.contains("hop 3") && !text.contains("hop 4"),
            "{text}"
        );
    }
    let names: Vec<String> =
        super::plot::sketches(&model).into_iter().map(|sketch| sketch.name).collect();
    assert!(names.iter().all(|name| !name.contains("hop")), "{names:?}");
}

#[test]
fn the_load_of_a_scenario_leaves_its_hops_out() {
    let (record, intervals) = fixture::redirected();
    let timeline = &ReportModel::new(&record, &intervals).scenarios[0].timeline;
    assert_eq!(timeline.measured.iter().map(|point| point.n).sum::<u64>(), 40 * 20);
}

#[test]
fn a_caveat_precedes_every_figure_and_is_in_every_plot() {
    let (record, intervals) = fixture::redirected();
    let model = ReportModel::new(&record, &intervals);
    let caveat = "TLS certificates are not verified";
    let text = terminal(&model, 80, true);
    assert!(
        text.starts_with("\u{1b}[1;30;43m WARN \u{1b}[0m")
            && text.lines().next().unwrap().contains(caveat)
    );
    assert!(markdown(&model).starts_with(&format!("> [!WARNING]\n> **tile-loader**: {caveat}")));
    let page = html(&model);
    let body = &page[page.find("<main>").unwrap()..];
    assert!(
        body.starts_with("<main><aside class=\"caveats\">") && body.find(caveat) < body.find("<h1"),
        "{body}"
    );
    for sketch in super::plot::sketches(&model) {
        for paper in [super::plot::PlotPaper::WIDE, super::plot::PlotPaper::NARROW] {
            let svg = sketch.svg(paper).unwrap();
            let drawn =
                svg.split("<text").skip(1).any(|text| text.contains("! TLS certificates are"));
            assert!(drawn && sketch.alt.contains(caveat), "{}", sketch.name);
        }
    }
}

#[test]
fn the_plan_lists_the_protocols() {
    let model = failing();
    for text in [markdown(&model), html(&model)] {
        assert!(text.contains("HTTP/1.1 over TLS 1") && text.contains("protocols"));
    }
}

#[test]
fn no_text_from_outside_becomes_more_than_text_in_any_format() {
    for hostile in fixture::HOSTILE {
        let (mut record, intervals) = fixture::saying(hostile);
        record.gate = Some(GateDecision { decision: Decision::Fail, reason: hostile.to_owned() });
        let model = ReportModel::new(&record, &intervals);
        does_no_harm_in_a_page(&html(&model));
        does_no_harm_in_markdown(&markdown(&model));
        let text = terminal(&model, 80, false);
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
        for sketch in super::plot::sketches(&model) {
            does_no_harm_in_a_plot(
                &sketch.svg(super::plot::PlotPaper::WIDE).unwrap(),
                &sketch.title,
            );
            let safe = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(sketch.name.chars().all(safe) && sketch.name.len() < 120, "{}", sketch.name);
        }
    }
}

fn does_no_harm_in_a_page(page: &str) {
    // Outside of quotes and tags every `<` begins one of the tags that the page is made of.
    let known = "!DOCTYPE html head meta title style body main aside header section footer div p h1 h2 h3 ul li span strong \
                 code table thead tbody tr th td dl dt dd figure details summary svg desc text rect line polyline polygon \
                 circle image";
    for tag in page.split('<').skip(1) {
        let name: String = tag
            .trim_start_matches('/')
            .chars()
            .take_while(|c| !c.is_whitespace() && *c != '>')
            .collect();
        assert!(
            known.split_whitespace().any(|known| known == name.trim_end_matches('/')),
            "<{name}"
        );
    }
    harmless_characters(page);
}

fn does_no_harm_in_a_plot(svg: &str, title: &str) {
    let document = roxmltree::Document::parse(svg).unwrap();
    assert!(document.descendants().any(|node| node.text() == Some(title)), "{title}");
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        let known = [
            "svg", "title", "desc", "text", "rect", "line", "polyline", "polygon", "circle",
            "image",
        ];
        assert!(known.contains(&node.tag_name().name()), "{node:?}");
        assert!(node.attributes().all(|attribute| !attribute.name().starts_with("on")), "{node:?}");
    }
    harmless_characters(svg);
}

fn does_no_harm_in_markdown(text: &str) {
    // Markdown takes everything between backticks literally.
    let mut outside_code: String = text.split('`').step_by(2).collect();
    // What follows a backslash means nothing.
    while let Some(at) = outside_code.find('\\').filter(|at| at + 1 < outside_code.len()) {
        outside_code.replace_range(at..at + 2, "·");
    }
    // Budgets are written with a space behind the sign, which keeps it from opening a tag.
    assert!(outside_code.split('<').skip(1).all(|rest| rest.starts_with(' ')), "{outside_code}");
    for banned in ["](javascript", "](http", "| a | b", "\n# heading"] {
        assert!(!outside_code.contains(banned), "{banned}: {outside_code}");
    }
    assert!(text.matches('`').count().is_multiple_of(2), "{text}");
    harmless_characters(text);
}

fn harmless_characters(text: &str) {
    let harmful = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    assert!(
        !text.contains(harmful),
        "{:?}",
        text.find(harmful).map(|at| &text[at..(at + 40).min(text.len())])
    );
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]

    #[test]
    fn any_text_from_outside_stays_text(text in "(\\PC|[<>&\"'`|\\[\\]()\n\r\u{1b}\u{202e}]){0,80}") {
        let (record, intervals) = fixture::saying(&text);
        let model = ReportModel::new(&record, &intervals);
        does_no_harm_in_a_page(&html(&model));
        harmless_characters(&markdown(&model));
        for line in terminal(&model, 80, false).lines() {
            proptest::prop_assert!(line.width() <= 80 && !line.contains(char::is_control), "{line:?}");
        }
        for sketch in super::plot::sketches(&model) {
            does_no_harm_in_a_plot(&sketch.svg(super::plot::PlotPaper::NARROW).unwrap(), &sketch.title);
        }
    }
}

#[test]
fn a_run_without_exchanges_has_no_plots_and_no_invented_figures() {
    let (record, intervals) = fixture::empty();
    let model = ReportModel::new(&record, &intervals);
    assert!(plots(&model).next().is_none());
    let text = terminal(&model, 140, false);
    assert!(
        text.contains("no data") && text.contains("INCONCLUSIVE") && !text.contains("NaN"),
        "{text}"
    );
}

#[test]
fn a_step_that_was_not_judged_says_so_in_place_of_its_figures() {
    let (mut record, intervals) = fixture::rehearsal();
    let step = &mut record.measurement.scenarios[0].requests[0];
    step.measured = StageMeasurement::default();
    step.measured.evidence.add(FailureEvidence {
        failure: Failure::Absent,
        phase: None,
        expected: "status = 200".to_owned(),
        seen: "404".to_owned(),
        next: None,
        idle: None,
        count: 1,
        detail: None,
    });
    let text = terminal(&ReportModel::new(&record, &intervals), 140, false);
    let row = text.lines().find(|line| line.contains("p95 < 300ms")).unwrap();
    assert!(row.contains("  absent  ") && !row.contains("no data"), "{row}");
}

#[test]
fn a_budget_that_was_never_judged_is_shown_as_inconclusive() {
    let (mut record, intervals) = fixture::rehearsal();
    record.verdict.scenarios[0].budgets.clear();
    let text = terminal(&ReportModel::new(&record, &intervals), 140, false);
    let row = text.lines().find(|line| line.contains("p95 < 300ms")).unwrap();
    assert!(row.ends_with("INCONCLUSIVE"), "{row}");
}
