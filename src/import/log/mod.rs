//! Imports HdrHistogram's interval logs (`.hlog`), written by other tools or by tollgate.
//!
//! A log of this program keeps its scenarios, requests, stages and dimensions. In a log of another
//! program, each line is the latency of the request that its tag names. An interval log does not
//! say how many exchanges failed.

mod caveats;
mod intervals;
mod lines;
mod measurement;
mod start;
mod unit;

use std::time::Duration;

pub use unit::LogUnit;

use self::intervals::LogIntervals;
use self::measurement::LogMeasurement;
use self::start::LogClock;
use crate::record::{
    Budget, Ceiling, GatePolicy, Interval, Measurement, PlannedRequest, PlannedScenario, RunEnding,
    RunRecord, ScenarioMeasurement,
};

use super::{ImportError, identity, judged, provenance};

/// How to read what a log leaves open.
#[derive(Debug, Clone, PartialEq)]
pub struct LogImportOptions {
    /// The scenario of lines that name none.
    pub scenario: String,
    /// The request of lines without a tag.
    pub request: String,
    /// The unit of the values; `None` to derive it from the log.
    pub unit: Option<LogUnit>,
    /// The budgets of each request; only budgets on durations.
    pub budgets: Vec<Budget>,
}

/// A valid log and the run that it describes.
#[derive(Debug)]
pub struct ImportedLog {
    options: LogImportOptions,
    ceilings: Vec<Ceiling>,
    clock: LogClock,
    unit: LogUnit,
    content: [u8; 32],
    record: RunRecord,
}

impl ImportedLog {
    /// Maximum size of a log in bytes.
    pub const MOST_BYTES: u64 = 256 << 20;

    /// Reads a whole log, or returns every mistake in it. Memory holds the sum of the histograms,
    /// not each of them.
    pub fn read(bytes: &[u8], options: &LogImportOptions) -> Result<Self, Vec<ImportError>> {
        let clock = LogClock::of(bytes).map_err(|mistake| vec![mistake])?;
        let (unit, unit_source) = unit::of(bytes, options.unit).map_err(|mistake| vec![mistake])?;
        let ceilings = ceilings(&options.budgets);
        let gathered =
            LogMeasurement::of(LogIntervals::new(bytes, clock, unit, options, &ceilings))?;
        let caveats = caveats::caveats(&gathered, clock, (unit, unit_source));
        let content = identity::hash(&[bytes]);
        let record = record(gathered, (options, &ceilings), &caveats, (clock, unit, &content));
        Ok(Self { options: options.clone(), ceilings, clock, unit, content, record })
    }

    /// The run.
    pub fn record(&self) -> &RunRecord {
        &self.record
    }

    /// The run's intervals in the order of the log, read from the same bytes; `None` if the bytes
    /// have changed.
    pub fn intervals<'a>(
        &'a self,
        bytes: &'a [u8],
    ) -> Option<impl Iterator<Item = Interval> + use<'a>> {
        let intervals =
            || LogIntervals::new(bytes, self.clock, self.unit, &self.options, &self.ceilings);
        (identity::hash(&[bytes]) == self.content).then(|| intervals().flatten())
    }
}

fn ceilings(budgets: &[Budget]) -> Vec<Ceiling> {
    let mut ceilings: Vec<Ceiling> = Vec::new();
    for (dimension, limit) in budgets.iter().filter_map(Budget::ceiling) {
        let ceiling = Ceiling { dimension, limit };
        if !ceilings.contains(&ceiling) {
            ceilings.push(ceiling);
        }
    }
    ceilings
}

/// The record of a log.
fn record(
    gathered: LogMeasurement,
    (options, ceilings): (&LogImportOptions, &[Ceiling]),
    caveats: &[String],
    (clock, unit, content): (LogClock, LogUnit, &[u8]),
) -> RunRecord {
    let started = clock.started();
    let budgets: Vec<_> = options.budgets.iter().map(ToString::to_string).collect();
    let budgets = budgets.join("\n");
    let (scenario, request) = (options.scenario.as_bytes(), options.request.as_bytes());
    let id = identity::id(
        started,
        &[b"hlog", content, scenario, request, unit.name().as_bytes(), budgets.as_bytes()],
    );
    let maker = if gathered.notes.foreign == 0 { "tollgate" } else { "unknown" };
    let plan = gathered
        .scenarios
        .iter()
        .map(|scenario| planned(scenario, &options.budgets, caveats))
        .collect();
    // A measured stage has a duration. In a run without one, no stage began before the end.
    let instant = Duration::from_millis(1);
    let elapsed = gathered.notes.end.max(gathered.measured_from.unwrap_or_default() + instant);
    let measured_from = gathered.measured_from.unwrap_or(elapsed);
    let scenarios =
        gathered.scenarios.into_iter().map(|scenario| counted(scenario, ceilings)).collect();
    let measurement = Measurement {
        measured_from,
        elapsed,
        ..Measurement::with_scenarios(
            scenarios,
            RunEnding::Imported(caveats::MISSING_FACTS.to_owned()),
        )
    };
    judged(id, provenance(started, "hlog", vec![maker.to_owned()]), plan, measurement)
}

/// A scenario with the ceilings of its requests and with the number of known exchanges.
fn counted(mut scenario: ScenarioMeasurement, ceilings: &[Ceiling]) -> ScenarioMeasurement {
    for request in &mut scenario.requests {
        request.ceilings = ceilings.to_vec();
        scenario.released += request.measured.tally.exchanges;
    }
    scenario
}

fn planned(
    measured: &ScenarioMeasurement,
    budgets: &[Budget],
    caveats: &[String],
) -> PlannedScenario {
    let unknown = || "unknown".to_owned();
    let requests = measured.requests.iter().map(|request| PlannedRequest {
        name: request.name.clone(),
        line: request.name.clone(),
        headers: Vec::new(),
        expectations: Vec::new(),
        budgets: budgets.to_vec(),
        baselines: Vec::new(),
        hop_of: None,
        accepts: Vec::new(),
        terms: Vec::new(),
    });
    PlannedScenario {
        name: measured.name.clone(),
        description: String::new(),
        source: "an HdrHistogram interval log".to_owned(),
        base_url: unknown(),
        load: unknown(),
        warmup: unknown(),
        caveats: caveats.to_vec(),
        capacity: None,
        stalls: None,
        gate: GatePolicy::default(),
        setup: Vec::new(),
        teardown: Vec::new(),
        data: None,
        draw: None,
        duet: None,
        requests: requests.collect(),
    }
}

#[cfg(test)]
mod tests;
