//! `tollgate compare`

use std::path::PathBuf;

use super::console::{Console, OutputFormat};
use super::exit::{CommandError, ExitStatus};
use super::{run_selector, source};
use crate::record::{BeforeAfter, Comparison, Decision, RunRecord, RunSummary};
use crate::report;
use crate::verdict::{self, ComparisonSettings};

const EXAMPLES: &str = "\
Examples:
  tollgate compare                                      the previous run and the latest one
  tollgate compare 3bb6c035 latest                      by the last digits of an id
  tollgate compare --deploy v41 --deploy v42            the newest run of each deploy
  tollgate compare --deploy v42 --fail-if-slower        the run before a deploy and its newest run
  tollgate compare main/runs/… branch/runs/… --output json

A figure is called slower or faster if the 90 % interval of its difference, from blocks of time,
leaves out zero. Each such claim is wrong at most 1 time in 20 if blocks are independent and nothing
but the target changed between the runs; `tollgate duet` excludes such changes. Otherwise the output
says which slowdown would have been detected. With --fail-if-slower, all claims together are wrong
at most 1 time in 20 under the same conditions. A run needs at least 18 s.

Exit codes:
  0  the runs were compared; with --fail-if-slower, nothing is shown to be slower
  1  with --fail-if-slower: a request is slower or fails more often
  2  usage: a run is missing or not finished, both sides are one run, or the two have no request in
     common; with --fail-if-slower also: the later run started first
  3  with --fail-if-slower: a request is too short to compare, has no latencies that can be
     compared or is missing from the later run, or the later run did not end well
  4  internal: the database does not respond, the comparison could not be printed, or a defect";

/// Compare two runs: what changed, and whether it is more than chance
///
/// Compares each request with the one of the same scenario and name. A request without such a
/// partner is compared with the only one of its name in other scenarios. If each run has only one
/// request, the two are compared whatever their names are. Differences that make the comparison
/// unfair, such as another load, are listed first.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The earlier and the later run: a folder, a name in the runs folder or its beginning, an id,
    /// `latest`, or `previous` (the comparable run before the later one) [default: previous latest]
    #[arg(value_name = "RUN", num_args = 0..=2)]
    runs: Vec<PathBuf>,
    /// The newest run of this deploy, as `run --deploy` named it. Given twice, two deploys are
    /// compared; alone, a deploy is compared with the run before it
    #[arg(long, value_name = "NAME")]
    deploy: Vec<String>,
    /// Compare only the requests with this name, or of the scenario with this name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Exit with 1 if a request is slower or fails more often by more than chance
    #[arg(long)]
    fail_if_slower: bool,
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
    let runs = run_selector::select_two(&args.from.source()?, &args.runs, &args.deploy)?;
    if args.fail_if_slower && run_selector::are_by_order(&args.runs) {
        refuse_reversed(&runs)?;
    }
    let settings =
        ComparisonSettings { name: args.name.clone(), bounds_all_figures: args.fail_if_slower };
    let comparison = verdict::compare(&runs.before, &runs.after, &settings);
    if comparison.requests.is_empty() {
        return Err(nothing_in_common(&runs, args.name.as_deref()));
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
            Console::print_json(
                &serde_json::to_string_pretty(&comparison).map_err(CommandError::internal)?,
            )?;
        }
    }
    Ok(if args.fail_if_slower { exit(&comparison, &runs.after) } else { ExitStatus::Pass })
}

/// A gate that takes the new run for the old one would pass when the new one is slower.
fn refuse_reversed(runs: &BeforeAfter<RunRecord>) -> Result<(), CommandError> {
    let started = runs.map(|record| record.provenance.started);
    if started.before <= started.after {
        return Ok(());
    }
    let names = runs.map(RunRecord::name);
    Err(CommandError::usage(format!(
        "error: the later run, {}, started before the earlier one, {}: name them in the other order",
        names.after, names.before
    )))
}

/// The exit status if slower runs fail.
fn exit(comparison: &Comparison, after: &RunRecord) -> ExitStatus {
    let cut_off = !after.measurement.ending.is_planned();
    let cut_off = cut_off.then_some(Decision::Inconclusive);
    Decision::combine([comparison.decision()].into_iter().chain(cut_off)).into()
}

/// The error if no request can be compared. It lists the requests of each run.
fn nothing_in_common(runs: &BeforeAfter<RunRecord>, name: Option<&str>) -> CommandError {
    let name = name.map_or_else(String::new, |name| format!(" that `{}` names", plain(name)));
    let lists = runs.map(|record| {
        let requests = RunSummary::of(record).requests.into_iter();
        let names: Vec<_> = requests
            .map(|request| plain(&format!("{} · {}", request.scenario, request.request)))
            .collect();
        let names = if names.is_empty() { "nothing".to_owned() } else { names.join("\n  ") };
        format!("{} requested\n  {names}", record.name())
    });
    CommandError::usage(format!(
        "error: the two runs have no request in common{name}, so there is nothing to compare\n\
         {}\n{}\n\
         Requests are paired by their names: give both the same one, for a URL with `run --name`",
        lists.before, lists.after
    ))
}

fn plain(name: &str) -> String {
    name.replace(char::is_control, " ")
}
