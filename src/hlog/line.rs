//! One line of a log.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::record::{Histogram, HistogramError};

/// One parsed line of a log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HdrLogLine<'a> {
    /// When the log started, in seconds since 1970.
    StartTime(f64),
    /// The time from which the starts of intervals count, in seconds since 1970.
    BaseTime(f64),
    /// A comment, a heading or an empty line.
    Text(&'a str),
    /// One histogram.
    Interval(HdrLogFields<'a>),
}

/// A line with a histogram, with the text of each field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HdrLogFields<'a> {
    /// The tag, which names the series.
    pub tag: Option<&'a str>,
    /// When the interval starts, in seconds.
    pub start: &'a str,
    /// The length of the interval, in seconds.
    pub length: &'a str,
    /// The greatest value, usually in milliseconds.
    pub max: &'a str,
    /// The histogram in base64.
    pub histogram: &'a str,
}

impl<'a> HdrLogLine<'a> {
    /// Parses a line; `None` if it is not a line of a log.
    pub fn parse(line: &'a str) -> Option<Self> {
        let line = line.trim();
        let seconds = |text: &str| {
            let word = text.split([' ', ']']).find(|word| !word.is_empty())?;
            word.parse().ok().filter(|seconds: &f64| seconds.is_finite())
        };
        if let Some(rest) = line.strip_prefix("#[StartTime:") {
            return seconds(rest).map(Self::StartTime);
        }
        if let Some(rest) = line.strip_prefix("#[BaseTime:") {
            return seconds(rest).map(Self::BaseTime);
        }
        if line.is_empty() || line.starts_with('#') || line.starts_with("\"StartTimestamp\"") {
            return Some(Self::Text(line));
        }
        HdrLogFields::of(line).map(Self::Interval)
    }
}

impl<'a> HdrLogFields<'a> {
    /// Splits a line into its fields; `None` if it has other fields.
    pub fn of(line: &'a str) -> Option<Self> {
        let (tag, rest) = match line.strip_prefix("Tag=") {
            None => (None, line),
            Some(rest) => rest.split_once(',').map(|(tag, rest)| (Some(tag), rest))?,
        };
        let mut fields = rest.split(',').map(str::trim);
        let mut next = || fields.next();
        let (start, length, max, histogram) = (next()?, next()?, next()?, next()?);
        next().is_none().then_some(Self { tag, start, length, max, histogram })
    }

    /// The histogram in its recorded unit; an error if it is damaged or in another encoding.
    pub fn counts(&self) -> Result<hdrhistogram::Histogram<u64>, HistogramError> {
        Histogram::counts_of_v2(&self.bytes()?)
    }

    /// The histogram's encoding; an error if it is not base64.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, HistogramError> {
        let bytes = BASE64.decode(self.histogram);
        bytes.map_err(|_| HistogramError::new("it is not base64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_line_from_other_tools_is_recognized() {
        let parsed = HdrLogLine::parse;
        assert_eq!(
            parsed(
                "#[StartTime: 1441812279.474 (seconds since epoch), Wed Sep 09 08:24:39 PDT 2015]"
            ),
            Some(HdrLogLine::StartTime(1_441_812_279.474))
        );
        assert_eq!(
            parsed("#[BaseTime: 0.0 (seconds since epoch)]"),
            Some(HdrLogLine::BaseTime(0.0))
        );
        for text in
            ["#[Histogram log format version 1.2]", "\"StartTimestamp\",\"Interval_Length\"", ""]
        {
            assert_eq!(parsed(text), Some(HdrLogLine::Text(text)));
        }
        let fields = HdrLogFields {
            tag: Some("a"),
            start: "0.127",
            length: "1.007",
            max: "2.769",
            histogram: "HISTFAAA",
        };
        assert_eq!(
            parsed("Tag=a,0.127,1.007,2.769,HISTFAAA\r"),
            Some(HdrLogLine::Interval(fields))
        );
        assert_eq!(
            parsed("0.127, 1.007, 2.769, HISTFAAA"),
            Some(HdrLogLine::Interval(HdrLogFields { tag: None, ..fields }))
        );
        for wrong in
            ["Tag=a", "1,2,3", "1,2,3,4,5", "#[StartTime: soon]", "#[BaseTime: NaN]", "noise"]
        {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
