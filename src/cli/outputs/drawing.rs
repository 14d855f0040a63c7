//! Draws a run's reports in a process of their own.
//!
//! Drawing needs more memory than the run. A program that gets no memory ends at once, without an
//! error and without a code of the table.

use std::io::ErrorKind;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use clap::ValueEnum as _;

use super::super::exit::CommandError;
use super::super::log;
use super::{FinishedRun, ReportSelection, draw_reports};
use crate::store;

/// Maximum number of characters of the other process's message.
const MAX_MESSAGE: usize = 300;

/// Writes the selected reports of a run into its folder and returns the names of their files.
///
/// The first report that fails ends the drawing. The run itself is complete in its folder by then.
pub(in crate::cli) fn write_reports(run: &FinishedRun) -> Result<Vec<String>, CommandError> {
    if run.reports == ReportSelection::None {
        return Ok(Vec::new());
    }
    store::remove_leftovers(&run.folder);
    let drawn = command(run).and_then(|mut command| command.output());
    let Ok(drawn) = drawn else {
        // Without another process, for example for want of descriptors, this one has to do.
        return draw_reports(run);
    };
    if drawn.status.success() {
        return Ok(String::from_utf8_lossy(&drawn.stdout).lines().map(str::to_owned).collect());
    }
    let message = String::from_utf8_lossy(&drawn.stderr);
    Err(CommandError::internal(format!(
        "the reports were not drawn: {}; the verdict stands, and `tollgate show {}` draws them \
         again",
        reason(drawn.status, &message),
        run.folder.display()
    )))
}

/// Writes the reports of a run that is not the last one of its command. What fails, also of its
/// record, is a warning.
pub(in crate::cli) fn write_reports_or_warn(run: &FinishedRun) {
    for error in run.check_written().err().into_iter().chain(write_reports(run).err()) {
        tracing::warn!("WARNING: {}", error.to_string().trim_start_matches("error: "));
    }
}

/// The command that draws, which knows nothing but the run's folder.
fn command(run: &FinishedRun) -> std::io::Result<Command> {
    let report = run.reports.to_possible_value().ok_or(ErrorKind::InvalidInput)?;
    let mut command = Command::new(own_program()?);
    command.args(["show", "--draw-only", "--quiet", "--report", report.get_name(), "--"]);
    // A signal of the terminal is for the run, which draws its reports to the end.
    command.arg(run.folder.as_os_str()).env_clear().stdin(Stdio::null()).process_group(0);
    Ok(command)
}

/// This program, even if its file was replaced meanwhile.
pub(in crate::cli) fn own_program() -> std::io::Result<PathBuf> {
    let own = Path::new("/proc/self/exe");
    if own.exists() { Ok(own.to_owned()) } else { std::env::current_exe() }
}

/// Why nothing was drawn, as a clause.
fn reason(status: ExitStatus, message: &str) -> String {
    const ABORT: i32 = 6;
    const KILL: i32 = 9;
    let line = message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let line: String = line.trim_start_matches("error: ").chars().take(MAX_MESSAGE).collect();
    match status.signal() {
        Some(ABORT | KILL) => "the process that draws them ran out of memory".to_owned(),
        Some(signal) => format!("signal {signal} ended the process that draws them"),
        None if line.is_empty() => "the process that draws them failed".to_owned(),
        None => log::redact(&line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_was_killed_and_one_that_failed_are_told_apart() {
        let ended = ExitStatus::from_raw;
        assert!(reason(ended(6), "memory allocation of 7 bytes failed").contains("out of memory"));
        assert!(reason(ended(15), "").starts_with("signal 15"));
        let full = "error: cannot write report.html: the disk is full\n";
        assert_eq!(reason(ended(4 << 8), full), "cannot write report.html: the disk is full");
    }
}
