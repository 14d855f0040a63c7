//! Properties of every report of a session.

use unicode_width::UnicodeWidthStr as _;

use super::fixture::{empty, saying, session};
use super::*;
use crate::record::session::{FigureKind, QuotaReading, SampleHeat};
use crate::report::fixture::HOSTILE;
use crate::report::plot::{PlotPaper, session_sketches};
use crate::report::{session_html, session_markdown, session_terminal};

fn model() -> SessionModel {
    SessionModel::new(&session())
}

fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once('m').unwrap().1)
}

#[test]
fn a_terminal_of_100_columns_gets_the_answer_and_a_row_for_each_configuration() {
    insta::assert_snapshot!(session_terminal(&model(), 100, false));
}

#[test]
fn a_session_before_its_first_attempt_says_that_nothing_can_be_concluded() {
    let text = session_terminal(&SessionModel::new(&empty()), 100, false);
    assert!(text.contains("Nothing can be concluded yet"), "{text}");
    assert!(text.contains("0 of 15 attempts, not ended"), "{text}");
}

#[test]
fn no_line_is_wider_than_the_terminal_and_none_steers_it() {
    let hostile = HOSTILE.iter().map(|text| saying(text));
    for record in hostile.chain([session(), empty()]) {
        let model = SessionModel::new(&record);
        for width in [80_u16, 100, 140] {
            let text = session_terminal(&model, width, true);
            for line in plain(&text).lines() {
                let most = usize::from(width).min(100);
                assert!(line.width() <= most, "{} columns: {line}", line.width());
                assert!(!line.chars().any(char::is_control), "{line}");
            }
            assert_eq!(plain(&text), session_terminal(&model, width, false));
        }
    }
}

#[test]
fn what_more_rounds_would_show_is_said_once_for_each_configuration() {
    let mut record = session();
    let outcomes = &mut record.conclusion.as_mut().unwrap().configurations;
    for figure in outcomes.iter_mut().flat_map(|outcome| &mut outcome.figures) {
        let Some(difference) = &mut figure.difference else { continue };
        difference.is_clear = false;
        if figure.kind == FigureKind::RequestsToSteady {
            difference.rounds_to_halve = 995;
        }
    }
    outcomes[2].figures[0].difference.as_mut().unwrap().rounds_to_halve = 21;
    let note = SessionModel::new(&record).seen_above_note();
    assert!(note.contains(": 15 for B, 21 for C."), "{note}");
    assert!(note.contains("steps of 8 %") && !note.contains("995"), "{note}");
}

#[test]
fn every_request_has_a_state_and_its_plot_tells_the_states_apart() {
    let model = model();
    let states: Vec<String> = model.attempts.iter().map(AttemptView::heat_words).collect();
    assert_eq!(states[0], "38 cold, 43 warm");
    assert_eq!(states[4], "42 unknown, 39 warm");
    assert_eq!(states[6], "13 cold");
    let start = model.attempt_heads().iter().position(|head| head == "requests").unwrap();
    assert!(model.attempt_rows().zip(&states).all(|(row, state)| row[start] == *state));
    let sketches = session_sketches(&model);
    let warming = sketches.iter().find(|sketch| sketch.name == "phases-warming").unwrap();
    let rows: Vec<String> = warming.table().rows.iter().map(|row| row[0].clone()).collect();
    assert!(rows[0].ends_with(", cold") && rows[1].ends_with(", warm"), "{rows:?}");
    assert_eq!(rows.iter().filter(|row| row.ends_with(", unknown")).count(), 1, "{rows:?}");
}

#[test]
fn an_app_that_is_steady_from_the_start_has_no_warm_up_in_its_title() {
    let mut record = session();
    for curve in
        record.conclusion.as_mut().unwrap().configurations.iter_mut().flat_map(|it| &mut it.curves)
    {
        curve.steady_from = Some(0);
    }
    for attempt in &mut record.attempts {
        attempt.curve.iter_mut().for_each(|sample| sample.heat = Some(SampleHeat::Warm));
    }
    let model = SessionModel::new(&record);
    let sketches = session_sketches(&model);
    let warming = sketches.iter().find(|sketch| sketch.name == "phases-warming").unwrap();
    let title = &warming.title;
    assert!(title.starts_with("Requests after the first: ") && title.contains(" from the start ("));
    assert!(!title.contains("before the steady state"), "{title}");
}

#[test]
fn the_quota_of_another_machine_and_a_counters_rounding_throttle_no_attempt() {
    let throttled = |machine: &str, millis: u64| {
        let mut record = session();
        let attempt = &mut record.attempts[10];
        attempt.machine = Some(machine.to_owned());
        let QuotaReading::Known(readings) = &mut attempt.quota else { unreachable!() };
        let reading = readings.values_mut().next().unwrap();
        reading.throttled = std::time::Duration::from_millis(millis);
        let other = reading.clone();
        readings.insert("another".to_owned(), other);
        let view = SessionModel::new(&record).attempts.swap_remove(10);
        (view.is_throttled, view.throttled_words(), view.throttled_spans.len())
    };
    assert_eq!(throttled("148e21eb7d1e89", 2_100), (true, "2.1 s".to_owned(), 2));
    assert_eq!(throttled("148e21eb7d1e89", 74), (false, "no".to_owned(), 0));
    assert_eq!(throttled("idle", 2_100), (false, "not known".to_owned(), 0));
}

#[test]
fn a_difference_in_what_no_machine_changes_is_shown_only_if_it_is_clear() {
    let mut record = session();
    let kind = FigureKind::ConnectionSetup;
    let mut shown = |is_clear: bool| {
        let outcome = &mut record.conclusion.as_mut().unwrap().configurations[1];
        let figure = outcome.figures.iter_mut().find(|figure| figure.kind == kind).unwrap();
        figure.difference.as_mut().unwrap().is_clear = is_clear;
        SessionModel::new(&record).all_differences().filter(|(of, ..)| *of == kind).count()
    };
    assert_eq!((shown(false), shown(true)), (0, 1));
}

#[test]
fn the_columns_of_an_inventory_are_whole_and_mark_what_changed() {
    let model = model();
    assert_eq!(model.inventory.len(), 15);
    for row in &model.inventory {
        assert_eq!(row.cells.len(), INVENTORY_HEADS.len());
        assert_eq!(row.cells[2].text, "stopped → started");
        let changed = row.cells.iter().filter(|cell| cell.has_changed).count();
        assert_eq!(changed, 1);
    }
}

#[test]
fn an_attempts_entry_has_its_command_its_outcome_and_its_quota() {
    let record = session();
    let entry =
        AttemptEntry { command: "tollgate tune tune.toml".to_owned(), ..AttemptEntry::default() };
    insta::assert_snapshot!(attempt_entry(&record, 11, &entry).unwrap());
    let failed = attempt_entry(&record, 7, &entry).unwrap();
    assert!(failed.contains("- Outcome: not completed: the machine was replaced"), "{failed}");
    assert_eq!(attempt_entry(&record, 16, &entry), None);
}

#[test]
fn no_text_breaks_a_line_of_an_entry() {
    for text in HOSTILE {
        let entry = AttemptEntry {
            command: text.to_owned(),
            notes: vec![text.to_owned()],
            ..AttemptEntry::default()
        };
        for number in [1, 7] {
            for line in attempt_entry(&saying(text), number, &entry).unwrap().lines() {
                let starts = ["## [", "- Command: ", "- Artifacts:", "- Commit: ", "- Outcome: "];
                let is_known = starts.iter().any(|start| line.starts_with(start))
                    || line.is_empty()
                    || line.starts_with("- Notes:")
                    || line.starts_with("  - ");
                assert!(is_known, "{line}");
            }
        }
    }
}

#[test]
fn markdown_has_the_answer_first_and_names_its_pictures() {
    let text = session_markdown(&model());
    for sketch in session_sketches(&model()) {
        assert!(text.contains(&format!("]({}.png)", sketch.name)), "{}", sketch.name);
    }
    insta::assert_snapshot!(text);
}

#[test]
fn every_svg_of_a_session_is_well_formed_scales_and_says_what_it_shows() {
    let hostile = HOSTILE.iter().map(|text| saying(text));
    for record in hostile.chain([session()]) {
        let model = SessionModel::new(&record);
        for sketch in session_sketches(&model) {
            let svg = sketch.svg(PlotPaper::WIDE).unwrap();
            let document = roxmltree::Document::parse(&svg).unwrap();
            let root = document.root_element();
            assert_eq!(root.attribute("role"), Some("img"));
            let label = root.attribute("aria-label").unwrap();
            assert!(label.starts_with(&sketch.title), "{label}");
            assert!(label.contains(|c: char| c.is_ascii_digit()), "{label}");
            assert!(document.descendants().all(|node| node.tag_name().name() != "script"));
            let table = sketch.table();
            assert!((1..=60).contains(&table.rows.len()), "{}", sketch.name);
            assert!(table.heads.len() <= 14, "{}: {:?}", sketch.name, table.heads);
            assert!(table.rows.iter().all(|row| row.len() == table.heads.len()), "{}", sketch.name);
        }
    }
}

#[test]
fn the_plots_of_a_session_name_their_finding_and_their_files_are_safe() {
    let model = model();
    let sketches = session_sketches(&model);
    let titles: Vec<&str> = sketches.iter().map(|sketch| sketch.title.as_str()).collect();
    assert!(titles.iter().any(|title| title.starts_with("Steady p50: B 6")), "{titles:#?}");
    assert!(titles.contains(&"Requests to steady: no clear difference from A"), "{titles:#?}");
    assert!(titles.contains(&"CPU quota: 1 of 15 attempts throttled, for up to 2.1 s"));
    let is_safe = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    assert!(sketches.iter().all(|sketch| sketch.name.chars().all(is_safe)));
    assert!(session_sketches(&SessionModel::new(&empty())).is_empty());
}

#[test]
fn a_page_of_a_session_loads_nothing_and_runs_nothing() {
    let hostile = HOSTILE.iter().map(|text| saying(text));
    for record in hostile.chain([session(), empty()]) {
        let page = session_html(&SessionModel::new(&record));
        assert!(page.starts_with("<!DOCTYPE html>"));
        assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'"));
        for banned in ["<script", "<link", "<img", "<iframe", "src=\"", "@import", "url("] {
            assert!(!page.contains(banned), "{banned}");
        }
        assert_eq!(page.matches("<figure").count() * 2, page.matches("</svg>").count());
        assert_eq!(page.matches("<table").count(), page.matches("class=\"scroll\"").count());
        let outside_code: String =
            session_markdown(&SessionModel::new(&record)).split('`').step_by(2).collect();
        assert!(!outside_code.contains("<script"), "{outside_code}");
    }
}

/// A record of any age and origin may contradict itself.
#[test]
fn a_record_that_contradicts_itself_is_shown_without_a_panic() {
    let mut record = session();
    record.attempts[0].configuration = 99;
    record.attempts[1].started = time::OffsetDateTime::UNIX_EPOCH;
    record.attempts[2].first_due = Some(time::macros::datetime!(9999-12-31 23:59 -12));
    record.attempts[3].first.clear();
    record.attempts[4].curve.clear();
    record.plan.curve_rate = f64::NAN;
    let conclusion = record.conclusion.as_mut().unwrap();
    conclusion.configurations.truncate(2);
    conclusion.configurations[0].curves[1].steady_from = Some(usize::MAX);
    for figure in &mut conclusion.configurations[1].figures {
        figure.estimate.value = f64::NAN;
        figure.estimate.interval = Some((f64::NEG_INFINITY, f64::INFINITY));
        if let Some(difference) = &mut figure.difference {
            difference.detectable = f64::NAN;
            difference.estimate.interval = Some((f64::INFINITY, -1e300));
        }
    }
    let model = SessionModel::new(&record);
    let _text = session_terminal(&model, 100, true);
    let _markdown = session_markdown(&model);
    let page = session_html(&model);
    assert!(!page.contains("A plot is missing") && !page.contains("NaN"));
    for sketch in session_sketches(&model) {
        roxmltree::Document::parse(&sketch.svg(PlotPaper::NARROW).unwrap()).unwrap();
    }
}
