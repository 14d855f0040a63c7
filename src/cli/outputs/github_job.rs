//! What a job of GitHub Actions shows by itself: the step summary, and annotations.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::super::log;
use super::{FinishedRun, HEADING, OutputArtifact, OutputError, RunOutput, variable};
use crate::record::RunRecord;
use crate::report::{self, FindingSubject, STEP_SUMMARY_LIMIT, SourceLine};
use crate::scenario::Scenario;
use crate::store;

/// Which CI system runs the command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum CiSystem {
    /// GitHub Actions if `GITHUB_ACTIONS` is `true`, else none
    #[default]
    Auto,
    /// GitHub Actions: a step summary, and annotations
    Github,
    /// None
    None,
}

/// Whether a CI system is served.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
pub(in crate::cli) struct Flags {
    /// The CI system to serve with its own kinds of report
    #[arg(long, value_enum, value_name = "SYSTEM", default_value = "auto", help_heading = HEADING)]
    ci: CiSystem,
}

impl Flags {
    /// What GitHub Actions shows; `None` if another system or none runs the command.
    pub(super) fn output(&self) -> Option<Box<dyn RunOutput>> {
        let is_github = match self.ci {
            CiSystem::Auto => log::is_github_job(),
            CiSystem::Github => true,
            CiSystem::None => false,
        };
        let job = || GithubJob {
            summary: variable("GITHUB_STEP_SUMMARY").map(PathBuf::from),
            workspace: variable("GITHUB_WORKSPACE").map(PathBuf::from),
        };
        is_github.then(|| Box::new(job()) as Box<dyn RunOutput>)
    }
}

/// A job of GitHub Actions.
struct GithubJob {
    /// The file whose markdown the job's page shows.
    summary: Option<PathBuf>,
    /// The root of the repository.
    workspace: Option<PathBuf>,
}

impl RunOutput for GithubJob {
    fn write(&self, run: &FinishedRun) -> Result<Vec<OutputArtifact>, OutputError> {
        let mut places = SourcePlaces::new(&run.record, self.workspace.as_deref());
        let (model, ci) = (run.model()?, run.ci());
        for annotation in report::annotations(model, &ci) {
            let place = annotation.subject.as_ref().and_then(|subject| places.of(subject));
            log::workflow_command(&annotation.command(place.as_ref()));
        }
        let Some(path) = &self.summary else { return Ok(Vec::new()) };
        let used = fs::metadata(path).map_or(0, |file| file.len());
        let used = usize::try_from(used).unwrap_or(usize::MAX);
        // An entry is preceded by an empty line.
        let room = STEP_SUMMARY_LIMIT.saturating_sub(used).saturating_sub(2);
        let text = report::short_markdown(model, &ci, room);
        let added = if text.is_empty() {
            Err("earlier entries fill what GitHub shows".to_owned())
        } else {
            store::append_entry(path, &text).map_err(|error| error.to_string())
        };
        added.map_err(|why| {
            let message = format!("no step summary: {why}");
            tracing::warn!("WARNING: {message}");
            OutputError { message, keeps_verdict: true }
        })?;
        Ok(vec![OutputArtifact::Elsewhere("Added a step summary".to_owned())])
    }
}

/// Where the budgets of a run are written.
struct SourcePlaces<'a> {
    record: &'a RunRecord,
    workspace: Option<PathBuf>,
    /// Scenario files that were read, by path.
    scenarios: BTreeMap<&'a str, Option<Scenario>>,
}

impl<'a> SourcePlaces<'a> {
    fn new(record: &'a RunRecord, workspace: Option<&Path>) -> Self {
        let workspace = workspace.and_then(|path| path.canonicalize().ok());
        Self { record, workspace, scenarios: BTreeMap::new() }
    }

    /// The file of a scenario, and the line of a budget; `None` if the file is not in the
    /// repository.
    fn of(&mut self, subject: &FindingSubject) -> Option<SourceLine> {
        let source = self.record.planned(&subject.scenario)?.source.as_str();
        let file = Path::new(source).canonicalize().ok()?;
        let file = file.strip_prefix(self.workspace.as_ref()?).ok()?.to_str()?.to_owned();
        let read = || Scenario::read(Path::new(source)).ok();
        let scenario = self.scenarios.entry(source).or_insert_with(read).as_ref();
        let line = scenario.zip(subject.budget.as_ref());
        let line = line.and_then(|(file, (request, budget))| file.budget_line(request, budget));
        Some(SourceLine { file, line })
    }
}
