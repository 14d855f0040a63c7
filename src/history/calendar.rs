//! Latency by week, and by hour and weekday, in local time.

use std::time::Duration;

use time::{Date, Weekday};

use super::{DaySum, QuantileFigures, RequestSeries, SeriesRun};
use crate::record::{Histogram, HistogramError};
use crate::units::Quantile;

/// The runs of one week.
#[derive(Debug, Clone)]
pub struct WeekSum {
    /// Its first day.
    pub monday: Date,
    /// Number of runs.
    pub runs: u64,
    /// Exchanges that failed or were dropped.
    pub failed: u64,
    /// The quantiles of its added histograms.
    pub latency: QuantileFigures,
    /// The value that a quarter of the exchanges do not exceed; `None` for fewer than four.
    pub p25: Option<Duration>,
    /// The value that a quarter of the exchanges exceed; `None` for fewer than four.
    pub p75: Option<Duration>,
    /// The first exchanges of warm-up connections.
    pub cold: QuantileFigures,
}

/// The runs of one week while they are added.
#[derive(Debug, Default)]
struct WeekBuilder {
    runs: u64,
    failed: u64,
    latency: Histogram,
    cold: Histogram,
}

/// The weeks that have runs, in order.
pub fn week_sums(runs: &[SeriesRun], days: &[DaySum]) -> Result<Vec<WeekSum>, HistogramError> {
    let mut weeks: Vec<(Date, WeekBuilder)> = Vec::new();
    for (day, own) in RequestSeries::days_with_runs(days, runs) {
        let monday = monday_of(day.day);
        if weeks.last().is_none_or(|(last, _)| *last != monday) {
            weeks.push((monday, WeekBuilder::default()));
        }
        let Some((_, week)) = weeks.last_mut() else { continue };
        week.runs += own.len() as u64;
        week.failed = own.iter().map(SeriesRun::failed).fold(week.failed, u64::saturating_add);
        day.latency.add_to(&mut week.latency)?;
        day.cold.add_to(&mut week.cold)?;
    }
    Ok(weeks.into_iter().map(|(monday, week)| week.finish(monday)).collect())
}

impl WeekBuilder {
    fn finish(self, monday: Date) -> WeekSum {
        let Self { runs, failed, latency, cold } = self;
        let quarter = |share| latency.at_share(share).filter(|_| latency.count() >= 4);
        WeekSum {
            monday,
            runs,
            failed,
            latency: QuantileFigures::of(&latency),
            p25: quarter(0.25),
            p75: quarter(0.75),
            cold: QuantileFigures::of(&cold),
        }
    }
}

fn monday_of(day: Date) -> Date {
    let days = i64::from(day.weekday().number_days_from_monday());
    day.checked_sub(time::Duration::days(days)).unwrap_or(day)
}

/// Latency by weekday and hour.
#[derive(Debug, Clone)]
pub struct WeekGrid {
    /// The quantile that its cells show: p95 if most cells with runs have enough exchanges for it,
    /// else p50.
    pub quantile: Quantile,
    /// Monday to Sunday, each with 24 hours.
    pub days: Vec<(Weekday, Vec<GridCell>)>,
}

/// One hour of one weekday.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GridCell {
    /// Number of runs that started in it.
    pub runs: u64,
    /// The quantiles of its added histograms.
    pub latency: QuantileFigures,
}

const WEEKDAYS: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

impl WeekGrid {
    /// The grid of some days.
    pub fn of(days: &[DaySum]) -> Result<Self, HistogramError> {
        let mut sums: Vec<(u64, Histogram)> = vec![(0, Histogram::default()); 7 * 24];
        for day in days {
            let weekday = usize::from(day.day.weekday().number_days_from_monday());
            for hour in &day.hours {
                let Some((runs, sum)) = sums.get_mut(weekday * 24 + usize::from(hour.hour)) else {
                    continue;
                };
                *runs += hour.runs;
                hour.latency.add_to(sum)?;
            }
        }
        let cells: Vec<GridCell> = sums
            .iter()
            .map(|(runs, sum)| GridCell { runs: *runs, latency: QuantileFigures::of(sum) })
            .collect();
        let filled = cells.iter().filter(|cell| cell.runs > 0).count();
        let carry_p95 = cells.iter().filter(|cell| cell.latency.p95.is_some()).count();
        let quantile = if carry_p95 * 2 > filled { Quantile::P95 } else { Quantile::P50 };
        let hours = |day: usize| cells[day * 24..(day + 1) * 24].to_vec();
        let days = WEEKDAYS.into_iter().enumerate().map(|(at, day)| (day, hours(at))).collect();
        Ok(Self { quantile, days })
    }

    /// The value of a cell; `None` if it has too few exchanges.
    pub fn value(&self, cell: &GridCell) -> Option<Duration> {
        if self.quantile == Quantile::P95 { cell.latency.p95 } else { cell.latency.p50 }
    }

    /// Every cell that has a value, with its weekday and hour.
    pub fn values(&self) -> impl Iterator<Item = (Weekday, usize, Duration)> + '_ {
        self.days.iter().flat_map(move |(day, hours)| {
            let value = move |(hour, cell)| Some((*day, hour, self.value(cell)?));
            hours.iter().enumerate().filter_map(value)
        })
    }
}
