//! Imports the files of other tools, without side effects: bytes → [`RunRecord`] and its intervals.
//!
//! A record holds only what its file says. Its caveats list what the file cannot say, and its
//! [`RunEnding::Imported`] rules out a pass. Nothing in it depends on when, where or under which
//! name a file is imported. This includes the run's id: importing a file twice gives the same run.

mod identity;
mod log;
mod session;
mod synthetic_check;

use std::collections::BTreeMap;
use std::fmt;

use time::OffsetDateTime;
use uuid::Uuid;

pub use log::{ImportedLog, LogImportOptions, LogUnit};
pub use session::{
    ConfigurationRange, RecordedAnswer, RecordedSample, SessionImport, TimePrecision, read_table,
};
pub use synthetic_check::{CheckAnswer, CheckTool, ImportedArtifact};

use crate::record::{
    FORMAT, HostFacts, IMPORTED_TAG, Measurement, PlannedScenario, RunEnding, RunProvenance,
    RunRecord, ScenarioMeasurement,
};
use crate::verdict;

/// A mistake in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportError {
    /// The line, counted from 1, and the column if it is known; `None` for a mistake of the whole
    /// file.
    pub location: Option<(usize, Option<usize>)>,
    /// The mistake and the remedy.
    pub what: String,
}

impl ImportError {
    fn of_file(what: impl Into<String>) -> Self {
        Self { location: None, what: what.into() }
    }

    fn at(line: usize, what: impl Into<String>) -> Self {
        Self { location: Some((line, None)), what: what.into() }
    }
}

/// `14:7: expected a number`, to follow the file's name and a colon.
impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.location {
            None => f.write_str(" ")?,
            Some((line, None)) => write!(f, "{line}: ")?,
            Some((line, Some(column))) => write!(f, "{line}:{column}: ")?,
        }
        f.write_str(&self.what)
    }
}

/// The source of an imported record.
struct ImportSource {
    id: Uuid,
    started: OffsetDateTime,
    /// The kind of file, stored as the tag [`IMPORTED_TAG`].
    kind: &'static str,
    /// The command that made the file.
    command: Vec<String>,
    /// What the file does not say, for [`RunEnding::Imported`].
    missing_facts: String,
}

/// The record of scenarios that another tool measured, with its verdict.
fn record(
    origin: ImportSource,
    scenarios: Vec<(PlannedScenario, ScenarioMeasurement)>,
    elapsed: std::time::Duration,
) -> RunRecord {
    let (plan, scenarios): (Vec<_>, _) = scenarios.into_iter().unzip();
    let measurement = Measurement {
        elapsed,
        ..Measurement::with_scenarios(scenarios, RunEnding::Imported(origin.missing_facts))
    };
    judged(origin.id, provenance(origin.started, origin.kind, origin.command), plan, measurement)
}

fn judged(
    id: Uuid,
    provenance: RunProvenance,
    plan: Vec<PlannedScenario>,
    measurement: Measurement,
) -> RunRecord {
    let verdict = verdict::judge(&plan, &measurement);
    RunRecord {
        format: FORMAT,
        id,
        provenance,
        plan,
        measurement,
        verdict,
        gate: None,
        comparison: None,
    }
}

fn provenance(started: OffsetDateTime, kind: &str, command: Vec<String>) -> RunProvenance {
    let unknown = || "unknown".to_owned();
    RunProvenance {
        started,
        tollgate: env!("CARGO_PKG_VERSION").to_owned(),
        host: HostFacts { name: unknown(), os: unknown(), arch: unknown(), cores: 0 },
        command,
        git_commit: None,
        tags: BTreeMap::from([(IMPORTED_TAG.to_owned(), kind.to_owned())]),
    }
}
