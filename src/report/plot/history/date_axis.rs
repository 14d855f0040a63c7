//! A horizontal axis of days, in local time.

use time::{Date, Duration, OffsetDateTime};

use super::super::axis::PlotFrame;
use super::super::scene::Scene;
use super::super::style::{PaperSpot, SHADE};
use crate::history::{HistoryScope, TimeBins};
use crate::report::site::SiteLabels;

/// The shortest margin at the ends of an axis that begins or ends at a run.
const LEAST_MARGIN: Duration = Duration::minutes(1);

/// A frame whose width is the period, or the part of it that has runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct DateAxis<'a> {
    pub(super) labels: SiteLabels<'a>,
    pub(super) frame: PlotFrame,
    from: OffsetDateTime,
    to: OffsetDateTime,
}

impl<'a> DateAxis<'a> {
    /// An axis that leaves out the time before the first run, unless that is a gap, and what is not
    /// over yet: the first runs of a long period would crowd at its end.
    pub(super) fn new(labels: SiteLabels<'a>, frame: PlotFrame, bins: &TimeBins) -> Self {
        let (from, to) = shown_period(&labels.options.scope, bins);
        Self { labels, frame, from, to }
    }

    /// Position of a moment.
    pub(super) fn x(&self, at: OffsetDateTime) -> f64 {
        let whole = (self.to - self.from).as_seconds_f64().max(1.0);
        self.frame.across((at - self.from).as_seconds_f64() / whole)
    }

    /// Draws the axis, with the name of the zone. An axis of hours within one day names the day.
    pub(super) fn floor(&self, scene: &mut Scene) {
        let (ticks, day) = match (self.to - self.from).whole_days().unsigned_abs() {
            0 | 1 => self.hours(scene.paper.ticks),
            days => (self.days(days, scene.paper.ticks), None),
        };
        let ticks: Vec<(f64, String)> =
            ticks.into_iter().map(|(at, label)| (self.x(at), label)).collect();
        let on = day.map(|day| format!(" on {day}")).unwrap_or_default();
        let name = format!("start of the run{on}, {}", self.labels.options.scope.zone);
        self.frame.floor(scene, &ticks, &name);
    }

    /// The starts of days, weeks or months, at most about `most` of them.
    fn days(&self, days: u64, most: u64) -> Vec<(OffsetDateTime, String)> {
        let zone = &self.labels.options.scope.zone;
        let steps = [1, 2, 7, 14];
        let step = steps.into_iter().find(|step| days / step <= most);
        let mut day = zone.local(self.from).date();
        let mut ticks = Vec::new();
        while let Some(next) = day.next_day() {
            let at = zone.start_of_day(day);
            if at >= self.to {
                break;
            }
            if at >= self.from && is_tick(day, step, days / 30 / most.max(1) + 1) {
                ticks.push((at, self.labels.short_day(at)));
            }
            day = next;
        }
        ticks
    }

    /// At most about `most` times of the day, which are round except on a day when the clocks
    /// change. A midnight shows its day; without one, the day
    /// comes second.
    fn hours(&self, most: u64) -> (Vec<(OffsetDateTime, String)>, Option<String>) {
        const MINUTES: [i64; 11] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720];
        let (zone, most) = (&self.labels.options.scope.zone, i64::try_from(most).unwrap_or(1));
        let fits = |minutes: &i64| (self.to - self.from).whole_minutes() / minutes <= most;
        let step = Duration::minutes(MINUTES.into_iter().find(fits).unwrap_or(1_440));
        let first = zone.start_of_day(zone.local(self.from).date());
        let all = (0..).map(|at: i32| first + step * at).take_while(|at| *at <= self.to);
        let mut has_midnight = false;
        let ticks = all.filter(|at| *at >= self.from).map(|at| {
            let local = zone.local(at);
            let label = if (local.hour(), local.minute()) == (0, 0) {
                has_midnight = true;
                self.labels.short_day(at)
            } else {
                format!("{:02}:{:02}", local.hour(), local.minute())
            };
            (at, label)
        });
        let ticks = ticks.collect();
        (ticks, (!has_midnight).then(|| self.labels.short_day(self.from)))
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

/// The part of a period that has runs or a gap, with a small margin, as long as it is over.
fn shown_period(scope: &HistoryScope, bins: &TimeBins) -> (OffsetDateTime, OffsetDateTime) {
    let (Some(first), Some(last)) = (bins.bins.first(), bins.bins.last()) else {
        return (scope.since, scope.until);
    };
    let gap = bins.gaps.first().map(|gap| gap.from).filter(|from| *from < first.first);
    let (from, to) = (gap.unwrap_or(first.first), last.last.max(scope.over_until));
    let margin = ((to - from) / 25_i32).max(LEAST_MARGIN);
    ((from - margin).max(scope.since), (to + margin).min(scope.until))
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use time::macros::datetime;

    use super::*;
    use crate::history::{QuantileFigures, RunAttainment, RunGap, TimeBin};
    use crate::report::site::{SiteAudience, SiteOptions};

    /// Thirty days of which the last, 30 November, is not over yet.
    fn scope() -> HistoryScope {
        HistoryScope {
            since: datetime!(2026-11-01 0:00 UTC),
            until: datetime!(2026-12-01 0:00 UTC),
            over_until: datetime!(2026-11-30 0:00 UTC),
            zone: "UTC".parse().unwrap(),
        }
    }

    fn bins(starts: &[OffsetDateTime], gaps: Vec<RunGap>) -> TimeBins {
        let bin = |at: &OffsetDateTime| TimeBin {
            first: *at,
            last: *at,
            attainment: RunAttainment::default(),
            exchanges: 1,
            failed: 0,
            latency: QuantileFigures::default(),
            phases: Vec::new(),
        };
        TimeBins { length: None, bins: starts.iter().map(bin).collect(), gaps }
    }

    #[test]
    fn the_runs_of_a_first_day_fill_the_axis() {
        let starts = [datetime!(2026-11-30 8:00 UTC), datetime!(2026-11-30 9:40 UTC)];
        let (from, to) = shown_period(&scope(), &bins(&starts, Vec::new()));
        let margin = Duration::minutes(4);
        assert_eq!((from, to), (starts[0] - margin, starts[1] + margin));
        let (from, to) = shown_period(&scope(), &bins(&starts[..1], Vec::new()));
        assert_eq!((from, to), (starts[0] - LEAST_MARGIN, starts[0] + LEAST_MARGIN));
    }

    #[test]
    fn a_gap_and_a_day_that_is_over_stay_on_the_axis() {
        let scope = scope();
        let starts = [datetime!(2026-11-10 0:00 UTC), datetime!(2026-11-20 0:00 UTC)];
        let gap = RunGap { from: scope.since, to: starts[0] };
        let (from, to) = shown_period(&scope, &bins(&starts, vec![gap]));
        assert_eq!(from, scope.since);
        assert!(to > scope.over_until && to <= scope.until, "{to}");
    }

    #[test]
    fn an_axis_of_hours_has_round_times_and_names_its_day() {
        let options = SiteOptions {
            scope: scope(),
            audience: SiteAudience::Team,
            public_tags: BTreeSet::new(),
        };
        let frame = PlotFrame { left: 0.0, right: 100.0, top: 0.0, bottom: 100.0 };
        let ticks = |starts: &[OffsetDateTime]| {
            let axis = DateAxis::new(SiteLabels::new(&options), frame, &bins(starts, Vec::new()));
            let (ticks, day) = axis.hours(4);
            (ticks.into_iter().map(|(_, label)| label).collect::<Vec<_>>(), day)
        };
        let day = ticks(&[datetime!(2026-11-30 8:07 UTC), datetime!(2026-11-30 9:40 UTC)]);
        let labels = ["08:30", "09:00", "09:30"].map(str::to_owned);
        assert_eq!(day, (labels.to_vec(), Some("30 Nov".to_owned())));
        let night = ticks(&[datetime!(2026-11-29 21:00 UTC), datetime!(2026-11-30 3:00 UTC)]);
        let labels = ["22:00", "30 Nov", "02:00"].map(str::to_owned);
        assert_eq!(night, (labels.to_vec(), None));
    }
}
