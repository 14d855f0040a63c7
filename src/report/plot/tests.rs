//! What all plots must hold.

use super::scene::SceneShape;
use super::*;
use crate::report::fixture;

#[test]
fn no_text_leaves_the_paper() {
    for (record, intervals) in fixture::all() {
        let model = ReportModel::new(&record, &intervals);
        for sketch in sketches(&model) {
            for paper in [PlotPaper::WIDE, PlotPaper::NARROW] {
                let scene = sketch.scene(paper, PlotFonts::embedded().unwrap());
                for shape in &scene.shapes {
                    if let SceneShape::Text { left, width, baseline, text, .. } = shape {
                        let inside =
                            *left >= 0.0 && left + width <= scene.width && *baseline < scene.height;
                        assert!(inside, "{} on {}: {text}", sketch.name, paper.width);
                    }
                }
            }
        }
    }
}

#[test]
fn file_stems_are_safe_and_differ() {
    let mut names = FileStems::default();
    let given =
        ["a b", "A/B", "../../etc", "", "ünï", "a-b"].map(|name| names.unique(&["phases", name]));
    assert_eq!(
        given,
        ["phases-a-b", "phases-a-b-2", "phases-etc", "phases", "phases-n", "phases-a-b-3"]
    );
    assert!(names.unique(&["phases", &"x".repeat(10_000)]).len() < 60);
}

#[test]
fn tags_at_the_same_spot_stack_downwards() {
    let mut scene = Scene::new(PlotPaper::WIDE, PlotFonts::embedded().unwrap());
    (0..3).for_each(|_| scene.tag((50.0, 50.0), scene::TextAnchor::Start, "p95", style::LABEL));
    let heights: Vec<f64> = scene
        .shapes
        .iter()
        .filter_map(|shape| {
            if let SceneShape::Text { baseline, .. } = shape { Some(*baseline) } else { None }
        })
        .collect();
    assert!(heights.windows(2).all(|pair| pair[1] - pair[0] > style::LABEL.size), "{heights:?}");
}

/// Every text of the plots of a short run, with the plot's stem.
fn texts() -> Vec<(String, String)> {
    let script = fixture::FixtureScript { seconds: 3, ..fixture::FixtureScript::default() };
    let (record, intervals) = fixture::run(&[script]);
    let mut texts = Vec::new();
    for sketch in sketches(&ReportModel::new(&record, &intervals)) {
        for shape in sketch.scene(PlotPaper::WIDE, PlotFonts::embedded().unwrap()).shapes {
            if let SceneShape::Text { text, .. } = shape {
                texts.push((sketch.name.clone(), text));
            }
        }
    }
    texts
}

#[test]
fn every_plot_writes_a_budget_with_a_space_before_its_unit() {
    let budgets: Vec<_> =
        texts().into_iter().filter(|(_, text)| text.starts_with("budget ")).collect();
    for stem in ["percentiles", "over-time", "heat-map"] {
        assert!(budgets.iter().any(|(name, _)| name.starts_with(stem)), "{stem} has no budget");
    }
    for (name, text) in budgets {
        let ceiling = text.split(" < ").nth(1).unwrap().split(',').next().unwrap();
        assert!(ceiling.contains(' '), "{name}: {text}");
    }
}

#[test]
fn plots_of_failures_only_say_so_and_invent_no_latency() {
    let (record, intervals) = fixture::run(&[fixture::live(1.0)]);
    let model = ReportModel::new(&record, &intervals);
    let empty = sketches(&model);
    let empty = empty.iter().filter(|sketch| ["percentiles", "over-time"].contains(&sketch.kind));
    let empty: Vec<_> = empty.collect();
    assert_eq!(empty.len(), 2);
    for sketch in empty {
        let scene = sketch.scene(PlotPaper::WIDE, PlotFonts::embedded().unwrap());
        let said = scene.shapes.iter().any(|shape| {
            matches!(shape, SceneShape::Text { text, .. } if text.ends_with("there is no latency to show"))
        });
        assert!(said, "{}", sketch.name);
    }
}

#[test]
fn a_label_stays_right_of_its_spot_in_a_wide_font_too() {
    let mut scene = Scene::new(PlotPaper::WIDE, PlotFonts::embedded().unwrap());
    scene.tag((500.0, 50.0), scene::TextAnchor::Start, "p95 533 ms", style::STRONG);
    let Some(SceneShape::Text { left, side, .. }) = scene.shapes.last() else { panic!("no text") };
    assert_eq!((*left, *side), (500.0, scene::TextAnchor::Start));
}

#[test]
fn a_label_avoids_the_whole_width_of_a_cell() {
    let mut scene = Scene::new(PlotPaper::WIDE, PlotFonts::embedded().unwrap());
    let spots = [100.0, 400.0].map(|x| ((x, 50.0), scene::TextAnchor::Start));
    let cell = scene::along(&[(90.0, 50.0), (300.0, 50.0)]);
    scene.tag_where_free(&spots, "budget p95 < 300 ms", style::WARNING, &cell);
    let Some(SceneShape::Text { left, side, .. }) = scene.shapes.last() else { panic!("no text") };
    assert_eq!((*left, *side), (400.0, scene::TextAnchor::Start));
}
