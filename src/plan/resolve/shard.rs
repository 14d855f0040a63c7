//! Checks that a run can be split across several probers.

use super::template_filler::TemplateFiller;
use crate::plan::schedule::Shard;
use crate::scenario::{LoadModel, LoadShape, Scenario, Span};

/// Reports a scenario that cannot be split across probers, with the reason.
pub(super) fn look_at(scenario: &Scenario, shard: Shard, filler: &mut TemplateFiller<'_>) {
    let obstacles = [without_schedule(scenario), repeated(scenario), too_few(scenario, shard)];
    for ShardObstacle { at, problem, remedy } in obstacles.into_iter().flatten() {
        filler.report::<()>(&at, problem, remedy);
    }
}

/// Why a scenario cannot be split.
struct ShardObstacle {
    at: Span,
    problem: String,
    remedy: String,
}

fn without_schedule(scenario: &Scenario) -> Option<ShardObstacle> {
    let problem = match scenario.load.model {
        LoadModel::Once => "a single arrival cannot be split across several machines",
        LoadModel::Closed { .. } => {
            "a closed load cannot be split across several machines: it has no schedule to split"
        }
        LoadModel::Constant { .. } | LoadModel::Ramping { .. } => return None,
    };
    let remedy = "write `arrival_rate`, or run it on one machine".to_owned();
    Some(ShardObstacle { at: scenario.file.load.key_span(), problem: problem.to_owned(), remedy })
}

fn repeated(scenario: &Scenario) -> Option<ShardObstacle> {
    let at = scenario.file.load.value()?.every.value_span();
    scenario.load.every.map(|_| ShardObstacle {
        at,
        problem: "a repeated run cannot be split across several machines".to_owned(),
        remedy: "remove `every` or `--shard`".to_owned(),
    })
}

fn too_few(scenario: &Scenario, shard: Shard) -> Option<ShardObstacle> {
    let LoadShape { connections, fresh, .. } = scenario.load;
    let of = shard.of;
    (without_schedule(scenario).is_none() && connections < shard.of).then(|| ShardObstacle {
        at: scenario.file.load.key_span(),
        problem: format!(
            "{connections} connections cannot be split across {of} machines: each needs one"
        ),
        remedy: format!(
            "write `{} = {of}` or more",
            if fresh { "max_connections" } else { "connections" }
        ),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use time::macros::datetime;

    use super::*;
    use crate::plan::{Environment, Plan, PlanOverrides, ShardPlan};

    /// The plan of one shard of a scenario with this load, or the errors.
    fn plan(load: &str, shard: Shard) -> Result<Plan, String> {
        let text = format!(
            "name = \"s\"\nbudgets = [\"errors = 0\"]\n[target]\nbase_url = \"http://localhost\"\n\
             [[request]]\nname = \"a\"\npath = \"/\"\n[load]\n{load}\n"
        );
        let scenario = Scenario::parse("s.toml", &text).unwrap();
        let part = Some(ShardPlan { shard, start: datetime!(2026-11-24 15:00 UTC), clock: None });
        let overrides = PlanOverrides { shard_plan: part, ..PlanOverrides::default() };
        let resolved = Plan::resolve(&[scenario], &Environment::new([]), &overrides);
        resolved.map(|(plan, _)| plan).map_err(|errors| errors.render(false))
    }

    #[test]
    fn loads_that_cannot_be_split_are_refused_with_their_location() {
        for (load, expected) in [
            ("connections = 8\nduration = \"9s\"", "s.toml:8:2: a closed load"),
            ("once = true", "s.toml:8:2: a single arrival"),
            (
                "arrival_rate = \"9/s\"\nduration = \"9s\"\nevery = \"1m\"",
                "s.toml:11:9: a repeated run",
            ),
            (
                "arrival_rate = \"9/s\"\nduration = \"9s\"\nconnections = 2",
                "write `connections = 3` or more",
            ),
        ] {
            let error = plan(load, Shard { index: 0, of: 3 }).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn shards_of_a_plan_add_up_to_the_whole() {
        let load = "arrival_rate = \"9/s\"\nduration = \"9s\"\nconnections = 8";
        let parts: Vec<_> =
            (0..3).map(|index| plan(load, Shard { index, of: 3 }).unwrap()).collect();
        let planned =
            parts.iter().map(|plan| plan.empty_measurement().scenarios[0].planned.unwrap());
        assert_eq!(planned.collect::<Vec<_>>(), [27, 27, 27]);
        let own = parts
            .iter()
            .map(|plan| plan.scenarios[0].clone().with_connections_for(plan.shard()).load);
        assert_eq!(own.map(|load| load.connections()).collect::<Vec<_>>(), [3, 3, 2]);
        let whole = &parts[0].scenarios[0];
        assert_eq!((whole.load.connections(), whole.load.duration()), (8, Duration::from_secs(9)));
        assert!(parts.iter().all(|plan| plan.scenarios[0].shown == whole.shown));
    }
}
