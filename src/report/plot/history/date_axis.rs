//! A horizontal axis of days, in local time.

use time::{Date, OffsetDateTime};

use super::super::axis::PlotFrame;
use super::super::scene::Scene;
use super::super::style::{PaperSpot, SHADE};
use crate::history::TimeBins;
use crate::report::site::SiteLabels;

/// A frame whose width is the period.
#[derive(Debug, Clone, Copy)]
pub(super) struct DateAxis<'a> {
    pub(super) labels: SiteLabels<'a>,
    pub(super) frame: PlotFrame,
}

impl DateAxis<'_> {
    /// Position of a moment.
    pub(super) fn x(&self, at: OffsetDateTime) -> f64 {
        let scope = &self.labels.options.scope;
        let whole = (scope.until - scope.since).as_seconds_f64().max(1.0);
        self.frame.across((at - scope.since).as_seconds_f64() / whole)
    }

    /// Draws the axis, with the name of the zone.
    pub(super) fn floor(&self, scene: &mut Scene) {
        let most = scene.paper.ticks;
        let ticks: Vec<(f64, String)> =
            self.ticks(most).into_iter().map(|(at, label)| (self.x(at), label)).collect();
        let name = format!("start of the run, {}", self.labels.options.scope.zone);
        self.frame.floor(scene, &ticks, &name);
    }

    /// The starts of days, weeks or months, at most about `most` of them; hours of a short period.
    fn ticks(&self, most: u64) -> Vec<(OffsetDateTime, String)> {
        let scope = &self.labels.options.scope;
        let days = (scope.until - scope.since).whole_days().unsigned_abs();
        if days < 2 {
            return self.hours();
        }
        let steps = [1, 2, 7, 14];
        let step = steps.into_iter().find(|step| days / step <= most);
        let mut day = scope.zone.local(scope.since).date();
        let mut ticks = Vec::new();
        while let Some(next) = day.next_day() {
            let at = scope.zone.start_of_day(day);
            if at >= scope.until {
                break;
            }
            if at >= scope.since && is_tick(day, step, days / 30 / most.max(1) + 1) {
                ticks.push((at, self.labels.short_day(at)));
            }
            day = next;
        }
        ticks
    }

    fn hours(&self) -> Vec<(OffsetDateTime, String)> {
        let scope = &self.labels.options.scope;
        let hour = |at: OffsetDateTime| {
            let local = scope.zone.local(at);
            (at, format!("{:02}:{:02}", local.hour(), local.minute()))
        };
        let length = scope.until - scope.since;
        (0..=4).map(|part| hour(scope.since + length * part / 4)).collect()
    }

    /// Shades the stretches without runs.
    pub(super) fn gaps(&self, scene: &mut Scene, bins: &TimeBins) {
        for gap in &bins.gaps {
            let (left, right) = (self.x(gap.from) + 2.0, self.x(gap.to) - 2.0);
            if right - left >= 2.0 {
                let frame = &self.frame;
                scene.rect((left, frame.top), (right, frame.bottom), SHADE, 1.0);
            }
        }
    }

    /// Values as runs of spots, broken at gaps; `height` gives the position of a value.
    pub(super) fn lines(
        &self,
        bins: &TimeBins,
        height: impl Fn(&crate::history::TimeBin) -> Option<f64>,
    ) -> Vec<Vec<PaperSpot>> {
        let spot = |bin: &crate::history::TimeBin| Some((self.x(bin.middle()), height(bin)?));
        let mut lines: Vec<Vec<PaperSpot>> = Vec::new();
        for stretch in bins.stretches() {
            // A bin without a value breaks the line too: it would hide that the value is missing.
            for line in stretch.chunk_by(|a, b| spot(a).is_some() && spot(b).is_some()) {
                let line: Vec<PaperSpot> = line.iter().filter_map(spot).collect();
                lines.extend((!line.is_empty()).then_some(line));
            }
        }
        lines
    }
}

/// Whether a day has a tick: every day, every second, each Monday, every second Monday, or the
/// first of every `months` months.
fn is_tick(day: Date, step: Option<u64>, months: u64) -> bool {
    let julian = i64::from(day.to_julian_day());
    let is_monday = day.weekday() == time::Weekday::Monday;
    match step {
        Some(1) => true,
        Some(2) => julian % 2 == 0,
        Some(7) => is_monday,
        Some(_) => is_monday && (julian / 7) % 2 == 0,
        None => day.day() == 1 && (u64::from(u8::from(day.month())) - 1).is_multiple_of(months),
    }
}
