//! The sum of a log's intervals.

use std::time::Duration;

use super::super::ImportError;
use super::intervals::{LogIntervals, LogNotes};
use crate::record::{
    Dimension, Histogram, Interval, RequestMeasurement, ScenarioMeasurement, Stage,
    StageMeasurement,
};

/// Maximum number of histograms held at the same time; each takes up to 200 KB.
const MOST_HISTOGRAMS: usize = 1_000;
/// Maximum number of mistakes reported one by one.
const MOST_MISTAKES: usize = 20;

/// Everything measured in a log.
pub(super) struct LogMeasurement {
    pub(super) scenarios: Vec<ScenarioMeasurement>,
    /// When the first exchange was measured, if any was.
    pub(super) measured_from: Option<Duration>,
    pub(super) notes: LogNotes,
    histograms: usize,
}

impl LogMeasurement {
    /// Adds all intervals, or returns the lines that cannot be read.
    pub(super) fn of(mut intervals: LogIntervals<'_>) -> Result<Self, Vec<ImportError>> {
        let mut gathered = Self {
            scenarios: Vec::new(),
            measured_from: None,
            notes: LogNotes::default(),
            histograms: 0,
        };
        let (mut mistakes, mut more) = (Vec::new(), 0);
        for interval in intervals.by_ref() {
            match interval {
                Ok(interval) => gathered.add(&interval),
                Err(mistake) if mistakes.len() < MOST_MISTAKES => mistakes.push(mistake),
                Err(_) => more += 1,
            }
            if gathered.histograms > MOST_HISTOGRAMS {
                let what =
                    format!("tells more than {MOST_HISTOGRAMS} histograms apart by its tags");
                return Err(vec![ImportError::of_file(what)]);
            }
        }
        gathered.notes = intervals.notes;
        if more > 0 {
            mistakes
                .push(ImportError::of_file(format!("holds {more} more lines that cannot be read")));
        }
        if mistakes.is_empty() && gathered.is_empty() {
            mistakes.push(ImportError::of_file("holds no value"));
        }
        if mistakes.is_empty() { Ok(gathered) } else { Err(mistakes) }
    }

    fn add(&mut self, interval: &Interval) {
        let stage = self.request(interval).stage_mut(interval.stage);
        let before = histograms(stage);
        stage.add(interval);
        let after = histograms(stage);
        self.histograms += after - before;
        if interval.stage == Stage::Measured {
            let first =
                self.measured_from.map_or(interval.start, |first| first.min(interval.start));
            self.measured_from = Some(first);
        }
    }

    /// The request of an interval. Requests have the order in which the log first names them.
    fn request(&mut self, interval: &Interval) -> &mut RequestMeasurement {
        let known = self.scenarios.iter().position(|scenario| scenario.name == interval.scenario);
        let scenario = known.unwrap_or_else(|| {
            self.scenarios.push(ScenarioMeasurement::new(interval.scenario.clone(), Vec::new()));
            self.scenarios.len() - 1
        });
        let requests = &mut self.scenarios[scenario].requests;
        let known = requests.iter().position(|request| request.name == interval.request);
        let request = known.unwrap_or_else(|| {
            requests.push(RequestMeasurement::new(interval.request.clone(), Vec::new()));
            requests.len() - 1
        });
        &mut requests[request]
    }

    fn is_empty(&self) -> bool {
        let mut requests = self.scenarios.iter().flat_map(|scenario| &scenario.requests);
        requests.all(|request| {
            Stage::ALL.iter().all(|stage| {
                request.stage(*stage).series.iter().all(|(_, histogram)| histogram.count() == 0)
            })
        })
    }

    /// The number of exchanges with a lag and no latency: these failed.
    pub(super) fn failed(&self) -> u64 {
        let requests = self.scenarios.iter().flat_map(|scenario| &scenario.requests);
        let count = |request: &RequestMeasurement, dimension| {
            request.measured.series.get(dimension).map_or(0, Histogram::count)
        };
        let failed = requests.map(|request| {
            count(request, Dimension::Lag).saturating_sub(count(request, Dimension::Latency))
        });
        failed.sum()
    }
}

fn histograms(stage: &StageMeasurement) -> usize {
    stage.series.iter().count() + stage.server_timings.iter().count()
}
