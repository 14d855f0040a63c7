//! Whether one run can go on with the evidence of another.

use super::{PlannedDraw, PlannedRequest, PlannedScenario};
use crate::units::duration_literal;

/// How the plan of a run differs from that of an earlier one that it continues, one line per
/// difference; empty if the evidence of both can be combined.
///
/// The lengths of the loads may differ, and what does not change what is measured: files,
/// descriptions, caveats, connections in reserve, and what the gate makes of the verdict.
pub fn continuation_differences(
    earlier: &[PlannedScenario],
    plan: &[PlannedScenario],
) -> Vec<String> {
    let names = |plan: &[PlannedScenario]| {
        plan.iter().map(|scenario| format!("`{}`", scenario.name)).collect::<Vec<_>>().join(", ")
    };
    if names(earlier) != names(plan) {
        return vec![format!("scenarios: {} before, {} now", names(earlier), names(plan))];
    }
    let pairs = earlier.iter().zip(plan);
    pairs.flat_map(|(earlier, now)| scenario_differences(earlier, now)).collect()
}

fn scenario_differences(earlier: &PlannedScenario, now: &PlannedScenario) -> Vec<String> {
    let differ = |what: &str, value: &dyn Fn(&PlannedScenario) -> String| {
        let (before, now) = (value(earlier), value(now));
        (before != now).then(|| format!("{what} of `{}`: {before} before, {now} now", earlier.name))
    };
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
    let mut differences: Vec<_> = [
        differ("base URL", &|plan| plan.base_url.clone()),
        differ("load", &|plan| without_length(&plan.load)),
        differ("warm-up", &|plan| plan.warmup.clone()),
        differ("`stalls`", &|plan| {
            or_none(plan.stalls.map(|stalls| duration_literal(stalls.length)))
        }),
        differ("weights", &|plan| or_none(plan.draw.as_ref().map(PlannedDraw::words))),
        differ("steps", &|plan| {
            let steps = plan.requests.iter().filter(|request| request.hop_of.is_none());
            steps.map(|request| format!("`{}`", request.name)).collect::<Vec<_>>().join(", ")
        }),
    ]
    .into_iter()
    .flatten()
    .collect();
    if earlier.data != now.data {
        differences.push(format!("the data file of `{}`", earlier.name));
    }
    if (&earlier.setup, &earlier.teardown) != (&now.setup, &now.teardown) {
        differences.push(format!("the setup or teardown of `{}`", earlier.name));
    }
    let requests = earlier.requests.iter().zip(&now.requests);
    differences.extend(requests.flat_map(|(earlier, now)| request_differences(earlier, now)));
    differences
}

fn request_differences(earlier: &PlannedRequest, now: &PlannedRequest) -> Vec<String> {
    if earlier == now || earlier.name != now.name {
        return Vec::new();
    }
    let budgets = |request: &PlannedRequest| {
        request.budgets.iter().map(|budget| format!("`{budget}`")).collect::<Vec<_>>().join(", ")
    };
    let name = &earlier.name;
    let mut differences = Vec::new();
    if earlier.budgets != now.budgets {
        differences.push(format!(
            "budgets of `{name}`: {} before, {} now",
            budgets(earlier),
            budgets(now)
        ));
    }
    let parts = [
        ("request line", earlier.line == now.line),
        ("headers", earlier.headers == now.headers),
        ("expectations", earlier.expectations == now.expectations),
        ("terms", earlier.terms == now.terms && earlier.accepts == now.accepts),
    ];
    let changed = parts.into_iter().filter(|(_, is_same)| !is_same);
    differences.extend(changed.map(|(what, _)| format!("the {what} of `{name}`")));
    differences
}

/// A load in words without the length of its measured stage, as in `for 40s`.
pub fn without_length(load: &str) -> String {
    let parts = load.split(" for ").enumerate().map(|(at, part)| {
        let is_length = at > 0 && part.starts_with(|first: char| first.is_ascii_digit());
        match (at, is_length) {
            (0, _) => part.to_owned(),
            (_, true) => part.find(',').map_or("", |end| &part[end..]).to_owned(),
            (_, false) => format!(" for {part}"),
        }
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_compared_without_its_length() {
        for (load, without) in [
            (
                "open, 20/s constant for 40s, up to 16 connections",
                "open, 20/s constant, up to 16 connections",
            ),
            (
                "open, 20/s Poisson with seed 3 for 1m 30s, up to 16 connections",
                "open, 20/s Poisson with seed 3, up to 16 connections",
            ),
            (
                "open, 20/s constant for 40s, in batches every 1ms, up to 16 connections",
                "open, 20/s constant, in batches every 1ms, up to 16 connections",
            ),
            (
                "closed, 4 connections, a fresh one for each arrival for 3s, 9 arrivals",
                "closed, 4 connections, a fresh one for each arrival, 9 arrivals",
            ),
            ("closed, 4 connections for 3s", "closed, 4 connections"),
            (
                "open, from 5/s to 9/s over 3s, up to 2 connections",
                "open, from 5/s to 9/s over 3s, up to 2 connections",
            ),
        ] {
            assert_eq!(without_length(load), without);
        }
    }
}
