//! `tollgate tune --find-rate`: the largest rate within budget.

mod search_record;
mod step_plan;
mod step_run;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use self::search_record::{SearchRecord, step_line};
use self::step_plan::StepPlans;
use self::step_run::MeasuredStep;
use crate::cli::connection::{AddressFlags, ConnectionFlags};
use crate::cli::console::{Console, OutputFormat};
use crate::cli::exit::{CommandError, ExitStatus};
use crate::cli::quick;
use crate::cli::run_time::new_run_id;
use crate::cli::session::RunFlags;
use crate::cli::signals::RunSignals;
use crate::cli::{guard, stray_variables, variables};
use crate::engine::clock;
use crate::record::Decision;
use crate::tune::rate_search::{NextStep, RateInterval, RateSearch, SearchBounds, SearchEnding};
use crate::units::{Rate, parse_duration};

const NOTES: &str = "\
Examples:
  tollgate tune --find-rate https://staging.example/shop --budget 'p95 < 300ms' --max-rate 80/s
  tollgate tune --find-rate scenarios/shop.toml --max-rate 200/s --min-rate 10/s

Every step is a run of its own in the folder of runs, tagged `search` and `step`. All verdicts of a
search together are wrong at most 1 time in 20.

Exit codes:
  0  an interval of rates was found, or the highest rate allowed is within budget
  1  not even the lowest rate is within budget, or no rate holds for long
  2  usage: a flag or the scenario is wrong; nothing was sent
  3  undecided or interrupted
  4  internal: the prober failed (results not written, or a defect)";

const CONNECTIONS_HELP: &str = "\
Connections to open before each step, or `fresh` for a new one for each request [default: the \
file's; for URLs 16, or as many as --max-rate times the largest ceiling needs, up to 100]";

const OUTPUT_HELP: &str = "\
What to print on stdout: `text` (a line for each step, then the answer) or `json` (the whole search)";

/// How much of a step's length a target that was overloaded gets to finish what it holds.
const RECOVERY: u32 = 4;

/// Find the largest rate at which the budgets hold
///
/// Measures from --min-rate upward in steps, then narrows the interval down. A rate counts
/// arrivals: each sends all steps of the scenario, or one request if they have weights. The load
/// must be constant. `tollgate tune --find-rate` is the same.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
#[command(mut_arg("rate", |arg| arg.hide(true)))]
#[command(mut_arg("closed", |arg| arg.hide(true)))]
#[command(mut_arg("print_scenario", |arg| arg.hide(true)))]
#[command(mut_arg("connections", |arg| arg.help(CONNECTIONS_HELP)))]
#[command(mut_arg("output", |arg| arg.hide_possible_values(true).help(OUTPUT_HELP)))]
pub(super) struct Args {
    /// The scenario file or the URL
    #[arg(value_name = "SCENARIO|URL")]
    source: OsString,
    /// The rate that no step exceeds
    #[arg(long, value_name = "RATE", value_parser = str::parse::<Rate>, help_heading = "Search")]
    max_rate: Rate,
    /// The rate of the first step
    #[arg(long, value_name = "RATE", default_value = "5/s", value_parser = str::parse::<Rate>)]
    #[arg(help_heading = "Search")]
    min_rate: Rate,
    /// How long a step measures; one that is inconclusive is measured for twice as long again
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    #[arg(help_heading = "Search")]
    step_duration: Duration,
    /// How many times the lower end of the interval the upper end may be, from 1.02 to 2
    #[arg(long, value_name = "RATIO", default_value_t = 1.1, help_heading = "Search")]
    resolution: f64,
    /// The pause before each step, in which the target finishes what it still holds; after a step
    /// over budget at least a quarter of --step-duration
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = parse_duration)]
    #[arg(help_heading = "Search")]
    step_pause: Duration,
    #[command(flatten)]
    quick: quick::Flags,
    #[command(flatten)]
    connection: ConnectionFlags,
    #[command(flatten)]
    addresses: AddressFlags,
    #[command(flatten)]
    run: RunFlags,
}

/// Searches for the rate that `--find-rate` asks for.
pub(super) fn find_rate(args: &Args) -> Result<ExitStatus, CommandError> {
    let limit = args.max_rate;
    args.check()?;
    let bounds = SearchBounds::new(args.min_rate, limit, args.step_duration, args.resolution)
        .map_err(|error| CommandError::usage(format!("error: {error}")))?;
    stray_variables::check(std::slice::from_ref(&args.source))?;
    let environment: BTreeMap<String, String> = variables::utf8_variables().collect();
    let plans = StepPlans::new(args, environment)?;
    let (highest, warnings) = plans.resolve(limit, args.step_duration)?;
    guard::check(&highest)?;
    plans.check_blocks(&bounds)?;
    for warning in warnings {
        tracing::warn!("{}", warning.render(crate::cli::console::stderr_has_colour()));
    }
    let id = new_run_id(clock::wall_clock());
    let mut record = SearchRecord::new(id, &highest, bounds);
    args.run.console().print_result(&record.heading())?;
    let interval = search(args, &plans, bounds, &mut record)?;
    report(args.run.console(), record, interval)
}

impl Args {
    /// Refuses what makes no sense in a search.
    fn check(&self) -> Result<(), CommandError> {
        if let Some(flag) = self.quick.set_by_search().first() {
            return Err(CommandError::usage(format!(
                "error: {flag} cannot be combined with --find-rate, which sets rates itself; remove {flag}, and \
                 write --min-rate and --max-rate"
            )));
        }
        if quick::is_url(&self.source) && self.quick.without_latency().is_some() {
            return Err(CommandError::usage(
                "error: a search needs the budget that is to hold: add one for latency, such as \
                 --budget 'p95 < 300ms'",
            ));
        }
        Ok(())
    }
}

/// Measures step after step.
fn search(
    args: &Args,
    plans: &StepPlans<'_>,
    bounds: SearchBounds,
    record: &mut SearchRecord,
) -> Result<RateInterval, CommandError> {
    let signals = RunSignals::listen()?;
    let mut search = RateSearch::new(bounds);
    let mut earlier: Option<MeasuredStep> = None;
    loop {
        let step = match search.next() {
            NextStep::Done(interval) => return Ok(interval),
            NextStep::Measure(step) => step,
        };
        if signals.stops_within(pause(args, earlier.as_ref())) {
            return Ok(search.interrupted());
        }
        let plan = plans.step(&step, earlier.as_ref())?;
        let flags = args.run.clone().or_environment(super::ENVIRONMENT);
        let flags = flags.tagged("search", record.search.to_string());
        let flags = flags.tagged("step", step.number.to_string());
        let continued = earlier.as_ref().filter(|_| step.continues);
        let measured =
            MeasuredStep::run(&plan, &flags, &signals, (continued, bounds.most_steps()))?;
        record.add(&step, &measured);
        args.run.console().print_result(&step_line(&step, &measured))?;
        // What a step proved counts, also if the search is interrupted right after it.
        if measured.decision == Decision::Inconclusive && signals.stops_within(Duration::ZERO) {
            return Ok(search.interrupted());
        }
        search.judged(measured.decision, measured.reason.clone());
        earlier = Some(measured);
    }
}

/// How long to wait before the next step. Nothing precedes the first one.
fn pause(args: &Args, earlier: Option<&MeasuredStep>) -> Duration {
    match earlier {
        None => Duration::ZERO,
        Some(step) if step.overloaded() => args.step_pause.max(args.step_duration / RECOVERY),
        Some(_) => args.step_pause,
    }
}

/// Prints the answer.
fn report(
    console: Console,
    mut record: SearchRecord,
    interval: RateInterval,
) -> Result<ExitStatus, CommandError> {
    let exit = match interval.ending {
        SearchEnding::Found | SearchEnding::LimitHolds => ExitStatus::Pass,
        SearchEnding::LowestFails | SearchEnding::NoLongerHolds => ExitStatus::Fail,
        SearchEnding::Undecided | SearchEnding::Interrupted => ExitStatus::Inconclusive,
    };
    let reasons = interval.reasons().into_iter().map(|reason| format!("\n  {reason}"));
    let text = format!("\n{}{}", interval.answer(), reasons.collect::<String>());
    console.print_result(&text)?;
    if console.output == OutputFormat::Json {
        record.interval = Some(interval);
        Console::print_json(
            &serde_json::to_string_pretty(&record).map_err(CommandError::internal)?,
        )?;
    }
    Ok(exit)
}
