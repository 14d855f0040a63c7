//! What two runs differ in beside their target's doing, so that a comparison of them is unfair.

use crate::record::{
    Ending, PlannedRequest, PlannedScenario, RequestComparison, RunRecord, Sides, told_differences,
};

/// What makes a comparison unfair, one sentence each: what was planned otherwise, and how a run ended or was measured.
pub(super) fn unlike(runs: Sides<&RunRecord>, requests: &[RequestComparison]) -> Vec<String> {
    let mut told = Vec::new();
    let mut scenarios: Vec<&str> =
        requests.iter().map(|request| request.scenario.as_str()).collect();
    scenarios.dedup();
    for name in scenarios {
        if let (Some(one), Some(other)) = (runs.before.planned(name), runs.after.planned(name)) {
            told.extend(plans(one, other).into_iter().map(|what| format!("{name}: {what}")));
        }
    }
    told.extend(machines(runs));
    told.extend(endings("before", runs.before));
    told.extend(endings("after", runs.after));
    told
}

fn plans(one: &PlannedScenario, other: &PlannedScenario) -> Vec<String> {
    let mut told: Vec<String> =
        told_differences(one, other).into_iter().map(|what| format!("another {what}")).collect();
    let lacks = |one: &PlannedScenario, other: &PlannedScenario, which: &str| {
        let caveats = one.caveats.iter().filter(|caveat| !other.caveats.contains(caveat));
        caveats.map(|caveat| format!("only the run {which} says: {caveat}")).collect::<Vec<_>>()
    };
    told.extend(lacks(one, other, "before"));
    told.extend(lacks(other, one, "after"));
    for request in &one.requests {
        let same = other.requests.iter().find(|same| same.name == request.name);
        told.extend(same.and_then(|same| asks_otherwise(request, same)));
    }
    told
}

/// What a request sends or expects otherwise; its budgets do not matter to what is measured.
fn asks_otherwise(one: &PlannedRequest, other: &PlannedRequest) -> Option<String> {
    let name = &one.name;
    if one.line != other.line {
        return Some(format!("`{name}` asks for {}, and {}", one.line, other.line));
    }
    let (headers, expectations) =
        (one.headers != other.headers, one.expectations != other.expectations);
    match (headers, expectations) {
        (true, _) => Some(format!("`{name}` sends other headers")),
        (_, true) => Some(format!("`{name}` expects something else of its answers")),
        _ => None,
    }
}

fn machines(runs: Sides<&RunRecord>) -> Vec<String> {
    let from = runs.map(|record| &record.provenance);
    let shards = runs
        .map(|record| record.measurement.sharing.as_ref().map_or(1, |sharing| sharing.parts.len()));
    let differing = [
        ("measured on other machines", from.map(|from| from.host.name.clone())),
        ("measured by other versions of tollgate", from.map(|from| from.tollgate.clone())),
        ("measured by other numbers of machines", shards.map(ToString::to_string)),
    ];
    let differing = differing.into_iter().filter(|(_, sides)| sides.before != sides.after);
    differing
        .map(|(what, sides)| format!("{what}: {}, and {}", sides.before, sides.after))
        .collect()
}

fn endings(which: &str, record: &RunRecord) -> Vec<String> {
    let run = &record.measurement;
    let ending = match &run.ending {
        Ending::Complete => None,
        Ending::Interrupted => Some("was interrupted".to_owned()),
        Ending::TargetDown(why) => Some(format!("was stopped, as its target was down: {why}")),
        Ending::Recovered => Some("was cut off, and recovered as far as it was written".to_owned()),
        Ending::Imported(untold) => {
            Some(format!("was imported from another tool's files: {untold}"))
        }
    };
    let unreleased: u64 = run.scenarios.iter().map(|scenario| scenario.unreleased).sum();
    let late = (unreleased > 0)
        .then(|| format!("lacks {unreleased} arrivals that the prober never released"));
    let missing =
        run.sharing.as_ref().map(|sharing| sharing.missing().len()).filter(|missing| *missing > 0);
    let missing = missing.map(|missing| format!("lacks {missing} of its shards"));
    [ending, late, missing]
        .into_iter()
        .flatten()
        .map(|what| format!("the run {which} {what}"))
        .collect()
}
