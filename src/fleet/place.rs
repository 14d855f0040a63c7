//! The place of a machine among those that an engine starts together, from the variables that the
//! engine sets.

use std::fmt;

use crate::plan::Shard;

/// An engine that starts several machines or jobs for one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Whatever sets tollgate's own variables: a GitHub matrix, Fly Machines, a script.
    Tollgate,
    /// An Indexed Job of Kubernetes.
    Kubernetes,
    /// An array of Slurm.
    Slurm,
    /// An array job of AWS Batch.
    AwsBatch,
    /// Parallel jobs of GitLab CI.
    GitLab,
    /// Parallel containers of `CircleCI`.
    CircleCi,
    /// Parallel steps of Buildkite.
    Buildkite,
    /// An array job of `OpenPBS` or PBS Professional.
    Pbs,
    /// The allocations of a group of Nomad.
    Nomad,
}

/// Where an engine's numbering begins.
enum FirstIndex {
    Zero,
    One,
    /// The number in this variable.
    Variable(&'static str),
}

/// The variables in which an engine says who a machine is.
struct EngineVariables {
    index: &'static str,
    first: FirstIndex,
    /// `None` if the engine does not say how many machines there are.
    count: Option<&'static str>,
    /// The distance from one machine's index to the next one's, where it can differ from one.
    step: Option<&'static str>,
}

/// What an engine says about this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnginePlace {
    /// The engine.
    pub engine: Engine,
    /// This machine's shard.
    pub shard: Shard,
}

/// Why the place of this machine is not known, with the remedy.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PlaceError(String);

impl Engine {
    /// All engines; tollgate's own variables come first.
    pub const ALL: [Self; 9] = [
        Self::Tollgate,
        Self::Kubernetes,
        Self::Slurm,
        Self::AwsBatch,
        Self::GitLab,
        Self::CircleCi,
        Self::Buildkite,
        Self::Pbs,
        Self::Nomad,
    ];

    /// Its name in sentences.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tollgate => "tollgate's variables",
            Self::Kubernetes => "Kubernetes",
            Self::Slurm => "Slurm",
            Self::AwsBatch => "AWS Batch",
            Self::GitLab => "GitLab CI",
            Self::CircleCi => "CircleCI",
            Self::Buildkite => "Buildkite",
            Self::Pbs => "PBS",
            Self::Nomad => "Nomad",
        }
    }

    fn variables(self) -> EngineVariables {
        use FirstIndex::{One, Variable, Zero};
        let (index, first, count, step) = match self {
            Self::Tollgate => ("TOLLGATE_SHARD_INDEX", Zero, Some("TOLLGATE_SHARD_COUNT"), None),
            Self::Kubernetes => ("JOB_COMPLETION_INDEX", Zero, None, None),
            Self::Slurm => (
                "SLURM_ARRAY_TASK_ID",
                Variable("SLURM_ARRAY_TASK_MIN"),
                Some("SLURM_ARRAY_TASK_COUNT"),
                Some("SLURM_ARRAY_TASK_STEP"),
            ),
            Self::AwsBatch => {
                ("AWS_BATCH_JOB_ARRAY_INDEX", Zero, Some("AWS_BATCH_JOB_ARRAY_SIZE"), None)
            }
            Self::GitLab => ("CI_NODE_INDEX", One, Some("CI_NODE_TOTAL"), None),
            Self::CircleCi => ("CIRCLE_NODE_INDEX", Zero, Some("CIRCLE_NODE_TOTAL"), None),
            Self::Buildkite => {
                ("BUILDKITE_PARALLEL_JOB", Zero, Some("BUILDKITE_PARALLEL_JOB_COUNT"), None)
            }
            Self::Pbs => ("PBS_ARRAY_INDEX", Zero, None, None),
            Self::Nomad => ("NOMAD_ALLOC_INDEX", Zero, None, None),
        };
        EngineVariables { index, first, count, step }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The engine that started this machine as one of several; `None` if no variable says so.
/// `variable` reads the environment. Some engines number a single machine too.
pub fn find_engine(variable: &dyn Fn(&str) -> Option<String>) -> Option<Engine> {
    let starts_several = |engine: &Engine| {
        let EngineVariables { index, count, .. } = engine.variables();
        let count = count.and_then(|name| number(variable, name).ok().flatten());
        set(variable, index).is_some() && count != Some(1)
    };
    Engine::ALL.into_iter().find(starts_several)
}

/// The place of this machine. `count` is the number of machines as typed; an engine that says
/// another one is an error, and so are two engines that disagree.
pub fn find_place(
    variable: &dyn Fn(&str) -> Option<String>,
    count: Option<u32>,
) -> Result<EnginePlace, PlaceError> {
    let mut found: Option<EnginePlace> = None;
    for engine in Engine::ALL {
        let Some(shard) = place_in(engine, variable, count)? else { continue };
        match found {
            None => found = Some(EnginePlace { engine, shard }),
            Some(first) if first.shard == shard => {}
            Some(first) => return Err(disagreement(first, EnginePlace { engine, shard })),
        }
    }
    found.ok_or_else(nothing_found)
}

/// This machine's place if the engine started it.
fn place_in(
    engine: Engine,
    variable: &dyn Fn(&str) -> Option<String>,
    typed: Option<u32>,
) -> Result<Option<Shard>, PlaceError> {
    let names = engine.variables();
    let Some(index) = number(variable, names.index)? else { return Ok(None) };
    let first = match names.first {
        FirstIndex::Zero => 0,
        FirstIndex::One => 1,
        FirstIndex::Variable(name) => number(variable, name)?.unwrap_or(0),
    };
    let step = match names.step {
        Some(name) => number(variable, name)?.unwrap_or(1).max(1),
        None => 1,
    };
    let said = match names.count {
        Some(name) => number(variable, name)?.map(|count| (name, count)),
        None => None,
    };
    let count = match (said, typed) {
        (Some((name, said)), Some(typed)) if said != typed => {
            return Err(PlaceError(format!(
                "--shard auto/{typed} is for {typed} machines, but {name} is {said}: write \
                 `--shard auto`, or start {typed} machines"
            )));
        }
        (Some((_, count)), _) | (None, Some(count)) => count,
        (None, None) => return Err(count_missing(engine, &names)),
    };
    let offset = index.checked_sub(first).filter(|offset| offset % step == 0);
    let shard = offset.map(|offset| Shard { index: offset / step, of: count });
    match shard.filter(|shard| shard.index < count) {
        Some(shard) => Ok(Some(shard)),
        None => Err(out_of_range(&names, index, first, count)),
    }
}

fn count_missing(engine: Engine, names: &EngineVariables) -> PlaceError {
    PlaceError(match names.count {
        Some(name) => {
            format!("{} is set, but {name} is not: set it to the number of machines", names.index)
        }
        None => format!(
            "{engine} does not say how many machines there are: write `--shard auto/8` for eight"
        ),
    })
}

fn out_of_range(names: &EngineVariables, index: u32, first: u32, count: u32) -> PlaceError {
    let index_name = names.index;
    let last = first.saturating_add(count.saturating_sub(1));
    let remedy = if names.step.is_some() {
        "give the array one range without gaps, such as `--array=1-8`"
    } else {
        "number the machines in this range, or name their number as in `--shard auto/8`"
    };
    PlaceError(format!(
        "{index_name} is {index}, but the indices of {count} machines are {first} to {last}: {remedy}"
    ))
}

fn disagreement(one: EnginePlace, other: EnginePlace) -> PlaceError {
    let words = |place: EnginePlace| {
        let names = place.engine.variables();
        format!("{} means shard {}/{}", names.index, place.shard.index + 1, place.shard.of)
    };
    PlaceError(format!(
        "two engines disagree about this machine: {}, and {}; unset one, or write the shard, such \
         as `--shard 1/3`",
        words(one),
        words(other)
    ))
}

fn nothing_found() -> PlaceError {
    let looked_for = Engine::ALL.map(|engine| match engine {
        Engine::Tollgate => engine.variables().index.to_owned(),
        engine => format!("{} ({engine})", engine.variables().index),
    });
    PlaceError(format!(
        "no variable says which machine this is; none of these is set: {}. Write the shard, such \
         as `--shard 1/3`, or set TOLLGATE_SHARD_INDEX (from 0) and TOLLGATE_SHARD_COUNT",
        looked_for.join(", ")
    ))
}

/// The value of a variable that is set and not empty.
fn set(variable: &dyn Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    variable(name).filter(|value| !value.trim().is_empty())
}

fn number(
    variable: &dyn Fn(&str) -> Option<String>,
    name: &str,
) -> Result<Option<u32>, PlaceError> {
    let Some(text) = set(variable, name) else { return Ok(None) };
    let number = text.trim().parse().map_err(|_| {
        PlaceError(format!("{name} is not a number: write the shard, such as `--shard 1/3`"))
    });
    number.map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(variables: &[(&str, &str)], count: Option<u32>) -> Result<EnginePlace, String> {
        let read = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        find_place(&read, count).map_err(|error| error.to_string())
    }

    fn shard(index: u32, of: u32) -> Shard {
        Shard { index, of }
    }

    #[test]
    fn each_engine_numbers_its_machines_in_its_own_way() {
        type EngineCase<'a> = (Engine, &'a [(&'a str, &'a str)], Option<u32>);
        let cases: &[EngineCase<'_>] = &[
            (
                Engine::Tollgate,
                &[("TOLLGATE_SHARD_INDEX", "2"), ("TOLLGATE_SHARD_COUNT", "5")],
                None,
            ),
            (Engine::Kubernetes, &[("JOB_COMPLETION_INDEX", "2")], Some(5)),
            (
                Engine::Slurm,
                &[
                    ("SLURM_ARRAY_TASK_ID", "3"),
                    ("SLURM_ARRAY_TASK_MIN", "1"),
                    ("SLURM_ARRAY_TASK_COUNT", "5"),
                ],
                None,
            ),
            (
                Engine::Slurm,
                &[
                    ("SLURM_ARRAY_TASK_ID", "14"),
                    ("SLURM_ARRAY_TASK_MIN", "10"),
                    ("SLURM_ARRAY_TASK_COUNT", "5"),
                    ("SLURM_ARRAY_TASK_STEP", "2"),
                ],
                None,
            ),
            (
                Engine::AwsBatch,
                &[("AWS_BATCH_JOB_ARRAY_INDEX", "2"), ("AWS_BATCH_JOB_ARRAY_SIZE", "5")],
                Some(5),
            ),
            (Engine::GitLab, &[("CI_NODE_INDEX", "3"), ("CI_NODE_TOTAL", "5")], None),
            (Engine::CircleCi, &[("CIRCLE_NODE_INDEX", "2"), ("CIRCLE_NODE_TOTAL", "5")], None),
            (
                Engine::Buildkite,
                &[("BUILDKITE_PARALLEL_JOB", "2"), ("BUILDKITE_PARALLEL_JOB_COUNT", "5")],
                None,
            ),
            (Engine::Pbs, &[("PBS_ARRAY_INDEX", "2")], Some(5)),
            (Engine::Nomad, &[("NOMAD_ALLOC_INDEX", " 2\n")], Some(5)),
        ];
        for &(engine, variables, count) in cases {
            let found = place(variables, count);
            assert_eq!(found, Ok(EnginePlace { engine, shard: shard(2, 5) }), "{engine}");
        }
    }

    #[test]
    fn what_an_engine_leaves_open_or_says_wrongly_is_an_error_with_its_remedy() {
        for (variables, count, expected) in [
            (vec![], None, "no variable says which machine this is"),
            (vec![("CI_NODE_INDEX", "")], None, "no variable says which machine this is"),
            (vec![("JOB_COMPLETION_INDEX", "2")], None, "write `--shard auto/8` for eight"),
            (vec![("JOB_COMPLETION_INDEX", "5")], Some(5), "indices of 5 machines are 0 to 4"),
            (vec![("JOB_COMPLETION_INDEX", "-1")], Some(5), "JOB_COMPLETION_INDEX is not a number"),
            (vec![("CI_NODE_INDEX", "0"), ("CI_NODE_TOTAL", "5")], None, "machines are 1 to 5"),
            (vec![("CI_NODE_INDEX", "1"), ("CI_NODE_TOTAL", "0")], None, "indices of 0 machines"),
            (vec![("CI_NODE_INDEX", "1")], None, "CI_NODE_TOTAL is not"),
            (
                vec![("CI_NODE_INDEX", "1"), ("CI_NODE_TOTAL", "5")],
                Some(4),
                "--shard auto/4 is for 4 machines, but CI_NODE_TOTAL is 5",
            ),
            (
                vec![("PBS_ARRAY_INDEX", "1"), ("NOMAD_ALLOC_INDEX", "2")],
                Some(4),
                "PBS_ARRAY_INDEX means shard 2/4, and NOMAD_ALLOC_INDEX means shard 3/4",
            ),
            (
                vec![
                    ("SLURM_ARRAY_TASK_ID", "7"),
                    ("SLURM_ARRAY_TASK_MIN", "1"),
                    ("SLURM_ARRAY_TASK_COUNT", "3"),
                ],
                None,
                "one range without gaps",
            ),
        ] {
            let error = place(&variables, count).unwrap_err();
            assert!(error.contains(expected), "{variables:?}: {error}");
        }
    }

    #[test]
    fn an_engine_that_numbers_a_single_machine_started_no_shard() {
        let single = |name: &str| match name {
            "CIRCLE_NODE_INDEX" => Some("0".to_owned()),
            "CIRCLE_NODE_TOTAL" => Some("1".to_owned()),
            _ => None,
        };
        assert_eq!(find_engine(&single), None);
        let several = |name: &str| (name == "JOB_COMPLETION_INDEX").then(|| "0".to_owned());
        assert_eq!(find_engine(&several), Some(Engine::Kubernetes));
    }

    #[test]
    fn two_engines_that_agree_are_no_conflict() {
        let both = [("JOB_COMPLETION_INDEX", "1"), ("CI_NODE_INDEX", "2"), ("CI_NODE_TOTAL", "3")];
        let found = place(&both, Some(3)).unwrap();
        assert_eq!((found.engine, found.shard), (Engine::Kubernetes, shard(1, 3)));
    }
}
