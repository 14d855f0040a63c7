//! `tollgate compare`

use std::path::PathBuf;

use super::console::{Console, OutputFormat};
use super::exit::{CommandError, ExitStatus};
use super::source;
use crate::record::{BeforeAfter, Comparison};
use crate::report;
use crate::verdict;

const EXAMPLES: &str = "\
Examples:
  tollgate compare 2026-11-23T18-47-06Z-3bb6c035 2026-11-24T13-47-34Z-21ee1ce8
  tollgate compare 3bb6c035 21ee1ce8                    by the last digits of their ids
  tollgate compare main/runs/… branch/runs/… --output json

A figure is called slower or faster if the 95 % intervals of the two runs do not overlap; each such
claim is wrong at most 1 time in 20. Otherwise no difference is shown, which does not prove that
there is none. Use budgets to gate a deploy: `compare` exits with 0 even if a run is slower.

Exit codes:
  0  the runs were compared, whichever is better
  2  usage: a run is missing or not finished, or the two have no request in common
  4  internal: the database does not respond, the comparison could not be printed, or a defect";

/// Compare two runs: what changed, and whether it is more than chance
///
/// Compares requests of the same name that both runs have. Differences that make the comparison
/// unfair, such as another load, are listed first.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The earlier run: its folder, its name in the runs folder or the beginning of the name, or
    /// its id
    #[arg(value_name = "RUN")]
    before: PathBuf,
    /// The later run
    #[arg(value_name = "RUN")]
    after: PathBuf,
    #[command(flatten)]
    from: source::Flags,
    /// What to print on stdout: `text` (tables for people) or `json` (one object)
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value = "text",
        hide_possible_values = true
    )]
    output: OutputFormat,
}

pub(super) fn compare(args: &Args) -> Result<ExitStatus, CommandError> {
    let source = args.from.source()?;
    let (before, after) = (source.record(&args.before)?, source.record(&args.after)?);
    let comparison = verdict::compare(&before, &after);
    if comparison.requests.is_empty() {
        return Err(nothing_in_common(&comparison));
    }
    match args.output {
        OutputFormat::Text => {
            let console = Console { output: args.output };
            console.print_result(&report::comparison_text(
                &comparison,
                console.width(),
                console.has_colour(),
            ))?;
        }
        OutputFormat::Json => {
            Console::print_plain(
                &serde_json::to_string_pretty(&comparison).map_err(CommandError::internal)?,
            )?;
        }
    }
    Ok(ExitStatus::Pass)
}

fn nothing_in_common(comparison: &Comparison) -> CommandError {
    let BeforeAfter { before, after } = &comparison.runs;
    let names = |names: &[String]| {
        let names = names.iter().map(|name| format!("\n  {}", name.replace(char::is_control, " ")));
        if names.len() == 0 { "\n  nothing".to_owned() } else { names.collect() }
    };
    CommandError::usage(format!(
        "error: the two runs have no request in common, so there is nothing to compare\n\
         {} requested{}\n{} requested{}",
        before.run,
        names(&comparison.only.before),
        after.run,
        names(&comparison.only.after)
    ))
}
