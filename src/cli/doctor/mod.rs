//! `tollgate doctor`

mod look;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::connection::{AddressFlags, ConnectionFlags};
use super::console::{Console, OutputFormat};
use super::exit::{CommandError, ExitStatus};
use super::quick;
use super::store_flags::StoreFlags;
use crate::record::checkup::{CheckFinding, CheckState};
use crate::report;
use crate::units::parse_duration;

const EXAMPLES: &str = "\
Examples:
  tollgate doctor                                         this machine alone
  tollgate doctor scenarios/shop.toml                     and what the scenario needs of it, and its target
  tollgate doctor https://staging.example/ --rate 500/s   the same for a URL, with the flags of `tollgate run`
  tollgate doctor scenarios/*.toml --output json

Nothing is sent to a target but what opens a connection: TCP, and TLS where the URL begins with https://.";

const EXIT_CODES: &str = "\
Exit codes:
  0  no line fails; there may be warnings
  1  a line fails: a run could not do its job
  2  usage: a flag or a scenario file is wrong; nothing was looked at
  4  internal: the machine could not be looked at (a defect, or no thread to be had)";

/// Find out whether this machine, with these settings, can do the job
///
/// Looks at processors, timers, limits, clock, certificates and the folder of runs; with scenario
/// files or URLs also at what their plan needs, and at their targets: names, each address,
/// certificates, and what is spoken; where a database is named, at its schema, rights and
/// protection. Each line is ok, warn or fail, with what to do about it.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
#[command(mut_arg("print_scenario", |arg| arg.hide(true)))]
pub(super) struct Args {
    /// URLs (http:// or https://) and scenario files, as for `tollgate run` [default: none: this
    /// machine alone]
    #[arg(value_name = "URL|FILE")]
    sources: Vec<OsString>,
    /// The length of the measured phase, as `run` would be given it
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, help_heading = "Load")]
    duration: Option<Duration>,
    #[command(flatten)]
    quick: quick::Flags,
    #[command(flatten)]
    connection: ConnectionFlags,
    #[command(flatten)]
    addresses: AddressFlags,
    #[command(flatten)]
    store: StoreFlags,
    /// The folder that run folders would be made in
    #[arg(long, value_name = "DIR", default_value = "reports/runs", help_heading = "Output")]
    runs_dir: PathBuf,
    /// What is printed on stdout: `text`, a table for people, or `json`, one object with every
    /// finding
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value = "text",
        hide_possible_values = true
    )]
    #[arg(help_heading = "Output")]
    output: OutputFormat,
}

pub(super) fn doctor(args: &Args) -> Result<ExitStatus, CommandError> {
    let findings = look::look(args)?;
    let console = Console { output: args.output };
    match args.output {
        OutputFormat::Text => {
            console.print_result(&report::checkup_text(
                &findings,
                console.width(),
                console.has_colour(),
            ))?;
        }
        OutputFormat::Json => Console::print_plain(&json(&findings)?)?,
    }
    Ok(if worst(&findings) == CheckState::Fail { ExitStatus::Fail } else { ExitStatus::Pass })
}

/// How the worst line is.
pub(super) fn worst(findings: &[CheckFinding]) -> CheckState {
    findings.iter().map(|finding| finding.state).max().unwrap_or(CheckState::Ok)
}

/// All that was found, for programs.
#[derive(Serialize)]
struct Told<'a> {
    tollgate: &'a str,
    /// How the worst line is.
    state: CheckState,
    findings: &'a [CheckFinding],
}

fn json(findings: &[CheckFinding]) -> Result<String, CommandError> {
    let told = Told { tollgate: env!("CARGO_PKG_VERSION"), state: worst(findings), findings };
    serde_json::to_string_pretty(&told).map_err(CommandError::internal)
}
