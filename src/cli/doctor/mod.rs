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
  tollgate doctor scenarios/shop.toml                     also the scenario's needs and its target
  tollgate doctor https://staging.example/ --rate 500/s   the same for a URL, with the flags of `tollgate run`
  tollgate doctor scenarios/*.toml --output json

doctor only opens connections to a target, over TCP and for https:// URLs TLS, and sends no request.";

const EXIT_CODES: &str = "\
Exit codes:
  0  no check fails; there may be warnings
  1  a check fails: a run could not do its job
  2  usage: a flag or a scenario file is wrong; nothing was checked
  4  internal: the machine could not be checked (a defect, or no thread available)";

/// Find out whether this machine, with these settings, can do the job
///
/// Checks processors, timers, limits, clock, certificates and the runs folder. With scenario files
/// or URLs it also checks what their plan needs, and their targets: names, addresses, certificates
/// and protocols. With a database it checks schema, rights and protection. Each line is ok, warn or
/// fail, with a remedy.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
#[command(mut_arg("print_scenario", |arg| arg.hide(true)))]
pub(super) struct Args {
    /// URLs (http:// or https://) and scenario files, as for `tollgate run` [default: none: this
    /// machine alone]
    #[arg(value_name = "URL|FILE")]
    sources: Vec<OsString>,
    /// Length of the measured stage, as for `tollgate run`
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
    /// The folder for run folders
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
        OutputFormat::Json => Console::print_json(&json(&findings)?)?,
    }
    Ok(if worst(&findings) == CheckState::Fail { ExitStatus::Fail } else { ExitStatus::Pass })
}

/// The worst state of all findings.
pub(super) fn worst(findings: &[CheckFinding]) -> CheckState {
    findings.iter().map(|finding| finding.state).max().unwrap_or(CheckState::Ok)
}

/// All findings as JSON.
#[derive(Serialize)]
struct CheckupDocument<'a> {
    tollgate: &'a str,
    /// The worst state.
    state: CheckState,
    findings: &'a [CheckFinding],
}

fn json(findings: &[CheckFinding]) -> Result<String, CommandError> {
    let document =
        CheckupDocument { tollgate: env!("CARGO_PKG_VERSION"), state: worst(findings), findings };
    serde_json::to_string_pretty(&document).map_err(CommandError::internal)
}
