//! `tollgate compare`

use std::path::PathBuf;

use super::console::{Console, Output};
use super::exit::{Exit, Problem};
use super::source;
use crate::record::{Comparison, Sides};
use crate::report;
use crate::verdict;

const EXAMPLES: &str = "\
Examples:
  tollgate compare 2026-11-23T18-47-06Z-3bb6c035 2026-11-24T13-47-34Z-21ee1ce8
  tollgate compare 3bb6c035 21ee1ce8                    by the last digits of their ids
  tollgate compare main/runs/… branch/runs/… --output json

A figure is slower or faster where the 95 % intervals of the two runs do not overlap; each such
word is wrong at most 1 time in 20. All else shows no difference, which is not to say that there
is none. Budgets gate a deploy, not this: a run that is slower ends with 0 all the same.

Exit codes:
  0  the runs were compared, whichever is better
  2  usage: a run is not there or not finished, or the two have no request in common
  4  internal: the database does not answer, the comparison could not be printed, or a defect";

/// Compare two runs: what changed, and whether it is more than chance
///
/// Requests that both runs have are compared, each with that of the same name. What makes the comparison unfair, such as
/// another load, is told first.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The run before: its folder, its name below the folder of runs or the beginning of one, or its id
    #[arg(value_name = "RUN")]
    before: PathBuf,
    /// The run after
    #[arg(value_name = "RUN")]
    after: PathBuf,
    #[command(flatten)]
    from: source::Flags,
    /// What is printed on stdout: `text`, tables for people, or `json`, one object
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value = "text",
        hide_possible_values = true
    )]
    output: Output,
}

pub(super) fn compare(args: &Args) -> Result<Exit, Problem> {
    let source = args.from.source()?;
    let (before, after) = (source.record(&args.before)?, source.record(&args.after)?);
    let comparison = verdict::compare(&before, &after);
    if comparison.requests.is_empty() {
        return Err(nothing_in_common(&comparison));
    }
    match args.output {
        Output::Text => {
            let console = Console { output: args.output };
            console.result(&report::comparison(
                &comparison,
                console.width(),
                console.colours_results(),
            ))?;
        }
        Output::Json => {
            Console::plain(&serde_json::to_string_pretty(&comparison).map_err(Problem::internal)?)?;
        }
    }
    Ok(Exit::Pass)
}

fn nothing_in_common(comparison: &Comparison) -> Problem {
    let Sides { before, after } = &comparison.runs;
    let names = |names: &[String]| {
        let names = names.iter().map(|name| format!("\n  {}", name.replace(char::is_control, " ")));
        if names.len() == 0 { "\n  nothing".to_owned() } else { names.collect() }
    };
    Problem::usage(format!(
        "error: the two runs have no request in common, so that there is nothing to compare\n\
         {} requested{}\n{} requested{}",
        before.run,
        names(&comparison.only.before),
        after.run,
        names(&comparison.only.after)
    ))
}
