//! Builds intervals from the lines of a log.

use std::time::Duration;

use hdrhistogram::Histogram as Counts;

use super::super::ImportError;
use super::lines::{self, NumberedLine};
use super::start::{LogClock, length};
use super::{LogImportOptions, LogUnit};
use crate::hlog::{HdrLogFields, HdrLogLine, HdrLogSubject, HdrLogTag};
use crate::record::{
    Ceiling, CeilingCount, Dimension, DimensionHistograms, Histogram, Interval, ServerTimings,
    Stage, Tally,
};
/// Maximum number of characters in a name.
const MOST_OF_NAME: usize = 200;

/// The intervals and the mistakes of a log, in the log's order.
pub(super) struct LogIntervals<'a> {
    lines: Box<dyn Iterator<Item = NumberedLine<'a>> + 'a>,
    clock: LogClock,
    unit: LogUnit,
    options: &'a LogImportOptions,
    ceilings: &'a [Ceiling],
    pending: Option<Interval>,
    /// Facts about the lines read so far.
    pub(super) notes: LogNotes,
}

/// Facts about a log's lines other than their histograms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LogNotes {
    /// The shortest and the longest interval.
    pub(super) lengths: Option<(Duration, Duration)>,
    /// When the last interval ended.
    pub(super) end: Duration,
    /// Lines that another tool wrote.
    pub(super) foreign: u64,
    /// The last line's number, if the line is truncated and was left out.
    pub(super) cut: Option<usize>,
}

/// One line: its histogram and what it describes.
struct LogPiece {
    tag: HdrLogTag,
    start: Duration,
    counts: Counts<u64>,
}

impl<'a> LogIntervals<'a> {
    pub(super) fn new(
        bytes: &'a [u8],
        clock: LogClock,
        unit: LogUnit,
        options: &'a LogImportOptions,
        ceilings: &'a [Ceiling],
    ) -> Self {
        let lines = Box::new(lines::of(bytes));
        Self { lines, clock, unit, options, ceilings, pending: None, notes: LogNotes::default() }
    }

    /// Adds a line to its interval. If a new interval begins, returns the one before.
    fn take(&mut self, piece: LogPiece) -> Option<Interval> {
        let LogPiece { tag, start, counts } = piece;
        let belongs = self.pending.as_ref().is_some_and(|pending| {
            pending.scenario == tag.scenario
                && pending.request == tag.request
                && pending.stage == tag.stage
                && pending.start == start
        });
        let done = if belongs { None } else { self.finish() };
        let interval = self.pending.get_or_insert_with(|| Interval {
            scenario: tag.scenario,
            request: tag.request,
            stage: tag.stage,
            start,
            tally: Tally {
                ceilings: vec![CeilingCount::default(); self.ceilings.len()],
                ..Tally::default()
            },
            series: DimensionHistograms::default(),
            server_timings: ServerTimings::default(),
            samples: Vec::new(),
        });
        add(interval, &tag.what, &counts, self.unit, self.ceilings);
        done
    }

    /// The interval that is complete, because no line adds to it any more.
    fn finish(&mut self) -> Option<Interval> {
        let mut interval = self.pending.take()?;
        without_lag(&mut interval, self.ceilings);
        Some(interval)
    }

    fn piece(&mut self, fields: HdrLogFields<'_>) -> Result<LogPiece, String> {
        let start = self.clock.offset(fields.start)?;
        let length = length(fields.length)?;
        let tag = self.tag(fields.tag)?;
        let counts = fields.counts().map_err(|error| error.to_string())?;
        if counts.len() > crate::record::counts::MOST {
            return Err("it holds more values than can have been measured".to_owned());
        }
        let (shortest, longest) = self.notes.lengths.unwrap_or((length, length));
        self.notes.lengths = Some((shortest.min(length), longest.max(length)));
        self.notes.end = self.notes.end.max(start + length);
        Ok(LogPiece { tag, start, counts })
    }

    /// What a line describes. A line of another tool is the latency of the request that its tag
    /// names.
    fn tag(&mut self, tag: Option<&str>) -> Result<HdrLogTag, String> {
        let tag = tag.and_then(HdrLogTag::parse).unwrap_or_else(|| {
            self.notes.foreign += 1;
            HdrLogTag {
                scenario: self.options.scenario.clone(),
                request: tag.unwrap_or(&self.options.request).to_owned(),
                stage: Stage::Measured,
                what: HdrLogSubject::Dimension(Dimension::Latency),
            }
        });
        let is_name = |name: &String| {
            !name.is_empty()
                && !name.contains(char::is_control)
                && name.chars().count() <= MOST_OF_NAME
        };
        let metric = match &tag.what {
            HdrLogSubject::ServerTiming(metric) => metric,
            HdrLogSubject::Dimension(_) => &tag.request,
        };
        if [&tag.scenario, &tag.request, metric].into_iter().all(is_name) {
            Ok(tag)
        } else {
            Err("its tag is not a name".to_owned())
        }
    }
}

impl Iterator for LogIntervals<'_> {
    type Item = Result<Interval, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(NumberedLine { number, is_torn, line }) = self.lines.next() {
            let read = match line {
                Some(HdrLogLine::Interval(fields)) => self.piece(fields),
                Some(head) => {
                    self.clock.read_head(head);
                    continue;
                }
                None => Err("it is not a line of an HdrHistogram log".to_owned()),
            };
            match read {
                Ok(piece) => {
                    if let Some(done) = self.take(piece) {
                        return Some(Ok(done));
                    }
                }
                Err(_) if is_torn => self.notes.cut = Some(number),
                Err(why) => return Some(Err(ImportError::at(number, why))),
            }
        }
        self.finish().map(Ok)
    }
}

/// Adds a histogram to an interval and counts the values that certainly exceed.
fn add(
    interval: &mut Interval,
    what: &HdrLogSubject,
    counts: &Counts<u64>,
    unit: LogUnit,
    ceilings: &[Ceiling],
) {
    let histogram = converted(counts, unit);
    let dimension = match what {
        HdrLogSubject::Dimension(dimension) => *dimension,
        HdrLogSubject::ServerTiming(metric) => {
            return interval.server_timings.add(metric, &histogram);
        }
    };
    let tally = &mut interval.tally;
    match dimension {
        Dimension::Latency => {
            tally.exchanges += counts.len();
            tally.ok += counts.len();
        }
        Dimension::Fresh => tally.fresh += counts.len(),
        _ => {}
    }
    let of_dimension = ceilings.iter().zip(&mut tally.ceilings);
    for (ceiling, count) in of_dimension.filter(|(ceiling, _)| ceiling.dimension == dimension) {
        let exceeded = exceeding(counts, unit, ceiling.limit);
        count.add(CeilingCount {
            judged: counts.len(),
            exceeded,
            exceeded_without_lag: exceeded,
            exceeded_without_wait: exceeded,
        });
    }
    interval.series.add(dimension, &histogram);
}

/// Converts each value as the middle of its bucket. A bucket of the same width holds the same
/// values; one of another width is wrong by at most half of it.
fn converted(counts: &Counts<u64>, unit: LogUnit) -> Histogram {
    let mut histogram = Histogram::default();
    for step in counts.iter_recorded() {
        let middle = counts.median_equivalent(step.value_iterated_to());
        histogram.record_many(unit.times(middle), step.count_at_value());
    }
    histogram
}

/// Counts the values whose whole bucket is at or above a limit.
fn exceeding(counts: &Counts<u64>, unit: LogUnit, limit: Duration) -> u64 {
    let steps = counts.iter_recorded();
    let over = steps
        .filter(|step| unit.times(counts.lowest_equivalent(step.value_iterated_to())) >= limit);
    over.map(|step| step.count_at_value()).sum()
}

/// Counts exceedances that lag cannot explain.
///
/// A log does not say which exchange had which lag. Lag may explain every latency that exceeds
/// by less than the greatest lag of its interval.
fn without_lag(interval: &mut Interval, ceilings: &[Ceiling]) {
    let Some(lag) = interval.series.get(Dimension::Lag).and_then(Histogram::max) else { return };
    let holds_lag = |dimension| {
        matches!(
            dimension,
            Dimension::Latency | Dimension::Fresh | Dimension::Reused | Dimension::Lag
        )
    };
    let counts = ceilings.iter().zip(&mut interval.tally.ceilings);
    for (ceiling, count) in counts.filter(|(ceiling, _)| holds_lag(ceiling.dimension)) {
        let Some(histogram) = interval.series.get(ceiling.dimension) else { continue };
        let sure = histogram.at_least(ceiling.limit + lag);
        count.exceeded_without_lag = sure.min(count.exceeded);
    }
}
