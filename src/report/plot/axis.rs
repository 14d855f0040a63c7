//! Axes: the position of a value, and the ticks.

use std::time::Duration;

use crate::units;

use super::scene::{Scene, TextAnchor};
use super::style::{AXIS, GRID, PaperSpot, TICK};

/// The area within the axes.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlotFrame {
    /// Its left edge.
    pub(super) left: f64,
    /// Its right edge.
    pub(super) right: f64,
    /// Its upper edge.
    pub(super) top: f64,
    /// Its lower edge.
    pub(super) bottom: f64,
}

impl PlotFrame {
    /// Space for the labels below a frame and the name of its axis.
    const FLOOR: f64 = 54.0;

    /// A frame that starts at `top` and takes `share` of the paper's depth. The scene grows to fit
    /// it and its axis.
    pub(super) fn below(scene: &mut Scene, top: f64, share: f64) -> Self {
        let paper = scene.paper;
        let bottom = top + paper.depth * share;
        scene.height = scene.height.max(bottom + Self::FLOOR).ceil();
        Self { left: paper.left, right: paper.width - paper.right, top, bottom }
    }

    /// Position of a share of the width, from the left.
    pub(super) fn across(&self, share: f64) -> f64 {
        self.left + (self.right - self.left) * share.clamp(0.0, 1.0)
    }

    /// Position of a share of the height, from below.
    pub(super) fn up(&self, share: f64) -> f64 {
        self.bottom - (self.bottom - self.top) * share.clamp(0.0, 1.0)
    }

    /// Candidate spots for a label of a horizontal line: above and below it, at several positions.
    pub(super) fn label_spots(&self, y: f64) -> Vec<(PaperSpot, TextAnchor)> {
        let between = [0.5, 0.3, 0.7, 0.4, 0.6, 0.2, 0.8];
        let places: Vec<(f64, TextAnchor)> = [(self.right, TextAnchor::End)]
            .into_iter()
            .chain([(self.left + 4.0, TextAnchor::Start)])
            .chain(between.map(|share| (self.across(share), TextAnchor::Middle)))
            .collect();
        let at = |y: f64| places.iter().map(move |(x, side)| ((*x, y), *side));
        let above = at(y - 11.0).filter(|_| y > self.top + 18.0);
        let below = at(y + 12.0).filter(|_| y < self.bottom - 18.0 || y <= self.top + 18.0);
        above.chain(below).collect()
    }

    /// Candidate spots for a label of `width` that belongs to a line from left to right: above and
    /// below the line, and first on its right and left if it is shorter than the label.
    pub(super) fn line_label_spots(
        &self,
        line: &[PaperSpot],
        width: f64,
    ) -> Vec<(PaperSpot, TextAnchor)> {
        let (Some(&(left, start)), Some(&(right, end))) = (line.first(), line.last()) else {
            return Vec::new();
        };
        let mut spots = Vec::new();
        if right - left < width {
            let after = (right + 6.0 + width <= self.right)
                .then_some(((right + 6.0, end), TextAnchor::Start));
            let before =
                (left - 6.0 - width >= self.left).then_some(((left - 6.0, start), TextAnchor::End));
            spots.extend(after.into_iter().chain(before));
        }
        let (first, last) = (self.left + width / 2.0, self.right - width / 2.0);
        let ends = [right - width / 2.0, left + width / 2.0];
        let shares = [0.5, 0.3, 0.7, 0.4, 0.6, 0.2, 0.8];
        let between = shares.map(|share| left + (right - left) * share);
        let places = ends.into_iter().chain(between).map(|x| x.min(last).max(first));
        // The highest and the lowest spot of the line along the label.
        let place = |x: f64| {
            let along = line.iter().filter(|spot| (spot.0 - x).abs() <= width / 2.0);
            let next = line.iter().find(|spot| spot.0 >= x).or(line.last());
            let heights = along.chain(next).map(|spot| spot.1);
            (x, heights.clone().fold(f64::INFINITY, f64::min), heights.fold(0.0, f64::max))
        };
        let places: Vec<(f64, f64, f64)> = places.map(place).collect();
        let is_below = |y: f64| y < self.bottom - 18.0 || y <= self.top + 18.0;
        let above = places.iter().filter(|(_, y, _)| *y > self.top + 18.0);
        let below = places.iter().filter(|(_, _, y)| is_below(*y));
        spots.extend(above.map(|(x, y, _)| ((*x, y - 11.0), TextAnchor::Middle)));
        spots.extend(below.map(|(x, _, y)| ((*x, y + 12.0), TextAnchor::Middle)));
        spots
    }

    /// Candidate spots for words about the whole plot: its middle first.
    pub(super) fn middle_spots(&self) -> Vec<(PaperSpot, TextAnchor)> {
        let middle = self.across(0.5);
        [0.5, 0.65, 0.35, 0.8, 0.2]
            .map(|share| ((middle, self.up(share)), TextAnchor::Middle))
            .to_vec()
    }

    /// Draws the horizontal axis with a tick and label at each position. Of labels that would
    /// touch, the earlier one in `ticks` stays.
    pub(super) fn floor(&self, scene: &mut Scene, ticks: &[(f64, String)], name: &str) {
        scene.line(vec![(self.left, self.bottom), (self.right, self.bottom)], 1.0, AXIS);
        let mut taken: Vec<(f64, f64)> = Vec::new();
        for (x, label) in ticks {
            scene.line(vec![(*x, self.bottom), (*x, self.bottom + 5.0)], 1.0, AXIS);
            let half = scene.measure(label, TICK) * 0.54 + 3.0;
            if taken.iter().all(|(left, right)| x + half < *left || x - half > *right) {
                scene.text((*x, self.bottom + 16.0), TextAnchor::Middle, label, TICK);
                taken.push((x - half, x + half));
            }
        }
        scene.text(
            (f64::midpoint(self.left, self.right), self.bottom + 36.0),
            TextAnchor::Middle,
            name,
            TICK,
        );
    }
}

/// A vertical axis of durations: linear from zero, or logarithmic if the values span too much.
#[derive(Debug, Clone, Copy)]
pub(super) struct DurationAxis {
    low: f64,
    high: f64,
    tenfold: bool,
    /// Whether there is a value; without one, ticks would be invented.
    has_values: bool,
}

impl DurationAxis {
    /// Ratio of values above which a linear axis would flatten the lower ones.
    const SPAN: f64 = 15.0;

    /// An axis that shows all of `values` and keeps `low` visibly apart from zero.
    pub(super) fn over(
        values: impl Iterator<Item = Duration>,
        low: impl Iterator<Item = Duration>,
    ) -> Self {
        let low = low.min();
        let highest = values.max();
        let has_values = highest.is_some();
        let high = highest.unwrap_or_default().as_secs_f64().max(1e-6);
        let low = low.map_or(high, |low| low.as_secs_f64().max(1e-6));
        if high / low > Self::SPAN {
            let (low, high) = ((low * 0.8).log10(), (high * 1.3).log10());
            // At least one decade, so that two ticks are visible.
            return Self { low, high: high.max(low + 1.0), tenfold: true, has_values };
        }
        Self { low: 0.0, high: high * 1.14, tenfold: false, has_values }
    }

    /// A logarithmic axis that shows all of `values`.
    pub(super) fn tenfolds(values: impl Iterator<Item = Duration> + Clone) -> Self {
        let has_values = values.clone().next().is_some();
        let seconds = values.map(|value| value.as_secs_f64().max(1e-6));
        let low = (seconds.clone().fold(f64::INFINITY, f64::min).min(4e3) * 0.8).log10();
        let high = (seconds.fold(1e-6, f64::max) * 1.25).log10();
        Self { low, high: high.max(low + 1.0), tenfold: true, has_values }
    }

    /// Height of a value as a share of the axis.
    pub(super) fn share(&self, value: Duration) -> f64 {
        let seconds = value.as_secs_f64();
        let place = if self.tenfold { seconds.max(1e-9).log10() } else { seconds };
        (place - self.low) / (self.high - self.low)
    }

    /// A note for the subtitle.
    pub(super) fn note(&self) -> &'static str {
        if self.tenfold { " · logarithmic scale" } else { "" }
    }

    /// Draws the grid, with labels at the left.
    pub(super) fn grid(&self, scene: &mut Scene, frame: &PlotFrame) {
        for value in self.ticks() {
            let y = frame.up(self.share(value));
            scene.line(vec![(frame.left, y), (frame.right, y)], 1.0, GRID);
            let label =
                if value.is_zero() { "0".to_owned() } else { units::format_duration(value) };
            scene.text((frame.left - 8.0, y), TextAnchor::End, &label, TICK);
        }
    }

    /// The values with a tick; none if the axis shows no value.
    pub(super) fn ticks(&self) -> Vec<Duration> {
        match (self.has_values, self.tenfold) {
            (false, _) => Vec::new(),
            (true, true) => self.tenfold_ticks(),
            (true, false) => self.even_ticks(),
        }
    }

    fn even_ticks(&self) -> Vec<Duration> {
        // Durations of two minutes and more are written in minutes, so ticks are whole minutes too.
        let unit = if self.high < 120.0 { 1.0 } else { 60.0 };
        let step = nice(self.high / 5.0 / unit) * unit;
        let ticks = (0..12).map(|n| f64::from(n) * step).take_while(|value| *value <= self.high);
        ticks.map(Duration::from_secs_f64).collect()
    }

    fn tenfold_ticks(&self) -> Vec<Duration> {
        let between: &[f64] = match self.high - self.low {
            span if span < 2.2 => &[1.0, 2.0, 5.0],
            span if span < 4.0 => &[1.0, 3.0],
            _ => &[1.0],
        };
        let decades =
            (-7..5).flat_map(|power| between.iter().map(move |digit| digit * 10_f64.powi(power)));
        let within = decades.filter(|value| (self.low..=self.high).contains(&value.log10()));
        within.map(Duration::from_secs_f64).collect()
    }
}

/// A vertical axis of numbers, from zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct NumberAxis {
    high: f64,
    /// Maximum number of steps.
    steps: f64,
}

impl NumberAxis {
    /// An axis that shows all of `values` in about `steps` steps; up to one if all are zero.
    pub(super) fn over(values: impl Iterator<Item = f64>, steps: f64) -> Self {
        let highest = values.fold(0.0, f64::max);
        Self { high: if highest > 0.0 { highest * 1.12 } else { 1.12 }, steps }
    }

    /// Height of a value as a share of the axis.
    pub(super) fn share(&self, value: f64) -> f64 {
        value / self.high
    }

    /// Draws the grid, with labels at the left.
    pub(super) fn grid(&self, scene: &mut Scene, frame: &PlotFrame) {
        let step = nice(self.high / self.steps);
        let ticks = (0..12).map(|n| f64::from(n) * step).take_while(|value| *value <= self.high);
        for value in ticks {
            let y = frame.up(self.share(value));
            scene.line(vec![(frame.left, y), (frame.right, y)], 1.0, GRID);
            scene.text((frame.left - 8.0, y), TextAnchor::End, &rate(value), TICK);
        }
    }
}

/// A rate per second, abbreviated: `20`, `0.5`, `12k`.
pub(super) fn rate(value: f64) -> String {
    let short = |value: f64, decimals: usize| {
        let text = format!("{value:.decimals$}");
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        }
    };
    match value {
        value if value >= 10_000.0 => short(value / 1_000.0, 1) + "k",
        value if value >= 99.5 => short(value, 0),
        value if value >= 0.1 => short(value, 1),
        value => short(value, 3),
    }
}

/// The least of 1, 2 and 5 times a power of ten that is not below a value.
pub(super) fn nice(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|digit| digit * power)
        .find(|step| *step >= value * 0.999)
        .unwrap_or(10.0 * power)
}

/// The ticks of a time axis, each at its share of the width: zero and at most `most` others.
pub(super) fn clock(end: Duration, most: u64) -> Vec<(f64, String)> {
    const STEPS: [u64; 16] =
        [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 21_600, 86_400];
    let seconds = end.as_secs().max(1);
    let step =
        STEPS.into_iter().find(|step| seconds / step <= most).unwrap_or(seconds.div_ceil(most));
    let ticks = (0..=seconds / step).map(|n| n * step);
    ticks.map(|at| (at as f64 / end.as_secs_f64().max(1.0), clock_label(at, step))).collect()
}

fn clock_label(at: u64, step: u64) -> String {
    match (at, step) {
        (0, _) => "0".to_owned(),
        (at, step) if step % 3_600 == 0 => format!("{} h", at / 3_600),
        (at, step) if step % 60 == 0 => format!("{} min", at / 60),
        (at, _) => format!("{at} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[f64], low: f64) -> Vec<String> {
        let axis = DurationAxis::over(
            values.iter().map(|value| Duration::from_secs_f64(*value)),
            std::iter::once(Duration::from_secs_f64(low)),
        );
        axis.ticks().into_iter().map(units::format_duration).collect()
    }

    #[test]
    fn the_label_of_a_short_line_is_next_to_it_and_that_of_a_long_line_along_it() {
        let frame = PlotFrame { left: 60.0, right: 360.0, top: 50.0, bottom: 250.0 };
        let first = |left: f64, right: f64| {
            frame.line_label_spots(&[(left, 150.0), (right, 150.0)], 100.0)[0]
        };
        assert_eq!(first(80.0, 96.0), ((102.0, 150.0), TextAnchor::Start));
        assert_eq!(first(340.0, 356.0), ((334.0, 150.0), TextAnchor::End));
        assert_eq!(first(60.0, 360.0), ((310.0, 139.0), TextAnchor::Middle));
        let spots = frame.line_label_spots(&[(340.0, 150.0), (356.0, 150.0)], 100.0);
        let centred = spots.iter().filter(|(_, side)| *side == TextAnchor::Middle);
        assert!(centred.clone().all(|((x, _), _)| *x <= 310.0) && centred.count() > 0);
    }

    #[test]
    fn close_values_get_a_linear_axis() {
        assert_eq!(labels(&[3600.0], 3600.0), ["0 ms", "20 min", "40 min", "60 min"]);
        assert_eq!(
            labels(&[0.2, 0.38, 0.3], 0.2),
            ["0 ms", "100 ms", "200 ms", "300 ms", "400 ms"]
        );
    }

    #[test]
    fn an_axis_without_values_has_no_ticks() {
        let none = std::iter::empty::<Duration>;
        assert!(DurationAxis::over(none(), none()).ticks().is_empty());
        assert!(DurationAxis::tenfolds(none()).ticks().is_empty());
    }

    #[test]
    fn distant_values_get_a_logarithmic_axis() {
        assert_eq!(
            labels(&[0.2, 17.0], 0.2),
            ["200 ms", "500 ms", "1 s", "2 s", "5 s", "10 s", "20 s"]
        );
        assert_eq!(labels(&[1e-6, 3600.0], 1e-6).len(), 10);
    }

    #[test]
    fn a_time_axis_has_few_ticks_in_one_unit() {
        let labels =
            |seconds| clock(Duration::from_secs(seconds), 9).into_iter().map(|(_, label)| label);
        assert_eq!(
            labels(44).collect::<Vec<_>>(),
            ["0", "5 s", "10 s", "15 s", "20 s", "25 s", "30 s", "35 s", "40 s"]
        );
        assert_eq!(labels(10_020).next_back().unwrap(), "160 min");
        assert_eq!(labels(1).next_back().unwrap(), "1 s");
        let (share, _) = clock(Duration::from_millis(40_800), 9).pop().unwrap();
        assert!((share - 40.0 / 40.8).abs() < 1e-9, "the last tick is not the end");
        assert!((1..4_000).all(|seconds| clock(Duration::from_secs(seconds), 4).len() <= 5));
    }

    #[test]
    fn rates_are_short() {
        assert_eq!([0.0, 0.05, 2.5, 20.0, 12_500.0].map(rate), ["0", "0.05", "2.5", "20", "12.5k"]);
    }
}
