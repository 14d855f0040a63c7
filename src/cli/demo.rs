//! `tollgate demo`

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use clap::Args as _;

use super::connection::{Addresses, Connection};
use super::console::colours_errors;
use super::exit::{self, Exit, Problem};
use super::log::{self, SCREEN};
use super::reporting::{self, Form};
use super::session::{self, Kept, Settings};
use super::signals::Signals;
use super::{environment, target};
use crate::plan::{Environment, Plan};
use crate::scenario::Scenario;

/// Try tollgate out against a rehearsal target on this machine, without any set-up
///
/// Starts the rehearsal target as a child process on a free port, runs both tile-loader scenarios against it at the
/// same time, and writes a run folder with a plotted report. Needs no network and no set-up; takes about 45 seconds.
/// Nothing of it goes to a database, unless `tollgate sync` sends it.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", super::EXIT_CODES))]
pub(super) struct Args {
    /// Flags for the rehearsal target, after `--`; see `tollgate target --help`
    #[arg(last = true, value_name = "TARGET FLAGS")]
    target: Vec<String>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  tollgate demo
  tollgate demo -- --stall 1s --every 10s    a target that freezes: fail
  tollgate demo -- --auth today              a live page behind a login: fail, and why";

const SCENARIOS: [(&str, &str); 2] = [
    ("scenarios/tile-loader-mock.toml", include_str!("../../scenarios/tile-loader-mock.toml")),
    ("scenarios/tile-loader-live.toml", include_str!("../../scenarios/tile-loader-live.toml")),
];

/// A page of about 40 ms and a live page of six waits of about 40 ms each, three times slower when cold.
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

/// What the rehearsal target expects in `X-Hotdash-Synthetic`; made up, and good for nothing else.
const TOKEN: &str = "rehearsal";

pub(super) fn demo(args: &Args) -> Result<Exit, Problem> {
    if let Err(error) = understood(&args.target) {
        return exit::of_clap(&error, None);
    }
    let rehearsal = Rehearsal::start(&args.target)?;
    let signals = Signals::listen()?;
    let url = &rehearsal.base_url;
    tracing::info!(url, "Rehearsal target: {url} (a process of its own, on this machine)");
    let plan = Plan { pacing: args.settings.pacing(), ..plan(url, &args.connection)? };
    let kept = session::carry_out(&plan, &args.settings, &signals)?;
    reporting::report_on(&kept.record, &kept.folder, args.settings.console(), Form::Whole)?;
    tracing::info!(target: SCREEN, "{}", next(&kept, args.target.is_empty()));
    Ok(kept.exit())
}

/// Whether the target will understand its flags; told here, its own message would speak of flags nobody typed.
fn understood(flags: &[String]) -> Result<(), clap::Error> {
    let command = target::Args::augment_args(clap::Command::new("target").no_binary_name(true));
    let command = environment::name_flags_of(command, "target");
    let usage = "tollgate demo [OPTIONS] -- [TARGET FLAGS]\n       tollgate target --help";
    command.override_usage(usage).try_get_matches_from(flags).map(drop)
}

fn plan(base_url: &str, connection: &Connection) -> Result<Plan, Problem> {
    let variables = [("TOLLGATE_TARGET", base_url), ("SYNTHETIC_CHECK_TOKEN", TOKEN)];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let environment = Environment::new(variables);
    let overrides = connection.overrides(&Addresses::default(), None);
    let parsed: Result<Vec<_>, _> =
        SCENARIOS.iter().map(|(name, text)| Scenario::parse(name, text)).collect();
    let resolved = parsed.and_then(|scenarios| Plan::resolve(&scenarios, &environment, &overrides));
    let (plan, _) = resolved.map_err(|errors| Problem::usage(errors.render(colours_errors())))?;
    super::connection::tell_caveats(&plan);
    Ok(plan)
}

/// What to try next; freezes are not suggested to whoever has set the target up already.
fn next(kept: &Kept, plain: bool) -> String {
    let program = std::env::args_os().next().unwrap_or_else(|| "tollgate".into());
    let program = program.to_string_lossy();
    let freeze = format!(
        "  {program} demo -- --stall 1s --every 10s\n      the same against a target that freezes a tenth of the time\n"
    );
    format!(
        "\nNext\n  open {}/report.html\n{}  TOLLGATE_TARGET=https://… {program} run scenarios/tile-loader-mock.toml\n      \
         the same scenario (in tollgate's repository) against yours",
        kept.folder.display(),
        if plain { freeze.as_str() } else { "" },
    )
}

/// The rehearsal target as a child process; ended when it is dropped.
struct Rehearsal {
    child: Child,
    base_url: String,
}

impl Rehearsal {
    fn start(flags: &[String]) -> Result<Self, Problem> {
        let program = std::env::current_exe().map_err(Problem::internal)?;
        let mut child = Command::new(program)
            .args(["target", "--with-stdin", "--log-format", log::format_name()])
            .args(TARGET)
            .args(flags)
            // A signal from the terminal is for the prober, which still waits for answers when it drains.
            .process_group(0)
            .env("SYNTHETIC_CHECK_TOKEN", TOKEN)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Problem::internal)?;
        let stdout = child.stdout.take();
        // From here on the child is ended whatever happens.
        let mut rehearsal = Self { child, base_url: String::new() };
        let mut line = String::new();
        if let Some(stdout) = stdout {
            BufReader::new(stdout).read_line(&mut line).map_err(Problem::internal)?;
        }
        match line.trim().strip_prefix("listening on ") {
            Some(base_url) => base_url.clone_into(&mut rehearsal.base_url),
            None => {
                return Err(Problem::usage(
                    "error: the rehearsal target did not start; its own message is above",
                ));
            }
        }
        Ok(rehearsal)
    }
}

impl Drop for Rehearsal {
    fn drop(&mut self) {
        // A child that has ended already cannot be ended again.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
