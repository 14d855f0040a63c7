//! The intervals' histograms as an `HdrHistogram` log.
//!
//! Format: <https://github.com/HdrHistogram/HdrHistogram/blob/master/src/main/java/org/HdrHistogram/HistogramLogWriter.java>,
//! version 1.3. Values are microseconds, `Interval_Max` is in milliseconds, and each line is tagged
//! `scenario/request/stage/dimension`, names percent-encoded.

use std::fmt::Write as _;
use std::io::{BufRead, Lines};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use time::OffsetDateTime;

use crate::record::{Dimension, Histogram, Interval, Series};

/// What a tag may hold as it is; commas, blanks and line breaks would end it, a slash would split it.
const TAG: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The lines before the first interval.
pub(super) fn header(started: OffsetDateTime) -> String {
    let seconds = started.unix_timestamp_nanos() as f64 / 1e9;
    format!(
        "#[tollgate: values in microseconds, one tag a scenario/request/stage/dimension]\n\
         #[Histogram log format version 1.3]\n\
         #[StartTime: {seconds:.3} (seconds since epoch), {started}]\n\
         #[BaseTime: {seconds:.3} (seconds since epoch)]\n\
         \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n"
    )
}

/// The lines of one interval.
pub(super) fn lines(interval: &Interval) -> String {
    let (tag, start) = (tag(interval), seconds(interval.start));
    let mut lines = String::new();
    for (dimension, histogram) in interval.series.iter() {
        let max = histogram.max().unwrap_or_default().as_secs_f64() * 1e3;
        let bytes = BASE64.encode(histogram.to_v2());
        // Writing to a string cannot fail.
        let _infallible = writeln!(lines, "Tag={tag}/{dimension},{start},1.000,{max:.3},{bytes}");
    }
    lines
}

/// The histograms of a log, read in the order they were written.
#[derive(Debug)]
pub(super) struct LogReader<R> {
    lines: Lines<R>,
    /// The next line's tag without its dimension, with what else it holds.
    next: Option<Entry>,
}

#[derive(Debug)]
struct Entry {
    of: String,
    start: String,
    dimension: Dimension,
    histogram: Histogram,
}

impl<R: BufRead> LogReader<R> {
    pub(super) fn new(log: R) -> Self {
        let mut reader = Self { lines: log.lines(), next: None };
        reader.next = reader.read();
        reader
    }

    /// The histograms of an interval; intervals must be asked for in the order they were written in.
    pub(super) fn series(&mut self, interval: &Interval) -> Series {
        let (of, start) = (tag(interval), seconds(interval.start));
        let mut series = Series::default();
        while let Some(entry) = self.next.take_if(|entry| entry.of == of && entry.start == start) {
            series.add(entry.dimension, &entry.histogram);
            self.next = self.read();
        }
        series
    }

    /// The next entry; none at the end, or where a line was cut off.
    fn read(&mut self) -> Option<Entry> {
        loop {
            let line = self.lines.next()?.ok()?;
            if let Some(rest) = line.strip_prefix("Tag=") {
                return Entry::parse(rest);
            }
        }
    }
}

impl Entry {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.splitn(5, ',');
        let (of, dimension) = fields.next()?.rsplit_once('/')?;
        let start = fields.next()?.to_owned();
        let histogram = Histogram::from_v2(&BASE64.decode(fields.nth(2)?).ok()?).ok()?;
        Some(Self { of: of.to_owned(), start, dimension: dimension.parse().ok()?, histogram })
    }
}

/// What the lines of an interval are tagged with, but for the dimension.
fn tag(interval: &Interval) -> String {
    let encoded = |name| utf8_percent_encode(name, TAG);
    format!("{}/{}/{}", encoded(&interval.scenario), encoded(&interval.request), interval.stage)
}

fn seconds(start: Duration) -> String {
    format!("{:.3}", start.as_secs_f64())
}
