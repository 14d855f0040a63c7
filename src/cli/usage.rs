//! Errors on the command line, with a tip if the mistake is a known one.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::console::stderr_has_colour;
use super::exit::{CommandError, ExitStatus};

/// Flags of curl, k6, oha, wrk and similar tools, and what to write instead.
const FOREIGN_FLAGS: [(&[&str], &str); 9] = [
    (&["--qps", "--rps", "-R"], "write `--rate 20/s`: requests per second"),
    (
        &["--vus", "-u"],
        "write `--rate 20/s`, or `--closed --connections 8` for connections that wait for responses",
    ),
    (&["-z", "-d"], "write `--duration 30s`; a request's body is `--body TEXT`"),
    (
        &["--data", "--data-raw", "--json"],
        "write `--body TEXT`, and `-H 'Content-Type: …'` for its type",
    ),
    (
        &["-n", "--requests", "-i", "--iterations"],
        "write `--rate 20/s --duration 30s`: tollgate plans load by time",
    ),
    (&["-L", "--location", "--redirect"], "write `--redirects 5`"),
    (&["-k"], "write `--insecure`"),
    (&["--http2", "--http1.1", "--http-version"], "write `--http 2` or `--http 1.1`"),
    (&["--threshold", "--thresholds", "--fail"], "write `--budget 'p95 < 300ms'`"),
];

/// Turns an error of clap into the program's end. Help and version end well; the rest is a usage
/// error.
///
/// `variable` is the environment variable that holds the wrong value, if the value was not typed.
pub(super) fn from_clap(
    error: &clap::Error,
    variable: Option<&str>,
) -> Result<ExitStatus, CommandError> {
    if error.use_stderr() {
        let text = error.render();
        let text = if stderr_has_colour() { text.ansi().to_string() } else { text.to_string() };
        let variable_tip = variable
            .map(|name| format!("the value comes from the variable `{name}`: correct or unset it"));
        let tip = variable_tip.or_else(|| foreign_flag_tip(error).map(str::to_owned));
        let tip = tip.map(|tip| format!("\n  tip: {tip}\n")).unwrap_or_default();
        return Err(CommandError::usage(format!("{}{tip}", text.trim_end())));
    }
    match error.print() {
        // A closed pipe is not an error: its reader has seen enough of the help.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CommandError::internal(format!("the help could not be printed: {error}")))
        }
        _ => Ok(ExitStatus::Pass),
    }
}

/// The tip for a flag that other tools have.
fn foreign_flag_tip(error: &clap::Error) -> Option<&'static str> {
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else { return None };
    let typed = typed.split('=').next().unwrap_or_default();
    let known = FOREIGN_FLAGS.iter().find(|(flags, _)| flags.contains(&typed));
    known.filter(|_| error.kind() == ErrorKind::UnknownArgument).map(|(_, tip)| *tip)
}
