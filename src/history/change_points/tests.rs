use proptest::prelude::*;

use super::simulated_series::{NoiseKind, simulate_series};
use super::*;
use crate::record::Dimension;

fn figures(values: &[f64]) -> Vec<RunFigure> {
    values
        .iter()
        .map(|value| RunFigure { value: Some(*value), samples: 100, started: None })
        .collect()
}

fn ratio_points(values: &[f64]) -> Vec<ChangePoint> {
    find_change_points(&figures(values), ChangeScale::Ratio)
}

/// 120 independent runs with a variation of 10 %, the last ones slower by a factor.
fn changed(change: usize, factor: f64, seed: u64) -> Vec<f64> {
    simulate_series(NoiseKind::Independent, 120, 0.1, (change, factor), seed)
}

fn flat(seed: u64) -> Vec<f64> {
    changed(120, 1.0, seed)
}

#[test]
fn a_change_has_a_place_and_an_effect_with_its_interval() {
    let [point] = ratio_points(&changed(70, 1.5, 1))[..] else { panic!("one change") };
    assert!(point.index.abs_diff(70) <= 1, "{point:?}");
    let ChangeEffect { size, low, high } = point.effect;
    assert!(low < 1.5 && 1.5 < high && low < size && size < high, "{point:?}");
    assert!(high - low < 0.3, "{point:?}");
    assert!(point.is_confirmed && point.false_rate < 0.001, "{point:?}");

    let [point] = ratio_points(&changed(70, 0.5, 1))[..] else { panic!("one change") };
    assert!(point.effect.low < 0.5 && point.effect.high > 0.5, "{point:?}");
}

#[test]
fn flat_series_of_each_kind_seldom_have_a_change() {
    for kind in NoiseKind::STATED {
        let series = (0..60).map(|seed| simulate_series(kind, 120, 0.1, (120, 1.0), seed));
        let wrong = series.filter(|values| !ratio_points(values).is_empty()).count();
        assert!(wrong <= 4, "{kind}: {wrong} of 60 flat series have a change");
    }
}

#[test]
fn flat_series_with_more_autocorrelation_or_spikes_have_a_change_more_often_but_not_often() {
    for kind in NoiseKind::BEYOND {
        let series = (0..60).map(|seed| simulate_series(kind, 120, 0.1, (120, 1.0), seed));
        let wrong = series.filter(|values| !ratio_points(values).is_empty()).count();
        assert!(wrong <= 14, "{kind}: {wrong} of 60 flat series have a change");
    }
}

#[test]
fn a_step_of_a_fifth_is_found_in_each_kind() {
    for (kind, least) in NoiseKind::STATED.into_iter().zip([38, 37, 31]) {
        let is_found = |seed: &u64| {
            let values = simulate_series(kind, 120, 0.1, (60, 1.2), 500 + seed);
            ratio_points(&values).iter().any(|point| point.index.abs_diff(60) <= 5)
        };
        let found = (0..40).filter(is_found).count();
        assert!(found >= least, "{kind}: found in {found} of 40");
    }
}

#[test]
fn a_level_that_comes_and_goes_has_two_changes() {
    let mut values = flat(3);
    values[50..70].iter_mut().for_each(|value| *value *= 1.6);
    let places: Vec<usize> = ratio_points(&values).iter().map(|point| point.index).collect();
    assert_eq!(places, [50, 70]);
}

#[test]
fn a_change_at_the_very_end_is_not_yet_confirmed() {
    let values = changed(100, 1.6, 4);
    let newest = |length: usize| ratio_points(&values[..length]).pop();
    assert_eq!(newest(101), None, "one slow run is no new level");
    let early = newest(103).expect("three runs are reported");
    assert!(!early.is_confirmed && early.index.abs_diff(100) <= 1, "{early:?}");
    let later = newest(106).expect("six runs are reported");
    assert!(later.is_confirmed && later.false_rate < early.false_rate, "{later:?}");
}

#[test]
fn single_slow_runs_are_no_changes() {
    let mut values = flat(5);
    for slow in [20, 21, 60, 90, 118] {
        values[slow] *= 4.0;
    }
    assert_eq!(ratio_points(&values), []);
}

#[test]
fn gaps_keep_their_places() {
    let values = changed(60, 1.5, 6);
    let mut series = figures(&values);
    for gap in [10, 11, 12, 40, 61] {
        series[gap].value = None;
    }
    series[80].value = Some(f64::NAN);
    series[81].value = Some(f64::INFINITY);
    series[82].value = Some(-1.0);
    let [point] = find_change_points(&series, ChangeScale::Ratio)[..] else { panic!("one change") };
    assert!(point.index.abs_diff(60) <= 1, "{point:?}");
}

#[test]
fn runs_with_few_samples_count_less() {
    let mut series = figures(&flat(7));
    for figure in &mut series[60..66] {
        figure.value = figure.value.map(|value| value * 1.6);
    }
    assert!(!find_change_points(&series, ChangeScale::Ratio).is_empty());
    series[60..66].iter_mut().for_each(|figure| figure.samples = 1);
    assert_eq!(find_change_points(&series, ChangeScale::Ratio), []);
}

#[test]
fn a_series_without_enough_or_with_equal_values_has_no_change() {
    assert_eq!(ratio_points(&vec![1e9; 1_000_000]), []);
    for series in [vec![], vec![1.0], vec![0.0; 50], vec![1.0, 2.0, 3.0], vec![1e9; 1_000]] {
        assert_eq!(ratio_points(&series), []);
        assert_eq!(find_change_points(&figures(&series), ChangeScale::Difference), []);
    }
    assert_eq!(find_change_points(&[RunFigure::default(); 100], ChangeScale::Ratio), []);
}

#[test]
fn a_step_without_noise_is_found_where_it_is() {
    let values: Vec<f64> = (0..60).map(|run| if run < 25 { 0.2 } else { 0.21 }).collect();
    let [point] = ratio_points(&values)[..] else { panic!("one change") };
    assert_eq!(point.index, 25);
    assert!((point.effect.size - 1.05).abs() < 1e-3, "{point:?}");
}

#[test]
fn a_phase_that_begins_to_take_time_has_a_change() {
    let values: Vec<f64> = (0..60).map(|run| if run < 30 { 0.0 } else { 0.05 }).collect();
    let [point] = ratio_points(&values)[..] else { panic!("one change") };
    assert!(point.index == 30 && point.effect.low > 1.0, "{point:?}");
}

#[test]
fn the_unit_does_not_matter() {
    let values = changed(50, 1.3, 8);
    let places = |factor: f64| -> Vec<usize> {
        let scaled: Vec<f64> = values.iter().map(|value| value * factor).collect();
        ratio_points(&scaled).iter().map(|point| point.index).collect()
    };
    assert_eq!(places(1.0), places(1e-9));
    assert_eq!(places(1.0), places(1e6));
}

#[test]
fn differences_of_values_around_zero_have_their_unit() {
    let values: Vec<f64> = flat(9).iter().map(|value| (value - 0.2) * 1e4).collect();
    let moved =
        values.iter().enumerate().map(|(run, value)| if run < 60 { *value } else { value - 500.0 });
    let moved: Vec<f64> = moved.collect();
    let points = find_change_points(&figures(&moved), ChangeScale::Difference);
    let [point] = points[..] else { panic!("one change") };
    assert!(point.index.abs_diff(60) <= 1, "{point:?}");
    assert!(point.effect.low < -500.0 && -500.0 < point.effect.high, "{point:?}");
}

/// 1,500 autocorrelated runs whose level changes every 180 runs.
fn long_series() -> Vec<RunFigure> {
    let noise = simulate_series(NoiseKind::Autocorrelated(50), 1_500, 0.05, (1_500, 1.0), 10);
    let level = |run: usize| if (run / 180).is_multiple_of(2) { 1.0 } else { 1.5 };
    figures(&noise.iter().enumerate().map(|(run, value)| value * level(run)).collect::<Vec<_>>())
}

#[test]
fn final_changes_never_move_when_runs_are_appended() {
    let series = long_series();
    let mut detector = ChangeDetector::new(ChangeScale::Ratio);
    let mut known: Vec<ChangePoint> = Vec::new();
    for figure in &series {
        detector.append(*figure);
        assert_eq!(detector.final_points()[..known.len()], known);
        known = detector.final_points().to_vec();
    }
    assert!(known.len() >= 4, "{known:?}");
    assert_eq!(detector.change_points(), find_change_points(&series, ChangeScale::Ratio));
}

#[test]
fn changes_are_found_once_where_the_final_runs_end() {
    let points = find_change_points(&long_series(), ChangeScale::Ratio);
    let places: Vec<usize> = points.iter().map(|point| point.index).collect();
    let expected: Vec<usize> = (1..=8).map(|change| change * 180).collect();
    assert_eq!(places.len(), expected.len(), "{places:?}");
    let is_near = |(one, other): (&usize, &usize)| one.abs_diff(*other) <= 5;
    assert!(places.iter().zip(&expected).all(is_near), "{places:?}");
}

/// Runs with a slow first byte and quick other phases.
struct PhaseRuns {
    connect: Vec<f64>,
    tls: Vec<f64>,
    first_byte: Vec<f64>,
}

impl PhaseRuns {
    fn simulate() -> Self {
        let phase = |seed: u64, level: f64| -> Vec<f64> {
            flat(seed).iter().map(|value| value / 0.2 * level).collect()
        };
        Self { connect: phase(21, 0.01), tls: phase(22, 0.02), first_byte: phase(23, 0.5) }
    }

    fn find_changes(&self) -> Vec<PlacedChange> {
        let sum = |run: usize| self.connect[run] + self.tls[run] + self.first_byte[run];
        let latency: Vec<f64> = (0..120).map(sum).collect();
        let series = [&self.connect, &self.tls, &self.first_byte].map(|values| figures(values));
        let dimensions = [Dimension::Connect, Dimension::Tls, Dimension::FirstByte];
        let phases: Vec<PhaseSeries> = dimensions
            .into_iter()
            .zip(&series)
            .map(|(dimension, figures)| PhaseSeries { dimension, figures })
            .collect();
        find_changes_by_phase(&figures(&latency), &phases)
    }
}

#[test]
fn a_change_lost_in_the_noise_of_the_latency_is_found_in_its_phase() {
    let mut runs = PhaseRuns::simulate();
    runs.connect[70..].iter_mut().for_each(|value| *value *= 1.5);
    let [change] = &runs.find_changes()[..] else { panic!("one change") };
    assert_eq!(change.latency, None);
    let [phase] = change.phases[..] else { panic!("one phase") };
    assert_eq!((phase.dimension, phase.share), (Dimension::Connect, None));
    assert!(phase.change.index.abs_diff(70) <= 2 && phase.after > phase.before * 1.3, "{phase:?}");
}

#[test]
fn a_change_of_latency_names_the_phase_that_explains_it() {
    let mut runs = PhaseRuns::simulate();
    runs.first_byte[40..].iter_mut().for_each(|value| *value *= 1.4);
    runs.tls[40..].iter_mut().for_each(|value| *value *= 1.3);
    let [change] = &runs.find_changes()[..] else { panic!("one change") };
    assert!(change.latency.is_some() && change.index.abs_diff(40) <= 1, "{change:?}");
    let named: Vec<Dimension> = change.phases.iter().map(|phase| phase.dimension).collect();
    assert_eq!(named, [Dimension::FirstByte, Dimension::Tls]);
    let share = change.phases[0].share.expect("the latency changed");
    assert!((0.85..=1.1).contains(&share), "{share}");
}

#[test]
fn flat_phases_have_no_change() {
    assert_eq!(PhaseRuns::simulate().find_changes(), []);
}

pub(super) fn any_value() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        Just(None),
        prop::num::f64::ANY.prop_map(Some),
        (0.0..1e3).prop_map(Some),
        prop::sample::select(vec![0.0, -0.0, 1.0, f64::MAX, f64::MIN, f64::MIN_POSITIVE, f64::NAN])
            .prop_map(Some),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_figure_is_finite_whatever_the_values(
        values in prop::collection::vec((any_value(), any::<u64>()), 0..80),
        is_ratio: bool,
    ) {
        let figure = |(value, samples)| RunFigure { value, samples, started: None };
        let series: Vec<RunFigure> = values.into_iter().map(figure).collect();
        let scale = if is_ratio { ChangeScale::Ratio } else { ChangeScale::Difference };
        let points = find_change_points(&series, scale);
        prop_assert!(points.windows(2).all(|pair| pair[0].index < pair[1].index));
        for ChangePoint { index, effect, false_rate, .. } in points {
            prop_assert!(index < series.len());
            let all = [effect.low, effect.size, effect.high, false_rate];
            prop_assert!(all.iter().all(|figure| figure.is_finite()), "{all:?}");
        }
    }
}
