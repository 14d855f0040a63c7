//! The caveats of an imported interval log.

use std::time::Duration;

use super::measurement::LogMeasurement;
use super::start::LogClock;
use super::unit::{LogUnit, UnitSource};
use crate::units::format_duration;

/// What follows “the record was imported, and”.
pub(super) const MISSING_FACTS: &str = "an interval log does not tell which exchanges failed";

/// What a reader of the figures must know, one sentence per caveat.
pub(super) fn caveats(
    gathered: &LogMeasurement,
    clock: LogClock,
    (unit, unit_source): (LogUnit, UnitSource),
) -> Vec<String> {
    let notes = gathered.notes;
    let mut caveats = vec![failures(gathered.failed())];
    caveats.extend((notes.foreign > 0).then(|| {
        "it is not told whether times count from when a request was due or from when it was sent, so that a stall may be \
         hidden"
            .to_owned()
    }));
    caveats.extend(counted(unit, unit_source));
    caveats.extend(notes.lengths.and_then(lengths));
    caveats.extend((!clock.has_start).then(|| "the log does not tell when it was made".to_owned()));
    caveats.extend(
        notes.cut.map(|line| format!("line {line} of the log, its last, is cut off and left out")),
    );
    caveats
}

fn failures(failed: u64) -> String {
    let how_many = match failed {
        0 => String::new(),
        1 => "; 1 exchange has a lag and no latency, and so failed".to_owned(),
        more => format!("; {more} exchanges have a lag and no latency, and so failed"),
    };
    format!("an interval log tells of no failures: all figures are of what was answered{how_many}")
}

fn counted(unit: LogUnit, unit_source: UnitSource) -> Option<String> {
    let unit = unit.name();
    match unit_source {
        UnitSource::Head => None,
        UnitSource::Flag => Some(format!("values are taken for {unit}, as asked for")),
        UnitSource::Max => Some(format!(
            "values are taken for {unit}: then the log's own maxima are in milliseconds, as is the custom"
        )),
    }
}

/// States that an interval is not the second under which it is shown.
fn lengths((shortest, longest): (Duration, Duration)) -> Option<String> {
    let second = Duration::from_millis(950)..=Duration::from_millis(1_050);
    let long = match (format_duration(shortest), format_duration(longest)) {
        (one, other) if one == other => one,
        (one, other) => format!("{one} to {other}"),
    };
    let are_seconds = second.contains(&longest);
    (!are_seconds).then(|| {
        format!(
            "its intervals are {long} long; over time, each is shown in the second of its start"
        )
    })
}
