//! Groups recorded requests into attempts.

use std::time::Duration;

use super::TARGET_MARK;
use super::configuration::{ConfigurationRange, StatedConfiguration, range_of};
use super::sample::{RecordedAnswer, RecordedSample};
use crate::record::Failure;
use crate::record::session::{Attempt, CurveEnd, ExchangeSample, QuotaReading, StartKind};

/// A pause of this length begins another attempt: the app may have been stopped meanwhile.
const PAUSE: time::Duration = time::Duration::minutes(5);

/// Requests of one page that followed each other, at one configuration.
#[derive(Debug)]
pub(super) struct AttemptGroup<'a> {
    pub(super) configuration: String,
    pub(super) samples: Vec<&'a RecordedSample>,
}

impl AttemptGroup<'_> {
    /// The first of its requests that was answered as it was wanted.
    pub(super) fn first_answer(&self) -> Option<Duration> {
        self.samples.iter().find(|sample| sample.is_ok()).map(|sample| sample.took)
    }
}

/// A group that is being put together.
struct OpenGroup<'a> {
    stated: StatedConfiguration,
    range: Option<&'a ConfigurationRange>,
    samples: Vec<&'a RecordedSample>,
}

impl<'a> OpenGroup<'a> {
    fn of(sample: &'a RecordedSample, range: Option<&'a ConfigurationRange>) -> Self {
        Self { stated: StatedConfiguration::read(&sample.note), range, samples: vec![sample] }
    }

    /// Adds a request, unless it begins another attempt.
    fn take(&mut self, sample: &'a RecordedSample, range: Option<&'a ConfigurationRange>) -> bool {
        let is_near = self.samples.last().is_some_and(|last| sample.at - last.at < PAUSE);
        let merged = self.stated.merged(&StatedConfiguration::read(&sample.note));
        // The first answer counts from the start of its attempt, and nobody waited for this one.
        let is_late = sample.is_ok() && !self.samples.iter().any(|own| own.is_ok());
        let is_one = is_near && !is_late && self.range == range;
        let (true, Some(stated)) = (is_one, merged) else { return false };
        self.stated = stated;
        self.samples.push(sample);
        true
    }
}

/// The attempts, in the order of time. `samples` are in that order.
pub(super) fn group<'a>(
    samples: &'a [RecordedSample],
    ranges: &'a [ConfigurationRange],
) -> Vec<AttemptGroup<'a>> {
    let mut pages: Vec<Option<&str>> = Vec::new();
    for sample in samples {
        if !pages.contains(&sample.path()) {
            pages.push(sample.path());
        }
    }
    let are_several = pages.iter().flatten().count() > 1;
    let mut groups: Vec<AttemptGroup<'a>> = Vec::new();
    for page in pages {
        let own = samples.iter().filter(|sample| sample.path() == page);
        groups.extend(of_page(own, ranges).into_iter().map(|open| {
            let name = open.range.map_or_else(|| open.stated.name(), |range| range.name.clone());
            let page = page.unwrap_or("URL not recorded");
            let configuration =
                if are_several { format!("{name}{TARGET_MARK}{page}") } else { name };
            AttemptGroup { configuration, samples: open.samples }
        }));
    }
    groups.sort_by_key(|group| group.samples.first().map(|sample| sample.at));
    groups
}

fn of_page<'a>(
    samples: impl Iterator<Item = &'a RecordedSample>,
    ranges: &'a [ConfigurationRange],
) -> Vec<OpenGroup<'a>> {
    let mut open: Vec<OpenGroup<'a>> = Vec::new();
    for sample in samples {
        let range = range_of(sample, ranges);
        let is_taken = open.last_mut().is_some_and(|last| last.take(sample, range));
        if !is_taken {
            open.push(OpenGroup::of(sample, range));
        }
    }
    open
}

/// The attempts as data. Each is a round of its own: attempts of different times were never paired,
/// so that nothing may compare them as pairs.
pub(super) fn attempts(groups: &[AttemptGroup<'_>], names: &[String]) -> Vec<Attempt> {
    let numbers = 1_u32..;
    numbers.zip(groups).filter_map(|(number, group)| attempt(number, group, names)).collect()
}

fn attempt(number: u32, group: &AttemptGroup<'_>, names: &[String]) -> Option<Attempt> {
    let (first, last) = (group.samples.first()?, group.samples.last()?);
    let until_last = Duration::try_from(last.at - first.at).unwrap_or_default();
    let answered = group.first_answer().is_some();
    Some(Attempt {
        number,
        round: number,
        configuration: names.iter().position(|name| *name == group.configuration)?,
        started: first.at,
        cold_from: None,
        first_due: Some(first.at),
        took: until_last + last.took,
        machines_before: Vec::new(),
        machines_after: Vec::new(),
        machine: None,
        start: StartKind::Unknown,
        start_by_events: None,
        first: group.samples.iter().map(|sample| exchange(sample, first)).collect(),
        curve: Vec::new(),
        curve_end: CurveEnd::Skipped,
        steady: None,
        quota: QuotaReading::NotKnown("the imported records have no metrics".to_owned()),
        problem: (!answered).then(|| "no request was answered as wanted".to_owned()),
    })
}

fn exchange(sample: &RecordedSample, first: &RecordedSample) -> ExchangeSample {
    let line = sample.path().map_or("URL not recorded".to_owned(), |path| format!("GET {path}"));
    ExchangeSample {
        request: line,
        due: Duration::try_from(sample.at - first.at).unwrap_or_default(),
        latency: sample.took,
        parts: std::collections::BTreeMap::new(),
        failure: match sample.answer {
            RecordedAnswer::Status(200..=299) | RecordedAnswer::NotRecorded => None,
            RecordedAnswer::Status(_) => Some(Failure::Status),
            RecordedAnswer::None => Some(Failure::NoAnswer),
        },
        fresh: true,
        heat: None,
    }
}
