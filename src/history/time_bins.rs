//! A series as points on a time axis: one per run, or one per stretch of time if there are many.

use std::collections::BTreeMap;
use std::time::Duration;

use time::{OffsetDateTime, UtcOffset};

use super::{DaySum, HourSum, NamedZone, QuantileFigures, RunAttainment, SeriesRun};
use crate::record::{EncodedHistogram, Histogram, HistogramError, PhaseFigures};

const DAY: Duration = Duration::from_hours(24);

/// The points of a time axis.
#[derive(Debug, Clone, Default)]
pub struct TimeBins {
    /// The length of a stretch of local time; `None` if each run is a point of its own.
    pub length: Option<Duration>,
    /// The points that have runs, in order.
    pub bins: Vec<TimeBin>,
    /// Stretches without runs that are longer than the series' rhythm explains.
    pub gaps: Vec<RunGap>,
}

/// One point: the runs that started in one stretch of time.
#[derive(Debug, Clone)]
pub struct TimeBin {
    /// The start of its first run.
    pub first: OffsetDateTime,
    /// The start of its last run.
    pub last: OffsetDateTime,
    /// The decisions.
    pub attainment: RunAttainment,
    /// Finished exchanges.
    pub exchanges: u64,
    /// Exchanges that failed or were dropped.
    pub failed: u64,
    /// The quantiles of its added histograms.
    pub latency: QuantileFigures,
    /// The parts of latency of its middle run: of the run whose median is in the middle of the
    /// bin's. Medians of parts cannot be added.
    pub phases: Vec<PhaseFigures>,
}

/// A stretch without runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunGap {
    /// The last run before it, or the start of the period.
    pub from: OffsetDateTime,
    /// The first run after it, or the end of the period.
    pub to: OffsetDateTime,
}

impl TimeBin {
    /// Its place on the axis: the middle of its runs.
    pub fn middle(&self) -> OffsetDateTime {
        self.first + (self.last - self.first) / 2
    }

    /// Number of runs.
    pub fn runs(&self) -> usize {
        usize::try_from(self.attainment.runs()).unwrap_or(usize::MAX)
    }
}

impl TimeBins {
    /// The most points of an axis: more would be closer together than pixels show.
    const MOST: usize = 200;
    /// How many times longer than the usual distance between runs a gap is.
    const GAP: u32 = 3;

    /// The points of a series within a period of a length, in local time of a zone.
    pub fn of(
        runs: &[SeriesRun],
        days: &[DaySum],
        zone: &NamedZone,
        period: time::Duration,
    ) -> Result<Self, HistogramError> {
        let length = (runs.len() > Self::MOST).then(|| bin_length(period));
        let bins = match length {
            None => runs.iter().map(TimeBin::of_run).collect(),
            Some(length) => long_bins(runs, days, zone, length)?,
        };
        Ok(Self { length, bins, gaps: Vec::new() })
    }

    /// The same with the gaps between two moments.
    #[must_use]
    pub fn with_gaps(self, runs: &[SeriesRun], within: (OffsetDateTime, OffsetDateTime)) -> Self {
        Self { gaps: gaps(runs, within), ..self }
    }

    /// The bins in stretches without gaps between them.
    pub fn stretches(&self) -> Vec<&[TimeBin]> {
        let is_gap = |a: &TimeBin, b: &TimeBin| {
            self.gaps.iter().any(|gap| gap.from >= a.last && gap.to <= b.first)
        };
        self.bins.chunk_by(|a, b| !is_gap(a, b)).collect()
    }
}

/// The points of stretches of a length, which is a number of whole days or divides a day.
fn long_bins(
    runs: &[SeriesRun],
    days: &[DaySum],
    zone: &NamedZone,
    length: Duration,
) -> Result<Vec<TimeBin>, HistogramError> {
    let sums = bin_sums(days, length)?;
    let key = |run: &SeriesRun| bin_of(zone.local(run.started()), length);
    let bin = |chunk: &[SeriesRun]| {
        let sum = chunk.first().and_then(|first| sums.get(&key(first)));
        TimeBin::of(chunk, sum.copied().unwrap_or_default())
    };
    Ok(runs.chunk_by(|a, b| key(a) == key(b)).map(bin).collect())
}

/// The figures of each stretch by its number, from the added histograms of days or of hours.
fn bin_sums(
    days: &[DaySum],
    length: Duration,
) -> Result<BTreeMap<i64, QuantileFigures>, HistogramError> {
    let is_daily = length >= DAY;
    let of_day = |day: &DaySum| bin_of(day.day.midnight().assume_utc(), length);
    let whole = days.iter().filter(|_| is_daily).map(|day| (of_day(day), &day.latency));
    let hours = days.iter().filter(|_| !is_daily).flat_map(|day| {
        let at = move |hour: &HourSum| bin_of(hour.wall_clock(day.day), length);
        day.hours.iter().map(move |hour| (at(hour), &hour.latency))
    });
    let parts: Vec<(i64, &EncodedHistogram)> = whole.chain(hours).collect();
    let mut sums = BTreeMap::new();
    for chunk in parts.chunk_by(|a, b| a.0 == b.0) {
        let mut sum = Histogram::default();
        for (_, latency) in chunk {
            latency.add_to(&mut sum)?;
        }
        sums.extend(chunk.first().map(|(bin, _)| (*bin, QuantileFigures::of(&sum))));
    }
    Ok(sums)
}

impl TimeBin {
    /// A point of a single run.
    fn of_run(run: &SeriesRun) -> Self {
        Self::of(std::slice::from_ref(run), QuantileFigures::of_encoded(&run.latency))
    }

    fn of(runs: &[SeriesRun], latency: QuantileFigures) -> Self {
        let mut attainment = RunAttainment::default();
        let (mut exchanges, mut failed) = (0_u64, 0_u64);
        for run in runs {
            attainment.add(run.decision);
            exchanges = exchanges.saturating_add(run.exchanges);
            failed = failed.saturating_add(run.failed());
        }
        let started =
            |run: Option<&SeriesRun>| run.map_or(OffsetDateTime::UNIX_EPOCH, SeriesRun::started);
        Self {
            first: started(runs.first()),
            last: started(runs.last()),
            attainment,
            exchanges,
            failed,
            latency,
            phases: middle_phases(runs),
        }
    }
}

/// The parts of latency of the run whose median is in the middle.
fn middle_phases(runs: &[SeriesRun]) -> Vec<PhaseFigures> {
    let has_phases =
        |run: &&SeriesRun| run.figures.as_ref().is_some_and(|all| !all.phases.is_empty());
    let mut runs: Vec<&SeriesRun> = runs.iter().filter(has_phases).collect();
    runs.sort_by_key(|run| run.latency.p50_us);
    let middle = runs.get(runs.len() / 2).and_then(|run| run.figures.as_ref());
    middle.map(|figures| figures.phases.clone()).unwrap_or_default()
}

/// The shortest of some round lengths that divides a period into about [`TimeBins::MOST`] or fewer.
fn bin_length(period: time::Duration) -> Duration {
    const HOURS: [u64; 10] = [1, 2, 3, 6, 12, 24, 48, 168, 336, 672];
    let most = u64::try_from(TimeBins::MOST).unwrap_or(u64::MAX);
    let seconds = period.whole_seconds().unsigned_abs();
    let hours = HOURS.into_iter().find(|hours| seconds / (hours * 3_600) <= most);
    Duration::from_hours(hours.unwrap_or(seconds.div_ceil(86_400 * most) * 24))
}

/// The number of the stretch of local time that a moment is in. Weeks begin on Mondays.
fn bin_of(local: OffsetDateTime, length: Duration) -> i64 {
    let monday = 3 * 86_400;
    let wall = local.replace_offset(UtcOffset::UTC).unix_timestamp() + monday;
    wall.div_euclid(i64::try_from(length.as_secs()).unwrap_or(i64::MAX).max(1))
}

/// The gaps of a series. Their least length follows from its own rhythm, so that a series of
/// nightly runs has none at night.
fn gaps(runs: &[SeriesRun], (since, until): (OffsetDateTime, OffsetDateTime)) -> Vec<RunGap> {
    let starts: Vec<OffsetDateTime> = runs.iter().map(SeriesRun::started).collect();
    let mut apart: Vec<time::Duration> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    apart.sort_unstable();
    let Some(usual) = apart.get(apart.len() / 2).filter(|_| apart.len() > 2) else {
        return Vec::new();
    };
    let least = (*usual * TimeBins::GAP).max(time::Duration::MINUTE);
    let ends = std::iter::once(since).chain(starts.iter().copied());
    let next = starts.iter().copied().chain([until]);
    let pairs = ends.zip(next).filter(|(from, to)| *to - *from > least);
    pairs.map(|(from, to)| RunGap { from, to }).collect()
}
