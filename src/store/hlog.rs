//! The intervals' histograms as an `HdrHistogram` log.
//!
//! Format: <https://github.com/HdrHistogram/HdrHistogram/blob/master/src/main/java/org/HdrHistogram/HistogramLogWriter.java>,
//! version 1.3. Values are microseconds, `Interval_Max` is in milliseconds, and each line is tagged
//! `scenario/request/stage/dimension`, names percent-encoded.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
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
    let mut lines = String::new();
    for (dimension, histogram) in interval.series.iter() {
        let max = histogram.max().unwrap_or_default().as_secs_f64() * 1e3;
        let start = interval.start.as_secs_f64();
        let bytes = BASE64.encode(histogram.to_v2());
        // Writing to a string cannot fail.
        let _infallible =
            writeln!(lines, "Tag={},{start:.3},1.000,{max:.3},{bytes}", tag(interval, dimension));
    }
    lines
}

/// The histograms of a log, by tag and start.
#[derive(Debug, Default)]
pub(super) struct Log(HashMap<(String, u64), Histogram>);

impl Log {
    /// Reads a log up to its end or to a line that was cut off.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut log = HashMap::new();
        for entry in IntervalLogIterator::new(bytes) {
            let Ok(LogEntry::Interval(interval)) = entry else {
                if entry.is_err() {
                    break;
                }
                continue;
            };
            let Ok(encoded) = BASE64.decode(interval.encoded_histogram()) else { break };
            let Ok(histogram) = Histogram::from_v2(&encoded) else { break };
            let tag = interval.tag().map(|tag| tag.as_str().to_owned()).unwrap_or_default();
            log.insert((tag, millis(interval.start_timestamp())), histogram);
        }
        Self(log)
    }

    /// The histograms of an interval.
    pub(super) fn series(&self, interval: &Interval) -> Series {
        let mut series = Series::default();
        for dimension in Dimension::ALL {
            if let Some(histogram) = self.0.get(&(tag(interval, dimension), millis(interval.start))) {
                series.add(dimension, histogram);
            }
        }
        series
    }
}

fn tag(interval: &Interval, dimension: Dimension) -> String {
    let encoded = |name| utf8_percent_encode(name, TAG);
    format!("{}/{}/{}/{dimension}", encoded(&interval.scenario), encoded(&interval.request), interval.stage)
}

/// Timestamps are written with three decimals; both sides are rounded alike.
fn millis(start: Duration) -> u64 {
    let text = format!("{:.3}", start.as_secs_f64());
    text.replace('.', "").parse().unwrap_or(0)
}
