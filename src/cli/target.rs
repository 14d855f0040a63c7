//! `tollgate target`

use std::error::Error as _;
use std::io::Read;

use tokio::sync::oneshot;

use super::console::{Console, OutputFormat};
use super::exit::{CommandError, ExitStatus};
use super::log::PEOPLE_ONLY;
use super::signals::SignalStream;
use crate::library_text::describe_cause;
use crate::target::{self, TargetSettings};

/// Serve the rehearsal target: a tile loader with known latencies, stalls and faults
///
/// Prints the address it listens on and serves until Ctrl-C, SIGTERM or SIGHUP. If a flag is given
/// twice, the last one counts. docs/target.md says how a prober should judge each path.
#[derive(Debug, clap::Args)]
#[command(args_override_self = true, after_help = EXAMPLES, after_long_help = paths_and_examples())]
pub(super) struct Args {
    #[command(flatten)]
    settings: Box<TargetSettings>,
    /// Exit when standard input is closed, so that no target outlives the program that started it
    #[arg(long, hide = true)]
    with_stdin: bool,
}

const EXAMPLES: &str = "\
Examples:
  tollgate target --listen 127.0.0.1:8080
  tollgate target --stall 1s --every 10s              frozen for a tenth of the time
  tollgate target --tls --tls-ca-out ca.pem           HTTPS; ca.pem is for a scenario's tls_ca
  tollgate target --fault truncated --fault-rate 2%   one page in fifty is truncated
  tollgate target --sick occ-log-lost --sick bots     the log loses lines, and bots get in
  tollgate target --fly demo                          simulated Fly machines behind the app";

const EXIT_CODES: &str = "\
Exit codes:
  0  the target served until a signal ended it
  2  usage: a flag is wrong, or flags cannot be combined
  4  the target could not serve (address in use, file not written)";

/// The target's paths, examples and exit codes.
fn paths_and_examples() -> String {
    let (faults, good): (Vec<_>, Vec<_>) = target::pages()
        .map(|page| (page.path, page.does, page.is_fault()))
        .partition(|page| page.2);
    let lines = |pages: &[(&str, &str, bool)]| -> String {
        let lines: Vec<String> =
            pages.iter().map(|(path, does, _)| format!("  {path:<26}{does}")).collect();
        lines.join("\n")
    };
    let loader = target::TILE_LOADER.map(|(path, does)| (path, does, false));
    let services =
        target::SERVICES.map(|(path, does)| format!("  {path}\n      {does}")).join("\n");
    let fly = target::FLY.map(|(path, does)| format!("  {path}\n      {does}")).join("\n");
    format!(
        "Tile loader:\n{}\n\nFly, with --fly FILE:\n{fly}\n\nServices, with faults by --sick WHAT:\n{services}\n\nGood pages:\n{}\n\nFaults, also by --fault NAME:\n{}\n\n{EXAMPLES}\n\n{EXIT_CODES}",
        lines(&loader),
        lines(&good),
        lines(&faults)
    )
}

pub(super) fn target(args: &Args) -> Result<ExitStatus, CommandError> {
    let console = Console { output: OutputFormat::Text };
    let mut announced = Ok(());
    let announce = |server: &target::TargetServer| {
        announced = console.print_result(&format!("listening on {}", server.base_url()));
        if args.with_stdin {
            // The program that started it knows what it wants to do.
            return;
        }
        if let Some(problem) = server.private_address_problem() {
            tracing::warn!("WARNING: {problem}");
        }
        let page = target::TILE_LOADER[0].0;
        tracing::info!(target: PEOPLE_ONLY, "try {}{page}", server.base_url());
        for (name, value) in server.fly_environment() {
            // Another token than the default may be one that opens more than a rehearsal.
            let is_secret = name == "FLY_API_TOKEN" && value != target::FLY_TOKEN;
            let value = if is_secret { "<token of the file>" } else { value.as_str() };
            tracing::info!(target: PEOPLE_ONLY, "export {name}={value}");
        }
    };
    let served = target::run_blocking(&args.settings, announce, until_stopped(args.with_stdin));
    announced?;
    served.map_err(|error| target_error(&error))?;
    Ok(ExitStatus::Pass)
}

/// The target's error together with its cause.
fn target_error(error: &target::TargetError) -> CommandError {
    let cause =
        error.source().map(|cause| format!(": {}", describe_cause(cause))).unwrap_or_default();
    if error.is_usage() {
        CommandError::usage(format!("error: {error}{cause}"))
    } else {
        CommandError::internal(format!("{error}{cause}"))
    }
}

/// Waits for a signal or, if asked, for the end of standard input.
async fn until_stopped(with_stdin: bool) {
    let (closed, stdin_closed) = oneshot::channel();
    if with_stdin {
        std::thread::spawn(move || {
            // A failed read ends the target like the end of the input.
            let _end = std::io::stdin().read_to_end(&mut Vec::new());
            let _gone = closed.send(());
        });
    }
    let Ok(mut signals) = SignalStream::listen() else {
        // Without a handler the default applies: a signal kills the program.
        return std::future::pending().await;
    };
    tokio::select! {
        () = signals.next() => {}
        _ = stdin_closed, if with_stdin => {}
    }
}
