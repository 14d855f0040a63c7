//! What all plots over time share: the axis, the shaded warm-up and the strip of failures.

use std::time::Duration;

use crate::report::model::{Timeline, TimelinePoint};

use super::axis::{PlotFrame, clock};
use super::scene::{LegendMark, Scene};
use super::style::{ALARM, PaperSpot, SHADE};

/// Height of the strip of failures above a plot.
pub(super) const STRIP: f64 = 18.0;

/// A frame whose width is the duration of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeAxis<'a> {
    /// The run over time.
    pub(super) line: &'a Timeline,
    /// The end of the axis: that of the longest of the plots next to each other.
    pub(super) end: Duration,
    /// The area it is drawn in.
    pub(super) frame: PlotFrame,
}

impl TimeAxis<'_> {
    /// Position of a moment.
    pub(super) fn x(&self, at: Duration) -> f64 {
        self.frame.across(at.as_secs_f64() / self.seconds())
    }

    /// The length of the axis.
    fn seconds(&self) -> f64 {
        self.end.as_secs_f64().max(1.0)
    }

    /// The end of an axis that several runs over time share.
    pub(super) fn end<'b>(lines: impl Iterator<Item = &'b Timeline>) -> Duration {
        lines.map(|line| line.end).max().unwrap_or_default()
    }

    /// Shades the warm-up, which is not judged, up to `above` the frame.
    pub(super) fn shade(&self, scene: &mut Scene, above: f64) {
        if !self.line.warmup.is_empty() {
            let end = self.x(self.line.measured_from.max(Duration::from_millis(1)));
            scene.rect(
                (self.frame.left, self.frame.top - above),
                (end, self.frame.bottom),
                SHADE,
                1.0,
            );
        }
    }

    /// Draws the axis.
    pub(super) fn floor(&self, scene: &mut Scene) {
        let ticks = clock(self.end, scene.paper.ticks);
        let ticks: Vec<_> =
            ticks.into_iter().map(|(share, label)| (self.frame.across(share), label)).collect();
        self.frame.floor(scene, &ticks, "time since the start of the run");
    }

    /// Draws the share of failures in each bin as a strip above the frame.
    pub(super) fn failures(&self, scene: &mut Scene) {
        for point in self.line.points().filter(|point| point.failed > 0) {
            let share = point.failed as f64 / point.n.max(1) as f64;
            let ((left, right), base) = (self.bar(point), self.frame.top - 2.0);
            let height = 3.0 + (STRIP - 5.0) * share;
            scene.rect((left, base - height), (right, base), ALARM, 1.0);
        }
    }

    /// The left and right edge of a bin's bar.
    pub(super) fn bar(&self, point: &TimelinePoint) -> (f64, f64) {
        let width = self.frame.right - self.frame.left;
        let bin = width * self.line.bin.as_secs_f64() / self.seconds();
        let (x, half) = (self.x(point.at()), (bin / 2.0 - 0.5).clamp(1.0, 8.0));
        ((x - half).max(self.frame.left), (x + half).min(self.frame.right))
    }

    /// The points as runs of spots, broken where a bin has no value; `height` gives the position of
    /// a value.
    pub(super) fn runs(
        &self,
        points: &[TimelinePoint],
        height: impl Fn(&TimelinePoint) -> Option<f64>,
    ) -> Vec<Vec<PaperSpot>> {
        let gap = self.line.bin + self.line.bin / 2;
        let mut runs: Vec<Vec<PaperSpot>> = Vec::new();
        let mut last: Option<Duration> = None;
        for point in points {
            let Some(y) = height(point) else { continue };
            let spot = (self.x(point.at()), y);
            match runs.last_mut().filter(|_| last.is_some_and(|last| point.at() <= last + gap)) {
                Some(run) => run.push(spot),
                None => runs.push(vec![spot]),
            }
            last = Some(point.at());
        }
        runs
    }

    /// Legend entries for the shade and the strip, if they are drawn.
    pub(super) fn signs(line: &Timeline) -> impl Iterator<Item = (LegendMark, &'static str)> {
        let shade =
            (!line.warmup.is_empty()).then_some((LegendMark::Box(SHADE), "warm-up, not judged"));
        let failed = line.points().any(|point| point.failed > 0);
        let strip = failed.then_some((LegendMark::Box(ALARM), "share that failed, above the plot"));
        shade.into_iter().chain(strip)
    }

    /// A bin in words, for a subtitle: `each second`, `every 5 min`.
    pub(super) fn each(line: &Timeline) -> String {
        if line.bin == Duration::from_secs(1) {
            "each second".to_owned()
        } else {
            format!("every {}", crate::units::format_duration(line.bin))
        }
    }
}
