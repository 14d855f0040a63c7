//! Imports old records of single requests as one tuning session.
//!
//! Such records were written by hand and by the old check: a table of times, or artifacts of
//! `synthetic-check`. The session keeps what they say. Its notes state what follows from them and
//! what does not, because nobody planned them as an experiment.

mod attempts;
mod configuration;
mod csv_table;
mod notes;
mod sample;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use time::OffsetDateTime;

use super::{ImportedArtifact, identity};
use crate::record::session::{
    ColdState, Configuration, SESSION_FORMAT, SessionEnding, SessionPlanFacts, SessionProvenance,
    SessionRecord,
};
use crate::record::{Budget, Dimension, HostFacts, IMPORTED_TAG};
use attempts::AttemptGroup;
pub use configuration::ConfigurationRange;
pub use csv_table::read_table;
pub use sample::{RecordedAnswer, RecordedSample, TimePrecision};

/// Old records as one session.
#[derive(Debug)]
pub struct SessionImport {
    /// The session's name.
    pub name: String,
    /// The names of the files, for the record.
    pub files: Vec<String>,
    /// The requests, in any order.
    pub samples: Vec<RecordedSample>,
    /// The configurations of spans of time, which override what the records say.
    pub ranges: Vec<ConfigurationRange>,
}

impl SessionImport {
    /// The session. Its conclusion is still to be drawn. `None` if there is no request.
    ///
    /// The id depends on the requests and the spans alone: importing the same files twice gives the
    /// same session.
    pub fn session(mut self) -> Option<SessionRecord> {
        self.samples.sort_by_key(|sample| sample.at);
        let started = self.samples.first()?.at;
        let groups = attempts::group(&self.samples, &self.ranges);
        let names = configuration_names(&groups, &self.ranges);
        Some(SessionRecord {
            format: SESSION_FORMAT,
            id: self.id(started),
            name: self.name.clone(),
            provenance: self.provenance(started, notes::notes(&self.samples, &groups, &names)),
            plan: self.plan(&names, &groups),
            attempts: attempts::attempts(&groups, &names),
            added_machines: Vec::new(),
            ending: Some(SessionEnding::Complete),
            conclusion: None,
        })
    }

    fn id(&self, started: OffsetDateTime) -> uuid::Uuid {
        let samples = self.samples.iter().map(|sample| format!("{sample:?}"));
        let ranges = self.ranges.iter().map(|range| format!("{range:?}"));
        let parts: Vec<String> = samples.chain(ranges).collect();
        let parts: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
        identity::id(started, &parts)
    }

    fn provenance(&self, started: OffsetDateTime, import_notes: Vec<String>) -> SessionProvenance {
        let unknown = || "unknown".to_owned();
        SessionProvenance {
            started,
            tollgate: env!("CARGO_PKG_VERSION").to_owned(),
            host: HostFacts { name: unknown(), os: unknown(), arch: unknown(), cores: 0 },
            command: Vec::new(),
            git_commit: None,
            tags: BTreeMap::from([(IMPORTED_TAG.to_owned(), "records".to_owned())]),
            imported_from: Some(imported_from(&self.files)),
            import_notes,
        }
    }

    fn plan(&self, names: &[String], groups: &[AttemptGroup<'_>]) -> SessionPlanFacts {
        let mut budgets: Vec<Duration> =
            self.samples.iter().filter_map(|sample| sample.budget).collect();
        budgets.sort_unstable();
        budgets.dedup();
        let of_latency = |ceiling| Budget::Max { dimension: Dimension::Latency, ceiling };
        let most = (0..names.len())
            .map(|at| groups.iter().filter(|group| group.configuration == names[at]).count())
            .max();
        SessionPlanFacts {
            app: None,
            scenario: "single requests".to_owned(),
            base_url: base_url(&self.samples),
            cold: ColdState::None,
            rounds: most.and_then(|most| u32::try_from(most).ok()).unwrap_or(1),
            seed: 0,
            curve_rate: 0.0,
            curve_limit: Duration::ZERO,
            steady_load: "none".to_owned(),
            budgets: budgets.into_iter().map(of_latency).collect(),
            configurations: names.iter().map(|name| configuration(name)).collect(),
        }
    }
}

impl ImportedArtifact {
    /// The request of this artifact as a sample of a session.
    pub fn sample(&self) -> RecordedSample {
        RecordedSample::of_artifact(self)
    }
}

fn configuration(name: &str) -> Configuration {
    Configuration {
        name: name.to_owned(),
        hypothesis: String::new(),
        change: String::new(),
        size: String::new(),
    }
}

/// The names of the files: all of a few, and the number of many.
fn imported_from(files: &[String]) -> String {
    match files {
        [one] => one.clone(),
        [first, second] => format!("{first} and {second}"),
        [first, rest @ ..] => format!("{first} and {} more files", rest.len()),
        [] => "no file".to_owned(),
    }
}

/// The only base URL of the samples; `several targets` if there are more.
fn base_url(samples: &[RecordedSample]) -> String {
    let mut all: Vec<String> = samples.iter().filter_map(RecordedSample::base_url).collect();
    all.sort_unstable();
    all.dedup();
    match all.as_slice() {
        [] => "not recorded".to_owned(),
        [one] => one.clone(),
        _ => "several targets".to_owned(),
    }
}

/// The names of the configurations: those of spans in the order given, then others in the order of
/// time.
fn configuration_names(groups: &[AttemptGroup<'_>], ranges: &[ConfigurationRange]) -> Vec<String> {
    let in_groups = || groups.iter().map(|group| group.configuration.as_str());
    let of_span = |range: &ConfigurationRange| {
        let pages = format!("{}{TARGET_MARK}", range.name);
        let is_own = |group: &&str| *group == range.name || group.starts_with(&pages);
        in_groups().filter(is_own).collect::<Vec<_>>()
    };
    let mut names: Vec<String> = Vec::new();
    for name in ranges.iter().flat_map(of_span).chain(in_groups()) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// What separates the name of a configuration from that of a page, if there are several pages.
const TARGET_MARK: &str = " · ";
