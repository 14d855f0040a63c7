//! Change points against those that people marked.
//!
//! The measure is F1 of van den Burg and Williams, "An evaluation of change point detection
//! algorithms", 2020 (arXiv 2003.06222, section 4.2), with a margin of 5: precision against the
//! places that anyone marked, recall as the mean over people, each place used once. The start of a
//! series counts as a place that everyone marks and every method finds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Deserialize;
use tollgate::history::change_points::{ChangeScale, RunFigure, find_change_points};

const MARGIN: usize = 5;

#[derive(Deserialize)]
struct PublishedSeries {
    name: String,
    values: Vec<Option<f64>>,
    annotations: BTreeMap<String, Vec<usize>>,
}

/// The table of F1 by series, and their mean. An error starts with the number of the line.
pub(super) fn table(text: &str) -> Result<String, String> {
    let mut table = "| series | values | F1 | without any point | change points |\n\
                     |---|--:|--:|--:|---|\n"
        .to_owned();
    let (mut all, mut none, mut count) = (0.0, 0.0, 0.0_f64);
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let series: PublishedSeries =
            serde_json::from_str(line).map_err(|error| format!("{}: {error}", at + 1))?;
        let found = change_places(&series.values);
        let marked: Vec<&[usize]> = series.annotations.values().map(Vec::as_slice).collect();
        let (own, empty) = (f1(&marked, &found), f1(&marked, &[]));
        let _ = writeln!(
            table,
            "| {} | {} | {own:.3} | {empty:.3} | {} |",
            series.name,
            series.values.len(),
            found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        );
        (all, none, count) = (all + own, none + empty, count + 1.0);
    }
    let _ = writeln!(table, "| mean | | {:.3} | {:.3} | |", all / count, none / count);
    Ok(table)
}

/// The values may be negative, so all series are compared by differences.
fn change_places(values: &[Option<f64>]) -> Vec<usize> {
    let figures: Vec<RunFigure> =
        values.iter().map(|value| RunFigure { value: *value, samples: 1, started: None }).collect();
    let points = find_change_points(&figures, ChangeScale::Difference);
    points.iter().map(|point| point.index).collect()
}

fn f1(marked: &[&[usize]], found: &[usize]) -> f64 {
    let with_start = |places: &[usize]| -> BTreeSet<usize> {
        places.iter().copied().chain(std::iter::once(0)).collect()
    };
    let found = with_start(found);
    let each: Vec<BTreeSet<usize>> = marked.iter().map(|places| with_start(places)).collect();
    let anyone: BTreeSet<usize> = each.iter().flatten().copied().collect();
    let precision = true_positives(&anyone, &found) / found.len() as f64;
    let recalls = each.iter().map(|own| true_positives(own, &found) / own.len() as f64);
    let recall = recalls.sum::<f64>() / each.len() as f64;
    2.0 * precision * recall / (precision + recall)
}

/// How many marked places have a found one within the margin, each used once.
fn true_positives(marked: &BTreeSet<usize>, found: &BTreeSet<usize>) -> f64 {
    let mut unused = found.clone();
    let mut count = 0.0;
    for place in marked {
        let nearest = unused.iter().copied().min_by_key(|other| (place.abs_diff(*other), *other));
        if let Some(nearest) = nearest.filter(|other| place.abs_diff(*other) <= MARGIN) {
            unused.remove(&nearest);
            count += 1.0;
        }
    }
    count
}
