//! What every report must be, over all kinds of runs.

use std::io::Cursor;

use unicode_width::UnicodeWidthStr as _;

use super::fixture::{self, Script, all, live};
use super::{Model, html, markdown, plots, terminal};

fn models() -> impl Iterator<Item = Model> {
    all().into_iter().map(|(record, intervals)| Model::new(&record, &intervals))
}

fn failing() -> Model {
    let (record, intervals) = fixture::run(&[Script::default(), live(0.2)]);
    Model::new(&record, &intervals)
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
    let (record, intervals) = fixture::run(&[Script::default()]);
    let text = terminal(&Model::new(&record, &intervals), 100, false);
    assert_eq!(text.lines().last().unwrap(), " PASS   both budgets hold, at 95 % confidence");
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
        for banned in ["<script", "<link", "<img", "<iframe", "src=", "href=", "@import", "url(", "onload="] {
            assert!(!page.contains(banned), "{banned}");
        }
        assert!(page.contains(&model.decision.name().to_uppercase()));
        assert_eq!(page.matches("<figure").count(), page.matches("</svg>").count());
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
fn names_that_mean_harm_do_none() {
    let (record, intervals) = fixture::hostile();
    let model = Model::new(&record, &intervals);
    // Between grave accents markdown takes everything literally.
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
            let svg = sketch.svg(super::plot::Paper::WIDE).unwrap();
            let document = roxmltree::Document::parse(&svg).unwrap();
            let root = document.root_element();
            assert_eq!(root.attribute("role"), Some("img"));
            assert!(root.attribute("viewBox").is_some());
            assert_eq!(root.first_element_child().unwrap().text(), Some(sketch.title.as_str()));
            assert!(document.descendants().all(|node| node.tag_name().name() != "script"));
        }
    }
}

#[test]
fn every_png_has_two_pixels_to_one_of_its_svg() {
    let plots = plots(&failing()).unwrap();
    let names: Vec<&str> = plots.iter().map(|plot| plot.name.as_str()).collect();
    assert_eq!(names[..2], ["percentiles-tile-loader", "percentiles-tile-loader-live"]);
    assert_eq!(plots.len(), 6);
    for plot in &plots {
        let reader = png::Decoder::new(Cursor::new(&plot.png)).read_info().unwrap();
        let svg = roxmltree::Document::parse(&plot.svg).unwrap();
        let of = |name| svg.root_element().attribute(name).unwrap().parse::<u32>().unwrap();
        assert_eq!((reader.info().width, reader.info().height), (of("width") * 2, of("height") * 2));
        assert!(!plot.alt.is_empty());
    }
}

#[test]
fn a_run_without_exchanges_has_no_plot_and_no_figure_made_up() {
    let (record, intervals) = fixture::empty();
    let model = Model::new(&record, &intervals);
    assert!(plots(&model).unwrap().is_empty());
    let text = terminal(&model, 140, false);
    assert!(text.contains("no data") && text.contains("INCONCLUSIVE") && !text.contains("NaN"), "{text}");
}

#[test]
fn a_budget_that_was_never_judged_is_shown_as_inconclusive() {
    let (mut record, intervals) = fixture::rehearsal();
    record.verdict.scenarios[0].budgets.clear();
    let text = terminal(&Model::new(&record, &intervals), 140, false);
    let row = text.lines().find(|line| line.contains("p95 < 300ms")).unwrap();
    assert!(row.ends_with("INCONCLUSIVE"), "{row}");
}
