//! `--baseline`: the earlier run that a run is compared with.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::exit::CommandError;
use super::run_selector;
use super::source::RunSource;
use super::tags;
use crate::plan::{Plan, ScenarioPlan};
use crate::postgres::DatabaseAddress;
use crate::record::{
    BlockFigures, Comparison, Decision, ENVIRONMENT_TAG, QuantileChange, RequestComparison,
    RunRecord,
};
use crate::units::{Quantile, duration_literal};
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
    /// name that `compare` accepts, `last-pass` (the newest comparable run of the same
    /// environment that passed) or `tag:KEY=VALUE` (the newest comparable run with this tag)
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

    /// Finds the baseline of a plan before anything is sent; `None` if none is named. `environment`
    /// is that of the run, if it has one.
    pub(super) fn find(
        &self,
        plan: &Plan,
        (runs_dir, environment): (&Path, Option<&String>),
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
        let name = baseline_name(&source, named, plan, environment)?;
        let record = Box::new(source.timed_record(&name)?);
        let baseline = RunBaseline {
            record,
            settings: ComparisonSettings { name: None, bounds_all_figures: self.fail_if_slower },
        };
        let planned = baseline.planned_comparison(plan);
        baseline.check_common_requests(&planned)?;
        if self.fail_if_slower {
            baseline.warn_of_shortfalls(&planned, plan);
        }
        Ok(Some(baseline))
    }
}

/// The name of the run that the value of `--baseline` means.
fn baseline_name(
    source: &RunSource,
    named: &str,
    plan: &Plan,
    environment: Option<&String>,
) -> Result<PathBuf, CommandError> {
    let scenarios: Vec<&str> =
        plan.scenarios.iter().map(|scenario| scenario.shown.name.as_str()).collect();
    if named == LAST_PASS {
        let what = match environment {
            Some(name) => format!("that passed in the environment `{name}`"),
            None => "that passed without an environment".to_owned(),
        };
        return run_selector::newest_comparable(source, &scenarios, &what, |run| {
            run.decision == Decision::Pass && run.tags.get(ENVIRONMENT_TAG) == environment
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

    /// The comparison with a run of the plan that has measured nothing yet.
    fn planned_comparison(&self, plan: &Plan) -> Comparison {
        self.compare(&RunRecord {
            plan: plan.scenarios.iter().map(|scenario| scenario.shown.clone()).collect(),
            measurement: plan.empty_measurement(),
            ..(*self.record).clone()
        })
    }

    /// Warns of each scenario that will be too short to be compared. Sending it all the same may
    /// still show that its budgets do not hold.
    fn warn_of_shortfalls(&self, planned: &Comparison, plan: &Plan) {
        for scenario in &plan.scenarios {
            let name = &scenario.shown.name;
            let mut compared = planned.requests.iter().filter(|request| {
                request.compared_with.as_ref().map_or(&request.scenario, |with| &with.scenario)
                    == name
            });
            let found = compared.find_map(|request| {
                self.own_shortfall(request)
                    .or_else(|| shortfall(scenario, self.needed_for(request)))
            });
            if let Some(why) = found {
                tracing::warn!(
                    "WARNING: {name}: {why}. Unless something else fails, --fail-if-slower will \
                     probably end with 3."
                );
            }
        }
    }

    /// The measured time that a request needs, if its latencies are still correlated for as long as
    /// in the baseline.
    fn needed_for(&self, request: &RequestComparison) -> Duration {
        let least = BlockFigures::needed_for(BlockFigures::LEAST_TOGETHER);
        self.blocks_of(request).map_or(least, |blocks| blocks.needed().max(least))
    }

    /// Why nothing can be compared with the baseline's own figures of a request.
    fn own_shortfall(&self, request: &RequestComparison) -> Option<String> {
        let is_enough = |blocks: &BlockFigures| blocks.without.len() >= BlockFigures::FEWEST_BLOCKS;
        if self.blocks_of(request).is_some_and(is_enough) {
            return None;
        }
        let baseline = self.record.name();
        Some(match self.blocks_of(request) {
            Some(blocks) => format!(
                "the baseline {baseline} measured {}, and a comparison needs {}: name a longer run",
                duration_literal(blocks.measured),
                duration_literal(self.needed_for(request))
            ),
            None => format!(
                "the figures of the baseline {baseline} are not known by time: name a run that \
                 still has its intervals"
            ),
        })
    }

    fn blocks_of(&self, request: &RequestComparison) -> Option<&BlockFigures> {
        let mut scenarios = self.record.measurement.scenarios.iter();
        let scenario = scenarios.find(|scenario| scenario.name == request.scenario)?;
        let mut requests = scenario.requests.iter();
        requests.find(|one| one.name == request.request)?.blocks.as_ref()
    }

    /// Refuses a baseline that has nothing to compare with the plan.
    fn check_common_requests(&self, planned: &Comparison) -> Result<(), CommandError> {
        if !planned.requests.is_empty() {
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

/// Warns that a duet will be too short to be decided.
pub(super) fn warn_of_short_duet(plan: &Plan) {
    let needed = BlockFigures::needed_for(BlockFigures::LEAST_TOGETHER);
    // Both sides lack the same.
    if let Some(why) = plan.scenarios.iter().find_map(|side| shortfall(side, needed)) {
        tracing::warn!("WARNING: {why}. Unless something else fails, the duet will end with 3.");
    }
}

/// What a planned scenario lacks to be compared, in a clause; `None` if it lacks nothing that is
/// known before it runs.
fn shortfall(scenario: &ScenarioPlan, needed: Duration) -> Option<String> {
    let measured = scenario.load.duration();
    let fewest = QuantileChange::exchanges_for(Quantile::P50);
    if measured < needed {
        return Some(format!(
            "too short to compare: {} are planned, and {} are needed; measure for longer",
            duration_literal(measured),
            duration_literal(needed)
        ));
    }
    let arrivals = scenario.load.arrivals().filter(|&arrivals| arrivals < fewest)?;
    Some(format!(
        "too few requests to compare: {arrivals} are planned, and the p50 needs {fewest} a side; \
         raise the rate or the duration"
    ))
}
