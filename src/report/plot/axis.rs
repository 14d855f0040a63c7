//! Axes: where a value lies, and which values are named.

use std::time::Duration;

use crate::units;

use super::scene::{Scene, Side, Spot};
use super::style::{AXIS, GRID, TICK};

/// The part of the paper within the axes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    /// Its left edge.
    pub(super) left: f64,
    /// Its right edge.
    pub(super) right: f64,
    /// Its upper edge.
    pub(super) top: f64,
    /// Its lower edge.
    pub(super) bottom: f64,
}

impl Frame {
    /// The place of a share of the width, from the left.
    pub(super) fn across(&self, share: f64) -> f64 {
        self.left + (self.right - self.left) * share.clamp(0.0, 1.0)
    }

    /// The place of a share of the height, from below.
    pub(super) fn up(&self, share: f64) -> f64 {
        self.bottom - (self.bottom - self.top) * share.clamp(0.0, 1.0)
    }

    /// The line under the plot, with a tick and its label at each place.
    pub(super) fn floor(&self, scene: &mut Scene, ticks: &[(f64, String)], name: &str) {
        scene.line(vec![(self.left, self.bottom), (self.right, self.bottom)], 1.0, AXIS);
        for (x, label) in ticks {
            scene.line(vec![(*x, self.bottom), (*x, self.bottom + 5.0)], 1.0, AXIS);
            scene.text((*x, self.bottom + 16.0), Side::Middle, label, TICK);
        }
        scene.text((f64::midpoint(self.left, self.right), self.bottom + 36.0), Side::Middle, name, TICK);
    }
}

/// The vertical axis of durations: from zero, or in tenfolds where the values span too much for that.
#[derive(Debug, Clone, Copy)]
pub(super) struct Durations {
    low: f64,
    high: f64,
    tenfold: bool,
}

impl Durations {
    /// How far apart values may lie before an axis from zero would flatten the lower ones.
    const SPAN: f64 = 15.0;

    /// An axis that shows all of `values`, of which `low` should still be told from zero.
    pub(super) fn over(values: impl Iterator<Item = Duration>, low: impl Iterator<Item = Duration>) -> Self {
        let low = low.min();
        let high = values.map(|value| value.as_secs_f64()).fold(1e-6, f64::max);
        let low = low.map_or(high, |low| low.as_secs_f64().max(1e-6));
        if high / low > Self::SPAN {
            let (low, high) = ((low * 0.8).log10(), (high * 1.3).log10());
            // A whole tenfold at least, so that two ticks are in sight.
            return Self { low, high: high.max(low + 1.0), tenfold: true };
        }
        Self { low: 0.0, high: high * 1.14, tenfold: false }
    }

    /// The height of a value as a share of the axis.
    pub(super) fn share(&self, value: Duration) -> f64 {
        let seconds = value.as_secs_f64();
        let place = if self.tenfold { seconds.max(1e-9).log10() } else { seconds };
        (place - self.low) / (self.high - self.low)
    }

    /// What a subtitle adds about it.
    pub(super) fn note(&self) -> &'static str {
        if self.tenfold { " · logarithmic heights" } else { "" }
    }

    /// The grid behind a plot, with its labels at the left.
    pub(super) fn grid(&self, scene: &mut Scene, frame: &Frame) {
        for value in self.ticks() {
            let y = frame.up(self.share(value));
            scene.line(vec![(frame.left, y), (frame.right, y)], 1.0, GRID);
            let label = if value.is_zero() { "0".to_owned() } else { units::show(value) };
            scene.text((frame.left - 8.0, y), Side::End, &label, TICK);
        }
    }

    fn ticks(&self) -> Vec<Duration> {
        if self.tenfold { self.tenfold_ticks() } else { self.even_ticks() }
    }

    fn even_ticks(&self) -> Vec<Duration> {
        // Durations are shown in minutes from two on; steps of whole minutes read well there.
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
        let decades = (-7..5).flat_map(|power| between.iter().map(move |digit| digit * 10_f64.powi(power)));
        let within = decades.filter(|value| (self.low..=self.high).contains(&value.log10()));
        within.map(Duration::from_secs_f64).collect()
    }
}

/// The least of 1, 2, 2.5, 5 times a power of ten that is not below a value.
fn nice(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|digit| digit * power)
        .find(|step| *step >= value * 0.999)
        .unwrap_or(10.0 * power)
}

/// The ticks of an axis of time from zero, each at its share of the width.
pub(super) fn clock(end: Duration) -> Vec<(f64, String)> {
    const STEPS: [u64; 16] =
        [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 21_600, 86_400];
    let seconds = end.as_secs().max(1);
    let step = STEPS.into_iter().find(|step| seconds / step <= 9).unwrap_or(seconds.div_ceil(9));
    let ticks = (0..=seconds / step).map(|n| n * step);
    ticks.map(|at| (at as f64 / seconds as f64, clock_label(at, step))).collect()
}

fn clock_label(at: u64, step: u64) -> String {
    match (at, step) {
        (0, _) => "0".to_owned(),
        (at, step) if step % 3_600 == 0 => format!("{} h", at / 3_600),
        (at, step) if step % 60 == 0 => format!("{} min", at / 60),
        (at, _) => format!("{at} s"),
    }
}

/// The heading of a plot: its title and the line below it.
pub(super) fn heading(scene: &mut Scene, title: &str, subtitle: &str) {
    use super::style::{EDGE, SUBTITLE, TITLE};
    let room = scene.width - 2.0 * EDGE;
    let (title, subtitle) = (scene.fitted(title, room, TITLE), scene.fitted(subtitle, room, SUBTITLE));
    scene.text((EDGE, 30.0), Side::Start, &title, TITLE);
    let spot: Spot = (EDGE, 53.0);
    scene.text(spot, Side::Start, &subtitle, SUBTITLE);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[f64], low: f64) -> Vec<String> {
        let axis = Durations::over(
            values.iter().map(|value| Duration::from_secs_f64(*value)),
            std::iter::once(Duration::from_secs_f64(low)),
        );
        axis.ticks().into_iter().map(units::show).collect()
    }

    #[test]
    fn near_values_stand_on_an_axis_from_zero() {
        assert_eq!(labels(&[3600.0], 3600.0), ["0 ms", "20 min", "40 min", "60 min"]);
        assert_eq!(labels(&[0.2, 0.38, 0.3], 0.2), ["0 ms", "100 ms", "200 ms", "300 ms", "400 ms"]);
    }

    #[test]
    fn far_values_stand_on_an_axis_of_tenfolds() {
        assert_eq!(labels(&[0.2, 17.0], 0.2), ["200 ms", "500 ms", "1 s", "2 s", "5 s", "10 s", "20 s"]);
        assert_eq!(labels(&[1e-6, 3600.0], 1e-6).len(), 10);
    }

    #[test]
    fn an_axis_of_time_has_few_ticks_of_a_unit() {
        let labels = |seconds| clock(Duration::from_secs(seconds)).into_iter().map(|(_, label)| label);
        assert_eq!(
            labels(44).collect::<Vec<_>>(),
            ["0", "5 s", "10 s", "15 s", "20 s", "25 s", "30 s", "35 s", "40 s"]
        );
        assert_eq!(labels(10_020).next_back().unwrap(), "160 min");
        assert_eq!(labels(1).next_back().unwrap(), "1 s");
    }
}
