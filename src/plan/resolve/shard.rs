//! Sharing a run out over several probers: what falls to one of them, and what cannot be shared out.

use super::template_filler::TemplateFiller;
use crate::plan::schedule::Shard;
use crate::scenario::{LoadModel, LoadShape, Scenario, Span};

/// Complains about a scenario of which no prober can carry out a part alone.
pub(super) fn look_at(scenario: &Scenario, shard: Shard, filler: &mut TemplateFiller<'_>) {
    let obstacles = [without_schedule(scenario), repeated(scenario), too_few(scenario, shard)];
    for ShardObstacle { at, problem, remedy } in obstacles.into_iter().flatten() {
        filler.report::<()>(&at, problem, remedy);
    }
}

/// What keeps a scenario from being shared out.
struct ShardObstacle {
    at: Span,
    problem: String,
    remedy: String,
}

fn without_schedule(scenario: &Scenario) -> Option<ShardObstacle> {
    let problem = match scenario.load.model {
        LoadModel::Once => "a single arrival cannot be shared out over several machines",
        LoadModel::Closed { .. } => {
            "a closed load cannot be shared out over several machines: it has no schedule to take a part of"
        }
        LoadModel::Constant { .. } | LoadModel::Ramping { .. } => return None,
    };
    let remedy = "write `arrival_rate`, or leave `--shard` out".to_owned();
    Some(ShardObstacle { at: scenario.file.load.key_span(), problem: problem.to_owned(), remedy })
}

fn repeated(scenario: &Scenario) -> Option<ShardObstacle> {
    let at = scenario.file.load.value()?.every.value_span();
    scenario.load.every.map(|_| ShardObstacle {
        at,
        problem: "a run that is repeated cannot be shared out over several machines".to_owned(),
        remedy: "take `every` out, or leave `--shard` out".to_owned(),
    })
}

fn too_few(scenario: &Scenario, shard: Shard) -> Option<ShardObstacle> {
    let LoadShape { connections, fresh, .. } = scenario.load;
    let of = shard.of;
    (without_schedule(scenario).is_none() && connections < shard.of).then(|| ShardObstacle {
        at: scenario.file.load.key_span(),
        problem: format!(
            "{connections} connections cannot be shared out over {of} machines: each needs one"
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
    use crate::plan::{Environment, Overrides, Plan, PlannedPart};

    /// The plan of a part of a scenario with this load, or what is said against it.
    fn plan(load: &str, shard: Shard) -> Result<Plan, String> {
        let text = format!(
            "name = \"s\"\nbudgets = [\"errors = 0\"]\n[target]\nbase_url = \"http://localhost\"\n\
             [[request]]\nname = \"a\"\npath = \"/\"\n[load]\n{load}\n"
        );
        let scenario = Scenario::parse("s.toml", &text).unwrap();
        let part = Some(PlannedPart { shard, start: datetime!(2026-11-24 15:00 UTC) });
        let overrides = Overrides { part, ..Overrides::default() };
        let resolved = Plan::resolve(&[scenario], &Environment::new([]), &overrides);
        resolved.map(|(plan, _)| plan).map_err(|errors| errors.render(false))
    }

    #[test]
    fn what_has_no_schedule_or_too_few_connections_is_refused_with_its_place() {
        for (load, told) in [
            ("connections = 8\nduration = \"9s\"", "s.toml:8:2: a closed load"),
            ("once = true", "s.toml:8:2: a single arrival"),
            (
                "arrival_rate = \"9/s\"\nduration = \"9s\"\nevery = \"1m\"",
                "s.toml:11:9: a run that is repeated",
            ),
            (
                "arrival_rate = \"9/s\"\nduration = \"9s\"\nconnections = 2",
                "write `connections = 3` or more",
            ),
        ] {
            let error = plan(load, Shard { index: 0, of: 3 }).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn the_parts_of_a_plan_add_up_to_the_whole() {
        let load = "arrival_rate = \"9/s\"\nduration = \"9s\"\nconnections = 8";
        let parts: Vec<_> =
            (0..3).map(|index| plan(load, Shard { index, of: 3 }).unwrap()).collect();
        let planned =
            parts.iter().map(|plan| plan.nothing_measured().scenarios[0].planned.unwrap());
        assert_eq!(planned.collect::<Vec<_>>(), [27, 27, 27]);
        let own = parts
            .iter()
            .map(|plan| plan.scenarios[0].clone().with_connections_of(plan.shard()).load);
        assert_eq!(own.map(|load| load.connections()).collect::<Vec<_>>(), [3, 3, 2]);
        let whole = &parts[0].scenarios[0];
        assert_eq!((whole.load.connections(), whole.load.duration()), (8, Duration::from_secs(9)));
        assert!(parts.iter().all(|plan| plan.scenarios[0].shown == whole.shown));
    }
}
