//! The configuration of a request: as a note states it, or a span of time that the user gives.

use std::sync::LazyLock;

use regex::Regex;
use time::OffsetDateTime;

use super::sample::{RecordedSample, read_time};
use crate::units::UnitError;

/// The name of the configuration of requests about which nothing is stated.
pub(super) const NOT_RECORDED: &str = "not recorded";
/// The longest name of a configuration.
const LONGEST_NAME: usize = 80;

/// A configuration that was in force for a span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigurationRange {
    /// Its name.
    pub name: String,
    from: Option<OffsetDateTime>,
    /// The end, which is not part of the span.
    to: Option<OffsetDateTime>,
}

impl ConfigurationRange {
    /// Whether a time is in the span.
    pub fn contains(&self, at: OffsetDateTime) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at < to)
    }

    /// Whether two spans have a time in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        let starts_before = |from: Option<OffsetDateTime>, to: Option<OffsetDateTime>| {
            from.zip(to).is_none_or(|(from, to)| from < to)
        };
        starts_before(self.from, other.to) && starts_before(other.from, self.to)
    }
}

/// `NAME=FROM..TO`; either end may be left out.
impl std::str::FromStr for ConfigurationRange {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let remedy = "write it like `2 GB=2025-10-11T02:12Z..2025-10-11T20:00Z`; either end may be \
                      left out";
        let wrong = |problem: String| UnitError::new(problem, remedy);
        let (name, span) = text
            .rsplit_once('=')
            .ok_or_else(|| wrong(format!("`{text}` has no `=` after the name")))?;
        let name = name.trim();
        if name.is_empty() || name.chars().count() > LONGEST_NAME || name.contains(char::is_control)
        {
            return Err(wrong(format!("a name has 1 to {LONGEST_NAME} characters")));
        }
        let (from, to) = span
            .split_once("..")
            .ok_or_else(|| wrong(format!("`{span}` has no `..` between its two times")))?;
        let time = |text: &str| match text.trim() {
            "" => Ok(None),
            text => match read_time(text) {
                Some((time, _)) => Ok(Some(time)),
                None => Err(wrong(format!("`{text}` is no time"))),
            },
        };
        let (from, to) = (time(from)?, time(to)?);
        if from.zip(to).is_some_and(|(from, to)| from >= to) {
            return Err(wrong("the span ends before it starts".to_owned()));
        }
        Ok(Self { name: name.to_owned(), from, to })
    }
}

/// What notes say about a machine's size. A part that they do not state is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct StatedConfiguration {
    size: Option<String>,
    memory_mb: Option<u32>,
}

/// A size, with memory: `shared-cpu-2x:2048MB`, `performance-1x`.
static SIZE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b((?:shared-cpu|performance)-\d{1,2}x)(?::\s?(\d{3,6})\s?MB)?").ok()
});
/// Memory: `fly scale memory 2048`, `memory 2048 MB`, `memory = "2gb"`.
static MEMORY: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?i)\bmemory[\s=:"]{1,4}(\d{1,6})\s?(gb|g|mb|m)?\b"#).ok());

impl StatedConfiguration {
    /// What one note states.
    pub(super) fn read(note: &str) -> Self {
        let size = SIZE.as_ref().and_then(|pattern| pattern.captures(note));
        let with_size = size.as_ref().and_then(|found| found.get(2)?.as_str().parse().ok());
        let alone = MEMORY.as_ref().and_then(|pattern| pattern.captures(note)).and_then(|found| {
            let number: u32 = found.get(1)?.as_str().parse().ok()?;
            let is_gb = found.get(2).is_some_and(|unit| unit.as_str().starts_with(['g', 'G']));
            if is_gb { number.checked_mul(1024) } else { Some(number) }
        });
        Self {
            size: size.and_then(|found| Some(found.get(1)?.as_str().to_ascii_lowercase())),
            memory_mb: with_size.or(alone),
        }
    }

    /// Both together; `None` if they contradict each other.
    pub(super) fn merged(&self, other: &Self) -> Option<Self> {
        fn differ<T: PartialEq>(own: Option<&T>, other: Option<&T>) -> bool {
            own.zip(other).is_some_and(|(own, other)| own != other)
        }
        let is_other = differ(self.size.as_ref(), other.size.as_ref())
            || differ(self.memory_mb.as_ref(), other.memory_mb.as_ref());
        (!is_other).then(|| Self {
            size: self.size.clone().or_else(|| other.size.clone()),
            memory_mb: self.memory_mb.or(other.memory_mb),
        })
    }

    /// `shared-cpu-2x, 2048 MB`
    pub(super) fn name(&self) -> String {
        let memory = self.memory_mb.map(|mb| format!("{mb} MB"));
        let parts: Vec<String> = self.size.iter().cloned().chain(memory).collect();
        if parts.is_empty() { NOT_RECORDED.to_owned() } else { parts.join(", ") }
    }
}

/// The configuration that a span gives a request, if any.
pub(super) fn range_of<'r>(
    sample: &RecordedSample,
    ranges: &'r [ConfigurationRange],
) -> Option<&'r ConfigurationRange> {
    ranges.iter().find(|range| range.contains(sample.at))
}
