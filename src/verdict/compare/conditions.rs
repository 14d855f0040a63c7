//! Differences between two runs, other than in their target, that make a comparison unfair.

use crate::record::{
    BeforeAfter, PlannedRequest, PlannedScenario, RequestComparison, RunEnding, RunRecord,
    plan_differences,
};

/// Returns one sentence per difference in the plans, in the measurement or in how a run ended.
pub(super) fn unlike(runs: BeforeAfter<&RunRecord>, requests: &[RequestComparison]) -> Vec<String> {
    let mut differences = Vec::new();
    let mut scenarios: Vec<&str> =
        requests.iter().map(|request| request.scenario.as_str()).collect();
    scenarios.dedup();
    for name in scenarios {
        if let (Some(one), Some(other)) = (runs.before.planned(name), runs.after.planned(name)) {
            differences.extend(plans(one, other).into_iter().map(|what| format!("{name}: {what}")));
        }
    }
    differences.extend(machines(runs));
    differences.extend(endings("before", runs.before));
    differences.extend(endings("after", runs.after));
    differences
}

fn plans(one: &PlannedScenario, other: &PlannedScenario) -> Vec<String> {
    let mut differences: Vec<String> =
        plan_differences(one, other).into_iter().map(|what| format!("another {what}")).collect();
    let lacks = |one: &PlannedScenario, other: &PlannedScenario, which: &str| {
        let caveats = one.caveats.iter().filter(|caveat| !other.caveats.contains(caveat));
        caveats.map(|caveat| format!("only the run {which} says: {caveat}")).collect::<Vec<_>>()
    };
    differences.extend(lacks(one, other, "before"));
    differences.extend(lacks(other, one, "after"));
    for request in &one.requests {
        let same = other.requests.iter().find(|same| same.name == request.name);
        differences.extend(same.and_then(|same| asks_otherwise(request, same)));
    }
    differences
}

/// A difference in what a request sends or expects. Its budgets do not affect the measurement.
fn asks_otherwise(one: &PlannedRequest, other: &PlannedRequest) -> Option<String> {
    let name = &one.name;
    if one.line != other.line {
        return Some(format!("`{name}` requests {} before, {} after", one.line, other.line));
    }
    let (headers, expectations) =
        (one.headers != other.headers, one.expectations != other.expectations);
    match (headers, expectations) {
        (true, _) => Some(format!("`{name}` sends different headers")),
        (_, true) => Some(format!("`{name}` has different expectations")),
        _ => None,
    }
}

fn machines(runs: BeforeAfter<&RunRecord>) -> Vec<String> {
    let from = runs.map(|record| &record.provenance);
    let shards = runs
        .map(|record| record.measurement.sharing.as_ref().map_or(1, |sharing| sharing.parts.len()));
    let differing = [
        ("measured on different machines", from.map(|from| from.host.name.clone())),
        ("measured with different versions of tollgate", from.map(|from| from.tollgate.clone())),
        ("measured from different numbers of machines", shards.map(ToString::to_string)),
    ];
    let differing = differing.into_iter().filter(|(_, sides)| sides.before != sides.after);
    differing
        .map(|(what, sides)| format!("{what}: {} before, {} after", sides.before, sides.after))
        .collect()
}

fn endings(which: &str, record: &RunRecord) -> Vec<String> {
    let run = &record.measurement;
    let ending = match &run.ending {
        RunEnding::Complete => None,
        RunEnding::SetupFailed(_) => Some("was not measured: a setup step failed".to_owned()),
        RunEnding::Interrupted => Some("was interrupted".to_owned()),
        RunEnding::TargetDown(why) => Some(format!("stopped because its target was down: {why}")),
        RunEnding::Recovered => {
            Some("was cut off and recovered as far as it was written".to_owned())
        }
        RunEnding::Imported(untold) => {
            Some(format!("was imported from another tool's files: {untold}"))
        }
    };
    let unreleased: u64 = run.scenarios.iter().map(|scenario| scenario.unreleased).sum();
    let late = (unreleased > 0)
        .then(|| format!("lacks {unreleased} arrivals that the prober never released"));
    let missing = run
        .sharing
        .as_ref()
        .map(|sharing| sharing.missing_shards().len())
        .filter(|missing| *missing > 0);
    let missing = missing.map(|missing| format!("lacks {missing} of its shards"));
    [ending, late, missing]
        .into_iter()
        .flatten()
        .map(|what| format!("the run {which} {what}"))
        .collect()
}
