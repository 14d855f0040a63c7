//! `tollgate target`

use std::error::Error as _;
use std::io::Read;

use tokio::sync::oneshot;

use super::console::{Console, Output};
use super::exit::{Exit, Problem};
use super::signals::EndSignals;
use crate::target::{self, Settings};

/// Serve the rehearsal target: a tile loader whose latencies, stalls and faults are known
///
/// It prints the address it listens on and serves until it gets Ctrl-C or SIGTERM. Of a flag given twice the last
/// one counts. docs/target.md says what a prober should make of each path.
#[derive(Debug, clap::Args)]
#[command(args_override_self = true, after_help = EXAMPLES, after_long_help = paths_and_examples())]
pub(super) struct Args {
    #[command(flatten)]
    settings: Box<Settings>,
    /// End when standard input is closed, so that no target outlives the program that started it
    #[arg(long, hide = true)]
    with_stdin: bool,
}

const EXAMPLES: &str = "\
Examples:
  tollgate target --listen 127.0.0.1:8080
  tollgate target --stall 1s --every 10s              freezes for a tenth of the time
  tollgate target --tls --tls-ca-out ca.pem           HTTPS; ca.pem is for a scenario's tls_ca
  tollgate target --fault truncated --fault-rate 2%   one page in fifty is cut off
  tollgate target --sick occ-log-lost --sick bots     the log loses lines, and bots get in";

const EXIT_CODES: &str = "\
Exit codes:
  0  it served until it was told to end
  2  usage: a flag is wrong, or flags do not fit together
  4  it could not serve (address taken, file not written)";

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
    format!(
        "Tile loader:\n{}\n\nServices, made wrong by --sick WHAT:\n{services}\n\nGood pages:\n{}\n\nFaults, also by --fault NAME:\n{}\n\n{EXAMPLES}\n\n{EXIT_CODES}",
        lines(&loader),
        lines(&good),
        lines(&faults)
    )
}

pub(super) fn target(args: &Args) -> Result<Exit, Problem> {
    let console = Console { output: Output::Text };
    let mut announced = Ok(());
    let announce = |server: &target::Server| {
        announced = console.result(&format!("listening on {}", server.base_url()));
    };
    let served = target::run_blocking(&args.settings, announce, until(args.with_stdin));
    announced?;
    served.map_err(|error| problem(&error))?;
    Ok(Exit::Pass)
}

/// What kept the target from serving, with what the system said of it.
fn problem(error: &target::Error) -> Problem {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    if error.is_usage() {
        Problem::usage(format!("error: {error}{cause}"))
    } else {
        Problem::internal(format!("{error}{cause}"))
    }
}

/// Waits for a signal, or for the end of standard input where that counts.
async fn until(with_stdin: bool) {
    let (closed, stdin_closed) = oneshot::channel();
    if with_stdin {
        std::thread::spawn(move || {
            // A read that fails ends it like one that finds the end.
            let _end = std::io::stdin().read_to_end(&mut Vec::new());
            let _gone = closed.send(());
        });
    }
    let Ok(mut signals) = EndSignals::listen() else {
        // Without a handler the system's default applies: a signal ends the program.
        return std::future::pending().await;
    };
    tokio::select! {
        () = signals.next() => {}
        _ = stdin_closed, if with_stdin => {}
    }
}
