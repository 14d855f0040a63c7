//! `tollgate demo`

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clap::Args as _;

use super::connection::{AddressFlags, ConnectionFlags};
use super::console::{Console, OutputFormat};
use super::exit::{CommandError, ExitStatus};
use super::log::{self, PEOPLE_ONLY};
use super::outputs::{FinishedRun, own_program};
use super::results::{self, ResultForm};
use super::session::{self, ReferencedRuns, RunFlags};
use super::signals::RunSignals;
use super::{flag_variables, next_steps, target, usage};
use crate::plan::{Environment, Plan};
use crate::scenario::{OverrideValue, Scenario, ScenarioErrors, ScenarioOverrides};
use crate::units::{Rate, duration_literal};

/// Try tollgate against a rehearsal target on this machine, without any setup
///
/// Starts the rehearsal target as a child process on a free port, runs both tile-loader scenarios
/// against it at the same time, and writes a run folder with reports and plots. Needs no network;
/// takes about 45 seconds: shorter than the scenarios as they are written, so that it holds only
/// against shorter stalls. The run is not stored in a database unless you upload it with `tollgate
/// sync`.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", super::EXIT_CODES))]
pub(super) struct Args {
    /// Flags for the rehearsal target, after `--`; see `tollgate target --help`
    #[arg(last = true, value_name = "TARGET FLAGS")]
    target: Vec<String>,
    #[command(flatten)]
    connection: ConnectionFlags,
    #[command(flatten)]
    run: RunFlags,
}

const EXAMPLES: &str = "\
Examples:
  tollgate demo
  tollgate demo -- --stall 1s --every 3s     a target that freezes: fails
  tollgate demo -- --auth today              a live page behind a login: fails and says why";

/// The name and the text of a scenario file.
type BuiltInScenario = (&'static str, &'static str);

/// The scenario of sample data.
pub(super) const TILE_LOADER_MOCK: BuiltInScenario =
    ("scenarios/tile-loader-mock.toml", include_str!("../../scenarios/tile-loader-mock.toml"));

const SCENARIOS: [BuiltInScenario; 2] = [
    TILE_LOADER_MOCK,
    ("scenarios/tile-loader-live.toml", include_str!("../../scenarios/tile-loader-live.toml")),
];

/// The length of the measured stage, instead of three minutes.
const DURATION: Duration = Duration::from_secs(40);

/// The environment of runs against a rehearsal target, so that no page of a site, `last-pass` or
/// learned limit mixes them with runs against other targets.
pub(super) const ENVIRONMENT: &str = "demo";

/// Arrivals a second on live data, which cost the rehearsal target nothing: enough for a verdict
/// after [`DURATION`].
const LIVE_RATE: f64 = 5.0;

/// A page of about 40 ms and a live page of six waits of about 40 ms each, three times slower when
/// cold.
const TARGET: [&str; 8] = [
    "--mock-latency",
    "lognormal:40ms,0.35",
    "--upstream-latency",
    "lognormal:40ms,0.3",
    "--warming",
    "40",
    "--warming-factor",
    "3",
];

/// The value of `X-Hotdash-Synthetic` that the rehearsal target expects. It is not a real token.
const TOKEN: &str = "rehearsal";

pub(super) fn demo(args: &Args) -> Result<ExitStatus, CommandError> {
    if let Err(error) = check_target_flags(&args.target) {
        return usage::from_clap(error, None, &[]);
    }
    let typed = args.target.iter().map(String::as_str);
    let target = TargetProcess::start(TARGET.into_iter().chain(typed))?;
    let signals = RunSignals::listen()?;
    let url = &target.base_url;
    tracing::info!(url, "Rehearsal target: {url} (a separate process on this machine)");
    tracing::info!(
        target: PEOPLE_ONLY,
        "Measures {} of each scenario; the files measure three minutes",
        duration_literal(DURATION)
    );
    let plan = Plan {
        pacing: args.run.pacing(),
        consent: args.run.consent(),
        ..plan(url, &args.connection)?
    };
    let flags = args.run.clone().or_environment(ENVIRONMENT);
    let run = session::execute(&plan, &flags, &signals, ReferencedRuns::default())?;
    results::report_run(&run, args.run.console(), ResultForm::Full, || ()).1?;
    tracing::info!(target: PEOPLE_ONLY, "{}", advice(&run, args.target.is_empty()));
    Ok(run.exit())
}

/// Checks the target's flags before it starts. Its own message would also name flags that the user
/// did not type.
fn check_target_flags(flags: &[String]) -> Result<(), clap::Error> {
    let command = target::Args::augment_args(clap::Command::new("target").no_binary_name(true));
    let command = flag_variables::name_flags_of(command, "target");
    let usage = "tollgate demo [OPTIONS] -- [TARGET FLAGS]\n       tollgate target --help";
    command.override_usage(usage).try_get_matches_from(flags).map(drop)
}

fn plan(base_url: &str, connection: &ConnectionFlags) -> Result<Plan, CommandError> {
    let variables = [("TOLLGATE_TARGET", base_url), ("SYNTHETIC_CHECK_TOKEN", TOKEN)];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let environment = Environment::new(variables);
    let overrides = connection.overrides(&AddressFlags::default(), None);
    let parsed: Result<Vec<_>, _> =
        SCENARIOS.iter().map(|(name, text)| shortened(Scenario::parse(name, text)?)).collect();
    let resolved = parsed.and_then(|scenarios| Plan::resolve(&scenarios, &environment, &overrides));
    let (plan, _) = resolved?;
    let console = Console { output: OutputFormat::Text };
    super::connection::warn_caveats(&plan, console.is_among_messages());
    Ok(plan)
}

/// A scenario as the demo runs it. Its changes are no warning: nobody typed them, and the plan in
/// every report has them.
fn shortened(scenario: Scenario) -> Result<Scenario, ScenarioErrors> {
    fn by_demo<T>(value: T) -> OverrideValue<T> {
        OverrideValue { origin: "tollgate demo".to_owned(), value }
    }
    let is_live = scenario.name().ends_with("-live");
    let rate = Rate::per_second(LIVE_RATE).ok().filter(|_| is_live);
    let mut scenario = scenario.with_overrides(&ScenarioOverrides {
        rate: rate.map(by_demo),
        duration: Some(by_demo(DURATION)),
        ..ScenarioOverrides::default()
    })?;
    scenario.overridden.clear();
    Ok(scenario)
}

/// What to try next. Suggests a freezing target unless the user gave target flags.
fn advice(run: &FinishedRun, is_default: bool) -> String {
    let program = std::env::args_os().next().unwrap_or_else(|| "tollgate".into());
    let program = program.to_string_lossy();
    let freeze = format!(
        "  {program} demo -- --stall 1s --every 3s\n      the same, against a target that freezes a third of the time\n"
    );
    format!(
        "\nNext\n{}{}  TOLLGATE_TARGET=https://… {program} run scenarios/tile-loader-mock.toml\n      \
         the same scenario (from tollgate's repository), against your target",
        next_steps::open_report(run),
        if is_default { freeze.as_str() } else { "" },
    )
}

/// The rehearsal target as a child process, killed on drop.
pub(super) struct TargetProcess {
    child: Child,
    pub(super) base_url: String,
}

impl TargetProcess {
    /// Starts it with flags, and waits until it listens.
    pub(super) fn start<'a>(
        flags: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, CommandError> {
        let program = own_program().map_err(CommandError::internal)?;
        let mut child = Command::new(program)
            .args(["target", "--with-stdin", "--log-format", log::format_name()])
            .args(flags)
            // Ctrl-C in the terminal must not reach the target: a draining prober still waits for
            // responses.
            .process_group(0)
            .env("SYNTHETIC_CHECK_TOKEN", TOKEN)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(CommandError::internal)?;
        let stdout = child.stdout.take();
        // From here on, dropping `process` kills the child.
        let mut process = Self { child, base_url: String::new() };
        let mut line = String::new();
        if let Some(stdout) = stdout {
            BufReader::new(stdout).read_line(&mut line).map_err(CommandError::internal)?;
        }
        match line.trim().strip_prefix("listening on ") {
            Some(base_url) => base_url.clone_into(&mut process.base_url),
            None => {
                return Err(CommandError::usage(
                    "error: the rehearsal target did not start; see its message above",
                ));
            }
        }
        Ok(process)
    }
}

impl Drop for TargetProcess {
    fn drop(&mut self) {
        // A child that has exited already cannot be killed.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}
