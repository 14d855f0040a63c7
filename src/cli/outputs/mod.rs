//! The outputs of a finished run: reports in its folder, and rows or files elsewhere.
//!
//! An output is one file in this folder and one line in a table: [`selected_reports`] if it
//! is a report in the run's folder, [`Flags::destinations`] if a flag sends the run elsewhere.

mod comment;
pub(super) mod database;
mod drawing;
mod finished_run;
mod github_job;
mod html;
mod markdown;
mod otlp;
mod plots;
mod report_selection;
mod result_file;
mod web_request;

use super::exit::{CommandError, ExitStatus};
use crate::library_text::{DEFECT_REMEDY, catch_defect};
use crate::plan::SecretSet;
use crate::postgres::DatabaseAddress;
use crate::report::PlotError;
use crate::store::StoreError;

pub(super) use drawing::{own_program, write_reports, write_reports_or_warn};
pub(super) use finished_run::FinishedRun;
pub(super) use report_selection::ReportSelection;

/// An output of a finished run.
pub(super) trait RunOutput {
    /// Makes the output and returns its artifacts.
    fn write(&self, run: &FinishedRun) -> Result<Vec<OutputArtifact>, OutputError>;

    /// The database that the output stores runs in, which has earlier ones.
    fn database(&self) -> Option<&DatabaseAddress> {
        None
    }

    /// Learns that what failed works again.
    fn forget_failure(&self) {}

    /// Values the output needs that must never be shown or stored, such as a password.
    fn secrets(&self) -> SecretSet {
        SecretSet::default()
    }
}

/// One thing that an output made.
pub(super) enum OutputArtifact {
    /// A file in the run's folder, by its name.
    File(String),
    /// Something outside the folder, in a sentence such as `Stored in 127.0.0.1:5432/postgres`.
    Elsewhere(String),
}

/// Why an output could not be made.
pub(super) struct OutputError {
    message: String,
    /// Whether the program still ends with the verdict's exit code.
    keeps_verdict: bool,
}

impl From<StoreError> for OutputError {
    fn from(error: StoreError) -> Self {
        Self { message: error.to_string(), keeps_verdict: false }
    }
}

impl From<PlotError> for OutputError {
    fn from(error: PlotError) -> Self {
        Self { message: error.to_string(), keeps_verdict: false }
    }
}

/// The heading of all flags for CI systems and monitoring.
const HEADING: &str = "CI and monitoring";

/// A variable of the environment that is not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The result of sending something elsewhere: a sentence that says what was done, or why it was
/// not. Either is logged. A failure keeps the verdict.
fn delivered(done: Result<String, String>) -> Result<Vec<OutputArtifact>, OutputError> {
    match done {
        Ok(sentence) => {
            tracing::info!("{sentence}");
            Ok(vec![OutputArtifact::Elsewhere(sentence)])
        }
        Err(message) => {
            tracing::warn!("WARNING: {message}\n  The verdict stands.");
            Err(OutputError { message, keeps_verdict: true })
        }
    }
}

/// Makes an output; a panic becomes its error, which names the place.
fn make_output(
    write: impl FnOnce() -> Result<Vec<OutputArtifact>, OutputError>,
) -> Result<Vec<OutputArtifact>, OutputError> {
    catch_defect(write).unwrap_or_else(|defect| {
        let message = format!(
            "an output was not made because of a defect of tollgate ({defect}); the run is complete in its \
             folder; {DEFECT_REMEDY}"
        );
        Err(OutputError { message, keeps_verdict: false })
    })
}

/// The selected reports in the order in which they are written and listed.
fn selected_reports(selection: ReportSelection) -> &'static [&'static dyn RunOutput] {
    match selection {
        ReportSelection::All => &[&html::HtmlReport, &markdown::MarkdownReport, &plots::PlotFiles],
        ReportSelection::Html => &[&html::HtmlReport],
        ReportSelection::None => &[],
    }
}

/// Draws the selected reports of a run in this process, writes them into its folder, and returns
/// the names of their files. The first report that fails ends the command.
pub(super) fn draw_reports(run: &FinishedRun) -> Result<Vec<String>, CommandError> {
    let made = make_reports(run);
    let written = run.finish_writes();
    let files = made?;
    written.map_err(CommandError::internal)?;
    Ok(files)
}

/// Draws the selected reports, and starts to write them.
fn make_reports(run: &FinishedRun) -> Result<Vec<String>, CommandError> {
    let mut files = Vec::new();
    for report in selected_reports(run.reports) {
        let artifacts = make_output(|| report.write(run))
            .map_err(|error| CommandError::internal(error.message))?;
        files.extend(artifacts.into_iter().filter_map(|artifact| match artifact {
            OutputArtifact::File(name) => Some(name),
            OutputArtifact::Elsewhere(_) => None,
        }));
    }
    Ok(files)
}

/// The outputs that flags ask for.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
pub(super) struct Flags {
    #[command(flatten)]
    files: result_file::Flags,
    #[command(flatten)]
    job: github_job::Flags,
    #[command(flatten)]
    comment: comment::Flags,
    #[command(flatten)]
    otlp: otlp::Flags,
    #[command(flatten)]
    database: database::Flags,
}

impl Flags {
    /// Refuses flags that are wrong on every machine.
    pub(super) fn check(&self) -> Result<(), CommandError> {
        self.files.check()?;
        self.comment.check()?;
        self.otlp.check()
    }

    /// The outputs that the flags ask for, in the order in which they are made. Every wrong flag is
    /// reported before anything is sent.
    pub(super) fn destinations(&self) -> Result<OutputDestinations, CommandError> {
        let outputs: [Result<Option<Box<dyn RunOutput>>, CommandError>; 6] = [
            self.files.junit(),
            self.files.metrics(),
            Ok(self.job.output()),
            self.comment.output(),
            self.otlp.output(),
            self.database.output(),
        ];
        let (mut made, mut problems) = (Vec::new(), Vec::new());
        for output in outputs {
            match output {
                Ok(output) => made.extend(output),
                Err(problem) => problems.push(problem.to_string()),
            }
        }
        if problems.is_empty() {
            Ok(OutputDestinations(made))
        } else {
            Err(CommandError::usage(problems.join("\n")))
        }
    }
}

/// Where a run goes in addition to its folder.
pub(super) struct OutputDestinations(Vec<Box<dyn RunOutput>>);

/// The result of sending a run to its destinations.
pub(super) struct OutputDelivery {
    /// How the program ends.
    pub(super) exit: ExitStatus,
    /// One sentence for each thing that was made or failed.
    pub(super) notes: Vec<String>,
}

impl OutputDestinations {
    /// The database that runs are stored in, if one is named.
    pub(super) fn database(&self) -> Option<&DatabaseAddress> {
        self.0.iter().find_map(|output| output.database())
    }

    /// Values that must not be kept in a run's record.
    pub(super) fn secrets(&self) -> SecretSet {
        let mut all = SecretSet::default();
        for output in &self.0 {
            all.extend(&output.secrets());
        }
        all
    }

    /// Stores a run in the database alone, and returns how the program ends.
    pub(super) fn store(&self, run: &FinishedRun) -> ExitStatus {
        let stores = self.0.iter().filter(|output| output.database().is_some());
        let failed = stores.filter_map(|output| make_output(|| output.write(run)).err());
        if failed.into_iter().all(|error| error.keeps_verdict) {
            run.exit()
        } else {
            ExitStatus::Internal
        }
    }

    /// Tries a database again that failed a moment ago: it has answered since.
    pub(super) fn forget_failures(&self) {
        self.0.iter().for_each(|output| output.forget_failure());
    }

    /// Sends a run whose folder is complete to every destination.
    ///
    /// The verdict decides the exit code, unless a destination fails that was required.
    pub(super) fn send(&self, run: &FinishedRun) -> OutputDelivery {
        let mut delivery = OutputDelivery { exit: run.exit(), notes: Vec::new() };
        for output in &self.0 {
            match make_output(|| output.write(run)) {
                Ok(artifacts) => delivery.notes.extend(artifacts.into_iter().filter_map(
                    |artifact| match artifact {
                        OutputArtifact::Elsewhere(sentence) => Some(sentence),
                        OutputArtifact::File(_) => None,
                    },
                )),
                Err(OutputError { message, keeps_verdict }) => {
                    delivery.notes.push(message);
                    if !keeps_verdict {
                        delivery.exit = ExitStatus::Internal;
                    }
                }
            }
        }
        delivery
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_that_panics_fails_with_the_place_and_the_next_one_is_made() {
        let Err(error) = make_output(|| panic!("secret")) else { panic!("no error") };
        assert!(error.message.contains("panic at src/cli/outputs/mod.rs:"), "{}", error.message);
        assert!(!error.message.contains("secret") && !error.keeps_verdict, "{}", error.message);
        assert!(make_output(|| Ok(Vec::new())).is_ok());
    }
}
