//! Finds the earlier run that a failed one can be compared with.

use std::collections::HashMap;
use std::path::Path;

use super::next_steps::shell_quote;
use crate::record::{Decision, RunRecord};
use crate::store::{self, FolderContent};

/// How many of the latest runs are searched, so that a full folder does not delay the verdict.
const SEARCHED: usize = 50;

/// For each scenario of a run, the command that compares the run with the latest earlier one in
/// `runs_dir` that has the scenario. A run in which the scenario passed is preferred. A scenario
/// without an earlier run has no command. If the folder cannot be read, no scenario has one.
pub(super) fn comparisons(run: &RunRecord, runs_dir: &Path) -> HashMap<String, String> {
    let folders = store::run_folders(runs_dir).unwrap_or_default();
    let name = run.name();
    let earlier = folders.iter().rev().filter(|folder| !folder.ends_with(&name)).take(SEARCHED);
    let mut found: HashMap<String, (Decision, String)> = HashMap::new();
    for folder in earlier {
        let is_settled = |scenario: &String| {
            found.get(scenario).is_some_and(|(decision, _)| *decision == Decision::Pass)
        };
        if run.plan.iter().all(|planned| is_settled(&planned.name)) {
            break;
        }
        let Ok(FolderContent::Complete(record)) = store::read_folder(folder) else { continue };
        for (scenario, decision) in comparable(run, &record) {
            let is_better = found
                .get(scenario)
                .is_none_or(|(known, _)| *known != Decision::Pass && decision == Decision::Pass);
            if is_better {
                found.insert(scenario.to_owned(), (decision, record.name()));
            }
        }
    }
    found
        .into_iter()
        .map(|(scenario, (_, earlier))| (scenario, command(&earlier, &name, runs_dir)))
        .collect()
}

/// The scenarios that both runs have with a request in common, and their decisions in the earlier
/// one. A run that was cut off is not compared.
fn comparable<'a>(
    run: &'a RunRecord,
    earlier: &'a RunRecord,
) -> impl Iterator<Item = (&'a str, Decision)> {
    let is_whole = earlier.measurement.ending.is_planned()
        && earlier.provenance.started < run.provenance.started;
    let planned = run.plan.iter().filter(move |_| is_whole);
    planned.filter_map(|planned| {
        let known = earlier.planned(&planned.name)?;
        let has = |request: &str| known.requests.iter().any(|known| known.name == request);
        planned.requests.iter().any(|request| has(&request.name)).then_some(())?;
        let mut verdicts = earlier.verdict.scenarios.iter();
        let verdict = verdicts.find(|verdict| verdict.scenario == planned.name)?;
        Some((planned.name.as_str(), verdict.decision))
    })
}

fn command(earlier: &str, run: &str, runs_dir: &Path) -> String {
    let command = format!("tollgate compare {earlier} {run}");
    if runs_dir == Path::new(super::source::DEFAULT_RUNS_DIR) {
        return command;
    }
    format!("{command} --runs-dir {}", shell_quote(&runs_dir.to_string_lossy()))
}
