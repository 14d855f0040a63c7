//! The place of a machine among those that an orchestrator starts together, from the variables that
//! the orchestrator sets.

use std::fmt;

use crate::plan::Shard;

/// A program or service that starts several machines or jobs for one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orchestrator {
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

/// Where an orchestrator's numbering begins.
enum FirstIndex {
    Zero,
    One,
    /// The number in this variable.
    Variable(&'static str),
}

/// The variables in which an orchestrator says who a machine is.
struct PlaceVariables {
    index: &'static str,
    first: FirstIndex,
    /// `None` if the orchestrator does not say how many machines there are.
    count: Option<&'static str>,
    /// The distance from one machine's index to the next one's, where it can differ from one.
    step: Option<&'static str>,
}

/// What an orchestrator says about this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundPlace {
    /// The orchestrator.
    pub orchestrator: Orchestrator,
    /// This machine's shard.
    pub shard: Shard,
}

/// Why the place of this machine is not known, with the remedy.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PlaceError(String);

impl Orchestrator {
    /// All orchestrators; tollgate's own variables come first.
    const ALL: [Self; 9] = [
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

    fn variables(self) -> PlaceVariables {
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
        PlaceVariables { index, first, count, step }
    }
}

impl fmt::Display for Orchestrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tollgate => "tollgate's variables",
            Self::Kubernetes => "Kubernetes",
            Self::Slurm => "Slurm",
            Self::AwsBatch => "AWS Batch",
            Self::GitLab => "GitLab CI",
            Self::CircleCi => "CircleCI",
            Self::Buildkite => "Buildkite",
            Self::Pbs => "PBS",
            Self::Nomad => "Nomad",
        })
    }
}

/// The orchestrator that started this machine as one of several; `None` if no variable says so.
/// `variable` reads the environment. Some orchestrators number a single machine too.
pub fn find_orchestrator(variable: &dyn Fn(&str) -> Option<String>) -> Option<Orchestrator> {
    let starts_several = |orchestrator: &Orchestrator| {
        let PlaceVariables { index, count, .. } = orchestrator.variables();
        let count = count.and_then(|name| number(variable, name).ok().flatten());
        set(variable, index).is_some() && count != Some(1)
    };
    Orchestrator::ALL.into_iter().find(starts_several)
}

/// The place of this machine. `count` is the number of machines as typed; an orchestrator that says
/// another one is an error, and so are two orchestrators that disagree.
///
/// Whoever sets tollgate's own variables knows more than an orchestrator around it. An orchestrator
/// that numbers a single machine, or does not say how many there are, gives way to one that does.
pub fn find_place(
    variable: &dyn Fn(&str) -> Option<String>,
    count: Option<u32>,
) -> Result<FoundPlace, PlaceError> {
    let (mut found, mut without_count): (Option<FoundPlace>, _) = (None, None);
    for orchestrator in Orchestrator::ALL {
        let names = orchestrator.variables();
        let Some(index) = number(variable, names.index)? else { continue };
        let Some(count) = machines(&names, variable, count)? else {
            without_count = without_count.or(Some(count_missing(orchestrator, &names)));
            continue;
        };
        let shard = IndexRange::of(&names, variable, count)?.shard(index, &names)?;
        let place = FoundPlace { orchestrator, shard };
        match found {
            _ if orchestrator == Orchestrator::Tollgate => return Ok(place),
            Some(first) if first.shard == shard || shard.of == 1 => {}
            Some(first) if first.shard.of > 1 => return Err(disagreement(first, place)),
            _ => found = Some(place),
        }
    }
    found.ok_or_else(|| without_count.unwrap_or_else(nothing_found))
}

/// The number of machines; `None` if neither the orchestrator nor the command line says it.
fn machines(
    names: &PlaceVariables,
    variable: &dyn Fn(&str) -> Option<String>,
    typed: Option<u32>,
) -> Result<Option<u32>, PlaceError> {
    let Some(name) = names.count else { return Ok(typed) };
    match (number(variable, name)?, typed) {
        (Some(said), Some(typed)) if said != typed => Err(PlaceError(format!(
            "`auto/{typed}` is for {typed} machines, but {name} is {said}: write `auto`, or start \
             {typed} machines"
        ))),
        (said, typed) => Ok(said.or(typed)),
    }
}

/// The indices of the machines that an orchestrator started.
struct IndexRange {
    first: u32,
    step: u32,
    count: u32,
}

impl IndexRange {
    fn of(
        names: &PlaceVariables,
        variable: &dyn Fn(&str) -> Option<String>,
        count: u32,
    ) -> Result<Self, PlaceError> {
        let first = match names.first {
            FirstIndex::Zero => 0,
            FirstIndex::One => 1,
            FirstIndex::Variable(name) => {
                let missing = || {
                    let index = names.index;
                    PlaceError(format!("{index} is set, but {name} is not: pass on both"))
                };
                number(variable, name)?.ok_or_else(missing)?
            }
        };
        let step = match names.step {
            Some(name) => number(variable, name)?.unwrap_or(1).max(1),
            None => 1,
        };
        Ok(Self { first, step, count })
    }

    /// The shard of the machine with an index.
    fn shard(&self, index: u32, names: &PlaceVariables) -> Result<Shard, PlaceError> {
        let offset = index.checked_sub(self.first).filter(|offset| offset % self.step == 0);
        let place = offset.map(|offset| offset / self.step).filter(|place| *place < self.count);
        place
            .map(|index| Shard { index, of: self.count })
            .ok_or_else(|| self.out_of_range(index, names))
    }

    fn out_of_range(&self, index: u32, names: &PlaceVariables) -> PlaceError {
        let Self { first, step, count } = *self;
        let last = first.saturating_add(count.saturating_sub(1).saturating_mul(step));
        let steps = if step > 1 { format!(" in steps of {step}") } else { String::new() };
        let remedy = if names.step.is_some() {
            "give the array one range without gaps, such as `--array=1-8`"
        } else {
            "count the machines from the first of these on, and check their number"
        };
        let name = names.index;
        PlaceError(format!(
            "{name} is {index}, but the indices of {count} machines are {first} to {last}{steps}: {remedy}"
        ))
    }
}

fn count_missing(orchestrator: Orchestrator, names: &PlaceVariables) -> PlaceError {
    PlaceError(match names.count {
        Some(name) => {
            format!("{} is set, but {name} is not: set it to the number of machines", names.index)
        }
        None => format!(
            "{orchestrator} does not say how many machines there are: write `--shard auto/8` for eight"
        ),
    })
}

fn disagreement(one: FoundPlace, other: FoundPlace) -> PlaceError {
    let words = |place: FoundPlace| {
        let names = place.orchestrator.variables();
        format!("{} means shard {}/{}", names.index, place.shard.index + 1, place.shard.of)
    };
    PlaceError(format!(
        "two orchestrators disagree about this machine: {}, and {}; unset one, or write the shard, \
         such as `--shard 1/3`",
        words(one),
        words(other)
    ))
}

fn nothing_found() -> PlaceError {
    let looked_for = Orchestrator::ALL.map(|orchestrator| match orchestrator {
        Orchestrator::Tollgate => orchestrator.variables().index.to_owned(),
        orchestrator => format!("{} ({orchestrator})", orchestrator.variables().index),
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

    fn place(variables: &[(&str, &str)], count: Option<u32>) -> Result<FoundPlace, String> {
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
    fn each_orchestrator_numbers_its_machines_in_its_own_way() {
        type PlaceCase<'a> = (Orchestrator, &'a [(&'a str, &'a str)], Option<u32>);
        let cases: &[PlaceCase<'_>] = &[
            (
                Orchestrator::Tollgate,
                &[("TOLLGATE_SHARD_INDEX", "2"), ("TOLLGATE_SHARD_COUNT", "5")],
                None,
            ),
            (Orchestrator::Kubernetes, &[("JOB_COMPLETION_INDEX", "2")], Some(5)),
            (
                Orchestrator::Slurm,
                &[
                    ("SLURM_ARRAY_TASK_ID", "3"),
                    ("SLURM_ARRAY_TASK_MIN", "1"),
                    ("SLURM_ARRAY_TASK_COUNT", "5"),
                ],
                None,
            ),
            (
                Orchestrator::Slurm,
                &[
                    ("SLURM_ARRAY_TASK_ID", "14"),
                    ("SLURM_ARRAY_TASK_MIN", "10"),
                    ("SLURM_ARRAY_TASK_COUNT", "5"),
                    ("SLURM_ARRAY_TASK_STEP", "2"),
                ],
                None,
            ),
            (
                Orchestrator::AwsBatch,
                &[("AWS_BATCH_JOB_ARRAY_INDEX", "2"), ("AWS_BATCH_JOB_ARRAY_SIZE", "5")],
                Some(5),
            ),
            (Orchestrator::GitLab, &[("CI_NODE_INDEX", "3"), ("CI_NODE_TOTAL", "5")], None),
            (
                Orchestrator::CircleCi,
                &[("CIRCLE_NODE_INDEX", "2"), ("CIRCLE_NODE_TOTAL", "5")],
                None,
            ),
            (
                Orchestrator::Buildkite,
                &[("BUILDKITE_PARALLEL_JOB", "2"), ("BUILDKITE_PARALLEL_JOB_COUNT", "5")],
                None,
            ),
            (Orchestrator::Pbs, &[("PBS_ARRAY_INDEX", "2")], Some(5)),
            (Orchestrator::Nomad, &[("NOMAD_ALLOC_INDEX", " 2\n")], Some(5)),
        ];
        for &(orchestrator, variables, count) in cases {
            let found = place(variables, count);
            assert_eq!(
                found,
                Ok(FoundPlace { orchestrator, shard: shard(2, 5) }),
                "{orchestrator}"
            );
        }
    }

    #[test]
    fn what_an_orchestrator_leaves_open_or_says_wrongly_is_an_error_with_its_remedy() {
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
                vec![("SLURM_ARRAY_TASK_ID", "3"), ("SLURM_ARRAY_TASK_COUNT", "4")],
                None,
                "SLURM_ARRAY_TASK_MIN is not: pass on both",
            ),
            (
                vec![("CI_NODE_INDEX", "1"), ("CI_NODE_TOTAL", "5")],
                Some(4),
                "`auto/4` is for 4 machines, but CI_NODE_TOTAL is 5",
            ),
            (
                vec![("PBS_ARRAY_INDEX", "1"), ("NOMAD_ALLOC_INDEX", "2")],
                Some(4),
                "PBS_ARRAY_INDEX means shard 2/4, and NOMAD_ALLOC_INDEX means shard 3/4",
            ),
            (
                vec![
                    ("SLURM_ARRAY_TASK_ID", "11"),
                    ("SLURM_ARRAY_TASK_MIN", "10"),
                    ("SLURM_ARRAY_TASK_COUNT", "5"),
                    ("SLURM_ARRAY_TASK_STEP", "2"),
                ],
                None,
                "indices of 5 machines are 10 to 18 in steps of 2",
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
    fn an_orchestrator_that_numbers_a_single_machine_started_no_shard() {
        let single = |name: &str| match name {
            "CIRCLE_NODE_INDEX" => Some("0".to_owned()),
            "CIRCLE_NODE_TOTAL" => Some("1".to_owned()),
            _ => None,
        };
        assert_eq!(find_orchestrator(&single), None);
        let several = |name: &str| (name == "JOB_COMPLETION_INDEX").then(|| "0".to_owned());
        assert_eq!(find_orchestrator(&several), Some(Orchestrator::Kubernetes));
    }

    #[test]
    fn two_orchestrators_that_agree_are_no_conflict() {
        let both = [("JOB_COMPLETION_INDEX", "1"), ("CI_NODE_INDEX", "2"), ("CI_NODE_TOTAL", "3")];
        let found = place(&both, Some(3)).unwrap();
        assert_eq!((found.orchestrator, found.shard), (Orchestrator::Kubernetes, shard(1, 3)));
    }
}
