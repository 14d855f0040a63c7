//! Finds the runs that `compare` and `show` mean: by name, by deploy, or by order of start.

use std::path::{Path, PathBuf};

use super::exit::CommandError;
use super::source::RunSource;
use crate::history::{self, DEPLOY_TAG, ENVIRONMENT_TAG, HistoryFilter};
use crate::record::{BeforeAfter, RunRecord, RunSummary};

/// The word for the run that started last.
pub(super) const LATEST: &str = "latest";

/// The word for the comparable run before another.
const PREVIOUS: &str = "previous";

/// The name of a run. `latest` becomes the name of the run that started last, and `previous` that
/// of the comparable run before it. A folder of such a name is written `./latest`.
pub(super) fn resolve_name(source: &RunSource, run: &Path) -> Result<PathBuf, CommandError> {
    let RunChoice::ByOrder(choice) = RunChoice::of(run) else { return Ok(run.to_owned()) };
    let runs = RunList::read(source)?;
    Ok(runs.summary(source, choice, None)?.name().into())
}

/// The name of the newest run that is wanted and measured one of these scenarios. `what` describes
/// such a run in an error.
pub(super) fn newest_comparable(
    source: &RunSource,
    scenarios: &[&str],
    what: &str,
    is_wanted: impl Fn(&RunSummary) -> bool,
) -> Result<PathBuf, CommandError> {
    let runs = RunList::read(source)?;
    let has_measured = |run: &RunSummary| {
        let mut measured = run.requests.iter().filter(|request| request.exchanges > 0);
        measured.any(|request| scenarios.contains(&request.scenario.as_str()))
    };
    let newest = runs.runs.iter().rev().find(|run| has_measured(run) && is_wanted(run));
    newest.map(|run| run.name().into()).ok_or_else(|| {
        CommandError::usage(format!(
            "error: there is no finished run of {} {what} {}\n\
             leave out --baseline until there is one; `tollgate history` lists the runs there",
            scenarios.join(" or "),
            source.describe()
        ))
    })
}

/// The two runs that the words and deploys of a command line name.
///
/// - Two words, or one word and one deploy, or two deploys: in this order.
/// - One word: that run and the latest one.
/// - One deploy: the newest comparable run of any other deploy before it, and its newest run.
/// - Nothing: the previous run and the latest one.
pub(super) fn select_two(
    source: &RunSource,
    runs: &[impl AsRef<Path>],
    deploys: &[String],
) -> Result<BeforeAfter<RunRecord>, CommandError> {
    use OrderedRun::{BeforeDeploy, Deploy, Latest, Previous};
    use RunChoice::ByOrder;
    let words: Vec<&Path> = runs.iter().map(AsRef::as_ref).collect();
    let (before, after) = match (words.as_slice(), deploys) {
        ([], []) => (ByOrder(Previous), ByOrder(Latest)),
        ([], [deploy]) => (ByOrder(BeforeDeploy(deploy)), ByOrder(Deploy(deploy))),
        ([], [before, after]) => (ByOrder(Deploy(before)), ByOrder(Deploy(after))),
        ([run], []) => (RunChoice::of(run), ByOrder(Latest)),
        ([run], [deploy]) => (RunChoice::of(run), ByOrder(Deploy(deploy))),
        ([before, after], []) => (RunChoice::of(before), RunChoice::of(after)),
        _ => {
            return Err(CommandError::usage(
                "error: a comparison has two sides: name two runs, two deploys, or one of each",
            ));
        }
    };
    let is_chosen_by_order = [before, after].iter().any(|side| matches!(side, ByOrder(_)));
    let list = if is_chosen_by_order { RunList::read(source)? } else { RunList::default() };
    let after = list.record(source, after, None)?;
    let before = list.record(source, before, Some(&after))?;
    if before.id == after.id && is_chosen_by_order {
        // A gate that compares a run with itself would always pass.
        return Err(CommandError::usage(format!(
            "error: both sides are the run {}: name an earlier run, or `previous`",
            after.name()
        )));
    }
    Ok(BeforeAfter { before, after })
}

/// Whether none of these words names a run: each chooses one by the order of their starts.
pub(super) fn are_by_order(runs: &[PathBuf]) -> bool {
    runs.iter().all(|run| matches!(RunChoice::of(run), RunChoice::ByOrder(_)))
}

/// One side of a comparison.
#[derive(Debug, Clone, Copy)]
enum RunChoice<'a> {
    /// Any name that [`RunSource::timed_record`] accepts.
    Named(&'a Path),
    /// A run chosen by its position among all runs, which requires their list.
    ByOrder(OrderedRun<'a>),
}

/// A place in the list of all runs.
#[derive(Debug, Clone, Copy)]
enum OrderedRun<'a> {
    /// The run that started last.
    Latest,
    /// The comparable run before the other side.
    Previous,
    /// The newest run of a deploy.
    Deploy(&'a str),
    /// The comparable run before the other side that is not of this deploy.
    BeforeDeploy(&'a str),
}

impl<'a> RunChoice<'a> {
    fn of(word: &'a Path) -> Self {
        match word.to_str() {
            Some(LATEST) => Self::ByOrder(OrderedRun::Latest),
            Some(PREVIOUS) => Self::ByOrder(OrderedRun::Previous),
            _ => Self::Named(word),
        }
    }
}

/// The finished runs, oldest first, without the shards of merged runs.
#[derive(Debug, Default)]
struct RunList {
    runs: Vec<RunSummary>,
}

impl RunList {
    fn read(source: &RunSource) -> Result<Self, CommandError> {
        let (runs, _) = history::count_once(source.summaries(&HistoryFilter::default())?);
        Ok(Self { runs })
    }

    /// The record of one side. `after` is the other side's, if it is known.
    fn record(
        &self,
        source: &RunSource,
        choice: RunChoice<'_>,
        after: Option<&RunRecord>,
    ) -> Result<RunRecord, CommandError> {
        let choice = match choice {
            RunChoice::Named(run) => return source.timed_record(run),
            RunChoice::ByOrder(choice) => choice,
        };
        let after = after.map(RunSummary::of);
        let chosen = self.summary(source, choice, after.as_ref())?;
        source.timed_record(Path::new(&chosen.name()))
    }

    /// The run that a choice means. Without `after`, `previous` is the run before the latest.
    fn summary<'a>(
        &'a self,
        source: &RunSource,
        choice: OrderedRun<'_>,
        after: Option<&'a RunSummary>,
    ) -> Result<&'a RunSummary, CommandError> {
        let latest = || self.newest(source, |_| true, "no finished run");
        let after = || after.map_or_else(latest, Ok);
        match choice {
            OrderedRun::Previous => self.previous(source, after()?, |_| true),
            OrderedRun::BeforeDeploy(deploy) => {
                self.previous(source, after()?, |run| !is_of_deploy(run, deploy))
            }
            OrderedRun::Deploy(deploy) => {
                let what = format!("no finished run of the deploy `{deploy}`");
                self.newest(source, |run| is_of_deploy(run, deploy), &what)
            }
            OrderedRun::Latest => latest(),
        }
    }

    fn newest(
        &self,
        source: &RunSource,
        is_wanted: impl Fn(&RunSummary) -> bool,
        nothing: &str,
    ) -> Result<&RunSummary, CommandError> {
        let found = self.runs.iter().rev().find(|run| is_wanted(run));
        found.ok_or_else(|| missing(source, nothing))
    }

    /// The newest wanted run before another. Runs that measured one of its scenarios come first,
    /// above all those of the same environment.
    fn previous(
        &self,
        source: &RunSource,
        after: &RunSummary,
        is_wanted: impl Fn(&RunSummary) -> bool,
    ) -> Result<&RunSummary, CommandError> {
        let is_earlier = |run: &&RunSummary| (run.started, run.id) < (after.started, after.id);
        let earlier: Vec<_> = self.runs.iter().filter(is_earlier).collect();
        let wanted = || earlier.iter().rev().copied().filter(|run| is_wanted(run));
        let measured = || wanted().filter(|run| has_measured_scenario_of(run, after));
        let environment = after.tags.get(ENVIRONMENT_TAG);
        let found = measured()
            .find(|run| run.tags.get(ENVIRONMENT_TAG) == environment)
            .or_else(|| measured().next())
            .or_else(|| wanted().next());
        found.ok_or_else(|| missing(source, &format!("no such run before {}", after.name())))
    }
}

fn is_of_deploy(run: &RunSummary, deploy: &str) -> bool {
    run.tags.get(DEPLOY_TAG).is_some_and(|tag| tag == deploy)
}

/// Whether a run has exchanges of a scenario that the other run has too. A run whose setup failed
/// has none, so nothing can be compared with it.
fn has_measured_scenario_of(run: &RunSummary, other: &RunSummary) -> bool {
    let mut measured = run.requests.iter().filter(|request| request.exchanges > 0);
    measured.any(|request| other.requests.iter().any(|same| same.scenario == request.scenario))
}

fn missing(source: &RunSource, what: &str) -> CommandError {
    CommandError::usage(format!(
        "error: there is {what} {}\n`tollgate history` lists the runs there",
        source.describe()
    ))
}
