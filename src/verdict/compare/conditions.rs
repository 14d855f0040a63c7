//! Differences between two runs, other than in their target, that make a comparison unfair.

use super::pairing::NamedRequest;
use crate::record::{
    BeforeAfter, PlannedRequest, PlannedScenario, RunEnding, RunRecord, plan_differences,
};

/// Returns one sentence per difference in the plans, in the measurement or in how a run ended.
pub(super) fn unlike(
    runs: BeforeAfter<&RunRecord>,
    pairs: &[BeforeAfter<NamedRequest<'_>>],
) -> Vec<String> {
    let mut differences = names(pairs);
    let started = runs.map(|record| record.provenance.started);
    if started.after < started.before {
        differences.push("the run after started before the run before".to_owned());
    }
    let mut scenarios: Vec<_> = pairs.iter().map(|pair| pair.map(|one| one.scenario)).collect();
    scenarios.dedup();
    for name in &scenarios {
        let plans = planned(runs, name);
        if let BeforeAfter { before: Some(one), after: Some(other) } = plans {
            let requests = pairs.iter().filter(|pair| pair.map(|one| one.scenario) == *name);
            let conditions = scenario_conditions(one, other).into_iter();
            let all = conditions.chain(requests.filter_map(|pair| asks_otherwise(plans, pair)));
            differences.extend(all.map(|what| format!("{}: {what}", name.before)));
        }
    }
    differences.extend(machines(runs));
    differences.extend(endings("before", runs.before));
    differences.extend(endings("after", runs.after));
    differences
}

/// Returns what makes the two sides of a duet unlike, one sentence per difference. Their base URLs
/// differ on purpose.
pub(super) fn unlike_sides(
    record: &RunRecord,
    pairs: &[BeforeAfter<NamedRequest<'_>>],
) -> Vec<String> {
    let shares = pairs.iter().filter_map(|pair| {
        let plans = BeforeAfter {
            before: record.planned(pair.before.scenario),
            after: record.planned(pair.after.scenario),
        };
        asks_otherwise(plans, pair)
    });
    shares.chain(endings("", record)).collect()
}

/// The pairs of different names.
fn names(pairs: &[BeforeAfter<NamedRequest<'_>>]) -> Vec<String> {
    let names = pairs.iter().map(|pair| pair.map(NamedRequest::display_name));
    let differing = names.filter(|names| names.before != names.after);
    differing
        .map(|names| format!("compared requests: {} before, {} after", names.before, names.after))
        .collect()
}

fn planned<'a>(
    runs: BeforeAfter<&'a RunRecord>,
    scenario: &BeforeAfter<&str>,
) -> BeforeAfter<Option<&'a PlannedScenario>> {
    BeforeAfter {
        before: runs.before.planned(scenario.before),
        after: runs.after.planned(scenario.after),
    }
}

fn scenario_conditions(one: &PlannedScenario, other: &PlannedScenario) -> Vec<String> {
    let mut differences: Vec<String> =
        plan_differences(one, other).into_iter().map(|what| format!("another {what}")).collect();
    let lacks = |one: &PlannedScenario, other: &PlannedScenario, which: &str| {
        let caveats = one.caveats.iter().filter(|caveat| !other.caveats.contains(caveat));
        let words = |caveat| format!("only the {which} run has this caveat: {caveat}");
        caveats.map(words).collect::<Vec<_>>()
    };
    differences.extend(lacks(one, other, "earlier"));
    differences.extend(lacks(other, one, "later"));
    differences
}

/// A difference in what a request sends or expects. Its budgets do not affect the measurement.
fn asks_otherwise(
    plans: BeforeAfter<Option<&PlannedScenario>>,
    pair: &BeforeAfter<NamedRequest<'_>>,
) -> Option<String> {
    let one = planned_request(plans.before?, pair.before)?;
    let other = planned_request(plans.after?, pair.after)?;
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

fn planned_request<'a>(
    plan: &'a PlannedScenario,
    request: NamedRequest<'_>,
) -> Option<&'a PlannedRequest> {
    plan.requests.iter().find(|planned| planned.name == request.measurement.name)
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
        // Each of its exchanges was measured like those of a complete run.
        RunEnding::Complete | RunEnding::SeenEnough => None,
        RunEnding::ProvenEarly(early) => Some(early.when()),
        RunEnding::SetupFailed(_) if run.has_measured() => {
            Some("was measured only in part: a setup step failed in some of its shards".to_owned())
        }
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
        .then(|| format!("lacks {unreleased} arrivals that did not reach the target"));
    let missing = run
        .sharing
        .as_ref()
        .map(|sharing| sharing.missing_shards().len())
        .filter(|missing| *missing > 0);
    let missing = missing.map(|missing| format!("lacks {missing} of its shards"));
    [ending, late, missing]
        .into_iter()
        .flatten()
        .map(|what| format!("the run {which} {what}").replace("  ", " "))
        .collect()
}
