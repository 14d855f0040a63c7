//! `--baseline`: the earlier run that a run is compared with.

use std::path::{Path, PathBuf};

use super::exit::CommandError;
use super::run_selector;
use super::source::RunSource;
use super::tags;
use crate::plan::Plan;
use crate::postgres::DatabaseAddress;
use crate::record::{Comparison, Decision, RunRecord};
use crate::verdict::{self, ComparisonSettings};

/// The word for the newest comparable run that passed.
const LAST_PASS: &str = "last-pass";

/// The prefix of a tag.
const TAG: &str = "tag:";

/// Which run is the baseline, and whether a slower run fails.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Baseline")]
#[group(skip)]
pub(super) struct Flags {
    /// Compare the run with an earlier one, and show the result below the verdict: a run by any
    /// name that `compare` accepts, `last-pass` (the newest comparable run that passed) or
    /// `tag:KEY=VALUE` (the newest comparable run with this tag)
    #[arg(long, value_name = "RUN")]
    baseline: Option<String>,
    /// Exit with 1 if the run is slower than its baseline or fails more often, and with 3 if that
    /// is undecided
    #[arg(long)]
    fail_if_slower: bool,
}

/// The run to compare with.
pub(super) struct RunBaseline {
    record: Box<RunRecord>,
    settings: ComparisonSettings,
}

impl Flags {
    /// Whether one of the flags is given.
    pub(super) fn is_given(&self) -> bool {
        self.baseline.is_some() || self.fail_if_slower
    }

    /// Finds the baseline of a plan before anything is sent; `None` if none is named.
    pub(super) fn find(
        &self,
        plan: &Plan,
        runs_dir: &Path,
        database: Option<DatabaseAddress>,
    ) -> Result<Option<RunBaseline>, CommandError> {
        let Some(named) = &self.baseline else {
            return if self.fail_if_slower {
                Err(CommandError::usage(
                    "error: --fail-if-slower needs a run to compare with: add --baseline, such as \
                     `--baseline last-pass`",
                ))
            } else {
                Ok(None)
            };
        };
        let source = RunSource::new(Some(runs_dir.to_owned()), database);
        let name = baseline_name(&source, named, plan)?;
        let record = Box::new(source.timed_record(&name)?);
        let baseline = RunBaseline {
            record,
            settings: ComparisonSettings { name: None, bounds_all_figures: self.fail_if_slower },
        };
        baseline.check_common_requests(plan)?;
        Ok(Some(baseline))
    }
}

/// The name of the run that the value of `--baseline` means.
fn baseline_name(source: &RunSource, named: &str, plan: &Plan) -> Result<PathBuf, CommandError> {
    let scenarios: Vec<&str> =
        plan.scenarios.iter().map(|scenario| scenario.shown.name.as_str()).collect();
    if named == LAST_PASS {
        return run_selector::newest_comparable(source, &scenarios, "that passed", |run| {
            run.decision == Decision::Pass
        });
    }
    if named.contains('=') && !named.starts_with(TAG) && !Path::new(named).exists() {
        return Err(CommandError::usage(format!(
            "error: --baseline: there is no run `{named}`; for a run with this tag write \
             `tag:{named}`"
        )));
    }
    if let Some(tag) = named.strip_prefix(TAG) {
        let (key, value) = tags::parse(tag).map_err(|why| {
            CommandError::usage(format!("error: --baseline: {why}, after `tag:`"))
        })?;
        let what = format!("with the tag `{key}={value}`");
        return run_selector::newest_comparable(source, &scenarios, &what, |run| {
            run.tags.get(&key) == Some(&value)
        });
    }
    run_selector::resolve_name(source, Path::new(named))
}

impl RunBaseline {
    /// What changed since the baseline.
    pub(super) fn compare(&self, run: &RunRecord) -> Comparison {
        verdict::compare(&self.record, run, &self.settings)
    }

    /// Refuses a baseline that has nothing to compare with the plan.
    fn check_common_requests(&self, plan: &Plan) -> Result<(), CommandError> {
        let planned = RunRecord {
            plan: plan.scenarios.iter().map(|scenario| scenario.shown.clone()).collect(),
            measurement: plan.empty_measurement(),
            ..(*self.record).clone()
        };
        if !self.compare(&planned).requests.is_empty() {
            return Ok(());
        }
        Err(CommandError::usage(format!(
            "error: the baseline {} has no request in common with this run, so there is nothing to \
             compare\n\
             requests are paired by name: give both the same name (for a URL, `--name` sets it)",
            self.record.name()
        )))
    }
}
