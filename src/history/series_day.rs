//! The runs of a series that started on one local day, with their histograms added.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime, Time};

use super::{MeasuredRun, NamedZone, SeriesRun, TrendRun};
use crate::record::{
    ConditionPool, Decision, EncodedHistogram, Histogram, HistogramError, RequestFigures,
    RequestSummary,
};

/// One day of a series, or the part of a day that lies in one of two compared periods.
///
/// Everything that a site shows of these runs is in it. A store may keep it, because runs never
/// change: it holds for as long as the same runs count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesDay {
    /// The day in local time.
    pub day: Date,
    /// The runs, in the order of their starts.
    pub runs: Vec<TrendRun>,
    /// The requests, in the order of the first run.
    pub requests: Vec<RequestDay>,
    /// One sentence for each damaged histogram, whose run does not count for that request.
    pub left_out: Vec<String>,
}

/// One request on one day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestDay {
    /// Its name.
    pub request: String,
    /// What each run measured.
    pub runs: Vec<DayRun>,
    /// The added histograms of these runs.
    pub sum: DaySum,
}

/// What one run measured of one request; a [`SeriesRun`] that refers to its run by place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DayRun {
    run: usize,
    decision: Decision,
    exchanges: u64,
    ok: u64,
    latency: EncodedHistogram,
    figures: Option<Box<RequestFigures>>,
}

/// The added histograms of one request on one day, or on a part of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DaySum {
    /// The day in local time.
    pub day: Date,
    /// Number of runs.
    pub runs: usize,
    /// The latency of the ok exchanges.
    pub latency: EncodedHistogram,
    /// The latency of the first exchanges of warm-up connections.
    pub cold: EncodedHistogram,
    /// The same latency by local hours; those that have runs, in order.
    pub hours: Vec<HourSum>,
}

/// The added latency of the runs that started in one local hour of a day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HourSum {
    /// The hour, from 0 to 23. If the clock goes back, two hours have the same number.
    pub hour: u8,
    /// Number of runs.
    pub runs: u64,
    /// The latency of the ok exchanges.
    pub latency: EncodedHistogram,
}

impl SeriesDay {
    /// Adds up the runs of one series that started on one day.
    pub fn of(day: Date, measured: Vec<MeasuredRun>, zone: &NamedZone) -> Self {
        let mut all = Self { day, runs: Vec::new(), requests: Vec::new(), left_out: Vec::new() };
        let mut sums = Vec::new();
        for MeasuredRun { run, requests } in measured {
            let hour = zone.local(run.started).hour();
            for summary in requests {
                let known = all.requests.iter().position(|known| known.request == summary.request);
                let place = known.unwrap_or_else(|| {
                    all.requests.push(RequestDay::new(day, summary.request.clone()));
                    sums.push(SumBuilder::default());
                    all.requests.len() - 1
                });
                if let Err(error) = sums[place].add(&summary, hour) {
                    let (run, request) = (&run.name, &summary.request);
                    all.left_out.push(format!("{run}: the latency of {request} is {error}"));
                } else {
                    all.requests[place].runs.push(DayRun::of(summary, all.runs.len()));
                }
            }
            all.runs.push(run);
        }
        for (request, sum) in all.requests.iter_mut().zip(sums) {
            sum.finish(&mut request.sum);
        }
        all.requests.retain(|request| request.sum.runs > 0);
        all
    }

    /// Whether its parts fit together, as those that this program made do.
    pub fn is_consistent(&self) -> bool {
        self.requests.iter().all(|request| {
            let sum = &request.sum;
            let count = |of: fn(&DayRun) -> u64| {
                request.runs.iter().map(of).fold(0_u64, u64::saturating_add)
            };
            let cold = |run: &DayRun| run.figures.as_ref().map_or(0, |all| all.cold.count);
            let hours = || sum.hours.iter();
            let of_hours = hours().map(|hour| hour.latency.count).fold(0_u64, u64::saturating_add);
            let in_hours = hours().map(|hour| hour.runs).fold(0_u64, u64::saturating_add);
            (sum.day, sum.runs) == (self.day, request.runs.len())
                && request.runs.iter().all(|run| run.run < self.runs.len())
                && hours().all(|hour| hour.hour < 24)
                && in_hours == sum.runs as u64
                && count(|run| run.latency.count) == sum.latency.count
                && of_hours == sum.latency.count
                && count(cold) == sum.cold.count
        })
    }

    /// Lets runs with equal conditions share them.
    pub fn share_conditions(&mut self, pool: &mut ConditionPool) {
        let runs = self.requests.iter_mut().flat_map(|request| &mut request.runs);
        for figures in runs.filter_map(|run| run.figures.as_mut()) {
            pool.unify(&mut figures.conditions);
        }
    }
}

impl RequestDay {
    fn new(day: Date, request: String) -> Self {
        let (latency, cold) = (EncodedHistogram::default(), EncodedHistogram::default());
        let sum = DaySum { day, runs: 0, latency, cold, hours: Vec::new() };
        Self { request, runs: Vec::new(), sum }
    }
}

impl DayRun {
    fn of(summary: RequestSummary, run: usize) -> Self {
        let RequestSummary { decision, exchanges, ok, mut latency, mut figures, .. } = summary;
        latency.hdr = Vec::new();
        if let Some(figures) = &mut figures {
            figures.cold.hdr = Vec::new();
        }
        Self { run, decision, exchanges, ok, latency, figures }
    }

    /// The same with its run; `None` if there is none at its place.
    pub(super) fn placed_among(self, runs: &[Arc<TrendRun>]) -> Option<SeriesRun> {
        let Self { run, decision, exchanges, ok, latency, figures } = self;
        let run = Arc::clone(runs.get(run)?);
        Some(SeriesRun { run, decision, exchanges, ok, latency, figures })
    }
}

impl HourSum {
    /// The start of the hour on a day, by the wall clock.
    pub(super) fn wall_clock(&self, day: Date) -> OffsetDateTime {
        let time = Time::from_hms(self.hour, 0, 0).unwrap_or(Time::MIDNIGHT);
        day.with_time(time).assume_utc()
    }
}

/// The histograms of one request on one day while they are added. Each is decoded once.
#[derive(Default)]
struct SumBuilder {
    runs: usize,
    latency: Histogram,
    cold: Histogram,
    hours: BTreeMap<u8, HourBuilder>,
}

#[derive(Default)]
struct HourBuilder {
    runs: u64,
    latency: Histogram,
    /// The bytes of the newest run, which are also those of the sum if there is only one.
    newest: EncodedHistogram,
}

impl SumBuilder {
    /// Adds the histograms of a run, or nothing if one of them is damaged.
    fn add(&mut self, summary: &RequestSummary, hour: u8) -> Result<(), HistogramError> {
        let cold = summary.figures.as_ref().map(|figures| &figures.cold);
        let of_hour = self.hours.entry(hour).or_default();
        let none = std::iter::empty::<&mut Histogram>;
        // Latency is added last: by then nothing can be damaged.
        cold.map_or(Ok(()), |cold| cold.add_to_each(none()))?;
        summary.latency.add_to_each([&mut self.latency, &mut of_hour.latency])?;
        cold.map_or(Ok(()), |cold| cold.add_to(&mut self.cold))?;
        of_hour.newest = summary.latency.clone();
        of_hour.runs += 1;
        self.runs += 1;
        Ok(())
    }

    fn finish(self, sum: &mut DaySum) {
        sum.runs = self.runs;
        sum.latency = EncodedHistogram::of(&self.latency);
        sum.cold = EncodedHistogram::of(&self.cold);
        let hours = self.hours.into_iter().filter(|(_, hour)| hour.runs > 0);
        sum.hours = hours
            .map(|(hour, HourBuilder { runs, latency, newest })| HourSum {
                hour,
                runs,
                latency: if runs == 1 { newest } else { EncodedHistogram::of(&latency) },
            })
            .collect();
    }
}
