//! Writes interval histograms as an `HdrHistogram` log, and reads such logs.
//!
//! Format:
//! <https://github.com/HdrHistogram/HdrHistogram/blob/master/src/main/java/org/HdrHistogram/HistogramLogWriter.java>,
//! version 1.3. Values are microseconds, `Interval_Max` is in milliseconds, and each line is tagged
//! `scenario/request/stage/dimension`, or `scenario/request/stage/server-timing:METRIC` for the
//! target's `Server-Timing` report; names are percent-encoded.

mod line;

use std::fmt::Write as _;
use std::io::{BufRead, Read as _};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use time::OffsetDateTime;

pub use line::{HdrLogFields, HdrLogLine};

use crate::record::{Dimension, Histogram, Interval, Stage};

/// The longest line that is read, in bytes. A damaged log may have no line ends.
const MAX_LINE: u64 = 64 << 20;

/// The characters to escape in a tag. Commas, blanks and line breaks would end it, and a slash
/// would split it.
const TAG: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Prefix of a `Server-Timing` metric, which replaces the dimension in a tag.
pub const SERVER_TIMING: &str = "server-timing:";

/// The lines before the first interval.
pub fn header(started: OffsetDateTime) -> String {
    let seconds = started.unix_timestamp_nanos() as f64 / 1e9;
    format!(
        "#[tollgate: values in microseconds, one tag a scenario/request/stage/dimension, or server-timing:METRIC for a dimension]\n\
         #[Histogram log format version 1.3]\n\
         #[StartTime: {seconds:.3} (seconds since epoch), {started}]\n\
         #[BaseTime: {seconds:.3} (seconds since epoch)]\n\
         \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n"
    )
}

/// The lines of one interval.
pub fn lines(interval: &Interval) -> String {
    let (tag, start) = (tag(interval), seconds(interval.start));
    let mut lines = String::new();
    let series =
        interval.series.iter().map(|(dimension, histogram)| (dimension.to_string(), histogram));
    let metrics = interval
        .server_timings
        .iter()
        .map(|(metric, histogram)| (format!("{SERVER_TIMING}{}", encode_name(metric)), histogram));
    for (what, histogram) in series.chain(metrics) {
        let max = histogram.max().unwrap_or_default().as_secs_f64() * 1e3;
        let bytes = BASE64.encode(histogram.to_v2());
        // Writing to a string cannot fail.
        let _infallible = writeln!(lines, "Tag={tag}/{what},{start},1.000,{max:.3},{bytes}");
    }
    lines
}

/// The histograms of a log, read in the order they were written.
#[derive(Debug)]
pub struct LogReader<R> {
    log: R,
    /// The line that was read last, kept for its buffer.
    line: Vec<u8>,
    /// The next entry, read ahead.
    next: Option<HdrLogEntry>,
}

#[derive(Debug)]
struct HdrLogEntry {
    /// The tag without its last part.
    tag: String,
    start: String,
    what: HdrLogSubject,
    /// The histogram in V2 encoding.
    histogram: Vec<u8>,
}

/// What the lines of one interval begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntervalLines {
    /// The tag without its last part.
    tag: String,
    start: String,
}

impl IntervalLines {
    /// The lines of an interval.
    pub fn of(interval: &Interval) -> Self {
        Self { tag: tag(interval), start: seconds(interval.start) }
    }
}

/// What a histogram measures: the last part of a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HdrLogSubject {
    /// A dimension of exchanges.
    Dimension(Dimension),
    /// A metric of the target's `Server-Timing` report.
    ServerTiming(String),
}

impl<R: BufRead> LogReader<R> {
    /// A reader that starts at the first line of the log.
    pub fn new(log: R) -> Self {
        let mut reader = Self { log, line: Vec::new(), next: None };
        reader.next = reader.read();
        reader
    }

    /// Adds the histograms of these lines to `sum`, without those that are damaged. Call this in
    /// the order in which the intervals were written.
    pub fn add(&mut self, lines: &IntervalLines, sum: &mut Interval) {
        let is_one = |entry: &HdrLogEntry| entry.tag == lines.tag && entry.start == lines.start;
        while let Some(entry) = self.next.take_if(|entry| is_one(entry)) {
            entry.add_to(sum);
            self.next = self.read();
        }
    }

    /// The next entry. The last line may be cut off, and a later version may use other tags.
    fn read(&mut self) -> Option<HdrLogEntry> {
        loop {
            self.line.clear();
            let read = (&mut self.log).take(MAX_LINE).read_until(b'\n', &mut self.line);
            if read.ok()? == 0 {
                return None;
            }
            let line = std::str::from_utf8(&self.line).ok()?.trim_end_matches(['\n', '\r']);
            if let Some(entry) = HdrLogFields::of(line).and_then(HdrLogEntry::read) {
                return Some(entry);
            }
        }
    }
}

impl HdrLogEntry {
    /// Adds the histogram to an interval, unless it is damaged.
    fn add_to(&self, sum: &mut Interval) {
        let _unless_damaged = Histogram::add_v2(&self.histogram, || match &self.what {
            HdrLogSubject::Dimension(dimension) => sum.series.of(*dimension),
            HdrLogSubject::ServerTiming(metric) => sum.server_timings.of(metric),
        });
    }

    fn read(fields: HdrLogFields<'_>) -> Option<Self> {
        let (tag, what) = fields.tag?.rsplit_once('/')?;
        Some(Self {
            tag: tag.to_owned(),
            start: fields.start.to_owned(),
            what: HdrLogSubject::parse(what)?,
            histogram: fields.bytes().ok()?,
        })
    }
}

/// A tag in the form that tollgate writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HdrLogTag {
    /// The scenario's name.
    pub scenario: String,
    /// The request's name.
    pub request: String,
    /// The stage of the run.
    pub stage: Stage,
    /// What the histogram measures.
    pub what: HdrLogSubject,
}

impl HdrLogTag {
    /// Parses a tag; `None` if another tool wrote it.
    pub fn parse(tag: &str) -> Option<Self> {
        let mut parts = tag.split('/');
        let mut next = || parts.next();
        let (scenario, request, stage, what) = (next()?, next()?, next()?, next()?);
        let stage = Stage::ALL.into_iter().find(|known| known.name() == stage)?;
        let tag = Self {
            scenario: decode_name(scenario)?,
            request: decode_name(request)?,
            stage,
            what: HdrLogSubject::parse(what)?,
        };
        next().is_none().then_some(tag)
    }
}

impl HdrLogSubject {
    fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix(SERVER_TIMING) {
            None => text.parse().ok().map(Self::Dimension),
            Some(metric) => decode_name(metric).map(Self::ServerTiming),
        }
    }
}

fn decode_name(name: &str) -> Option<String> {
    percent_decode_str(name).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

fn encode_name(name: &str) -> impl std::fmt::Display {
    utf8_percent_encode(name, TAG)
}

/// The tag of an interval's lines, without its last part.
fn tag(interval: &Interval) -> String {
    format!(
        "{}/{}/{}",
        encode_name(&interval.scenario),
        encode_name(&interval.request),
        interval.stage
    )
}

fn seconds(start: Duration) -> String {
    format!("{:.3}", start.as_secs_f64())
}
